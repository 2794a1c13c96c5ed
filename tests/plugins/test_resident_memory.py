"""A base in NF4 that stays packed takes the memory of NF4."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("bitsandbytes")

LIMIT = 1.10


@pytest.fixture(scope="module", params=["tied", "untied", "packed before"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random LLaMA of two million weights in float32, large enough that the tables of its layers weigh little."""
    from transformers import BitsAndBytesConfig, LlamaConfig, LlamaForCausalLM

    folder: Path = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=500,
            hidden_size=256,
            intermediate_size=768,
            num_hidden_layers=2,
            num_attention_heads=8,
            num_key_value_heads=4,
            tie_word_embeddings=request.param != "untied",
        )
    )
    model.save_pretrained(folder)
    if request.param == "packed before":
        options = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True)
        packed = LlamaForCausalLM.from_pretrained(folder, quantization_config=options, dtype=torch.float32)
        folder = tmp_path_factory.mktemp("packed")
        packed.save_pretrained(folder)
    return folder


def test_loaded_weights_are_not_larger_than_their_precision_needs(folder: Path) -> None:
    from liftbench_plugins.loading import load_model

    from ..support.footprint import nf4_bytes, resident_bytes

    model = load_model(folder, "nf4")
    assert 1.0 <= resident_bytes(model) / nf4_bytes(model) < LIMIT


def test_an_adapter_adds_its_own_weights_alone(folder: Path) -> None:
    from peft import LoraConfig, get_peft_model

    from liftbench_plugins.loading import load_model

    from ..support.footprint import nf4_bytes, resident_bytes

    base = load_model(folder, "nf4")
    needed = nf4_bytes(base)
    model = get_peft_model(base, LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"))
    adapter = sum(each.numel() * each.element_size() for each in model.parameters() if each.requires_grad)
    assert resident_bytes(model) - adapter < LIMIT * needed


def test_weights_in_a_wider_type_are_seen(folder: Path) -> None:
    from liftbench_plugins.loading import load_model

    from ..support.footprint import nf4_bytes, resident_bytes

    model: Any = load_model(folder, "nf4")
    needed = nf4_bytes(model)
    model.get_input_embeddings().float()
    assert resident_bytes(model) > LIMIT * needed
