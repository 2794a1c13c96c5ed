"""The panel of trainings: every seed in each chart and table, and no figure that was not recorded."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from markupsafe import Markup
from msgspec.structs import replace

from liftbench.files import write_lines
from liftbench.records.training import CurvePoint
from liftbench.report.charts.lines import Line, choose_look, draw_lines, draw_times
from liftbench.report.html.conversations import Subject, make_subject
from liftbench.report.html.runs import render_runs
from liftbench.report.html.trainings import MEASURES, lay_out_trainings
from liftbench.runs.directory import Run

from ...support.build import write_run

WORDS = 'loss <of> "72%"'

(_, _, find_speeds) = MEASURES[2]


@pytest.fixture
def seeds(tmp_path: Path) -> list[Subject]:
    """Two seeds of which one has recorded tokens and memory, and a run without a training."""
    runs = [
        write_run(tmp_path, command="train", created=f"2026-01-0{place + 5}T10:00:00Z", seed=place)
        for place in range(2)
    ]
    curve = [replace(point, tokens=100 * point.step, memory_bytes=3_000_000_000) for point in runs[0].curve]
    write_lines(runs[0].folder / "training" / "curve.jsonl", curve)
    return [
        *(make_subject(f"seed {place}", Run(run.folder)) for place, run in enumerate(runs)),
        make_subject("baseline", write_run(tmp_path)),
    ]


def test_each_training_is_a_line_in_each_chart_and_a_column_of_each_table(seeds: list[Subject]) -> None:
    found = lay_out_trainings(seeds)
    assert found is not None
    assert [subject.role for subject in found.subjects] == ["seed 0", "seed 1"]
    labels = [str(re.search('aria-label="(.*?)"', chart)) for chart in found.charts]
    assert len(labels) == len(found.charts) == 5
    losses, validations, rates, speeds, _ = found.charts
    first, second = (choose_look(place).colour for place in range(2))
    for chart in (losses, validations, rates):
        assert f'stroke="{first}"' in chart
        assert f'stroke="{second}"' in chart
    # The second recorded no tokens.
    assert f'stroke="{first}"' in speeds
    assert f'stroke="{second}"' not in speeds
    rows = {row.name: [cell.text for cell in row.cells] for row in found.facts}
    assert rows["peak memory"] == ["4.3 GB", "4.3 GB"]
    assert rows["speed, validation included"] == ["267 tokens/s"] * 2


def test_a_speed_counts_training_alone() -> None:
    curve = [
        CurvePoint(step=1, epoch=0.1, loss=2.0, seconds=10.0, tokens=1000),
        CurvePoint(step=1, epoch=0.1, validation_loss=2.0, seconds=30.0, tokens=1000),
        CurvePoint(step=2, epoch=0.2, loss=2.0, seconds=40.0, tokens=3000),
        CurvePoint(step=3, epoch=0.3, loss=2.0, seconds=5.0, tokens=4000),  # after a resume the clock starts again
        CurvePoint(step=4, epoch=0.4, loss=2.0, seconds=10.0, tokens=5000),
    ]
    assert find_speeds(curve) == [(1, 100), (2, 200), (4, 200)]


def test_without_a_training_there_is_no_panel(tmp_path: Path) -> None:
    baseline = write_run(tmp_path)
    assert lay_out_trainings([make_subject("baseline", baseline)]) is None
    assert 'id="training"' not in render_runs([baseline])


@pytest.mark.parametrize(
    "chart",
    [
        draw_lines(
            [Line(points=[(1, 2.0), (2, 1.0)], look=choose_look(0), thick=True, ringed=2)], "step", "loss", WORDS
        ),
        draw_lines([Line(points=[(1, 2.0)], look=choose_look(1))], "step", "loss", WORDS),
        draw_times([Line(points=[(1e12, 0.3), (2e12, 0.4)], spread=[(0.2, 0.4)] * 2, look=choose_look(2))], "x", WORDS),
    ],
)
def test_a_chart_has_its_description_and_the_colours_of_the_page_alone(chart: Markup) -> None:
    drawing = ElementTree.fromstring(chart)
    assert (drawing.get("role"), drawing.get("aria-label")) == ("img", WORDS)
    paints = {element.get(paint, "none") for element in drawing.iter() for paint in ("fill", "stroke")}
    assert all(paint in ("none", "transparent") or paint.startswith("var(--") for paint in paints)


def test_twenty_lines_look_different_and_nothing_is_drawn_of_nothing() -> None:
    assert len({choose_look(place) for place in range(20)}) == 20
    assert draw_lines([], "x", "y", "nothing") == ""
