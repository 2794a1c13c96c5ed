"""Promoted baselines: what is kept, what is not, when a file changes, and that a gate can read it as the run it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from liftbench.errors import PrerequisiteError, UsageError
from liftbench.floors.background import Background
from liftbench.gating.baselines import promoted_in, read_promoted
from liftbench.gating.promote import FIRST, promote
from liftbench.judging.compare import compare
from liftbench.records.system import Shot
from liftbench.runs.directory import Run

from ..support.build import PROMPT, reseal, write_conversations, write_run
from ..support.scripted import Bench, honest


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    run = write_run(tmp_path / "runs", command="train")
    first = promote(run, "adapter", tmp_path)
    written = first.path.read_bytes()
    again = promote(Run(run.folder), "adapter", tmp_path)
    assert (first.change, again.change) == ("new", "unchanged")
    assert first.path.read_bytes() == written
    assert again.promoted == read_promoted("adapter", tmp_path)
    assert [(one.number, one.why) for one in again.promoted.versions] == [(1, FIRST)]
    assert promote(run, "adapter", tmp_path / "elsewhere").path.read_bytes() == written


def test_a_baseline_changes_with_a_reason_and_keeps_its_past(tmp_path: Path) -> None:
    run, other = (write_run(tmp_path / "runs", created=f"2026-01-0{day}T10:00:00Z") for day in (5, 6))
    promote(run, "plain", tmp_path)
    with pytest.raises(UsageError, match="Say why"):
        promote(other, "plain", tmp_path, why="  ")
    assert read_promoted("plain", tmp_path).versions[-1].run == run.id
    done = promote(other, "plain", tmp_path, why="a newer transformers")
    assert done.change == "changed"
    assert [(one.number, one.run, one.why) for one in done.promoted.versions] == [
        (1, run.id, FIRST),
        (2, other.id, "a newer transformers"),
    ]
    assert promote(other, "plain", tmp_path).change == "unchanged"


def test_a_line_for_each_conversation_so_that_a_review_shows_which_changed(tmp_path: Path) -> None:
    scores = [0.2] * 36
    before = promote(write_run(tmp_path / "a", scores={"rougeL": scores}), "plain", tmp_path).path.read_text()
    changed = write_run(tmp_path / "b", scores={"rougeL": [*scores[:-1], 0.3]})
    after = promote(changed, "plain", tmp_path / "b").path.read_text()
    lines = [line for line in after.splitlines() if line not in before.splitlines() and line.startswith("    {")]
    assert [json.loads(line)["id"] for line in lines] == ["c035"]
    assert json.loads(after)["samples"][-1]["scores"]["rougeL"] == 0.3


def test_no_text_and_no_path_is_kept_unless_asked_for(tmp_path: Path) -> None:
    shot = Shot(id="t1", transcript="Customer: my secret transcript", summary="a secret summary")
    prompt = replace(PROMPT, shots=(shot,))
    run = write_run(tmp_path / "runs", command="train", system={"prompt": prompt})
    template = "/no_think Summarize A/B.\n{conversation}"
    recipe = {
        "data": {
            "dataset": "/home/ann/chats",
            "data_dir": "../private",
            "options": {"data_files": ["/home/ann/x.csv"]},
        },
        "model": {"reference": "/models/mine"},
        "prompt": {"template": template},
    }
    run.manifest = replace(
        run.manifest,
        recipe=recipe,
        argv=["/usr/bin/bench", "train"],
        origins={"a": "/home/ann"},
        notes=["resumed; see /home/ann/notes.txt or https://example.org/a/b"],
    )
    text = promote(run, "adapter", tmp_path).path.read_text(encoding="utf-8")
    for secret in ("secret", "/home", "/models/", "private", "/usr/bin", str(tmp_path)):
        assert secret not in text
    for one in write_conversations():
        assert all(turn.text not in text for turn in one.turns)
        assert all(reference not in text for reference in one.references)
        assert run.predictions[one.id].text not in text
    manifest = json.loads(text)["measured"]["manifest"]
    assert manifest["recipe"]["model"]["reference"] == "mine"
    assert manifest["recipe"]["prompt"]["template"] == template
    assert manifest["notes"] == ["resumed; see notes.txt or https://example.org/a/b"]
    with_texts = promote(run, "adapter", tmp_path, why="texts", texts=True).promoted
    assert {row.id: row.text for row in with_texts.samples} == {id_: p.text for id_, p in run.predictions.items()}
    assert with_texts.run().predictions["c000"].text == run.predictions["c000"].text


def test_a_promoted_baseline_judges_as_the_run_that_it_was(scripted: Bench, tmp_path: Path) -> None:
    candidate = scripted.measure(honest())
    done = promote(scripted.baseline, "plain", tmp_path, controls=scripted.background.controls)
    promoted = read_promoted("plain", tmp_path)
    assert promoted == done.promoted
    background = Background(controls=promoted.controls, missing=scripted.background.missing)
    (ours,) = compare(promoted.run(candidate.conversations), [candidate], background).candidates
    (theirs,) = compare(scripted.baseline, [candidate], scripted.background).candidates
    assert ours.verdict.guards == theirs.verdict.guards
    assert ours.verdict.outcome == theirs.verdict.outcome == "verified"
    assert ours.lifts == theirs.lifts
    assert ours.positions == theirs.positions
    assert ours.slices == theirs.slices


def test_hashes_show_the_baselines_texts_where_the_texts_are_not_kept(scripted: Bench, tmp_path: Path) -> None:
    promoted = promote(scripted.baseline, "plain", tmp_path).promoted.run()
    assert promoted.predictions == {}
    assert promoted.text_hashes == scripted.baseline.text_hashes


@pytest.mark.parametrize("name", ["", "1st", "a b", "../up", "a/b", "-a", ".a", "a-", "proven", "best_prompt", "per"])
def test_a_name_that_no_rule_can_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"valid baseline name|another name for the baseline"):
        promote(write_run(tmp_path / "runs"), name, tmp_path)


def test_a_run_that_is_not_finished_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not finished"):
        promote(write_run(tmp_path / "runs", status="running"), "plain", tmp_path)


def test_a_run_whose_scores_are_not_whole_is_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "runs")
    lines = (run.folder / "scores.jsonl").read_text().splitlines(keepends=True)
    (run.folder / "scores.jsonl").write_text("".join(lines[1:]))
    with pytest.raises(UsageError, match=f"scores.jsonl is not the one that run {run.id} was completed with"):
        promote(Run(run.folder), "plain", tmp_path)
    with pytest.raises(UsageError, match="is damaged"):
        promote(reseal(run), "plain", tmp_path)


def test_another_file_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_text('{"mine": 1}')
    with pytest.raises(UsageError, match="is not a promoted baseline"):
        promote(write_run(tmp_path / "runs"), "notes", tmp_path)
    assert (tmp_path / "notes.json").read_text() == '{"mine": 1}'


def written(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """A promoted model with its best prompt, its file changed."""
    baseline, best = write_run(folder / "runs"), write_run(folder / "runs", best_prompt=True, name="best")
    path = promote(baseline, "plain", folder, best_prompted=best).path
    fields = json.loads(path.read_text())
    change(fields)
    path.write_text(json.dumps(fields))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda fields: fields["samples"][3]["scores"].update(rougeL=0.0), "mean on rougeL"),
        (lambda fields: fields["samples"][3]["scores"].update(rouge2=None), "have 35 scores on rouge2, its summary 36"),
        (lambda fields: fields["samples"][3]["prompted"].update(rouge1=0.9), "mean on rouge1"),
        (lambda fields: fields["samples"].pop(), "have 35 scores on rouge1, its summary 36"),
        (lambda fields: fields["measured"]["summary"]["metrics"][0].update(mean=0.1), "its summary's 0.1"),
        (lambda fields: fields["measured"]["summary"]["metrics"][0].update(mean=None), "its summary"),
    ],
)
def test_a_mean_that_is_not_that_of_the_samples_is_refused_because_either_may_be_edited(
    change: Callable[[dict[str, Any]], object], words: str, tmp_path: Path
) -> None:
    written(tmp_path, change)
    with pytest.raises(UsageError, match=rf"plain\.json is damaged: its conversations.*{words}"):
        read_promoted("plain", tmp_path)


def test_the_promoted_files_of_this_repository_are_read() -> None:
    folder = Path(__file__).resolve().parents[2] / "baselines"
    names = promoted_in(folder)
    assert len(names) >= 4
    assert [read_promoted(name, folder).name for name in names] == names


def test_another_sum_of_the_same_scores_is_the_same_mean(tmp_path: Path) -> None:
    written(tmp_path, lambda fields: fields["samples"].reverse())
    assert read_promoted("plain", tmp_path).samples[0].id == "c035"


def test_a_missing_one_says_how_to_make_it_and_what_is_there(tmp_path: Path) -> None:
    promote(write_run(tmp_path / "runs"), "tweetsumm-plain", tmp_path)
    (tmp_path / "paired-scores.json").write_text("[]")
    assert promoted_in(tmp_path) == ["tweetsumm-plain"]
    with pytest.raises(PrerequisiteError) as caught:
        read_promoted("tweetsum-plain", tmp_path)
    assert "Did you mean 'tweetsumm-plain'?" in str(caught.value)
    assert "`bench promote RUN tweetsum-plain`" in str(caught.value)
    with pytest.raises(PrerequisiteError, match="`bench baseline` measures one"):
        read_promoted("x", tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"schema": 99}, PrerequisiteError, "Upgrade liftbench"),
        ({"samples": [{"id": 3}]}, UsageError, "is damaged"),
        ({"measured": None}, UsageError, "is damaged"),
        ({"name": "another"}, UsageError, "calls itself 'another'"),
        ({"versions": []}, UsageError, "has no version"),
        ({"floors": [{"name": "lead-1"}]}, UsageError, "controls are not whole"),
    ],
)
def test_a_damaged_or_newer_file_says_so(
    tmp_path: Path, change: dict[str, Any], error: type[Exception], words: str
) -> None:
    path = promote(write_run(tmp_path / "runs"), "plain", tmp_path).path
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(error, match=words):
        read_promoted("plain", tmp_path)


def test_a_file_with_a_conversation_twice_is_damaged(tmp_path: Path) -> None:
    path = promote(write_run(tmp_path / "runs"), "plain", tmp_path).path
    found = json.loads(path.read_text())
    path.write_text(json.dumps(found | {"samples": [*found["samples"], found["samples"][0]]}))
    with pytest.raises(UsageError, match="a conversation twice"):
        read_promoted("plain", tmp_path)
