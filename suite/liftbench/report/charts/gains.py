"""The chart of the gains of a candidate, conversation by conversation."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from markupsafe import Markup

from .theme import GAIN_COLOUR, INK, Padding, gain_axis, render_wide_and_narrow
from .vega import combine_layers, draw_layer, number

BARS = 240
"""The most bars: with more, they are thinner than the gap between them, and their elements slow the page down."""

PADDING = Padding(46, 26, 8, 12)


def draw_gains(gains: Sequence[float], description: str) -> Markup:
    """Draw a bar for each conversation, the worst first; the dashed line is the mean.

    Of more than `BARS` conversations, neighbours share a bar of their mean gain.
    """
    if not gains:
        return Markup()
    ordered = sorted(gains)
    mean = sum(ordered) / len(ordered)
    count = min(len(ordered), BARS)
    cuts = [round(place * len(ordered) / count) for place in range(count + 1)]
    rows = [
        {
            "place": start,
            "next": end if len(ordered) > BARS else end - 0.2,
            "gain": sum(ordered[start:end]) / (end - start),
        }
        for start, end in pairwise(cuts)
    ]
    x = number("place", scale={"domain": [0, len(ordered)], "nice": False}, axis=None)
    y = gain_axis()
    bar = {"x": x, "x2": {"field": "next"}, "y": y, "y2": {"datum": 0}, "color": GAIN_COLOUR}
    levels = [{"gain": 0.0}, {"gain": mean}]
    zero = {"type": "rule", "color": INK, "strokeWidth": 1}
    dashed = {"type": "rule", "color": INK, "strokeWidth": 1.25, "strokeDash": [5, 4]}
    layers = [
        draw_layer(rows, {"type": "rect"}, bar),
        draw_layer(levels, zero, {"y": y}, {"filter": "datum.gain == 0"}),
        draw_layer(levels, dashed, {"y": y}, {"filter": "datum.gain != 0"}),
    ]
    return render_wide_and_narrow(lambda inner: combine_layers(layers, width=inner, height=200), PADDING, description)
