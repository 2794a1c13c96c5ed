from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liftbench.errors import PrerequisiteError
from liftbench.models.encoders import resolve_encoder
from liftbench.plugin_api import Conversation, MetricRequest, Turn, read_jsonl
from liftbench_plugins.metrics import encoding
from liftbench_plugins.metrics.embedding import Embedding
from liftbench_plugins.metrics.encoding import batches

from ..support.tiny_bert import build_tiny_bert


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_bert(tmp_path_factory.mktemp("tiny-bert"))


@pytest.fixture(scope="module")
def minilm() -> Embedding:
    try:
        return Embedding(MetricRequest())
    except PrerequisiteError as error:
        pytest.skip(f"MiniLM cannot be had here: {error}")


def conversation(*references: str) -> Conversation:
    return Conversation(id="c", turns=(Turn(role="customer", text="Where is my order?"),), references=references)


def by_hand(folder: Path, limit: int) -> Callable[[str, Sequence[str]], float]:
    """One text at a time: the cosine of the means of the last hidden states, special tokens included."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()

    def embed(text: str) -> torch.Tensor:
        with torch.no_grad():
            return model(torch.tensor([tokenizer.encode(text, truncation=True, max_length=limit)]))[0][0].mean(dim=0)

    def mean(text: str, references: Sequence[str]) -> float:
        cosines = [torch.cosine_similarity(embed(text), embed(reference), dim=0) for reference in references]
        return float(sum(cosines) / len(cosines))

    return mean


@pytest.mark.hub
def test_real_summaries_score_what_a_computation_by_hand_says(minilm: Embedding, tweetsumm: Path) -> None:
    conversations = list(read_jsonl(tweetsumm / "validation.jsonl"))[:3]
    texts = [one.turns[0].text for one in conversations]
    mean = by_hand(resolve_encoder("minilm").path, 256)
    expected = [mean(text, one.references) for text, one in zip(texts, conversations, strict=True)]
    assert minilm.score(texts, conversations) == pytest.approx(expected, abs=1e-5)


@pytest.mark.hub
def test_minilm_hears_likeness_of_meaning(minilm: Embedding) -> None:
    texts = ["That is a very happy person", "That is a happy dog", "Today is a sunny day"]
    happy, dog, sunny = minilm.score(texts, [conversation("That is a happy person")] * 3)
    assert happy is not None
    assert dog is not None
    assert sunny is not None
    assert happy > dog > sunny


@pytest.mark.hub
def test_the_signature_says_what_the_numbers_depend_on(minilm: Embedding) -> None:
    assert minilm.signature == (
        "embedding|cosine|pooling:mean|refs:mean|tokens:256|weights:e99354adc9a9"
        f"|transformers:{version('transformers')}"
    )


TEXTS: list[tuple[str, Sequence[str]]] = [
    ("the customer asked about a refund", ["customer asked : refund ?"]),
    ("the agent will send money back", ["the parcel is late", "agent will send the money back ."]),
    ("x", ["sorry sorry sorry sorry : the a is , . ? 0 1 send money"]),
]


def test_all_at_once_score_what_each_scores_by_hand(bert: Path) -> None:
    metric = Embedding(MetricRequest(argument=str(bert)))
    scores = metric.score([text for text, _ in TEXTS], [conversation(*references) for _, references in TEXTS])
    mean = by_hand(bert, 64)
    expected = [mean(text, references) for text, references in TEXTS]
    assert scores == pytest.approx(expected, abs=1e-5)
    assert metric.score([TEXTS[0][0]], [conversation(*TEXTS[0][1])]) == [scores[0]]


def test_negative_cosines_are_kept(bert: Path) -> None:
    metric = Embedding(MetricRequest(argument=str(bert)))
    rows = np.array([[1.0, 0.0], [-0.6, 0.8]], dtype=np.float32)
    metric._known.add([("here",), ("opposite",)], [row.tobytes() for row in rows])
    assert metric.score(["here"], [conversation("opposite")]) == [pytest.approx(-0.6)]


@pytest.mark.parametrize("empty", ["", " ", "\n\t "])
def test_an_empty_text_scores_nothing_and_no_reference_gives_no_number(bert: Path, empty: str) -> None:
    metric = Embedding(MetricRequest(argument=str(bert)))
    conversations = [conversation("order late"), conversation(), conversation("order late", empty)]
    scores = metric.score([empty, "order late", "order late"], conversations)
    assert scores == [0.0, None, pytest.approx(0.5, abs=1e-5)]


def test_the_limit_is_the_one_it_was_trained_with_and_longer_texts_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = build_tiny_bert(tmp_path / "bert")
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 8, "do_lower_case": false}')
    metric = Embedding(MetricRequest(argument=str(folder)))
    assert "|tokens:8|" in metric.signature
    [value] = metric.score(["order late the a is : money refund"], [conversation("order late the a is : sorry sorry")])
    assert value == pytest.approx(1.0, abs=1e-5)
    assert "2 of 2 texts are longer than 8 tokens" in capsys.readouterr().err


@given(st.lists(st.integers(1, 9000), max_size=40))
def test_batches_hold_every_input_once_and_no_more_than_the_budget(lengths: list[int]) -> None:
    plan = list(batches(lengths))
    assert sorted(index for batch in plan for index in batch) == list(range(len(lengths)))
    for batch in plan:
        assert len(batch) == 1 or len(batch) * max(lengths[index] for index in batch) <= encoding.BATCH_TOKENS
