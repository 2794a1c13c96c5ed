from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from liftbench.errors import UsageError
from liftbench.models.gguf import convert

from ..support.tiny import CHATML
from ..support.tiny_gguf import SCALES, write_gguf


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory, tiny_chat_model: Path) -> Path:
    folder = tmp_path_factory.mktemp("gguf")
    convert(write_gguf(tiny_chat_model, folder / "tiny.gguf"), folder / "converted")
    return folder / "converted"


def test_the_weights_are_the_originals_in_bfloat16(converted: Path, tiny_chat_model: Path) -> None:
    import torch
    from safetensors.torch import load_file

    original, found = (load_file(folder / "model.safetensors") for folder in (tiny_chat_model, converted))
    assert found.keys() == original.keys()
    assert all(torch.equal(found[name], original[name].to(torch.bfloat16)) for name in original)


@pytest.fixture(scope="module")
def wide_model(tmp_path_factory: pytest.TempPathFactory, tiny_chat_model: Path) -> Path:
    """A LLaMA whose rows are as long as the longest block of a quantization."""
    import torch
    from transformers import AutoConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("wide")
    shutil.copytree(tiny_chat_model, folder, dirs_exist_ok=True)
    config = AutoConfig.from_pretrained(tiny_chat_model)
    config.update({"hidden_size": 256, "intermediate_size": 256, "num_hidden_layers": 1, "head_dim": 64})
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


QUANTIZATIONS = ["F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", *SCALES]


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_quantized_weights_are_those_that_gguf_reads(quantization: str, tmp_path: Path, wide_model: Path) -> None:
    import gguf
    import torch
    from safetensors.torch import load_file

    path = write_gguf(wide_model, tmp_path / "wide.gguf", quantization=quantization)
    convert(path, tmp_path / "converted")
    found = load_file(tmp_path / "converted" / "model.safetensors")
    read = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    assert {tensor.tensor_type.name for tensor in read.values()} == {quantization, "F32"}
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, 1)
    assert len(found) == len(read)
    for name, weight in found.items():
        tensor = read[names.get_name(name, try_suffixes=(".weight",))]
        expected = gguf.dequantize(tensor.data, tensor.tensor_type)
        if heads := {"q_proj": 4, "k_proj": 2}.get(name.split(".")[-2]):
            expected = expected.reshape(heads, -1, 2, 256).swapaxes(1, 2).reshape(expected.shape)
        assert np.isfinite(expected).all()
        assert torch.equal(weight, torch.tensor(expected).reshape(weight.shape).to(torch.bfloat16)), name


def test_tokenizer_template_and_ends_survive(converted: Path, tiny_chat_model: Path) -> None:
    from transformers import AutoConfig, AutoTokenizer, GenerationConfig

    original, found = (AutoTokenizer.from_pretrained(folder) for folder in (tiny_chat_model, converted))
    text = "<|im_start|>user\nthe order answers, agent?<|im_end|>\n"
    assert found(text)["input_ids"] == original(text)["input_ids"]
    assert found.chat_template == CHATML
    for token in ("bos_token_id", "eos_token_id", "pad_token_id"):
        assert getattr(found, token) == getattr(original, token)
        assert getattr(AutoConfig.from_pretrained(converted), token) == getattr(original, token)
    assert GenerationConfig.from_pretrained(converted).eos_token_id == [original.eos_token_id]


def test_the_result_trains_and_takes_nf4(converted: Path) -> None:
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    quantized = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4")
    model = AutoModelForCausalLM.from_pretrained(converted, quantization_config=quantized)
    assert "Linear4bit" in {type(module).__name__ for module in model.modules()}


@pytest.mark.parametrize(
    ("pre", "text", "tokens"),
    [
        # A digit stands alone, so the space before it is not drawn to it (llama.cpp's rule for SmolLM).
        ("smollm", "the 12", ["the", "Ġ", "1", "2"]),
        ("gpt-2", "the 12", ["the", "Ġ", "1", "2"]),
        ("smollm", "the  1", ["the", "ĠĠ", "1"]),
        ("gpt-2", "the  1", ["the", "Ġ", "Ġ", "1"]),
    ],
)
def test_the_tokenizer_splits_as_the_file_says(
    tmp_path: Path, tiny_chat_model: Path, pre: str, text: str, tokens: list[str]
) -> None:
    from transformers import AutoTokenizer

    vocabulary = json.loads((tiny_chat_model / "tokenizer.json").read_text())["model"]
    merges = [" ".join(merge) for merge in vocabulary["merges"]]
    # The tiny vocabulary knows no double space: its last token becomes one.
    names = sorted(vocabulary["vocab"], key=vocabulary["vocab"].__getitem__)
    lost = names[-1]
    changes: dict[str, Any] = {
        "tokenizer.ggml.pre": pre,
        "tokenizer.ggml.tokens": [*names[:-1], "ĠĠ"],
        "tokenizer.ggml.merges": [merge for merge in merges if merge.replace(" ", "") != lost] + ["Ġ Ġ"],
    }
    convert(write_gguf(tiny_chat_model, tmp_path / "t.gguf", **changes), tmp_path / "out")
    assert AutoTokenizer.from_pretrained(tmp_path / "out").tokenize(text) == tokens


def test_llama_3_begins_with_bos_and_ends_at_turn_or_text(tmp_path: Path, tiny_chat_model: Path) -> None:
    from transformers import AutoTokenizer, GenerationConfig

    changes: dict[str, Any] = {
        "tokenizer.ggml.pre": "llama-bpe",
        "tokenizer.ggml.add_bos_token": None,
        "tokenizer.ggml.eot_token_id": 0,
    }
    convert(write_gguf(tiny_chat_model, tmp_path / "t.gguf", **changes), tmp_path / "out")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert tokenizer("the order")["input_ids"].count(tokenizer.bos_token_id) == 1
    assert GenerationConfig.from_pretrained(tmp_path / "out").eos_token_id == [0, 2]
    assert tokenizer.backend_tokenizer.model.ignore_merges


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"general.architecture": "qwen2"}, "architecture is 'qwen2'"),
        ({"llama.expert_count": 8}, "only dense LLaMAs"),
        ({"split.count": 3}, "one part of several"),
        ({"llama.rope.scaling.type": "linear"}, "rotary positions"),
        ({"extra_tensor": "rope_freqs.weight"}, "rotary positions"),
        ({"tokenizer.ggml.pre": "chatglm-bpe"}, "how its tokenizer 'chatglm-bpe' splits"),
        ({"tokenizer.ggml.model": "bert"}, "unknown type 'bert'"),
    ],
)
def test_what_would_become_another_model_is_refused(
    tmp_path: Path, tiny_chat_model: Path, changes: dict[str, Any], reason: str
) -> None:
    gguf = write_gguf(tiny_chat_model, tmp_path / "t.gguf", **changes)
    with pytest.raises(UsageError, match=reason):
        convert(gguf, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("keep", [0, 3, 40, 4000, -100])
def test_a_broken_file_is_said_to_be_one(tmp_path: Path, tiny_chat_model: Path, keep: int) -> None:
    gguf = write_gguf(tiny_chat_model, tmp_path / "t.gguf")
    gguf.write_bytes(gguf.read_bytes()[:keep])
    with pytest.raises(UsageError, match=r"t\.gguf is not a readable GGUF file"):
        convert(gguf, tmp_path / "out")
