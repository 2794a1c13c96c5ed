"""The steps from the plain baseline to the humans, drawn for each headline."""

from __future__ import annotations

from markupsafe import Markup

from ...judging.compare import Comparison
from ...text.phrases import metric_label
from .. import numbers
from ..charts.waterfall import draw_waterfall
from ..systems import list_steps


def draw_waterfalls(comparison: Comparison) -> list[tuple[str, Markup]]:
    """The label of each headline, with a chart of the steps from the plain baseline to the humans."""
    drawn = []
    for metric in comparison.headlines:
        steps = list_steps(comparison, metric)
        floors = [
            mean for one in comparison.systems if one.role == "floor" and (mean := one.means.get(metric)) is not None
        ]
        words = (
            f"{metric_label(metric)}: "
            + ", ".join(f"{step.name} {numbers.format_score(step.value)}" for step in steps)
            + "."
        )
        drawn.append((metric_label(metric), draw_waterfall(steps, max(floors, default=None), words)))
    return drawn
