"""chrF: sacreBLEU itself, and what is ours: the scale, the mean over references, the edges."""

from __future__ import annotations

from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics import CHRF

from liftbench.metrics.base import MetricRequest
from liftbench.records.conversation import Conversation
from liftbench_plugins.metrics.chrf import Chrf, count_matches

METRIC = Chrf(MetricRequest())


def conversation(*references: str) -> Conversation:
    return Conversation(id="any", turns=(), references=references)


@settings(max_examples=60)
@given(text=st.text(max_size=20), reference=st.text(max_size=20))
def test_one_reference_gives_what_sacrebleu_gives_by_default(text: str, reference: str) -> None:
    (value,) = METRIC.score([text], [conversation(reference)])
    assert value == pytest.approx(CHRF().sentence_score(text, [reference]).score / 100, abs=1e-12)
    assert value is not None
    assert 0.0 <= value <= 1 + 1e-12


FEW, MANY = "ab ", "".join(map(chr, range(0x4E00, 0x5200)))


@settings(max_examples=150)
@given(
    text=st.text(st.sampled_from(FEW), max_size=60) | st.text(st.sampled_from(MANY), max_size=60),
    references=st.lists(st.text(st.sampled_from(FEW), max_size=60) | st.text(max_size=60), min_size=1, max_size=4),
)
def test_every_bit_is_sacrebleus(text: str, references: list[str]) -> None:
    theirs = [CHRF().sentence_score(text, [reference]).score for reference in references]
    assert METRIC.score([text], [conversation(*references)]) == [fmean(theirs) / 100]


@pytest.mark.parametrize(
    ("text", "references"), [(MANY, ["a", MANY[:700]]), ("abc", [f"ab{number}" for number in range(130)])]
)
def test_what_does_not_fit_into_numbers_is_left_to_sacrebleu(text: str, references: list[str]) -> None:
    assert count_matches(text, references) is None
    theirs = [CHRF().sentence_score(text, [reference]).score for reference in references]
    assert METRIC.score([text], [conversation(*references)]) == [fmean(theirs) / 100]


def test_several_references_give_their_mean_where_sacrebleu_takes_the_best() -> None:
    references = ["ab", "aa"]
    assert CHRF().sentence_score("aa", references).score == pytest.approx(100)
    assert METRIC.score(["aa"], [conversation(*references)]) == [pytest.approx(0.625)]


@pytest.mark.parametrize(
    ("text", "references", "expected"),
    [("", ["a summary"], 0.0), ("  ", ["a summary"], 0.0), ("a summary", [""], 0.0), ("a summary", [], None)],
)
def test_edges(text: str, references: list[str], expected: float | None) -> None:
    assert METRIC.score([text], [conversation(*references)]) == [expected]


def test_texts_and_conversations_must_pair_up() -> None:
    with pytest.raises(ValueError, match="shorter"):
        METRIC.score(["one", "two"], [conversation("one")])


def test_the_signature_says_what_sacrebleus_own_says() -> None:
    package = CHRF()
    package.corpus_score(["a"], [["a"]])
    own = dict(part.split(":") for part in str(package.get_signature()).split("|"))
    ours = dict(part.partition(":")[::2] for part in METRIC.signature.split("|"))
    assert {key: ours[key] for key in ("nc", "nw", "space", "case", "eff")} == {
        key: own[key] for key in ("nc", "nw", "space", "case", "eff")
    }
    assert (ours["sacrebleu"], ours["scale"], ours["refs"]) == (own["version"], "0-1", "mean")
