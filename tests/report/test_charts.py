"""The charts: coloured by the page alone, described in words, without links, nothing where nothing is."""

from __future__ import annotations

import re
from importlib import resources
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from markupsafe import Markup

from liftbench.report.charts.dots import Dot, draw_dots
from liftbench.report.charts.gains import BARS, draw_gains
from liftbench.report.charts.lengths import MOST_POINTS, draw_lengths
from liftbench.report.charts.picture import MARGIN, make_picture, make_png
from liftbench.report.charts.theme import NARROW

STYLE = (resources.files("liftbench.report.html") / "templates" / "style.css").read_text(encoding="utf-8")
LIGHT, DARK = (
    dict(re.findall(r"--([\w-]+): (#\w{6});", block)) for block in re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)[:2]
)


DESCRIBED = 'lift <of> "72%"'
AXIS = "score, higher is better"
DOTS = [
    Dot(row="other controls", value=0.1, low=0.05, high=0.15),
    Dot(row="other controls", value=0.2),
    Dot(row="candidate", value=0.4, low=0.3, high=0.5, judged=True),
    Dot(row="humans", value=0.6),
]
SMALL = {
    "dots": draw_dots(DOTS, 0.35, "target +40%", DESCRIBED, AXIS),
    "target beyond": draw_dots(DOTS, 0.9, "target +40%", DESCRIBED, AXIS),
    "no target": draw_dots(DOTS[2:], None, "", DESCRIBED, AXIS),
    "negative": draw_dots([Dot(row="candidate", value=-0.3, low=-0.4, high=-0.2)], None, "", DESCRIBED, AXIS),
}
LARGE = {
    "gains": draw_gains([-0.1, 0.2], DESCRIBED),
    "lengths": draw_lengths([(120, -0.1), (80, 0.2)], DESCRIBED),
}


DRAWN = SMALL | LARGE


def drawings(markup: Markup) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(f"<both>{markup}</both>"))


@pytest.mark.parametrize("drawn", SMALL.values(), ids=SMALL)
def test_a_small_chart_is_drawn_once_and_fits_a_phone(drawn: Markup) -> None:
    [drawing] = drawings(drawn)
    assert drawing.get("class") == "chart small"
    assert str(drawing.get("viewBox")).split()[2] == str(NARROW)


@pytest.mark.parametrize("drawn", LARGE.values(), ids=LARGE)
def test_a_large_chart_is_drawn_wide_and_narrow(drawn: Markup) -> None:
    assert [drawing.get("class") for drawing in drawings(drawn)] == ["chart wide", "chart narrow"]


@pytest.mark.parametrize("drawn", DRAWN.values(), ids=DRAWN)
def test_a_chart_has_its_description(drawn: Markup) -> None:
    for drawing in drawings(drawn):
        assert (drawing.get("role"), drawing.get("aria-label")) == ("img", DESCRIBED)


@pytest.mark.parametrize("drawn", DRAWN.values(), ids=DRAWN)
def test_every_visible_colour_is_the_pages(drawn: Markup) -> None:
    """A colour of Vega's own would be illegible in one of the two schemes."""
    for drawing in drawings(drawn):
        for element in drawing.iter():
            for paint in ("fill", "stroke"):
                colour = element.get(paint, "none")
                assert colour in ("none", "transparent") or colour.removeprefix("var(--").removesuffix(")") in LIGHT


def shapes(drawing: ElementTree.Element, fill: str) -> list[ElementTree.Element]:
    return [
        element
        for element in drawing.iter()
        if element.get("fill") == f"var(--{fill})" and element.tag.endswith("path")
    ]


def test_a_chart_has_no_tab_stops() -> None:
    """An image may hold no link (axe: nested-interactive), and 104 of them stood before the search."""
    for drawn in DRAWN.values():
        assert "<a" not in drawn
        assert "tabindex" not in drawn


def bars(drawn: Markup) -> list[list[str | None]]:
    colours = ("var(--worse)", "var(--accent)")
    return [
        [colour for element in drawing.iter() if (colour := element.get("fill")) in colours]
        for drawing in drawings(drawn)
    ]


def test_bars_stand_in_order_and_are_no_links() -> None:
    assert bars(DRAWN["gains"]) == [["var(--worse)", "var(--accent)"]] * 2
    assert "href" not in DRAWN["gains"]


def test_many_gains_share_bars() -> None:
    for drawing in bars(draw_gains([place / 5000 - 0.2 for place in range(5000)], "many")):
        assert len(drawing) == BARS
        assert drawing.count("var(--worse)") == BARS // 5


def words_of(drawing: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in drawing.iter() if element.tag.endswith("}text")]


def test_each_system_has_a_row_with_its_mean_and_systems_of_one_row_have_no_figures() -> None:
    [drawing] = drawings(DRAWN["dots"])
    words = words_of(drawing)
    assert [word for word in words if word in ("other controls", "candidate", "humans")] == [
        "other controls",
        "candidate",
        "humans",
    ]
    assert {"0.400", "0.600", "target +40%"} <= set(words)
    assert not {"0.100", "0.200"} & set(words)


def test_the_labels_of_an_axis_do_not_touch() -> None:
    """At 12 pixels a digit is less than 8 pixels wide."""
    for drawn in DRAWN.values():
        for drawing in drawings(drawn):
            rows: dict[str, list[tuple[float, str]]] = {}
            for element in drawing.iter():
                place = re.fullmatch(r"translate\((-?[\d.]+),(-?[\d.]+)\)", element.get("transform", ""))
                if element.tag.endswith("}text") and place and element.get("text-anchor") == "middle":
                    rows.setdefault(place[2], []).append((float(place[1]), element.text or ""))
            for labels in rows.values():
                ordered = sorted(labels)
                for (left, one), (right, other) in pairwise(ordered):
                    assert right - left > 4 * (len(one) + len(other)), (one, other)


def test_of_many_conversations_some_are_drawn() -> None:
    for drawing in drawings(draw_lengths([(place, 0.1) for place in range(2000)], "x")):
        assert len(shapes(drawing, "accent")) == MOST_POINTS


def test_a_plot_becomes_a_file_of_its_own() -> None:
    picture = make_picture(DRAWN["dots"], "ROUGE-L")
    root = ElementTree.fromstring(picture)
    assert (root.get("width"), next(iter(root)).get("fill")) == (str(NARROW + 2 * MARGIN), LIGHT["paper"])
    assert "var(" not in picture
    assert make_png(picture).startswith(b"\x89PNG")


def test_a_negative_number_is_written_as_in_the_text() -> None:
    assert "-0.1" in DRAWN["gains"]
    assert "\N{MINUS SIGN}" not in "".join(DRAWN.values())


def test_where_there_is_nothing_to_draw_there_is_no_chart() -> None:
    assert draw_dots([], 0.4, "x", "x", "x") == ""
    assert draw_lengths([], "x") == ""
    assert draw_gains([], "x") == ""


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
