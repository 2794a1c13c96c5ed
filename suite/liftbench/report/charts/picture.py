"""Charts as files of their own, in the colours that the page has on paper."""

from __future__ import annotations

import re
from importlib import resources
from xml.etree import ElementTree

import vl_convert
from markupsafe import Markup

from .theme import SVG


def make_picture(chart: Markup) -> str:
    """An SVG file of a chart of the page: with a size, a ground, and colours in place of the style's variables."""
    style = (resources.files("liftbench.report.html") / "templates" / "style.css").read_text(encoding="utf-8")
    colours = dict(reversed(re.findall(r"--([\w-]+): (#\w{6});", style)))  # The light scheme stands first, and counts.
    root = ElementTree.fromstring(re.sub(r"var\(--([\w-]+)\)", lambda found: colours[found[1]], chart))
    _, _, width, height = root.attrib["viewBox"].split()
    root.attrib.update({"width": width, "height": height})
    root.insert(0, ElementTree.Element(f"{SVG}rect", {"width": width, "height": height, "fill": colours["paper"]}))
    return ElementTree.tostring(root, encoding="unicode")


def make_png(picture: str) -> bytes:
    """The same picture as PNG, at twice its size."""
    return vl_convert.svg_to_png(picture, scale=2)
