"""The charts: coloured by the page alone, described in words, linked to the conversations, nothing where nothing is."""

from __future__ import annotations

import re
from importlib import resources
from xml.etree import ElementTree

import pytest
from liftbench.report.charts.lift import draw_lift, find_lift_domain
from markupsafe import Markup

from liftbench.report.charts.gains import Bar, draw_gains
from liftbench.report.charts.theme import NARROW

from ..support.build import make_lift

STYLE = (resources.files("liftbench.report.html") / "templates" / "style.css").read_text(encoding="utf-8")
LIGHT, DARK = (
    dict(re.findall(r"--([\w-]+): (#\w{6});", block)) for block in re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)[:2]
)


SMALL = {
    "lift": draw_lift(make_lift(0.72, 0.58, 0.88), 0.4, (-0.1, 1.0), 'lift <of> "72%"'),
    "negative": draw_lift(make_lift(-0.3, -0.4, -0.2), -0.1, (-0.5, 0.1), 'lift <of> "72%"'),
}
LARGE = {
    "gains": draw_gains([Bar(-0.1, "c2"), Bar(0.2, "c1")], 'lift <of> "72%"'),
}


DRAWN = SMALL | LARGE


def drawings(markup: Markup) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(f"<both>{markup}</both>"))


@pytest.mark.parametrize("drawn", SMALL.values(), ids=SMALL)
def test_an_interval_is_drawn_once_and_fits_a_phone(drawn: Markup) -> None:
    [drawing] = drawings(drawn)
    assert drawing.get("class") == "chart small"
    assert str(drawing.get("viewBox")).split()[2] == str(NARROW)


@pytest.mark.parametrize("drawn", LARGE.values(), ids=LARGE)
def test_a_large_chart_is_drawn_wide_and_narrow(drawn: Markup) -> None:
    assert [drawing.get("class") for drawing in drawings(drawn)] == ["chart wide", "chart narrow"]


@pytest.mark.parametrize("drawn", DRAWN.values(), ids=DRAWN)
def test_a_chart_has_its_description(drawn: Markup) -> None:
    for drawing in drawings(drawn):
        assert (drawing.get("role"), drawing.get("aria-label")) == ("img", 'lift <of> "72%"')


@pytest.mark.parametrize("drawn", DRAWN.values(), ids=DRAWN)
def test_every_visible_colour_is_the_pages(drawn: Markup) -> None:
    """A colour of Vega's own would be illegible in one of the two schemes."""
    for drawing in drawings(drawn):
        for element in drawing.iter():
            for paint in ("fill", "stroke"):
                colour = element.get(paint, "none")
                assert colour in ("none", "transparent") or colour.removeprefix("var(--").removesuffix(")") in LIGHT


def test_bars_stand_in_order_and_lead_to_their_conversations() -> None:
    for drawing in drawings(DRAWN["gains"]):
        links = [element for element in drawing.iter() if element.tag.endswith("}a")]
        assert [link.get("href") for link in links] == ["#c2", "#c1"]
        assert [next(iter(link)).get("fill") for link in links] == ["var(--worse)", "var(--accent)"]


def test_a_negative_number_is_written_as_in_the_text() -> None:
    assert "-0.1" in DRAWN["gains"]
    assert "\N{MINUS SIGN}" not in "".join(DRAWN.values())


def test_where_there_is_nothing_to_draw_there_is_no_chart() -> None:
    assert draw_lift(make_lift(None, None, None), 0.4, (0, 1), "x") == ""
    assert draw_gains([], "x") == ""


@pytest.mark.parametrize(
    ("bounds", "target"), [((0.58, 0.88), 0.4), ((-0.5, -0.2), 0.4), ((None, None), 0.4), ((0.1, 0.2), -0.1)]
)
def test_the_scale_holds_zero_target_and_intervals(bounds: tuple[float | None, float | None], target: float) -> None:
    low, high = find_lift_domain([make_lift(0.1, *bounds)], target)
    assert all(low < value < high for value in (0.0, target, *bounds) if value is not None)


# ------------------------------------------------------------------------------------------------------------ colours


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("name", ["ink", "muted", "accent", "worse", "verified", "undecided", "not-met"])
def test_words_stand_out_from_the_page(name: str, scheme: dict[str, str]) -> None:
    for ground in ("paper", "wash"):
        bright, dim = sorted((luminance(scheme[name]), luminance(scheme[ground])), reverse=True)
        assert (bright + 0.05) / (dim + 0.05) >= 4.5


def test_both_schemes_define_every_colour_and_nothing_undefined_is_used() -> None:
    assert LIGHT.keys() == DARK.keys()
    used = set(re.findall(r"var\(--([\w-]+)\)", STYLE))
    assert used <= LIGHT.keys() | {"state", "serif", "sans", "mono"}
