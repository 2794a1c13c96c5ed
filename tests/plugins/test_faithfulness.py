from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liftbench.errors import UsageError
from liftbench.plugin_api import Conversation, MetricRequest, Turn
from liftbench_plugins.metrics.faithfulness import Checker, MiniCheck, SummaC, parts, windows

from ..support.hub_stand_in import NOWHERE, ask
from ..support.tiny_bert import build_tiny_bert, build_tiny_t5

NLI = ("neutral", "entailment", "contradiction")

TURNS = (
    Turn(role="customer", text="the order is late , where is the money ?"),
    Turn(role="agent", text="sorry about the order . the refund will be back"),
    Turn(role="customer", text="the parcel is broken"),
    Turn(role="agent", text="send the order back"),
    Turn(role="customer", text="a refund ?"),
    Turn(role="agent", text="the money will be back"),
    Turn(role="customer", text=" "),
)
CONVERSATION = Conversation(id="c", turns=TURNS, references=())
SHORT = Conversation(id="d", turns=TURNS[2:4], references=())

LINES = [
    "Customer: the order is late , where is the money ?",
    "Agent: sorry about the order . the refund will be back",
    "Customer: the parcel is broken",
    "Agent: send the order back",
    "Customer: a refund ?",
    "Agent: the money will be back",
]
SENTENCES = ["customer asked about the order .", "the agent will send a refund ."]
SUMMARY = " ".join(SENTENCES)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As MiniCheck's RoBERTa: two labels, long enough for the conversation as a whole."""
    return build_tiny_bert(tmp_path_factory.mktemp("check"), labels=("LABEL_0", "LABEL_1"), positions=256)


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with room for 48 tokens."""
    return build_tiny_bert(tmp_path_factory.mktemp("narrow"), labels=("LABEL_0", "LABEL_1"), positions=48)


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_t5(tmp_path_factory.mktemp("t5"), positions=256)


@pytest.fixture(scope="module")
def nli(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_bert(tmp_path_factory.mktemp("nli"), labels=NLI, positions=256)


def probability(folder: Path, label: int, *texts: str) -> float:
    """By a classifier, unbatched."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        return float(model(**tokenizer(*texts, return_tensors="pt")).logits[0].softmax(dim=-1)[label])


def generated(folder: Path, text: str) -> float:
    """The probability of `1` against `0` as a T5's first token, unbatched."""
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        logits = model(**tokenizer(text, return_tensors="pt"), decoder_input_ids=torch.tensor([[0]])).logits[0, 0]
    return float(logits[tokenizer.convert_tokens_to_ids(["0", "1"])].softmax(dim=-1)[1])


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


# ------------------------------------------------------------------------------------------------------- the figures


def test_minicheck_holds_each_sentence_against_the_conversation(classifier: Path) -> None:
    document = "\n".join(LINES)
    expected = mean([probability(classifier, 1, f"{document}[SEP]{sentence}") for sentence in SENTENCES])
    metric = MiniCheck(MetricRequest(argument=str(classifier)))
    assert metric.score([SUMMARY], [CONVERSATION]) == [pytest.approx(expected, abs=1e-5)]


def test_minicheck_takes_the_best_of_the_windows_of_a_long_conversation(
    narrow: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metric = MiniCheck(MetricRequest(argument=str(narrow)))
    expected = []
    for sentence in SENTENCES:
        chunks = windows(LINES, lambda chunk: metric._reader.count(f"{chunk}[SEP]{sentence}") <= 48)  # noqa: B023
        assert len(chunks) > 1
        expected.append(max(probability(narrow, 1, f"{chunk}[SEP]{sentence}") for chunk in chunks))
    capsys.readouterr()
    assert metric.score([SUMMARY], [CONVERSATION]) == [pytest.approx(mean(expected), abs=1e-5)]
    assert "tokens:48|" in metric.signature
    assert capsys.readouterr().err == ""


def test_minicheck_reads_the_first_token_of_a_t5(generator: Path) -> None:
    document = "\n".join(LINES)
    expected = mean([generated(generator, f"predict: {document}</s>{sentence}") for sentence in SENTENCES])
    metric = MiniCheck(MetricRequest(argument=str(generator)))
    assert metric.score([SUMMARY], [CONVERSATION]) == [pytest.approx(expected, abs=1e-5)]


def test_summac_takes_the_best_of_the_blocks_of_turns(nli: Path) -> None:
    blocks = ["\n".join(LINES[:4]), "\n".join(LINES[2:])]
    expected = mean([max(probability(nli, 1, block, sentence) for block in blocks) for sentence in SENTENCES])
    metric = SummaC(MetricRequest(argument=str(nli)))
    assert metric.score([SUMMARY], [CONVERSATION]) == [pytest.approx(expected, abs=1e-5)]


@pytest.mark.parametrize("turns", range(1, 9))
def test_summacs_blocks_hold_every_turn(nli: Path, turns: int) -> None:
    lines = [f"line {number}" for number in range(turns)]
    blocks = [block.split("\n") for block in SummaC(MetricRequest(argument=str(nli)))._blocks(lines, "a")]
    assert {line for block in blocks for line in block} == set(lines)
    assert all(len(block) == min(turns, 4) or block[-1] == lines[-1] for block in blocks)
    assert len(blocks) == max(1, -(-(turns - 2) // 2))


Make = Callable[[], Checker]


@pytest.fixture(params=["classifier", "generator", "nli"])
def make(request: pytest.FixtureRequest) -> Make:
    folder = request.getfixturevalue(request.param)
    kind = SummaC if request.param == "nli" else MiniCheck
    return lambda: kind(MetricRequest(argument=str(folder)))


def test_all_at_once_score_what_each_scores_alone(make: Make) -> None:
    texts = [SUMMARY, SENTENCES[0], SENTENCES[1], "sorry", ""]
    conversations = [CONVERSATION, SHORT, CONVERSATION, SHORT, SHORT]
    metric = make()
    alone = [metric.score([text], [one])[0] for text, one in zip(texts, conversations, strict=True)]
    assert make().score(texts, conversations) == pytest.approx(alone, abs=1e-5)
    assert metric.score(texts, conversations) == alone


def test_the_references_are_not_looked_at(make: Make) -> None:
    with_references = Conversation(id="c", turns=TURNS, references=(SUMMARY,))
    metric = make()
    assert metric.score([SUMMARY], [CONVERSATION]) == metric.score([SUMMARY], [with_references])


def test_nothing_said_of_nothing(make: Make) -> None:
    silent = Conversation(id="s", turns=(Turn(role="customer", text=" "),))
    assert make().score(["", " \n", "the order"], [CONVERSATION, CONVERSATION, silent]) == [0.0, 0.0, None]


# ----------------------------------------------------------------------------------------------------------- findings


def test_findings_are_the_sentences_below_half(make: Make) -> None:
    text = "sorry . customer asked .\nthe agent will send a refund . sorry . money !"
    metric = make()
    found = [text[one.start : one.end] for one in metric.findings(text, CONVERSATION)]
    single = ["sorry .", "customer asked .", "the agent will send a refund .", "sorry .", "money !"]
    scores = metric.score(single, [CONVERSATION] * 5)
    assert found == [
        sentence for sentence, score in zip(single, scores, strict=True) if score is not None and score < 0.5
    ]
    assert {one.kind for one in metric.findings(text, CONVERSATION)} <= {"unsupported sentence"}


def test_findings_ask_the_model_nothing_that_is_known(classifier: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metric = MiniCheck(MetricRequest(argument=str(classifier)))
    metric.score([SUMMARY], [CONVERSATION])
    monkeypatch.setattr(metric, "_support", None)
    metric._supported.add([("\n".join([*LINES, "Customer:  "]), SENTENCES[1])], [struct.pack("<d", 0.4999)])
    assert [SUMMARY[one.start : one.end] for one in metric.findings(SUMMARY, CONVERSATION)][-1] == SENTENCES[1]


# ------------------------------------------------------------------------------------------------------- long inputs


@pytest.mark.parametrize(
    ("text", "turns"),
    [
        ("order " * 200, TURNS),
        ("x" * 500, TURNS),
        ("the order .", (Turn(role="agent", text="refund " * 300), Turn(role="customer", text="z" * 400))),
    ],
)
def test_nothing_is_ever_cut(
    narrow: Path, nli: Path, text: str, turns: tuple[Turn, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    one = Conversation(id="c", turns=turns)
    for metric in (MiniCheck(MetricRequest(argument=str(narrow))), SummaC(MetricRequest(argument=str(nli)))):
        [value] = metric.score([text], [one])
        assert value is not None
        assert 0 < value < 1
    assert capsys.readouterr().err == ""


@given(st.text(alphabet="ab \n", max_size=60), st.integers(1, 20))
def test_parts_lose_no_letter_and_fit(text: str, room: int) -> None:
    found = parts(text, lambda part: len(part) <= room)
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(len(part) <= room for part in found)


@given(st.lists(st.text(alphabet="ab ", min_size=1, max_size=30), min_size=1, max_size=8), st.integers(1, 40))
def test_windows_lose_no_letter_and_fit(lines: list[str], room: int) -> None:
    found = windows(lines, lambda part: len(part) <= room)
    assert "".join("".join(found).split()) == "".join("".join(lines).split())
    assert all(len(part) <= room for part in found)


# ------------------------------------------------------------------------------------------------- what is no checker


@pytest.mark.parametrize(
    ("kind", "labels", "expected"),
    [
        (MiniCheck, NLI, "3 labels"),
        (MiniCheck, (), "have no weights"),
        (SummaC, ("LABEL_0", "LABEL_1", "LABEL_2"), "does not declare which label is entailment"),
        (SummaC, ("entailment", "Supports"), "does not declare which"),
        (SummaC, (), "have no weights"),
    ],
)
def test_a_model_that_does_not_answer_the_question_is_refused(
    kind: Any, labels: tuple[str, ...], expected: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=expected) as caught:
        kind(MetricRequest(argument=str(build_tiny_bert(tmp_path / "model", labels=labels))))
    assert len(str(caught.value).splitlines()) <= 3


@pytest.mark.parametrize("label", ["entailment", "ENTAILMENT", "SUPPORTS", "entail"])
def test_the_entailment_label_is_found_by_its_name(label: str, tmp_path: Path) -> None:
    folder = build_tiny_bert(tmp_path / "model", labels=("contradiction", "neutral", label))
    [value] = SummaC(MetricRequest(argument=str(folder))).score(["the order ."], [SHORT])
    assert value == pytest.approx(probability(folder, 2, "\n".join(LINES[2:4]), "the order ."), abs=1e-5)


def test_the_signature_says_what_the_numbers_depend_on_and_no_path(make: Make) -> None:
    metric = make()
    folder = metric.name.partition(":")[2]
    assert folder not in metric.signature
    for piece in ("mean of sentences", "max of ", "sentences:regex-1", "tokens:256", "weights:", "transformers:"):
        assert piece in metric.signature
    assert (metric.direction, metric.sees) == ("higher", "faithfulness")


@pytest.mark.parametrize("kind", ["MiniCheck", "SummaC"])
def test_without_the_hub_the_default_model_is_missed_clearly(kind: str, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom liftbench.plugin_api import LiftbenchError, MetricRequest\n"
        f"from liftbench_plugins.metrics.faithfulness import {kind}\n"
        f"try:\n    {kind}(MetricRequest())\n"
        "except LiftbenchError as error:\n    print(error)\n    sys.exit(error.exit_code)"
    )
    done = ask(code, endpoint=NOWHERE, home=tmp_path)
    assert (done.code, len(done.lines)) == (3, 2), done.errors
    assert done.lines[1].endswith(f"Name a folder with the model: {kind.lower()}:FOLDER.")
