"""The findings of a data check: the wording and severity of each kind, and what to do about it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from .suspicions import LEAST_WORDS

Severity = Literal["error", "warning"]

UNSPLIT = "conversations"
"""The split of a folder that comes from `bench data import`; `bench data split` leaves out what no run can use."""

SHOWN = 3
"""The number of examples of a finding."""


class DataFinding(Struct, frozen=True, kw_only=True):
    """A problem of a data set, and what to do about it."""

    severity: Severity
    """`error`: a run would stop because of it."""
    kind: str
    count: int
    what: str
    """What was found, in the plural: `conversations without a reference`."""
    splits: dict[str, int]
    """Split → how many of them are in it."""
    examples: tuple[str, ...]
    """Ids, pairs of ids, or masked values."""
    advice: str


class Kind(Struct, frozen=True):
    """The severity and the wording of a kind of finding."""

    severity: Severity
    what: str
    advice: str


KINDS = {
    "empty file": Kind("error", "files without a conversation", "delete them, or put conversations into them"),
    "no summaries": Kind(
        "error",
        "files in which no conversation has a reference",
        "a run needs human summaries: check that bench data import maps their column, or write some",
    ),
    "no references": Kind(
        "error",
        "conversations without a reference",
        "write summaries of them, or leave them out (bench data split does)",
    ),
    "no words": Kind(
        "error",
        "conversations that have no words left after cleaning, or whose reference has none",
        "leave them out (bench data split does)",
    ),
    "invisible references": Kind(
        "error",
        "conversations with references that a metric of the recipe cannot read",
        "choose metrics that can read them (metrics.names in the recipe), or leave them out",
    ),
    "misread references": Kind(
        "warning",
        "files with references that a metric of the recipe misreads",
        "choose headlines that read every letter, such as chrf (metrics.names and metrics.headlines in the recipe)",
    ),
    "same id": Kind(
        "warning",
        "conversations with the id of one in another split",
        "training compares words, not ids, and keeps them; bench data split needs an id of its own for each",
    ),
    "duplicates across splits": Kind(
        "warning",
        "conversations with an exact duplicate in another split",
        "put all into one folder and split it with bench data split, which keeps duplicates together",
    ),
    "near-duplicates across splits": Kind(
        "warning",
        "conversations with a near-duplicate in another split",
        "put all into one folder and split it with bench data split, which keeps near-duplicates together",
    ),
    "clusters across splits": Kind(
        "warning",
        "conversations of a cluster (a customer) that another split has too",
        "put all into one folder and split it with bench data split, which keeps a cluster together",
    ),
    "duplicates": Kind(
        "warning",
        "conversations that repeat another one of their split",
        "keep one of each, because they count twice in every figure (bench data split does where references are equal)",
    ),
    "near-duplicates": Kind(
        "warning",
        "conversations that nearly repeat another one of their split",
        "read some of them, and remove those that are not worth measuring twice",
    ),
    "placeholder reference": Kind(
        "warning", "references that are placeholders (n/a, test, todo)", "write summaries, or leave them out"
    ),
    "short reference": Kind(
        "warning", f"references of fewer than {LEAST_WORDS} words", "check that they are summaries"
    ),
    "long reference": Kind("warning", "references longer than the conversation", "check that they are summaries of it"),
    "copied reference": Kind(
        "warning", "references that repeat a turn word by word", "check that the column of summaries was mapped"
    ),
    "contained reference": Kind(
        "warning",
        "references that a turn contains, word by word or nearly: whoever reads the turn reads the summary",
        "leave the turn out; often it is an internal note that bench data import was not told of",
    ),
    "titles": Kind(
        "warning",
        "these references look like titles (few words, no sentence), and most of their file do",
        "check that the column holds summaries of the conversation, not the subject of a ticket",
    ),
    "training row": Kind(
        "warning",
        "conversations that look like rows for fine-tuning: the first turn holds a transcript, the next its summary",
        "make the transcript and the summary columns of their own, and name them: bench data import FILE --transcript "
        "COLUMN --reference COLUMN",
    ),
    "quoted history": Kind(
        "warning",
        "conversations with turns that quote earlier messages (On … wrote:, >, -----Original Message-----)",
        "cut the quotations before the import: they repeat what was said, and give it to another speaker",
    ),
    "broken characters": Kind(
        "warning",
        "conversations with characters that were decoded wrongly (Ã¼ for ü, â€™ for an apostrophe, \ufffd)",
        "export again as UTF-8, or import with the file's own encoding",
    ),
    "shared reference": Kind(
        "warning",
        "references that another conversation has too",
        "check that they are not mixed up and not canned text",
    ),
    "reference in another script": Kind(
        "warning", "references in another script than the conversation", "check that they are not mixed up"
    ),
    "one turn": Kind("warning", "conversations of one turn", "check that the import lost no turns"),
    "one speaker": Kind("warning", "conversations of one speaker", "check that the import distinguishes the speakers"),
    "other speakers": Kind(
        "warning",
        "conversations with speakers other than customer and agent",
        "name them customer or agent, or leave them: the prompt shows them by their own names",
    ),
    "over the budget": Kind(
        "warning",
        "conversations too long for the prompt's budget",
        "they lose turns from their middle; raise generation.max_input_tokens as far as the model's context allows",
    ),
    "over the context": Kind(
        "warning",
        "conversations too long for the model's context",
        "they lose turns whatever the budget is; a model with a longer context reads them whole",
    ),
    **{
        f"personal data: {kind}": Kind("warning", named, "bench data check --redact replaces them in a copy")
        for kind, named in {
            "EMAIL": "e-mail addresses",
            "PHONE": "phone numbers",
            "CARD": "card numbers",
            "IBAN": "account numbers",
            "SSN": "social security numbers",
            "BIRTHDATE": "dates of birth",
            "ADDRESS": "postal addresses",
            "IP": "addresses of computers",
            "PERSON": "names of people",
            "USERNAME": "user names and handles",
            "SECRET": "passwords, PINs and security codes",
            "ORDER": "codes of orders, bookings or cases",
        }.items()
    },
}
"""Every kind, the most serious first."""

_SORTED_OUT = {"no references", "no words"}
"""Kinds of conversations that `bench data split` leaves out."""


def mask(value: str) -> str:
    """Hide personal data, except the first character of each word and the end of an e-mail address.

    >>> mask("jane.doe@example.com"), mask("+44 20 7946 0958")
    ('j***@e***.com', '4*** 2*** 7*** 0***')
    """
    if email := re.fullmatch(r"(.)[^@]*@(.)[^@]*(\.\w+)", value):
        return f"{email[1]}***@{email[2]}***{email[3]}"
    return " ".join(f"{word[0]}***" for word in re.findall(r"\w+", value))


class Findings:
    """Counts findings of each kind, and keeps the first examples."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
        self._examples: dict[str, list[str]] = {kind: [] for kind in KINDS}

    def note(self, kind: str, counts: Mapping[str, int], example: str) -> None:
        """Add findings of a kind: split → how many more, and one example."""
        self._counts[kind].update(counts)
        if len(self._examples[kind]) < SHOWN and example not in self._examples[kind]:
            self._examples[kind].append(example)

    def all(self) -> tuple[DataFinding, ...]:
        """All findings, the most serious first."""
        found = [
            DataFinding(
                severity=_severity(kind, counts),
                kind=kind,
                count=counts.total(),
                what=KINDS[kind].what,
                splits=dict(counts),
                examples=tuple(self._examples[kind]),
                advice=KINDS[kind].advice,
            )
            for kind, counts in self._counts.items()
            if counts
        ]
        return tuple(sorted(found, key=lambda finding: finding.severity))


def _severity(kind: str, counts: Counter[str]) -> Severity:
    # Such a conversation stops every run that reads its split, but `bench data split` leaves it out.
    return "warning" if kind in _SORTED_OUT and set(counts) == {UNSPLIT} else KINDS[kind].severity
