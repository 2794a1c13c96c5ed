"""The chart of the steps from the plain baseline over prompts and candidates to the humans."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from ..systems import Step
from .theme import ACCENT, INK, MUTED, WORSE, Padding, render_wide_and_narrow
from .vega import combine_layers, draw_layer, name, number, order, value


def draw_waterfall(steps: Sequence[Step], floor: float | None, description: str) -> Markup:
    """Draw a bar for each step, from the mean that it builds on to its own; the dashed line is the best control."""
    if len(steps) < 2:
        return Markup()
    rows = [
        {
            "place": place,
            "name": step.name,
            "from": step.start,
            "to": step.value,
            "label": f"{step.value:.3f}",
            "colour": MUTED if not step.start else ACCENT if step.value >= step.start else WORSE,
        }
        for place, step in enumerate(steps)
    ]
    top = max([step.value for step in steps] + ([floor] if floor is not None else []))
    scale = {"domain": [0, 1.16 * top], "nice": False}
    x = number("to", title=None, scale=scale, axis={"tickCount": 5, "grid": False})
    y = order("place", title=None, axis={"labels": False, "ticks": False})
    bar = {"x": x, "x2": {"field": "from"}, "y": y, "color": name("colour", scale=None)}
    layers = [
        draw_layer(rows, {"type": "bar", "height": 15}, bar),
        draw_layer(
            rows,
            {"type": "text", "align": "left", "dx": 5, "color": INK, "fontSize": 12},
            {"x": number("end", scale=scale), "y": y, "text": name("label")},
            {"calculate": "max(datum.to, datum.from)", "as": "end"},
        ),
        draw_layer(
            rows,
            {"type": "text", "align": "left", "color": INK, "fontSize": 12, "dy": -15},
            {"x": value(2), "y": y, "text": name("name")},
        ),
    ]
    if floor is not None:
        line = [{"to": floor, "words": "best control"}]
        layers += [
            draw_layer(line, {"type": "rule", "color": INK, "strokeWidth": 1.25, "strokeDash": [5, 4]}, {"x": x}),
            draw_layer(
                line,
                {"type": "text", "color": INK, "align": "right", "dx": -4, "fontSize": 12},
                {"x": x, "y": value(-9), "text": name("words")},
            ),
        ]
    height = 38 * len(steps)
    return render_wide_and_narrow(
        lambda inner: combine_layers(layers, width=inner, height=height), Padding(8, 24, 20, 24), description
    )
