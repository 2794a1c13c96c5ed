"""Finds personal data in conversations and replaces them with typed placeholders. Works without a network.

| placeholder | stands for |
|---|---|
| `<EMAIL_1>`, `<PHONE_1>` | an e-mail address, a phone number |
| `<CARD_1>`, `<IBAN_1>` | a card number or its last four digits, an account number |
| `<SSN_1>`, `<BIRTHDATE_1>` | a social security or national insurance number, a date of birth |
| `<ADDRESS_1>` | a street with a number, a flat, a postcode |
| `<PERSON_1>` | a person's name without the title: `Mrs Okafor` becomes `Mrs <PERSON_1>` |
| `<USERNAME_1>`, `<IP_1>` | a user name or handle, the address of a computer (IPv4, IPv6) |
| `<SECRET_1>` | a password, PIN, card security code or one-time code |
| `<ORDER_1>` | the code of an order, booking, case, tracking, account, policy, … |
| `<CUSTOMER_…>` | the metadata field `cluster`, unless it is blank, as a digest |
| `<ID_…>` | the conversation's id, as a digest, if it has personal data in it |

Placeholders are numbered in order of first appearance in the conversation: in speakers, turns, references, extracts,
facts and their forms, false facts and metadata. A value has the same placeholder in all of these. The name of a
metadata field (`phone`, `card`, `order`, …) says what its value is. The whole value of a name field (`customer_name`)
is a person, and so is a speaker other than `customer`, `agent` or another generic word.

Digests are keyed (HMAC-SHA256). Under one key a customer has the same digest in every conversation, so that
`bench data split` can still keep a cluster in one split, and nobody can check a guess without the key. Each redaction
uses a new key, so customers and ids of two redactions do not match. The company's name (metadata `company`) stays.

The search misses names that have no cue and are not in the gazetteer, handles without a cue, names in other scripts
than Latin (except in name fields), and codes that are only in an id; `NOT_SOUGHT` lists what it does not look for. Read
a sample before you publish.
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
from .people import Mention, Persons, mentions, names_in_label, names_without_cue
from .placeholders import Register, is_digest, keyed_digest, placeholders
from .repeated import Repeated
from .texts import Text, texts, with_texts

NOT_SOUGHT = (
    "names without a cue that are in no list of names",
    "names in other scripts than Latin",
    "handles, passwords and dates of birth without a cue",
    "passport, licence and tax numbers without a cue",
    "vehicle plates",
    "MAC addresses and serial numbers of devices",
    "places without a street or postcode",
    "ages, health, religion and other traits",
    "links to personal pages",
)
"""What may identify a person and is not looked for."""


class PersonalDetail(Struct, frozen=True, kw_only=True):
    """One occurrence of personal data."""

    kind: Kind
    where: str
    """The text that it is in: `turn 1`, `turn 1, speaker`, `reference 2`, `extract 1`, `fact 3`, `fact 3, form 1`,
    `false fact 1`, `metadata <key>` or `id`."""
    start: int
    """Index of the first character in that text."""
    end: int
    """Index after the last character."""
    text: str
    """The personal data as written."""
    placeholder: str
    """What `redact` puts in its place. `<ID_…>` in an id, which is replaced by a digest as a whole."""


class Replacement(Struct, frozen=True, kw_only=True):
    """One value that was replaced in a conversation: a row of the table that `redaction` writes."""

    conversation: str
    """Id of the conversation after redaction."""
    placeholder: str
    kind: Kind | Literal["CUSTOMER", "ID"]
    value: str
    """The value as first written."""
    count: int
    """How often it was replaced."""


def find(conversation: Conversation) -> list[PersonalDetail]:
    """All personal data of a conversation, in the order of its texts; `cluster` is not among them."""
    return [finding for findings in _find_by_text(conversation).values() for finding in findings]


def redact(conversation: Conversation, key: bytes) -> tuple[Conversation, list[Replacement]]:
    """The conversation with placeholders, and the values that they stand for; digests are made with the key.

    Everything else stays as it was. `find` finds nothing in the result, so a second redaction changes nothing, with any
    key.
    """
    conversation, replacements = _without_customer(conversation, key)
    # A replacement can make another word count as a name, because the word is no longer in lower case anywhere. So the
    # search is repeated until it finds nothing. Each round leaves less text, so the loop ends.
    while found := _find_by_text(conversation):
        written = {text.where: text.text for text in texts(conversation)}
        new = {where: _fill(written[where], findings) for where, findings in found.items()}
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


def _fill(text: str, findings: Sequence[PersonalDetail]) -> str:
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
    # `redact` fills in the id, which is known only when everything is redacted.
    return Replacement(conversation="", placeholder=placeholder, kind=kind, value=value, count=count)


# ---------------------------------------------------------------------------------------------------------- finding

_HASH = regex.compile(r"(?i)\b(?:[0-9a-f]{16,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b")
"""A hash or UUID as an id. It is not searched, because `abe8394…` begins like a name."""
_ID_KINDS = ("EMAIL", "PHONE", "IBAN", "SSN", "ADDRESS", "IP")
"""What an id is searched for besides names. It is not searched for codes, because ids are codes, nor for cards, because
one number in ten passes the check of card numbers."""


class _SearchResult(Struct, frozen=True):
    """What was found in one text, without looking at the others."""

    text: Text
    rest: str
    """The text, of unchanged length, with placeholders, spans and the company covered, but not the people."""
    spans: list[Span]
    people: list[Mention]


def _find_by_text(conversation: Conversation) -> dict[str, list[PersonalDetail]]:
    """Place of a text → its findings, in order; texts without findings are left out."""
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
        if spans := _all_spans(each, repeated, persons):
            found[each.text.where] = [_finding(each.text, span, register) for span in spans]
    return found


def _search(text: Text, company: str) -> _SearchResult:
    visible = cover(text.text, placeholders(text.text))
    if text.sort == "id":
        visible = cover(visible, [match.span() for match in _HASH.finditer(visible)])
    spans = identifiers(visible, text.setting.question, text.setting.role)
    if text.sort == "id":
        spans = [span for span in spans if span.kind in _ID_KINDS]
    visible = cover(visible, [(span.start, span.end) for span in spans])
    visible = cover(visible, _find_company(visible, company))
    if text.sort == "name":
        return _SearchResult(text, visible, spans, names_in_label(visible))
    if text.sort == "form":
        return _SearchResult(text, _capitalize(visible), spans, mentions(visible, text.setting))
    if text.sort == "id":
        visible = _capitalize(visible.translate(_SEPARATORS))
        return _SearchResult(text, visible, spans, list(names_without_cue(visible, text.setting)))
    return _SearchResult(text, visible, spans, mentions(visible, text.setting))


def _all_spans(each: _SearchResult, repeated: Repeated, persons: Persons) -> list[Span]:
    """All spans of a text, in order: its own, and those that were found in other texts of the conversation."""
    unnamed = cover(each.rest, [(mention.start, mention.end) for mention in each.people])
    again = repeated.codes(unnamed)
    if each.text.sort == "form":
        again += repeated.addresses(cover(unnamed, [(span.start, span.end) for span in again]))
    rest = cover(each.rest, [(span.start, span.end) for span in again])
    # In a form or an id, `_search` added the capitals. So it does not matter that turns have a word in lower case.
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


def _capitalize(text: str) -> str:
    """The text with a capital at the beginning of each word, for the search for names; its length does not change."""
    return regex.sub(r"\b\p{Ll}", lambda match: match[0].upper() if len(match[0].upper()) == 1 else match[0], text)


def _find_company(text: str, company: str) -> list[tuple[int, int]]:
    if not company:
        return []
    return [match.span() for match in regex.finditer(rf"\b{regex.escape(company)}\b", text, regex.IGNORECASE)]
