"""Rules in words: what a rule asks, what it found, and how to fix it."""

from __future__ import annotations

from collections.abc import Sequence

from ..judging.guards import FACTS
from ..recipe.rules import Rule
from ..runs.measured import MeasuredRun
from ..statistics.lift import Lift
from ..text.phrases import join_words, metric_label, percent, pluralize
from .context import over


def describe_rule(rule: Rule) -> str:
    """What a rule asks, in a sentence."""
    label = metric_label(rule.metric)
    share = f"{100 * rule.bound.number:.4g}%"
    if rule.quantity == "lift":
        asks = f"The run's mean {label} must be at least {share} higher than that of {over(rule)}"
    elif rule.quantity == "drop":
        asks = f"The run's mean {label} may be at most {share} worse than that of {over(rule)}"
    else:
        asks = f"The run's {label} must be {_most(rule)} {_bound_words(rule)}"
    ends = {
        "measured": "as measured",
        "verified": "at the less favourable end of the 95% interval, with every guard of the verdict passed"
        + (f" but {join_words(rule.excepted)}" if rule.excepted else ""),
        "significant": "and it is broken only where not even the more favourable end of the 95% interval reaches that",
    }
    parts = f", on each slice of the conversations by {rule.per}" if rule.per else ""
    return f"{asks}{parts}, {ends[rule.strength]}."


def describe_lift(rule: Rule, found: Lift, metric: str, who: str, sign: int, bounds: Sequence[float]) -> str:
    """A measured lift over `who`, or drop (`sign` -1), in words, with the `bounds` of its interval."""
    share = sign * found.lift + 0.0
    level = percent(found.level)
    if not bounds:
        gain = (
            f"a difference of {found.difference:+.3f} ({found.difference_low:+.3f} to {found.difference_high:+.3f}; "
            "the ratio is unstable)"
        )
    elif rule.quantity == "lift":
        gain = f"{share:+.1%} ({level} interval {bounds[0]:+.1%} to {bounds[1]:+.1%})"
    else:
        ends = " to ".join(_worse(bound) for bound in bounds)
        gain = f"{_worse(share)} ({level} interval {ends})"
    return (
        f"{metric_label(metric)} {found.candidate:.3f}, that of {who} {found.baseline:.3f}: {gain} on "
        f"{pluralize(found.n, 'conversation')}; {describe_requirement(rule)}."
    )


def describe_requirement(rule: Rule) -> str:
    """`at least +40% is required, verified`."""
    number = rule.bound.number
    signed = "+" if rule.quantity == "lift" or rule.bound.system else ""
    shown = f"{100 * number:{signed}.4g}%" if rule.bound.percent else f"{number:{signed}.4g}"
    strength = {"verified": ", verified", "significant": ", unless chance may explain the rest", "measured": ""}
    worse = " worse" if rule.quantity == "drop" else ""
    return f"{_most(rule)} {shown}{worse} is required{strength[rule.strength]}"


def named_system(name: str, system: MeasuredRun | None) -> str:
    """A system by its name in rules and its own name: `baseline (smollm2-135m)`."""
    return f"{name} ({system.manifest.system.name})" if system else name


def describe_fix(rule: Rule) -> str:
    """What to do about a rule that is broken."""
    if rule.quantity == "drop" or over(rule) == "proven":
        return "Find what made it worse; if the change is meant, `bench promote` the run, saying why."
    if rule.metric.replace("_", "-") == FACTS:
        return "Look at the marked details in the report of `bench compare`."
    return "Train a better adapter; `bench compare` shows where it stands."


def _worse(share: float) -> str:
    """`2.1% worse`, `5.0% better`."""
    return f"{abs(share):.1%} {'better' if share < 0 else 'worse'}"


def _most(rule: Rule) -> str:
    return "at least" if rule.comparator == ">=" else "at most"


def _bound_words(rule: Rule) -> str:
    bound = rule.bound
    if not bound.system:
        return f"{100 * bound.number:.4g}%" if bound.percent else f"{bound.number:.4g}"
    who = "the human summaries' own" if bound.system == "references" else f"that of {over(rule)}"
    times = f"{bound.factor:g} times {who}" if bound.factor != 1 else who
    if not bound.number:
        return times
    return f"{times} {'plus' if bound.number > 0 else 'less'} {abs(bound.number):.4g}"
