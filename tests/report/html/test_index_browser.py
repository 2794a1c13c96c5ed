"""The index, the ranking and the panel of trainings in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from liftbench.files import write_text
from liftbench.judging.compare import compare
from liftbench.report.html.comparison import render_comparison
from liftbench.report.pages import write_index_page
from liftbench.workflow.index import gather_index

from ...support.browser import DESKTOP, PHONE, Browser
from ...support.build import write_run

N = 36
SHOWN = "return [...document.querySelectorAll('[data-list] > tr')].filter((row) => row.offsetParent).length"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison of three trainings, and the index of the runs beside it."""
    folder = tmp_path_factory.mktemp("pages")
    means = (0.2, 0.5, 0.5, 0.3)
    runs = [
        write_run(
            folder / "runs",
            command="train" if place else "baseline",
            name=f"qlora-{place}" if place else None,
            created=f"2026-01-{place + 5:02}T10:00:00Z",
            scores={"rougeL": [mean + 0.01 * (number % 5) for number in range(N)]},
        )
        for place, mean in enumerate(means)
    ]
    page = render_comparison(compare(runs[0], runs[1:]), {run.id: run for run in runs})
    write_text(folder / "compare-00000000.html", page)
    write_text(folder / "runs" / "broken" / "manifest.json", "{}")
    write_index_page(gather_index(folder / "runs", folder), folder / "runs")
    return folder


def test_the_index_is_searched_and_filtered(browser: Browser, folder: Path) -> None:
    browser.open(folder / "index.html")
    assert browser.run(SHOWN) == 4
    browser.find("[data-act=find]").send_keys("QLORA-2")
    assert (browser.run(SHOWN), browser.text("output")) == (1, "1 of 4")
    browser.find("[data-act=find]").clear()
    browser.find("[data-act=status]").send_keys("complete")
    assert browser.run(SHOWN) == 4
    browser.find("#pages a").click()
    assert browser.wait_for("return document.title").startswith("3 candidates")
    assert browser.errors() == []


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_index_fits_asks_for_nothing_and_is_accessible(
    browser: Browser, folder: Path, size: tuple[int, int]
) -> None:
    browser.open(folder / "index.html", size=size)
    assert (browser.requests(), browser.errors(), browser.overflow(), browser.violations()) == ([], [], [], [])


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_ranking_and_trainings_fit_and_are_accessible(browser: Browser, folder: Path, size: tuple[int, int]) -> None:
    browser.open(folder / "compare-00000000.html", size=size, scheme="dark")
    browser.run("for (const fold of document.querySelectorAll('#ranking details, #training details')) fold.open = true")
    assert (browser.errors(), browser.overflow(), browser.violations("#ranking", "#training")) == ([], [], [])
