"""Which messages were not said to the customer: internal notes, drafts and events, by the marks that exports give them.

A mark is a column or a key with a value: `private = true`, `public = false`, `part_type = note`, `visibility = agents`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import chain
from typing import Any

from ...errors import UsageError, unknown
from ...text.phrases import pluralize
from .columns import Columns, plain_name
from .doubts import Doubts
from .mark_names import mark_name, set_of, words_of
from .names import MESSAGE_SPEAKERS, MESSAGE_TEXTS, SPEAKER_IDS
from .paths import at
from .speakers import NO, YES
from .tally import Tally
from .values import words

INTERNAL_FLAGS = set_of(
    """private isprivate internal isinternal internalnote isinternalnote internalcomment isinternalcomment
    privatenote isprivatenote privatecomment isnote agentonly agentsonly staffonly internalonly isinternalonly
    hidden ishidden hiddenfromcustomer whisper iswhisper draft isdraft issystem issystemmessage systemmessage
    systemgenerated isevent isactivity"""
)
"""Names of marks that are true for a message that the customer did not get."""
PUBLIC_FLAGS = set_of(
    """public ispublic jsdpublic ispublished visibletocustomer isvisibletocustomer customervisible iscustomervisible
    publicvisible visibleincustomerportal visibleinselfservice isvisibleinselfservice"""
)
"""Names of marks that are false for such a message."""
AUDIENCES = set_of("visibility audience access accesslevel sharing visibleto privacy")
"""Names of marks that say who can see a message."""
KINDS = set_of(
    """parttype messagetype messagekind messagesubtype msgtype eventtype commenttype notetype activitytype posttype
    replytype entrytype threadtype journaltype itemtype element subtype"""
)
"""Names of marks that say what a message is."""
GENERAL_KINDS = set_of("type kind event channel via")
"""The same, which may also say what the conversation is."""

_INSIDERS = set_of(
    """internal intern interne interno interna private privat privado privada
    agent agents agentsonly staff staffonly team teammates employee employees
    hidden admin admins operators restricted internalusers internalonly"""
)
_OUTSIDERS = set_of("""public everyone everybody all allusers customer customers client clients external öffentlich
    publique""")
_NOTE = set_of("note notes notiz internal intern interne whisper worknote worknotes sidenote")
_PRIVATE_NOTE = set_of("note notes comment comments reply prompt")
_NOTE_WORDS = set_of("note notes comment comments notiz kommentar nota")
_INTERNAL_WORDS = set_of("internal private intern interne interner interno interna privat privada work staff")
_WITH_INSIDERS = set_of("only users members note notes comment comments")
_EVENT = set_of("event events activity activities assignment system audit reasoning thinking")
_STATE = set_of("state status assignee assigned owner priority group team inbox attribute attributes")
_CHANGE = set_of("change changed changes update updated")
_NOT_SAID = set_of(
    """private privatenote privatecomment internalnote internalcomment agentnote staffnote draft assign assigned
    unassign unassigned reassigned open opened reopen reopened close closed closing resolve resolved snooze
    snoozed unsnoozed transfer transferred join joined leave left merge merged split tagged untagged lineitem
    lineitems log logentry typing statechange statuschange statechanged statuschanged participantadded
    participantremoved userjoined userleft agentjoined agentleft channeljoin channelleave chatstarted
    chatended chatopened chatclosed sessionstart sessionstarted sessionend sessionended conversationupdate
    endofconversation functioncall functioncalloutput toolcall toolcalls tooluse toolresult observation"""
)
"""Whole values of `KINDS` without separators."""
_SYSTEM_CHANNELS = set_of("internal system systemevent event activity whisper analysis")
"""In `analysis`, a model of the Harmony format thinks."""

Mark = tuple[str, Any, bool]
"""A mark's name, its value, and whether it says that the message is internal."""

FIX = "Keep them with --keep-internal, or name the mark of notes with --internal; in a recipe, keep_internal, internal."
DEPTH = 3
SHOWN = 24


class Marks:
    """Finds the marks of messages, and counts what is kept and left out."""

    def __init__(self, columns: Columns) -> None:
        self._keep = columns.keep_internal
        self._used = _used(columns)
        self._doubts = Doubts(self._used, INTERNAL_FLAGS | PUBLIC_FLAGS)
        self._given = [_split(entry) for entry in columns.internal or ()]
        self._absent = {path for path, _ in self._given}
        self._keys: Counter[str] = Counter()
        self._kept = 0
        self._left: Counter[str] = Counter()
        self._kinds: set[str] = set()
        self._blank: Counter[str] = Counter()

    def of_row(self, values: Mapping[str, Any], conversation: str = "") -> str | None:
        """Why a row that is a message is left out; None if it is kept."""
        return self._reason(_marks(values, GENERAL_KINDS), values, conversation)

    def of_message(self, message: Mapping[str, Any], conversation: str = "") -> str | None:
        """Why a message of a list is left out; None if it is kept."""
        return self._reason(_marks(message), message, conversation)

    def check(self, tally: Tally) -> None:
        """Tell that `--keep-internal` keeps what was left out.

        Raises `UsageError` if nothing else is left, and for a given mark that no message has.
        """
        if self._absent and self._keys:
            raise unknown("mark of internal notes", min(self._absent), [key for key, _ in self._keys.most_common(20)])
        if self._left and not self._kept:
            raise UsageError(f"every message is marked as internal: {self._most_common()}", FIX)
        if self._left:
            tally.remark("internal notes and events were left out; --keep-internal keeps them")
        for name, count in self._blank.items():
            tally.remark(f"{pluralize(count, 'message')} without a value in {name}, read as public")
        self._doubts.check(tally)
        if {"message", "comment"} <= self._kinds:
            tally.remark("messages of the type comment were kept; some desks call notes so (--internal type=comment)")

    def _reason(self, marks: Iterable[Mark], values: Mapping[str, Any], conversation: str) -> str | None:
        if self._keep:
            return None
        seen: set[str] = set()
        for name, value, internal in chain(self._given_marks(values), marks, _notes(values, self._used)):
            if internal:
                reason = f"{_label(name, value)} ({name} = {_shown(value)})"
                self._left[reason] += 1
                return reason
            if mark_name(name) in PUBLIC_FLAGS and not words(value):
                self._blank[name] += name not in seen
                seen.add(name)
            elif plain_name(name) in GENERAL_KINDS and plain_name(words(value)) in ("message", "comment"):
                self._kinds.add(plain_name(words(value)))
        self._kept += 1
        self._doubts.add(values, conversation)
        return None

    def _given_marks(self, values: Mapping[str, Any]) -> Iterator[Mark]:
        if self._absent:
            self._keys.update(values.keys())
        for path, wanted in self._given:
            value = at(values, path)
            if value is None:
                continue
            self._absent.discard(path)
            name = path.rpartition(".")[2]
            matches = bool(is_internal(name, value)) if wanted is None else words(value).casefold() == wanted.casefold()
            yield path, value, matches

    def _most_common(self) -> str:
        return ", ".join(f"{count} {reason}" for reason, count in self._left.most_common(3))


def is_internal(name: str, value: Any) -> bool | None:
    """Whether a mark says that its message is internal; None if it says nothing.

    >>> [is_internal("private", "yes"), is_internal("public", False), is_internal("type", "comment")]
    [True, True, False]
    """
    text = words(value)
    return _says_internal(mark_name(name), text) if 0 < len(text) <= 2 * SHOWN else None


@lru_cache(maxsize=4096)
def _says_internal(plain: str, text: str) -> bool | None:
    word = text.casefold()
    if word in YES or word in NO:
        if plain in PUBLIC_FLAGS:
            return word in NO
        # Elsewhere, `type = 1` is a code without a key.
        return word in YES if plain in INTERNAL_FLAGS or plain not in (AUDIENCES | KINDS | GENERAL_KINDS) else None
    tokens = words_of(text)
    if plain in INTERNAL_FLAGS | PUBLIC_FLAGS and not tokens <= _INSIDERS | _WITH_INSIDERS:
        # It is a text of its own, beside the message.
        return False
    if plain in AUDIENCES | INTERNAL_FLAGS | PUBLIC_FLAGS:
        return bool(tokens & _INSIDERS) and not tokens & _OUTSIDERS
    if tokens & _OUTSIDERS:
        return False
    if plain in ("channel", "via"):
        # The channel of a customer's own message may be `private message`.
        return bool(tokens & _PRIVATE_NOTE & _NOTE) or plain_name(word) in _SYSTEM_CHANNELS
    return bool(
        tokens & (_NOTE | _EVENT)
        or ("private" in tokens and tokens & _PRIVATE_NOTE)
        or (tokens & _STATE and tokens & _CHANGE)
        or plain_name(word) in _NOT_SAID
    )


def is_public_flag(name: str) -> bool:
    """Whether a column or key is one that is true for what the customer can see."""
    return mark_name(name) in PUBLIC_FLAGS


def mark_columns(names: Iterable[str]) -> list[str]:
    """The columns of a table of messages whose names are those of marks."""
    return [name for name in names if mark_name(name) in INTERNAL_FLAGS | PUBLIC_FLAGS | AUDIENCES | KINDS]


def general_mark_columns(names: Iterable[str]) -> list[str]:
    """The columns of a table of messages that may say what a message is, or what its conversation is."""
    return [name for name in names if plain_name(name) in GENERAL_KINDS]


def _marks(message: Mapping[str, Any], without: frozenset[str] = frozenset(), depth: int = 0) -> Iterator[Mark]:
    for key, plain in _plan(tuple(message)):
        value = message[key]
        if plain in _MARKS and plain not in without and not isinstance(value, Mapping | list | tuple):
            yield key, value, bool(is_internal(key, value))
        elif depth == DEPTH:
            continue
        elif plain in AUDIENCES and isinstance(value, Mapping) and any(map(words, value.values())):
            # Jira's `{"type": "role", "value": "Service Desk Team"}` names the only ones who see the comment.
            yield key, next(filter(None, map(words, (value.get("value"), *value.values())))), True
        elif isinstance(value, Mapping):
            # The type of a nested object is not the message's.
            for path, mark, internal in _marks(value, GENERAL_KINDS, depth + 1):
                yield f"{key}.{path}", mark, internal
        elif plain == "properties" and isinstance(value, list | tuple):
            for item in value:
                if isinstance(item, Mapping):
                    for path, mark, internal in _marks(item, GENERAL_KINDS, depth + 1):
                        yield f"{key}.{path}", mark, internal


def _notes(message: Mapping[str, Any], used: frozenset[str]) -> Iterator[Mark]:
    """Values that say `internal note` in whatever key."""
    for key, plain in _plan(tuple(message)):
        value = message[key]
        if plain not in _NO_MARKS and key not in used and isinstance(value, str) and _is_note(value.strip()):
            yield key, value, True


@lru_cache(maxsize=4096)
def _is_note(text: str) -> bool:
    said = words_of(text) if len(text) <= SHOWN else frozenset()
    return len(said) <= 3 and bool(said & _NOTE_WORDS and said & _INTERNAL_WORDS) and not said & _OUTSIDERS


def _used(columns: Columns) -> frozenset[str]:
    single = (columns.id, columns.speaker, columns.text, columns.time, columns.cluster, columns.message_speaker)
    given = (_split(entry)[0] for entry in columns.internal or ())
    return frozenset((*filter(None, single), *columns.references, *given))


_NO_MARKS = frozenset((*MESSAGE_TEXTS, *SPEAKER_IDS, "subject", "title"))
_MARKS = INTERNAL_FLAGS | PUBLIC_FLAGS | AUDIENCES | KINDS | GENERAL_KINDS
_PLACES_OF_OTHERS = frozenset(
    (*MESSAGE_SPEAKERS, "customer", "agent", "requester", "assignee", "contact", "account", "attachments")
) | frozenset(("ticket", "conversation", "case", "issue"))
"""Objects whose marks are not the message's: `author.internal` says that somebody is an employee."""


@lru_cache(maxsize=4096)
def _plan(keys: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """The keys that may hold a mark, with their plain names."""
    return tuple((key, mark_name(key)) for key in keys if plain_name(key) not in _PLACES_OF_OTHERS)


def _split(entry: str) -> tuple[str, str | None]:
    path, equals, wanted = entry.partition("=")
    return path.strip(), wanted.strip() if equals else None


def _label(name: str, value: Any) -> str:
    plain = mark_name(name.rpartition(".")[2])
    if "draft" in plain or words(value).casefold() == "draft":
        return "drafts"
    is_kind = plain in KINDS | GENERAL_KINDS
    return "events" if is_kind and not (_NOTE | {"private"}) & words_of(words(value)) else "internal notes"


def _shown(value: Any) -> str:
    return words(value).lower()[:SHOWN] or "empty"
