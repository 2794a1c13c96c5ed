from __future__ import annotations

import shutil
import socket
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from liftbench.errors import PrerequisiteError, UsageError
from liftbench.models.encoders import resolve_encoder
from liftbench.plugin_api import Conversation, MetricRequest, ModelRecord, ResolvedModel, Turn, read_jsonl
from liftbench_plugins.metrics.bertscore import BertScore, best_layer

from ..support.tiny_bert import build_tiny_bert, build_tiny_t5


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_bert(tmp_path_factory.mktemp("tiny-bert"))


@pytest.fixture(scope="module")
def minilm() -> BertScore:
    try:
        return BertScore(MetricRequest())
    except PrerequisiteError as error:
        pytest.skip(f"MiniLM cannot be had here: {error}")


def conversation(*references: str) -> Conversation:
    return Conversation(id="c", turns=(Turn(role="customer", text="Where is my order?"),), references=references)


def package_f1(text: str, reference: str, folder: Path, layer: int) -> float:
    from bert_score import score

    return float(score([text], [reference], model_type=str(folder), num_layers=layer)[2])


@pytest.mark.hub
def test_real_summaries_score_what_the_package_says(minilm: BertScore, tweetsumm: Path) -> None:
    conversations = list(read_jsonl(tweetsumm / "validation.jsonl"))[:2]
    texts = [one.references[0].upper() + " Anything else" for one in conversations]
    folder = resolve_encoder("minilm").path
    for text, one, value in zip(texts, conversations, minilm.score(texts, conversations), strict=True):
        expected = [package_f1(text, reference, folder, 6) for reference in one.references]
        assert value == pytest.approx(sum(expected) / len(expected), abs=1e-5)


@pytest.mark.hub
def test_minilm_hears_likeness_of_meaning(minilm: BertScore) -> None:
    one = conversation("The customer wants the money back because the parcel never came.")
    texts = [
        "The client asks for a refund, as the package was not delivered.",
        "The agent explains how to reset a router.",
    ]
    near, far = minilm.score(texts, [one, one])
    assert near is not None
    assert far is not None
    assert near > far + 0.1


@pytest.mark.hub
def test_the_signature_says_what_the_numbers_depend_on(minilm: BertScore) -> None:
    assert minilm.name == "bertscore"
    assert minilm.signature == (
        "bertscore|f1|idf:no|rescaled:no|refs:mean|layer:6|tokens:512|weights:e99354adc9a9"
        f"|bert-score:{version('bert-score')}|transformers:{version('transformers')}"
    )


def test_another_encoder_is_named_and_known_by_its_weights_not_its_path(bert: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(bert, elsewhere)
    there, copied = (BertScore(MetricRequest(argument=str(folder))) for folder in (bert, elsewhere))
    other = BertScore(MetricRequest(argument=str(build_tiny_bert(tmp_path / "other", seed=1))))
    assert there.name == f"bertscore:{bert}"
    assert there.signature == copied.signature
    assert str(bert) not in there.signature
    assert other.signature != there.signature


TEXTS: list[tuple[str, Sequence[str]]] = [
    ("the customer asked about a refund", ["customer asked : refund ?"]),
    ("the agent will send money back", ["the parcel is late", "agent will send the money back ."]),
    ("order 10", ["order 10"]),
]


@pytest.mark.parametrize(("text", "references"), TEXTS)
def test_a_tiny_encoder_scores_what_the_package_says(bert: Path, text: str, references: Sequence[str]) -> None:
    [value] = BertScore(MetricRequest(argument=str(bert))).score([text], [conversation(*references)])
    expected = [package_f1(text, reference, bert, 2) for reference in references]
    assert value == pytest.approx(sum(expected) / len(expected), abs=1e-5)


def test_all_at_once_score_what_each_scores_alone(bert: Path) -> None:
    texts = [text for text, _ in TEXTS] * 2
    conversations = [conversation(*references) for _, references in TEXTS] * 2
    together = BertScore(MetricRequest(argument=str(bert))).score(texts, conversations)
    metric = BertScore(MetricRequest(argument=str(bert)))
    alone = [metric.score([text], [one])[0] for text, one in zip(texts, conversations, strict=True)]
    assert together == pytest.approx(alone, abs=1e-5)


def test_the_packages_order_of_texts_never_decides_on_batches(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bert_score import utils

    encode, encoded = utils.get_bert_embedding, []

    def counted(texts: list[str], *rest: Any, **options: Any) -> Any:
        encoded.append(len(texts))
        return encode(texts, *rest, **options)

    monkeypatch.setattr(utils, "get_bert_embedding", counted)
    conversations = [conversation(f"order {number}", f"parcel {number}") for number in range(40)]
    BertScore(MetricRequest(argument=str(bert))).score([f"late {number}" for number in range(40)], conversations)
    # 80 pairs, 32 at once: a text with its two references, whose 16 + 32 texts are one batch.
    assert encoded == [48, 48, 24]


def test_replaced_references_are_seen(bert: Path) -> None:
    metric = BertScore(MetricRequest(argument=str(bert)))
    [same] = metric.score(["order late"], [conversation("order late")])
    [other] = metric.score(["order late"], [conversation("agent sorry")])
    assert same == pytest.approx(1.0, abs=1e-5)
    assert other is not None
    assert other < 0.99


@pytest.mark.parametrize("empty", ["", " ", "\n\t "])
def test_an_empty_text_scores_nothing_and_no_reference_gives_no_number(bert: Path, empty: str) -> None:
    metric = BertScore(MetricRequest(argument=str(bert)))
    conversations = [conversation("order late"), conversation(), conversation("order late", empty)]
    scores = metric.score([empty, "order late", "order late"], conversations)
    assert scores == [0.0, None, pytest.approx(0.5, abs=1e-5)]


def test_long_texts_are_cut_and_counted(bert: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metric = BertScore(MetricRequest(argument=str(bert)))
    long = "order " * 100
    [value] = metric.score([long], [conversation(long + "late")])
    assert value == pytest.approx(1.0, abs=1e-5)
    assert "2 of 2 texts are longer than 64 tokens" in capsys.readouterr().err
    metric.score(["order"], [conversation("late")])
    assert capsys.readouterr().err == ""


def test_a_folder_of_any_name_is_loaded_as_what_it_is(bert: Path, tmp_path: Path) -> None:
    folder = tmp_path / "t5-of-scibert"  # the package would load a T5, or a download
    shutil.copytree(bert, folder)
    assert BertScore(MetricRequest(argument=str(folder))).score(["order"], [conversation("order")]) == [
        pytest.approx(1.0, abs=1e-5)
    ]


def test_of_a_model_with_a_decoder_the_encoder_reads(tmp_path: Path) -> None:
    folder = build_tiny_t5(tmp_path / "t5")
    text, reference = "the customer asked about a refund", "customer asked : refund ?"
    [value] = BertScore(MetricRequest(argument=str(folder))).score([text], [conversation(reference)])
    assert value == pytest.approx(package_f1(text, reference, folder, 2), abs=1e-5)


def test_a_tokenizer_that_names_no_limit_does_not_stop_it(bert: Path, tmp_path: Path) -> None:
    folder = tmp_path / "boundless"
    shutil.copytree(bert, folder)
    settings = folder / "tokenizer_config.json"
    settings.write_text(settings.read_text().replace('"model_max_length": 64', '"model_max_length": 1e30'))
    assert "tokens:64|" in BertScore(MetricRequest(argument=str(folder))).signature


@pytest.mark.parametrize(
    ("reference", "name", "expected"),
    [
        ("hub:FacebookAI/roberta-large", "roberta-large", 17),
        ("hub:microsoft/deberta-v3-base@main", "deberta-v3-base", 9),
        ("/models/bert-base-uncased", "bert-base-uncased", 9),
        ("/models/mine", "mine", None),
        ("minilm", "minilm", None),
    ],
)
def test_the_layer_is_the_documented_one_of_a_model_that_the_package_knows(
    reference: str, name: str, expected: int | None
) -> None:
    record = ModelRecord(reference=reference, sha256="0" * 64, source="folder")
    assert best_layer(ResolvedModel(path=Path(), record=record, name=name)) == expected


def test_an_earlier_layer_scores_what_the_package_says_of_it(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bert_score import utils

    monkeypatch.setitem(utils.model2layers, bert.name, 1)
    metric = BertScore(MetricRequest(argument=str(bert)))
    assert "|layer:1|" in metric.signature
    text, reference = "the customer asked about a refund", "customer asked : refund ?"
    [value] = metric.score([text], [conversation(reference)])
    assert value == pytest.approx(package_f1(text, reference, bert, 1), abs=1e-5)
    assert value != pytest.approx(package_f1(text, reference, bert, 2), abs=1e-3)


def test_a_local_encoder_never_asks_the_network(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    BertScore(MetricRequest(argument=str(bert))).score(["order"], [conversation("late")])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", b'{"model_type": "nobodys"}'),
        ("config.json", b'{"model_type": "bert", "hidden_size": 48, "num_hidden_layers": 2}'),
        ("model.safetensors", b"no tensors"),
    ],
)
def test_damaged_files_are_said_in_a_line(bert: Path, tmp_path: Path, name: str, content: bytes) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(bert, folder)
    (folder / name).write_bytes(content)
    with pytest.raises(UsageError, match="cannot be loaded") as caught:
        BertScore(MetricRequest(argument=str(folder)))
    assert len(str(caught.value).splitlines()) <= 2


def test_an_encoder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown encoder"):
        BertScore(MetricRequest(argument=str(tmp_path / "nothing")))
