"""What is wrong with a model's files is found before anything is loaded from them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from liftbench.errors import UsageError
from liftbench.models.adapters import read_adapter
from liftbench.models.faults import check_files, check_gguf, find_other_kind, quantization_of
from liftbench.models.references import resolve

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


def point(path: Path) -> None:
    path.write_text(POINTER)


def clear(path: Path) -> None:
    path.write_bytes(b"")


def cut_begin(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])


def cut_end(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


@pytest.mark.parametrize(
    ("name", "damage", "reason"),
    [
        ("model.safetensors", point, r"only a pointer of Git LFS.*\nRun: git -C .* lfs pull"),
        ("model.safetensors", clear, "is empty"),
        ("model.safetensors", cut_begin, "no readable safetensors header"),
        ("model.safetensors", cut_end, "has 373007 bytes, and its header describes 373008"),
        ("model.safetensors", lengthen, "has 373009 bytes, and its header describes 373008"),
        ("tokenizer.json", point, "lfs pull"),
        ("tokenizer.json", cut_end, "tokenizer.json is damaged"),
        ("tokenizer_config.json", clear, "is empty"),
        ("chat_template.jinja", point, "lfs pull"),
        ("generation_config.json", cut_begin, "generation_config.json is damaged"),
        ("config.json", point, "lfs pull"),
        ("config.json", cut_begin, "config.json is damaged"),
    ],
)
def test_a_damaged_file_is_named(
    tmp_path: Path, tiny_chat_model: Path, name: str, damage: Callable[[Path], None], reason: str
) -> None:
    folder = Path(shutil.copytree(tiny_chat_model, tmp_path / "model"))
    damage(folder / name)
    with pytest.raises(UsageError, match=reason):
        resolve(str(folder))


def test_a_file_beside_the_weights_that_nobody_reads_is_no_fault(tmp_path: Path, tiny_chat_model: Path) -> None:
    folder = Path(shutil.copytree(tiny_chat_model, tmp_path / "model"))
    (folder / "notes.json").write_text("no JSON")
    (folder / "old.safetensors").write_bytes(b"")
    assert resolve(str(folder)).path == folder


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.json"
    path.write_text("{}")

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UsageError, match=r"cannot read .*config\.json: Permission denied"):
        check_files([path])


@pytest.mark.parametrize(
    ("content", "reason"),
    [(POINTER.encode(), "lfs pull"), (b"", "is empty"), (b"PK\3\4 and more", "does not begin with GGUF")],
)
def test_a_gguf_file_that_is_none_is_refused_before_it_is_hashed(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    for look in (check_gguf, lambda path: resolve(str(path))):
        with pytest.raises(UsageError, match=reason):
            look(path)


def test_an_adapter_of_pointers_is_refused(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    (tmp_path / "adapter_model.safetensors").write_text(POINTER)
    with pytest.raises(UsageError, match=r"adapter_model\.safetensors is only a pointer of Git LFS"):
        read_adapter(tmp_path)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"architectures": ["LlamaForCausalLM"]}, None),
        ({}, None),
        ({"architectures": ["LlamaForSequenceClassification"]}, "not a causal language model"),
        ({"architectures": ["BertForMaskedLM"]}, "not a causal language model"),
        ({"architectures": ["T5ForConditionalGeneration"], "is_encoder_decoder": True}, "an encoder and a decoder"),
    ],
)
def test_the_kind_of_a_model_is_known_from_its_config(
    tmp_path: Path, tiny_chat_model: Path, config: dict[str, Any], reason: str | None
) -> None:
    found = find_other_kind(config)
    assert (found is None) == (reason is None)
    folder = Path(shutil.copytree(tiny_chat_model, tmp_path / "model"))
    (folder / "config.json").write_text(json.dumps(config))
    if reason is None:
        assert resolve(str(folder))
    else:
        with pytest.raises(UsageError, match=reason):
            resolve(str(folder))


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, None),
        ({"quantization_config": None}, None),
        ({"quantization_config": {"quant_method": "fp8"}}, "fp8"),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "gptq, 4 bits"),
        ({"quantization_config": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}}, "bitsandbytes, nf4"),
        ({"quantization_config": {"load_in_8bit": True}}, "bitsandbytes, 8 bits"),
        ({"quantization_config": {"bits": 4}}, "an unnamed method, 4 bits"),
        ({"compression_config": {"quant_method": "compressed-tensors"}}, "compressed-tensors"),
    ],
)
def test_the_quantization_is_named_in_words(config: dict[str, Any], words: str | None) -> None:
    assert quantization_of(config) == words
