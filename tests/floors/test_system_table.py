"""The table of all systems: the consensus of the humans stands in it, and is no end of any position."""

from __future__ import annotations

from pathlib import Path

import pytest

from liftbench.floors.control_scores import CONSENSUS, HUMANS, ControlScores, SystemScores
from liftbench.floors.ranking import positions, system_table
from liftbench.records.run import MetricInfo
from liftbench.report.systems import group_systems
from liftbench.runs.directory import Run
from liftbench.statistics.bootstrap import Bootstrap

from ..support.build import write_run

ROUGE = MetricInfo(name="rougeL", signature="s", direction="higher", sees="overlap")


@pytest.fixture
def candidate(tmp_path: Path) -> Run:
    return write_run(tmp_path, command="train")


def controls(run: Run, *, consensus: float) -> ControlScores:
    """A control that scores 0.1, humans that score 0.3, a bound and the consensus beside them."""
    ids = [one.id for one in run.conversations]
    rows = [
        SystemScores(name="lead-1", role="floor", scores={"rougeL": [0.1] * len(ids)}),
        SystemScores(name="oracle", role="bound", scores={"rougeL": [0.5] * len(ids)}),
        SystemScores(name=CONSENSUS, role="consensus", note="optimistic", scores={"rougeL": [consensus] * len(ids)}),
        SystemScores(name=HUMANS, role="humans", scores={"rougeL": [0.3] * len(ids)}),
    ]
    return ControlScores(key="k", dataset="d", split="s", metrics=[ROUGE], ids=ids, rows=rows)


@pytest.mark.parametrize("consensus", [0.05, 0.2, 0.9])
def test_the_consensus_is_no_end_of_a_position(candidate: Run, consensus: float) -> None:
    (found,) = positions(candidate, ["rougeL"], controls(candidate, consensus=consensus), Bootstrap(seed=0))
    assert (found.floor, found.floor_mean, found.ceiling_mean) == ("lead-1", pytest.approx(0.1), pytest.approx(0.3))
    assert found.value == pytest.approx((found.candidate_mean - 0.1) / 0.2)


def test_the_consensus_stands_before_the_humans_and_is_never_the_best_rival(candidate: Run) -> None:
    systems = system_table(
        candidate, None, [candidate], controls(candidate, consensus=0.99), Bootstrap(seed=0), ["rougeL"]
    )
    assert [one.role for one in systems] == ["floor", "baseline", "candidate", "bound", "consensus", "humans"]
    assert systems[-2].note == "optimistic"
    (table,) = group_systems([ROUGE], systems)
    best = {one.role for one, (mean,) in table.rows if mean.best}
    assert best <= {"floor", "baseline", "candidate"}
    assert best
