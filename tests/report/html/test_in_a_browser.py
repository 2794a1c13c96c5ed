"""Every page in a real browser: it works by itself, for everybody, on every screen and on paper."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from ...support.browser import DESKTOP, PHONE, ZOOMED, Browser
from ...support.build import write_conversations
from ...support.pages import KINDS, Kind, Pages

A4 = (794, 1123)
"""A sheet of paper in the pixels of CSS."""

SEARCH = "input[type=search]"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[Kind, Path]:
    return Pages(tmp_path_factory.mktemp("pages"), write_conversations(12)).write()


each_page = pytest.mark.parametrize("kind", KINDS)
each_page_with_conversations = pytest.mark.parametrize("kind", ["comparison", "candidates", "runs"])


@each_page
def test_a_page_works_alone_and_is_open_to_everybody(kind: Kind, browser: Browser, pages: dict[Kind, Path]) -> None:
    browser.open(pages[kind])
    assert browser.requests() == []
    assert browser.errors() == []
    assert browser.broken_links() == []
    assert browser.violations() == []


@each_page
def test_an_open_conversation_is_open_to_everybody_in_the_dark_on_a_phone(
    kind: Kind, browser: Browser, pages: dict[Kind, Path]
) -> None:
    browser.open(pages[kind], size=PHONE, scheme="dark")
    assert browser.brightness() < 0.2
    if kind != "sheet":
        assert browser.follow("#conversations" if kind == "gate" else "#c6")
        browser.run("for (const one of document.querySelectorAll('main details')) one.open = true;")
    assert browser.violations() == []
    assert browser.errors() == []


@each_page
def test_nothing_is_wider_than_the_screen_or_the_paper(kind: Kind, browser: Browser, pages: dict[Kind, Path]) -> None:
    browser.open(pages[kind])
    browser.run("for (const one of document.querySelectorAll('details')) one.open = true;")
    wide = {}
    for name, size in {"desktop": DESKTOP, "phone": PHONE, "zoomed": ZOOMED}.items():
        browser.resize(*size)
        wide[name] = browser.overflow()
    browser.resize(*A4)
    browser.emulate(media="print")
    wide["paper"] = browser.overflow()
    assert wide == {name: [] for name in wide}


@each_page
def test_paper_is_white_and_has_all_that_was_open(kind: Kind, browser: Browser, pages: dict[Kind, Path]) -> None:
    browser.open(pages[kind], scheme="dark")
    browser.emulate("dark", media="print")
    assert browser.brightness() > 0.9
    assert [one.text for one in browser.find_all("nav") if one.is_displayed()] == []
    assert browser.print_pdf().count(b"/Type /Page\n") >= 1


@each_page
def test_a_link_leads_to_what_is_then_seen(kind: Kind, browser: Browser, pages: dict[Kind, Path]) -> None:
    browser.open(pages[kind])
    places = browser.run(
        "return [...new Set([...document.querySelectorAll('a[href^=\"#\"]')].map((one) => one.getAttribute('href')))]"
    )
    assert kind == "sheet" or len(places) > 3
    assert [place for place in places if not browser.follow(place)] == []
    # The same from outside: an address with the place in it.
    for place in places[-1:]:
        browser.open(pages[kind], place.removeprefix("#"))
        assert browser.is_seen(place)


@each_page_with_conversations
def test_the_search_is_near_for_those_who_use_the_tab_key(
    kind: Kind, browser: Browser, pages: dict[Kind, Path]
) -> None:
    browser.open(pages[kind])
    assert browser.tab_stops_before(SEARCH) <= 25


@each_page_with_conversations
def test_a_conversation_is_found_and_read_with_the_keyboard_alone(
    kind: Kind, browser: Browser, pages: dict[Kind, Path]
) -> None:
    browser.open(pages[kind])
    browser.tab(browser.tab_stops_before(SEARCH) + 1)
    browser.press("c005")
    browser.wait_for("return document.querySelector('main').innerText.includes('1 of 12 conversations')")
    for _ in range(20):
        browser.press(Keys.TAB)
        if browser.run("return document.activeElement.matches('[aria-expanded]')"):
            break
    browser.press(Keys.ENTER)
    browser.wait_for(
        "return document.querySelector('main').innerText.includes('Customer is complaining that the flight')"
    )
    assert browser.run("return location.hash").startswith("#c6")


def test_pairs_are_judged_with_the_keyboard_alone(browser: Browser, pages: dict[Kind, Path], tmp_path: Path) -> None:
    browser.open(pages["sheet"])
    browser.download_to(tmp_path)
    pairs = len(browser.find_all("article"))
    for _ in range(pairs):
        browser.press("1", "n")
    assert f"Pair {pairs} of {pairs} · {pairs} judged" in browser.text()
    # What was answered is there again after the page was closed.
    browser.open(pages["sheet"])
    assert f"{pairs} judged" in browser.text()
    stops = browser.tab(4)
    browser.tab(next(at for at, stop in enumerate(stops) if "#judge" in stop) + 1)
    browser.press("Ann", Keys.TAB, Keys.ENTER)
    judged = json.loads(browser.wait_for_file(tmp_path / "judgments-ann.json"))
    assert judged["judge"] == "Ann"
    assert [pair["better"] for pair in judged["pairs"]] == ["left"] * pairs


def test_signs_of_arrows_and_pairs_are_not_keys_of_the_page_while_a_name_is_written(
    browser: Browser, pages: dict[Kind, Path]
) -> None:
    browser.open(pages["sheet"])
    browser.run("localStorage.clear()")
    browser.open(pages["sheet"])
    browser.find("#judge").send_keys("nap12")
    assert "Pair 1 of" in browser.text()
    assert " 0 judged" in browser.text()
