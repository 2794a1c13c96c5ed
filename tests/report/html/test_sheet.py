"""The page of a sheet: blind, complete in itself, and no text that becomes markup."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from liftbench.records.conversation import Conversation, Turn
from liftbench.report.html.sheet import render_sheet
from liftbench.report.pages import write_sheet_page

from ...support.browser import Browser
from ...support.build import write_conversations
from ...support.sheets import build_sheet
from .test_comparison import HOSTILE, Page

SHEET, KEY = build_sheet(write_conversations(5), other=["Two. Sentences.", "", "One.", "Three, so. To. Say.", "1."])


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(render_sheet(SHEET))


def test_every_pair_has_its_turns_its_sentences_and_its_questions(page: Page) -> None:
    assert page.unbalanced == []
    assert page.values("data-id") == [pair.id for pair in SHEET.pairs]
    assert page.values("data-sheet") == [SHEET.id]
    sentences = sum(item.left_sentences + item.right_sentences for item in KEY.items)
    names = page.values("name")
    assert sum(name.endswith("-better") for name in names) == 3 * len(SHEET.pairs)
    assert sum("-left-" in name or "-right-" in name for name in names) == 3 * sentences
    assert "This summary is empty." in page.text
    for pair in SHEET.pairs:
        for words in (*pair.left_sentences, *pair.right_sentences, *(turn.text for turn in pair.turns)):
            assert " ".join(words.split()) in page.text


def test_the_page_does_not_say_which_summary_is_whose() -> None:
    text = render_sheet(SHEET)
    for word in (KEY.candidate, KEY.other, "run-", "untuned", *(item.conversation for item in KEY.items)):
        assert word not in text


def test_nothing_is_loaded_and_the_policy_says_so(page: Page) -> None:
    [policy] = [value for value in page.values("content") if "default-src" in value]
    assert policy.startswith("default-src 'none'")
    assert page.values("src") == page.values("href") == page.values("style") == []
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    for tag in ("script", "style"):
        [content] = page.content[tag]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_no_text_becomes_markup() -> None:
    def build(text: str) -> Page:
        rows = [Conversation(id="x", turns=(Turn(role=text, text=text),))]
        return Page(render_sheet(build_sheet(rows, candidate=[f"Ours {text}"], other=[f"Theirs {text}"])[0]))

    hostile, tame = build(HOSTILE), build("words")
    assert hostile.tags == tame.tags
    assert " ".join(HOSTILE.split()) in hostile.text


def test_the_page_goes_where_it_is_asked_for(tmp_path: Path) -> None:
    beside = write_sheet_page(SHEET, tmp_path / "reports" / "runs")
    assert beside == tmp_path / "reports" / f"judge-{SHEET.id}.html"
    assert write_sheet_page(SHEET, tmp_path / "reports" / "runs", tmp_path / "out").read_bytes() == beside.read_bytes()


def test_a_browser_shows_the_first_pair_alone(browser: Browser, tmp_path: Path) -> None:
    browser.open(write_sheet_page(SHEET, tmp_path / "runs"))
    assert "Pair 1 of 5 · 0 judged" in browser.text()
    assert [one.is_displayed() for one in browser.find_all("article")] == [True, False, False, False, False]
