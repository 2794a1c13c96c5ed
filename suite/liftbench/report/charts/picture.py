"""Charts as files of their own, in the colours that the page has on paper."""

from __future__ import annotations

import re
from importlib import resources
from xml.etree import ElementTree

import vl_convert
from markupsafe import Markup

from .theme import SVG

MARGIN, TITLE = 10, 32
"""Around a picture, and above it, in pixels."""


def make_picture(chart: Markup, title: str) -> str:
    """An SVG file of a chart of the page: under a title, with a size, a ground, and colours in place of the style's
    variables."""
    style = (resources.files("liftbench.report.html") / "templates" / "style.css").read_text(encoding="utf-8")
    colours = dict(reversed(re.findall(r"--([\w-]+): (#\w{6});", style)))  # The light scheme stands first, and counts.
    root = ElementTree.fromstring(re.sub(r"var\(--([\w-]+)\)", lambda found: colours[found[1]], chart))
    left, top, width, height = map(float, root.attrib["viewBox"].split())
    place = {"x": left - MARGIN, "y": top - TITLE}
    size = {"width": width + 2 * MARGIN, "height": height + TITLE + MARGIN}
    root.attrib.update({name: f"{number:g}" for name, number in size.items()})
    root.attrib["viewBox"] = " ".join(f"{number:g}" for number in (*place.values(), *size.values()))
    ground = {name: f"{number:g}" for name, number in (place | size).items()}
    words = {
        "x": f"{left:g}",
        "y": f"{top - MARGIN:g}",
        "font-size": "12",
        "font-weight": "bold",
        "fill": colours["ink"],
    }
    root.insert(0, ElementTree.Element(f"{SVG}rect", ground | {"fill": colours["paper"]}))
    root.insert(1, ElementTree.Element(f"{SVG}text", words | {"font-family": "sans-serif"}))
    root[1].text = title
    return ElementTree.tostring(root, encoding="unicode")


def make_png(picture: str) -> bytes:
    """The same picture as PNG, at twice its size."""
    return vl_convert.svg_to_png(picture, scale=2)
