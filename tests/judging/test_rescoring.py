"""Recorded scores held against the texts: what differs, what cannot be checked, and that nothing is scored twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from liftbench.files import write_lines
from liftbench.gating.promote import promote
from liftbench.judging.compare import compare
from liftbench.judging.rescoring import ScoredOnce, ScoreMismatch, check_scores
from liftbench.metrics.base import Metric
from liftbench.metrics.rouge import Rouge
from liftbench.records.conversation import Conversation
from liftbench.records.run import SampleScores
from liftbench.runs.directory import Run

from ..support.build import reseal, tuned_texts, write_conversations, write_run

ROUGE = Rouge("rougeL")
N = 36


def check(run: Run, metric: Metric = ROUGE) -> list[ScoreMismatch]:
    return check_scores([run], [metric], run.conversations)


def rescored(run: Run, **scores: float | None) -> Run:
    """The run with other scores of its first conversation."""
    rows = [SampleScores(id=id_, scores=dict(own)) for id_, own in run.scores.items()]
    rows[0].scores.update(scores)
    write_lines(run.folder / "scores.jsonl", rows)
    return reseal(run)


def test_a_runs_own_scores_are_those_of_its_texts(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    assert check_scores([run], [Rouge("rouge1"), Rouge("rougeL")], run.conversations) == []


def test_scores_of_other_texts_differ(tmp_path: Path) -> None:
    column = [value["rougeL"] for value in write_run(tmp_path, command="train").scores.values()]
    run = write_run(tmp_path, scores={"rougeL": column})
    ids = [one.id for one in run.conversations]
    assert check(run) == [ScoreMismatch(run=run.id, metric="rougeL", ids=ids, n=N)]


@pytest.mark.parametrize(
    ("off", "found"), [(0.0, []), (9e-10, []), (-9e-10, []), (2e-9, ["c000"]), (-0.01, ["c000"]), (None, ["c000"])]
)
def test_a_score_may_be_off_by_its_last_digits_alone(off: float | None, found: list[str], tmp_path: Path) -> None:
    run = write_run(tmp_path)
    value = run.scores["c000"]["rougeL"]
    assert value is not None
    again = rescored(run, rougeL=None if off is None else value + off)
    assert [id_ for one in check(again) for id_ in one.ids] == found


def test_a_metric_that_asks_a_model_may_be_off_by_more(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    value = run.scores["c000"]["rougeL"]
    assert value is not None
    again, model = rescored(run, rougeL=value + 1e-4), Rouge("rougeL")
    assert check(again)
    model.tolerance = 1e-3
    assert check(again, model) == check(again, ScoredOnce(model)) == []


def test_a_score_of_no_text_differs(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    write_lines(run.folder / "predictions.jsonl", list(run.predictions.values())[1:])
    [found] = check(reseal(run))
    assert found.ids == ["c000"]


def test_what_cannot_be_scored_again_is_not_checked(tmp_path: Path) -> None:
    run = write_run(tmp_path, scores={"rougeL": [0.5] * N})
    assert check(run)
    assert check(run, Rouge("rougeL", stemmer="none")) == []
    assert check_scores([run], [], run.conversations) == []
    without_texts = promote(run, "plain", tmp_path).promoted.run(run.conversations)
    assert check_scores([without_texts], [ROUGE], run.conversations) == []
    with_texts = promote(run, "texts", tmp_path, texts=True).promoted.run(run.conversations)
    assert [one.run for one in check_scores([with_texts], [ROUGE], run.conversations)] == [run.id]


@pytest.mark.parametrize("flattered", ["the baseline", "the candidate"])
def test_a_verdict_on_scores_of_other_texts_is_unproven_because_it_was_verified(flattered: str, tmp_path: Path) -> None:
    rows = write_conversations(60)
    low = {"rougeL": [0.1] * 60} if flattered == "the baseline" else None
    high = {"rougeL": [0.9] * 60} if flattered == "the candidate" else None
    baseline = write_run(tmp_path, conversations=rows, scores=low)
    candidate = write_run(tmp_path, command="train", conversations=rows, scores=high)
    wrong = baseline if flattered == "the baseline" else candidate
    (unchecked,) = compare(baseline, [candidate]).candidates
    (result,) = compare(baseline, [candidate], metrics=[ROUGE]).candidates
    before, guard = (
        next(guard for guard in one.verdict.guards if guard.name == "scores") for one in (unchecked, result)
    )
    assert (before.state, guard.state, result.verdict.outcome) == ("passed", "failed", "unproven")
    assert guard.words == (
        "The scores are not those of the texts: recorded ROUGE-L differs from the texts' in 60 of 60 conversations of "
        f"run {wrong.id}, for example c000."
    )
    assert guard.fix


def test_a_candidate_is_not_charged_with_another_ones_scores(tmp_path: Path) -> None:
    baseline = write_run(tmp_path)
    wrong = write_run(tmp_path, command="train", scores={"rougeL": [0.9] * N})
    honest = write_run(tmp_path, command="train", created="2026-01-07T10:00:00Z")
    states = {
        one.run: next(guard.state for guard in one.verdict.guards if guard.name == "scores")
        for one in compare(baseline, [wrong, honest], metrics=[ROUGE]).candidates
    }
    assert states == {wrong.id: "failed", honest.id: "passed"}


class Counting(Metric):
    """ROUGE-L that counts how often it scores a text of a conversation against some references."""

    name = "rougeL"
    signature = ROUGE.signature

    def __init__(self) -> None:
        self.asked: Counter[tuple[str, str, tuple[str, ...]]] = Counter()

    def score(self, texts: Sequence[str], conversations: Sequence[Conversation]) -> list[float | None]:
        pairs = zip(texts, conversations, strict=True)
        self.asked.update((text, one.id, one.references) for text, one in pairs)
        return ROUGE.score(texts, conversations)


def test_nothing_is_scored_twice_for_the_check_and_the_sensitivity_page(tmp_path: Path) -> None:
    baseline, counting = write_run(tmp_path), Counting()
    runs = [write_run(tmp_path, command="train", created=f"2026-01-0{day}T10:00:00Z") for day in (6, 7)]
    (found, _) = compare(baseline, runs, metrics=[counting]).candidates
    assert any(one.name == "cut to equal length" for one in found.alternatives)
    assert set(counting.asked.values()) == {1}


@given(st.lists(st.tuples(st.sampled_from(["a refund", "", "a parcel"]), st.integers(0, 4)), max_size=12))
def test_what_is_scored_once_has_the_same_values(asked: list[tuple[str, int]]) -> None:
    conversations = write_conversations(5)
    rows = [conversations[number] for _, number in asked]
    single = [replace(one, references=one.references[:1]) for one in rows]
    texts, once = [text or tuned_texts(rows)[at] for at, (text, _) in enumerate(asked)], ScoredOnce(ROUGE)
    for some in (rows, single, rows):
        assert once.score(texts, some) == ROUGE.score(texts, some)
