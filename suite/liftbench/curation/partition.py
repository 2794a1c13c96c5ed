"""Parting conversations into train, validation and test so that nothing leaks from one to another.

Conversations of one customer (the `cluster` in their metadata), exact duplicates and near-duplicates form groups, which
are joined where they touch; a group goes to one part whole. Two passes over the files, no texts in memory.
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

LARGEST_SHARE = 0.25
"""A group that makes up more of its part than this goes where most room is left, as a rule into `train`: a test split
that is mostly one customer would measure that customer."""

SHOWN = 3
"""Ids and clusters given as examples."""

NO_REFERENCES = "without references"
NO_WORDS = "without words after cleaning"
REPEATED = "repeated, references and all"
"""Why a conversation is left out."""

_LEFT_OUT = -1


class Part(Struct, frozen=True, kw_only=True):
    """One of the splits that come out."""

    name: str
    wanted: float
    """The share of the conversations that was asked for, in (0, 1]."""
    share: float
    """The share that it got."""
    conversations: int
    references: int
    clusters: int
    """Different values of the cluster field."""
    groups: int


class LargestGroup(Struct, frozen=True, kw_only=True):
    """The group that leaves the least freedom."""

    conversations: int
    part: str
    clusters: tuple[str, ...]
    """Some of the clusters in it, as they are compared; none where it holds duplicates alone."""
    ids: tuple[str, ...]
    """Some of the conversations in it."""


class Partition(Struct, frozen=True, kw_only=True):
    """What came of parting a folder. `conversations` = those of the parts + those of `left_out`."""

    conversations: int
    """Read."""
    parts: tuple[Part, ...]
    left_out: dict[str, int]
    """Reason → conversations."""
    repeated: tuple[str, ...]
    """Some ids of those left out because the same conversation with the same references is kept."""
    field: str
    """The metadata field whose values are clusters."""
    clusters: int
    exact: int
    """Conversations kept that have the words of an earlier one, but other references."""
    near: int
    """Pairs of near-duplicates that were kept together."""
    largest: LargestGroup
    miss: float
    """The largest distance between a part's share and what was wanted."""


class Plan(Struct, frozen=True, kw_only=True):
    """A partition, and where each conversation goes."""

    partition: Partition
    places: array[int]
    """A number for each conversation in reading order: its part, or -1."""


def plan_partition(
    files: Sequence[Path], fractions: Mapping[str, float], progress: Progress, *, cluster: str = CLUSTER, seed: int = 0
) -> Plan:
    """Decide where each conversation of some files goes; the same conversations and seed give the same parts.

    Raises `UsageError` for a malformed line, an id in two files, a cluster field that no conversation has or that was
    redacted, fractions that do not add up to 1, and fewer groups than parts.
    """
    wanted = _check_fractions(fractions)
    rows = _Rows(cluster)
    total = count_lines(files)
    for number, conversation in enumerate(each_in_files(files), start=1):
        rows.add(conversation)
        progress(number, total, "comparing")
    return rows.plan(wanted, seed)


def write_partition(plan: Plan, files: Sequence[Path], folder: Path, progress: Progress) -> None:
    """Write `<part>.jsonl` for each part, in the order of the source. Raises `RunFailed` if the source has changed."""
    names = [part.name for part in plan.partition.parts]
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
    """Conversations of several files, one after the other. Raises `UsageError` for an id that two files have."""
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


def allot(sizes: Sequence[int], fractions: Sequence[float]) -> list[int]:
    """The part for each group: `sizes` falling, `fractions` adding up to 1, at least as many groups as parts.

    A group goes to the part that is furthest from full, measured by its own size, among those that it fits into
    without dominating them; where there is none, to the one with most room. No part stays empty.
    """
    total = sum(sizes)
    room = [fraction * total for fraction in fractions]
    parts = range(len(fractions))
    chosen: list[int] = []
    for size in sizes:
        fitting = [part for part in parts if size <= min(room[part], max(1, LARGEST_SHARE * fractions[part] * total))]
        if fitting:
            part = max(fitting, key=lambda part: (room[part] / fractions[part], fractions[part]))
        else:
            part = max(parts, key=lambda part: room[part])
        room[part] -= size
        chosen.append(part)
    for empty in (part for part in parts if part not in chosen):
        # The last group of a part is its smallest.
        richest = max(parts, key=chosen.count)
        chosen[len(chosen) - 1 - chosen[::-1].index(richest)] = empty
    return chosen


def _check_fractions(fractions: Mapping[str, float]) -> dict[str, float]:
    given = " + ".join(f"{fraction:g}" for fraction in fractions.values())
    if not all(0 <= fraction <= 1 for fraction in fractions.values()) or abs(sum(fractions.values()) - 1) > 1e-6:
        raise UsageError(
            f"the fractions of {', '.join(fractions)} must add up to 1, each from 0 to 1; they are {given}"
        )
    return {name: fraction for name, fraction in fractions.items() if fraction > 0}


class _Rows:
    """What is kept of the conversations read: ids, hashes and counts. A row is one that could go to a part."""

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
        """Take a conversation in, or count why it is left out."""
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
        """Where everything goes, now that everything is known."""
        pairs = self._duplicates.pairs()
        groups = self._groups(pairs, seed)
        if len(groups) < len(wanted):
            raise UsageError(
                f"{len(groups)} groups of conversations (of one {self._field}, or duplicates) are too few to split "
                f"into {', '.join(wanted)}: groups stay whole (usable conversations: {len(self._ids)})"
            )
        parts = allot([len(group) for group in groups], list(wanted.values()))
        part_of = array("q", bytes(8 * len(self._ids)))
        for group, part in zip(groups, parts, strict=True):
            for row in group:
                part_of[row] = part
        described = tuple(
            self._part(name, fraction, part, part_of, parts.count(part))
            for part, (name, fraction) in enumerate(wanted.items())
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
            largest=LargestGroup(
                conversations=len(largest),
                part=described[parts[0]].name,
                clusters=tuple(clusters[:SHOWN]),
                ids=tuple(self._ids[row] for row in largest[:SHOWN]),
            ),
            miss=max(abs(part.share - part.wanted) for part in described),
        )
        places = array("q", (_LEFT_OUT if row == _LEFT_OUT else part_of[row] for row in self._places))
        return Plan(partition=partition, places=places)

    def _groups(self, pairs: Sequence[NearPair], seed: int) -> list[list[int]]:
        """Rows in groups, the largest first, equally large ones in an order that the seed alone decides."""
        if self._field != CLUSTER and not self._cluster_numbers:
            raise unknown("metadata field", self._field, self._known_fields)
        groups = self._duplicates.groups(pairs)
        first_of: dict[int, int] = {}
        for row, cluster in enumerate(self._clusters):
            if cluster >= 0:
                groups.join(first_of.setdefault(cluster, row), row)

        def rank(group: list[int]) -> tuple[int, bytes]:
            # By id, so that the order of the source does not matter.
            name = min(self._ids[row] for row in group)
            return -len(group), hashlib.blake2b(f"{seed} {name}".encode(), digest_size=16).digest()

        return sorted(groups.all(), key=rank)

    def _part(self, name: str, wanted: float, part: int, part_of: Sequence[int], groups: int) -> Part:
        rows = [row for row, other in enumerate(part_of) if other == part]
        return Part(
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
