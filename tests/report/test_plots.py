"""The plots of a comparison: every system in its row, intervals, the target, and files named by the headline."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from liftbench.judging.compare import Comparison, compare
from liftbench.report.plots import draw_plots, write_plots
from liftbench.report.systems import name_roles

from ..support.build import write_run
from .html.test_comparison import background


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    folder = tmp_path_factory.mktemp("runs")
    baseline, candidate = write_run(folder), write_run(folder, command="train", created="2026-01-05T11:00:00Z")
    rival = write_run(folder, name="best", best_prompt=True, texts=["Customer asks."] * 36)
    return compare(baseline, [candidate], background([baseline, candidate]), best_prompted=rival)


def test_a_plot_has_a_row_for_each_system_and_the_target_over_the_judged_baseline(comparison: Comparison) -> None:
    [plot] = draw_plots(comparison)
    means = {one.role: one.means.get("rougeL") or 0.0 for one in comparison.systems}
    rows = [
        "best no-model system 0.100", f"untuned model {means['baseline']:.3f}",
        f"untuned, best prompt {means['best-prompted']:.3f}",
        f"fine-tuned model {means['candidate']:.3f}", f"people {means['humans']:.3f}",
        f"target +40% at {1.4 * means['baseline']:.3f}",
    ]  # fmt: skip
    assert sorted(rows, key=plot.chart.index) == rows
    assert plot.words == f"best no-model system: best-constant, target: {1.4 * means['baseline']:.3f}"
    verdict = replace(comparison.candidates[0].verdict, against="best-prompted")
    other = replace(comparison, candidates=[replace(comparison.candidates[0], verdict=verdict)])
    assert f"target +40% at {1.4 * means['best-prompted']:.3f}" in draw_plots(other)[0].chart


def test_every_system_has_an_interval_around_its_mean(comparison: Comparison) -> None:
    measured = [one for one in comparison.systems if one.means.get("rougeL") is not None]
    assert {one.role for one in measured} == {"floor", "baseline", "best-prompted", "candidate", "humans"}
    for one in measured:
        low, high = one.intervals["rougeL"]
        assert low - 1e-9 <= (one.means["rougeL"] or 0.0) <= high + 1e-9


def test_without_controls_or_candidates_the_rest_is_drawn(comparison: Comparison) -> None:
    models = [one for one in comparison.systems if one.role == "baseline"]
    [plot] = draw_plots(replace(comparison, candidates=[], systems=models))
    assert plot.words == ""
    assert "untuned model" in plot.chart
    assert "target" not in plot.chart


def test_the_files_are_named_by_the_headline(comparison: Comparison, tmp_path: Path) -> None:
    written = write_plots(comparison, tmp_path / "plots")
    assert [path.name for path in written] == ["rougeL.svg", "rougeL.png"]
    assert written[0].read_text().startswith("<svg")
    assert ">ROUGE-L</text>" in written[0].read_text()
    assert written[1].read_bytes().startswith(b"\x89PNG")


def test_candidates_and_seeds_are_told_apart(comparison: Comparison) -> None:
    assert name_roles(comparison) == ["candidate"]
    [result] = comparison.candidates
    assert name_roles(replace(comparison, candidates=[result, replace(result, run="other")])) == [
        "candidate 1",
        "candidate 2",
    ]
