"""The scored conversations side by side: what each system wrote, its scores, and its gains over the baseline."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from msgspec import Struct

from ...judging.leakage import Leak, LeakKind
from ...records.conversation import Conversation
from ...records.run import Finding, Prediction
from ...runs.measured import MeasuredRun
from .. import numbers


class Subject(Struct, frozen=True, kw_only=True):
    """A run in its role: the baseline, a candidate, or one of several runs."""

    role: str
    name: str
    """The system's name."""
    run: MeasuredRun


def make_subject(role: str, run: MeasuredRun) -> Subject:
    """A run with its role on the page."""
    return Subject(role=role, name=run.manifest.system.name, run=run)


class Piece(Struct, frozen=True):
    """A part of a text, with what metrics found in it."""

    text: str
    kind: str = ""
    """`unsupported number`, …; empty where nothing was found."""


class Text(Struct, frozen=True, kw_only=True):
    """One system's summary of one conversation."""

    subject: Subject
    pieces: list[Piece] | None
    """The text, in pieces; None where the run holds no prediction."""
    facts: list[str]
    """What a reader must know about it: its length, that it was cut at the limit, …"""
    scores: list[float | None]
    """One for each metric, in the order of the page's metrics."""


class Entry(Struct, frozen=True, kw_only=True):
    """One conversation."""

    anchor: str
    """Made from its place in the data, because an id may hold any character."""
    place: int
    conversation: Conversation
    texts: list[Text]
    gains: list[float | None]
    """One for each candidate: how much better (+) or worse (-) it is than the baseline on the headline, in points."""
    leaks: list[LeakKind]
    """The leaks that concern this conversation."""


def list_entries(
    subjects: Sequence[Subject], metrics: Sequence[str], sign: int, prefix: str = "c", leaks: Sequence[Leak] = ()
) -> list[Entry]:
    """The conversations of runs with the same protocol, the smallest gain of the first candidate first.

    The first subject is the baseline and the first metric the headline; `sign` is -1 where lower is better. For a
    single run the lowest score comes first. Conversations without a score come last.
    """
    kinds: dict[str, dict[LeakKind, None]] = defaultdict(dict)
    for leak in leaks:
        kinds[leak.id][leak.kind] = None
    listed = []
    for place, conversation in enumerate(subjects[0].run.conversations):
        texts = [_text(subject, conversation.id, metrics) for subject in subjects]
        before, *after = (text.scores[0] if text.scores else None for text in texts)
        gains = [None if before is None or value is None else sign * (value - before) for value in after]
        listed.append(
            Entry(
                anchor=f"{prefix}{place + 1}",
                place=place,
                conversation=conversation,
                texts=texts,
                gains=gains,
                leaks=list(kinds[conversation.id]),
            )
        )
    return sorted(listed, key=lambda entry: _rank(entry, sign))


def _rank(entry: Entry, sign: int) -> tuple[bool, float, int]:
    value = entry.gains[0] if entry.gains else next(iter(entry.texts[0].scores), None)
    if value is None:
        return True, 0.0, entry.place
    return False, value if entry.gains else sign * value, entry.place


def _text(subject: Subject, id_: str, metrics: Sequence[str]) -> Text:
    prediction = subject.run.predictions.get(id_)
    scores = subject.run.scores.get(id_, {})
    return Text(
        subject=subject,
        pieces=_pieces(prediction.text, subject.run.findings.get(id_, [])) if prediction else None,
        facts=_facts(prediction) if prediction else ["no text recorded"],
        scores=[scores.get(metric) for metric in metrics],
    )


def _pieces(text: str, findings: Sequence[Finding]) -> list[Piece]:
    """The text in pieces, cut at its findings; where findings overlap, the first one counts."""
    pieces, at = [], 0
    for finding in findings:
        if finding.start >= at:
            pieces += [Piece(text[at : finding.start]), Piece(text[finding.start : finding.end], finding.kind)]
            at = finding.end
    return [piece for piece in (*pieces, Piece(text[at:])) if piece.text]


def _facts(prediction: Prediction) -> list[str]:
    words = len(prediction.text.split())
    facts = [f"{words} {'word' if words == 1 else 'words'}" if prediction.text.strip() else "empty"]
    if prediction.new_tokens is not None:
        facts.append(f"{numbers.format_count(prediction.new_tokens)} tokens")
    if prediction.finish_reason == "length":
        facts.append("cut at the token limit")
    if prediction.turns_dropped:
        facts.append(f"{prediction.turns_dropped} turns left out of the prompt")
    return facts
