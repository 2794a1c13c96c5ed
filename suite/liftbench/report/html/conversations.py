"""The scored conversations as data for the page's script, which lists, filters and opens them.

The data lie in the page as inert JSON: five thousand conversations as elements would take seconds to open. What a
script cannot compute as cheaply (gains with their sign, tags, the ends of sentences) is in the data.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from heapq import nlargest, nsmallest
from itertools import accumulate
from typing import TypeVar

import msgspec
from markupsafe import Markup
from msgspec import Struct

from ...data.slicing import label_value
from ...judging.compare import CandidateResult
from ...judging.leakage import LeakKind
from ...judging.output_faults import Fault
from ...judging.slices import Slicing
from ...measuring.plan import sample_ids
from ...records.conversation import Conversation
from ...records.run import Direction, Finding
from ...runs.measured import MeasuredRun
from ...text.phrases import metric_label
from ...text.sentences import split_sentences
from .tags import Tag, find_tags

Word = TypeVar("Word")

MOST_LISTED = 5_000
"""Conversations on a page. As many, with two systems, take 13 MB; `tests/benchmarks/conversations_page.py`."""

MOST_TEXTS = 30_000
"""Texts of systems on a page: with many runs, fewer conversations are listed."""

NAMED = 1_000
"""Conversations that guards, leaks and faults name, and that are listed in any case."""

ENDS = 5
"""Conversations at either end of each candidate's gains, which are listed in any case."""

LONG = 20_000
"""Texts with more characters are shown without sentences and marks."""


class Subject(Struct, frozen=True, kw_only=True):
    """A run in its role: the baseline, a candidate, or one of several runs."""

    role: str
    name: str
    """The system's name."""
    run: MeasuredRun


def make_subject(role: str, run: MeasuredRun) -> Subject:
    """A run with its role on the page."""
    return Subject(role=role, name=run.manifest.system.name, run=run)


class Text(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One system's summary of one conversation. All places count UTF-16 units, as scripts do."""

    text: str | None
    """None where the run holds no prediction."""
    scores: list[float | None]
    """One for each metric of the listing, with six significant digits."""
    ends: list[int] = []
    """Where its sentences end."""
    marks: list[tuple[int, int, int]] = []
    """What metrics found: start, end, and the kind's number."""
    tags: list[tuple[int, int]] = []
    """What is wrong with it: a tag's number, and how often."""
    tokens: int | None = None
    """Generated tokens."""
    dropped: int = 0
    """Turns left out of the prompt."""


class Reference(Struct, frozen=True, omit_defaults=True):
    """A human summary, with the ends of its sentences."""

    text: str
    ends: list[int] = []


class Row(Struct, frozen=True, kw_only=True):
    """One conversation as the script gets it."""

    id: str
    place: int
    turns: list[tuple[int, str]]
    """The number of the speaker's role, and what was said."""
    references: list[Reference]
    metadata: list[str | None]
    """One for each field of the listing."""
    texts: list[Text]
    """One for each system."""
    gains: list[float | None]
    """One for each candidate: how much better (+) or worse (-) it is than the baseline on the headline."""


class MetricHead(Struct, frozen=True):
    """A metric as the script gets it."""

    name: str
    label: str
    direction: Direction


class SystemHead(Struct, frozen=True, kw_only=True):
    """A system as the script gets it."""

    role: str
    name: str
    run: str
    guards: list[tuple[str, str, list[int]]]
    """Guard, state, and the places of the conversations that it is about; empty for what is not judged."""
    worse: list[tuple[str, str]]
    """Field and label of each slice on which it is worse than the baseline."""


class Data(Struct, frozen=True, kw_only=True):
    """Everything that the script gets."""

    name: str
    """The list's name in the page's address."""
    prefix: str
    """Each conversation's anchor is this and its place in the data, from 1; an id may hold any character."""
    controls: bool
    """Whether the list has filters, search and sorting."""
    metrics: list[MetricHead]
    """The headline first."""
    systems: list[SystemHead]
    """The baseline first."""
    roles: list[str]
    fields: list[str]
    kinds: list[str]
    """What metrics found in texts: `unsupported number`, …"""
    tags: list[Tag]
    slicing: list[Slicing]
    rows: list[Row]


class Entry(Struct, frozen=True, kw_only=True):
    """One conversation as templates name and link it."""

    anchor: str
    place: int
    conversation: Conversation
    gains: list[float | None]
    """One for each candidate, in points of the headline."""


class Listing(Struct, frozen=True, kw_only=True):
    """A list of conversations on a page."""

    name: str
    run: str
    """The run that a reader without a script is told to look into."""
    entries: list[Entry]
    data: Markup
    """`Data` as JSON that is harmless inside of a script element."""
    total: int
    """Conversations that could be listed; `entries` holds a sample where they are too many."""
    gains: list[tuple[Conversation, list[float | None]]]
    """The gains of all of them, in the order of `entries`; empty without candidates."""


def list_conversations(
    subjects: Sequence[Subject],
    metrics: Sequence[tuple[str, Direction]],
    *,
    name: str = "conversations",
    prefix: str = "c",
    results: Sequence[CandidateResult] = (),
    slicing: Sequence[Slicing] = (),
    ids: Iterable[str] | None = None,
    controls: bool = True,
) -> Listing:
    """The conversations of runs with the same protocol, the smallest gain of the first candidate first.

    The first subject is the baseline and the first metric the headline. For a single run the worst score comes first.
    Conversations without a score come last. `results` are what a comparison found about the subjects after the first;
    `ids` restricts the list. Of more than `MOST_LISTED` conversations a sample is listed (see `_choose`).
    """
    wanted = None if ids is None else set(ids)
    numbers = _Numbers(subjects, metrics, results)
    conversations = subjects[0].run.conversations
    gains = {one.id: numbers.find_gains(one.id) for one in conversations if wanted is None or one.id in wanted}
    listed = _choose(gains, results, min(MOST_LISTED, MOST_TEXTS // len(subjects)))
    rows = [
        numbers.make_row(place, conversation, gains[conversation.id])
        for place, conversation in enumerate(conversations)
        if conversation.id in listed
    ]
    sign = -1 if metrics and metrics[0][1] == "lower" else 1
    rows.sort(key=lambda row: _rank(row, sign))
    found = [
        Entry(
            anchor=f"{prefix}{row.place + 1}",
            place=row.place,
            conversation=subjects[0].run.conversations[row.place],
            gains=row.gains,
        )
        for row in rows
    ]
    data = Data(
        name=name,
        prefix=prefix,
        controls=controls,
        metrics=[MetricHead(one, metric_label(one), direction) for one, direction in metrics],
        systems=[_head(subject, result) for subject, result in _pair(subjects, results)],
        roles=list(numbers.roles),
        fields=list(numbers.fields),
        kinds=list(numbers.kinds),
        tags=list(numbers.tags),
        slicing=list(slicing),
        rows=rows,
    )
    return Listing(
        name=name,
        run=subjects[-1].run.id,
        entries=found,
        data=write_inert(data),
        total=len(gains),
        gains=_order_gains(conversations, gains) if len(subjects) > 1 else [],
    )


def _choose(gains: Mapping[str, Sequence[float | None]], results: Sequence[CandidateResult], most: int) -> Set[str]:
    """The ids that are listed: all, or a sample by their hashes with those that the page names elsewhere."""
    if len(gains) <= most:
        return gains.keys()
    named = [id_ for result in results for guard in result.verdict.guards for id_ in guard.ids]
    named += [leak.id for result in results for leak in result.leaks]
    chosen = set(list(dict.fromkeys(id_ for id_ in named if id_ in gains))[:NAMED])
    for column in range(len(next(iter(gains.values())))):
        known = [
            (gain, place, id_) for place, (id_, row) in enumerate(gains.items()) if (gain := row[column]) is not None
        ]
        chosen |= {
            id_ for *_, id_ in (*nsmallest(ENDS, known), *nlargest(ENDS, known, key=lambda one: (one[0], -one[1])))
        }
    return chosen | sample_ids(gains, most)


def _order_gains(
    conversations: Sequence[Conversation], gains: Mapping[str, list[float | None]]
) -> list[tuple[Conversation, list[float | None]]]:
    """All gains, the smallest of the first candidate first, in the order of `_rank`."""
    found = [(one, gains[one.id]) for one in conversations if one.id in gains]
    return sorted(found, key=lambda pair: (pair[1][0] is None, pair[1][0] or 0.0))


def write_inert(data: object) -> Markup:
    """JSON in which no text can end the script element around it, begin a comment, or break a line of a script.

    >>> write_inert(["</script><!-- &amp;"])
    Markup('["\\\\u003c/script\\\\u003e\\\\u003c!-- \\\\u0026amp;"]')
    """
    text = msgspec.json.encode(data).decode()
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


class _Numbers:
    """Makes rows, and gives a number to each word that many rows share."""

    def __init__(
        self,
        subjects: Sequence[Subject],
        metrics: Sequence[tuple[str, Direction]],
        results: Sequence[CandidateResult],
    ) -> None:
        self.roles: dict[str, int] = {}
        self.kinds: dict[str, int] = {}
        self.tags: dict[Tag, int] = {}
        conversations = subjects[0].run.conversations
        self.fields = list(dict.fromkeys(field for one in conversations for field in one.metadata))
        self._subjects, self._metrics = subjects, [name for name, _ in metrics]
        self._sign = -1 if metrics and metrics[0][1] == "lower" else 1
        self._leaks: list[Mapping[str, list[LeakKind]]] = []
        self._faults: list[Mapping[str, list[Fault]]] = []
        for _, result in _pair(subjects, results):
            leaks: dict[str, list[LeakKind]] = defaultdict(list)
            faults: dict[str, list[Fault]] = defaultdict(list)
            for leak in result.leaks if result else ():
                leaks[leak.id].append(leak.kind)
            for fault, ids in result.faults.items() if result else ():
                for id_ in ids or ():
                    faults[id_].append(fault)
            self._leaks.append(leaks)
            self._faults.append(faults)

    def find_gains(self, id_: str) -> list[float | None]:
        """One for each candidate, on the headline."""
        if len(self._subjects) == 1:
            return []
        before, *after = (
            subject.run.scores.get(id_, {}).get(self._metrics[0]) if self._metrics else None
            for subject in self._subjects
        )
        return [None if before is None or value is None else _round(self._sign * (value - before)) for value in after]

    def make_row(self, place: int, conversation: Conversation, gains: list[float | None]) -> Row:
        texts = [self._make_text(number, conversation.id) for number in range(len(self._subjects))]
        return Row(
            id=conversation.id,
            place=place,
            turns=[(_number(self.roles, turn.role), turn.text) for turn in conversation.turns],
            references=[Reference(text, find_ends(text)) for text in conversation.references],
            metadata=[
                None if (value := conversation.metadata.get(field)) is None else label_value(value)
                for field in self.fields
            ],
            texts=texts,
            gains=gains,
        )

    def _make_text(self, number: int, id_: str) -> Text:
        run = self._subjects[number].run
        prediction, scores, findings = run.predictions.get(id_), run.scores.get(id_, {}), run.findings.get(id_, [])
        before = self._subjects[0].run.predictions.get(id_) if number else None
        tags = find_tags(
            prediction,
            scores,
            findings,
            headline=self._metrics[0] if self._metrics else None,
            faults=self._faults[number].get(id_, ()),
            leaks=self._leaks[number].get(id_, ()),
            before=before.text if before else None,
        )
        return Text(
            text=prediction.text if prediction else None,
            scores=[_round(scores.get(metric)) for metric in self._metrics],
            ends=find_ends(prediction.text) if prediction else [],
            marks=self._find_marks(prediction.text, findings) if prediction else [],
            tags=[(_number(self.tags, tag), count) for tag, count in tags],
            tokens=prediction.new_tokens if prediction else None,
            dropped=prediction.turns_dropped if prediction else 0,
        )

    def _find_marks(self, text: str, findings: Sequence[Finding]) -> list[tuple[int, int, int]]:
        """Start, end and kind of each finding; where findings overlap, the first one counts."""
        if len(text) > LONG:
            return []
        places, marks, at = _units(text), [], 0
        for finding in findings:
            if at <= finding.start < finding.end <= len(text):
                marks.append((places[finding.start], places[finding.end], _number(self.kinds, finding.kind)))
                at = finding.end
        return marks


def find_ends(text: str) -> list[int]:
    """Where the sentences of a text end, in UTF-16 units; nothing for a text of one sentence, and for a long one.

    >>> find_ends("It broke. 🙂 Twice."), find_ends("It broke.")
    ([9, 19], [])
    """
    sentences = split_sentences(text) if len(text) <= LONG else []
    if len(sentences) < 2:
        return []
    places, ends, at = _units(text), [], 0
    for sentence in sentences:
        at = text.index(sentence, at) + len(sentence)
        ends.append(places[at])
    return ends


def _units(text: str) -> Sequence[int]:
    """For each place between characters, as many UTF-16 units as there are before it."""
    if text.isascii():
        return range(len(text) + 1)
    return list(accumulate((1 + (character > "\uffff") for character in text), initial=0))


def _head(subject: Subject, result: CandidateResult | None) -> SystemHead:
    places = {one.id: place for place, one in enumerate(subject.run.conversations)} if result else {}
    worse = [one for one in result.slices if one.state == "worse"] if result else []
    return SystemHead(
        role=subject.role,
        name=subject.name,
        run=subject.run.id,
        guards=[
            (guard.name, guard.state, [places[id_] for id_ in guard.ids if id_ in places])
            for guard in (result.verdict.guards if result else ())
        ],
        worse=list(dict.fromkeys((one.field, one.label) for one in worse)),
    )


def _pair(
    subjects: Sequence[Subject], results: Sequence[CandidateResult]
) -> Iterable[tuple[Subject, CandidateResult | None]]:
    """Each subject with what a comparison found about it."""
    by_run = {result.run: result for result in results}
    return [(subject, by_run.get(subject.run.id)) for subject in subjects]


def _rank(row: Row, sign: int) -> tuple[bool, float, int]:
    value = row.gains[0] if row.gains else next(iter(row.texts[0].scores), None)
    if value is None:
        return True, 0.0, row.place
    return False, value if row.gains else sign * value, row.place


def _number(known: dict[Word, int], word: Word) -> int:
    return known.setdefault(word, len(known))


def _round(value: float | None) -> float | None:
    """Six significant digits: enough for any figure on the page, and no sign is lost."""
    return float(f"{value:.6g}") if value is not None and math.isfinite(value) else None
