"""One rule, checked on one run: the figures that it names, and whether it holds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from msgspec import Struct
from msgspec.structs import replace

from ..data.slicing import slices
from ..errors import UsageError, unknown
from ..judging.output_faults import is_empty, never_ending, shortened
from ..recipe.rules import Rule
from ..records.run import Direction, Prediction
from ..runs.measured import MeasuredRun
from ..statistics.bootstrap import Bootstrap
from ..statistics.lift import FEWEST, NoLift
from ..text.phrases import counted, metric_label, percent
from .context import STATES, CannotJudge, GateContext, Loss, RuleResult, RuleState, over, require_alike, score
from .explain import describe_fix, describe_lift, describe_requirement, named_system

MOST_LOSSES = 3
"""Conversations that are named where a rule is broken."""


def check_rule(rule: Rule, context: GateContext) -> RuleResult:
    """Whether a rule holds, guards apart."""
    try:
        figure = FIGURES.get(rule.metric.replace("-", "_"))
        return _of_figure(rule, context, *figure) if figure else _of_metric(rule, context)
    except CannotJudge as error:
        return RuleResult(rule=rule.text, run=context.run.id, state="not run", found=error.words, mend=error.mend)


# ------------------------------------------------------------------------------------------------------ figures of runs


def _rate(run: MeasuredRun) -> float | None:
    summary = run.summary
    return summary.new_tokens / summary.seconds if summary.new_tokens and summary.seconds else None


def _share(
    run: MeasuredRun, find: Callable[[Sequence[Prediction | None]], list[str] | None], kept: int
) -> float | None:
    """Of a run's texts; of a promoted baseline's, which are not kept, as its summary counted them."""
    if not run.predictions:
        return kept / run.manifest.protocol.n if run.manifest.system.generation_verified else None
    found = find([run.predictions.get(id_) for id_ in run.scores])
    return None if found is None else len(found) / run.manifest.protocol.n


def _empty(made: Sequence[Prediction | None]) -> list[str]:
    return [one.id if one else "" for one in made if one is None or is_empty(one.text)]


FIGURES: dict[str, tuple[Direction, str, Callable[[MeasuredRun], float | None]]] = {
    "tokens_per_second": ("higher", "Generated tokens a second", _rate),
    "mean_words": ("neither", "Words a summary", lambda run: run.summary.mean_words),
    "empty": ("lower", "Share of empty summaries", lambda run: _share(run, _empty, run.summary.empty)),
    "cut": (
        "lower",
        "Share of summaries cut at the token limit",
        lambda run: _share(run, never_ending, run.summary.cut),
    ),
    "shortened": (
        "lower",
        "Share of conversations read only in part",
        lambda run: _share(run, shortened, run.summary.shortened),
    ),
}
"""What is known of a run as a whole, without an interval: which way is better, in words, and how it is read."""


def _of_figure(
    rule: Rule, context: GateContext, direction: Direction, words: str, read: Callable[[MeasuredRun], float | None]
) -> RuleResult:
    if rule.quantity != "value" or rule.strength != "measured" or rule.per:
        raise CannotJudge(
            f"{rule.metric} is one figure of a run: it has no interval and no parts.", f"Write {rule.metric} >= …"
        )
    _require_direction(rule, rule.metric, direction)
    require_alike(context.run, context.baseline, "the baseline")
    value = read(context.run)
    if value is None or not math.isfinite(value):
        raise CannotJudge(
            f"The run's {rule.metric} is not known.", "Generate its texts through this suite (`bench score SYSTEM`)."
        )
    goal, against, name = rule.bound.number, "", over(rule)
    if direction == "lower" and not name and goal > 1:
        raise CannotJudge(
            f"{words} is at most 1, and the rule requires {goal:.4g}.", f"Write {goal:.4g}% for a share of 100."
        )
    if name == "references":
        raise CannotJudge(f"Human summaries have no {rule.metric}.", "Name a system, or give a number.")
    if name:
        other = context.system(name)
        require_alike(context.run, other, name)
        theirs = read(other)
        if theirs is None:
            raise CannotJudge(f"{name} has no {rule.metric}.", "Promote a run whose texts this suite generated.")
        goal += rule.bound.factor * theirs
        against = f", {theirs:.4g} with {name}"
    slack = value - goal if rule.comparator == ">=" else goal - value
    most = "at least" if rule.comparator == ">=" else "at most"
    return RuleResult(
        rule=rule.text,
        run=context.run.id,
        state="passed" if slack >= 0 else "failed",
        found=f"{words}: {value:.4g}{against}; {most} {goal:.4g} is required.",
        mend=""
        if slack >= 0
        else "Look at what changed; on another machine, promote a baseline that was measured there.",
        metric=rule.metric,
        over=name,
        value=value,
        slack=slack,
        n=context.run.manifest.protocol.n,
    )


def _require_direction(rule: Rule, metric: str, direction: Direction) -> None:
    better: dict[Direction, str] = {"higher": ">=", "lower": "<="}
    if direction in better and rule.comparator != better[direction]:
        raise CannotJudge(
            f"On {metric_label(metric)} {direction} is better, and the rule would fail the better run.",
            f"Write {better[direction]} instead of {rule.comparator}.",
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
    slack: float | None = None
    ids: Sequence[str]


class _ResolvedRule(Struct, frozen=True, kw_only=True):
    """A rule with what it names, found."""

    rule: Rule
    context: GateContext
    metric: str
    direction: Direction
    name: str
    """Of the system that it compares with; empty for none."""
    other: MeasuredRun | None
    """None for no system, and for the human summaries."""
    parts: int
    """A rule that is broken by a significant loss on any of several parts is given as many chances to be."""

    @property
    def bootstrap(self) -> Bootstrap:
        comparisons = self.parts if self.rule.strength == "significant" else 1
        return replace(self.context.bootstrap, comparisons=comparisons)

    def count_units(self, ids: Sequence[str]) -> int:
        """How many clusters, or conversations, some conversations are."""
        return len(set(self.context.bootstrap.labels(ids) or ()))


def _of_metric(rule: Rule, context: GateContext) -> RuleResult:
    metric = _metric(rule.metric, context)
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
    parts = [_part(resolved, ids, label) for label, ids in wanted]
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
        mend=first.mend,
        metric=metric,
        over=name,
        value=first.value,
        low=first.low,
        high=first.high,
        slack=first.slack,
        n=len(first.ids),
        losses=_losses(resolved, failed),
    )


def _part(resolved: _ResolvedRule, ids: Sequence[str], label: str) -> _Part:
    rule, other = resolved.rule, resolved.other
    try:
        if rule.quantity != "value" and other is not None:
            found = _of_lift(resolved, other, ids)
        else:
            found = _of_value(resolved, ids)
    except CannotJudge as error:
        found = _Part(state="not run", words=error.words, mend=error.mend, ids=ids)
    return replace(found, words=f"{label}: {found.words}") if label else found


def _metric(told: str, context: GateContext) -> str:
    """The run's or the baseline's metric that a rule names; `_` may stand for `-`."""
    own, theirs = context.run.manifest.protocol.metrics, context.baseline.manifest.protocol.metrics
    name = next((name for name in (told, told.replace("_", "-")) if name in own or name in theirs), None)
    if name is None:
        error = unknown("metric", told, {**own, **theirs, **FIGURES})
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
    """The ids of each part that a rule speaks of, with its name; all of them without one where it names none."""
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


def _of_lift(resolved: _ResolvedRule, other: MeasuredRun, ids: Sequence[str]) -> _Part:
    rule, metric, direction = resolved.rule, resolved.metric, resolved.direction
    if direction == "neither" or (rule.quantity == "lift" and direction == "lower"):
        why = "neither way is better" if direction == "neither" else "lower is better"
        raise CannotJudge(
            f"There is no {rule.quantity} on {metric_label(metric)}, on which {why}.",
            f"Write a bound of its own: {metric} <= …, or <= 0.9x {resolved.name}.",
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
        zero = f"The mean of {resolved.name} is {found.baseline:.3g}: there is no share of it."
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


def _of_value(resolved: _ResolvedRule, ids: Sequence[str]) -> _Part:
    rule, context, metric, name = resolved.rule, resolved.context, resolved.metric, resolved.name
    _require_direction(rule, metric, resolved.direction)
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
    some = f"{len(both)} of {counted(len(ids), 'conversation')}" if len(both) < len(ids) else (
        counted(len(ids), "conversation")
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
    """By how much a quantity reaches its goal: its mean, or the end of its interval that decides, past its `bound`.

    Raises `CannotJudge` where fewer than `FEWEST` units tell nothing: a rule that is broken only by what is significant
    would otherwise hold the more surely, the less was measured.
    """
    if units < FEWEST and (rule.strength != "measured" or rule.per):
        raise CannotJudge(
            f"{counted(units, 'conversation')} (or clusters of them) are too few: {FEWEST} are needed.",
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
        mend="" if holds else describe_fix(rule),
        value=value + 0.0,
        low=low,
        high=high,
        slack=slack,
        ids=ids,
    )


def _losses(resolved: _ResolvedRule, ids: Sequence[str]) -> list[Loss]:
    """Of some conversations those that lost most, against what the rule compares with, or the baseline."""
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
