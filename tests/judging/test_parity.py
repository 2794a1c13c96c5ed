"""Parity: equal and different texts, where they part, and which runs have none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from liftbench.errors import UsageError
from liftbench.judging.parity import find_partings, measure_parity
from liftbench.metrics.rouge import f1
from liftbench.records.system import AdapterRecord, ModelRecord, ServedModel
from liftbench.report.parity import describe_parity, write_parity
from liftbench.runs.directory import Run

from ..support.build import BASE, untuned_texts, write_conversations, write_run

Make = Callable[..., Run]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make_run(
        texts: Sequence[str] | None = None, backend: str = "vllm", conversations: int = 40, **others: Any
    ) -> Run:
        rows = write_conversations(conversations)
        system = {"backend": backend, **others.pop("system", {})}
        engine = {"engine": "vllm|v1"} if backend == "vllm" else {}
        protocol = {**engine, **others.pop("protocol", {})}
        return write_run(
            tmp_path,
            conversations=rows,
            texts=untuned_texts(rows) if texts is None else texts,
            system=system,
            protocol=protocol,
            **others,
        )

    return make_run


def spoil(texts: Sequence[str], every: int, how: Callable[[str], str]) -> list[str]:
    return [how(text) if number % every == 0 else text for number, text in enumerate(texts)]


def usual(n: int = 40) -> list[str]:
    return untuned_texts(write_conversations(n))


# ------------------------------------------------------------------------------------------------------------- figures


def test_equal_texts_are_said_to_be_equal_with_what_the_sample_cannot_show(make: Make) -> None:
    found = measure_parity(make(backend="transformers"), make())
    assert (found.outcome, found.n, found.equal, found.partings) == ("equal", 40, 40, None)
    assert found.rouge_l.mean == 1.0
    assert found.unseen is not None
    assert (1 - found.unseen) ** 40 <= 0.05 + 1e-9  # clusters count, and there are at most 40
    assert {(one.difference, one.low, one.high) for one in found.headlines} == {(0.0, 0.0, 0.0)}
    told = describe_parity(found)
    assert told.startswith("vllm writes all 40 texts exactly as transformers does, so every figure is the same")


def test_empty_texts_are_equal_texts(make: Make) -> None:
    found = measure_parity(make([""] * 40, backend="transformers"), make([""] * 40))
    assert (found.outcome, found.rouge_l.mean) == ("equal", 1.0)


def test_texts_that_differ_where_no_metric_looks_are_alike(make: Make) -> None:
    texts = spoil(usual(), 4, lambda text: text.replace(".", "!"))
    found = measure_parity(make(backend="transformers"), make(texts))
    assert (found.outcome, found.equal, found.share.mean) == ("alike", 30, 0.75)
    assert found.share.low is not None
    assert found.share.high is not None
    assert 0 < found.share.low < 0.75 < found.share.high < 1
    assert found.rouge_l.mean == found.rouge_l_apart == 1.0
    assert "no headline differs measurably: ROUGE-L 0.0000" in describe_parity(found)


def test_texts_that_score_worse_differ(make: Make) -> None:
    texts = spoil(usual(), 2, lambda text: " ".join(text.split()[:3]))
    first, second = make(backend="transformers"), make(texts)
    found = measure_parity(first, second)
    headline = found.headlines[0]
    assert (found.outcome, found.equal) == ("different", 20)
    assert headline.difference is not None
    assert headline.high is not None
    assert headline.difference < headline.high < 0
    sums = [sum(row["rougeL"] or 0.0 for row in run.scores.values()) for run in (first, second)]
    assert headline.difference == pytest.approx((sums[1] - sums[0]) / 40)
    pairs = zip(usual(), texts, strict=True)
    expected = [f1("rougeL", one, other) for one, other in pairs if one != other]
    assert found.rouge_l_apart == pytest.approx(sum(expected) / 20)
    assert found.partings is not None
    assert found.partings.beginnings == 20
    assert "must not be compared with a system measured by the other" in describe_parity(found)


def test_the_other_way_round_only_the_signs_change(make: Make) -> None:
    texts = spoil(usual(), 3, lambda text: text[:40])
    first, second = make(backend="transformers"), make(texts)
    one, other = measure_parity(first, second), measure_parity(second, first)
    assert (one.equal, one.partings, one.rouge_l) == (other.equal, other.partings, other.rouge_l)
    assert one.headlines[0].difference == pytest.approx(-(other.headlines[0].difference or 0))
    assert one.headlines[0].low == pytest.approx(-(other.headlines[0].high or 0))


def test_several_headlines_share_the_level(make: Make) -> None:
    both = ("rougeL", "rouge1")
    found = measure_parity(make(backend="transformers", headlines=both), make(usual()[::-1], headlines=both))
    assert [one.metric for one in found.headlines] == list(both)
    assert found.level == 0.975


def test_few_conversations_settle_nothing(make: Make) -> None:
    texts = [text[:30] for text in usual(3)]
    found = measure_parity(make(backend="transformers", conversations=3), make(texts, conversations=3))
    assert (found.outcome, found.headlines[0].low) == ("too few", None)
    assert "3 conversations are too few" in describe_parity(found)


def test_a_headline_that_one_run_computes_otherwise_is_not_compared(make: Make) -> None:
    second = make(usual()[::-1], protocol={"metrics": {"rougeL": "another"}})
    found = measure_parity(make(backend="transformers"), second)
    assert found.headlines[0].difference is None
    assert "different signatures" in found.headlines[0].problem
    assert "no headline can be compared" in describe_parity(found)


def test_a_score_that_is_missing_is_not_counted_as_zero(make: Make) -> None:
    scores = {"rougeL": [None, *([0.5] * 39)]}
    found = measure_parity(make(backend="transformers"), make(usual()[::-1], scores=scores))
    assert found.headlines[0].problem == "it has no number for some of the conversations"


# -------------------------------------------------------------------------------------------------------------- places


def test_places_are_counted_from_one_in_characters_and_words() -> None:
    found = find_partings([("a b c", "a b d"), ("a b", "a b c"), ("x", "y"), ("a b", "a  b"), ("", "a")])
    assert (found.spaces, found.beginnings) == (1, 2)
    assert found.words is not None
    assert (found.words.least, found.words.most) == (1, 3)
    assert (found.characters.least, found.characters.most) == (1, 5)
    assert [(one.first, one.last, one.pairs) for one in found.bins][:3] == [(1, 1, 2), (2, 5, 2), (6, 10, 0)]
    assert found.bins[-1].last is None


def test_white_space_alone_has_no_word() -> None:
    found = find_partings([("a b", "a\nb")])
    assert (found.words, found.spaces, sum(one.pairs for one in found.bins)) == (None, 1, 0)


@given(st.text("ab ", max_size=12), st.text("ab ", max_size=12))
def test_what_stands_before_a_place_is_equal_and_the_place_is_not(one: str, other: str) -> None:
    if one == other:
        return
    at = find_partings([(one, other)]).characters.median - 1
    assert one[:at] == other[:at]
    assert one[at : at + 1] != other[at : at + 1]


# ------------------------------------------------------------------------------------------------------------ refusals


def test_a_run_has_no_parity_with_itself(make: Make) -> None:
    run = make()
    with pytest.raises(UsageError, match="is one run"):
        measure_parity(run, run)


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({"conversations": 39}, "conversations: "),
        ({"protocol": {"max_new_tokens": 40}}, "max_new_tokens: 80 against 40"),
        ({"protocol": {"decoding": "greedy|min-words:3"}}, "decoding: greedy against greedy"),
        ({"status": "running"}, "is not finished"),
    ],
)
def test_runs_that_were_measured_otherwise_have_none(make: Make, others: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        measure_parity(make(backend="transformers"), make(texts=usual(others.get("conversations", 40)), **others))


@pytest.mark.parametrize(
    ("system", "key"),
    [
        ({"model": replace(BASE, sha256="other")}, "model"),
        ({"adapter": AdapterRecord(sha256="other")}, "adapter"),
    ],
)
def test_two_systems_have_none(make: Make, system: dict[str, Any], key: str) -> None:
    with pytest.raises(UsageError, match=f"are two systems: they differ in .*{key}"):
        measure_parity(make(backend="transformers"), make(system=system))


def test_a_served_model_may_be_another_and_that_is_said(make: Make) -> None:
    served = ModelRecord(
        reference="openai:m@http://a/v1", sha256="x", source="s", served=ServedModel(name="m", url="http://a/v1")
    )
    found = measure_parity(make(backend="transformers"), make(backend="openai", system={"model": served}))
    assert found.backends == ("transformers", "openai")
    assert "which weights and precision the server of smollm2-135m used" in found.unknown
    assert "Not known: which weights" in write_parity(found)


def test_one_backend_twice_is_told_apart(make: Make) -> None:
    found = measure_parity(make(backend="transformers"), make(usual()[::-1], backend="transformers"))
    assert found.backends == ("transformers (the first run)", "transformers (the second run)")


def test_texts_that_were_changed_later_are_refused(make: Make) -> None:
    first, second = make(backend="transformers"), make()
    path = second.folder / "predictions.jsonl"
    path.write_text(path.read_text().replace("someone", "nobody"))
    with pytest.raises(UsageError, match=r"predictions\.jsonl"):
        measure_parity(first, Run(second.folder))


def test_markdown_shows_what_a_text_cannot_break(make: Make) -> None:
    found = measure_parity(make(backend="a|b"), make(usual()[::-1]))
    shown = write_parity(found)
    assert "a\\|b" in shown
    assert {line.count("|") - line.count("\\|") for line in shown.splitlines() if line.startswith("| headline")} == {7}
