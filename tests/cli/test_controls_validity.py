"""`bench controls`, `bench validate-metrics`, and what `bench compare` shows beside a verdict."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from liftbench.files import write_lines
from liftbench.plugin_api import Conversation
from liftbench.runs.directory import runs_in

from ..conftest import Outcome

Bench = Callable[..., Outcome]


@pytest.fixture
def data(tmp_path: Path, conversations: list[Conversation]) -> Path:
    folder = tmp_path / "support"
    write_lines(folder / "validation.jsonl", conversations[:6])
    write_lines(folder / "train.jsonl", conversations[6:])
    return folder


def scored(bench: Bench, data: Path, name: str, texts: dict[str, str], *arguments: str) -> str:
    """The id of a run of these texts."""
    write_lines(Path(f"{name}.jsonl"), [{"id": id_, "text": text} for id_, text in texts.items()])
    done = bench("score", "--predictions", f"{name}.jsonl", "--dataset", str(data), "--json", *arguments)
    assert done.code == 0, done.err
    found: str = json.loads(done.out)["run"]
    return found


@pytest.fixture
def texts(conversations: list[Conversation]) -> dict[str, str]:
    return {one.id: one.references[0] for one in conversations[:6]}


def test_controls_are_shown_with_the_humans_and_kept(command_line: Bench, data: Path) -> None:
    done = command_line("controls", "--dataset", str(data))
    assert done.code == 0, done.err
    assert all(name in done.out for name in ("best-constant", "slot-template", "extractive-oracle", "leave one out"))
    assert "content-overlap" in done.out.replace("-\n", "-") or "content-" in done.out
    [kept] = Path("reports/runs/yardsticks").glob("*/controls.json")
    assert runs_in(Path("reports/runs")) == []
    assert [one.name for one in Path("reports").iterdir()] == ["runs"]
    before = kept.stat().st_mtime_ns
    again = command_line("controls", "--dataset", str(data), "--json")
    assert json.loads(again.out) == json.loads(kept.read_text())
    assert kept.stat().st_mtime_ns == before


def test_the_validity_table_ends_in_words(command_line: Bench, data: Path) -> None:
    done = command_line("validate-metrics", "--dataset", str(data))
    assert done.code == 0, done.err
    assert "roles swapped" in done.out
    assert "content-overlap" in done.out
    found = json.loads(command_line("validate-metrics", "--dataset", str(data), "--json").out)
    assert {cost["metric"] for cost in found["costs"]} == {metric["name"] for metric in found["metrics"]}


def test_another_metric_is_added_without_writing_anew(command_line: Bench, data: Path, texts: dict[str, str]) -> None:
    run = scored(command_line, data, "texts", texts)
    assert scored(command_line, data, "texts", texts, "--metric", "words") == run
    summary = json.loads((Path("reports/runs") / run / "summary.json").read_text())
    assert "words" in {row["name"] for row in summary["metrics"]}
    done = command_line("score", "--predictions", "texts.jsonl", "--dataset", str(data), "--metric", "wrods")
    assert (done.code, "Did you mean 'words'" in done.err) == (2, True)


def test_a_checker_that_cannot_be_had_is_left_out_with_the_reason(
    command_line: Bench, data: Path, texts: dict[str, str]
) -> None:
    missing = ["--set", "metrics.checkers=['minicheck:absent-folder']"]
    run = scored(command_line, data, "texts", texts, *missing)
    manifest = json.loads((Path("reports/runs") / run / "manifest.json").read_text())
    assert "absent-folder" in manifest["skipped"]["minicheck:absent-folder"]
    shown = command_line("score", "--predictions", "texts.jsonl", "--dataset", str(data), *missing)
    assert "left out: minicheck:absent-folder" in shown.out
    # A name that no plugin has is a mistake, not a model that cannot be had.
    done = command_line(
        "score", "--predictions", "texts.jsonl", "--dataset", str(data), "--set", "metrics.checkers=['x']"
    )
    assert (done.code, "unknown metric plugin 'x'" in done.err) == (2, True)


def test_compare_shows_floors_ceilings_and_what_is_missing(
    command_line: Bench, data: Path, texts: dict[str, str]
) -> None:
    before = scored(command_line, data, "before", dict.fromkeys(texts, "Nothing of the kind.") | {"c00": "order wrong"})
    after = scored(command_line, data, "after", texts)
    done = command_line("compare", before, after, "--json")
    assert done.code == 1, done.err
    found = json.loads(done.out)
    assert [one["role"] for one in found["systems"]].count("floor") == 7
    assert found["systems"][-1]["role"] == "humans"
    assert found["headlines"] == ["rougeL", "content-overlap"]
    assert set(found["missing"]) == {"best-prompted"}
    assert found["validity"]["n"] == 4
    table = command_line("compare", before, after, "--headline", "rouge1", "--verbose")
    assert "best-constant" in table.out
    assert "bench baseline --tune" in table.out
    over = command_line("compare", before, after, "--against", "best-prompted", "--plots", "plots")
    assert sorted(path.name for path in Path("plots").iterdir()) == [
        "content-overlap.png",
        "content-overlap.svg",
        "rougeL.png",
        "rougeL.svg",
    ]
    assert (over.code, "Not proven: do not ship" in over.out) == (1, True)


def test_compare_goes_on_without_yardsticks_where_the_data_are_gone(
    command_line: Bench, data: Path, texts: dict[str, str]
) -> None:
    before = scored(command_line, data, "before", dict.fromkeys(texts, "A customer and an agent."))
    after = scored(command_line, data, "after", texts)
    data.rename(data.with_name("moved"))
    found = json.loads(command_line("compare", before, after, "--json").out)
    assert found["validity"] is None
    assert str(data) in found["missing"]["controls"]
    assert found["candidates"][0]["lifts"][0]["lift"] > 0


def test_changed_data_are_not_taken_for_those_that_were_scored(
    command_line: Bench, data: Path, texts: dict[str, str], conversations: list[Conversation]
) -> None:
    before = scored(command_line, data, "before", dict.fromkeys(texts, "A customer and an agent."))
    after = scored(command_line, data, "after", texts)
    write_lines(data / "train.jsonl", conversations[7:])
    found = json.loads(command_line("compare", before, after, "--json").out)
    assert " changed since " in found["missing"]["controls"]
    # Scored again, the same texts stand beside yardsticks that learned from the new training split.
    again = [
        scored(command_line, data, "before", dict.fromkeys(texts, "A customer and an agent.")),
        scored(command_line, data, "after", texts),
    ]
    assert again == [before, after]
    assert "controls" not in json.loads(command_line("compare", *again, "--json").out)["missing"]
