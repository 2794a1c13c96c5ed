"""The command line as a user meets it: what is printed, what is refused, and the exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from liftbench.cli.main import COMMANDS
from liftbench.data.similarity.fingerprints import training_row
from liftbench.files import write_atomic, write_lines
from liftbench.models.adapters import adapter_sha256, seal
from liftbench.plugin_api import Conversation
from liftbench.records.training import Provenance
from liftbench.runs.directory import Run, runs_in

from ..support.build import write_run


@pytest.fixture
def bench(command_line: Any, monkeypatch: pytest.MonkeyPatch, tiny_chat_model: Path) -> Any:
    """Runs `bench …` with the tiny model."""
    monkeypatch.setenv("LIFTBENCH_MODEL", str(tiny_chat_model))
    return command_line


@pytest.fixture
def data(tmp_path: Path, conversations: list[Conversation]) -> Path:
    folder = tmp_path / "support"
    folder.mkdir()
    write_lines(folder / "validation.jsonl", conversations[:4])
    write_lines(folder / "train.jsonl", conversations[4:])
    return folder


SMALL = ["--set", "generation.max_new_tokens=4", "--set", "model.precision=float32"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_that_begins_like_its_line_in_the_list(command: str, bench: Any) -> None:
    done = bench(command, "--help")
    assert done.code == 0
    assert f"Usage: bench {command}" in done.out


def test_help_lists_every_command(bench: Any) -> None:
    done = bench("--help")
    assert done.code == 0
    assert all(f"  {name} " in done.out for name in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["basline"], 2, "Did you mean 'baseline'"),
        (["baseline", "--limt", "3"], 2, "--limit"),
        (["baseline", "smollm"], 2, "'smollm2-135m'"),
        (["baseline", "--dataset", "tweetsum"], 2, "--dataset: unknown dataset"),
        (["baseline", "--dataset", "DATA", "--split", "validaton"], 2, "Did you mean 'validation'"),
        (["baseline", "--dataset", "DATA", "--model", "smolm2"], 2, "smollm2-135m"),
        (["baseline", "--dataset", "DATA", "--set", "generation.batchsize=2"], 2, "generation.batch_size"),
        (["baseline", "--dataset", "DATA", "--limit", "0"], 2, "error: --limit: "),
        (["baseline", "--dataset", "DATA", "--set", "data.limit=0"], 2, "error: --set data.limit: "),
        (["baseline", "--dataset", "DATA", "--seed", "-1"], 2, "error: --seed: "),
        (["baseline", "--dataset", "DATA", "--metric", "rougel"], 2, "error: --metric: unknown metric"),
        (["score", "--dataset", "DATA", "--precision", "nf3", "m"], 2, "Did you mean 'nf4'"),
        (["baseline", "--data-dir", "absent"], 3, "absent"),
        (["train", "--dataset", "DATA", "--plugin", "qlor"], 2, "--plugin: unknown trainer plugin"),
        (["train", "--dataset", "DATA", "--set", "train.options.rnak=4"], 2, "Did you mean 'rank'"),
        (["train", "--seeds", "0"], 2, "--seeds"),
        (["score"], 2, "SYSTEM"),
        (["score", "--dataset", "DATA", "absent-model"], 2, "absent-model"),
        (["score", "--dataset", "DATA", "--predictions", "absent.jsonl"], 2, "absent.jsonl"),
        (["score", "a", "b", "--predictions", "absent.jsonl"], 2, "not both"),
        (["compare"], 2, "bench train"),
        (["plugins", "--no-plugin", "first-partie"], 2, "error: --no-plugin: unknown plugin"),
        (["data", "check", "DATA", "--model", "smolm2"], 2, "error: --model: unknown model"),
        (["compare", "nothing", "here"], 2, "nothing"),
        (["report"], 2, "RUN"),
        (["report", "nothing"], 2, "nothing"),
        (["summarize", "absent.txt"], 2, "absent.txt"),
        (["plugins", "--no-plugin", "first-partie"], 2, "'first-party'"),
    ],
)
def test_a_mistake_is_answered_in_a_few_lines(
    arguments: list[str], code: int, words: str, bench: Any, data: Path
) -> None:
    done = bench(*(argument.replace("DATA", str(data)) for argument in arguments))
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert "Traceback" not in done.err
    assert len(done.err.strip().splitlines()) <= 3


def test_debug_shows_the_traceback(bench: Any) -> None:
    done = bench("--debug", "report", "nothing")
    assert done.code == 2
    assert "Traceback" in done.err


def test_a_bug_keeps_its_traceback_and_is_not_taken_for_a_verdict(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Path) -> list[Run]:
        raise ZeroDivisionError

    monkeypatch.setattr("liftbench.cli.runs_list.read_runs", broken)
    done = bench("runs")
    assert done.code == 4
    assert "ZeroDivisionError" in done.err


def test_a_changed_target_needs_no_new_measurement(bench: Any, data: Path) -> None:
    assert bench("baseline", "--dataset", str(data), *SMALL).code == 0
    done = bench("baseline", "--dataset", str(data), *SMALL, "--set", "metrics.target=0.6")
    assert "already measured" in done.err
    [run] = runs_in(Path("reports/runs"))
    assert run.manifest.target == 0.6


def test_budgets_that_do_not_fit_are_refused_before_a_training(bench: Any, data: Path) -> None:
    done = bench("train", "--dataset", str(data), "--set", "generation.max_input_tokens=5000")
    assert done.code == 2
    assert "Lower one of them" in done.err
    assert not Path("reports").exists()


def test_a_baseline_is_measured_and_then_reused(bench: Any, data: Path) -> None:
    first = bench("baseline", "--dataset", str(data), *SMALL)
    assert first.code == 0, first.err
    assert "rougeL *" in first.out
    [run] = runs_in(Path("reports/runs"))
    assert run.manifest.origins["model.reference"] == "environment LIFTBENCH_MODEL"
    assert run.manifest.origins["data.dataset"] == "command line"
    assert run.manifest.system.prompt is not None
    assert run.manifest.system.prompt.style == "chat"
    second = bench("baseline", "--dataset", str(data), *SMALL)
    assert "already measured" in second.err
    assert second.out == first.out
    assert len(runs_in(Path("reports/runs"))) == 1


def test_a_base_model_is_measured_with_a_plain_prompt(bench: Any, data: Path, tiny_base_model: Path) -> None:
    done = bench("baseline", "--dataset", str(data), "--model", str(tiny_base_model), *SMALL, "--json")
    run = Run(Path(json.loads(done.out)["folder"]))
    assert run.manifest.system.prompt is not None
    assert run.manifest.system.prompt.style == "plain"


def test_texts_made_elsewhere_are_scored_compared_and_marked(
    bench: Any, data: Path, conversations: list[Conversation], tmp_path: Path
) -> None:
    path = tmp_path / "humans.jsonl"
    write_lines(path, [{"id": c.id, "text": c.references[0]} for c in conversations[:4]])
    assert bench("baseline", "--dataset", str(data), *SMALL).code == 0
    done = bench("score", "--dataset", str(data), "--predictions", str(path), *SMALL)
    assert done.code == 0, done.err
    assert "generation unverified" in done.out
    compared = bench("compare", "--json")
    assert compared.code == 1
    [candidate] = json.loads(compared.out)["candidates"]
    # Nobody knows what their maker was trained on, so they prove nothing; and they are the human summaries themselves.
    assert candidate["verdict"]["outcome"] == "unproven"
    assert candidate["lifts"][0]["candidate"] == pytest.approx(1.0, abs=0.2)
    assert "4 of 4 texts are copies of the human summaries" in " ".join(candidate["verdict"]["not_proven"])
    [page] = Path("reports").glob("compare-*.html")
    assert "humans" in page.read_text()


def test_slices_are_declared_beside_the_recipes_and_texts_are_scored_again_for_the_sensitivity_page(
    bench: Any, data: Path, conversations: list[Conversation]
) -> None:
    scored = conversations[:8]  # As many as a lift needs, and some more.
    write_lines(data / "validation.jsonl", scored)
    for name, text in (("before", "Someone has a problem."), ("after", "Agent asks for a message.")):
        write_lines(Path(f"{name}.jsonl"), [{"id": c.id, "text": text} for c in scored])
        assert bench("score", "--dataset", str(data), "--predictions", f"{name}.jsonl").code == 0
    names = [run.id for run in runs_in(Path("reports/runs"))]
    done = bench("compare", *names, "--slice", "company", "--json")
    assert done.code == 1, done.err
    found = json.loads(done.out)
    [candidate] = found["candidates"]
    assert {(part["label"], part["pooled"], part["n"], part["state"]) for part in candidate["slices"]} == {
        ("2 others", 2, 8, "not judged")
    }
    assert "sensitivity" not in found["missing"]
    assert {"metric", "seed"} <= {choice["kind"] for choice in candidate["alternatives"]}
    unknown = bench("compare", *names, "--slice", "compny")
    assert (unknown.code, "Did you mean 'company'" in unknown.err) == (2, True)

    data.rename(data.with_name("moved"))
    found = json.loads(bench("compare", *names, "--json").out)
    assert str(data) in found["missing"]["sensitivity"]
    [candidate] = found["candidates"]
    assert candidate["slices"] == []
    assert "metric" not in {choice["kind"] for choice in candidate["alternatives"]}


def test_a_dry_run_shows_origins_counts_and_a_prompt_and_writes_nothing(bench: Any, data: Path) -> None:
    done = bench("train", "--dataset", str(data), "--seed", "3", "--dry-run", "--no-calibration", "--json")
    assert done.code == 0, done.err
    shown = json.loads(done.out)
    assert shown["recipe"]["seed"] == {"value": 3, "origin": "command line"}
    assert shown["recipe"]["model.precision"]["origin"] == "recipe smollm2-135m"
    assert shown["recipe"]["prompt.style"]["origin"] == "default"
    assert shown["counts"]["scored"] == 4
    assert shown["counts"]["training"] + shown["counts"]["validation (carved from training)"] == 8
    text = next(value for name, value in shown["prompt"].items() if name.startswith("prompt of"))
    assert "Customer: My " in text
    assert not Path("reports").exists()
    table = bench("baseline", "--dataset", str(data), "--dry-run")
    assert "command line" in table.out
    assert "Customer: My " in table.out


def test_a_recipe_of_ones_own(bench: Any, data: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'[data]\ndataset = "{data}"\n[generation]\nmax_new_tokens = 3\n[model]\nprecision = "float32"\n')
    done = bench("baseline", str(path), "--json")
    assert done.code == 0, done.err
    manifest = json.loads(done.out)["manifest"]
    assert manifest["protocol"]["max_new_tokens"] == 3
    assert manifest["origins"]["generation.max_new_tokens"] == f"recipe {path}"


def test_unlike_protocols_are_refused_with_the_differing_keys(bench: Any, data: Path) -> None:
    for tokens in ("3", "4"):
        assert bench("baseline", "--dataset", str(data), "--set", f"generation.max_new_tokens={tokens}").code == 0
    one, two = runs_in(Path("reports/runs"))
    done = bench("compare", one.id, two.id)
    assert done.code == 2
    assert "max_new_tokens: 3 against 4" in done.err


def test_runs_are_listed_and_reported(bench: Any, tmp_path: Path) -> None:
    assert "no runs" in bench("runs").out
    run = write_run(tmp_path / "reports" / "runs")
    assert run.manifest.system.name in bench("runs").out
    assert json.loads(bench("runs", "--json").out)[0]["manifest"]["id"] == run.id
    done = bench("report", run.id)
    assert done.code == 0, done.err
    [page] = Path("reports").glob("report-*.html")
    assert run.id in page.read_text()


def test_runs_go_where_the_environment_says(bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_run(tmp_path / "elsewhere")
    monkeypatch.setenv("LIFTBENCH_RUNS", str(tmp_path / "elsewhere"))
    assert run.id in bench("runs", "--json").out


def test_the_demo_measures_trains_and_compares_and_continues_with_what_is_done(bench: Any, data: Path) -> None:
    options = ["--dataset", str(data), "--split", "validation", *SMALL, "--set", "train.options.max_steps=1"]
    done = bench("demo", *options, "--html", "demo.html")
    assert done.code == 0, done.err
    assert "scoring 4 conversations of support validation, training on 7 others with qlora" in done.err
    assert done.out.startswith(("? Undecided: ", "○ Not proven: "))
    assert "\nreport: demo.html\n" in done.out
    assert len(done.out.splitlines()) <= 8
    assert Path("demo.html").read_text().startswith("<!doctype html>")
    baseline, candidate = runs_in(Path("reports/runs"))
    assert done.err.splitlines()[-1] == f"try the adapter: bench summarize --adapter {candidate.id} FILE"
    assert (baseline.manifest.command, candidate.manifest.command) == ("baseline", "train")
    again = bench("demo", *options, "--json")
    assert again.err.count("already measured") == 2
    assert json.loads(again.out)["candidates"][0]["run"] == candidate.id


def test_a_scored_adapter_brings_what_it_was_trained_on(
    bench: Any, data: Path, conversations: list[Conversation], tiny_chat_model: Path
) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_chat_model)
    get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"])).save_pretrained("adapter")
    rows = [training_row(conversation, "train") for conversation in conversations[4:]]
    provenance = Provenance(adapter_sha256=adapter_sha256(Path("adapter")), rows={row.id: row.sha256 for row in rows})
    write_atomic(Path("adapter/provenance.json"), seal(provenance))
    path = Path("adapter/rows.jsonl")
    path.write_text("{")
    arguments = ["score", "adapter", "--dataset", str(data), *SMALL]
    refused = bench(*arguments)
    assert refused.code == 2
    assert "rows.jsonl, line 1, is damaged" in refused.err
    assert not Path("reports").exists()
    write_lines(path, rows)
    assert bench(*arguments).code == 0
    [run] = runs_in(Path("reports/runs"))
    assert (run.manifest.status, run.training_rows, run.training) == ("complete", rows, None)
    path.unlink()
    assert "scoring the texts" in bench(*arguments, "--metric", "words").err
    [again] = runs_in(Path("reports/runs"))
    assert again.training_rows == rows


def test_the_demo_runs_on_the_corpus_that_ships_with_the_package(bench: Any) -> None:
    plan = json.loads(bench("demo", "--dry-run", "--json").out)
    assert plan["counts"]["scored"] == 104
    assert plan["counts"]["training"] == 450
    assert "helpdesk" in json.dumps(plan["recipe"])
    assert bench("demo", "--split", "tset", "--dry-run").code == 2


def test_recipes_and_plugins_are_listed(bench: Any) -> None:
    recipes = json.loads(bench("recipes", "--json").out)
    assert set(recipes) == {"helpdesk", "helpdesk-long", "smollm2-135m", "llama-2-7b", "llama-3.2-1b", "llama-3.1-8b"}
    assert "(default)" in bench("recipes").out
    plugins = json.loads(bench("plugins", "--json").out)
    assert plugins["problems"] == []
    assert "qlora" in bench("plugins").out
