"""Splits conversations into train, validation and test without leaks from one to another.

Conversations of one customer (the `cluster` in their metadata), exact duplicates and near-duplicates form groups.
Groups that have a conversation in common are joined, and each group goes to one split as a whole. Two passes over the
files keep no texts in memory.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec
from msgspec import Struct

from ..data.cleaning import clean
from ..data.folders import count_lines
from ..data.jsonl import each_in_jsonl
from ..data.similarity.clusters import CLUSTER, cluster_of
from ..data.similarity.duplicates import NearDuplicates, NearPair
from ..data.similarity.fingerprints import conversation_sha256, fingerprint
from ..errors import RunFailed, UsageError, unknown
from ..files import digest
from ..privacy.placeholders import has_numbered
from ..progress import Progress
from ..records.conversation import Conversation
from .allotment import allot, check_fractions

SHOWN = 3
"""The number of ids or clusters given as examples."""

NO_REFERENCES = "without references"
NO_WORDS = "without words after cleaning"
REPEATED = "repeated, references and all"
"""The reasons why a conversation is left out."""

_LEFT_OUT = -1


class SplitShare(Struct, frozen=True, kw_only=True):
    """One of the new splits, and its share of the conversations."""

    name: str
    wanted: float
    """The requested share of the conversations, in (0, 1]."""
    share: float
    """The actual share."""
    conversations: int
    references: int
    clusters: int
    """Different values of the cluster field."""
    groups: int


class LargestGroup(Struct, frozen=True, kw_only=True):
    """The largest group, which restricts the sizes of the splits most."""

    conversations: int
    part: str
    """The split that it is in."""
    clusters: tuple[str, ...]
    """Some of its clusters, as they are compared; empty if it consists only of duplicates."""
    ids: tuple[str, ...]
    """Some of its conversations."""


class Partition(Struct, frozen=True, kw_only=True):
    """The result of splitting a folder."""

    conversations: int
    """All that were read: those of the splits and those left out."""
    parts: tuple[SplitShare, ...]
    """The new splits."""
    left_out: dict[str, int]
    """Reason → conversations."""
    repeated: tuple[str, ...]
    """Some ids of conversations left out because the same conversation with the same references is kept."""
    field: str
    """The metadata field whose values are clusters."""
    clusters: int
    exact: int
    """Conversations kept although an earlier one has the same words, because their references differ."""
    near: int
    """Pairs of near-duplicates that were kept together."""
    boilerplate: int
    """Conversations with passages that many others have too (see `boilerplate`), which are not counted as likeness."""
    largest: LargestGroup
    miss: float
    """The largest difference between a split's actual and requested share."""


class Plan(Struct, frozen=True, kw_only=True):
    """A partition, and the split of each conversation."""

    partition: Partition
    places: array[int]
    """For each conversation in reading order, the number of its split, or -1 if it is left out."""


def plan_partition(
    files: Sequence[Path], fractions: Mapping[str, float], progress: Progress, *, cluster: str = CLUSTER, seed: int = 0
) -> Plan:
    """Decide which split each conversation goes to; the same conversations and seed give the same splits.

    Raises `UsageError` for a malformed line, an id in two files, a cluster field that no conversation has or that was
    redacted, fractions that do not add up to 1, and fewer groups than splits.
    """
    wanted = check_fractions(fractions)
    rows = _Rows(cluster)
    total = count_lines(files)
    for number, conversation in enumerate(each_in_files(files), start=1):
        rows.add(conversation)
        progress(number, total, "comparing")
    return rows.plan(wanted, seed)


def write_partition(plan: Plan, files: Sequence[Path], folder: Path, progress: Progress) -> None:
    """Write `<split>.jsonl` for each split, in the order of the source. Raises `RunFailed` if the source changed."""
    names = [split.name for split in plan.partition.parts]
    done = -1
    with ExitStack() as stack:
        outs = [stack.enter_context((folder / f"{name}.jsonl").open("wb")) for name in names]
        for done, conversation in enumerate(each_in_files(files)):
            if done >= len(plan.places):
                break
            if plan.places[done] != _LEFT_OUT:
                outs[plan.places[done]].write(msgspec.json.encode(conversation) + b"\n")
            progress(done + 1, len(plan.places), "writing")
    if done + 1 != len(plan.places):
        raise RunFailed(f"{files[0].parent} changed while it was read", "Run the command again.")


def each_in_files(files: Sequence[Path]) -> Iterator[Conversation]:
    """The conversations of several files, one at a time. Raises `UsageError` for an id that is in two files."""
    places: dict[str, Path] = {}
    for path in files:
        for conversation in each_in_jsonl(path, references_needed=False):
            if conversation.id in places:
                raise UsageError(
                    f"{path}: id {conversation.id!r} is in {places[conversation.id].name} too",
                    "Give each conversation of the folder its own id.",
                )
            places[conversation.id] = path
            yield conversation


class _Rows:
    """Ids, hashes and counts of the conversations read. A row is a conversation that is not left out."""

    def __init__(self, field: str) -> None:
        self._field = field
        self._known_fields: set[str] = set()
        self._duplicates = NearDuplicates()
        self._contents: set[bytes] = set()
        self._cluster_numbers: dict[str, int] = {}
        self._ids: list[str] = []
        self._references = array("q")
        self._clusters = array("q")
        """Row → number of its cluster, -1 for none."""
        self._places = array("q")
        """Conversation read → its row, or `_LEFT_OUT`."""
        self._left_out = dict.fromkeys((NO_REFERENCES, NO_WORDS, REPEATED), 0)
        self._repeated: list[str] = []

    def add(self, conversation: Conversation) -> None:
        """Add a conversation, or count why it is left out."""
        self._known_fields.update(conversation.metadata)
        cleaned = clean(conversation)
        reason = _unusable(cleaned)
        if reason is None:
            content = bytes.fromhex(digest(conversation_sha256(cleaned), sorted(cleaned.references)))
            if content in self._contents:
                reason = REPEATED
                self._repeated.append(conversation.id)
            self._contents.add(content)
        if reason is not None:
            self._left_out[reason] += 1
            self._places.append(_LEFT_OUT)
            return
        self._places.append(self._duplicates.add(fingerprint(cleaned)))
        self._ids.append(conversation.id)
        self._references.append(len(cleaned.references))
        name = self._cluster(conversation)
        self._clusters.append(self._cluster_numbers.setdefault(name, len(self._cluster_numbers)) if name else -1)

    def _cluster(self, conversation: Conversation) -> str | None:
        name = cluster_of(conversation, self._field)
        if name and has_numbered(name):
            raise UsageError(
                f"conversation {conversation.id!r}: metadata field {self._field!r} was redacted, so its value "
                f"{conversation.metadata[self._field]!r} means somebody else in every conversation",
                "Split before redacting, or import with --cluster naming the field: redaction keeps clusters apart.",
            )
        return name

    def plan(self, wanted: Mapping[str, float], seed: int) -> Plan:
        """Assign every row to a split; call it after the last conversation."""
        pairs = self._duplicates.pairs()
        groups = self._groups(pairs, seed)
        if len(groups) < len(wanted):
            few = "1 group" if len(groups) == 1 else f"{len(groups)} groups"
            raise UsageError(
                f"{few} of conversations (of one {self._field}, or duplicates) {'is' if len(groups) == 1 else 'are'} "
                f"too few to split into {', '.join(wanted)}, because groups stay whole "
                f"(usable conversations: {len(self._ids)})"
            )
        splits = allot([len(group) for group in groups], list(wanted.values()))
        split_of = array("q", bytes(8 * len(self._ids)))
        for group, split in zip(groups, splits, strict=True):
            for row in group:
                split_of[row] = split
        described = tuple(
            self._describe(name, fraction, split, split_of, splits.count(split))
            for split, (name, fraction) in enumerate(wanted.items())
        )
        names = {number: name for name, number in self._cluster_numbers.items()}
        largest = groups[0]
        clusters = sorted({names[self._clusters[row]] for row in largest if self._clusters[row] >= 0})
        partition = Partition(
            conversations=len(self._places),
            parts=described,
            left_out={reason: count for reason, count in self._left_out.items() if count},
            repeated=tuple(self._repeated[:SHOWN]),
            field=self._field,
            clusters=len(self._cluster_numbers),
            exact=sum(original != row for row, original in enumerate(self._duplicates.originals)),
            near=len(pairs),
            boilerplate=self._duplicates.with_boilerplate,
            largest=LargestGroup(
                conversations=len(largest),
                part=described[splits[0]].name,
                clusters=tuple(clusters[:SHOWN]),
                ids=tuple(self._ids[row] for row in largest[:SHOWN]),
            ),
            miss=max(abs(split.share - split.wanted) for split in described),
        )
        places = array("q", (_LEFT_OUT if row == _LEFT_OUT else split_of[row] for row in self._places))
        return Plan(partition=partition, places=places)

    def _groups(self, pairs: Sequence[NearPair], seed: int) -> list[list[int]]:
        """Groups of rows, the largest first; the seed decides the order of equally large ones."""
        if self._field != CLUSTER and not self._cluster_numbers:
            raise unknown("metadata field", self._field, self._known_fields)
        groups = self._duplicates.groups(pairs)
        first_of: dict[int, int] = {}
        for row, cluster in enumerate(self._clusters):
            if cluster >= 0:
                groups.join(first_of.setdefault(cluster, row), row)

        def rank(group: list[int]) -> tuple[int, bytes]:
            # The smallest id, so that the order of the source does not matter.
            name = min(self._ids[row] for row in group)
            return -len(group), hashlib.blake2b(f"{seed} {name}".encode(), digest_size=16).digest()

        return sorted(groups.all(), key=rank)

    def _describe(self, name: str, wanted: float, split: int, split_of: Sequence[int], groups: int) -> SplitShare:
        rows = [row for row, other in enumerate(split_of) if other == split]
        return SplitShare(
            name=name,
            wanted=wanted,
            share=len(rows) / len(self._ids),
            conversations=len(rows),
            references=sum(self._references[row] for row in rows),
            clusters=len({self._clusters[row] for row in rows} - {-1}),
            groups=groups,
        )


def _unusable(cleaned: Conversation) -> str | None:
    if not cleaned.references:
        return NO_REFERENCES
    if not cleaned.turns or not all(cleaned.references):
        return NO_WORDS
    return None
