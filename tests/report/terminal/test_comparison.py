"""The terminal's tables: the verdict whole at any width, and names that are only ever text."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from rich.console import Console, RenderableType

from liftbench.judging.compare import compare
from liftbench.report.answer import answer_candidate
from liftbench.report.terminal.comparison import comparison_table
from liftbench.report.terminal.runs import runs_table
from liftbench.runs.directory import Run

from ...support.build import write_conversations, write_run


def shown(renderable: RenderableType, width: int = 100) -> str:
    console = Console(width=width, force_terminal=False, color_system=None, record=True)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("width", [100, 80, 40])
def test_the_verdict_and_its_caveats_are_whole_at_any_width(width: int, tmp_path: Path) -> None:
    baseline = write_run(tmp_path)
    candidates = [write_run(tmp_path, command=command) for command in ("train", "score")]
    comparison = compare(baseline, candidates)
    out = shown(comparison_table(comparison, {run.id: run for run in (baseline, *candidates)}), width)
    assert max(map(len, out.splitlines())) <= width
    for result in comparison.candidates:
        assert words(answer_candidate(comparison, result, "").reason) in words(out)
        for caveat in result.verdict.caveats:
            assert words(caveat) in words(out)
    assert "…" not in out


def test_the_table_has_means_lift_and_interval(tmp_path: Path) -> None:
    rows = write_conversations(30)
    values = [0.1 + 0.001 * place for place in range(30)]
    baseline = write_run(tmp_path, conversations=rows, scores={"rougeL": values})
    candidate = write_run(tmp_path, command="train", conversations=rows, scores={"rougeL": [2 * v for v in values]})
    out = shown(comparison_table(compare(baseline, [candidate]), {run.id: run for run in (baseline, candidate)}))
    assert "ROUGE-L 0.115 0.229 +100% +100% to +100%" in words(out)


def test_a_number_that_cannot_be_had_is_unknown_with_the_reason(tmp_path: Path) -> None:
    baseline = write_run(tmp_path)
    candidate = write_run(tmp_path, command="train", scores={"rougeL": [None] + [0.5] * 35})
    out = shown(comparison_table(compare(baseline, [candidate]), {run.id: run for run in (baseline, candidate)}), 160)
    assert "ROUGE-L unknown unknown unknown " in words(out)
    assert "ROUGE-L: rougeL has no number for 1 of 36" in words(out)


def test_without_a_candidate_it_says_so(tmp_path: Path) -> None:
    baseline, candidate = write_run(tmp_path), write_run(tmp_path, command="train")
    alone = msgspec.structs.replace(compare(baseline, [candidate]), candidates=[])
    assert "no candidate" in shown(comparison_table(alone, {baseline.id: baseline}))


def test_names_are_neither_markup_nor_escape_sequences(tmp_path: Path) -> None:
    baseline = write_run(tmp_path)
    candidate = write_run(tmp_path, command="train", name="[red]x[/red]\x1b[31m\x07", notes=["[/]\x1b]0;title\x07"])
    out = shown(comparison_table(compare(baseline, [candidate]), {run.id: run for run in (baseline, candidate)}))
    assert "[red]x[/red]\N{REPLACEMENT CHARACTER}[31m" in out
    assert "\x1b" not in out


def test_runs_are_listed_whole_with_their_headline_or_their_status(tmp_path: Path) -> None:
    done = write_run(tmp_path, scores={"rougeL": [0.25] * 36})
    unfinished = write_run(tmp_path, command="train", status="running", created="2026-01-05T11:00:00Z")
    (unfinished.folder / "summary.json").unlink()
    nameless = write_run(tmp_path, command="score", headlines=["absent"], created="2026-01-05T12:00:00Z")
    damaged = write_run(tmp_path, command="score", created="2026-01-05T13:00:00Z")
    (damaged.folder / "summary.json").write_text("{")
    out = shown(runs_table([Run(run.folder) for run in (done, unfinished, nameless, damaged)]))
    assert f"{done.id} baseline 36 ROUGE-L 0.250" in words(out)
    assert f"{unfinished.id} train 36 running" in words(out)
    assert "absent unknown" in out
    assert f"{damaged.id} score 36 damaged: summary.json" in words(out)


def test_a_run_id_fits_on_a_line_of_an_eighty_column_terminal(tmp_path: Path) -> None:
    run = write_run(tmp_path, command="train", scores={"rougeL": [0.25] * 36})
    out = shown(runs_table([run]), 80)
    assert f"{run.id} train 36 0.250" in words(out)
    assert "ROUGE-L" in out
