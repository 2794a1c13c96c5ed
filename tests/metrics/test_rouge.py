"""ROUGE: the values of rouge-score's own tests (many are ROUGE-1.5.5's), and the package on real and made texts."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from importlib.metadata import version
from itertools import pairwise, permutations
from pathlib import Path
from statistics import fmean
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenizers import DefaultTokenizer

from liftbench.data.jsonl import read_jsonl
from liftbench.metrics import rouge
from liftbench.metrics.rouge import NAMES, Name, Rouge, all_pairs, f1
from liftbench.records.conversation import Conversation, Turn
from liftbench.text.sentences import SPLITTER, split_sentences

METRICS = {name: Rouge(name) for name in NAMES}
OURS: tuple[Name, ...] = ("rouge1", "rouge2", "rougeL")

# The package's own tokenizer, which stems each text once: its stemming is most of what it takes.
JUDGE = RougeScorer(OURS, tokenizer=SimpleNamespace(tokenize=cache(DefaultTokenizer(use_stemmer=True).tokenize)))


def conversation(*references: str) -> Conversation:
    return Conversation(id="c", turns=(Turn(role="customer", text="My parcel is late."),), references=references)


def score(name: Name, text: str, *references: str) -> float:
    (value,) = METRICS[name].score([text], [conversation(*references)])
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
    assert METRICS[name].score(["a summary", "a summary"], [conversation(), conversation("a summary")]) == [None, 1.0]


def test_texts_and_references_must_pair_up() -> None:
    with pytest.raises(ValueError, match="shorter"):
        METRICS["rougeL"].score(["one", "two"], [conversation("one")])


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
    assert (metric.name, metric.signature, metric.direction, metric.sees) == (name, signature, "higher", "overlap")


def test_signatures_name_the_version_that_these_tests_compare_with() -> None:
    assert version("rouge-score") == rouge.EQUALS


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
    assert split_sentences(text) == sentences, f"raise SPLITTER ({SPLITTER}) if the rule is meant to change"


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


@pytest.mark.parametrize(
    ("references", "share", "example"),
    [
        (["Zákazník má žábu."], 1.0, "'zákazník' as 'z kazn k'"),
        (["Potkal tu žába.", "Potkal tu řába."], 2 / 6, "'žába' and 'řába' both as 'ba'"),
        (["Khách hàng phàn nàn về đơn hàng bị trễ và vé xe"], 11 / 12, "'về' and 'và' both as 'v'"),
        (["Müşteri siparişin gecikmesinden şikâyet ediyor"], 3 / 5, "'müşteri' as 'm teri'"),
        (["Klientka prosi o zwrot pieniędzy, bo łączność nie działa"], 3 / 9, "'pieniędzy' as 'pieni dzy'"),
        (["Der Kunde möchte sein Geld zurück, weil das Gerät nicht kam"], 3 / 11, "'möchte' as 'm chte'"),
        # A letter and a combining mark are the same word as the letter with its mark.
        (["Za\u0301kazni\u0301k z\u030cada\u0301 pomoc"], 2 / 3, "'zákazník' as 'z kazn k'"),
        (["őé őé őé őé"], 1.0, "'őé' as nothing"),
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_words_that_its_tokenizer_splits_are_told_with_their_share(
    name: Name, references: list[str], share: float, example: str
) -> None:
    found = METRICS[name].misreading(references)
    assert found is not None
    assert found.share == pytest.approx(share)
    assert f"({share:.0%}) lose letters, for example {example}:" in found.words


@pytest.mark.parametrize(
    "references",
    [
        [],
        ["…", "👍"],
        ["Customer’s parcel – the 2nd one – hasn't arrived; it cost £3.50 and 3 €."],
        ["Customer asks when the café opens on Sunday."],
        ["José asks Zoë about the café."] + ["Customer complains that the parcel has not arrived."] * 30,
    ],
)
def test_a_stray_loanword_or_name_is_no_misreading(references: list[str]) -> None:
    assert METRICS["rougeL"].misreading(references) is None


# --------------------------------------------------------------------------------------------------------- properties

words = st.sampled_from(
    ["customer", "customers", "complains", "complaining", "agent", "the", "was", "order", "1.0", "é"]
)
marks = st.sampled_from([" ", " ", " ", ". ", "! ", "\n", ", "])
texts = st.lists(st.tuples(words, marks), max_size=25).map(lambda rows: "".join(word + mark for word, mark in rows))
# Of more than 64 words, too: the width of a word of the bit-parallel search.
repeated = st.tuples(texts, st.integers(2, 6)).map(lambda row: row[0] * row[1])
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


@given(texts)
@settings(max_examples=100)
def test_a_reference_scores_one_against_itself(text: str) -> None:
    said = f"the agent {text}"  # Two visible tokens, which a bigram needs.
    assert {score(name, said, said) for name in NAMES} == {1.0}


@given(anything)
@settings(max_examples=100)
def test_splitting_loses_nothing_but_white_space(text: str) -> None:
    assert "".join("".join(split_sentences(text)).split()) == "".join(text.split())


# -------------------------------------------------------------------------------------------- against the package


def assert_equal_to_the_package(pairs: Iterable[tuple[str, str]]) -> None:
    """Every value is the package's to the last bit, single and in a table of all pairs of these texts."""
    rows = list(pairs)
    theirs = [[values[name].fmeasure for name in OURS] for values in (JUDGE.score(*row[::-1]) for row in rows)]
    assert [[f1(name, *row) for name in OURS] for row in rows] == theirs
    texts, references = (list(dict.fromkeys(side)) for side in zip(*rows, strict=True))
    at = [texts.index(text) for text, _ in rows], [references.index(reference) for _, reference in rows]
    for column, name in enumerate(OURS):
        assert all_pairs(name, texts, references)[at].tolist() == [row[column] for row in theirs]


def human_pairs(conversations: Iterable[Conversation]) -> Iterator[tuple[str, str]]:
    """Each reference against each other one of its conversation, and the longest turn against each."""
    for one in conversations:
        yield from permutations(one.references, 2)
        longest = max((turn.text for turn in one.turns), key=len)
        yield from ((longest, reference) for reference in one.references)


@pytest.mark.parametrize("split", ["train", "validation"])
def test_every_pair_of_tweetsumm_scores_as_in_the_package(tweetsumm: Path, split: str) -> None:
    assert_equal_to_the_package(human_pairs(read_jsonl(tweetsumm / f"{split}.jsonl")))


def test_every_pair_of_dialogsum_scores_as_in_the_package() -> None:
    path = Path(__file__).resolve().parents[3] / "shared" / "data" / "dialogsum" / "dialogsum.dev.jsonl"
    if not path.is_file():
        pytest.skip("the DialogSum files are not beside this checkout (../shared/data/dialogsum)")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert_equal_to_the_package((max(row["dialogue"].split("\n"), key=len), row["summary"]) for row in rows)
    # Whole dialogues are longer than a machine word has bits.
    assert_equal_to_the_package((row["dialogue"], row["summary"]) for row in rows[::5])
    assert_equal_to_the_package((one["dialogue"], other["dialogue"]) for one, other in pairwise(rows[:9]))


@given(texts | repeated | anything, texts | repeated | anything)
@settings(max_examples=200)
def test_made_up_texts_score_as_in_the_package(text: str, reference: str) -> None:
    assert_equal_to_the_package([(text, reference), (reference, text), (text, text)])


@given(texts | anything, texts | anything)
@settings(max_examples=100)
def test_the_package_computes_rouge_lsum_on_our_sentences(text: str, reference: str) -> None:
    package = RougeScorer(["rougeLsum"], use_stemmer=True)
    theirs = package.score(*("\n".join(split_sentences(side)) for side in (reference, text)))
    assert score("rougeLsum", text, reference) == theirs["rougeLsum"].fmeasure


# --------------------------------------------------------------------------------------------------- without stemming


@pytest.mark.parametrize("name", NAMES)
def test_the_variant_without_stemming_signs_itself(name: Name) -> None:
    (variant,) = METRICS[name].variants().values()
    assert list(METRICS[name].variants()) == ["without stemming"]
    assert variant.name == name
    assert variant.signature == METRICS[name].signature.replace("stemmer:porter", "stemmer:none")


def assert_unstemmed_equal_to_the_package(pairs: Iterable[tuple[str, str]]) -> None:
    package, metrics = RougeScorer(NAMES), {name: METRICS[name].variants()["without stemming"] for name in NAMES}
    for text, reference in pairs:
        theirs = package.score(reference, text)
        by_sentence = ("\n".join(split_sentences(side)) for side in (reference, text))
        theirs["rougeLsum"] = package.score(*by_sentence)["rougeLsum"]
        for name, metric in metrics.items():
            assert metric.score([text], [conversation(reference)]) == [theirs[name].fmeasure]


def test_unstemmed_pairs_of_tweetsumm_score_as_in_the_package(tweetsumm: Path) -> None:
    assert_unstemmed_equal_to_the_package(human_pairs(read_jsonl(tweetsumm / "validation.jsonl")[::4]))


@given(texts | repeated | anything, texts | anything)
@settings(max_examples=100)
def test_unstemmed_made_up_texts_score_as_in_the_package(text: str, reference: str) -> None:
    assert_unstemmed_equal_to_the_package([(text, reference), (reference, text)])


@pytest.mark.parametrize("name", [name for name in NAMES if name != "rouge2"])
def test_stemmed_and_unstemmed_values_do_not_mix_in_what_is_kept(name: Name) -> None:
    stemmed, unstemmed = METRICS[name], METRICS[name].variants()["without stemming"]
    values = [one.score(["complains"], [conversation("complaining")]) for one in (stemmed, unstemmed, stemmed)]
    assert values == [[1.0], [0.0], [1.0]]


# ---------------------------------------------------------------------------------------------------------- all pairs


@given(st.lists(texts | repeated | anything, max_size=6), st.lists(texts | anything, max_size=4), st.integers(1, 9))
@settings(max_examples=100)
def test_all_pairs_are_the_single_pairs_in_blocks_of_any_size(rows: list[str], columns: list[str], block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rouge, "BLOCK", block)
        for name in NAMES:
            table = all_pairs(name, rows, columns)
            assert (table.shape, table.dtype) == ((len(rows), len(columns)), np.dtype(np.float64))
            assert table.tolist() == [[f1(name, text, reference) for reference in columns] for text in rows]


def test_more_words_than_there_are_characters_below_the_surrogates_stay_apart() -> None:
    digits = string.digits + string.ascii_lowercase
    short = [a + b + c for a in digits for b in digits for c in digits]
    many = " ".join([*short, *(f"{number:05}" for number in range(0xE000 - len(short) + 10))])
    last = many.split()[-20:]
    assert f1("rougeL", many, many) == 1.0
    assert all_pairs("rougeL", [many, " ".join(last)], [" ".join(reversed(last))])[:, 0] == pytest.approx(
        [2 / (0xE000 + 30), 1 / 20]
    )
