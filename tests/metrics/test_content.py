"""content-overlap and CIDEr-D: what they weigh, their edges, and published figures on TweetSumm.

Values of single cases are in the fixtures that `bench selfcheck` reruns.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from pathlib import Path
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liftbench.data.jsonl import read_jsonl
from liftbench.metrics.base import Metric, MetricRequest
from liftbench.metrics.content import CiderD, ContentOverlap
from liftbench.metrics.rouge import Rouge
from liftbench.records.conversation import Conversation

BOTH = pytest.mark.parametrize("kind", [ContentOverlap, CiderD])

TRAINING = (
    ["Customer wants a refund for the parcel.", "The customer asks to be refunded."],
    ["Customer wants to know when the flight leaves."],
    ["Customer cannot open the app and wants help."],
)
WORDS = st.lists(st.sampled_from(["customer", "wants", "refund", "parcel", "flight", "zebra", "help"]), max_size=12)
TEXTS = WORDS.map(" ".join)
FORMS = st.lists(st.sampled_from(["refund", "refunds", "refunded", "parcel", "parcels"]), max_size=8).map(" ".join)


def conversation(*references: str) -> Conversation:
    return Conversation(id="any", turns=(), references=references)


def trained(*training: Sequence[str]) -> MetricRequest:
    return MetricRequest(training=tuple(conversation(*references) for references in training), training_split="train")


def score(metric: Metric, text: str, *references: str) -> float:
    (value,) = metric.score([text], [conversation(*references)])
    assert value is not None
    return value


# --------------------------------------------------------------------------------------------------- what they weigh


@BOTH
def test_a_specific_word_counts_for_more_than_one_that_many_conversations_have(kind: type[Metric]) -> None:
    metric = kind(trained(*TRAINING))
    reference = "customer wants zebra refund"
    assert score(metric, "zebra", reference) > score(metric, "wants", reference) == 0.0


@BOTH
def test_a_conversation_with_many_references_is_one_document(kind: type[Metric]) -> None:
    once = kind(trained(["a parcel is lost"], ["a flight is late"], ["an app fails"]))
    thrice = kind(trained(["a parcel is lost"] * 3, ["a flight is late"], ["an app fails"]))
    pair = ("the parcel and the flight", "the parcel is late")
    assert score(once, *pair) == score(thrice, *pair)


@BOTH
def test_conversations_without_references_are_no_documents(kind: type[Metric]) -> None:
    pair = ("refund the parcel", "a refund for the flight")
    assert score(kind(trained(*TRAINING, [], [])), *pair) == score(kind(trained(*TRAINING)), *pair)


@BOTH
@pytest.mark.parametrize("training", [(), ([],), (["Customer wants a refund."],)])
def test_fewer_than_two_training_conversations_weigh_all_alike(
    kind: type[Metric], training: tuple[list[str], ...]
) -> None:
    metric = kind(trained(*training))
    assert score(metric, "customer", "customer zebra") == score(metric, "zebra", "customer zebra") > 0
    assert "|df:none|" in metric.signature


# -------------------------------------------------------------------------------------------------------------- edges


@BOTH
@pytest.mark.parametrize(
    ("text", "reference"), [("", "a refund"), ("a refund", "…"), ("👍", "👍"), ("wants", "wants"), ("zebra", "refund")]
)
def test_nothing_that_tells_in_common_scores_zero(kind: type[Metric], text: str, reference: str) -> None:
    assert score(kind(trained(*TRAINING)), text, reference) == 0.0


@BOTH
def test_several_references_give_their_mean_and_none_gives_no_number(kind: type[Metric]) -> None:
    metric = kind(trained(*TRAINING))
    one, other = "customer wants a parcel refund", "the app fails"
    alone = score(metric, one, one)
    assert score(metric, one, one, other) == pytest.approx((alone + score(metric, one, other)) / 2)
    assert metric.score([one, one], [conversation(), conversation(one)]) == [None, alone]


@BOTH
def test_texts_and_conversations_must_pair_up(kind: type[Metric]) -> None:
    with pytest.raises(ValueError, match="shorter"):
        kind(trained(*TRAINING)).score(["one", "two"], [conversation("one")])


@BOTH
def test_references_in_another_script_are_out_of_sight(kind: type[Metric]) -> None:
    metric = kind(trained(*TRAINING))
    assert metric.blind_to(["Customer wants a refund."]) is None
    assert metric.misreading(["Customer wants a refund."]) is None
    assert "'žába' as 'ba'" in str(metric.misreading(["Žába má řasy."]))
    assert "invisible" in str(metric.blind_to(["Customer wants a refund.", "Клиент просит вернуть деньги."]))


# --------------------------------------------------------------------------------------------------------- signatures


@BOTH
def test_the_signature_names_the_frequencies(kind: type[Metric]) -> None:
    signature = kind(trained(*TRAINING)).signature
    assert signature.startswith(kind(trained()).name + "|")
    assert "|df:train:3:" in signature
    assert kind(trained(*reversed(TRAINING))).signature == signature, "the order of conversations does not matter"
    assert kind(trained(*TRAINING[:2], ["Customer cannot open the app."])).signature != signature


# --------------------------------------------------------------------------------------------------- without stemming


@BOTH
def test_the_variant_without_stemming_signs_itself_and_counts_words(kind: type[Metric]) -> None:
    metric = kind(trained(*TRAINING))
    (variant,) = metric.variants().values()
    assert list(metric.variants()) == ["without stemming"]
    assert variant.name == metric.name
    assert variant.signature == metric.signature.replace("stemmer:porter", "stemmer:none")
    pair = ("refunded parcels", "refund parcel")
    assert score(metric, *pair) > score(variant, *pair) == 0.0


def test_without_stemming_frequencies_are_those_of_words() -> None:
    metric = ContentOverlap(trained(["parcel late"], ["parcels late"], ["app fails"]))
    unstemmed = metric.variants()["without stemming"]
    # "parcel" is in two of three conversations as a stem and in one as a word; "late" is in two either way.
    assert score(metric, "parcel", "parcel late") == pytest.approx(2 / 3)
    assert score(unstemmed, "parcel", "parcel late") == pytest.approx(2 * log(3) / (2 * log(3) + log(3 / 2)))


@settings(max_examples=40)
@given(text=FORMS, reference=FORMS)
def test_unstemmed_and_without_training_references_content_overlap_is_unstemmed_rouge_1(
    text: str, reference: str
) -> None:
    rouge, metric = (one.variants()["without stemming"] for one in (Rouge("rouge1"), ContentOverlap(trained())))
    assert score(metric, text, reference) == pytest.approx(score(rouge, text, reference), abs=1e-12)


# --------------------------------------------------------------------------------------------------------- properties


@settings(max_examples=60)
@given(text=TEXTS, reference=TEXTS)
def test_content_overlap_is_a_symmetric_share_that_ignores_order(text: str, reference: str) -> None:
    metric = ContentOverlap(trained(*TRAINING))
    value = score(metric, text, reference)
    assert 0.0 <= value <= 1.0
    assert score(metric, reference, text) == value
    assert score(metric, " ".join(sorted(text.split())), reference) == value


@settings(max_examples=60)
@given(text=TEXTS, reference=TEXTS)
def test_without_training_references_content_overlap_is_rouge_1(text: str, reference: str) -> None:
    expected = score(Rouge("rouge1"), text, reference)
    assert score(ContentOverlap(trained()), text, reference) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=60)
@given(text=TEXTS, reference=TEXTS)
def test_cider_d_lies_between_0_and_10(text: str, reference: str) -> None:
    metric = CiderD(trained(*TRAINING))
    assert 0.0 <= score(metric, text, reference) <= 10 + 1e-9
    if len(text.split()) >= 4:
        assert score(CiderD(trained()), text, text) == pytest.approx(10)


# ---------------------------------------------------------------------------------------------------------- TweetSumm

# One that fits many conversations: customers complain of apps, agents ask for details.
CONSTANT = (
    "Customer is complaining about the issue with the app. Agent updated to DM the email address and account details "
    "so they can look into it further."
)


@pytest.mark.parametrize(
    ("kind", "humans", "constant", "swapped"),
    [
        # Document frequencies, variant of counting and averages are such that the humans reach 0.347 and 0.636.
        (ContentOverlap, 0.346619873127, 0.069712007450, 0.037005155959),
        # Figures of the authors' own code (CiderScorer of pycocoevalcap 1.2), given these frequencies and stems.
        (CiderD, 0.635751912968, 0.064799957587, 0.019540370513),
    ],
)
def test_figures_on_tweetsumm(
    tweetsumm: Path, kind: type[Metric], humans: float, constant: float, swapped: float
) -> None:
    training, scored = read_jsonl(tweetsumm / "train.jsonl"), read_jsonl(tweetsumm / "validation.jsonl")
    metric = kind(MetricRequest(training=tuple(training), training_split="train"))

    def mean(texts: Sequence[str], conversations: Sequence[Conversation]) -> float:
        return fmean(value for value in metric.score(texts, conversations) if value is not None)

    def leave_one_out(references: Sequence[str]) -> float:
        others = [conversation(*references[:left], *references[left + 1 :]) for left in range(len(references))]
        return mean(references, others)

    neighbours = [one.references[0] for one in (*scored[1:], scored[0])]
    assert fmean(leave_one_out(one.references) for one in scored) == pytest.approx(humans, abs=1e-11)
    assert mean([CONSTANT] * len(scored), scored) == pytest.approx(constant, abs=1e-11)
    assert mean(neighbours, scored) == pytest.approx(swapped, abs=1e-11)
