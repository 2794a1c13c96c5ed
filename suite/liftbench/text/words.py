"""Words for comparing texts in any script."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from ..records.conversation import Conversation, Turn

_UNSPACED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f"  # Myanmar
    "\u1780-\u17ff"  # Khmer
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\U0001aff0-\U0001b16f"  # the Han marks 々, 〆 and 〇; Hiragana, Katakana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
_WORD = re.compile(rf"[^\W{_UNSPACED}]+|(?=\w)[{_UNSPACED}]")


def words(text: str) -> list[str]:
    """The words of a text, normalized (NFKC) and case-folded: letters and digits of any script.

    In scripts without spaces between words (Han, Hiragana, Katakana, Thai, Lao, Khmer, Myanmar) each letter is a word.
    Otherwise a whole clause would be one word, and equal only to itself.

    >>> words("Wi-Fiが切れる。")
    ['wi', 'fi', 'が', '切', 'れ', 'る']
    """
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def words_of(conversation: Conversation) -> list[str]:
    """The words of all turns, in order."""
    return [word for turn in words_of_turns(conversation.turns) for word in turn]


# Cached, because several metrics read the same conversations one after the other.
@lru_cache(maxsize=1 << 9)
def words_of_turns(turns: tuple[Turn, ...]) -> tuple[tuple[str, ...], ...]:
    """The words of each turn."""
    return tuple(tuple(words(turn.text)) for turn in turns)
