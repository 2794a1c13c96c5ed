"""Texts that attack a page, or that are odd or very large, in a real browser: they stay what they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from liftbench.records.conversation import Conversation

from ...support.browser import PATIENCE, PHONE, Browser
from ...support.hostile import ATTACKS, CANARY, FOREIGN, ODD, hostile_conversations, hostile_summaries
from ...support.pages import KINDS, Kind, Pages

CONVERSATIONS = hostile_conversations()

SEEN = """
const bare = (text) => text.replace(/[\\p{Cc}\\s\\ufffd]/gu, "");
const around = arguments[0];
const walker = document.createTreeWalker(document.querySelector(around), NodeFilter.SHOW_TEXT);
let text = "";
while (walker.nextNode()) {
  if (!walker.currentNode.parentElement.closest("script, style, template")) text += walker.currentNode.data;
}
text = bare(text);
return arguments[1].filter((one) => !text.includes(bare(one))).map((one) => one.slice(0, 80));
"""
"""Which of the texts do not stand in the page as text; white space and control characters are left aside."""

LOOSE = """
const marks = /[\\u202a-\\u202e\\u2066-\\u2069]/;
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const found = [];
while (walker.nextNode()) {
  const { data, parentElement } = walker.currentNode;
  if (!marks.test(data) || parentElement.closest("script, style, template, option")) continue;
  if (!parentElement.closest("[dir], bdi")) found.push(parentElement.outerHTML.slice(0, 160));
}
return found;
"""
"""Elements whose texts may turn around what stands beside them."""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[Kind, Path]:
    attack = " ".join(ATTACKS.values())
    written = Pages(
        tmp_path_factory.mktemp("hostile"),
        CONVERSATIONS,
        hostile_summaries(CONVERSATIONS),
        name=f"{attack} {ODD['an override without an end']}",
        attack=f"{attack} {ODD['an override without an end']}",
    )
    return written.write()


def assert_harmless(browser: Browser) -> None:
    assert browser.run(f"return typeof {CANARY}") == "undefined"
    foreign = "return [...document.querySelectorAll(arguments[0])].map((one) => one.outerHTML.slice(0, 120))"
    assert browser.run(foreign, FOREIGN) == []
    assert browser.requests() == []
    assert browser.errors() == []
    assert browser.run("return location.href.split('#')[0]") == browser.page


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_of_hostile_texts_opens_and_runs_none(kind: Kind, browser: Browser, pages: dict[Kind, Path]) -> None:
    assert browser.open(pages[kind], size=PHONE) < PATIENCE
    assert_harmless(browser)
    assert browser.overflow() == []
    assert browser.run(LOOSE) == []


@pytest.mark.parametrize("kind", ["comparison", "candidates", "runs"])
def test_every_conversation_opens_and_is_shown_as_it_is(kind: Kind, browser: Browser, pages: dict[Kind, Path]) -> None:
    browser.open(pages[kind])
    missing = {}
    for number, conversation in enumerate(CONVERSATIONS, start=1):
        assert browser.follow(f"#c{number}"), conversation.id
        browser.show_all()
        missing[conversation.id] = browser.run(SEEN, "main", texts_of(conversation))
    assert {id_: texts for id_, texts in missing.items() if texts} == {}
    assert_harmless(browser)


def texts_of(conversation: Conversation) -> list[str]:
    """What must be read in an open conversation."""
    turns = [text for turn in conversation.turns for text in (turn.role, turn.text)]
    return [conversation.id, *turns, *conversation.references]


def test_all_pairs_of_a_sheet_are_shown_as_they_are(browser: Browser, pages: dict[Kind, Path]) -> None:
    browser.open(pages["sheet"])
    for _ in CONVERSATIONS:
        browser.press("n")
    texts = [turn.text for conversation in CONVERSATIONS for turn in conversation.turns]
    assert browser.run(SEEN, "main", texts) == []
    assert_harmless(browser)
