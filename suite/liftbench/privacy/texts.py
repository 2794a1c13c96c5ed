"""The texts of a conversation that are searched for personal data, and the conversation with new texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec
import regex
from msgspec import Struct

from ..data.cleaning import role
from ..data.similarity.clusters import CLUSTER
from ..records.conversation import Conversation, FalseFact, KeyFact, Turn
from ..text.names import fold
from .cues import Setting
from .fields import field, searchable


class Text(Struct, frozen=True, kw_only=True):
    """One text of a conversation."""

    where: str
    """Where it is in the conversation (see `PersonalDetail.where`)."""
    text: str
    setting: Setting
    sort: Literal["prose", "name", "form", "id"] = "prose"
    """`name`: all of it is a person's name; `form`: a form of a fact, without sentences and mostly without capitals."""


def texts(conversation: Conversation) -> Iterator[Text]:
    """All texts of a conversation, the id last. `company` is left out because it stays, and `cluster` because it is
    always replaced as a whole."""
    company = str(conversation.metadata.get("company") or "")
    summary = Setting(
        company=frozenset(map(fold, regex.findall(r"[\p{L}\d'’-]+", company))),
        lowercase=frozenset(regex.findall(r"\b\p{Ll}+\b", " ".join(turn.text for turn in conversation.turns))),
    )
    # Exports of messengers name a speaker by the phone number.
    called = msgspec.structs.replace(summary, question="phone?")
    before = ""
    for number, turn in enumerate(conversation.turns, start=1):
        speaker = role(turn.role)
        if speaker not in ("customer", "agent"):
            yield Text(where=f"turn {number}, speaker", text=turn.role, setting=called, sort="name")
        setting = msgspec.structs.replace(summary, role=speaker, question=before)
        yield Text(where=f"turn {number}", text=turn.text, setting=setting)
        before = turn.text
    for number, text in enumerate(conversation.references, start=1):
        yield Text(where=f"reference {number}", text=text, setting=summary)
    for number, text in enumerate(conversation.extracts, start=1):
        yield Text(where=f"extract {number}", text=text, setting=summary)
    for number, fact in enumerate(conversation.facts, start=1):
        yield Text(where=f"fact {number}", text=fact.statement, setting=summary)
        for place, form in enumerate(fact.forms, start=1):
            yield Text(where=f"fact {number}, form {place}", text=form, setting=summary, sort="form")
    for number, false_fact in enumerate(conversation.false_facts, start=1):
        yield Text(where=f"false fact {number}", text=false_fact.statement, setting=summary)
    for key, value in conversation.metadata.items():
        written = None if key in ("company", CLUSTER) else searchable(key, value)
        if written is not None:
            described = field(key)
            setting = msgspec.structs.replace(summary, question=described.question)
            sort: Literal["name", "prose"] = "name" if described.is_name else "prose"
            yield Text(where=f"metadata {key}", text=written, setting=setting, sort=sort)
    yield Text(where="id", text=conversation.id, setting=summary, sort="id")


def with_texts(conversation: Conversation, new: Mapping[str, str]) -> Conversation:
    """The conversation with new texts; `new` has them by place (`Text.where`), and all others stay."""
    return msgspec.structs.replace(
        conversation,
        id=new.get("id", conversation.id),
        turns=tuple(
            Turn(role=new.get(f"turn {number}, speaker", turn.role), text=new.get(f"turn {number}", turn.text))
            for number, turn in enumerate(conversation.turns, start=1)
        ),
        references=tuple(
            new.get(f"reference {number}", text) for number, text in enumerate(conversation.references, start=1)
        ),
        extracts=tuple(
            new.get(f"extract {number}", text) for number, text in enumerate(conversation.extracts, start=1)
        ),
        facts=tuple(
            KeyFact(
                kind=fact.kind,
                statement=new.get(f"fact {number}", fact.statement),
                forms=tuple(
                    new.get(f"fact {number}, form {place}", form) for place, form in enumerate(fact.forms, start=1)
                ),
            )
            for number, fact in enumerate(conversation.facts, start=1)
        ),
        false_facts=tuple(
            FalseFact(kind=fact.kind, statement=new.get(f"false fact {number}", fact.statement))
            for number, fact in enumerate(conversation.false_facts, start=1)
        ),
        metadata={key: new.get(f"metadata {key}", value) for key, value in conversation.metadata.items()},
    )
