"""What all charts share: colours, sizes, axes, and the rendering to inline SVG.

Charts are written in Vega-Lite (see `vega`), rendered without a browser and coloured by the page's CSS variables. Sizes
and paddings are fixed, so that a chart does not depend on the fonts of the machine that renders it. Each large chart is
drawn twice, for wide and for narrow screens, and the page shows one of them: scaled down, its words would be illegible.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import vl_convert
from markupsafe import Markup
from msgspec import Struct

from .vega import Json, number, value

SVG = "{http://www.w3.org/2000/svg}"
ElementTree.register_namespace("", SVG[1:-1])

INK, MUTED, RULE, WASH = "var(--ink)", "var(--muted)", "var(--rule)", "var(--wash)"
ACCENT, WORSE = "var(--accent)", "var(--worse)"
VERIFIED, UNDECIDED = "var(--verified)", "var(--undecided)"
WIDE, NARROW = 704, 336
"""Widths in CSS pixels, paddings included."""


class Padding(Struct, frozen=True):
    """Room around the plot for axes and labels, in pixels."""

    left: int
    top: int
    right: int
    bottom: int


def make_titled_axis(**options: Any) -> Json:
    """A vertical axis with its title above it, readable without turning the head."""
    return {
        "titleAngle": 0, "titleAlign": "left", "titleAnchor": "start", "titleX": -38, "titleY": -12,
        "titleBaseline": "bottom", "tickCount": 5, **options,
    }  # fmt: skip


def gain_axis(**options: Any) -> Json:
    """The vertical axis of gains: with their sign, and 0 without one."""
    signed = "datum.value == 0 ? '0' : format(datum.value, '+')"
    return number("gain", title="gain", axis=make_titled_axis(labelExpr=signed, **options))


GAIN_COLOUR = {"condition": {"test": "datum.gain < 0", **value(WORSE)}, **value(ACCENT)}
"""The colour of a row by the sign of its gain."""


def render_wide_and_narrow(draw: Callable[[int], Json], padding: Padding, description: str) -> Markup:
    """A chart drawn twice, for wide and for narrow screens; `draw` gets the inner width in pixels."""
    return Markup("\n").join(
        render_svg(draw(outer - padding.left - padding.right), padding, outer, kind, description)
        for kind, outer in (("wide", WIDE), ("narrow", NARROW))
    )


def render_svg(drawing: Json, padding: Padding, outer: int, kind: str, description: str) -> Markup:
    """A chart as inline SVG, `outer` pixels wide; `kind` is its class, `description` what a screen reader says."""
    text = {"labelFontSize": 12, "titleFontSize": 12, "labelColor": MUTED, "titleColor": MUTED, "titleFontWeight": 400}
    finished = {
        **drawing,
        "autosize": {"type": "none"},
        "padding": {"left": padding.left, "top": padding.top, "right": padding.right, "bottom": padding.bottom},
        "background": "transparent",
        "config": {
            "aria": False,
            "view": {"stroke": None},
            "axis": {"domainColor": RULE, "tickColor": RULE, "gridColor": RULE, **text},
        },
    }
    rendered = vl_convert.vegalite_to_svg(
        finished,
        # The chart fetches nothing, and its minus sign is the same as elsewhere on the page.
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
    return Markup(ElementTree.tostring(root, encoding="unicode"))
