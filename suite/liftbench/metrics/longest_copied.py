"""The longest passage that a summary copies from one turn, in words.

Coverage, density and novel bigrams (see `form`) speak of all copied passages together, and let one run from a turn into
the next. This one names the longest, which a reader can look up.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache

from ..records.conversation import Conversation
from ..records.run import Direction
from ..text.words import words, words_of_turns
from .base import Metric, MetricRequest
from .form import TOKENS, Tokens


class LongestCopied(Metric):
    """Words of the longest passage that stands in one turn, too, in [0, words]; 0.0 where no word does.

    It says how a summary is written, not how good it is: no lift is judged on it.
    """

    name = "longest-copied"
    direction: Direction = "neither"
    sees = "form"

    def __init__(self, request: MetricRequest = MetricRequest()) -> None:  # noqa: ARG002, B008
        self.signature = f"{self.name}|one-turn|{TOKENS}"

    def score(self, texts: Sequence[str], conversations: Sequence[Conversation]) -> list[float | None]:
        """A number of words for each text; no reference is looked at."""
        return [
            float(longest_passage(tuple(words(text)), words_of_turns(one.turns)))
            for text, one in zip(texts, conversations, strict=True)
        ]


@lru_cache(maxsize=1 << 12)
def longest_passage(summary: Tokens, turns: tuple[Tokens, ...]) -> int:
    """Words of the longest passage that a summary has in common with any one turn.

    >>> longest_passage(("is", "late", "again", "now"), (("it", "is", "late"), ("again", "now")))
    2
    """
    # Without `autojunk`: of long texts, difflib would leave out the common words.
    matcher = SequenceMatcher(None, b=summary, autojunk=False)
    longest = 0
    for turn in turns:
        matcher.set_seq1(turn)
        longest = max(longest, matcher.find_longest_match().size)
    return longest
