"""The chart of gains by the length of the conversation."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from .theme import GAIN_COLOUR, INK, Padding, gain_axis, render_wide_and_narrow
from .vega import combine_layers, draw_layer, number

MOST_POINTS = 300
"""Of more conversations, as many are drawn, at even distances in the order of their lengths."""

PADDING = Padding(46, 26, 12, 40)


def draw_lengths(points: Sequence[tuple[int, float]], description: str) -> Markup:
    """Draw a point for each conversation, given as its number of words and its gain; the x axis ends at the longest."""
    if not points:
        return Markup()
    ordered = sorted(points)
    longest = ordered[-1][0]
    if len(ordered) > MOST_POINTS:
        ordered = [ordered[round(at * (len(ordered) - 1) / (MOST_POINTS - 1))] for at in range(MOST_POINTS)]
    rows = [{"words": words, "gain": gain} for words, gain in ordered]
    x = number(
        "words",
        title="words in the conversation",
        scale={"domain": [0, longest], "nice": False},
        axis={"grid": False, "tickCount": 6, "labelOverlap": "greedy"},
    )
    y = gain_axis(tickCount=4)
    layers = [
        draw_layer([{"gain": 0.0}], {"type": "rule", "color": INK, "strokeWidth": 1}, {"y": y}),
        draw_layer(
            rows,
            {"type": "point", "filled": True, "size": 26, "opacity": 0.75},
            {"x": x, "y": y, "color": GAIN_COLOUR},
        ),
    ]
    return render_wide_and_narrow(lambda inner: combine_layers(layers, width=inner, height=110), PADDING, description)
