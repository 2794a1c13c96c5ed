"""Describes a data set and finds its problems, in one pass over its files that keeps hashes and counts, not texts.

The figures are those of the cleaned conversations, because a model is given these.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from ..data.cleaning import CLEANING, clean
from ..data.folders import count_lines
from ..data.jsonl import each_in_jsonl
from ..data.similarity.clusters import CLUSTER, cluster_of
from ..data.similarity.duplicates import NearDuplicates
from ..data.similarity.fingerprints import fingerprint, ngram_hashes
from ..metrics.base import Metric
from ..privacy.personal import PersonalDetail
from ..progress import Progress
from ..records.conversation import Conversation
from ..text.languages import languages_of
from ..text.words import words, words_of
from .exports import TITLES, is_title
from .findings import DataFinding, Findings, mask
from .split_report import SplitCounts, SplitReport
from .suspicions import main_script, misread, suspicions

LANGUAGES_SAMPLED = 2000
"""The number of conversations, spread evenly over the files, whose language is detected: enough for shares within 2
percentage points."""


class Inspection(Struct, frozen=True, kw_only=True):
    """What `bench data check --json` prints."""

    folder: str
    cleaning: str
    """Name and version of the cleaning."""
    splits: tuple[SplitReport, ...]
    scripts: dict[str, int]
    """Script of most letters → conversations."""
    languages: dict[str, int]
    """ISO 639 code of the likeliest language (see `languages`) → conversations of the sample."""
    languages_sampled: int
    """Size of the sample, including conversations whose language could not be detected."""
    model: str | None
    """The model whose tokens were counted."""
    personal_data: bool
    """Whether personal data was searched for, which needs `liftbench[data]`."""
    boilerplate: int
    """Conversations with passages that many others have too (see `boilerplate`), which are not counted as likeness."""
    findings: tuple[DataFinding, ...]
    """Errors first."""

    @property
    def faulty(self) -> bool:
        """Whether a run would stop because of an error in the data."""
        return any(finding.severity == "error" for finding in self.findings)


class TokenCounter(Struct, frozen=True, kw_only=True):
    """Counts the tokens of a conversation for a model."""

    model: str
    budget: int
    """The largest number of tokens that a prompt may have."""
    context: int
    """The largest number of tokens of a prompt that leaves room for the summary; 0 if it is not known."""
    count: Callable[[Conversation], int]
    """Returns the number of tokens of the conversation's whole prompt."""


Search = Callable[[Conversation], Iterable[PersonalDetail]]


def inspect(
    folder: Path,
    files: Sequence[Path],
    metrics: Iterable[Metric],
    tokens: TokenCounter | None,
    search: Search | None,
    progress: Progress,
) -> Inspection:
    """Read every conversation of a folder's files once. Raises `UsageError` for a malformed line.

    Without `tokens`, no tokens are counted; without `search`, personal data is not searched for.
    """
    total = count_lines(files)
    inspector = _Inspector(metrics, tokens, search, every=max(1, -(-total // LANGUAGES_SAMPLED)))
    done = 0
    for path in files:
        inspector.open(path.stem)
        for conversation in each_in_jsonl(path, references_needed=False):
            inspector.add(conversation)
            done += 1
            progress(done, total, f"checking {path.name}")
    return inspector.report(str(folder))


class _Inspector:
    """Collects the conversations, one split after the other."""

    def __init__(
        self, metrics: Iterable[Metric], tokens: TokenCounter | None, search: Search | None, every: int
    ) -> None:
        # Metrics of one class (the ROUGEs) read the same scripts; most metrics read every script and are skipped.
        kinds = {type(metric).blind_to: metric for metric in metrics}
        self._metrics = [metric for blind_to, metric in kinds.items() if blind_to is not Metric.blind_to]
        self._tokens = tokens
        self._search = search
        self._every = every
        self._findings = Findings()
        self._splits: list[SplitCounts] = []
        self._duplicates = NearDuplicates()
        self._ids: list[str] = []
        self._split_of = array("H")
        self._clusters: dict[str, list[int]] = {}
        self._first_with_reference: dict[int, int] = {}
        self._titles: dict[str, list[str]] = {}
        """Split → the ids of conversations with a reference that looks like a title."""
        self._scripts: Counter[str] = Counter()
        self._languages: Counter[str] = Counter()
        self._sampled = 0
        self._sampled_references: dict[str, list[str]] = {}

    def open(self, name: str) -> None:
        """Begin a split."""
        self._splits.append(SplitCounts(name))

    def add(self, conversation: Conversation) -> None:
        """Add a conversation of the current split."""
        split = self._splits[-1]
        cleaned = clean(conversation)
        split.conversations += 1
        split.cleaned += cleaned != conversation
        number = self._duplicates.add(fingerprint(cleaned))
        self._ids.append(conversation.id)
        self._split_of.append(len(self._splits) - 1)
        self._measure(cleaned, split)
        self._judge(cleaned, split.name)
        for suspicion in misread(conversation):
            self._findings.note(suspicion, {split.name: 1}, conversation.id)
        self._compare_references(cleaned, number, split.name)
        if (cluster := cluster_of(conversation, CLUSTER)) is not None:
            self._clusters.setdefault(cluster, []).append(number)
        text = " ".join(turn.text for turn in cleaned.turns)
        self._scripts[main_script(text) or "none"] += 1
        if number % self._every == 0:
            self._sampled += 1
            self._languages.update(languages_of(text)[:1])
            if not self._is_unreadable(cleaned):
                self._sampled_references.setdefault(split.name, []).extend(cleaned.references)
        for found in self._search(conversation) if self._search else ():
            self._findings.note(f"personal data: {found.kind}", {split.name: 1}, mask(found.text))

    def report(self, folder: str) -> Inspection:
        """The result; call it after the last conversation."""
        for split in self._splits:
            if not split.conversations:
                self._findings.note("empty file", {split.name: 1}, split.name)
            elif split.references[0] == split.conversations:
                self._findings.note("no summaries", {split.name: 1}, split.name)
        for name, references in self._sampled_references.items():
            found = {metric.misreading(references) for metric in self._metrics}
            for misreading in filter(None, found):
                self._findings.note("misread references", {name: 1}, f"{name}: {misreading.words}")
        for split in self._splits:
            titles = self._titles.get(split.name, [])
            if len(titles) > TITLES * sum(n for number, n in split.references.items() if number):
                for id_ in titles:
                    self._findings.note("titles", {split.name: 1}, id_)
        self._compare_conversations()
        return Inspection(
            folder=folder,
            cleaning=CLEANING,
            splits=tuple(split.report() for split in self._splits),
            scripts=dict(self._scripts.most_common()),
            languages=dict(self._languages.most_common()),
            languages_sampled=self._sampled,
            model=self._tokens.model if self._tokens else None,
            personal_data=self._search is not None,
            boilerplate=self._duplicates.with_boilerplate,
            findings=self._findings.all(),
        )

    def _measure(self, cleaned: Conversation, split: SplitCounts) -> None:
        split.turns[len(cleaned.turns)] += 1
        split.words[len(words_of(cleaned))] += 1
        split.references[len(cleaned.references)] += 1
        split.reference_words.update(len(words(reference)) for reference in cleaned.references)
        split.roles.update(turn.role for turn in cleaned.turns)
        if self._tokens is None:
            return
        length = self._tokens.count(cleaned)
        split.tokens[length] += 1
        if length > self._tokens.budget:
            self._findings.note("over the budget", {split.name: 1}, cleaned.id)
        if 0 < self._tokens.context < length:
            self._findings.note("over the context", {split.name: 1}, cleaned.id)

    def _judge(self, cleaned: Conversation, split: str) -> None:
        if not cleaned.references:
            self._findings.note("no references", {split: 1}, cleaned.id)
        if not cleaned.turns or not all(cleaned.references):
            self._findings.note("no words", {split: 1}, cleaned.id)
            return
        for suspicion in suspicions(cleaned):
            self._findings.note(suspicion, {split: 1}, cleaned.id)
        if any(map(is_title, cleaned.references)):
            self._titles.setdefault(split, []).append(cleaned.id)
        if self._is_unreadable(cleaned):
            self._findings.note("invisible references", {split: 1}, cleaned.id)

    def _is_unreadable(self, cleaned: Conversation) -> bool:
        return any(metric.blind_to(cleaned.references) for metric in self._metrics)

    def _compare_references(self, cleaned: Conversation, number: int, split: str) -> None:
        originals = self._duplicates.originals
        for told in {tuple(words(reference)) for reference in cleaned.references} - {()}:
            content = ngram_hashes(list(told), len(told)).pop()
            first = self._first_with_reference.setdefault(content, number)
            if originals[first] != originals[number]:
                self._findings.note("shared reference", {split: 1}, f"{self._ids[first]} and {cleaned.id}")

    def _compare_conversations(self) -> None:
        """Note what is in several splits, and what is in one split twice."""
        originals = self._duplicates.originals
        exact = _repeated_values(originals)
        joined = self._duplicates.groups(self._duplicates.pairs()).all()
        near = [group for group in joined if len({originals[number] for number in group}) > 1]
        self._note_across("same id", _repeated_values(self._ids))
        self._note_across("duplicates across splits", exact)
        self._note_across("near-duplicates across splits", near)
        self._note_across("clusters across splits", self._clusters.values())
        self._note_within("duplicates", exact)
        # An exact duplicate does not count as a near-duplicate, too.
        self._note_within("near-duplicates", [[n for n in group if originals[n] == n] for group in near])

    def _note_across(self, kind: str, groups: Iterable[Sequence[int]]) -> None:
        for group in groups:
            places = [self._splits[self._split_of[number]].name for number in group]
            other = next((place for place, name in enumerate(places) if name != places[0]), None)
            if other is not None:
                example = " and ".join(f"{self._ids[group[place]]} ({places[place]})" for place in (0, other))
                self._findings.note(kind, Counter(places), example)

    def _note_within(self, kind: str, groups: Iterable[Sequence[int]]) -> None:
        for group in groups:
            by_split: dict[str, list[str]] = {}
            for number in group:
                by_split.setdefault(self._splits[self._split_of[number]].name, []).append(self._ids[number])
            for split, ids in by_split.items():
                if len(ids) > 1:
                    self._findings.note(kind, {split: len(ids) - 1}, " and ".join(ids[:2]))


def _repeated_values(values: Iterable[Any]) -> list[list[int]]:
    """The positions of each value that occurs more than once."""
    found: dict[Any, list[int]] = {}
    for number, value in enumerate(values):
        found.setdefault(value, []).append(number)
    return [numbers for numbers in found.values() if len(numbers) > 1]
