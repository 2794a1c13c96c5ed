"""One plot for each headline: controls, baseline, best prompt, candidates and humans against the target."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup
from msgspec import Struct

from ..files import write_bytes, write_text
from ..floors.ranking import SystemMeans
from ..judging.compare import Comparison
from ..text.phrases import metric_label
from . import numbers
from .charts.dots import Dot, draw_dots
from .charts.picture import make_picture, make_png
from .systems import name_roles

LABELS = {
    "baseline": "untuned model",
    "best-prompted": "untuned, best prompt",
    "consensus": "people, most agreed",
    "humans": "people",
}
"""Role → label of the row, in words that need no glossary; candidates are named by what they are, or their number."""

BEST_CONTROL, CONTROLS = "best no-model system", "no-model systems"


class Plot(Struct, frozen=True, kw_only=True):
    """The systems on one headline."""

    metric: str
    chart: Markup
    words: str
    """Which control is the best, and the mean that reaches the target."""


def draw_plots(comparison: Comparison) -> list[Plot]:
    """A plot for each headline."""
    return [_draw_plot(comparison, metric) for metric in comparison.headlines]


def write_plots(comparison: Comparison, folder: Path) -> list[Path]:
    """Write the plot of each headline as SVG and PNG, named by the headline, and return the paths."""
    written = []
    for plot in draw_plots(comparison):
        if plot.chart:
            picture = make_picture(plot.chart, metric_label(plot.metric))
            written += [folder / f"{plot.metric}.svg", folder / f"{plot.metric}.png"]
            write_text(written[-2], picture)
            write_bytes(written[-1], make_png(picture))
    return written


def _draw_plot(comparison: Comparison, metric: str) -> Plot:
    sign = -1 if any(one.name == metric and one.direction == "lower" for one in comparison.metrics) else 1
    known = [one for one in comparison.systems if one.means.get(metric) is not None]
    controls = sorted((one for one in known if one.role == "floor"), key=lambda one: sign * (one.means[metric] or 0.0))
    names = iter(_name_candidates(comparison))
    labels = {
        id(one): LABELS.get(one.role) or next(names, one.name)
        for one in comparison.systems
        if one.role in (*LABELS, "candidate")
    }
    dots = [_dot(one, metric, BEST_CONTROL if one is controls[-1] else CONTROLS) for one in controls]
    dots += [_dot(one, metric, labels[id(one)]) for one in known if id(one) in labels]
    target = _find_target(comparison, metric)
    goal = f"target {numbers.format_target(target[1])}" if target else ""
    told = ", ".join(f"{dot.row} {numbers.format_score(dot.value)}" for dot in dots if dot.row != CONTROLS)
    described = f"{metric_label(metric)}: {told}" + (f"; {goal} at {numbers.format_score(target[0])}" if target else "")
    words = [f"{BEST_CONTROL}: {controls[-1].name}"] if controls else []
    words += [f"target: {numbers.format_score(target[0])}"] if target else []
    return Plot(
        metric=metric,
        chart=draw_dots(
            dots,
            target[0] if target else None,
            goal,
            f"{described}.",
            f"score, {'higher' if sign > 0 else 'lower'} is better",
        ),
        words=", ".join(words),
    )


def _name_candidates(comparison: Comparison) -> list[str]:
    """`fine-tuned model` for a single candidate that adds an adapter to the baseline's model; else as elsewhere."""
    candidates = comparison.candidates
    if len(candidates) == 1 and any(one.key == "adapter" for one in candidates[0].differences):
        return ["fine-tuned model"]
    return name_roles(comparison)


def _dot(one: SystemMeans, metric: str, row: str) -> Dot:
    value = one.means[metric]
    assert value is not None
    low, high = one.intervals.get(metric, (None, None))
    return Dot(row=row, value=value, low=low, high=high, judged=one.role == "candidate")


def _find_target(comparison: Comparison, metric: str) -> tuple[float, float] | None:
    """The mean that reaches the target, and the target as a lift; None without a candidate or a mean to lift."""
    if not comparison.candidates:
        return None
    verdict = comparison.candidates[0].verdict
    role = "best-prompted" if verdict.against == "best-prompted" else "baseline"
    mean = next((one.means.get(metric) for one in comparison.systems if one.role == role), None)
    return None if not mean else ((1 + verdict.target) * mean, verdict.target)
