"""The check of one rule on one run: the figures that the rule names, and whether it holds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean

from msgspec import Struct
from msgspec.structs import replace

from ..data.slicing import slices
from ..errors import UsageError, unknown
from ..recipe.rules import Rule
from ..records.run import Direction
from ..runs.measured import MeasuredRun
from ..statistics.bootstrap import Bootstrap
from ..statistics.lift import FEWEST, NoLift
from ..text.phrases import metric_label, percent, pluralize
from .context import (
    STATES,
    CannotJudge,
    GateContext,
    Loss,
    RuleResult,
    RuleState,
    over,
    require_alike,
    require_direction,
    score,
)
from .explain import describe_fix, describe_lift, describe_requirement, named_system
from .run_figures import FIGURES, check_figure

MOST_LOSSES = 3
"""The most conversations that are named where a rule is broken."""


def check_rule(rule: Rule, context: GateContext) -> RuleResult:
    """Whether a rule holds, leaving the guards aside."""
    try:
        figure = rule.metric.replace("-", "_")
        return check_figure(rule, context, figure) if figure in FIGURES else _check_metric(rule, context)
    except CannotJudge as error:
        return RuleResult(rule=rule.text, run=context.run.id, state="not run", found=error.what, fix=error.fix)


# ------------------------------------------------------------------------------------------------------------- metrics


class _Part(Struct, frozen=True, kw_only=True):
    """The result of a rule on a part of the conversations, or on all."""

    state: RuleState
    words: str
    fix: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    slack: float | None = None
    ids: Sequence[str]


class _ResolvedRule(Struct, frozen=True, kw_only=True):
    """A rule together with the metric and system that it names."""

    rule: Rule
    context: GateContext
    metric: str
    direction: Direction
    name: str
    """Name of the system that the rule compares with; empty for none."""
    other: MeasuredRun | None
    """That system's run; None without one, and for the human summaries."""
    parts: int
    """Number of parts that a rule is checked on: each is a chance to break a rule that a significant loss breaks."""

    @property
    def bootstrap(self) -> Bootstrap:
        comparisons = {"significant": self.parts, "verified": self.context.selection.looks}.get(self.rule.strength, 1)
        return replace(self.context.bootstrap, comparisons=comparisons)

    def count_units(self, ids: Sequence[str]) -> int:
        """The number of clusters that some conversations form, or of conversations where the data have no clusters."""
        return len(set(self.context.bootstrap.labels(ids) or ()))


def _check_metric(rule: Rule, context: GateContext) -> RuleResult:
    metric = _find_metric(rule.metric, context)
    name = over(rule)
    other = context.system(name) if name and name != "references" else None
    require_alike(context.run, other or context.baseline, name if other else "the baseline", metric)
    wanted = _parts(rule, context)
    resolved = _ResolvedRule(
        rule=rule,
        context=context,
        metric=metric,
        direction=context.direction(metric),
        name=name,
        other=other,
        parts=len(wanted),
    )
    parts = [_check_part(resolved, ids, label) for label, ids in wanted]
    broken = [part for part in parts if part.state != "passed"]
    first = min(broken or parts, key=lambda part: (STATES.index(part.state), part.slack or 0.0))
    if broken or len(parts) == 1:
        words = " ".join(part.words for part in broken or parts)
    else:
        words = f"The rule holds on all {len(parts)} slices by {rule.per}; the narrowest is {first.words}"
    failed = [id_ for part in parts if part.state == "failed" for id_ in part.ids]
    return RuleResult(
        rule=rule.text,
        run=context.run.id,
        state=first.state,
        found=words,
        fix=first.fix,
        metric=metric,
        over=name,
        value=first.value,
        low=first.low,
        high=first.high,
        slack=first.slack,
        n=len(first.ids),
        losses=_losses(resolved, failed),
    )


def _check_part(resolved: _ResolvedRule, ids: Sequence[str], label: str) -> _Part:
    rule, other = resolved.rule, resolved.other
    try:
        if rule.quantity != "value" and other is not None:
            found = _check_lift(resolved, other, ids)
        else:
            found = _check_value(resolved, ids)
    except CannotJudge as error:
        found = _Part(state="not run", words=error.what, fix=error.fix, ids=ids)
    return replace(found, words=f"{label}: {found.words}") if label else found


def _find_metric(asked: str, context: GateContext) -> str:
    """The metric of the run or the baseline that a rule names; `_` may stand for `-`."""
    own, theirs = context.run.manifest.protocol.metrics, context.baseline.manifest.protocol.metrics
    name = next((name for name in (asked, asked.replace("_", "-")) if name in own or name in theirs), None)
    if name is None:
        error = unknown("metric", asked, {**own, **theirs, **FIGURES})
        raise CannotJudge(
            f"Not checked: {error.what}.",
            f"{error.fix} Correct the rule, or measure both runs with --metric NAME.",
        )
    if name not in own:
        raise CannotJudge(
            f"The run has no {name}, and the baseline has: the metric vanished.",
            f"`bench score {context.run.id} --metric {name}` (or the same `bench train` command with it) scores it.",
        )
    return name


def _parts(rule: Rule, context: GateContext) -> list[tuple[str, list[str]]]:
    """The name and ids of each part that a rule names; one unnamed part with all ids where it names none."""
    if not rule.per:
        return [("", sorted(context.run.scores))]
    try:
        found = slices(context.run.conversations, [rule.per], context.bootstrap.clusters)
    except UsageError as error:
        raise CannotJudge(f"Not checked: {error.what}.", error.fix) from error
    if not found:
        raise CannotJudge(
            f"The conversations cannot be sliced by {rule.per}: too few, or too much alike.", "Leave out `per`."
        )
    return [(f"{part.field} {part.label}", list(part.ids)) for part in found]


def _check_lift(resolved: _ResolvedRule, other: MeasuredRun, ids: Sequence[str]) -> _Part:
    rule, metric, direction = resolved.rule, resolved.metric, resolved.direction
    if direction == "neither" or (rule.quantity == "lift" and direction == "lower"):
        why = "neither way is better" if direction == "neither" else "lower is better"
        raise CannotJudge(
            f"There is no {rule.quantity} on {metric_label(metric)}, on which {why}.",
            f"Write a bound instead: {metric} <= …, or <= 0.9x {resolved.name}.",
        )
    # A drop of at most 2% is a lift of at least -2%, or where lower is better, a rise of at most 2%.
    rise = rule.quantity == "drop" and direction == "lower"
    sign = -1 if rule.quantity == "drop" and not rise else 1
    goal = sign * rule.bound.number
    found = resolved.bootstrap.lift(
        [score(other, id_, metric) for id_ in ids],
        [score(resolved.context.run, id_, metric) for id_ in ids],
        metric=metric,
        signature=resolved.context.run.manifest.protocol.metrics[metric],
        target=goal,
        ids=ids,
    )
    if found.baseline is not None and found.baseline <= 0:
        instead = f"{metric} {'<=' if direction == 'lower' else '>='} {resolved.name} {'+' if rise else '-'} 0.05"
        zero = f"The mean of {resolved.name} is {found.baseline:.3g}, so no share of it can be formed."
        raise CannotJudge(zero, f"Write {instead}.")
    if isinstance(found, NoLift):
        raise CannotJudge(f"{found.reason}.", "Fix or replace what gives no number, and measure again.")
    low, high, bound = found.low, found.high, goal
    if found.decides == "surplus":
        low, high, bound = found.surplus_low, found.surplus_high, 0.0
    slack = _slack(rule, found.lift, low, high, goal, bound, at_most=rise, units=found.units)
    bounds = sorted(sign * one for one in (found.low, found.high) if one is not None)
    least, most = bounds or (None, None)
    words = describe_lift(rule, found, metric, named_system(resolved.name, other), sign, bounds)
    return _outcome(rule, slack, words, sign * found.lift, least, most, ids)


def _check_value(resolved: _ResolvedRule, ids: Sequence[str]) -> _Part:
    rule, context, metric, name = resolved.rule, resolved.context, resolved.metric, resolved.name
    require_direction(rule, metric, resolved.direction)
    theirs: Mapping[str, Mapping[str, float | None]] = (resolved.other or context.baseline).scores
    if name == "references":
        theirs = context.humans
        if not theirs:
            raise CannotJudge(
                "What the human summaries score was not measured with the baseline.",
                "Promote the untuned model's run where its data can be read: `bench promote` measures them.",
            )
    own = {id_: value for id_ in ids if (value := _finite(score(context.run, id_, metric))) is not None}
    base = {id_: value for id_ in ids if (value := _finite(theirs.get(id_, {}).get(metric))) is not None}
    if lost := sorted(base.keys() - own.keys()):
        raise CannotJudge(
            f"{metric_label(metric)} has no number for {len(lost)} of {len(ids)} conversations that have one with "
            f"{name or 'the baseline'}, for example {lost[0]}.",
            "Fix or replace what gives no number, and measure again.",
        )
    both = [id_ for id_ in ids if id_ in own and (not name or id_ in base)]
    units = resolved.count_units(both)
    if not both or (len(both) < len(ids) and units < FEWEST):
        raise CannotJudge(
            f"{metric_label(metric)} has a number for {len(both)} of {len(ids)} conversations only.",
            "Score conversations that all have one, or gate the run on another metric.",
        )
    factor = rule.bound.factor
    values = [own[id_] - (factor * base[id_] if name else 0.0) for id_ in both]
    bootstrap = resolved.bootstrap
    value, low, high = bootstrap.mean(values, both)
    assert value is not None
    goal = rule.bound.number
    slack = _slack(rule, value, low, high, goal, goal, at_most=rule.comparator == "<=", units=units)
    words = metric_label(metric)
    interval = (
        "" if low is None or high is None else f" ({percent(bootstrap.level)} interval {low:+.3f} to {high:+.3f})"
    )
    if name:
        who = "the human summaries" if name == "references" else named_system(name, resolved.other)
        times = f"{factor:g} times " if factor != 1 else ""
        mean, bar = (fmean(column[id_] for id_ in both) for column in (own, base))
        words += f" {mean:.3f}, {times}that of {who} {factor * bar:.3f}: {value:+.3f}{interval}"
    else:
        words += f" {value:.3f}{interval.replace('+', '')}"
    some = f"{len(both)} of {pluralize(len(ids), 'conversation')}" if len(both) < len(ids) else (
        pluralize(len(ids), "conversation")
    )  # fmt: skip
    return _outcome(rule, slack, f"{words} on {some}; {describe_requirement(rule)}.", value, low, high, ids)


def _slack(
    rule: Rule,
    value: float,
    low: float | None,
    high: float | None,
    goal: float,
    bound: float,
    *,
    at_most: bool,
    units: int,
) -> float:
    """By how much a rule holds: how far the mean is beyond `goal`, or the deciding end of the interval beyond `bound`.

    Raises `CannotJudge` for fewer than `FEWEST` units, unless the rule is about the measured mean of all conversations:
    a rule that only a significant loss breaks would otherwise hold more easily the less was measured.
    """
    if units < FEWEST and (rule.strength != "measured" or rule.per):
        raise CannotJudge(
            f"{pluralize(units, 'conversation')} (or clusters of them) are too few: {FEWEST} are needed.",
            "Score more conversations" + (" of that kind, or cut them more coarsely." if rule.per else "."),
        )
    if rule.strength == "measured":
        return goal - value if at_most else value - goal
    if low is None or high is None:
        raise CannotJudge("There is no interval.", "Score more conversations.")
    unfavourable, favourable = (high, low) if at_most else (low, high)
    end = unfavourable if rule.strength == "verified" else favourable
    return bound - end if at_most else end - bound


def _outcome(
    rule: Rule,
    slack: float,
    words: str,
    value: float,
    low: float | None,
    high: float | None,
    ids: Sequence[str],
) -> _Part:
    holds = slack >= 0
    return _Part(
        state="passed" if holds else "failed",
        words=words,
        fix="" if holds else describe_fix(rule),
        value=value + 0.0,
        low=low,
        high=high,
        slack=slack,
        ids=ids,
    )


def _losses(resolved: _ResolvedRule, ids: Sequence[str]) -> list[Loss]:
    """The conversations that lost most against the system that the rule compares with, or the baseline."""
    sign = -1 if resolved.direction == "lower" else 1
    other = resolved.other or resolved.context.baseline
    pairs = [
        Loss(id=id_, before=before, after=after)
        for id_ in sorted(ids)
        if (after := _finite(score(resolved.context.run, id_, resolved.metric))) is not None
        and (before := _finite(score(other, id_, resolved.metric))) is not None
        and sign * (after - before) < 0
    ]
    return sorted(pairs, key=lambda loss: sign * (loss.after - loss.before))[:MOST_LOSSES]


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
