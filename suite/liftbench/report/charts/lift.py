"""The chart of a lift with its interval against the target."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
from markupsafe import Markup

from ...statistics.lift import Lift, LiftResult, NoLift
from .. import numbers
from .theme import ACCENT, INK, MUTED, NARROW, WASH, Padding, render_svg


def find_lift_domain(lifts: Sequence[LiftResult], target: float) -> tuple[float, float]:
    """A range of lifts that holds zero, the target and all intervals, so that candidates share one scale."""
    known = [lift for lift in lifts if isinstance(lift, Lift)]
    bounds = [0.0, target, *(bound for lift in known for bound in (lift.low, lift.high) if bound is not None)]
    low, high = min(bounds), max(bounds)
    margin = 0.1 * ((high - low) or 1.0)
    return low - margin, high + margin


def draw_lift(lift: LiftResult, target: float, domain: tuple[float, float], description: str) -> Markup:
    """A lift with its interval against the target line; nothing where there is no interval."""
    if isinstance(lift, NoLift) or lift.low is None or lift.high is None:
        return Markup()
    values = {"lift": lift.lift, "low": lift.low, "high": lift.high}
    scale = alt.Scale(domain=list(domain), nice=False, zero=False)
    sign = "datum.value == 0 ? '0%' : format(datum.value, '+.3~p')"
    axis = alt.Axis(labelExpr=sign, grid=False, title=None, tickCount=5, labelOverlap="greedy", labelSeparation=6)

    def at(field: str) -> alt.X:
        return alt.X(f"{field}:Q", scale=scale, axis=axis)

    def line(value: float, words: str, align: str, colour: str, dash: list[int]) -> alt.LayerChart:
        here = alt.Chart(alt.Data(values=[{"x": value, "words": words}]))
        rule = here.mark_rule(color=colour, strokeWidth=1.5, strokeDash=dash).encode(x=at("x"))
        label = here.mark_text(color=colour, align=align, dx=4 if align == "left" else -4, fontSize=12).encode(
            x=at("x"), y=alt.value(-9), text="words:N"
        )
        return rule + label

    row = alt.Chart(alt.Data(values=[values]))
    reached = alt.Chart(alt.Data(values=[{"from": target, "to": domain[1]}]))
    zero_side, target_side = ("right", "left") if target > 0 else ("left", "right")
    drawing = alt.layer(
        reached.mark_rect(color=WASH).encode(x=at("from"), x2="to:Q"),
        line(0.0, "no gain", zero_side, MUTED, [1, 0]),
        line(target, f"target {numbers.format_target(target)}", target_side, INK, [5, 4]),
        row.mark_rule(color=ACCENT, strokeWidth=9, opacity=0.35).encode(x=at("low"), x2="high:Q", y=alt.value(22)),
        *(
            row.mark_tick(color=ACCENT, thickness=2, size=19, orient="vertical").encode(x=at(end), y=alt.value(22))
            for end in ("low", "high")
        ),
        row.mark_point(color=ACCENT, fill=ACCENT, size=95, opacity=1).encode(x=at("lift"), y=alt.value(22)),
    )
    padding = Padding(30, 24, 58, 24)
    drawn = drawing.properties(width=NARROW - padding.left - padding.right, height=44)
    return render_svg(drawn, padding, NARROW, "small", description)
