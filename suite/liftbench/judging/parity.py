"""Parity: how far what two runs of one system wrote is apart, where two backends generated them.

Tokens are not stored, and a server's are not known, so places in a text are counted in characters and words.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, takewhile
from statistics import fmean
from typing import Literal

import numpy as np
from msgspec import Struct

from ..data.similarity.scored import ScoredSplit
from ..errors import UsageError
from ..metrics.rouge import f1
from ..runs.differences import Difference, protocol_differences, system_differences
from ..runs.directory import Run
from ..runs.selection import protocol_of
from ..runs.sums import SUMMED, require_unchanged
from ..statistics.bootstrap import Bootstrap
from ..statistics.resampling import too_few, units_of
from ..text.phrases import join_words

BINS = (1, 2, 6, 11, 21, 41)
"""The first word of each class of places where two texts part; the last class has no end."""

ONE_SYSTEM = ("model", "model settings", "adapter", "prompt")
"""What has to be equal where both runs know it: two systems have no parity."""

Outcome = Literal["equal", "alike", "different", "too few"]


class Places(Struct, frozen=True, kw_only=True):
    """Where texts part: the number of the first character or word that differs, from 1."""

    least: int
    quarter: int
    median: int
    three_quarters: int
    most: int


class Bin(Struct, frozen=True, kw_only=True):
    """How many pairs of texts part between two words."""

    first: int
    last: int | None
    """None for the class without an end."""
    pairs: int


class Partings(Struct, frozen=True, kw_only=True):
    """Where those texts part that are not equal."""

    characters: Places
    words: Places | None
    """None where texts differ in white space only."""
    bins: list[Bin]
    """By the first word that differs."""
    beginnings: int
    """Pairs one of which is the beginning of the other: they ended at different places."""
    spaces: int
    """Pairs that differ in white space only."""


class Figure(Struct, frozen=True, kw_only=True):
    """A mean over conversations with the bounds of its 95% interval, which are None for too few conversations."""

    mean: float | None
    low: float | None
    high: float | None


class HeadlineParity(Struct, frozen=True, kw_only=True):
    """A headline in both runs, over the same conversations."""

    metric: str
    means: tuple[float, float] | None = None
    difference: float | None = None
    """The second run's mean minus the first one's."""
    low: float | None = None
    high: float | None = None
    """Bounds of its paired bootstrap interval at `Parity.level`; None for too few conversations."""
    p: float | None = None
    """P-value of a paired randomization test."""
    problem: str = ""
    """Why there is no difference."""

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 is outside of the interval."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


class Parity(Struct, frozen=True, kw_only=True):
    """What two runs of one system have in common. The second run is compared with the first."""

    runs: tuple[str, str]
    names: tuple[str, str]
    """Names of the systems."""
    backends: tuple[str, str]
    """What generated the texts."""
    outcome: Outcome
    """`equal`: all texts are; `alike`: no headline's interval excludes 0; `different`: one does; `too few`:
    conversations for an interval."""
    n: int
    """Conversations."""
    equal: int
    """Equal texts."""
    share: Figure
    """The share of equal texts, with its interval."""
    unseen: float | None
    """Where all texts are equal: the largest share of different texts among other conversations that would still leave
    none here in 5 of 100 cases, 1 - 0.05 ** (1 / units)."""
    partings: Partings | None
    """None where all texts are equal."""
    rouge_l: Figure
    """ROUGE-L between the two texts of a conversation, 1 where they are equal."""
    rouge_l_apart: float | None
    """The same, over the texts that are not equal."""
    words: tuple[float, float]
    """Mean number of words."""
    cut: tuple[int, int]
    """Texts that were cut at the token limit."""
    headlines: list[HeadlineParity]
    level: float
    """Level of the headlines' intervals: 95% for all together (Bonferroni)."""
    differences: list[Difference]
    """How the two systems and machines differ."""
    unknown: list[str]
    """What a server or a file of texts does not say, so that the two may not be one system."""


def measure_parity(first: Run, second: Run) -> Parity:
    """Compare what two complete runs wrote of the same conversations.

    Raises `UsageError` where they are one run, were measured on other conversations or with other budgets, are two
    systems, or were changed since.
    """
    if first.id == second.id:
        raise UsageError(f"{first.id} is one run, which equals itself", "Name two runs of one system.")
    _require_measured_alike(first, second)
    unknown = [why for run in (first, second) if (why := _unknown(run))]
    differences = system_differences(first, second)
    if not unknown:
        _require_one_system(first, second, differences)
    conversations = first.conversations
    ids = [one.id for one in conversations]
    texts = [[run.predictions[id_].text for id_ in ids] for run in (first, second)]
    pairs = list(zip(*texts, strict=True))
    apart = [(one, other) for one, other in pairs if one != other]
    clusters = ScoredSplit(conversations).clusters
    bootstrap = Bootstrap(seed=first.manifest.seed, clusters=clusters)
    alike = [1.0 if one == other else f1("rougeL", one, other) for one, other in pairs]
    equal = [float(one == other) for one, other in pairs]
    share, rouge_l = (Figure(**found._asdict()) for found in bootstrap.means([equal, alike], ids))
    names = list(dict.fromkeys([*first.manifest.headlines, *second.manifest.headlines]))
    together = Bootstrap(seed=bootstrap.seed, clusters=clusters, comparisons=len(names))
    headlines = [_headline(name, first, second, ids, together) for name in names]
    units = units_of(len(ids), bootstrap.labels(ids))
    return Parity(
        runs=(first.id, second.id),
        names=(first.manifest.system.name, second.manifest.system.name),
        backends=_backends(first, second),
        outcome=_outcome(len(apart), headlines, few=bool(too_few(units))),
        n=len(pairs),
        equal=len(pairs) - len(apart),
        share=share,
        unseen=None if apart else 1 - 0.05 ** (1 / units.number),
        partings=find_partings(apart) if apart else None,
        rouge_l=rouge_l,
        rouge_l_apart=fmean(f1("rougeL", one, other) for one, other in apart) if apart else None,
        words=(first.summary.mean_words, second.summary.mean_words),
        cut=(first.summary.cut, second.summary.cut),
        headlines=headlines,
        level=together.level,
        differences=differences,
        unknown=unknown,
    )


def find_partings(apart: Sequence[tuple[str, str]]) -> Partings:
    """Where pairs of texts part that are not equal."""
    characters = [_first_difference(one, other) for one, other in apart]
    split = [(one.split(), other.split()) for one, other in apart]
    words = [_first_difference(one, other) for one, other in split if one != other]
    edges = [*BINS, None]
    return Partings(
        characters=_places(characters),
        words=_places(words) if words else None,
        bins=[
            Bin(
                first=first,
                last=None if after is None else after - 1,
                pairs=sum(first <= word and (after is None or word < after) for word in words),
            )
            for first, after in pairwise(edges)
            if first is not None
        ],
        beginnings=sum(one.startswith(other) or other.startswith(one) for one, other in apart),
        spaces=len(apart) - len(words),
    )


def _first_difference(one: Sequence[str], other: Sequence[str]) -> int:
    """The number, from 1, of the first place where two sequences differ; behind the end of the shorter one, if it is
    the other's beginning."""
    return 1 + sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _places(numbers: Sequence[int]) -> Places:
    found = np.quantile(numbers, [0, 0.25, 0.5, 0.75, 1], method="nearest")
    return Places(**dict(zip(Places.__struct_fields__, map(int, found), strict=True)))


def _headline(name: str, first: Run, second: Run, ids: Sequence[str], bootstrap: Bootstrap) -> HeadlineParity:
    signatures = {run.manifest.protocol.metrics.get(name) for run in (first, second)}
    if len(signatures) > 1:
        return HeadlineParity(metric=name, problem="the runs have it with different signatures, or one lacks it")
    columns = [[run.scores[id_].get(name) for id_ in ids] for run in (first, second)]
    one, other = ([value for value in column if value is not None] for column in columns)
    if len(one) < len(ids) or len(other) < len(ids):
        return HeadlineParity(metric=name, problem="it has no number for some of the conversations")
    differences = [after - before for before, after in zip(one, other, strict=True)]
    mean, low, high = bootstrap.mean(differences, ids)
    p = bootstrap.test(differences, ids)
    return HeadlineParity(metric=name, means=(fmean(one), fmean(other)), difference=mean, low=low, high=high, p=p)


def _outcome(apart: int, headlines: Sequence[HeadlineParity], *, few: bool) -> Outcome:
    if not apart:
        return "equal"
    if few:
        return "too few"
    return "different" if any(one.excludes_zero for one in headlines) else "alike"


def _backends(first: Run, second: Run) -> tuple[str, str]:
    """What generated each run's texts, told apart where both have one name."""
    names = [run.manifest.system.backend or "a file of texts" for run in (first, second)]
    if names[0] != names[1]:
        return names[0], names[1]
    return f"{names[0]} (the first run)", f"{names[1]} (the second run)"


def _unknown(run: Run) -> str:
    system = run.manifest.system
    if system.kind == "predictions":
        return f"what wrote the texts of {system.name}"
    if system.model is not None and system.model.served:
        return f"which weights and precision the server of {system.name} used"
    return ""


def _require_measured_alike(first: Run, second: Run) -> None:
    """Raise `UsageError` unless both are complete and whole, over the same conversations and with the same budgets."""
    differing = [
        one
        for one in protocol_differences(protocol_of(first), protocol_of(second))
        if one.key != "engine" and not one.key.startswith("metrics.")
    ]
    if differing:
        listed = "; ".join(f"{one.key}: {one.baseline} against {one.candidate}" for one in differing)
        raise UsageError(
            f"{first.id} and {second.id} were not measured on the same conversations in the same way\n{listed}",
            "Measure one of them again with the other's recipe, data and --limit.",
        )
    for run in (first, second):
        require_unchanged(run.folder, run.manifest, SUMMED)


def _require_one_system(first: Run, second: Run, differences: Sequence[Difference]) -> None:
    differing = [one for one in differences if one.key in ONE_SYSTEM]
    if differing:
        raise UsageError(
            f"{first.id} and {second.id} are two systems: they differ in {join_words([one.key for one in differing])}",
            "Name two runs of one system by two backends; `bench compare` judges two systems.",
        )
