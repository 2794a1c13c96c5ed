"""Reads the messages of a conversation from a list of objects or pairs, whatever their keys are called."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from ...errors import unknown
from .. import cleaning
from .columns import Columns, plain_name
from .marks import Marks
from .names import MESSAGE_SPEAKERS, MESSAGE_TEXTS, MESSAGES, NESTED_TEXTS, OPENINGS, SPEAKER_IDS, TWO_SIDES
from .paths import at
from .people import Fields, People, customer_ids, pick
from .speakers import Speakers
from .speech import spoken
from .tally import Tally
from .transcripts import Unusable
from .values import decoded, words

SAID_PARTS = frozenset(("", "text", "inputtext", "outputtext", "markdown", "html", "plain", "paragraph", "refusal"))
"""Types of the parts of a message that hold what was said; `reasoning` and `tool_result` do not."""
PART_TEXTS = ("text", "content", "value", "refusal")
ROLES = ("customer", "agent")
LOOKED_AT = 20
DEPTH = 3
ALL_TEXTS = (*MESSAGE_TEXTS, *NESTED_TEXTS)
WRAPPERS = ("message", "comment", "post", "node", "source", "payload", "data")
WEAK_SPEAKERS = frozenset(("name", "createdby", "user", "who", "party"))
"""Keys of messages that many other objects have, too (tags, attachments, fields of a form)."""

SPEAKER_EXAMPLES = "role, speaker, from, author or sender"
TEXT_EXAMPLES = "content, text, message, body or value"

_THOUGHT = re.compile(
    r"\s*<(?P<tag>think|thinking|thought|reasoning|scratchpad)>.*?</(?P=tag)>"
    # Where the prompt ends with the opening tag, the answer has the closing one only.
    r"|(?:(?!<think).)*?</(?P<end>think|thinking)>(?=\s*\n|[^\W\d_])"
    r"|\s*◁think▷.*?◁/think▷"
    r"|\s*<\|channel\|>(?:analysis|thought).*?<\|channel\|>final(?:<\|message\|>)?",
    re.DOTALL | re.IGNORECASE,
)
_END = re.compile(r"<\|(?:return|end)\|>\s*$")


class Said(Struct, frozen=True):
    """One message."""

    speaker: str
    text: str


class Listed:
    """Reads lists of messages, and leaves out those that were not said to the customer."""

    def __init__(self, columns: Columns, speakers: Speakers, tally: Tally) -> None:
        self._columns = columns
        self._people = People(speakers)
        self._tally = tally
        self._marks = Marks(columns)
        self._absent = {path for path in (columns.message_speaker, columns.message_text) if path}
        self._keys: Counter[str] = Counter()

    def read(self, messages: Sequence[Fields], row: Fields, id_: str) -> list[Said]:
        """What is said in the messages of a row. Raises `Unusable`."""
        customers = customer_ids(row, self._columns)
        said: list[Said] = []
        internal = 0
        for message in map(_unwrap, self._with_opening(messages, row)):
            if self._absent:
                self._keys.update(message.keys())
                self._absent = {path for path in self._absent if at(message, path) is None}
            text = spoken(self._text(message), self._tally, id_, keep_quotes=self._columns.keep_quotes)
            if reason := self._marks.of_message(message, id_):
                self._tally.leave_out("message", reason, id_)
                internal += 1
            elif text:
                said.append(Said(self._speaker(message, customers), text))
        if any(not message.speaker for message in said) and self._columns.others in (None, "names"):
            raise Unusable(f"a message without {self._columns.message_speaker or SPEAKER_EXAMPLES} (--message-speaker)")
        if said:
            return said
        if internal:
            raise Unusable("every message is an internal note or an event")
        keys = {plain_name(key) for message in messages for key in message}
        if messages and keys.isdisjoint(ALL_TEXTS):
            raise Unusable(f"messages without {self._columns.message_text or TEXT_EXAMPLES} (--message-text)")
        raise Unusable("no messages")

    def check(self) -> None:
        """Raise `UsageError` for a given key that no message has, and where all messages are internal."""
        for path in sorted(self._absent if self._keys else ()):
            raise unknown("key of messages", path, [key for key, _ in self._keys.most_common(20)])
        self._marks.check(self._tally)

    # ---------------------------------------------------------------------------------------------- a message

    def _with_opening(self, messages: Sequence[Fields], row: Fields) -> Iterator[Fields]:
        opening = _opening(row) if self._columns.messages else None
        text = self._text(opening) if opening else ""
        if opening and text and all(self._text(message) != text for message in messages[:2]):
            self._tally.remark("conversations whose first message is from a column beside the list of messages")
            yield opening
        yield from messages

    def _text(self, message: Fields) -> str:
        if path := self._columns.message_text:
            return self._content(at(message, path))
        found = pick(message, ALL_TEXTS)
        return next(filter(None, (self._content(value) for _, value in found)), "")

    def _content(self, value: Any) -> str:
        if isinstance(value, Mapping):
            parts = value.get("parts")
            if parts is None:
                return next(filter(None, (self._content(inner) for _, inner in pick(value, MESSAGE_TEXTS))), "")
            value = parts
        if not isinstance(value, list | tuple):
            return self._without_thought(words(value))
        return self._without_thought("\n".join(filter(None, map(self._part, value))))

    def _part(self, part: Any) -> str:
        if not isinstance(part, Mapping):
            return words(part)
        kind = words(part.get("type"))
        value = next((part[key] for key in PART_TEXTS if part.get(key) is not None), None)
        text = words(value.get("value") if isinstance(value, Mapping) else value)
        if text and plain_name(kind) in SAID_PARTS and part.get("thought") is not True:
            return text
        self._tally.remark("parts of messages that are no text (pictures, files) or unsaid (reasoning), left out", kind)
        return ""

    def _without_thought(self, text: str) -> str:
        found = _THOUGHT.match(text) if "think" in text.lower() or "<" in text else None
        if found is None:
            return text
        tag = found["tag"] or found["end"]
        self._tally.remark(
            "messages that begin with a model's thoughts, which are left out",
            f"<{tag}>" if tag else found[0].strip()[:7],
        )
        return _END.sub("", text[found.end() :]).strip()

    def _speaker(self, message: Fields, customers: frozenset[str]) -> str:
        if path := self._columns.message_speaker:
            return self._people.name([(path.rpartition(".")[2], at(message, path))], customers)
        named = pick(message, MESSAGE_SPEAKERS)
        role = self._people.side([*pick(message, ("messagetype",)), *named, *pick(message, ("type",))])
        return role or self._people.name([*named, *pick(message, SPEAKER_IDS)], customers)


# ------------------------------------------------------------------------------------------------- lists in a value


def messages_in(value: Any) -> list[Fields] | None:
    """The messages in a value, as objects; None if there is no list of objects or pairs in it.

    The value may be a list, or the only such list in an object, or an object of lists of equal length (as `datasets`
    has it), each also as JSON. A pair is a speaker and a text.
    """
    found = decoded(value)
    if isinstance(found, Mapping):
        return _in_object(found, DEPTH)
    if not isinstance(found, list | tuple):
        return None
    if all(isinstance(item, Mapping) for item in found):
        return _split_sides(list(found))
    if all(isinstance(item, list | tuple) and len(item) >= 2 and all(map(_is_text, item[:2])) for item in found):
        first, second = (sum(cleaning.role(item[side]) in ROLES for item in found) for side in (0, 1))
        speaker, text = (1, 0) if second > first else (0, 1)
        return [{"speaker": item[speaker], "text": item[text]} for item in found]
    return None


def _split_sides(items: list[Fields]) -> list[Fields]:
    """The messages, where each object may hold one of the customer and one of the agent."""
    keys = tuple(dict.fromkeys(key for item in items[:LOOKED_AT] for key in item))
    plain = {plain_name(key): key for key in keys}
    sides = next((pair for pair in TWO_SIDES if pair[0] in plain and pair[1] in plain), None)
    if sides is None or any(name in plain for name in MESSAGE_TEXTS):
        return items
    return [
        {"role": role, "text": item.get(plain[side])}
        for item in items
        for role, side in zip(ROLES, sides, strict=True)
        if words(item.get(plain[side]))
    ]


def names_speakers(value: Any) -> bool:
    """Whether a value with messages names speakers. Pairs may be any fields unless a first item is a role or recurs."""
    found = decoded(value)
    if isinstance(found, Mapping) or any(isinstance(item, Mapping) for item in found or ()):
        return True
    speakers = [message["speaker"] for message in messages_in(found) or []]
    return len(set(speakers)) < len(speakers) or any(cleaning.role(name) in ROLES for name in speakers)


def fit(messages: Sequence[Fields], columns: Columns) -> float:
    """How far objects look like messages, from 0 to 1: with a speaker and a text."""
    some = messages[:LOOKED_AT]
    return sum(_fit(_unwrap(message), columns) for message in some) / max(1, len(some))


def _fit(message: Fields, columns: Columns) -> float:
    keys = {plain_name(key) for key, value in message.items() if value is not None}
    strong = keys & _STRONG_SPEAKERS or _NO_ONE.side(pick(message, ("messagetype", "type")))
    speaker = 1.0 if strong else 0.5 if keys & {*WEAK_SPEAKERS, "type"} else 0.0
    text = 1.0 if keys & _STRONG_TEXTS else 0.5 if keys & {"value", *NESTED_TEXTS} else 0.0
    if columns.message_speaker:
        speaker = float(at(message, columns.message_speaker) is not None)
    if columns.message_text:
        text = float(at(message, columns.message_text) is not None)
    return speaker * text


_STRONG_SPEAKERS = frozenset((*MESSAGE_SPEAKERS, *SPEAKER_IDS)) - WEAK_SPEAKERS
_STRONG_TEXTS = frozenset(MESSAGE_TEXTS) - {"value"}
_NO_ONE = People(Speakers(Columns()))


def _in_object(found: Fields, depth: int) -> list[Fields] | None:
    lengths = {len(value) if isinstance(value, list | tuple) else -1 for value in found.values()}
    if len(lengths) == 1 and lengths.isdisjoint((-1, 0)) and _fit(dict.fromkeys(found, ""), Columns()) >= 1:
        return [dict(zip(found, item, strict=True)) for item in zip(*found.values(), strict=True)]
    best: list[Fields] | None = None
    # Of lists that look alike, the one with the name of a list of messages is taken.
    for key in sorted(found, key=lambda key: plain_name(key) not in MESSAGES):
        value = found[key]
        inner = _in_object(value, depth - 1) if isinstance(value, Mapping) and depth else None
        if isinstance(value, list | tuple):
            inner = messages_in(value)
        if inner and (best is None or fit(inner, Columns()) > fit(best, Columns())):
            best = inner
    return best


def _unwrap(message: Fields) -> Fields:
    """The message, with the keys of an object in it that has both the speaker and the text."""
    inner = next((value for _, value in pick(message, WRAPPERS) if isinstance(value, Mapping)), None)
    if inner is None or _fit(inner, Columns()) < 1:
        return message
    return {**{key: value for key, value in message.items() if value is not inner}, **inner}


def _opening(row: Fields) -> Fields | None:
    for _, value in pick(row, OPENINGS):
        if isinstance(value, Mapping) and _fit(value, Columns()) >= 1:
            return value
    return None


def _is_text(value: Any) -> bool:
    return isinstance(value, str)
