"""ROUGE: the values of rouge-score's own tests (many are ROUGE-1.5.5's), and the package itself on random texts."""

from __future__ import annotations

import random
import string
from importlib import import_module
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from liftbench.metrics import rouge
from liftbench.metrics.rouge import NAMES, Name, Rouge, split_sentences

METRICS = {name: Rouge(name) for name in NAMES}


def score(name: Name, text: str, *references: str) -> float:
    (value,) = METRICS[name].score([text], [references])
    assert value is not None
    return value


# ---------------------------------------------------------------------------------------------------- reference values

# From the package's test data (Apache-2.0, github.com/google-research/google-research, rouge/testdata): its first two
# pairs, and with the rest its summary of several sentences. Random on purpose: no n-gram is there by chance.
TARGETS = (
    "ZfbCUIUuePaiLVUlCaUXxkpu XPeWing tUHfPMuZ',-Xd Y BrUgVJing M-HV.-DgdDaY.rFDJCRing Ht-LM EKBDXkME,yz'RBr q'wtion "
    "wIojNbN wL,b .a-'XdQggyFl jB-RPP'iyOIcUxer tKM L",
    "KsJdPByEtAor fE-Qg Dpdbring cw-WeFyu vC MoBL Xdn g wkvcEiGvKtion BDFhrpMtion psing sbKao Q m qiing LMmer "
    "HqqLFXe,XPY,J XsurkMer ,ed nB'wH'bWVHjWFEing tQ.saefZwJtKrTlixYpMMsJing UCAPwNHeYVjDing c T BUySKtion "
    "gMPfJpwGw p'NvxAoping eu pBwMBKV'I DNxqelhu,PHPxDEq,mtion SN",
    "NhETebUbBk'er WOvoHMTjSRizKgH'vHiing Xu,hWxfs VkNE QhgKiLHE -HidivzoM.dO anhtion jbLQiSGDTCsuhREebUaKM dv J dVN "
    "tmbOT",
    "vMR HDm,xOAetion D,tion HJtodT.mHl UIv-p VjWH'BdyWjnfGU-OjT aEMdFICyLWfQMtion wEMfdOKing AwkeKbO 'DxqNOHBH "
    "qKtVvm OYJl mM",
)
PREDICTIONS = (
    "rFDJCRtion Ht-LM EKtDXkME,yz'RBr q'wer wrojNbN wL,b .a-'XdQggyFl jB-RPP'iyOIcUxi",
    "n cw-WeFyu vC MoBL Xdn g wkvcEiGvKtion BDFhrpMer pstion sbKao Q m qier LMmed HqqLFXe,XPY,J XsurkMeo ,ed "
    "nB'wH'bWVHjWFEer tQ.saefZwJtKrTlixYpMMNJtion UCAPwNHeYVjD",
    "xfs VkJE QhgKiLHE -HidivzoM.dO anhing jbLQiSGDTCsuhREebUaKM dv J",
    "VjWH'BdyWjnfGU-OjTNaEMdFICyLWfQMing wEMfdOKijg AwkeKbO 'DxqNO",
)


@pytest.mark.parametrize(
    ("name", "prediction", "target", "expected"),
    [
        # Of ROUGE-1.5.5 with its option -m (Porter stemmer).
        ("rouge1", PREDICTIONS[0], TARGETS[0], 0.51163),
        ("rouge1", PREDICTIONS[1], TARGETS[1], 0.52941),
        ("rouge2", PREDICTIONS[0], TARGETS[0], 0.39024),
        ("rouge2", PREDICTIONS[1], TARGETS[1], 0.36364),
        ("rougeL", PREDICTIONS[0], TARGETS[0], 0.51163),
        ("rougeLsum", "\n".join(PREDICTIONS), "\n".join(TARGETS), 0.47205),
        # Small enough to be counted by hand.
        ("rouge1", "testing", "testing one two", 1 / 2),
        ("rouge2", "testing one", "testing one two", 2 / 3),
        ("rougeL", "testing one", "testing one two", 4 / 5),
        ("rougeL", "testing two", "testing one two", 4 / 5),
        # Section 3.2 of the ROUGE paper: a union of subsequences over sentences, precision 4/10, recall 4/5.
        ("rougeLsum", "w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5", "w1 w2 w3 w4 w5", 8 / 15),
        ("rougeLsum", "Second sentence.\nFirst Sentence.", "First sentence.\nSecond Sentence.", 1.0),
        # Our splitter stands in for NLTK's: no line breaks are needed.
        ("rougeLsum", "Second sentence. First Sentence.", "First sentence. Second Sentence.", 1.0),
        ("rougeL", "Second sentence. First Sentence.", "First sentence. Second Sentence.", 1 / 2),
        # The stemmer, and what it leaves alone (words of three letters and fewer).
        ("rouge1", "complains", "complaining", 1.0),
        ("rouge1", "was", "wa", 0.0),
    ],
)
def test_reference_values(name: Name, prediction: str, target: str, expected: float) -> None:
    assert score(name, prediction, target) == pytest.approx(expected, abs=5e-6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("text", "reference"), [("", "w1 w2"), ("w1 w2", "…"), ("/", "w1 w2"), ("👍", "👍"), ("\n", "w1")]
)
def test_a_text_without_a_token_scores_zero(name: Name, text: str, reference: str) -> None:
    assert score(name, text, reference) == 0.0


def test_a_conversation_with_two_references_gets_their_mean_not_their_maximum() -> None:
    # ROUGE-L of "text first": 0.5 against each reference; of "first text": 1.0 and 0.5.
    assert score("rougeL", "text first", "first text", "first something") == pytest.approx(0.5)
    assert score("rougeL", "first text", "first text", "first something") == pytest.approx(0.75)


@pytest.mark.parametrize("name", NAMES)
def test_without_a_reference_there_is_no_number(name: Name) -> None:
    assert METRICS[name].score(["a summary", "a summary"], [[], ["a summary"]]) == [None, 1.0]


def test_texts_and_references_must_pair_up() -> None:
    with pytest.raises(ValueError, match="shorter"):
        METRICS["rougeL"].score(["one", "two"], [["one"]])


# ----------------------------------------------------------------------------------------------------------- identity


@pytest.mark.parametrize(
    ("name", "signature"),
    [
        ("rouge1", "rouge1|f1|stemmer:porter|refs:mean|rouge-score:0.1.2"),
        ("rouge2", "rouge2|f1|stemmer:porter|refs:mean|rouge-score:0.1.2"),
        ("rougeL", "rougeL|f1|stemmer:porter|refs:mean|rouge-score:0.1.2"),
        ("rougeLsum", "rougeLsum|f1|stemmer:porter|refs:mean|sentences:regex-1|rouge-score:0.1.2"),
    ],
)
def test_each_metric_is_reached_by_its_name_and_signs_its_numbers(name: Name, signature: str) -> None:
    metric = getattr(import_module("liftbench.metrics.rouge"), name)()
    assert (metric.name, metric.signature, metric.direction) == (name, signature, "higher")


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("customer complains.  agent helps.", ["customer complains.", "agent helps."]),
        ('He said "no!" Then (at last.) he left', ['He said "no!"', "Then (at last.)", "he left"]),
        ("one line\n\n  \nanother", ["one line", "another"]),
        ("version 1.0.64 of example.com costs 3.50", ["version 1.0.64 of example.com costs 3.50"]),
        ("Wait... what?!", ["Wait...", "what?!"]),
        ("Dr. No", ["Dr.", "No"]),  # The documented price of a rule without abbreviations.
        ("", []),
    ],
)
def test_sentences(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences, f"raise rouge.SPLITTER ({rouge.SPLITTER}) if the rule is meant to change"


# ------------------------------------------------------------------------------------------------------- what it sees


@pytest.mark.parametrize(
    "references",
    [
        ["Customer is complaining about the parcel."],
        ["Der Kunde möchte für sein Gerät eine Rückerstattung. ÄÖÜ"],
        ["Le client a été débité deux fois à l'hôtel."],
        ["Khách hàng phàn nàn về đơn hàng bị trễ"],
        ["👍 42 <LINK> $3.50", "…", "20:15"],
        ["The name «Борис» is wrong"],
        [],
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_latin_text_is_seen(name: Name, references: list[str]) -> None:
    assert METRICS[name].blind_to(references) is None


@pytest.mark.parametrize(
    ("references", "reason"),
    [
        (["Клиент жалуется на задержку"], "24 of the 24 letters of reference 1 ('Клиент"),
        (["客户抱怨包裹没有到"], "9 of the 9 letters of reference 1"),
        (["العميل يشتكي"], "letters of reference 1"),
        (["ग्राहक शिकायत करता है"], "letters of reference 1"),
        (["Customer complains.", "Клиент жалуется, app 1.0"], "14 of the 17 letters of reference 2"),
        (["Клиент " * 30], "Клие…'"),
    ],
)
def test_references_that_its_tokenizer_drops_are_told(references: list[str], reason: str) -> None:
    told = METRICS["rougeL"].blind_to(references)
    assert told is not None
    assert reason in told
    assert "a–z and 0–9" in told


# --------------------------------------------------------------------------------------------------------- properties

words = st.sampled_from(
    ["customer", "customers", "complains", "complaining", "agent", "the", "was", "order", "1.0", "é"]
)
marks = st.sampled_from([" ", " ", " ", ". ", "! ", "\n", ", "])
texts = st.lists(st.tuples(words, marks), max_size=25).map(lambda rows: "".join(word + mark for word, mark in rows))
anything = st.text(st.one_of(st.sampled_from(string.printable), st.characters()), max_size=60)


@given(texts | anything, st.lists(texts | anything, min_size=1, max_size=4), st.randoms(use_true_random=False))
@settings(max_examples=100)
def test_values_are_shares_and_do_not_depend_on_the_order_of_references(
    text: str, references: list[str], order: random.Random
) -> None:
    shuffled = order.sample(references, len(references))
    for name in NAMES:
        value = score(name, text, *references)
        assert 0 <= value <= 1
        assert value == pytest.approx(fmean(score(name, text, reference) for reference in references))
        assert value == pytest.approx(score(name, text, *shuffled))


@given(texts | anything, texts | anything)
@settings(max_examples=100)
def test_values_are_those_of_the_package(text: str, reference: str) -> None:
    theirs = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True).score(reference, text)
    for name in ("rouge1", "rouge2", "rougeL"):
        assert score(name, text, reference) == theirs[name].fmeasure
    by_line = ["\n".join(split_sentences(side)) for side in (reference, text)]
    theirs = RougeScorer(["rougeLsum"], use_stemmer=True).score(*by_line)
    assert score("rougeLsum", text, reference) == theirs["rougeLsum"].fmeasure


@given(texts)
@settings(max_examples=100)
def test_a_reference_scores_one_against_itself(text: str) -> None:
    said = f"the agent {text}"  # Two visible tokens, which a bigram needs.
    assert {score(name, said, said) for name in NAMES} == {1.0}


@given(anything)
@settings(max_examples=100)
def test_splitting_loses_nothing_but_white_space(text: str) -> None:
    assert "".join("".join(split_sentences(text)).split()) == "".join(text.split())
