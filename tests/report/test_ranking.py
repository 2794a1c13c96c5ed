"""The ranking in words, on the page and in the terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from liftbench.judging.compare import Comparison, compare
from liftbench.report.html.comparison import render_comparison
from liftbench.report.ranking import format_chance, summarize_ranking, tabulate_pairs, tabulate_ranking
from liftbench.report.terminal.ranking import ranking_table
from liftbench.runs.directory import Run

from ..support.build import write_run

N = 36
HOSTILE = "<script>alert(1)</script>"


def level(mean: float) -> list[float]:
    return [mean + 0.01 * (number % 5) for number in range(N)]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """A baseline, two trainings of the same worth, and a clearly worse one."""
    folder = tmp_path_factory.mktemp("runs")
    scored = {"baseline": 0.2, HOSTILE: 0.5, "like": 0.5, "worse": 0.3}
    found = [
        write_run(
            folder,
            command="train" if place else "baseline",
            name=name if place else None,
            created=f"2026-01-{place + 5:02}T10:00:00Z",
            scores={"rougeL": level(mean)},
        )
        for place, (name, mean) in enumerate(scored.items())
    ]
    return {run.id: run for run in found}


@pytest.fixture(scope="module")
def comparison(runs: dict[str, Run]) -> Comparison:
    baseline, *candidates = runs.values()
    return compare(baseline, candidates)


def test_the_best_is_named_with_whom_it_beats_and_whom_not(comparison: Comparison) -> None:
    assert comparison.ranking is not None
    # Equal scores are ranked by the run's id.
    first, second = (rival.name for rival in comparison.ranking.rivals[:2])
    words = summarize_ranking(comparison, comparison.ranking)
    assert words == f"best: {first}, clearly better than worse; not told apart from {second}"


def test_a_row_has_claims_places_groups_and_costs(comparison: Comparison) -> None:
    assert comparison.ranking is not None
    first, second, last = tabulate_ranking(comparison, comparison.ranking)
    assert [row.better_than for row in (first, second, last)] == [[3], [3], []]
    assert [row.places for row in (first, second, last)] == ["1 to 2", "1 to 2", "3"]
    assert [row.groups for row in (first, second, last)] == ["a", "a", "b"]
    assert first.cost == [("10 min", ""), ("4.3 GB", "peak"), ("4,884,480", "parameters"), ("267", "tokens/s")]
    words = {(pair.first, pair.second): pair.words for pair in tabulate_pairs(comparison.ranking)}
    assert words == {(1, 2): "not told apart", (1, 3): "1 is clearly better", (2, 3): "2 is clearly better"}


def test_the_page_shows_the_ranking_only_of_several(comparison: Comparison, runs: dict[str, Run]) -> None:
    page = render_comparison(comparison, runs)
    # The answers of three would push it off the first screen; after two answers it is near enough.
    assert page.index('id="ranking"') < page.index('id="verdict"')
    baseline, *candidates = runs.values()
    two = render_comparison(compare(baseline, candidates[:2]), runs)
    assert two.index('id="verdict"') < two.index('id="ranking"') < two.index('id="metrics"')
    assert "not told apart" in page
    assert HOSTILE not in page
    assert 'id="ranking"' not in render_comparison(compare(baseline, candidates[:1]), runs)


def test_what_is_said_about_each_of_many_is_folded(comparison: Comparison, runs: dict[str, Run]) -> None:
    page = render_comparison(comparison, runs)
    assert page.count('<details class="more part">') == 5 * len(comparison.candidates)
    # One stop of the keyboard, not one for each candidate, lies between the ranking and the guards.
    rest = page[page.index("What each answer rests on") : page.index('<section id="guards"')]
    assert rest.count('<details class="support">') == len(comparison.candidates)
    baseline, *candidates = runs.values()
    assert '<details class="more part">' not in render_comparison(compare(baseline, candidates[:2]), runs)


@pytest.mark.parametrize("width", [80, 40])
def test_the_terminal_shows_all_of_it_at_any_width(comparison: Comparison, width: int) -> None:
    assert comparison.ranking is not None
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(ranking_table(comparison, comparison.ranking))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    words = " ".join(" ".join(lines).split())
    for expected in ("Ranking", "0.519", "1 to 2", "1 and 3", "4.3 GB", "4,884,480"):
        assert expected in words


def test_a_small_chance_is_not_shown_as_zero() -> None:
    assert [format_chance(p) for p in (None, 0.0004, 0.0312)] == ["unknown", "< 0.001", "0.031"]
