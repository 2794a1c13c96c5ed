"""One rule held against one run: which figures it names, whether they can be compared, and whether it holds.

What cannot be computed (a metric that vanished, NaN, missing ids, another protocol) never passes: `CannotTell` says
why, and what mends it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from . import stats
from .differences import protocol_differences
from .errors import UsageError, unknown
from .rule_words import asked, lift_words, mend, named_system
from .rules import Rule
from .runs import Run
from .slices import slices
from .types import Direction, RunSummary
from .verdict import FEWEST
from .wording import counted, metric_label

RuleState = Literal["passed", "failed", "not run"]

STATES: tuple[RuleState, ...] = ("failed", "not run", "passed")
"""The gravest first."""

MOST_LOSSES = 3
"""Conversations that are named where a rule is broken."""


class CannotTell(Exception):
    """A rule that cannot be judged, and how to mend that."""

    def __init__(self, words: str, mend: str) -> None:
        super().__init__(words)
        self.words, self.mend = words, mend


class Loss(Struct, frozen=True, kw_only=True):
    """A conversation that got worse."""

    id: str
    before: float
    after: float


class RuleResult(Struct, frozen=True, kw_only=True):
    """One rule and what it came to on a run."""

    rule: str
    run: str
    """Id of the run: of several seeds, the one that fares worst in it."""
    state: RuleState
    found: str
    """With its figures."""
    mend: str = ""
    """How to mend it, where it did not pass."""
    metric: str = ""
    """As the run names it."""
    value: float | None = None
    """The quantity that the rule is about: a share of a lift or drop, else in the metric's points."""
    low: float | None = None
    high: float | None = None
    """Bounds of its 95% interval."""
    n: int = 0
    losses: list[Loss] = []
    """Where it failed: the conversations that lost most, against what the rule compares with, or the baseline."""
    guards: list[str] = []
    """Names of the guards of the verdict that make it no *verified*."""


class Held(Struct, frozen=True, kw_only=True):
    """A run with all that its rules may name."""

    run: Run
    systems: Mapping[str, Run]
    """`baseline`, `proven`, `best-prompt` and promoted names, as far as they are there."""
    missing: Mapping[str, tuple[str, str]]
    """Of those that are not: why, and how to mend it."""
    humans: Mapping[str, Mapping[str, float | None]]
    """Id → metric → the humans' own value; empty where they were not measured."""
    clusters: Mapping[str, str]
    """Id → what is resampled as one."""
    seed: int

    def system(self, name: str) -> Run:
        """Raises `CannotTell`."""
        known = _alias(name)
        if known in self.systems:
            return self.systems[known]
        words, mend = self.missing.get(known, (f"there is no system {name!r}", "Name a promoted baseline."))
        raise CannotTell(words, mend)

    def over(self, rule: Rule) -> str:
        """What a lift or drop is from: what the rule names, else the baseline, of a drop the proven run first."""
        if rule.over:
            return _alias(rule.over)
        return "proven" if rule.quantity == "drop" and "proven" in self.systems else "baseline"


def checked(rule: Rule, held: Held) -> RuleResult:
    """Whether a rule holds, guards apart."""
    try:
        figure = FIGURES.get(rule.metric.replace("-", "_"))
        return _of_figure(rule, held, *figure) if figure else _of_metric(rule, held)
    except CannotTell as error:
        return RuleResult(rule=rule.text, run=held.run.id, state="not run", found=error.words, mend=error.mend)


def direction_of(metric: str, run: Run) -> Direction:
    """Which way is better, as the run recorded it. Raises `CannotTell`."""
    found = next((row.direction for row in run.summary.metrics if row.name == metric), None)
    if found is None:
        raise CannotTell(f"{run.id} says nothing of {metric} in its summary.", "Measure it again (--fresh).")
    return found


def require_alike(run: Run, other: Run, metric: str = "") -> None:
    """Raise `CannotTell` where two runs were not measured alike: in anything but their metrics, or in one metric."""
    differing = [
        one
        for one in protocol_differences(other.manifest.protocol, run.manifest.protocol)
        if not one.key.startswith("metrics.") or one.key == f"metrics.{metric}"
    ]
    if differing:
        words = "; ".join(f"{one.key}: {one.candidate} instead of {one.baseline}" for one in differing)
        mend = (
            f"Measure it as {other.id} was (`bench score {run.id}` with its recipe, data and package versions); "
            "or, if the change is meant, promote what was measured anew."
        )
        raise CannotTell(f"{run.id} and {other.id} were not measured alike: {words}.", mend)
    unshared = run.scores.keys() ^ other.scores.keys()
    if unshared or len(run.scores) != run.manifest.protocol.n:
        missing = unshared or {"?"}
        raise CannotTell(
            f"{counted(len(unshared), 'conversation')} of {run.manifest.protocol.n} have scores in only one of "
            f"{run.id} and {other.id}, for example {min(missing)}.",
            "Measure it again (--fresh): its scores are not whole.",
        )


# ------------------------------------------------------------------------------------------------------ figures of runs


def _rate(summary: RunSummary) -> float | None:
    return summary.new_tokens / summary.seconds if summary.new_tokens and summary.seconds else None


FIGURES: dict[str, tuple[Direction, str, Callable[[RunSummary], float | None]]] = {
    "tokens_per_second": ("higher", "Generated tokens a second", _rate),
    "mean_words": ("neither", "Words a summary", lambda summary: summary.mean_words),
    "empty": ("lower", "Share of empty summaries", lambda summary: summary.empty / summary.n),
    "cut": ("lower", "Share of summaries cut at the token limit", lambda summary: summary.cut / summary.n),
    "shortened": ("lower", "Share of conversations read only in part", lambda summary: summary.shortened / summary.n),
}
"""What is known of a run as a whole, without an interval: which way is better, in words, and how it is read."""


def _of_figure(
    rule: Rule, held: Held, direction: Direction, words: str, read: Callable[[RunSummary], float | None]
) -> RuleResult:
    if rule.quantity != "value" or rule.strength != "measured" or rule.per:
        raise CannotTell(
            f"{rule.metric} is one figure of a run: it has no interval and no parts.", f"Write {rule.metric} >= …"
        )
    _require_direction(rule, rule.metric, direction)
    value = read(held.run.summary)
    if value is None or not math.isfinite(value):
        raise CannotTell(
            f"The run has no {rule.metric}.", "Generate its texts through this suite (`bench score SYSTEM`)."
        )
    bound, against = rule.bound.number, ""
    if rule.bound.system == "references":
        raise CannotTell(f"Human summaries have no {rule.metric}.", "Name a system, or give a number.")
    if rule.bound.system:
        other = held.system(rule.bound.system)
        require_alike(held.run, other)
        theirs = read(other.summary)
        if theirs is None:
            raise CannotTell(f"{other.id} has no {rule.metric}.", "Promote a run whose texts this suite generated.")
        bound += rule.bound.factor * theirs
        against = f", {theirs:.4g} with {rule.bound.system}"
    holds = value >= bound if rule.comparator == ">=" else value <= bound
    found = (
        f"{words}: {value:.4g}{against}; {'at least' if rule.comparator == '>=' else 'at most'} {bound:.4g} is asked."
    )
    return RuleResult(
        rule=rule.text,
        run=held.run.id,
        state="passed" if holds else "failed",
        found=found,
        mend="" if holds else "Look at what changed; on another machine, promote a baseline that was measured there.",
        metric=rule.metric,
        value=value,
        n=held.run.summary.n,
    )


# ------------------------------------------------------------------------------------------------------------- metrics


class _Part(Struct, frozen=True, kw_only=True):
    """What a rule came to on a part of the conversations, or on all."""

    state: RuleState
    words: str
    mend: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0


def _of_metric(rule: Rule, held: Held) -> RuleResult:
    metric = _metric(rule.metric, held)
    name = held.over(rule) if rule.quantity != "value" else _alias(rule.bound.system)
    other = held.system(name) if name and name != "references" else None
    require_alike(held.run, other or held.system("baseline"), metric)
    parts = [_part(rule, held, metric, other, name, ids, label) for label, ids in _parts(rule, held)]
    broken = [part for part in parts if part.state != "passed"]
    first = min(broken or parts, key=lambda part: STATES.index(part.state))
    if broken or len(parts) == 1:
        words = " ".join(part.words for part in broken or parts)
    else:
        words = f"It holds on each of {len(parts)} parts by {rule.per}."
    return RuleResult(
        rule=rule.text,
        run=held.run.id,
        state=first.state,
        found=words,
        mend=first.mend,
        metric=metric,
        value=first.value,
        low=first.low,
        high=first.high,
        n=first.n,
        losses=_losses(held.run, other or held.system("baseline"), metric) if first.state == "failed" else [],
    )


def _part(rule: Rule, held: Held, metric: str, other: Run | None, name: str, ids: Sequence[str], label: str) -> _Part:
    try:
        if rule.quantity != "value" and other is not None:
            found = _of_lift(rule, held, metric, other, name, ids)
        else:
            found = _of_value(rule, held, metric, other, name, ids)
    except CannotTell as error:
        found = _Part(state="not run", words=error.words, mend=error.mend)
    return replace(found, words=f"{label}: {found.words}") if label else found


def _metric(told: str, held: Held) -> str:
    """The run's or the baseline's metric that a rule names; `_` may stand for `-`."""
    known = list(
        dict.fromkeys((*held.run.manifest.protocol.metrics, *held.system("baseline").manifest.protocol.metrics))
    )
    for name in (told, told.replace("_", "-")):
        if name in known:
            break
    else:
        words = str(unknown("metric", told, [*known, *FIGURES]))
        raise CannotTell(f"{words}.", "Correct the rule, or measure both runs with the metric (--metric NAME).")
    if name not in held.run.manifest.protocol.metrics:
        raise CannotTell(
            f"The run has no {name}, and the baseline has: the metric vanished.",
            f"`bench score {held.run.id} --metric {name}` (or the same `bench train` command with it) scores it.",
        )
    return name


def _parts(rule: Rule, held: Held) -> list[tuple[str, list[str]]]:
    """The ids of each part that a rule speaks of, with its name; all of them without one where it names none."""
    if not rule.per:
        return [("", sorted(held.run.scores))]
    try:
        found = slices(held.run.conversations, [rule.per], held.clusters)
    except UsageError as error:
        raise CannotTell(f"{error}.", "Name a field that the conversations have.") from error
    if not found:
        raise CannotTell(
            f"The conversations cannot be cut by {rule.per}: too few, or too much alike.", "Leave out `per`."
        )
    return [(f"{part.field} {part.label}", list(part.ids)) for part in found]


def _of_lift(rule: Rule, held: Held, metric: str, over: Run, name: str, ids: Sequence[str]) -> _Part:
    direction = direction_of(metric, held.run)
    if direction == "neither" or (rule.quantity == "lift" and direction == "lower"):
        why = "neither way is better" if direction == "neither" else "lower is better"
        raise CannotTell(
            f"There is no {rule.quantity} on {metric_label(metric)}, on which {why}.",
            f"Write a bound of its own: {metric} <= …, or <= 0.9x {name}.",
        )
    # A drop of at most 2% is a lift of at least -2%, or where lower is better, a rise of at most 2%.
    down = rule.quantity == "drop" and direction == "lower"
    goal = -rule.bound.number if rule.quantity == "drop" and not down else rule.bound.number
    found = stats.lift(
        [_score(over, id_, metric) for id_ in ids],
        [_score(held.run, id_, metric) for id_ in ids],
        metric=metric,
        signature=held.run.manifest.protocol.metrics[metric],
        target=goal,
        seed=held.seed,
        clusters=[held.clusters.get(id_, id_) for id_ in ids],
    )
    if found.problem or found.lift is None:
        raise CannotTell(f"{found.problem}.", "Mend or replace what gives no number, and measure again.")
    low, high, bound = found.low, found.high, goal
    if found.decides == "surplus":
        low, high, bound = found.surplus_low, found.surplus_high, 0.0
    holds = _holds(rule, found.lift, low, high, goal, bound, at_most=down, units=found.units)
    sign = -1 if rule.quantity == "drop" and not down else 1
    bounds = sorted(sign * one + 0.0 for one in (found.low, found.high) if one is not None)
    least, most = bounds or (None, None)
    words = lift_words(rule, found, metric, named_system(name, over), sign, bounds)
    return _judged(rule, holds, words, sign * found.lift, least, most, found.n)


def _of_value(rule: Rule, held: Held, metric: str, other: Run | None, name: str, ids: Sequence[str]) -> _Part:
    _require_direction(rule, metric, direction_of(metric, held.run))
    theirs: Mapping[str, Mapping[str, float | None]] = other.scores if other else {}
    if name == "references":
        theirs = held.humans
        if not theirs:
            raise CannotTell(
                "What the human summaries score was not measured with the baseline.",
                "Promote the untuned model's run where its data can be read: `bench promote` measures them.",
            )
    known = [id_ for id_ in ids if _finite(_score(held.run, id_, metric))]
    before = held.system("baseline").scores
    expected = [id_ for id_ in ids if _finite((theirs or before).get(id_, {}).get(metric))]
    lost = [id_ for id_ in expected if id_ not in set(known)]
    if lost or not known:
        raise CannotTell(
            f"{metric_label(metric)} has no number for {len(lost) or len(ids)} of {len(ids)} conversations that have "
            f"one with {name or 'the baseline'}, for example {min(lost or ids)}.",
            "Mend or replace what gives no number, and measure again.",
        )
    both = [id_ for id_ in known if not name or id_ in set(expected)]
    if not both:
        raise CannotTell(f"{name} has no {metric_label(metric)} of these conversations.", "Give a number instead.")
    factor = rule.bound.factor
    own = [_number(held.run.scores[id_][metric]) for id_ in both]
    base = [_number(theirs[id_][metric]) for id_ in both] if name else []
    values = [mine - factor * its for mine, its in zip(own, base, strict=True)] if name else own
    clusters = [held.clusters.get(id_, id_) for id_ in both]
    value, low, high = stats.mean_interval(values, seed=held.seed, clusters=clusters)
    assert value is not None
    goal = rule.bound.number
    holds = _holds(rule, value, low, high, goal, goal, at_most=rule.comparator == "<=", units=len(set(clusters)))
    label = metric_label(metric)
    interval = "" if low is None or high is None else f" (95% interval {low:+.3f} to {high:+.3f})"
    if name:
        times = f"{factor:g} times " if factor != 1 else ""
        who = "the human summaries" if name == "references" else named_system(name, other)
        found = f"{label} {fmean(own):.3f}, {times}that of {who} {factor * fmean(base):.3f}: {value:+.3f}{interval}"
    else:
        found = f"{label} {value:.3f}{interval.replace('+', '')}"
    return _judged(
        rule, holds, f"{found} on {counted(len(both), 'conversation')}; {asked(rule)}.", value, low, high, len(both)
    )


def _holds(
    rule: Rule,
    value: float,
    low: float | None,
    high: float | None,
    goal: float,
    bound: float,
    *,
    at_most: bool,
    units: int,
) -> bool:
    """Whether a quantity reaches its goal: by its mean, or its interval's ends against their own `bound`.

    Raises `CannotTell` where fewer than `FEWEST` units tell nothing: a rule that is broken only by what is significant
    would otherwise hold the more surely, the less was measured.
    """
    if units < FEWEST and (rule.strength != "measured" or rule.per):
        raise CannotTell(
            f"{counted(units, 'conversation')} (or clusters of them) tell nothing: {FEWEST} are the least.",
            "Score more conversations" + (" of that kind, or cut them more coarsely." if rule.per else "."),
        )
    if rule.strength == "measured":
        return value <= goal if at_most else value >= goal
    if low is None or high is None:
        raise CannotTell("There is no interval.", "Score more conversations.")
    if rule.strength == "verified":
        return high <= bound if at_most else low >= bound
    return low <= bound if at_most else high >= bound


def _require_direction(rule: Rule, metric: str, direction: Direction) -> None:
    better: dict[Direction, str] = {"higher": ">=", "lower": "<="}
    if direction in better and rule.comparator != better[direction]:
        raise CannotTell(
            f"On {metric_label(metric)} {direction} is better, and the rule would fail the better run.",
            f"Write {better[direction]} instead of {rule.comparator}.",
        )


def _judged(rule: Rule, holds: bool, words: str, value: float, low: float | None, high: float | None, n: int) -> _Part:
    if holds:
        return _Part(state="passed", words=words, value=value, low=low, high=high, n=n)
    return _Part(state="failed", words=words, mend=mend(rule), value=value, low=low, high=high, n=n)


def _losses(run: Run, other: Run, metric: str) -> list[Loss]:
    sign = -1 if direction_of(metric, run) == "lower" else 1
    pairs = [
        Loss(id=id_, before=_number(before), after=_number(after))
        for id_ in sorted(run.scores)
        if _finite(after := _score(run, id_, metric)) and _finite(before := _score(other, id_, metric))
    ]
    worse = [loss for loss in pairs if sign * (loss.after - loss.before) < 0]
    return sorted(worse, key=lambda loss: sign * (loss.after - loss.before))[:MOST_LOSSES]


def _alias(name: str) -> str:
    plain = name.replace("_", "-")
    return "best-prompt" if plain in ("best-prompt", "best-prompted") else name


def _score(run: Run, id_: str, metric: str) -> float | None:
    return run.scores.get(id_, {}).get(metric)


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _number(value: float | None) -> float:
    assert value is not None
    return value
