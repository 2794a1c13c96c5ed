"""Rules on a figure of a whole run, such as tokens per second: one number without an interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ..judging.output_faults import is_empty, never_ending, shortened
from ..recipe.rules import Rule
from ..records.run import Direction, Prediction
from ..runs.measured import MeasuredRun
from .context import CannotJudge, GateContext, RuleResult, over, require_alike, require_direction


def _rate(run: MeasuredRun) -> float | None:
    summary = run.summary
    return summary.new_tokens / summary.seconds if summary.new_tokens and summary.seconds else None


def _share(
    run: MeasuredRun, find: Callable[[Sequence[Prediction | None]], list[str] | None], kept: int
) -> float | None:
    """The share of a run's texts that `find` finds; for a promoted baseline without texts, from its count `kept`."""
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
"""Figure of a whole run, without an interval → better direction, description, and how the figure is read."""


def check_figure(rule: Rule, context: GateContext, figure: str) -> RuleResult:
    """Check a rule on a figure of a whole run. Raises `CannotJudge` where it cannot be judged."""
    direction, words, read = FIGURES[figure]
    if rule.quantity != "value" or rule.strength != "measured" or rule.per:
        raise CannotJudge(
            f"{rule.metric} is one figure of a run: it has no interval and no parts.", f"Write {rule.metric} >= …"
        )
    require_direction(rule, rule.metric, direction)
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
        fix=""
        if slack >= 0
        else "Look at what changed; on another machine, promote a baseline that was measured there.",
        metric=rule.metric,
        over=name,
        value=value,
        slack=slack,
        n=context.run.manifest.protocol.n,
    )
