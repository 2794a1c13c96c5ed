"""The sensitivity page's figures: what each choice changes, what it must leave alone, and where there is no number."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from liftbench.data.jsonl import read_jsonl
from liftbench.errors import LiftbenchError, UsageError
from liftbench.extension.loader import load_plugins
from liftbench.extension.registry import Spec
from liftbench.files import write_lines
from liftbench.judging import sensitivity
from liftbench.judging.leakage import Leak, LeakKind
from liftbench.judging.sensitivity import Alternative, equally_long, scorers
from liftbench.measuring.score import values
from liftbench.metrics.base import Metric, MetricRequest
from liftbench.metrics.rouge import Rouge
from liftbench.records.conversation import Conversation
from liftbench.records.run import Limits, Terms
from liftbench.runs.directory import Run, runs_in
from liftbench.statistics.bootstrap import Bootstrap
from liftbench.statistics.lift import Lift

from ..support.build import reseal, tuned_texts, untuned_texts, write_conversations, write_run
from ..support.lifts import as_lift

ROUGE = Rouge("rougeL")


class Plain(Metric):
    """One for a text that begins as the first reference does, one half for others; NaN for what it is told to."""

    name = "rougeL"
    signature = "plain|1"

    def __init__(self, request: MetricRequest, unscored: str = "") -> None:
        del request
        self.unscored = unscored

    def score(self, texts: Sequence[str], conversations: Sequence[Conversation]) -> list[float | None]:
        return [
            math.nan if self.unscored and self.unscored in one.references else 0.5 + 0.5 * (text[:8] in str(one))
            for text, one in zip(texts, conversations, strict=True)
        ]


@pytest.fixture
def measured(tmp_path: Path) -> Callable[..., tuple[Run, Run]]:
    """A baseline and a candidate on the same conversations, scored by ROUGE."""

    def measure(
        conversations: Sequence[Conversation] | None = None,
        texts: tuple[Sequence[str], Sequence[str]] | None = None,
        scores: dict[str, Sequence[float | None]] | None = None,
    ) -> tuple[Run, Run]:
        rows = list(conversations or write_conversations(90))
        before, after = texts or (untuned_texts(rows), tuned_texts(rows))
        return (
            write_run(tmp_path / "runs", conversations=rows, texts=before),
            write_run(tmp_path / "runs", conversations=rows, texts=after, command="train", scores=scores),
        )

    return measure


def alternatives(
    runs: tuple[Run, Run],
    metrics: Sequence[Metric] = (ROUGE,),
    leaks: Sequence[Leak] = (),
    *,
    headlines: Sequence[str] = ("rougeL",),
    target: float = 0.4,
    seed: int = 0,
    comparisons: int = 1,
) -> Any:
    rows = runs[0].conversations
    # By their customers alone: what builds these runs writes conversations that are much alike.
    clusters = {one.id: str(one.metadata.get("cluster", one.id)) for one in rows}
    terms = Terms(headlines=tuple(headlines), target=target, against="baseline", limits=Limits())
    bootstrap = Bootstrap(seed=seed, clusters=clusters, comparisons=comparisons)
    over, candidate = runs
    rescored = {metric.name: sensitivity.Rescored(over, metric) for metric in metrics}
    (found,) = sensitivity.alternatives(over, [(candidate, leaks)], rescored, terms, bootstrap)
    return found


def named(found: Sequence[Alternative], name: str) -> Alternative:
    (one,) = [choice for choice in found if choice.name == name]
    return one


def means(lift: Lift) -> tuple[float, float]:
    return lift.baseline, lift.candidate


def leak(id_: str, kind: LeakKind = "trained on") -> Leak:
    return Leak(kind=kind, id=id_, other="t1", likeness=1.0)


# ---------------------------------------------------------------------------------------------------------- the rows


def test_every_headline_has_its_rows_and_the_first_is_the_lift_as_it_was_judged(
    measured: Callable[..., tuple[Run, Run]],
) -> None:
    runs = measured()
    found = alternatives(runs, [ROUGE, Rouge("rouge1")], [leak("c003")], headlines=["rougeL", "rouge1"], seed=3)
    expected = [
        ("as measured", "as measured"),
        ("metric", "best of the references"),
        ("metric", "only reference 1"),
        ("metric", "only reference 2"),
        ("metric", "only reference 3"),
        ("metric", "without stemming"),
        ("length", "cut to equal length"),
        *(("seed", f"bootstrap seed {number}") for number in (1, 2, 4, 5, 6)),
        ("leakage", "without 1 conversation that leaks"),
    ]
    assert [(one.kind, one.name) for one in found] == expected * 2
    assert {one.lift.metric for one in found[: len(expected)]} == {"rougeL"}
    before, after = ([run.scores[id_]["rougeL"] for id_ in sorted(run.scores)] for run in runs)
    expected_lift = Bootstrap(seed=3).lift(before, after, metric="rougeL", signature=ROUGE.signature, target=0.4)
    assert found[0].lift == expected_lift


def test_without_the_metrics_only_what_needs_no_scoring_is_there(measured: Callable[..., tuple[Run, Run]]) -> None:
    found = alternatives(measured(), [], [leak("c003")])
    assert [one.kind for one in found] == ["as measured", *["seed"] * 5, "leakage"]


def test_several_candidates_widen_every_interval(measured: Callable[..., tuple[Run, Run]]) -> None:
    runs = measured()
    for one, other in zip(alternatives(runs), alternatives(runs, comparisons=3), strict=True):
        assert one.lift.lift == other.lift.lift
        assert one.lift.high < other.lift.high


@pytest.mark.parametrize(("target", "outcome"), [(0.1, "verified"), (99.0, "not met")])
def test_each_row_says_what_it_alone_would_amount_to(
    measured: Callable[..., tuple[Run, Run]], target: float, outcome: str
) -> None:
    assert {one.outcome for one in alternatives(measured(), target=target)} == {outcome}


def test_customers_are_resampled_whole(measured: Callable[..., tuple[Run, Run]]) -> None:
    rows = [
        replace(one, metadata={"cluster": f"customer {number // 2}"})
        for number, one in enumerate(write_conversations(60))
    ]
    found = alternatives(measured(rows), leaks=[leak(rows[0].id), leak(rows[1].id)])
    assert named(found, "as measured").lift.units == 30
    assert named(found, "cut to equal length").lift.units == 30
    assert named(found, "without 2 conversations that leak").lift.units == 29


def test_too_few_conversations_are_never_verified(measured: Callable[..., tuple[Run, Run]]) -> None:
    found = alternatives(measured(write_conversations(18)), target=0.1)
    assert {one.outcome for one in found} == {"undecided"}
    assert not [one for one in found if one.name.startswith("only reference")]


# --------------------------------------------------------------------------------------------------------- references


def test_the_best_of_the_references_is_at_least_their_mean(measured: Callable[..., tuple[Run, Run]]) -> None:
    found = alternatives(measured())
    best, mean = (as_lift(named(found, name).lift) for name in ("best of the references", "as measured"))
    assert all(one > other for one, other in zip(means(best), means(mean), strict=True))
    assert best.signature != mean.signature


def test_single_references_are_those_that_the_conversations_have(measured: Callable[..., tuple[Run, Run]]) -> None:
    runs = measured()
    found = alternatives(runs)
    assert [named(found, f"only reference {number}").lift.n for number in (1, 2, 3)] == [90, 60, 30]
    second = [one for one in runs[1].conversations if len(one.references) > 1]
    texts = [runs[1].predictions[one.id].text for one in second]
    scores = ROUGE.score(texts, [replace(one, references=one.references[1:2]) for one in second])
    expected = sum(score for score in scores if score is not None) / len(scores)
    assert named(found, "only reference 2").lift.candidate == pytest.approx(expected)


def test_a_reference_that_few_conversations_have_is_left_out(measured: Callable[..., tuple[Run, Run]]) -> None:
    found = alternatives(measured(write_conversations(57)))  # 57 have one, 38 a second, 19 a third.
    assert [one.lift.n for one in found if one.name.startswith("only reference")] == [57, 38]


def test_with_one_reference_each_there_is_nothing_to_choose(measured: Callable[..., tuple[Run, Run]]) -> None:
    rows = [replace(one, references=one.references[:1]) for one in write_conversations(24)]
    assert [one.name for one in alternatives(measured(rows)) if one.kind == "metric"] == ["without stemming"]


def test_a_metric_without_variants_still_has_its_references(measured: Callable[..., tuple[Run, Run]]) -> None:
    names = [one.name for one in alternatives(measured(), [Plain(MetricRequest())]) if one.kind == "metric"]
    assert names == ["best of the references", *(f"only reference {number}" for number in (1, 2, 3))]


# ------------------------------------------------------------------------------------------------------------- length


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("a b  c", "d e", ("a b", "d e")),
        ("a\n\nb c", "d\te f g", ("a\n\nb c", "d\te f")),
        ("a b", "", ("", "")),
        ("", "", ("", "")),
        ("a b", "c d", ("a b", "c d")),
    ],
)
def test_both_texts_keep_the_words_of_the_shorter_one(one: str, other: str, expected: tuple[str, str]) -> None:
    assert equally_long(one, other) == expected


@given(st.text(), st.text())
def test_cut_texts_are_equally_long_beginnings(one: str, other: str) -> None:
    cut, cut_other = equally_long(one, other)
    assert len(cut.split()) == len(cut_other.split()) == min(len(one.split()), len(other.split()))
    assert (one.startswith(cut), other.startswith(cut_other)) == (True, True)


def test_a_candidate_that_only_writes_more_loses_its_lift(measured: Callable[..., tuple[Run, Run]]) -> None:
    rows = write_conversations(60)
    short = [one.references[0].split(".")[0] for one in rows]
    padded = [f"{text}. {one.references[0].split('. ')[1]}" for text, one in zip(short, rows, strict=True)]
    found = alternatives(measured(rows, (short, padded)), target=0.2)
    assert named(found, "as measured").outcome == "verified"
    assert as_lift(named(found, "cut to equal length").lift).lift == 0.0
    assert named(found, "cut to equal length").outcome == "not met"


# ------------------------------------------------------------------------------------------------------------ leakage


def test_leaking_conversations_are_left_out_together_and_kind_by_kind(
    measured: Callable[..., tuple[Run, Run]],
) -> None:
    gain = [1.0 if number < 6 else 0.1 for number in range(24)]
    runs = measured(write_conversations(24), scores={"rougeL": gain})
    leaks = [leak(f"c{number:03}") for number in range(4)]
    leaks += [leak(f"c{number:03}", "copied reference") for number in range(3, 6)]
    found = [one for one in alternatives(runs, [], leaks) if one.kind == "leakage"]
    assert [(one.name, one.lift.n) for one in found] == [
        ("without 6 conversations that leak", 18),
        ("without 4 conversations that leak (trained on)", 20),
        ("without 3 conversations that leak (copied reference)", 21),
    ]
    assert found[0].lift.candidate == pytest.approx(0.1)
    assert found[1].lift.candidate == pytest.approx((2 + 18 * 0.1) / 20)


def test_where_all_leak_nothing_is_proven(measured: Callable[..., tuple[Run, Run]]) -> None:
    runs = measured(write_conversations(24))
    found = alternatives(runs, [], [leak(id_) for id_ in runs[0].scores])
    assert (found[-1].name, found[-1].outcome) == ("without 24 conversations that leak", "unproven")


def test_without_leaks_there_is_no_such_row(measured: Callable[..., tuple[Run, Run]]) -> None:
    assert "leakage" not in {one.kind for one in alternatives(measured())}


# -------------------------------------------------------------------------------------------------------- fail closed


@pytest.mark.parametrize("name", ["scores.jsonl", "predictions.jsonl", "conversations.jsonl"])
@pytest.mark.parametrize("side", [0, 1])
def test_what_a_run_lacks_leaves_the_lift_unproven(
    measured: Callable[..., tuple[Run, Run]], name: str, side: int
) -> None:
    runs = measured()
    # The baseline's conversations stand for both.
    path = runs[0 if name == "conversations.jsonl" else side].folder / name
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[1:]), encoding="utf-8")
    found = alternatives((reseal(runs[0]), reseal(runs[1])), leaks=[leak("c000")])
    assert [(one.kind, one.outcome) for one in found] == [("as measured", "unproven")]
    assert "no number for 1 of 90 conversations" in found[0].lift.reason


@pytest.mark.parametrize("value", [math.nan, None])
def test_a_score_without_a_number_leaves_the_lift_unproven(
    measured: Callable[..., tuple[Run, Run]], value: float | None
) -> None:
    found = alternatives(measured(scores={"rougeL": [value, *[0.9] * 89]}), leaks=[leak("c000")])
    assert [(one.kind, one.outcome) for one in found] == [("as measured", "unproven")]


def test_a_text_that_cannot_be_scored_again_leaves_its_row_unproven(
    measured: Callable[..., tuple[Run, Run]],
) -> None:
    runs = measured()
    second = next(one.references[1] for one in runs[0].conversations if len(one.references) > 1)
    outcomes = {one.name: one.outcome for one in alternatives(runs, [Plain(MetricRequest(), second)], target=-0.9)}
    assert outcomes["only reference 1"] == "verified"
    assert outcomes["best of the references"] == outcomes["only reference 2"] == "unproven"
    assert outcomes["cut to equal length"] == "unproven"


# ----------------------------------------------------------------------------------------- metrics that are made again

HEADLINES = ("rougeL", "content-overlap")


@pytest.fixture
def scored(tmp_path: Path, command_line: Callable[..., Any]) -> Callable[..., Run]:
    """A run as `bench score` makes one, of the beginnings of a split's first references."""

    def score(split: Path, *arguments: str) -> Run:
        rows = read_jsonl(split)
        write_lines(tmp_path / "texts.jsonl", [{"id": one.id, "text": one.references[0][:90]} for one in rows])
        names = f"metrics.names={[*HEADLINES, 'chrf']!r}"
        done = command_line("score", *arguments, "--predictions", str(tmp_path / "texts.jsonl"), "--set", names)
        assert done.code == 0, done.err
        return runs_in(tmp_path / "reports" / "runs")[-1]

    return score


@pytest.fixture
def support(tmp_path: Path, conversations: list[Conversation]) -> Path:
    """A folder with both splits."""
    write_lines(tmp_path / "support" / "validation.jsonl", conversations)
    write_lines(tmp_path / "support" / "train.jsonl", [replace(one, id=f"t{one.id}") for one in write_conversations()])
    return tmp_path / "support"


def test_rescoring_a_runs_own_texts_gives_its_own_scores(scored: Callable[..., Run]) -> None:
    run = scored(Path(sensitivity.__file__).parents[1] / "corpora" / "helpdesk" / "test.jsonl", "helpdesk")
    metrics = scorers(run, HEADLINES, load_plugins())
    assert [metric.name for metric in metrics] == list(HEADLINES)
    for metric in metrics:
        texts = [run.predictions[one.id].text for one in run.conversations]
        own = [run.scores[one.id][metric.name] for one in run.conversations]
        assert values(metric, texts, run.conversations) == own


def test_no_other_metric_is_loaded(scored: Callable[..., Run], support: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, plugins = scored(support / "validation.jsonl", "--dataset", str(support)), load_plugins()
    load, loaded = plugins.load, []

    def recording(spec: Spec) -> Any:
        loaded.append(spec.name)
        return load(spec)

    monkeypatch.setattr(plugins, "load", recording)
    scorers(run, ["content-overlap"], plugins)
    assert loaded == ["content-overlap"]


@pytest.mark.parametrize(
    ("split", "headlines", "differing"),
    [
        ("validation", HEADLINES, "the data set"),
        ("train", HEADLINES, "the data set and content-overlap"),
        ("none", ["rougeL", "rouge1"], "rouge1"),
    ],
)
def test_what_is_no_longer_as_it_was_is_named(
    scored: Callable[..., Run], support: Path, split: str, headlines: Sequence[str], differing: str
) -> None:
    run = scored(support / "validation.jsonl", "--dataset", str(support))
    if split != "none":
        path = support / f"{split}.jsonl"
        path.write_text(path.read_text(encoding="utf-8").replace("invoice", "receipt"), encoding="utf-8")
    with pytest.raises(UsageError, match=f"^{differing} changed since .* was measured\nMeasure it again"):
        scorers(run, headlines, load_plugins())


def test_data_that_are_gone_are_an_error_with_the_reason(scored: Callable[..., Run], support: Path) -> None:
    run = scored(support / "validation.jsonl", "--dataset", str(support))
    support.rename(support.with_name("elsewhere"))
    with pytest.raises(LiftbenchError, match="support"):
        scorers(run, HEADLINES, load_plugins())
