"""The conversations of a page as a reader uses them in a browser: filters, order, links, keys, differences, turns."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from selenium.webdriver.common.keys import Keys

from liftbench.files import write_lines
from liftbench.judging.compare import compare
from liftbench.records.conversation import Conversation, Turn
from liftbench.records.run import Finding, SampleScores
from liftbench.report.html.comparison import render_comparison
from liftbench.report.html.runs import render_runs
from liftbench.runs.directory import Run

from ...support.browser import PHONE, Browser
from ...support.build import reseal, write_run

SIZE = 230
HUGE = 0
"""The place of the conversation with a turn of a million letters and thousands of turns."""

STATUS = ".talk-status"
SHOWN = "return [...document.querySelectorAll('.talk')].map((item) => item.id)"
HASH = "return location.hash"
OPEN = "return document.querySelector('.talk.open')?.id ?? ''"
FOCUS = "return document.activeElement.closest('.talk')?.id ?? document.activeElement.localName"


def conversation(place: int) -> Conversation:
    name = f"Person{place}"
    turns = [
        Turn(role="customer", text=f"{name} here, my parcel number {1000 + place} never arrived on Monday."),
        Turn(role="agent", text="Let me look into that, one moment please."),
        Turn(role="agent", text=f"The courier lost it, I will refund {place} pounds to your card."),
    ]
    if place == HUGE:
        turns += [Turn(role="customer", text="w" * 1_000_000), *(Turn(role="agent", text="Yes.") for _ in range(3000))]
    return Conversation(
        id=f"id/{place} <b>",
        turns=tuple(turns),
        references=(f"{name} misses a parcel. The agent refunds {place} pounds.", "Somebody else wrote this."),
        metadata={"company": "Acme" if place % 3 else "Zeta & Söhne", "search": "odd" if place % 2 else "even"},
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """A baseline and a candidate whose gains rise with the place; its first 20 summaries have something wrong."""
    folder = tmp_path_factory.mktemp("runs")
    rows = [conversation(place) for place in range(SIZE)]
    baseline = write_run(
        folder,
        conversations=rows,
        texts=[f"Person{place} misses a letter. The agent helps." for place in range(SIZE)],
        scores={"rougeL": [0.4] * SIZE, "rouge1": [place % 7 / 10 for place in range(SIZE)]},
    )
    candidate = write_run(
        folder,
        command="train",
        conversations=rows,
        texts=[f"Person{place} misses a parcel. The agent refunds 77 pounds." for place in range(SIZE)],
        scores={"rougeL": [0.3 + place / 1000 for place in range(SIZE)], "rouge1": [0.5] * SIZE},
    )
    texts = {id_: one.text for id_, one in candidate.predictions.items()}
    places = {row.id: place for place, row in enumerate(rows)}
    scored = [
        SampleScores(
            id=id_,
            scores=scores,
            findings={"f": [Finding(start=(at := texts[id_].index("77")), end=at + 2, kind="unsupported number")]}
            if places[id_] < 20
            else {},
        )
        for id_, scores in candidate.scores.items()
    ]
    write_lines(candidate.folder / "scores.jsonl", scored)
    cut = [
        replace(one, finish_reason="length" if places[id_] < 5 else "stop")
        for id_, one in candidate.predictions.items()
    ]
    write_lines(candidate.folder / "predictions.jsonl", cut)
    return [baseline, reseal(candidate)]


@pytest.fixture(scope="module")
def page(runs: list[Run], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pages") / "comparison.html"
    compared = compare(runs[0], runs[1:], slices=["company"])
    path.write_text(render_comparison(compared, {run.id: run for run in runs}), encoding="utf-8")
    return path


def choose(browser: Browser, name: str, value: str) -> None:
    browser.run(
        "const control = document.querySelector(`[data-state='${arguments[0]}']`);"
        "control.value = arguments[1]; control.dispatchEvent(new Event('input', {bubbles: true}));",
        name,
        value,
    )


def click(browser: Browser, selector: str, place: int = 0) -> None:
    browser.run("document.querySelectorAll(arguments[0])[arguments[1]].click()", selector, place)


# ------------------------------------------------------------------------------------------------------- the list


def test_a_few_rows_are_there_and_the_others_some_clicks_away(browser: Browser, page: Path) -> None:
    browser.open(page)
    shown = browser.run(SHOWN)
    assert shown == [f"c{place}" for place in range(1, 26)]
    for number in (50, 100, 200, SIZE):
        click(browser, ".talk-rows + .talk-more")
        assert len(browser.run(SHOWN)) == number
    assert not browser.find(".talk-rows + .talk-more").is_displayed()
    assert browser.errors() == browser.requests() == []


def test_each_row_says_what_is_wrong_with_it(browser: Browser, page: Path) -> None:
    browser.open(page)
    tags = browser.run("return [0, 5, 22].map((at) => document.querySelectorAll('.talk-tags')[at].textContent.trim())")
    assert tags[0].startswith("cut off 1 invented detail")
    assert tags[1].startswith("1 invented detail")
    assert "cut off" not in tags[1]
    assert "invented" not in tags[2]


FILTERS: list[tuple[dict[str, str], int]] = [
    ({"guard": "endings"}, 5),
    ({"guard": "facts"}, 20),
    ({"problem": "cut off", "field:company": "Acme"}, 3),
    ({"change": "worse"}, 100),
    ({"change": "same"}, 1),
    ({"field:search": "odd"}, 115),
    ({"field:company": "Zeta & Söhne"}, 77),
    ({"metric": "rouge1", "of": "baseline", "min": "0.55"}, 32),
    ({"metric": "rougeL", "of": "gain", "min": "-0.0105", "max": "0.0205"}, 31),
    ({"search": "person17 PARCEL"}, 1 + 10),
    ({"search": '"here, my parcel number 1003 "'}, 1),
    ({"search": "<b>"}, SIZE),
    ({"search": "söhne"}, 77),
    ({"search": "nothing has this"}, 0),
]
"""What is chosen in controls, and how many conversations that finds."""


def test_a_filter_is_in_the_address_and_the_address_sets_the_filter(browser: Browser, page: Path) -> None:
    browser.open(page)
    address = ""
    for choices, number in FILTERS:
        for name, value in choices.items():
            choose(browser, name, value)
        address = browser.wait_for("return location.hash.includes('?') && location.hash")
        words = f"{number} of {SIZE} conversations" if number < SIZE else f"{SIZE} conversations"
        assert browser.text(STATUS).startswith(words), choices
        shown = browser.run(SHOWN)
        _clear(browser)
        browser.follow(address)
        assert browser.text(STATUS).startswith(words), address
        assert browser.run(SHOWN) == shown, address
        _clear(browser)
    browser.open(page, address.removeprefix("#"))
    assert browser.text(STATUS).startswith(words)


def _clear(browser: Browser) -> None:
    """Clear the filters, also in the address, which would follow a moment later."""
    click(browser, f"{STATUS} button")
    assert browser.text(STATUS) == f"{SIZE} conversations"
    browser.run("history.replaceState(null, '', location.pathname)")


def test_any_metric_sorts_in_both_directions(browser: Browser, page: Path) -> None:
    browser.open(page, "conversations?sort=rougeL&by=candidate&order=desc")
    assert browser.run(SHOWN)[:2] == [f"c{SIZE}", f"c{SIZE - 1}"]
    choose(browser, "sort", "rouge1")
    choose(browser, "by", "baseline")
    assert browser.run(SHOWN)[:2] == ["c7", "c14"]
    choose(browser, "order", "asc")
    assert browser.run(SHOWN)[:2] == ["c1", "c8"]
    assert "ROUGE-1" in browser.text(".talk-columns")
    choose(browser, "sort", "place")
    assert browser.run(SHOWN)[:2] == ["c1", "c2"]


def test_other_parts_of_the_page_ask_for_a_field(browser: Browser, page: Path) -> None:
    browser.open(page)
    ask = (
        "const [field, value] = arguments;"
        "document.dispatchEvent(new CustomEvent('filter-conversations', {detail: {field, value}}));"
    )
    browser.run(ask, "company", "Acme")
    assert browser.text(STATUS).startswith("153 of 230")
    assert browser.run(HASH) == "#conversations?company=Acme"
    browser.run(ask, "company", None)
    browser.run(ask, "words", "0 to 30")
    assert browser.text(STATUS).startswith("229 of 230")
    browser.run("location.hash = '#conversations?company=Acme'")
    browser.wait_for("return document.querySelector('.talk-status').textContent.startsWith('153')")


# -------------------------------------------------------------------------------------------------------- keys, links


def test_keys_lead_through_the_list(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.press("j", "j", "j", "k")
    assert browser.run(FOCUS) == "c2"
    browser.press(Keys.ENTER)
    assert (browser.run(OPEN), browser.run(HASH)) == ("c2", "#c2")
    assert browser.find("#c2 > button").get_attribute("aria-expanded") == "true"
    browser.press("j")
    assert (browser.run(OPEN), browser.run(FOCUS), browser.run(HASH)) == ("c3", "c3", "#c3")
    browser.press("k", "k", "k")
    assert browser.run(OPEN) == "c1"
    browser.press(Keys.ESCAPE)
    assert (browser.run(OPEN), browser.run(FOCUS), browser.run(HASH)) == ("", "c1", "#conversations")
    browser.press("/", "j", "k", "/")
    assert browser.run("return document.activeElement.value") == "jk/"
    assert browser.run(OPEN) == ""
    browser.press(Keys.ESCAPE, Keys.ESCAPE)
    assert browser.run("return document.activeElement.localName") == "body"
    browser.find(".talk-keys input").click()
    browser.press("j")
    assert browser.run(FOCUS) == "input"


def test_a_link_opens_its_conversation_wherever_it_is(browser: Browser, page: Path) -> None:
    browser.open(page, f"c{SIZE}")
    assert (browser.run(OPEN), browser.run(FOCUS)) == (f"c{SIZE}", f"c{SIZE}")
    assert browser.run(SHOWN)[0] == "c226"
    browser.press("k")
    browser.run("location.hash = '#c201'")
    browser.wait_for("return document.querySelector('.talk.open')?.id === 'c201'")
    browser.press("k")
    assert (browser.run(OPEN), browser.run(SHOWN)[0]) == ("c200", "c171")
    # A filter that leaves the conversation out gives way.
    browser.open(page, "conversations?guard=endings")
    click(browser, f".extremes a[href='#c{SIZE}']")
    browser.wait_for("return document.querySelector('.talk.open')?.id === arguments[0]", f"c{SIZE}")
    assert browser.text(STATUS) == f"{SIZE} conversations"


NONSENSE = [
    "c99999",
    "c0",
    "c-1",
    "c1e1",
    "conversations?sort=no&by=no&order=no&about=9&of=no&diff=no&change=no",
    "c3?%&=&a",
]


def test_an_address_that_makes_no_sense_does_no_harm(browser: Browser, page: Path) -> None:
    browser.open(page, "%")
    for fragment in NONSENSE:
        browser.follow(f"#{fragment}")
        assert browser.text(STATUS), fragment
        assert browser.errors() == [], fragment


def test_a_click_on_the_chart_of_gains_opens_a_conversation(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.run(
        "const chart = document.querySelector('figure.gains svg.wide'); const box = chart.getBoundingClientRect();"
        "chart.dispatchEvent(new MouseEvent('click', {bubbles: true, clientX: box.right - box.width * 9 / 704}));"
    )
    assert browser.run(OPEN) == f"c{SIZE}"


# ------------------------------------------------------------------------------------------------------------- opened


def test_an_opened_conversation_shows_everything(browser: Browser, page: Path) -> None:
    browser.open(page, "c4")
    inside = browser.text(".talk-inside")
    for words in (
        "id/3 <b>", "company: Zeta & Söhne", "2 human summaries", "Person3 misses a letter. The agent helps.",
        "Somebody else wrote this.", "Conversation, 3 turns", "I will refund 3 pounds", "unsupported number", "-0.097",
        "ROUGE-1", "1 invented detail",
    ):  # fmt: skip
        assert words in inside, words
    marks = browser.run("return [...document.querySelectorAll('.talk-text mark')].map((mark) => mark.textContent)")
    assert marks == ["77"]


def test_differences_are_marked_word_by_word(browser: Browser, page: Path) -> None:
    collect = (
        "const of = (tag) => [...document.querySelectorAll(`.talk-summaries ${tag}`)].map((one) => one.textContent);"
        "return [of('ins'), of('del')];"
    )
    browser.open(page, "c4?diff=baseline")
    assert browser.run(collect) == [["parcel.", "refunds ", "77", " pounds."], ["letter.", "helps."]]
    browser.open(page, "c4?diff=reference")
    added, removed = browser.run(collect)
    assert (added[-1], removed) == ("77", ["3"])
    assert "closest to the candidate" in browser.text(".talk-references li")
    browser.open(page, "c4")
    assert browser.run(collect) == [[], []]


def test_a_sentence_shows_the_turns_that_share_its_words(browser: Browser, page: Path) -> None:
    browser.open(page, "c4")
    lit = (
        "const turns = [...document.querySelectorAll('.talk-turn')];"
        "return turns.flatMap((turn, at) => turn.matches('.supports') ? [at] : []);"
    )
    assert browser.run(lit) == []
    sentence = ".talk-summaries > section:last-child .talk-sentence"
    browser.run("document.querySelectorAll(arguments[0])[1].focus()", sentence)
    assert browser.run(lit) == [2]
    assert "prove nothing" in browser.text(".talk-support")
    assert "In no turn: 77." in browser.text(".talk-support")
    assert browser.run("return [...document.querySelectorAll('.talk-shared')].map((one) => one.textContent)") == [
        "refund",
        "pounds",
    ]
    browser.press(Keys.ENTER)
    browser.run("document.activeElement.blur()")
    assert browser.run(lit) == [2]
    browser.run("document.querySelectorAll(arguments[0])[0].click()", sentence)
    assert browser.run(lit) == [0]
    browser.run("document.querySelectorAll(arguments[0])[0].click()", sentence)
    assert browser.run(lit) == []


def test_a_turn_of_a_megabyte_and_thousands_of_turns_wait_for_a_click(browser: Browser, page: Path) -> None:
    browser.open(page, f"c{HUGE + 1}")
    assert browser.run("return document.querySelectorAll('.talk-turn').length") == 40
    assert browser.run("return document.querySelector('.talk-inside').textContent.length") < 10_000
    click(browser, ".talk-said .talk-more")
    browser.settle()
    said = "return document.querySelector('.talk-said:has(.talk-chunk)').textContent.length"
    assert browser.run(said) == 1_000_000
    click(browser, ".talk-scroller > .talk-more")
    browser.settle()
    assert browser.run("return document.querySelectorAll('.talk-turn').length") == 3004
    assert browser.overflow() == []


def test_a_link_is_copied(browser: Browser, page: Path) -> None:
    browser.open(page, "c4?guard=facts")
    browser.run("navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); }")
    click(browser, ".talk-actions button")
    assert browser.wait_for("return window.copied") == f"{page.as_uri()}#c4?guard=facts"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lists_and_opened_conversations_are_accessible(scheme: str, browser: Browser, page: Path) -> None:
    browser.open(page, "c4?guard=facts&diff=baseline", scheme=scheme)  # type: ignore[arg-type]
    click(browser, ".talk-sentence", 2)
    click(browser, ".talk-filters > summary")
    assert browser.violations(".talks", "figure.gains") == []


def test_a_phone_shows_all_of_it_without_scrolling_sideways(browser: Browser, page: Path) -> None:
    browser.open(page, "c4?guard=facts&diff=baseline", size=PHONE)
    click(browser, ".talk-filters > summary")
    assert browser.overflow() == []


def test_one_of_several_candidates_is_looked_at_and_all_are_opened(
    browser: Browser, runs: list[Run], tmp_path: Path
) -> None:
    rows = [conversation(place) for place in range(SIZE)]
    rival = write_run(tmp_path, command="score", conversations=rows, texts=["", *("It helps.",) * (SIZE - 1)])
    path = tmp_path / "several.html"
    compared = compare(runs[0], [runs[1], rival])
    path.write_text(render_comparison(compared, {run.id: run for run in (*runs, rival)}), encoding="utf-8")
    browser.open(path, "conversations?about=2&sort=place")
    assert "candidate 2" in browser.text(".talk-columns")
    tags = "return document.querySelector('#c1 .talk-tags').textContent"
    assert "empty" in browser.run(tags)
    choose(browser, "about", "1")
    assert "empty" not in browser.run(tags)
    browser.open(path, "c1?about=2")
    heads = browser.run("return [...document.querySelectorAll('.talk-scores thead th')].map((one) => one.innerText)")
    assert [head.split()[0] for head in heads] == ["Metric", "baseline", "candidate", "candidate"]
    assert "The summary is empty." in browser.text(".talk-summaries")


def test_a_page_of_runs_has_a_list_for_each_protocol(browser: Browser, runs: list[Run], tmp_path: Path) -> None:
    other = write_run(tmp_path, conversations=[conversation(place) for place in range(1, 8)])
    path = tmp_path / "runs.html"
    path.write_text(render_runs([*runs, other]), encoding="utf-8")
    browser.open(path, "g2c3")
    assert (browser.run(OPEN), browser.errors()) == ("g2c3", [])
    browser.open(path, "conversations-2?search=person5")
    assert browser.run(
        "return [...document.querySelectorAll('.talk-status')].map((one) => one.firstChild.textContent)"
    ) == [
        f"{SIZE} conversations",
        "1 of 7 conversations",
    ]


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with many fields of metadata, summaries that have nothing in common, and a conversation without scores."""
    folder = tmp_path_factory.mktemp("odd")
    rows = [
        replace(
            conversation(place),
            metadata={**{f"field {number}": "ab"[place * number % 2] for number in range(20)}, "case": f"case {place}"},
        )
        for place in range(1, 151)
    ]
    texts = {
        "baseline": "The parcel of a person is lost and the agent pays for it.",
        "train": "Penguins of the south eat the fish in a very cold sea, and it snows.",
    }
    runs = [
        write_run(
            folder,
            command=command,  # type: ignore[arg-type]
            conversations=rows,
            texts=[text] * len(rows),
            scores={"rougeL": [None, *(0.5 for _ in rows[1:])]},
        )
        for command, text in texts.items()
    ]
    path = folder / "odd.html"
    path.write_text(render_comparison(compare(runs[0], runs[1:]), {run.id: run for run in runs}), encoding="utf-8")
    return path


def test_every_field_of_the_metadata_filters(browser: Browser, odd: Path) -> None:
    browser.open(odd)
    click(browser, ".talk-filters > summary")
    assert len(browser.find_all("[data-state^='field:']")) == 8
    enter = (
        "const value = document.querySelector('#conversations-value'); value.value = arguments[0];"
        "value.dispatchEvent(new Event('input', {bubbles: true}));"
    )
    pick = (
        "const other = document.querySelector('#conversations-other');"
        "other.value = [...other.options].find((option) => option.text === arguments[0]).value;"
        "other.dispatchEvent(new Event('input', {bubbles: true}));"
    )
    browser.run(pick, "field 19")
    assert browser.run("return document.querySelectorAll('#conversations-values option').length") == 2
    browser.run(enter, "b")
    assert browser.text(STATUS).startswith("75 of 150 conversations: field 19 b")
    browser.run(pick, "case")
    browser.run(enter, "case 1")
    assert browser.text(STATUS).startswith("1 of 150 conversations")
    browser.run(enter, "cas")  # Half a value changes nothing.
    assert browser.text(STATUS).startswith("1 of 150 conversations")
    browser.run(enter, "")
    assert browser.text(STATUS).startswith("75 of 150 conversations: field 19 b")
    browser.open(odd, "conversations?field+17=b")
    assert browser.run("return document.querySelector('#conversations-value').value") == "b"
    assert browser.violations(".talk-controls") == []


def test_many_fields_are_folded_in_an_opened_conversation(browser: Browser, odd: Path) -> None:
    browser.open(odd, "c3")
    assert "13 more fields" in browser.text(".talk-inside")
    assert "field 7: " in browser.text(".talk-inside")
    assert "case: case 3" not in browser.text(".talk-inside")
    click(browser, "details.talk-id > summary")
    assert "case: case 3" in browser.text(".talk-inside")


def test_words_that_unlike_texts_share_by_chance_are_not_common(browser: Browser, odd: Path) -> None:
    browser.open(odd, "c3?diff=baseline")
    marked = browser.run("return [...document.querySelectorAll('.talk-summaries ins')].map((one) => one.textContent)")
    assert len(marked) == 1
    assert "0% of the words are in both, in the same order." in browser.text(".talk-support")


def test_a_row_without_scores_says_so_once(browser: Browser, odd: Path) -> None:
    browser.open(odd, "conversations?search=%22id%2F1+%3Cb%3E%22")
    figures = (
        "return [...document.querySelectorAll('.talk')].find(({id}) => id === 'c1').querySelector('.talk-figures')"
    )
    assert browser.run(f"{figures}.textContent.trim()") == "unknown"


def test_paper_shows_the_rows_and_turns_that_no_screen_showed(browser: Browser, page: Path) -> None:
    browser.open(page, "c1")
    drawn = (
        "return [...document.querySelectorAll('.talk > button, .talk-turn > div')]"
        ".every((one) => one.checkVisibility({contentVisibilityAuto: true}))"
    )
    assert not browser.run(drawn)
    browser.emulate(media="print")
    browser.settle()
    assert browser.run(drawn)
