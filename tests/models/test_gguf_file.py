"""What is written as GGUF is read as the same model, by our own reader and by `gguf`'s."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from liftbench.errors import UsageError
from liftbench.models.gguf import convert
from liftbench.models.gguf_file import LLAMA_3_PATTERN, SAMPLES, write_gguf
from liftbench_plugins.loading import load_model, load_tokenizer

from ..support import tiny_gguf
from ..support.quantized import change_model

BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
SPLITS: dict[str, dict[str, Any]] = {
    "gpt-2": BYTES | {"use_regex": True},
    "smollm": {
        "type": "Sequence",
        "pretokenizers": [{"type": "Digits", "individual_digits": True}, BYTES | {"use_regex": True}],
    },
    "llama-bpe": {
        "type": "Sequence",
        "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": LLAMA_3_PATTERN}, "behavior": "Isolated", "invert": False},
            BYTES | {"use_regex": False},
        ],
    },
}


@pytest.fixture(scope="session")
def half_model(tmp_path_factory: pytest.TempPathFactory, tiny_chat_model: Path) -> Path:
    """The tiny LLaMA in bfloat16, as an export has it."""
    folder = tmp_path_factory.mktemp("half") / "model"

    def halve(tensors: dict[str, Any]) -> dict[str, Any]:
        return {name: tensor.to(torch.bfloat16) for name, tensor in tensors.items()}

    return change_model(tiny_chat_model, folder, halve, dtype="bfloat16")


def change_json(folder: Path, name: str, **changes: Any) -> None:
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def alone(folder: Path) -> Path:
    folder.mkdir()
    return folder / "model.gguf"


def test_the_model_that_is_read_computes_the_same_logits(tmp_path: Path, half_model: Path) -> None:
    write_gguf(half_model, path := alone(tmp_path / "out"), name="mine", license_="apache-2.0")
    convert(path, tmp_path / "converted")
    ids = torch.arange(40)[None] * 7
    with torch.inference_mode():
        expected, found = (
            load_model(folder, "bfloat16")(input_ids=ids).logits for folder in (half_model, tmp_path / "converted")
        )
    assert torch.equal(found, expected)


def test_the_file_is_the_one_that_llama_cpp_writes(tmp_path: Path, half_model: Path) -> None:
    import gguf

    write_gguf(half_model, path := alone(tmp_path / "out"), name="mine", license_="apache-2.0")
    tiny_gguf.write_gguf(half_model_in_float32(half_model, tmp_path), tmp_path / "by-hand.gguf", quantization="BF16")
    ours, theirs = gguf.GGUFReader(path), gguf.GGUFReader(tmp_path / "by-hand.gguf")
    by_name = {tensor.name: tensor for tensor in theirs.tensors}
    assert {tensor.name for tensor in ours.tensors} == set(by_name)
    for tensor in ours.tensors:
        other = by_name[tensor.name]
        assert (tensor.tensor_type, tensor.shape.tolist()) == (other.tensor_type, other.shape.tolist()), tensor.name
        assert (tensor.data == other.data).all(), tensor.name
    facts = {name: field.contents() for name, field in ours.fields.items()}
    told = {name: field.contents() for name, field in theirs.fields.items() if not name.startswith("GGUF.")}
    differing = {name for name in told if facts.get(name) != told[name]}
    assert differing == {"tokenizer.ggml.pre"}  # which the other file says of every tokenizer
    assert (facts["general.name"], facts["general.license"], facts["general.file_type"]) == (
        "mine",
        "apache-2.0",
        gguf.LlamaFileType.MOSTLY_BF16,
    )
    assert facts["general.type"] == "model"
    assert facts["general.quantization_version"] == gguf.GGML_QUANT_VERSION


def half_model_in_float32(model: Path, tmp_path: Path) -> Path:
    return change_model(model, tmp_path / "wide", lambda some: {name: one.float() for name, one in some.items()})


@pytest.mark.parametrize("pre", SPLITS)
def test_tokenizers_are_carried_over(tmp_path: Path, half_model: Path, pre: str) -> None:
    import gguf

    model = shutil.copytree(half_model, tmp_path / "model")
    file = json.loads((model / "tokenizer.json").read_text())
    file["model"]["ignore_merges"] = pre == "llama-bpe"
    change_json(model, "tokenizer.json", pre_tokenizer=SPLITS[pre], model=file["model"])
    write_gguf(model, path := alone(tmp_path / "out"))
    assert gguf.GGUFReader(path).fields["tokenizer.ggml.pre"].contents() == pre
    convert(path, tmp_path / "converted")
    before, after = load_tokenizer(model), load_tokenizer(tmp_path / "converted")
    for text in (*SAMPLES, "order 1234 <|im_end|>"):
        assert after(text)["input_ids"] == before(text)["input_ids"]
    for one in ("chat_template", "bos_token_id", "eos_token_id", "pad_token_id"):
        assert getattr(after, one) == getattr(before, one)


def test_what_a_configuration_leaves_out_has_its_default(tmp_path: Path, half_model: Path) -> None:
    import gguf

    model = shutil.copytree(half_model, tmp_path / "model")
    config = json.loads((model / "config.json").read_text())
    for name in ("max_position_embeddings", "rms_norm_eps", "rope_parameters"):
        config.pop(name, None)
    (model / "config.json").write_text(json.dumps(config))
    write_gguf(model, path := alone(tmp_path / "out"))
    facts = {name: field.contents() for name, field in gguf.GGUFReader(path).fields.items()}
    assert facts["llama.context_length"] == 2048
    assert facts["llama.attention.layer_norm_rms_epsilon"] == pytest.approx(1e-6)
    assert facts["llama.rope.freq_base"] == 10_000


def test_both_ends_of_a_text_are_carried_over(tmp_path: Path, half_model: Path) -> None:
    model = shutil.copytree(half_model, tmp_path / "model")
    change_json(model, "generation_config.json", eos_token_id=[0, 2])
    write_gguf(model, path := alone(tmp_path / "out"))
    convert(path, tmp_path / "converted")
    assert json.loads((tmp_path / "converted" / "generation_config.json").read_text())["eos_token_id"] == [0, 2]


def test_an_lm_head_of_its_own_is_carried_over(tmp_path: Path, half_model: Path) -> None:
    def untie(tensors: dict[str, Any]) -> dict[str, Any]:
        return tensors | {"lm_head.weight": tensors["model.embed_tokens.weight"] * 2}

    model = change_model(half_model, tmp_path / "model", untie, tie_word_embeddings=False)
    write_gguf(model, path := alone(tmp_path / "out"))
    convert(path, tmp_path / "converted")
    found, expected = (load_file(folder / "model.safetensors") for folder in (tmp_path / "converted", model))
    assert torch.equal(found["lm_head.weight"], expected["lm_head.weight"])


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("config.json", {"model_type": "qwen3"}, "its architecture is 'qwen3'"),
        ("config.json", {"rope_parameters": {"rope_type": "llama3", "rope_theta": 1e4}}, "rotary positions"),
        ("config.json", {"attention_bias": True}, "biases"),
        ("config.json", {"hidden_act": "gelu"}, "activation is gelu"),
        ("tokenizer.json", {"pre_tokenizer": BYTES | {"add_prefix_space": True}}, "does not split texts like"),
        ("tokenizer.json", {"normalizer": {"type": "NFC"}}, "does not split texts like"),
        ("generation_config.json", {"eos_token_id": [0, 1, 2]}, "GGUF has a place for two"),
    ],
)
def test_what_would_become_another_model_is_refused(
    tmp_path: Path, half_model: Path, name: str, changes: dict[str, Any], reason: str
) -> None:
    model = shutil.copytree(half_model, tmp_path / "model")
    change_json(model, name, **changes)
    with pytest.raises(UsageError, match=rf"{reason}(.|\n)*convert_hf_to_gguf"):
        write_gguf(model, alone(tmp_path / "out"))


def test_a_first_token_of_every_text_is_carried_over(tmp_path: Path, half_model: Path) -> None:
    model = shutil.copytree(half_model, tmp_path / "model")
    bos = {"SpecialToken": {"id": "<|im_start|>", "type_id": 0}}
    steps = {
        "type": "TemplateProcessing",
        "single": [bos, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [bos, {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<|im_start|>": {"id": "<|im_start|>", "ids": [1], "tokens": ["<|im_start|>"]}},
    }
    change_json(model, "tokenizer.json", post_processor=steps)
    write_gguf(model, path := alone(tmp_path / "out"))
    convert(path, tmp_path / "converted")
    assert load_tokenizer(tmp_path / "converted")("the order")["input_ids"][0] == 1


def test_a_tokenizer_whose_tokens_would_be_others_is_refused(tmp_path: Path, half_model: Path) -> None:
    model = shutil.copytree(half_model, tmp_path / "model")
    file = json.loads((model / "tokenizer.json").read_text())
    vocabulary, merges = file["model"]["vocab"], file["model"]["merges"]
    last = max(vocabulary, key=vocabulary.__getitem__)
    vocabulary["order"] = vocabulary.pop(last)
    file["model"]["merges"] = [one for one in merges if last not in ("".join(one), *one)]
    # GGUF has no place for a word that takes the space before it.
    word = {"id": vocabulary["order"], "content": "order", "lstrip": True, "special": False}
    added = [*file["added_tokens"], file["added_tokens"][0] | word]
    change_json(model, "tokenizer.json", added_tokens=added, model=file["model"])
    with pytest.raises(UsageError, match="split texts otherwise"):
        write_gguf(model, alone(tmp_path / "out"))
