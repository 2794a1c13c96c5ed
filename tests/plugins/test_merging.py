"""A merged model computes what its adapter computed on its base, or is not made."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from liftbench.errors import UsageError
from liftbench.measuring.backend import BackendRequest
from liftbench.models.references import from_folder
from liftbench_plugins.backends.transformers import TransformersBackend
from liftbench_plugins.loading import load_model

from ..support.quantized import FP8, INT8, change_model, to_fp8, to_int8
from .test_peft_adapters import CHAT, KINDS, PROMPTS, lora, make_adapter, open_backend

UNMERGED = {"LLaMA-Adapter", "LoRA with biases"}
"""Kinds that no weights of a LLaMA, which has no biases, can stand for."""


def request(model: Path, adapter: Path | None, precision: str = "float32") -> BackendRequest:
    return BackendRequest(model=model, adapter=adapter, precision=precision, prompt=CHAT)


def logits(backend: TransformersBackend) -> torch.Tensor:
    return torch.cat([torch.tensor(backend.logits(prompt[:2], prompt[2:])) for prompt in PROMPTS])


def relative(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


def merge(model: Path, adapter: Path | None, folder: Path, precision: str = "float32", dtype: str = "bfloat16") -> Path:
    folder.mkdir()
    TransformersBackend.merge(request(model, adapter, precision), dtype, folder)
    return folder


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in UNMERGED])
def test_every_kind_computes_the_same_after_it_is_merged(tmp_path: Path, tiny_chat_model: Path, kind: str) -> None:
    adapter = make_adapter(tiny_chat_model, tmp_path / "adapter", KINDS[kind])
    merged = merge(tiny_chat_model, adapter, tmp_path / "merged", dtype="float16")
    untuned, expected, found = (
        logits(open_backend(model, own))
        for model, own in ((tiny_chat_model, None), (tiny_chat_model, adapter), (merged, None))
    )
    assert relative(found, expected) < 0.01  # what rounding to float16 does
    assert relative(untuned, expected) > 0.03


@pytest.mark.parametrize("kind", sorted(UNMERGED))
def test_a_kind_that_cannot_be_merged_is_refused(tmp_path: Path, tiny_chat_model: Path, kind: str) -> None:
    adapter = make_adapter(tiny_chat_model, tmp_path / "adapter", KINDS[kind])
    with pytest.raises(UsageError, match="cannot be merged into its base"):
        merge(tiny_chat_model, adapter, tmp_path / "merged")


@pytest.mark.parametrize("options", [{}, {"use_dora": True}, {"use_rslora": True}], ids=str)
def test_an_adapter_on_nf4_is_merged_into_the_unpacked_weights(
    tmp_path: Path, tiny_chat_model: Path, options: dict[str, Any]
) -> None:
    adapter = make_adapter(tiny_chat_model, tmp_path / "adapter", lora(**options))
    merged = merge(tiny_chat_model, adapter, tmp_path / "merged", "nf4")
    scored = logits(open_backend(tiny_chat_model, adapter, "nf4"))
    found, elsewhere = (
        logits(open_backend(*system)) for system in ((merged, None, "bfloat16"), (tiny_chat_model, adapter, "bfloat16"))
    )
    # The adapter on a base that is not quantized is no approximation of what was scored.
    assert relative(found, scored) < 0.03 < 0.08 < relative(elsewhere, scored)
    assert "quantization_config" not in json.loads((merged / "config.json").read_text())
    assert {weight.dtype for weight in load_model(merged, "bfloat16").parameters()} == {torch.bfloat16}


def test_the_files_beside_the_weights_are_those_of_the_base_or_of_the_adapter(
    tmp_path: Path, tiny_chat_model: Path
) -> None:
    base = shutil.copytree(tiny_chat_model, tmp_path / "base")
    (base / "generation_config.json").write_text('{"eos_token_id": [0, 2]}')
    own = shutil.copytree(base, tmp_path / "own")
    (own / "chat_template.jinja").write_text("another")
    folder = tmp_path / "merged"
    folder.mkdir()
    adapter = make_adapter(base, tmp_path / "adapter", lora())
    TransformersBackend.merge(
        BackendRequest(model=base, adapter=adapter, precision="float32", prompt=CHAT, tokenizer=own), "bfloat16", folder
    )
    assert json.loads((folder / "generation_config.json").read_text()) == {"eos_token_id": [0, 2]}
    assert (folder / "tokenizer.json").read_bytes() == (base / "tokenizer.json").read_bytes()
    assert (folder / "chat_template.jinja").read_text() == "another"
    before, after = (json.loads((path / "config.json").read_text()) for path in (base, folder))
    assert {key for key in before | after if before.get(key) != after.get(key)} == {"dtype"}
    assert from_folder("m", folder, source="folder", name="m").quantization is None


def test_a_whole_model_is_cast(tmp_path: Path, tiny_chat_model: Path) -> None:
    merged = merge(tiny_chat_model, None, tmp_path / "cast", "bfloat16")
    expected, found = (load_model(folder, "bfloat16").state_dict() for folder in (tiny_chat_model, merged))
    assert all(torch.equal(found[name], weight) for name, weight in expected.items())


def test_weights_that_float16_cannot_hold_are_refused(tmp_path: Path, tiny_chat_model: Path) -> None:
    def grow(tensors: dict[str, Any]) -> dict[str, Any]:
        return {name: tensor * (1e6 if name == "model.norm.weight" else 1) for name, tensor in tensors.items()}

    model = change_model(tiny_chat_model, tmp_path / "large", grow)
    with pytest.raises(
        UsageError, match=r"no numbers in float16 \(the first: model.norm.weight\)\nExport it in bfloat16"
    ):
        merge(model, None, tmp_path / "cast", "bfloat16", "float16")


@pytest.mark.parametrize(("change", "method"), [(to_int8, INT8), (to_fp8, FP8)], ids=["int8", "fp8"])
def test_a_base_that_is_quantized_by_itself_is_not_merged_into(
    tmp_path: Path, tiny_chat_model: Path, change: Any, method: dict[str, Any]
) -> None:
    model = change_model(tiny_chat_model, tmp_path / "quantized", change, quantization_config=method)
    adapter = make_adapter(tiny_chat_model, tmp_path / "adapter", lora())
    with pytest.raises(UsageError, match=r"quantized by themselves \("):
        merge(model, adapter, tmp_path / "merged", "bfloat16")
