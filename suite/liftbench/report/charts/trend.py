"""The chart of a promoted baseline's versions."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from msgspec import Struct

from .theme import ACCENT, INK, MUTED, Padding, make_titled_axis, render_wide_and_narrow
from .vega import combine_layers, draw_layer, name, number, order, value


class Point(Struct, frozen=True):
    """One version of a baseline, or the run that is gated."""

    label: str
    mean: float
    low: float | None
    high: float | None
    gated: bool = False


def draw_trend(points: Sequence[Point], description: str) -> Markup:
    """Draw the mean of each version with its interval, in order; the gated run is ringed."""
    rows = [
        {
            "place": place,
            "label": one.label,
            "mean": one.mean,
            "low": one.mean if one.low is None else one.low,
            "high": one.mean if one.high is None else one.high,
        }
        for place, one in enumerate(points)
    ]
    ringed = [row for row, one in zip(rows, points, strict=True) if one.gated]
    x = order("place", title=None, axis={"labels": False, "ticks": False, "grid": False})
    scale, axis = {"zero": False}, make_titled_axis()
    at = {"x": x, "y": number("mean", title="mean", scale=scale, axis=axis)}
    between = {"x": x, "y": number("low"), "y2": {"field": "high"}}
    below = {"x": x, "y": value(168), "text": name("label")}
    layers = [
        draw_layer(rows, {"type": "line", "color": MUTED, "strokeWidth": 1.25}, at),
        draw_layer(rows, {"type": "rule", "color": ACCENT, "strokeWidth": 5, "opacity": 0.35}, between),
        draw_layer(rows, {"type": "point", "color": ACCENT, "fill": ACCENT, "size": 60, "opacity": 1}, at),
        draw_layer(
            ringed,
            {"type": "point", "color": INK, "size": 190, "strokeWidth": 1.75, "opacity": 1, "filled": False},
            at,
        ),
        draw_layer(rows, {"type": "text", "color": INK, "fontSize": 12, "dy": 14, "baseline": "top"}, below),
    ]
    return render_wide_and_narrow(
        lambda inner: combine_layers(layers, width=inner, height=170), Padding(46, 26, 14, 34), description
    )
