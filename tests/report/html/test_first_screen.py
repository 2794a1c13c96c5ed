"""The frame of the comparison's page in a browser: what is seen first, and what opens, folds and filters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from liftbench.judging.compare import compare
from liftbench.judging.guards import Guard
from liftbench.report.answer import answer_comparison
from liftbench.report.html.comparison import render_comparison

from ...support.build import write_run
from .test_comparison import background

if TYPE_CHECKING:
    from ...support.browser import Browser

SIZES = [(1440, 900), (390, 844)]

SEEN = """
const box = document.querySelector(arguments[0]).getBoundingClientRect();
return box.height > 0 && box.top >= 0 && box.bottom <= innerHeight && box.right <= innerWidth;
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    runs = [write_run(folder), write_run(folder, command="train", created="2026-01-05T11:00:00Z")]
    comparison = compare(runs[0], runs[1:], background(runs), slices=["turns"])
    found = Guard(
        name="endings",
        question="Do they end?",
        state="failed",
        words="1 does not: c003.",
        fix="Read the summary that was cut off.",
        ids=["c003"],
    )
    [result] = comparison.candidates
    guards = [found, *(one for one in result.verdict.guards if one.name != "endings")]
    comparison = replace(comparison, candidates=[replace(result, verdict=replace(result.verdict, guards=guards))])
    assert answer_comparison(comparison)[0].chips[0].guard == "endings"
    path = folder / "page.html"
    path.write_text(render_comparison(comparison, {run.id: run for run in runs}), encoding="utf-8")
    return path


@pytest.mark.parametrize("size", SIZES)
def test_badge_reason_next_step_and_lifts_are_seen_without_scrolling(
    size: tuple[int, int], browser: Browser, page: Path
) -> None:
    browser.open(page, size=size)
    for part in (".badge", ".reason", ".next", ".lifts"):
        assert browser.run(SEEN, part), part


def test_a_chip_leads_to_what_its_guard_found(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert not browser.run(SEEN, "#guard-1-endings")
    browser.find(".chip").click()
    assert browser.wait_for(SEEN, "#guard-1-endings")


def test_a_link_opens_a_folded_section(browser: Browser, page: Path) -> None:
    browser.open(page, "protocol")
    assert browser.run("return document.querySelector('#protocol > details').open")
    browser.run("location.hash = 'validity'")
    assert browser.wait_for("return document.querySelector('#validity > details').open")


def test_on_a_phone_the_contents_open_and_close_after_a_choice(browser: Browser, page: Path) -> None:
    browser.open(page, size=SIZES[1])
    assert not browser.run(SEEN, "#contents")
    browser.find(".contents button").click()
    assert browser.wait_for(SEEN, "#contents")
    browser.find("#contents a[href='#metrics']").click()
    assert browser.wait_for("return !document.querySelector('#contents').matches(':popover-open')")
    assert browser.run("return location.hash") == "#metrics"


def test_rows_in_which_systems_agree_are_shown_when_asked_for(browser: Browser, page: Path) -> None:
    browser.open(page, "systems")
    shown = "return [...document.querySelectorAll('#systems tbody tr')].filter((row) => row.offsetHeight).length"
    differing = browser.run(shown)
    assert 0 < differing < len(browser.find_all("#systems tbody tr"))
    browser.find("#systems .alike summary").click()
    assert browser.run(shown) == len(browser.find_all("#systems tbody tr"))


def test_a_hash_is_short_and_copied_whole(browser: Browser, page: Path) -> None:
    browser.open(page, "systems")
    browser.find("#systems .alike summary").click()
    width, text, title = browser.run(
        "const one = document.querySelector('#systems .hash'); getSelection().selectAllChildren(one);"
        "return [one.offsetWidth, getSelection().toString(), one.title];"
    )
    assert width < 100
    assert text == title
    assert len(title) == 64


def test_a_range_of_lengths_filters_the_conversations(browser: Browser, page: Path) -> None:
    browser.open(page, "slices")
    browser.run("document.addEventListener('filter-conversations', ({detail}) => { window.asked = detail; });")
    browser.run(
        """
        const chart = document.querySelector("figure.brush svg");
        const box = chart.getBoundingClientRect();
        for (const [type, share] of [["pointerdown", 0.3], ["pointermove", 0.6], ["pointerup", 0.6]]) {
          const at = { clientX: box.left + share * box.width, clientY: box.top + 9, bubbles: true, pointerId: 1 };
          chart.closest("figure").setPointerCapture = () => {};
          chart.dispatchEvent(new PointerEvent(type, at));
        }
        """
    )
    asked = browser.run("return window.asked")
    assert asked["field"] == "words"
    low, high = map(int, asked["value"].split(" to "))
    assert 0 < low < high
    assert browser.find_all(".brushed")
