"""The chart of a lift with its interval against the target."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from ...statistics.lift import Lift, LiftResult, NoLift
from .. import numbers
from .theme import ACCENT, INK, MUTED, NARROW, WASH, Padding, render_svg
from .vega import Json, combine_layers, draw_layer, name, number, value


def find_lift_domain(lifts: Sequence[LiftResult], target: float) -> tuple[float, float]:
    """The range of lifts that holds zero, the target and all intervals, so that candidates share one scale."""
    known = [lift for lift in lifts if isinstance(lift, Lift)]
    bounds = [0.0, target, *(bound for lift in known for bound in (lift.low, lift.high) if bound is not None)]
    low, high = min(bounds), max(bounds)
    margin = 0.1 * ((high - low) or 1.0)
    return low - margin, high + margin


def draw_lift(lift: LiftResult, target: float, domain: tuple[float, float], description: str) -> Markup:
    """Draw a lift with its interval against the target line; empty where there is no interval."""
    if isinstance(lift, NoLift) or lift.low is None or lift.high is None:
        return Markup()
    values = {"lift": lift.lift, "low": lift.low, "high": lift.high}
    scale = {"domain": list(domain), "nice": False, "zero": False}
    sign = "datum.value == 0 ? '0%' : format(datum.value, '+.3~p')"
    axis = {
        "labelExpr": sign, "grid": False, "title": None, "tickCount": 5, "labelOverlap": "greedy", "labelSeparation": 6,
    }  # fmt: skip

    def at(field: str) -> Json:
        return number(field, scale=scale, axis=axis)

    def line(place: float, words: str, align: str, colour: str, dash: list[int]) -> Json:
        here = [{"x": place, "words": words}]
        rule = {"type": "rule", "color": colour, "strokeWidth": 1.5, "strokeDash": dash}
        label = {"type": "text", "color": colour, "align": align, "dx": 4 if align == "left" else -4, "fontSize": 12}
        drawn = [
            draw_layer(here, rule, {"x": at("x")}),
            draw_layer(here, label, {"x": at("x"), "y": value(-9), "text": name("words")}),
        ]
        return {"layer": drawn}

    zero_side, target_side = ("right", "left") if target > 0 else ("left", "right")
    tick = {"type": "tick", "color": ACCENT, "thickness": 2, "size": 19, "orient": "vertical"}
    interval = {"type": "rule", "color": ACCENT, "strokeWidth": 9, "opacity": 0.35}
    point = {"type": "point", "color": ACCENT, "fill": ACCENT, "size": 95, "opacity": 1}
    middle = value(22)
    layers = [
        draw_layer(
            [{"from": target, "to": domain[1]}],
            {"type": "rect", "color": WASH},
            {"x": at("from"), "x2": {"field": "to"}},
        ),
        line(0.0, "no gain", zero_side, MUTED, [1, 0]),
        line(target, f"target {numbers.format_target(target)}", target_side, INK, [5, 4]),
        draw_layer([values], interval, {"x": at("low"), "x2": {"field": "high"}, "y": middle}),
        *(draw_layer([values], tick, {"x": at(end), "y": middle}) for end in ("low", "high")),
        draw_layer([values], point, {"x": at("lift"), "y": middle}),
    ]
    padding = Padding(30, 24, 58, 24)
    drawing = combine_layers(layers, width=NARROW - padding.left - padding.right, height=44)
    return render_svg(drawing, padding, NARROW, "small", description)
