"""The chart of all systems on one metric: a row for each, its mean with its interval, and the target."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from msgspec import Struct

from .. import numbers
from .theme import ACCENT, INK, MUTED, NARROW, WASH, Padding, render_svg
from .vega import Json, combine_layers, draw_layer, name, number, value


class Dot(Struct, frozen=True, kw_only=True):
    """One system's mean."""

    row: str
    """The row's label; dots with one label share a row, which then shows neither figures nor intervals."""
    value: float
    low: float | None = None
    high: float | None = None
    judged: bool = False
    """Whether it is a candidate."""


def draw_dots(dots: Sequence[Dot], target: float | None, words: str, description: str, axis: str) -> Markup:
    """Draw a row for each system, in the order given; the area from `target` on is shaded, and `words` stand above.

    `axis` is the title of the axis.
    """
    if not dots:
        return Markup()
    rows = list(dict.fromkeys(dot.row for dot in dots))
    crowded = {row for row in rows if sum(dot.row == row for dot in dots) > 1}
    drawn = [
        {
            "row": dot.row,
            "value": dot.value,
            "low": dot.value if dot.low is None or dot.row in crowded else dot.low,
            "high": dot.value if dot.high is None or dot.row in crowded else dot.high,
            "label": "" if dot.row in crowded else numbers.format_score(dot.value),
            "colour": ACCENT if dot.judged else MUTED,
            "size": 22 if dot.row in crowded else 48,
        }
        for dot in dots
    ]
    ends = [float(one[end]) for one in drawn for end in ("low", "high")] + ([] if target is None else [target])
    margin = 0.06 * ((max(ends) - min(ends)) or 1.0)
    domain = [max(0.0, min(ends) - margin) if min(ends) >= 0 else min(ends) - margin, max(ends) + margin]
    padding = Padding(148, 22, 46, 40)
    width, height = NARROW - padding.left - padding.right, 20 * len(rows)
    judged = [dot.row for dot in dots if dot.judged]
    labels = {
        "ticks": False, "domain": False, "grid": True, "labelLimit": 0, "labelPadding": 8, "labelColor": INK,
        "labelFontWeight": {"condition": {"test": {"field": "value", "oneOf": judged}, "value": 700}, "value": 400},
    }  # fmt: skip
    scale = {"domain": domain, "nice": False, "zero": False}
    at = {"scale": scale, "axis": {"tickCount": 3, "grid": False, "title": axis, "labelOverlap": "greedy"}}
    y = {"field": "row", "type": "ordinal", "sort": rows, "title": None, "axis": labels}
    colour = name("colour", scale=None)
    point = {"type": "point", "filled": True, "opacity": 1}
    layers = [
        *(_target(target, domain[1], words, at) if target is not None else []),
        draw_layer(
            drawn,
            {"type": "rule", "strokeWidth": 4, "opacity": 0.45},
            {"x": number("low", **at), "x2": {"field": "high"}, "y": y, "color": colour},
        ),
        draw_layer(
            drawn,
            point,
            {
                "x": number("value", **at),
                "y": y,
                "color": colour,
                "size": {"field": "size", "type": "quantitative", "scale": None},
            },
        ),
        draw_layer(
            drawn,
            {"type": "text", "align": "right", "fontSize": 12, "color": INK},
            {"x": value(width + padding.right - 2), "y": y, "text": name("label")},
        ),
    ]
    return render_svg(combine_layers(layers, width=width, height=height), padding, NARROW, "small", description)


def _target(target: float, end: float, words: str, at: Json) -> list[Json]:
    """The shaded area from the target on, its line, and the words above it, on the side that has room."""
    domain = at["scale"]["domain"]
    right = (target - domain[0]) / (domain[1] - domain[0]) > 0.5
    here = [{"from": target, "to": max(end, target), "words": words}]
    x = number("from", **at)
    return [
        draw_layer(here, {"type": "rect", "color": WASH}, {"x": x, "x2": {"field": "to"}}),
        draw_layer(here, {"type": "rule", "color": INK, "strokeWidth": 1.25, "strokeDash": [5, 4]}, {"x": x}),
        draw_layer(
            here,
            {
                "type": "text",
                "color": INK,
                "fontSize": 12,
                "align": "right" if right else "left",
                "dx": -3 if right else 3,
            },
            {"x": x, "y": value(-9), "text": name("words")},
        ),
    ]
