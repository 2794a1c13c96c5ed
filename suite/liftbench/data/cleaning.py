"""Cleaning: the one step that turns text from an export into the text that a model is given.

| what | becomes |
|---|---|
| HTML entities (`&amp;`, `&lt;3`), also doubly encoded ones | the characters they stand for |
| HTML tags (`<br>`, `<p class="x">`, `</div>`) | white space |
| Unicode | NFC, without control and zero-width characters; each run of white space becomes one space |
| a link (`https://…`, `www.…`, `t.co/…`) | `<LINK>` |
| a handle with a name (`@AppleSupport`) | the name without its `@` |
| an anonymous handle (`@115712`) | nothing at the start of a turn, `<USER>` elsewhere |
| a run of one emoji | one emoji, without skin tone or variation selector |
| speakers (`user`, `caller`, `rep`, `Assistant`, …) | `customer` or `agent`; any other word in lower case |
| consecutive turns of one speaker | one turn |
| a turn without text | nothing |

In references and extracts only entities, tags, control characters and extra white space are cleaned, because texts are
scored against them. Cleaning is idempotent.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import itemgetter

import msgspec
import regex

from ..records.conversation import Conversation, Turn

CLEANING = "clean-v1"
"""Name and version, part of a split's fingerprint: raise the version with every change of the output."""

LINK = "<LINK>"
USER = "<USER>"

ROLES = {
    "customer": ("client", "user", "human", "caller", "consumer", "guest", "enduser", "visitor", "requester", "buyer"),
    "agent": (
        *("assistant", "support", "advisor", "adviser", "representative", "rep", "operator", "staff", "bot", "gpt"),
        *("chatbot", "service", "helpdesk", "supportagent", "customerservice", "csr", "clerk"),
    ),
}
"""Role → its names in exports, compared without case, white space and punctuation."""

_ROLE_OF = {regex.sub(r"\W", "", name): role for role, names in ROLES.items() for name in (role, *names)}

_GARBAGE = regex.compile(r"[\p{Cc}\p{Cs}\u200b-\u200c\u2060\ufeff\u00ad--\s]", regex.V1)
_TAG = regex.compile(
    r"</?(?:a|b|i|u|p|[bht]r|em|h[1-6]|li|[ou]l|t[dh]|div|img|pre|body|code|font|head|html|span|table|tbody|thead|strong"
    r"|blockquote)(?:\s[^<>]*)?/?>",
    regex.IGNORECASE,
)
_LINK = regex.compile(r"(?<![\w@])(?:https?://|www\.|t\.co/)[^\s<>]*[^\s<>.,;:!?'\")\]]", regex.IGNORECASE)
_LINKS = regex.compile(rf"{LINK}(?:\s*{LINK})+")
_FIRST_ANONYMOUS = regex.compile(r"^(?:@+\d{4,}\b[\s,:]*)+")
_ANONYMOUS = regex.compile(r"(?<![\w.@])@+\d{4,}\b")
_HANDLE = regex.compile(r"(?<![\w.@])@+(?=\w)")
_MODIFIERS = regex.compile(r"[\p{Emoji_Modifier}\ufe0e\ufe0f]")
_EMOJI_RUN = regex.compile(r"(\p{Extended_Pictographic}(?:\u200d\p{Extended_Pictographic})*)(?:\s*\1)+")
_SPACE = regex.compile(r"\s+")


def clean(conversation: Conversation) -> Conversation:
    """The conversation as a model is given it; it has no turns if no words are left."""
    return msgspec.structs.replace(
        conversation,
        turns=tuple(_merge_turns((role(turn.role), clean_turn(turn.text)) for turn in conversation.turns)),
        references=tuple(map(clean_summary, conversation.references)),
        extracts=tuple(map(clean_summary, conversation.extracts)),
    )


def clean_turn(text: str) -> str:
    """A turn's text, cleaned."""
    return _repeat_until_stable(_turn_once, text)


def clean_summary(text: str) -> str:
    """A reference's text, cleaned."""
    return _repeat_until_stable(_plain, text)


def role(speaker: str) -> str:
    """`customer`, `agent`, or the speaker's own name in lower case."""
    return _ROLE_OF.get(regex.sub(r"\W|_", "", speaker.casefold()), _SPACE.sub(" ", speaker.strip().casefold()))


def _repeat_until_stable(step: Callable[[str], str], text: str) -> str:
    # One replacement can uncover another (`&amp;lt;`, `@@12 @x`). Repeating until nothing changes makes cleaning
    # idempotent; it ends because no replacement lengthens a text for ever.
    while (done := step(text)) != text:
        text = done
    return text


def _is_plain(text: str) -> bool:
    """Whether a text has nothing to be cleaned: most turns have not, which is faster to see than to replace nothing."""
    ordinary = text.isascii() and text.isprintable() and "&" not in text and "<" not in text
    return ordinary and "  " not in text and text == text.strip()


def _plain(text: str) -> str:
    if _is_plain(text):
        return text
    text = unicodedata.normalize("NFC", html.unescape(text))
    return _SPACE.sub(" ", _GARBAGE.sub("", _TAG.sub(" ", text))).strip()


def _turn_once(text: str) -> str:
    if _is_plain(text) and "@" not in text and "/" not in text and "www." not in text.lower():
        return text
    text = _LINKS.sub(LINK, _LINK.sub(LINK, _plain(text)))
    text = _HANDLE.sub("", _ANONYMOUS.sub(USER, _FIRST_ANONYMOUS.sub("", text)))
    return _EMOJI_RUN.sub(r"\1", _MODIFIERS.sub("", text)).strip()


def _merge_turns(turns: Iterable[tuple[str, str]]) -> Iterator[Turn]:
    spoken = ((speaker, text) for speaker, text in turns if text)
    for speaker, group in groupby(spoken, key=itemgetter(0)):
        texts = [text for _, text in group]
        # A merged turn is cleaned again: two clean texts can form a run of emoji or links where they meet.
        yield Turn(role=speaker, text=texts[0] if len(texts) == 1 else clean_turn(" ".join(texts)))
