"""Personal data in conversations: found, and replaced by typed placeholders, without a network.

| placeholder | stands for |
|---|---|
| `<EMAIL_1>`, `<PHONE_1>` | an e-mail address, a phone number |
| `<CARD_1>`, `<IBAN_1>` | a card number or its last four digits, an account number |
| `<ADDRESS_1>` | a street with a number, a flat, a postcode |
| `<PERSON_1>` | a name, without its title: `Mrs Okafor` becomes `Mrs <PERSON_1>` |
| `<ORDER_1>` | the code of an order, booking, case, tracking, account, policy, … |
| `<CUSTOMER_…>` | the metadata field `cluster`, always, as a digest of its text |

Numbers count the values of a conversation in order of first appearance, over its turns, references, extracts, facts,
false facts and metadata, and one value has one placeholder in all of them. The digest is the same in every conversation
and on every machine, so that `bench data split` still sees whose conversations belong together; it has no secret
in it, so whoever can guess a customer's name can check the guess. The company's name (metadata `company`) stays.

What is not found: names that no cue and no gazetteer gives away, handles, numbers spelled in words, names in scripts
other than Latin. Read a sample before you publish.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec
import regex
from msgspec import Struct

from ...types import Conversation, FalseFact, KeyFact, Scalar, Turn
from ..cleaning import role
from .cues import Setting
from .identifiers import code_key, identifiers
from .names import fold
from .people import Mention, Persons, mentions
from .spans import Kind, Span, cover


class Finding(Struct, frozen=True, kw_only=True):
    """One occurrence of personal data."""

    kind: Kind
    where: str
    """`turn 1`, `reference 2`, `extract 1`, `fact 3`, `fact 3, form 1`, `false fact 1` or `metadata <key>`."""
    start: int
    """Characters from the beginning of that text."""
    end: int
    text: str
    placeholder: str
    """What `redact` puts in its place."""


class Replacement(Struct, frozen=True, kw_only=True):
    """One value that was replaced in a conversation: a row of the table that is kept apart."""

    conversation: str
    placeholder: str
    kind: Literal["EMAIL", "PHONE", "CARD", "IBAN", "ADDRESS", "PERSON", "ORDER", "CUSTOMER"]
    value: str
    """As first written."""
    count: int


class _Text(Struct, frozen=True, kw_only=True):
    where: str
    text: str
    setting: Setting
    searched: bool = True
    """False where only what was found elsewhere is looked for."""


def find(conversation: Conversation) -> list[Finding]:
    """All personal data of a conversation, in order of its texts; the customer's digest is no finding."""
    return [finding for findings in _found(conversation).values() for finding in findings]


def redact(conversation: Conversation) -> tuple[Conversation, list[Replacement]]:
    """The conversation with placeholders, and what they stand for.

    Nothing else of the text changes, and in what comes out `find` finds nothing: redacting it again changes nothing.
    """
    conversation, replacements = _without_customer(conversation)
    # What is hidden can change what is believed of the rest (a word no longer seen in lower case): until nothing is
    # found. Each round leaves less text, so there is an end.
    while found := _found(conversation):
        everything = [finding for findings in found.values() for finding in findings]
        counts = Counter(finding.placeholder for finding in everything)
        first = {finding.placeholder: finding for finding in reversed(everything)}
        replacements += [
            Replacement(
                conversation=conversation.id,
                placeholder=placeholder,
                kind=first[placeholder].kind,
                value=first[placeholder].text,
                count=count,
            )
            for placeholder, count in counts.items()
        ]
        conversation = _replaced(conversation, found)
    return conversation, replacements


# ---------------------------------------------------------------------------------------------- texts, there and back

_NAME_FIELDS = """
name names customer client caller agent advisor contact assignee author recipient
"""
_OTHER_FIELDS = """
company business brand product file plan id type tier segment status kind channel team
"""


def _texts(conversation: Conversation) -> Iterator[_Text]:
    company = str(conversation.metadata.get("company") or "")
    summary = Setting(
        company=frozenset(map(fold, regex.findall(r"[\p{L}\d'’-]+", company))),
        lowercase=frozenset(regex.findall(r"\b\p{Ll}+\b", " ".join(turn.text for turn in conversation.turns))),
    )
    before = ""
    for number, turn in enumerate(conversation.turns, start=1):
        setting = msgspec.structs.replace(summary, role=role(turn.role), question=before)
        yield _Text(where=f"turn {number}", text=turn.text, setting=setting)
        before = turn.text
    for number, text in enumerate(conversation.references, start=1):
        yield _Text(where=f"reference {number}", text=text, setting=summary)
    for number, text in enumerate(conversation.extracts, start=1):
        yield _Text(where=f"extract {number}", text=text, setting=summary)
    for number, fact in enumerate(conversation.facts, start=1):
        yield _Text(where=f"fact {number}", text=fact.statement, setting=summary)
        for place, form in enumerate(fact.forms, start=1):
            yield _Text(where=f"fact {number}, form {place}", text=form, setting=summary, searched=False)
    for number, false_fact in enumerate(conversation.false_facts, start=1):
        yield _Text(where=f"false fact {number}", text=false_fact.statement, setting=summary)
    for key, value in conversation.metadata.items():
        if key in ("company", "cluster") or value is None or isinstance(value, (bool, float)):
            continue
        words = regex.findall(r"\p{Lu}?\p{Ll}+|\p{Lu}+", key)
        field = {word.casefold() for word in words}
        personal = not field.isdisjoint(_NAME_FIELDS.split()) and field.isdisjoint(_OTHER_FIELDS.split())
        question = "name?" if personal else f"{' '.join(words)}?"
        setting = msgspec.structs.replace(summary, question=question)
        yield _Text(where=f"metadata {key}", text=str(value), setting=setting, searched=isinstance(value, str))


def _replaced(conversation: Conversation, found: dict[str, list[Finding]]) -> Conversation:
    def new(where: str, text: str) -> str:
        for finding in reversed(found.get(where, [])):
            text = f"{text[: finding.start]}{finding.placeholder}{text[finding.end :]}"
        return text

    return msgspec.structs.replace(
        conversation,
        turns=tuple(
            Turn(role=turn.role, text=new(f"turn {number}", turn.text))
            for number, turn in enumerate(conversation.turns, start=1)
        ),
        references=tuple(
            new(f"reference {number}", text) for number, text in enumerate(conversation.references, start=1)
        ),
        extracts=tuple(new(f"extract {number}", text) for number, text in enumerate(conversation.extracts, start=1)),
        facts=tuple(
            KeyFact(
                kind=fact.kind,
                statement=new(f"fact {number}", fact.statement),
                forms=tuple(
                    new(f"fact {number}, form {place}", form) for place, form in enumerate(fact.forms, start=1)
                ),
            )
            for number, fact in enumerate(conversation.facts, start=1)
        ),
        false_facts=tuple(
            FalseFact(kind=fact.kind, statement=new(f"false fact {number}", fact.statement))
            for number, fact in enumerate(conversation.false_facts, start=1)
        ),
        metadata={
            key: new(f"metadata {key}", str(value)) if f"metadata {key}" in found else value
            for key, value in conversation.metadata.items()
        },
    )


_CUSTOMER = regex.compile(r"<CUSTOMER_[0-9a-f]{16}>")


def _without_customer(conversation: Conversation) -> tuple[Conversation, list[Replacement]]:
    cluster = conversation.metadata.get("cluster")
    if cluster is None or isinstance(cluster, bool) or _CUSTOMER.fullmatch(str(cluster)):
        return conversation, []
    value = str(cluster)
    normal = " ".join(unicodedata.normalize("NFKC", value).casefold().split())
    placeholder = f"<CUSTOMER_{hashlib.sha256(normal.encode()).hexdigest()[:16]}>"
    metadata: dict[str, Scalar] = {**conversation.metadata, "cluster": placeholder}
    replacement = Replacement(
        conversation=conversation.id, placeholder=placeholder, kind="CUSTOMER", value=value, count=1
    )
    return msgspec.structs.replace(conversation, metadata=metadata), [replacement]


# ---------------------------------------------------------------------------------------------------------- finding

_PLACEHOLDER = regex.compile(
    r"<(?P<kind>EMAIL|PHONE|CARD|IBAN|ADDRESS|PERSON|ORDER)_(?P<number>\d+)>|<CUSTOMER_[0-9a-f]{16}>"
)


def _found(conversation: Conversation) -> dict[str, list[Finding]]:
    """Findings by text; texts without any are left out."""
    company = str(conversation.metadata.get("company") or "")
    texts = list(_texts(conversation))
    numbers: Counter[str] = Counter()
    named: list[tuple[_Text, str, list[Span], list[Mention]]] = []
    for text in texts:
        visible, spans, people = text.text, [], []
        placeholders = list(_PLACEHOLDER.finditer(visible))
        for match in placeholders:
            if match["kind"]:
                numbers[match["kind"]] = max(numbers[match["kind"]], int(match["number"]))
        visible = cover(visible, [match.span() for match in placeholders])
        if text.searched:
            spans = identifiers(visible, text.setting.question)
            visible = cover(visible, [(span.start, span.end) for span in spans])
            visible = cover(visible, _occurrences(visible, company))
            people = mentions(visible, text.setting)
        named.append((text, visible, spans, people))
    persons = Persons([mention for *_, people in named for mention in people])
    codes = {span.key: span.kind for _, _, spans, _ in named for span in spans if span.kind in ("ORDER", "CARD")}
    register = _Register(numbers)
    found: dict[str, list[Finding]] = {}
    for text, visible, spans, people in named:
        unnamed = cover(visible, [(mention.start, mention.end) for mention in people])
        again = _known_codes(unnamed, codes) if codes else []
        visible = cover(visible, [(span.start, span.end) for span in again])
        everything = sorted(
            [*spans, *again, *persons.spans(visible, people, text.setting.lowercase)], key=lambda span: span.start
        )
        if everything:
            found[text.where] = [
                Finding(
                    kind=span.kind,
                    where=text.where,
                    start=span.start,
                    end=span.end,
                    text=text.text[span.start : span.end],
                    placeholder=register.placeholder(span),
                )
                for span in everything
            ]
    return found


class _Register:
    """Which placeholder a value has."""

    def __init__(self, numbers: Counter[str]) -> None:
        self._numbers = numbers
        self._placeholders: dict[tuple[Kind, str], str] = {}

    def placeholder(self, span: Span) -> str:
        key = span.key
        if span.kind == "ADDRESS":
            # The street alone, with its town, and after the flat are one address.
            words = set(key.split())
            known = (known for kind, known in self._placeholders if kind == "ADDRESS")
            key = next((other for other in known if words <= set(other.split()) or words >= set(other.split())), key)
        if (span.kind, key) not in self._placeholders:
            self._numbers[span.kind] += 1
            self._placeholders[span.kind, key] = f"<{span.kind}_{self._numbers[span.kind]}>"
        return self._placeholders[span.kind, key]


def _occurrences(text: str, company: str) -> list[tuple[int, int]]:
    if not company.strip():
        return []
    return [match.span() for match in regex.finditer(rf"\b{regex.escape(company.strip())}\b", text, regex.IGNORECASE)]


_PIECE = regex.compile(r"(?<![£$€.,]|\d[.,:/])\b[^\W_]+\b(?![.,:]\d|%)")
_CODE_PIECES = 4


def _known_codes(text: str, codes: Mapping[str, Kind]) -> list[Span]:
    """Codes and last four digits where they stand without a cue, however they are spaced."""
    pieces = list(_PIECE.finditer(text))
    spans: list[Span] = []
    position = 0
    while position < len(pieces):
        step = 1
        beginning = pieces[position][0].upper()
        if not any(code.startswith(beginning) for code in codes):
            position += 1
            continue
        for length in range(min(_CODE_PIECES, len(pieces) - position), 0, -1):
            start, end = pieces[position].start(), pieces[position + length - 1].end()
            key = code_key(text[start:end])
            if key in codes and regex.fullmatch(r"[^\W_]+(?:[ /-][^\W_]+)*", text[start:end]):
                spans.append(Span(codes[key], start, end, key))
                step = length
                break
        position += step
    return spans
