"""Charts as inline SVG: drawn by Vega-Altair, rendered without a browser, coloured by the page's CSS variables.

Sizes and paddings are fixed, so that a chart does not depend on the fonts of the machine that renders it. Each large
chart is drawn twice, for wide and for narrow screens (the page shows one of them): scaled down, its words could not be
read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from xml.etree import ElementTree

import altair as alt
import vl_convert
from markupsafe import Markup
from msgspec import Struct

from ..records.training import CurvePoint, TrainingSummary
from ..statistics.lift import Lift, LiftResult, NoLift
from . import numbers
from .systems import Step

SVG = "{http://www.w3.org/2000/svg}"
XLINK_HREF = "{http://www.w3.org/1999/xlink}href"
ElementTree.register_namespace("", SVG[1:-1])

INK, MUTED, RULE, WASH = "var(--ink)", "var(--muted)", "var(--rule)", "var(--wash)"
ACCENT, WORSE, PAPER = "var(--accent)", "var(--worse)", "var(--paper)"
WIDE, NARROW = 704, 336
"""Widths in CSS pixels, paddings included."""


class Padding(Struct, frozen=True):
    """Room around the plot for axes and labels, in pixels."""

    left: int
    top: int
    right: int
    bottom: int


class Bar(Struct, frozen=True):
    """One conversation's gain."""

    gain: float
    anchor: str
    """Id of the page's element about this conversation."""


def waterfall(steps: Sequence[Step], floor: float | None, description: str) -> Markup:
    """A bar a step, from the mean that it builds upon to its own.

    A dashed line is the best control.
    """
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
    x = alt.X(
        "to:Q", title=None, scale=alt.Scale(domain=[0, 1.16 * top], nice=False), axis=alt.Axis(tickCount=5, grid=False)
    )
    y = alt.Y("place:O", title=None, axis=alt.Axis(labels=False, ticks=False))
    data = alt.Chart(alt.Data(values=rows))
    layers = [
        data.mark_bar(height=15).encode(x=x, x2="from:Q", y=y, color=alt.Color("colour:N", scale=None)),
        data.mark_text(align="left", dx=5, color=INK, fontSize=12)
        .encode(x=alt.X("end:Q", scale=alt.Scale(domain=[0, 1.16 * top], nice=False)), y=y, text="label:N")
        .transform_calculate(end="max(datum.to, datum.from)"),
        data.mark_text(align="left", color=INK, fontSize=12, dy=-15).encode(x=alt.value(2), y=y, text="name:N"),
    ]
    if floor is not None:
        line = alt.Chart(alt.Data(values=[{"to": floor, "words": "best control"}]))
        layers += [
            line.mark_rule(color=INK, strokeWidth=1.25, strokeDash=[5, 4]).encode(x=x),
            line.mark_text(color=INK, align="right", dx=-4, fontSize=12).encode(x=x, y=alt.value(-9), text="words:N"),
        ]
    drawing = alt.layer(*layers)
    height = 38 * len(steps)
    return _render(lambda inner: drawing.properties(width=inner, height=height), Padding(8, 24, 20, 24), description)


def lift_domain(lifts: Sequence[LiftResult], target: float) -> tuple[float, float]:
    """A range of lifts that holds zero, the target and all intervals, so that candidates share one scale."""
    known = [lift for lift in lifts if isinstance(lift, Lift)]
    bounds = [0.0, target, *(bound for lift in known for bound in (lift.low, lift.high) if bound is not None)]
    low, high = min(bounds), max(bounds)
    margin = 0.1 * ((high - low) or 1.0)
    return low - margin, high + margin


def lift_interval(lift: LiftResult, target: float, domain: tuple[float, float], description: str) -> Markup:
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
        line(target, f"target {numbers.target(target)}", target_side, INK, [5, 4]),
        row.mark_rule(color=ACCENT, strokeWidth=9, opacity=0.35).encode(x=at("low"), x2="high:Q", y=alt.value(22)),
        *(
            row.mark_tick(color=ACCENT, thickness=2, size=19, orient="vertical").encode(x=at(end), y=alt.value(22))
            for end in ("low", "high")
        ),
        row.mark_point(color=ACCENT, fill=ACCENT, size=95, opacity=1).encode(x=at("lift"), y=alt.value(22)),
    )
    padding = Padding(30, 24, 58, 24)
    drawn = drawing.properties(width=NARROW - padding.left - padding.right, height=44)
    return _svg(drawn, padding, NARROW, "small", description)


class Point(Struct, frozen=True):
    """One version of a baseline, or the run that is gated."""

    label: str
    mean: float
    low: float | None
    high: float | None
    gated: bool = False


def trend(points: Sequence[Point], description: str) -> Markup:
    """A mean with its interval for each version, in their order; the run that is gated is ringed."""
    rows = [
        {"place": place, "label": one.label, "mean": one.mean, "low": one.low or one.mean, "high": one.high or one.mean}
        for place, one in enumerate(points)
    ]
    x = alt.X("place:O", title=None, axis=alt.Axis(labels=False, ticks=False, grid=False))
    y = alt.Y("mean:Q", title="mean", scale=alt.Scale(zero=False), axis=_top_titled())
    data = alt.Chart(alt.Data(values=rows))
    ringed = alt.Chart(alt.Data(values=[row for row, one in zip(rows, points, strict=True) if one.gated]))
    drawing = alt.layer(
        data.mark_line(color=MUTED, strokeWidth=1.25).encode(x=x, y=y),
        data.mark_rule(color=ACCENT, strokeWidth=5, opacity=0.35).encode(x=x, y="low:Q", y2="high:Q"),
        data.mark_point(color=ACCENT, fill=ACCENT, size=60, opacity=1).encode(x=x, y=y),
        ringed.mark_point(color=INK, size=190, strokeWidth=1.75, opacity=1, filled=False).encode(x=x, y=y),
        data.mark_text(color=INK, fontSize=12, dy=14, baseline="top").encode(x=x, y=alt.value(168), text="label:N"),
    )
    return _render(lambda inner: drawing.properties(width=inner, height=170), Padding(46, 26, 14, 34), description)


def training_curve(curve: Sequence[CurvePoint], training: TrainingSummary | None, description: str) -> Markup:
    """Training loss (thin) and validation loss (with points) by step; the best checkpoint is ringed."""
    losses = [{"step": point.step, "loss": point.loss} for point in curve if point.loss is not None]
    checked = [
        {"step": point.step, "loss": point.validation_loss} for point in curve if point.validation_loss is not None
    ]
    if not losses and not checked:
        return Markup()
    best = [row for row in checked if training is not None and row["step"] == training.best_step]
    x = alt.X(
        "step:Q",
        title="optimizer step",
        axis=alt.Axis(grid=False, tickMinStep=1, tickCount=8),
        scale=alt.Scale(zero=False),
    )
    y = alt.Y("loss:Q", title="loss per target token", scale=alt.Scale(zero=False), axis=_top_titled())
    layers = [
        alt.Chart(alt.Data(values=losses))
        .mark_line(color=MUTED, strokeWidth=1.25, point={"color": MUTED, "size": 12} if len(losses) < 3 else False)
        .encode(x=x, y=y),
        alt.Chart(alt.Data(values=checked))
        .mark_line(color=ACCENT, strokeWidth=2, point={"fill": ACCENT, "color": ACCENT, "size": 34})
        .encode(x=x, y=y),
        alt.Chart(alt.Data(values=best))
        .mark_point(color=INK, size=190, strokeWidth=1.75, opacity=1, filled=False)
        .encode(x=x, y=y),
    ]
    drawing = alt.layer(*layers)
    return _render(lambda inner: drawing.properties(width=inner, height=220), Padding(46, 26, 14, 42), description)


def sorted_gains(bars: Sequence[Bar], description: str) -> Markup:
    """One bar a conversation, worst first, each a link to the conversation; a dashed line is their mean."""
    if not bars:
        return Markup()
    ordered = sorted(bars, key=lambda bar: bar.gain)
    mean = sum(bar.gain for bar in ordered) / len(ordered)
    rows = [
        {
            "place": place,
            "next": place + (0.8 if len(ordered) <= 240 else 1),
            "gain": bar.gain,
            "href": f"#{bar.anchor}",
        }
        for place, bar in enumerate(ordered)
    ]
    x = alt.X("place:Q", scale=alt.Scale(domain=[-0.5, len(ordered) + 0.3], nice=False), axis=None)
    y = alt.Y("gain:Q", title="gain", axis=_top_titled(labelExpr="datum.value == 0 ? '0' : format(datum.value, '+')"))
    levels = alt.Chart(alt.Data(values=[{"gain": 0.0}, {"gain": mean}]))
    drawing = alt.layer(
        alt.Chart(alt.Data(values=rows))
        .mark_rect()
        .encode(
            x=x,
            x2="next:Q",
            y=y,
            y2=alt.datum(0),
            href="href:N",
            color=alt.condition("datum.gain < 0", alt.value(WORSE), alt.value(ACCENT)),
        ),
        levels.transform_filter("datum.gain == 0").mark_rule(color=INK, strokeWidth=1).encode(y=y),
        levels.transform_filter("datum.gain != 0")
        .mark_rule(color=INK, strokeWidth=1.25, strokeDash=[5, 4])
        .encode(y=y),
    )
    return _render(lambda inner: drawing.properties(width=inner, height=200), Padding(46, 26, 8, 12), description)


def _top_titled(**options: Any) -> alt.Axis:
    """A vertical axis whose title stands above it, to be read without turning the head."""
    return alt.Axis(
        titleAngle=0, titleAlign="left", titleAnchor="start", titleX=-38, titleY=-12, titleBaseline="bottom",
        tickCount=5, **options,
    )  # fmt: skip


def _render(draw: Callable[[int], alt.LayerChart], padding: Padding, description: str) -> Markup:
    return Markup("\n").join(
        _svg(draw(outer - padding.left - padding.right), padding, outer, kind, description)
        for kind, outer in (("wide", WIDE), ("narrow", NARROW))
    )


def _svg(drawing: alt.LayerChart, padding: Padding, outer: int, kind: str, description: str) -> Markup:
    text = {"labelFontSize": 12, "titleFontSize": 12, "labelColor": MUTED, "titleColor": MUTED, "titleFontWeight": 400}
    finished = drawing.properties(
        autosize=alt.AutoSizeParams(type="none"),
        padding={"left": padding.left, "top": padding.top, "right": padding.right, "bottom": padding.bottom},
        background="transparent",
    ).configure(
        aria=False,
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(domainColor=RULE, tickColor=RULE, gridColor=RULE, **text),
    )
    rendered = vl_convert.vegalite_to_svg(
        finished.to_dict(),
        # Nothing is ever fetched; and a minus is written as everywhere else on the page.
        allowed_base_urls=[],
        format_locale={"decimal": ".", "thousands": ",", "grouping": [3], "currency": ["", ""], "minus": "-"},
    )
    root = ElementTree.fromstring(rendered)
    height = int(float(root.attrib.pop("height")))
    root.attrib.pop("width")
    root.attrib.update({"viewBox": f"0 0 {outer} {height}", "class": f"chart {kind}", "role": "img"})
    root.set("aria-label", description)
    for element in root.iter():
        for name in ("aria-roledescription", "role", "aria-hidden", "aria-label") if element is not root else ():
            element.attrib.pop(name, None)
        if XLINK_HREF in element.attrib:
            # Vega makes an absolute address of it. The list below the chart has the same links for the keyboard.
            element.set("href", "#" + element.attrib.pop(XLINK_HREF).rpartition("#")[2])
            element.set("tabindex", "-1")
    return Markup(ElementTree.tostring(root, encoding="unicode"))
