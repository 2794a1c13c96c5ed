"""Charts of what several series have in common, a line for each: trainings by step, systems by time."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape
from msgspec import Struct

from .theme import ACCENT, INK, NARROW, UNDECIDED, VERIFIED, WORSE, Padding, make_titled_axis, render_svg
from .vega import Json, combine_layers, draw_layer, number

COLOURS = (ACCENT, WORSE, VERIFIED, UNDECIDED, INK)
DASHES = ((1, 0), (6, 3), (2, 2), (8, 3, 2, 3))
"""Dashes differ as well as colours, for readers who cannot tell the colours apart."""


DAY = 86_400_000
"""Milliseconds."""

PADDING = Padding(52, 26, 20, 40)


class Look(Struct, frozen=True):
    """How the line of a series looks."""

    colour: str
    dash: tuple[int, ...]


class Line(Struct, frozen=True, kw_only=True):
    """One series."""

    points: list[tuple[float, float]]
    """x and y, in order."""
    look: Look
    spread: list[tuple[float, float]] = []
    """The bounds of each y, drawn as upright lines; empty where there are none."""
    thick: bool = False
    """Drawn thick, with its points."""
    ringed: float | None = None
    """The x of the point that is ringed."""


def choose_look(place: int) -> Look:
    """The look of the series with this number, from 0; 20 differ."""
    return Look(COLOURS[place % len(COLOURS)], DASHES[place % len(DASHES)])


def draw_swatch(look: Look) -> Markup:
    """A short piece of a line, for a legend."""
    dash = " ".join(map(str, look.dash))
    return Markup(
        f'<svg class="swatch" viewBox="0 0 28 8" aria-hidden="true"><line x1="0" x2="28" y1="4" y2="4" '
        f'stroke="{escape(look.colour)}" stroke-width="2.5" stroke-dasharray="{dash}"/></svg>'
    )


def draw_lines(lines: Sequence[Line], x_title: str, y_title: str, description: str, y_format: str = "") -> Markup:
    """One of several small charts beside each other; empty without a point. `y_format` is that of d3."""
    x_axis = {"grid": False, "tickMinStep": 1, "tickCount": 5}
    return _draw_plot(
        lines, number("x", title=x_title, axis=x_axis, scale={"zero": False}), y_title, description, y_format
    )


def draw_times(lines: Sequence[Line], y_title: str, description: str) -> Markup:
    """Such a chart over time; x is in milliseconds since 1970, UTC."""
    times = [x for line in lines for x, _ in line.points] or [0.0]
    days = (max(times) - min(times)) / DAY
    axis = {
        "grid": False,
        "tickCount": 3,
        "labelOverlap": "greedy",
        "format": "%d %b %H:%M" if days < 3 else "%d %b" if days < 300 else "%b %Y",
    }
    scale = {"type": "utc", "nice": False, "padding": 8}
    x = {"field": "x", "type": "temporal", "title": None, "axis": axis, "scale": scale}
    return _draw_plot(lines, x, y_title, description, "")


def _draw_plot(lines: Sequence[Line], x: Json, y_title: str, description: str, y_format: str) -> Markup:
    shown = [line for line in lines if line.points]
    if not shown:
        return Markup()
    y_axis = make_titled_axis(**({"format": y_format} if y_format else {}))
    y = number("y", title=y_title, scale={"zero": False}, axis=y_axis)
    layers = [layer for line in shown for layer in _draw(line, {"x": x, "y": y})]
    plot = combine_layers(layers, width=NARROW - PADDING.left - PADDING.right, height=150)
    return render_svg(plot, PADDING, NARROW, "multiple", description)


def _draw(line: Line, at: Json) -> list[Json]:
    rows: list[Json] = [{"x": x, "y": y} for x, y in line.points]
    bounds = [{**row, "low": low, "high": high} for row, (low, high) in zip(rows, line.spread, strict=False)]
    colour = line.look.colour
    dots: object = {"fill": colour, "color": colour, "size": 30 if line.thick else 12}
    mark = {
        "type": "line",
        "color": colour,
        "strokeDash": list(line.look.dash),
        "strokeWidth": 2.25 if line.thick else 1.25,
        "point": dots if line.thick or len(rows) < 3 else False,
    }
    if not line.thick:
        mark["opacity"] = 0.7
    between = {**at, "y": {**at["y"], "field": "low"}, "y2": {"field": "high"}}
    rule = {"type": "rule", "color": colour, "strokeWidth": 3, "opacity": 0.3}
    ring = {"type": "point", "color": INK, "size": 150, "strokeWidth": 1.75, "opacity": 1, "filled": False}
    ringed = [row for row in rows if row["x"] == line.ringed]
    return [draw_layer(bounds, rule, between), draw_layer(rows, mark, at), draw_layer(ringed, ring, at)]
