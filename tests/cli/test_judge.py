"""`bench judge`: from a run to a page, from judges' files to a result, and a model beside them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from liftbench.files import write_atomic, write_lines
from liftbench.plugin_api import Conversation
from liftbench.preferences.folder import find_preferences, read_key
from liftbench.records.preferences import Judgments, SheetKey

from ..conftest import Outcome
from ..support.build import write_run
from ..support.chat_server import chat_server
from ..support.sheets import fill_in

Bench = Callable[..., Outcome]
RUNS = Path("reports/runs")


@pytest.fixture
def bench(command_line: Bench) -> Bench:
    """Runs `bench …` beside a baseline and an adapter."""
    write_run(RUNS)
    write_run(RUNS, command="train", created="2026-01-05T11:00:00Z")
    return command_line


def export(bench: Bench, *arguments: str) -> dict[str, Any]:
    done = bench("judge", "export", *arguments, "--json")
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


def key_of(found: dict[str, Any]) -> SheetKey:
    return read_key(RUNS, found["sheet"])


def write(name: str, judgments: Judgments) -> str:
    write_atomic(Path(name), judgments)
    return name


def test_the_way_from_a_run_to_a_result(bench: Bench) -> None:
    done = bench("judge", "export", "qlora", "--n", "10", "--out", "pages")
    assert done.code == 0, done.err
    assert "10 pairs to judge" in done.err
    assert "(not for the judges)" in done.err
    [page] = Path("pages").glob("judge-*.html")
    key = key_of({"sheet": page.stem.removeprefix("judge-")})
    assert "+qlora" in key.candidate
    assert key.candidate not in page.read_text()

    files = [
        write("a.json", fill_in(key, lambda _: "candidate", "Ann", candidate="yes", other="no")),
        write("b.json", fill_in(key, lambda item: "tie" if item.conversation < "c010" else "candidate", "Bob")),
    ]
    done = bench("judge", "import", *files)
    assert done.code == 0, done.err
    assert "2 people (Ann and Bob)" in done.out
    assert "10 / 0 / 0" in done.out
    found = json.loads(bench("judge", "import", *files, "--json").out)
    [kept] = find_preferences(RUNS, key.candidate)
    assert found["win_rate"] == kept.win_rate == pytest.approx(sum(one.value for one in kept.conversations) / 10)
    assert kept.alpha is not None
    assert {one.metric for one in kept.metrics} == {"rouge1", "rouge2", "rougeL", "rougeLsum"}
    assert kept.supported is not None
    assert kept.supported.difference == 1.0


def test_equal_commands_make_equal_sheets_and_another_seed_another(bench: Bench) -> None:
    first = export(bench, "qlora", "--n", "5")
    page = Path(first["page"]).read_bytes()
    assert export(bench, "qlora", "--n", "5") == first
    assert Path(first["page"]).read_bytes() == page
    assert export(bench, "qlora", "--n", "5", "--seed", "1")["sheet"] != first["sheet"]
    assert export(bench, "qlora", "--n", "500")["pairs"] == 36


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["judge", "exprot", "qlora"], "Did you mean 'export'"),
        (["judge", "export"], "CANDIDATE"),
        (["judge", "export", "nothing"], "unknown run"),
        (["judge", "export", "qlora", "--n", "0"], "--n"),
        (["judge", "export", "qlora", "--against", "humans", "--baseline", "eab"], "Leave out --against humans"),
        (["judge", "export", "100000Z"], "is a baseline"),
        (["judge", "export", "qlora", "--baseline", "qlora"], "with itself"),
        (["judge", "import"], "FILE"),
        (["judge", "import", "absent.json"], "absent.json"),
        (["judge", "--model", "m", "qlora"], "--base-url"),
        (["judge", "model", "--base-url", "http://x/v1", "qlora"], "--model"),
        (["judge", "--model", "m", "--base-url", "localhost", "qlora"], "no web address"),
    ],
)
def test_a_mistake_is_answered_in_a_few_lines(arguments: list[str], words: str, bench: Bench) -> None:
    baseline = next(path.name for path in RUNS.iterdir() if "qlora" not in path.name)
    done = bench(*(baseline if argument == "eab" else argument for argument in arguments))
    assert (done.code, done.out) == (2, "")
    assert words in done.err
    assert "Traceback" not in done.err


def test_a_file_of_another_sheet_names_where_its_key_should_be(bench: Bench) -> None:
    key = key_of(export(bench, "qlora", "--n", "4"))
    stranger = Judgments(schema=1, sheet="0" * 12, judge="Ann", pairs=[])
    done = bench("judge", "import", write("a.json", stranger))
    assert done.code == 2
    assert "000000000000" in done.err
    assert "--runs" in done.err
    assert key.sheet in done.err
    assert not list(RUNS.glob("judging/*/result.json"))


def test_identical_summaries_are_said_to_be_left_out(command_line: Bench) -> None:
    write_run(RUNS, texts=["The same."] * 35 + ["Another."])
    write_run(RUNS, command="score", name="copy", created="2026-01-05T11:00:00Z", texts=["The same."] * 36)
    done = command_line("judge", "export", "copy", "--n", "36")
    assert "35 pairs whose summaries are identical" in done.err
    assert "1 pair to judge" in done.err
    found = export(command_line, "copy", "--n", "36")
    assert (found["pairs"], len(found["identical"])) == (1, 35)
    write_run(RUNS, created="2026-01-05T12:00:00Z", texts=["The same."] * 36)
    done = command_line("judge", "export", "copy", "--baseline", "120000Z")
    assert (done.code, "identical" in done.err) == (2, True)


# -------------------------------------------------------------------------------------------- people, controls, models


@pytest.fixture
def measured(command_line: Bench, conversations: list[Conversation]) -> Bench:
    """Runs `bench …` beside a measured run with its data set: texts made elsewhere."""
    write_lines(Path("support") / "validation.jsonl", conversations[:9])
    write_lines(Path("support") / "train.jsonl", conversations[9:])
    write_lines(Path("texts.jsonl"), [{"id": one.id, "text": f"Somebody wrote. {one.id}"} for one in conversations[:9]])
    done = command_line("score", "--predictions", "texts.jsonl", "--dataset", "support")
    assert done.code == 0, done.err
    return command_line


def test_humans_are_scored_as_the_candidate_is(measured: Bench, conversations: list[Conversation]) -> None:
    key = key_of(export(measured, "texts", "--against", "humans"))
    assert (key.other, key.metrics_missing) == ("humans", "")
    assert {metric.name for metric in key.metrics} == {"rougeL", "content-overlap"}
    references = {one.id: one.references for one in conversations}
    for item in key.items:
        ours, human = item.scores["rougeL"]
        # Of a conversation with one human summary nothing is left to score either by.
        assert (ours is None) == (human is None) == (len(references[item.conversation]) == 1)
        assert human is None or human > 0.5
    measured("judge", "import", write("a.json", fill_in(key, lambda _: "other")))
    [found] = find_preferences(RUNS, key.candidate)
    assert (found.win_rate, found.against) == (0.0, "humans")
    assert {one.metric: one.agreement for one in found.metrics}["rougeL"] == 1.0


def test_where_the_data_are_gone_humans_are_judged_without_metrics(measured: Bench) -> None:
    Path("support").rename("moved")
    key = key_of(export(measured, "texts", "--against", "humans"))
    assert "support" in key.metrics_missing
    assert len(key.items) == 9
    done = measured("judge", "import", write("a.json", fill_in(key, lambda _: "other")))
    assert "support" in done.out


def test_the_best_control_stands_beside_the_candidate(measured: Bench) -> None:
    done = measured("controls", "--dataset", "support", "--json")
    rows = [row for row in json.loads(done.out)["rows"] if row["role"] == "floor" and row["scores"]]
    best = max(rows, key=lambda row: sum(row["scores"]["rougeL"]))
    key = key_of(export(measured, "texts", "--against", "control"))
    assert (key.against, key.other) == ("control", best["name"])
    for item in key.items:
        at = json.loads(done.out)["ids"].index(item.conversation)
        assert item.scores["rougeL"][1] == best["scores"]["rougeL"][at]


def test_a_model_informs_and_is_compared_with_people(bench: Bench, tmp_path: Path) -> None:
    pytest.importorskip("openai")
    with chat_server("longer", tmp_path / "log") as served:
        arguments = ["judge", "--model", "rules", "--base-url", served.base_url, "qlora", "--n", "6"]
        done = bench(*arguments)
        assert done.code == 0, done.err
        assert "It decides nothing" in done.out
        assert "no people have judged" in done.out
        assert "sends 6 conversations" in done.err
        key = key_of(export(bench, "qlora", "--n", "6"))
        bench("judge", "import", write("a.json", fill_in(key, lambda _: "other")))
        # A larger sample of people's: the model is compared on the pairs that both have judged.
        wide = key_of(export(bench, "qlora", "--n", "8"))
        bench("judge", "import", write("b.json", fill_in(wide, lambda _: "other", "Bob")))
        asked = len(served.requests)
        done = bench("judge", "model", *arguments[1:], "--json")
        assert len(served.requests) == asked
    found = json.loads(done.out)
    assert (found["kind"], found["n"], found["win_rate"]) == ("model", 6, 0.0)
    calibration = found["model"]["calibration"]
    assert (calibration["n"], calibration["agreement"], calibration["judges"]) == (6, 1.0, ["Ann", "Bob"])
    assert [one.kind for one in find_preferences(RUNS, key.candidate)] == ["people", "people", "model"]
