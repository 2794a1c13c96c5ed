"""Personal data in conversations: found, and replaced by typed placeholders, without a network.

| placeholder | stands for |
|---|---|
| `<EMAIL_1>`, `<PHONE_1>` | an e-mail address, a phone number |
| `<CARD_1>`, `<IBAN_1>` | a card number or its last four digits, an account number |
| `<ADDRESS_1>` | a street with a number, a flat, a postcode |
| `<PERSON_1>` | a name, without its title: `Mrs Okafor` becomes `Mrs <PERSON_1>` |
| `<ORDER_1>` | the code of an order, booking, case, tracking, account, policy, … |
| `<CUSTOMER_…>` | the metadata field `cluster`, always unless blank, as a digest |
| `<ID_…>` | the conversation's id, as a digest, where something of the above is in it |

Numbers count the values of a conversation in order of first appearance, over its speakers, turns, references, extracts,
facts and their forms, false facts and metadata, and one value has one placeholder in all of them. What a metadata field
holds is understood by its name (`phone`, `card`, `order`, …), numbers too; the whole of a name field (`customer_name`)
is a person, and so is a speaker who is neither customer nor agent nor a plain word for one.

Digests are keyed (HMAC-SHA256): under one key, a customer has one in every conversation, so that `bench data split`
still sees what belongs together, and nobody without the key can check a guess. Each redaction makes a key of its own,
so customers and ids of two redactions do not match. The company's name (metadata `company`) stays.

What is not found: names that no cue and no gazetteer gives away, handles, numbers spelled in words, names in scripts
other than Latin (but in name fields), codes that an id alone has. Read a sample before you publish.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
import regex
from msgspec import Struct

from ..data.similarity.clusters import CLUSTER, cluster_of
from ..records.conversation import Conversation, Scalar
from ..text.spans import Kind, Span, cover
from .identifiers import identifiers
from .people import Mention, Persons, mentions, uncued, whole_names
from .placeholders import Register, is_digest, keyed_digest, placeholders
from .repeated import Repeated
from .texts import Text, texts, with_texts


class PersonalDetail(Struct, frozen=True, kw_only=True):
    """One occurrence of personal data."""

    kind: Kind
    where: str
    """`turn 1`, `turn 1, speaker`, `reference 2`, `extract 1`, `fact 3`, `fact 3, form 1`, `false fact 1`,
    `metadata <key>` or `id`."""
    start: int
    """Characters from the beginning of that text."""
    end: int
    text: str
    placeholder: str
    """What `redact` puts in its place; in an id, which is replaced as a whole by a digest, `<ID_…>`."""


class Replacement(Struct, frozen=True, kw_only=True):
    """One value that was replaced in a conversation: a row of the table that is kept apart."""

    conversation: str
    """Its id after redaction."""
    placeholder: str
    kind: Literal["EMAIL", "PHONE", "CARD", "IBAN", "ADDRESS", "PERSON", "ORDER", "CUSTOMER", "ID"]
    value: str
    """As first written."""
    count: int


def find(conversation: Conversation) -> list[PersonalDetail]:
    """All personal data of a conversation, in order of its texts; `cluster` is not a finding."""
    return [finding for findings in _found(conversation).values() for finding in findings]


def redact(conversation: Conversation, key: bytes) -> tuple[Conversation, list[Replacement]]:
    """The conversation with placeholders, digests made with the key, and what they stand for.

    Nothing else of the text changes, and in what comes out `find` finds nothing: redacting it again changes nothing,
    under whatever key.
    """
    conversation, replacements = _without_customer(conversation, key)
    # What is hidden can change what is believed of the rest (a word no longer seen in lower case): until nothing is
    # found. Each round leaves less text, so there is an end.
    while found := _found(conversation):
        written = {text.where: text.text for text in texts(conversation)}
        new = {where: _filled(written[where], findings) for where, findings in found.items()}
        if found.pop("id", None):
            new["id"] = keyed_digest("ID", conversation.id, key)
            replacements.append(_replacement(new["id"], "ID", conversation.id, 1))
        replacements += _replacements(found)
        conversation = with_texts(conversation, new)
    return conversation, [msgspec.structs.replace(row, conversation=conversation.id) for row in replacements]


# -------------------------------------------------------------------------------------------------------- replacing


def _without_customer(conversation: Conversation, key: bytes) -> tuple[Conversation, list[Replacement]]:
    customer = cluster_of(conversation, CLUSTER)
    if customer is None or is_digest(customer):
        return conversation, []
    placeholder = keyed_digest("CUSTOMER", customer, key)
    replacement = _replacement(placeholder, "CUSTOMER", str(conversation.metadata[CLUSTER]), 1)
    metadata: dict[str, Scalar] = {**conversation.metadata, CLUSTER: placeholder}
    return msgspec.structs.replace(conversation, metadata=metadata), [replacement]


def _filled(text: str, findings: Sequence[PersonalDetail]) -> str:
    for finding in reversed(findings):
        text = f"{text[: finding.start]}{finding.placeholder}{text[finding.end :]}"
    return text


def _replacements(found: Mapping[str, Sequence[PersonalDetail]]) -> list[Replacement]:
    everything = [finding for findings in found.values() for finding in findings]
    counts = Counter(finding.placeholder for finding in everything)
    first = {finding.placeholder: finding for finding in reversed(everything)}
    return [
        _replacement(placeholder, first[placeholder].kind, first[placeholder].text, count)
        for placeholder, count in counts.items()
    ]


def _replacement(placeholder: str, kind: Kind | Literal["CUSTOMER", "ID"], value: str, count: int) -> Replacement:
    # The id is known when everything is redacted.
    return Replacement(conversation="", placeholder=placeholder, kind=kind, value=value, count=count)


# ---------------------------------------------------------------------------------------------------------- finding

_HASH = regex.compile(r"(?i)\b(?:[0-9a-f]{16,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b")
"""An id that says nothing, though `abe8394…` begins like a name."""
_ID_KINDS = ("EMAIL", "PHONE", "IBAN", "ADDRESS")
"""What an id is searched for besides names: codes are what ids are, and one number in ten passes for a card's."""


class _Searched(Struct, frozen=True):
    """What a text has by itself."""

    text: Text
    rest: str
    """The text, as long as it was, with placeholders, what was found and the company covered; names are not."""
    spans: list[Span]
    people: list[Mention]


def _found(conversation: Conversation) -> dict[str, list[PersonalDetail]]:
    """Findings by text; texts without any are left out."""
    company = str(conversation.metadata.get("company") or "").strip()
    register = Register()
    searched = []
    for text in texts(conversation):
        register.skip(text.text)
        searched.append(_search(text, company))
    persons = Persons([mention for each in searched for mention in each.people])
    repeated = Repeated((span, each.text.text[span.start : span.end]) for each in searched for span in each.spans)
    found: dict[str, list[PersonalDetail]] = {}
    for each in searched:
        if spans := _with_repeated(each, repeated, persons):
            found[each.text.where] = [_finding(each.text, span, register) for span in spans]
    return found


def _search(text: Text, company: str) -> _Searched:
    visible = cover(text.text, placeholders(text.text))
    if text.sort == "id":
        visible = cover(visible, [match.span() for match in _HASH.finditer(visible)])
    spans = identifiers(visible, text.setting.question)
    if text.sort == "id":
        spans = [span for span in spans if span.kind in _ID_KINDS]
    visible = cover(visible, [(span.start, span.end) for span in spans])
    visible = cover(visible, _occurrences(visible, company))
    if text.sort == "name":
        return _Searched(text, visible, spans, whole_names(visible))
    if text.sort == "form":
        return _Searched(text, _capitalised(visible), spans, mentions(visible, text.setting))
    if text.sort == "id":
        visible = _capitalised(visible.translate(_SEPARATORS))
        return _Searched(text, visible, spans, list(uncued(visible, text.setting)))
    return _Searched(text, visible, spans, mentions(visible, text.setting))


def _with_repeated(each: _Searched, repeated: Repeated, persons: Persons) -> list[Span]:
    """What a text has by itself and what it shares with others, in its order."""
    unnamed = cover(each.rest, [(mention.start, mention.end) for mention in each.people])
    again = repeated.codes(unnamed)
    if each.text.sort == "form":
        again += repeated.addresses(cover(unnamed, [(span.start, span.end) for span in again]))
    rest = cover(each.rest, [(span.start, span.end) for span in again])
    # Where capitals were put in, they prove nothing, and nor does their lack elsewhere.
    lowercase = frozenset() if each.text.sort in ("form", "id") else each.text.setting.lowercase
    named = persons.spans(rest, each.people, lowercase)
    return sorted([*each.spans, *again, *named], key=lambda span: span.start)


def _finding(text: Text, span: Span, register: Register) -> PersonalDetail:
    return PersonalDetail(
        kind=span.kind,
        where=text.where,
        start=span.start,
        end=span.end,
        text=text.text[span.start : span.end],
        placeholder="<ID_…>" if text.sort == "id" else register.placeholder(span),
    )


_SEPARATORS = str.maketrans("._-", "   ")


def _capitalised(text: str) -> str:
    """Each word with a capital, as names are found by; as long as the text."""
    return regex.sub(r"\b\p{Ll}", lambda match: match[0].upper() if len(match[0].upper()) == 1 else match[0], text)


def _occurrences(text: str, company: str) -> list[tuple[int, int]]:
    if not company:
        return []
    return [match.span() for match in regex.finditer(rf"\b{regex.escape(company)}\b", text, regex.IGNORECASE)]
