"""`import liftbench`: it loads nothing until it is used, and gives the objects that the commands print from."""

from __future__ import annotations

import inspect
import json
import shutil
import subprocess
import sys
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

import liftbench
from liftbench.files import write_lines
from liftbench.records.training import TrainingSummary
from liftbench.runs.directory import describe_training
from liftbench.text.phrases import name_run

from .support.scripted import World, corpus, untuned

FUNCTIONS = (
    "baseline",
    "compare",
    "export",
    "gate",
    "load_conversations",
    "load_run",
    "preview",
    "score",
    "side_by_side",
    "summarize",
    "sweep",
    "train",
    "write_report",
)

STARS: dict[Any, str] = {inspect.Parameter.VAR_KEYWORD: "**", inspect.Parameter.VAR_POSITIONAL: "*"}

SETTINGS: dict[str, Any] = {
    "generation.max_new_tokens": 4,
    "model.precision": "float32",
    "metrics.names": ["rouge1", "rougeL"],
    "metrics.headlines": ["rougeL"],
    "train.options.max_steps": 1,
    "train.options.batch_size": 1,
    "train.options.micro_batch": 1,
}
SMALL = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={json.dumps(value)}")]

HOSTILE = """<script>alert("x")</script> & 'y'"""


@pytest.fixture
def bench(tiny_command_line: Any) -> Any:
    """Runs a command with the tiny model and little data, which the functions are given in the same way."""
    return tiny_command_line


@pytest.fixture
def project(command_line: Any, world: World, tmp_path: Path) -> Any:
    """Runs a command in a project with promoted baselines, two runs and their controls."""
    shutil.copytree(world.folder, tmp_path / "baselines")
    shutil.copytree(world.bench.runs / "yardsticks", tmp_path / "reports" / "runs" / "yardsticks")
    for run in (world.baseline, world.good):
        shutil.copytree(run.folder, tmp_path / "reports" / "runs" / run.id)
    return command_line


def as_json(value: Any) -> Any:
    return json.loads(msgspec.json.encode(value))


def contains(printed: dict[str, Any], result: Any) -> bool:
    """Whether a command printed this result; it adds words for people."""
    found = as_json(result)
    return {key: printed.get(key) for key in found} == found and set(printed) - set(found) <= {
        "answers",
        "state",
        "sentence",
    }


# -------------------------------------------------------------------------------------------------------- the package


def test_the_package_by_itself_imports_nothing_else_of_the_suite() -> None:
    code = (
        "import sys\nimport liftbench\n"
        "heavy = ('liftbench', 'msgspec', 'numpy', 'torch', 'rich')\n"
        "loaded = [name for name in sys.modules if name.startswith(heavy)]\n"
        "assert loaded == ['liftbench'], loaded\n"
        "assert 'compare' in dir(liftbench)\n"
        "liftbench.load_run\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", liftbench.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(liftbench, name).__doc__


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_parameter_is_documented(name: str) -> None:
    function = getattr(liftbench, name)
    documented = inspect.getdoc(function)
    assert documented is not None
    for section in ("Parameters:", "Returns:", "Raises:", "Example:"):
        assert f"\n{section}\n" in documented
    for parameter in inspect.signature(function).parameters.values():
        stars = STARS.get(parameter.kind, "")
        assert f"    {stars}{parameter.name}: " in documented
        if stars == "**" and name != "summarize":
            assert all(f"`{option}`" in documented for option in liftbench.RunOptions.__optional_keys__)


# ------------------------------------------------------------------------------------------- the same as the commands


def test_a_baseline_is_the_run_that_the_command_prints(bench: Any) -> None:
    messages: list[str] = []
    steps: list[tuple[int, int]] = []
    run = liftbench.baseline(
        settings=SETTINGS, say=messages.append, progress=lambda done, total, _: steps.append((done, total))
    )
    assert (messages[0], steps[-1]) == (f"run {run.folder}", (4, 4))
    assert run.manifest.origins["generation.max_new_tokens"] == "Python call (settings)"
    assert run.manifest.argv[0] == "liftbench.baseline"
    printed = json.loads(bench("baseline", *SMALL, "--json").out)
    assert printed["run"] == run.id
    assert printed["manifest"] == as_json(run.manifest)
    assert printed["summary"] == as_json(run.summary)
    assert liftbench.baseline(settings=[f"{key}={json.dumps(value)}" for key, value in SETTINGS.items()]).id == run.id


def test_the_best_prompt_is_searched_for(bench: Any) -> None:
    settings = SETTINGS | {"tune.conversations": 3, "tune.shots": [0], "tune.trials": 1}
    run = liftbench.baseline(settings=settings, tune=True)
    assert run.manifest.tuned
    words = [word for key, value in settings.items() for word in ("--set", f"{key}={json.dumps(value)}")]
    assert json.loads(bench("baseline", "--tune", *words, "--json").out)["run"] == run.id


def test_texts_are_scored_from_a_file_or_a_mapping(bench: Any, conversations: list[liftbench.Conversation]) -> None:
    texts = {one.id: one.references[0] for one in conversations[:4]}
    run = liftbench.score(predictions=texts, name="people", settings=SETTINGS)
    assert (run.manifest.system.name, run.manifest.system.kind) == ("people", "predictions")
    path = Path("people.jsonl")
    write_lines(path, [{"id": id_, "text": text} for id_, text in texts.items()])
    assert json.loads(bench("score", "--predictions", str(path), *SMALL, "--json").out)["run"] == run.id
    assert liftbench.score(predictions=path, settings=SETTINGS).id == run.id
    with pytest.raises(liftbench.UsageError, match="predictions lacks 1 of 4 conversations"):
        liftbench.score(predictions=dict(list(texts.items())[:3]), settings=SETTINGS)
    assert run.manifest.notes == []
    bound = liftbench.score(predictions=texts, settings=SETTINGS | {"generation.repetition_stop": 9})
    assert bound.manifest.notes == [
        "whether these texts follow the decoding rules (greedy|repetition-stop:9) is not known"
    ]


def test_trainings_are_scored_compared_and_used(bench: Any) -> None:
    first, second = liftbench.train(plugin="qlora", seeds=2, settings=SETTINGS)
    assert [run.manifest.seed for run in (first, second)] == [0, 1]
    assert second.manifest.origins["seed"] == "Python call (seeds)"
    printed = json.loads(bench("train", "--plugin", "qlora", "--seeds", "2", *SMALL, "--json").out)
    assert [row["run"] for row in printed] == [first.id, second.id]
    assert liftbench.train(settings=SETTINGS).id == first.id

    again = liftbench.score(first, settings=SETTINGS)
    assert again.manifest.parent == first.id
    assert json.loads(bench("score", str(first.folder), *SMALL, "--json").out)["run"] == again.id

    text = "Customer: My seat is wet.\nAgent: Sorry."
    Path("talk.txt").write_text(text)
    printed = json.loads(bench("summarize", "talk.txt", "--adapter", first.id, *SMALL, "--json").out)
    for one, id_ in ((Path("talk.txt"), "talk.txt"), (text, "the text")):
        found = liftbench.summarize(one, adapter=first, settings=SETTINGS)
        assert as_json(replace(found, seconds=None)) == printed["prediction"] | {"id": id_, "seconds": None}

    baseline = liftbench.baseline(settings=SETTINGS)
    comparison = liftbench.compare(baseline, first, target=0.3)
    assert comparison.seeds[0].runs == [first.id, second.id]
    done = bench("compare", baseline.id, first.id, "--target", "0.3", "--json")
    assert contains(json.loads(done.out), comparison)


def test_a_comparison_is_the_one_that_the_command_prints(project: Any, world: World) -> None:
    printed = json.loads(project("compare", "--json").out)
    assert [one["run"] for one in printed["candidates"]] == [world.good.id]
    assert printed["missing"].keys() == {"best-prompted"}
    baseline, candidate = world.baseline, liftbench.load_run(world.good.id)
    for runs in ((), (baseline,), (None, candidate), (baseline.id, candidate), (Path(baseline.folder), [candidate.id])):
        assert contains(printed, liftbench.compare(*runs))
    options: dict[str, Any] = {"target": 0.9, "headlines": ["rouge1"]}
    printed = json.loads(project("compare", "--target", "0.9", "--headline", "rouge1", "--json").out)
    assert contains(printed, liftbench.compare(**options))


def test_a_gate_is_the_one_that_the_command_prints(project: Any, world: World) -> None:
    run = world.write(untuned())
    rules = ["lift(rougeL) >= 40% verified", "cut <= 2%"]
    options = [word for rule in rules for word in ("--rule", rule)]
    cases: list[tuple[liftbench.Run | None, list[str]]] = [(None, []), (run, ["--run", str(run.folder)])]
    for given, arguments in cases:
        done = project("gate", "--baseline", "untuned", *options, *arguments, "--json")
        report = liftbench.gate(rules=rules, baseline="untuned", run=given)
        assert contains(json.loads(done.out), report)
        assert report.passed == (done.code == 0)
    Path("mine.toml").write_text(
        '[guards]\nfaults = 0.5\n[gates]\nbaseline = "untuned"\nproven = "adapter"\nrules = ["rougeL >= 0.1"]\n'
    )
    printed = json.loads(project("gate", "mine.toml", "--json").out)
    assert printed["notes"]
    assert contains(printed, liftbench.gate("mine.toml"))


def test_pages_are_those_that_the_commands_write(project: Any, world: World) -> None:
    project("compare", "--html", "by-command.html")
    comparison = liftbench.compare()
    assert liftbench.write_report(comparison, "by-call.html") == Path("by-call.html")
    assert Path("by-call.html").read_bytes() == Path("by-command.html").read_bytes()
    assert liftbench.write_report(comparison).parent == Path("reports")
    assert project("report", world.baseline.id, world.good.id, "--html", "runs-by-command.html").code == 0
    liftbench.write_report([world.baseline.id, liftbench.load_run(world.good.id)], "runs-by-call.html")
    assert Path("runs-by-call.html").read_bytes() == Path("runs-by-command.html").read_bytes()
    liftbench.write_report(world.good.id, Path("one.html"))
    assert world.good.id in Path("one.html").read_text()
    assert world.baseline.id not in Path("one.html").read_text()
    with pytest.raises(liftbench.UsageError, match="unknown run 'nowhere'"):
        liftbench.write_report("nowhere")


# ------------------------------------------------------------------------------------------------------------- looking


def test_the_environment_is_what_a_run_would_record() -> None:
    import torch

    found = liftbench.environment()
    assert found.packages["torch"] == torch.__version__
    assert found.threads == torch.get_num_threads()
    assert (found.gpu is None) == (not torch.cuda.is_available())


def test_conversations_are_those_that_a_run_would_use(world: World) -> None:
    assert liftbench.load_conversations("helpdesk") == list(corpus("test"))
    assert liftbench.load_conversations("helpdesk", split="train") == list(corpus("train"))
    folder = str(world.bench.folder)
    assert liftbench.load_conversations(dataset=folder, settings=["data.split=test"]) == world.baseline.conversations
    with pytest.raises(liftbench.UsageError, match="unknown split 'tset'"):
        liftbench.load_conversations("helpdesk", split="tset")


@pytest.mark.usefixtures("bench")
def test_a_preview_tells_what_a_training_would_do() -> None:
    found = liftbench.preview(plugin="qlora", settings=SETTINGS | {"train.options.rank": 3, "prompt.system": HOSTILE})
    assert (found.counts["scored"], found.counts["training"] + found.counts["validation (carved from training)"]) == (
        4,
        8,
    )
    assert (found.options["rank"], found.options["max_steps"], found.options["alpha"]) == (3, 1, 32)
    shown = repr(found)
    assert "train.options.rank = 3 (Python call (settings))" in shown
    assert "generation.repetition_stop" not in shown, "a default value is not shown"
    assert "\n\nprompt of conversation c" in shown
    assert "<script" not in found._repr_html_()
    assert "<td>rank</td><td>3</td>" in found._repr_html_()
    with pytest.raises(liftbench.UsageError, match="rnak"):
        liftbench.preview(plugin="qlora", settings=SETTINGS | {"train.options.rnak": 3})


def test_summaries_stand_side_by_side_with_those_of_people(world: World) -> None:
    found = liftbench.side_by_side(world.baseline, world.good, limit=2)
    first, second = world.baseline.conversations[:2]
    assert found.conversations == [first, second]
    people, base, good = found.summaries[1]
    assert (people.by, people.text, people.score) == ("human", second.references[0], None)
    assert (base.by, good.by) == (world.baseline.manifest.system.name, world.good.manifest.system.name)
    assert good.text == world.good.predictions[second.id].text
    assert good.score == world.good.scores[second.id]["rougeL"]
    again = liftbench.side_by_side(world.good, ids=[second.id, first.id])
    assert [one.id for one in again.conversations] == [second.id, first.id]
    assert f"human: {second.references[0]}" in repr(again)
    assert repr(again).index(second.id) < repr(again).index(first.id)
    hostile = replace(found, conversations=[replace(first, id=HOSTILE), second], summaries=[[people, base], [good]])
    assert "<script" not in hostile._repr_html_()
    with pytest.raises(liftbench.UsageError, match="unknown conversation 'nowhere'"):
        liftbench.side_by_side(world.good, ids=["nowhere"])
    with pytest.raises(liftbench.UsageError, match="one run or several"):
        liftbench.side_by_side()


# ------------------------------------------------------------------------------------------------------------ mistakes


def test_mistakes_are_answered_as_the_commands_answer_them(bench: Any) -> None:
    with pytest.raises(TypeError, match=r"baseline\(\) got an unexpected keyword argument 'limt'; the options are"):
        liftbench.baseline(limt=3)  # type: ignore[call-arg]
    with pytest.raises(liftbench.UsageError, match="give either a system"):
        liftbench.score()
    with pytest.raises(liftbench.UsageError, match="give either a system"):
        liftbench.score("smollm2-135m", predictions={})
    with pytest.raises(liftbench.UsageError, match="not for predictions"):
        liftbench.score(predictions={}, precision="nf4")
    with pytest.raises(liftbench.UsageError, match=r"Did you mean 'generation\.batch_size'"):
        liftbench.baseline(settings={"generation.batchsize": 2})
    with pytest.raises(liftbench.UsageError, match="seeds must be at least 1"):
        liftbench.train(seeds=0)
    with pytest.raises(liftbench.UsageError, match="unknown run 'nowhere'"):
        liftbench.load_run("nowhere")
    with pytest.raises(liftbench.UsageError, match="bench train"):
        liftbench.compare()
    assert "unknown run 'nowhere'" in bench("compare", "nowhere", "there").err


# ---------------------------------------------------------------------------------------------------------- notebooks


def test_results_are_readable_in_a_notebook_and_escaped(project: Any, world: World) -> None:
    del project
    run = liftbench.load_run(world.good.id)
    shown = run._repr_html_()
    assert "base+test on 104 conversations of support test" in shown
    assert "<td>ROUGE-L</td>" in shown
    comparison = liftbench.compare()
    [candidate] = comparison.candidates
    shown = comparison._repr_html_()
    assert shown.index("Undecided" if candidate.verdict.outcome == "undecided" else "Proven") < shown.index("<table>")
    assert shown.count("<tr>") == 1 + len(comparison.headlines)
    report = liftbench.gate(rules=["rougeL >= 0.1"], baseline="untuned")
    shown = report._repr_html_()
    assert shown.startswith("<p>Passed: all 2 rules hold.</p>")
    assert "<td>rougeL &gt;= 0.1</td>" in shown
    assert repr(comparison) == f"{name_run(candidate.run)}: {candidate.verdict.sentence}"
    assert repr(report).startswith("Passed: all 2 rules hold.\npassed: measured alike: ")
    assert "\npassed: rougeL >= 0.1: " in repr(report)

    run.manifest = replace(run.manifest, id=HOSTILE, system=replace(run.manifest.system, name=HOSTILE))
    comparison = replace(comparison, candidates=[replace(candidate, run=HOSTILE)])
    report = replace(report, system=HOSTILE, runs=[HOSTILE], results=[replace(report.results[0], found=HOSTILE)])
    for result in (run, comparison, report):
        shown = result._repr_html_()
        assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; &#x27;y&#x27;" in shown
        assert "<script" not in shown


def test_a_conversation_shows_its_turns_and_summaries() -> None:
    turns = (liftbench.Turn(role="customer", text=HOSTILE), liftbench.Turn(role="agent", text="Sorry."))
    conversation = liftbench.Conversation(id="c1", turns=turns, references=("A customer complains.",))
    shown = conversation._repr_html_()
    assert (
        shown.index("c1") < shown.index("&lt;script&gt;") < shown.index("Sorry.") < shown.index("A customer complains.")
    )
    assert "<script" not in shown
    printed = StringIO()
    conversation._repr_pretty_(SimpleNamespace(text=printed.write), cycle=False)
    assert printed.getvalue().splitlines()[2:] == ["agent: Sorry.", "human summary: A customer complains."]


def test_a_training_is_shown_in_a_sentence() -> None:
    training = TrainingSummary(
        trainer="qlora", steps=58, conversations=460, validation_conversations=40, trainable_parameters=1, seconds=9
    )
    assert describe_training(training) == "trained 58 steps on 460 conversations"
    chosen = replace(training, best_step=29, best_validation_loss=1.849)
    assert describe_training(chosen).endswith("; the best validation loss, 1.85, is that of step 29")


def test_an_unfinished_run_shows_its_status(project: Any, world: World) -> None:
    del project
    run = liftbench.load_run(world.good.id)
    run.manifest = replace(run.manifest, status="trained")
    assert "<table>" not in run._repr_html_()
    assert repr(run) == f"<Run {name_run(run.id)}: trained>"
