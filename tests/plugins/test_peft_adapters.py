"""Every kind of PEFT adapter gives PEFT's own texts through our decoding loop, or is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from msgspec.structs import replace
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from liftbench.errors import UsageError
from liftbench.measuring.backend import BackendRequest
from liftbench.prompts.spec import prompt_spec
from liftbench_plugins.backends.transformers import TransformersBackend
from liftbench_plugins.loading import device, load_model

CHAT = prompt_spec("Summarize this:\n{conversation}", "", "chat")
TARGETS = ["q_proj", "v_proj", "up_proj"]
PROMPTS = [[1, 30, 31, 200], [5, 6, 7, 40, 50, 60, 90]]
NEW_TOKENS = 10


def lora(**options: Any) -> LoraConfig:
    return LoraConfig(**({"r": 4, "target_modules": TARGETS, "task_type": "CAUSAL_LM"} | options))


def on_targets(kind: str, **options: Any) -> Any:
    return getattr(peft, kind)(**({"target_modules": TARGETS, "task_type": "CAUSAL_LM"} | options))


KINDS: dict[str, Any] = {
    "LoRA": lora(),
    "DoRA": lora(use_dora=True),
    "rsLoRA": lora(use_rslora=True),
    "PiSSA": lora(init_lora_weights="pissa"),
    "OLoRA": lora(init_lora_weights="olora"),
    "LoRA with biases": lora(lora_bias=True),
    "LoRA of several ranks on a layer": lora(
        rank_pattern={"q_proj": 2}, alpha_pattern={"q_proj": 16}, layers_to_transform=[1]
    ),
    "LoRA on a parameter": lora(target_modules=["q_proj"], target_parameters=["up_proj.weight"]),
    "LoRA on embeddings": lora(target_modules=[*TARGETS, "embed_tokens"]),
    "LoRA with a whole LM head": lora(modules_to_save=["lm_head"]),
    "LoRA with whole embeddings": lora(modules_to_save=["embed_tokens"]),
    "LoRA with whole norms": lora(modules_to_save=["norm", "input_layernorm"]),
    "LoRA with tokens": lora(trainable_token_indices=[3, 5]),
    "AdaLoRA": on_targets("AdaLoraConfig", total_step=10, init_r=6, target_r=4),
    "LoHa": on_targets("LoHaConfig", r=4),
    "LoKr": on_targets("LoKrConfig", r=4),
    "IA3": on_targets("IA3Config", target_modules=["k_proj", "down_proj"], feedforward_modules=["down_proj"]),
    "OFT": on_targets("OFTConfig", oft_block_size=32),
    "BOFT": on_targets("BOFTConfig", boft_block_size=8),
    "VeRA": on_targets("VeraConfig", r=8, target_modules=["q_proj", "o_proj"]),
    "FourierFT": on_targets("FourierFTConfig", n_frequency=20),
    "HRA": on_targets("HRAConfig", r=4),
    "MiSS (Bone)": on_targets("MissConfig", r=4),
    "VB-LoRA": on_targets("VBLoRAConfig", r=2, num_vectors=16, vector_length=16),
    "RandLoRA": on_targets("RandLoraConfig"),
    "TinyLoRA": on_targets("TinyLoraConfig"),
    "tokens": on_targets("TrainableTokensConfig", token_indices=[3, 4, 5], target_modules=["embed_tokens"]),
    "norms": peft.LNTuningConfig(task_type="CAUSAL_LM"),
    "LLaMA-Adapter": peft.AdaptionPromptConfig(adapter_len=4, adapter_layers=2, task_type="CAUSAL_LM"),
}

REFUSED: dict[str, tuple[Any, str]] = {
    "aLoRA": (lora(alora_invocation_tokens=[1]), "activated LoRA"),
    "prefix": (
        peft.PrefixTuningConfig(num_virtual_tokens=4, task_type="CAUSAL_LM"),
        r"learned prompt \(PREFIX_TUNING\)",
    ),
    "prompt": (
        peft.PromptTuningConfig(num_virtual_tokens=4, task_type="CAUSAL_LM"),
        r"learned prompt \(PROMPT_TUNING\)",
    ),
    "p-tuning": (peft.PromptEncoderConfig(num_virtual_tokens=4, task_type="CAUSAL_LM"), r"learned prompt \(P_TUNING\)"),
    "Poly": (on_targets("PolyConfig"), r"\(POLY\) cannot be computed"),
}


def make_adapter(model: Path, folder: Path, config: Any) -> Path:
    """An adapter whose trained weights are random."""
    torch.manual_seed(1)
    wrapped = get_peft_model(AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32), config)
    for parameter in wrapped.parameters():
        if parameter.requires_grad:
            parameter.data += torch.randn_like(parameter) * 0.3
    wrapped.save_pretrained(folder)
    return folder


def open_backend(model: Path, adapter: Path | None, precision: str = "float32") -> TransformersBackend:
    return TransformersBackend(BackendRequest(model=model, adapter=adapter, precision=precision, prompt=CHAT))


def by_peft(model: Path, adapter: Path, end: int) -> list[list[int]]:
    """What PEFT's own `generate` makes of the prompts in one left-padded batch."""
    wrapped = PeftModel.from_pretrained(load_model(model, "float32"), adapter).eval()
    width = max(map(len, PROMPTS))
    ids = torch.tensor([[0] * (width - len(prompt)) + prompt for prompt in PROMPTS], device=device())
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in PROMPTS], device=device())
    rows = wrapped.generate(
        input_ids=ids,
        attention_mask=mask,
        do_sample=False,
        max_new_tokens=NEW_TOKENS,
        eos_token_id=end,
        pad_token_id=0,
    )
    made = [row[width:].tolist() for row in rows]
    return [row[: row.index(end) + 1] if end in row else row for row in made]


@pytest.mark.parametrize("kind", KINDS)
def test_the_texts_are_those_of_peft(tmp_path: Path, tiny_chat_model: Path, kind: str) -> None:
    adapter = make_adapter(tiny_chat_model, tmp_path / "adapter", KINDS[kind])
    backend = open_backend(tiny_chat_model, adapter)
    with torch.inference_mode():
        found = backend._decode(PROMPTS, NEW_TOKENS)
        untuned = open_backend(tiny_chat_model, None)._decode(PROMPTS, NEW_TOKENS)
    assert found == by_peft(tiny_chat_model, adapter, backend.tokenizer.eos_token_id)
    assert found != untuned


STAY = {"LoRA", "DoRA", "rsLoRA", "LoRA of several ranks on a layer", "LoRA with biases", "LoRA on embeddings"}
"""The kinds whose base another adapter takes over."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_base_that_is_taken_over_is_the_base_to_the_last_bit(
    tmp_path: Path, tiny_chat_model: Path, kind: str
) -> None:
    first = make_adapter(tiny_chat_model, tmp_path / "first", KINDS[kind])
    second = make_adapter(tiny_chat_model, tmp_path / "second", lora(r=2, target_modules=["k_proj", "up_proj"]))
    backend = open_backend(tiny_chat_model, first)
    base = dict(load_model(tiny_chat_model, "float32").named_parameters())
    untuned = BackendRequest(model=tiny_chat_model, adapter=None, precision="float32", prompt=CHAT)
    assert backend.take(untuned) == (kind in STAY)
    if kind not in STAY:
        return
    taken = dict(backend._model.named_parameters())
    assert taken.keys() == base.keys()
    assert all(torch.equal(taken[name], base[name]) for name in base)
    assert backend.take(replace(untuned, adapter=second))
    fresh = open_backend(tiny_chat_model, second)
    assert torch.equal(
        torch.from_numpy(backend.logits(PROMPTS[1], PROMPTS[0])), torch.from_numpy(fresh.logits(PROMPTS[1], PROMPTS[0]))
    )
    with torch.inference_mode():
        assert backend._decode(PROMPTS, NEW_TOKENS) == fresh._decode(PROMPTS, NEW_TOKENS)


def test_an_nf4_base_is_taken_over(tmp_path: Path, tiny_chat_model: Path) -> None:
    first, second = (make_adapter(tiny_chat_model, tmp_path / str(rank), lora(r=rank)) for rank in (2, 4))
    backend = open_backend(tiny_chat_model, first, "nf4")
    request = BackendRequest(model=tiny_chat_model, adapter=second, precision="nf4", prompt=CHAT)
    assert backend.take(request)
    fresh = open_backend(tiny_chat_model, second, "nf4")
    assert (backend.logits(PROMPTS[1], PROMPTS[0]) == fresh.logits(PROMPTS[1], PROMPTS[0])).all()
    assert not backend.take(replace(request, precision="float32"))
    assert not backend.take(replace(request, model=tmp_path))


def test_a_base_with_embeddings_of_the_adapter_is_not_taken_over(tmp_path: Path, tiny_chat_model: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_chat_model, dtype=torch.float32)
    model.resize_token_embeddings(model.get_input_embeddings().weight.shape[0] + 3, mean_resizing=False)
    get_peft_model(model, lora()).save_pretrained(tmp_path / "wide", save_embedding_layers=True)
    backend = open_backend(tiny_chat_model, tmp_path / "wide")
    assert not backend.take(BackendRequest(model=tiny_chat_model, adapter=None, precision="float32", prompt=CHAT))


@pytest.mark.parametrize("kind", KINDS)
def test_a_half_precision_computes_every_kind(tmp_path: Path, tiny_chat_model: Path, kind: str) -> None:
    adapter = make_adapter(tiny_chat_model, tmp_path / "adapter", KINDS[kind])
    ids = torch.tensor([PROMPTS[1]], device=device())
    with torch.inference_mode():
        exact, rounded = (
            open_backend(tiny_chat_model, adapter, precision)._model(input_ids=ids).logits.float()
            for precision in ("float32", "bfloat16")
        )
    assert ((rounded - exact).norm() / exact.norm()).item() < 0.2


@pytest.mark.parametrize("kind", REFUSED)
def test_a_kind_that_acts_elsewhere_is_refused(tmp_path: Path, tiny_chat_model: Path, kind: str) -> None:
    config, reason = REFUSED[kind]
    with pytest.raises(UsageError, match=reason):
        open_backend(tiny_chat_model, make_adapter(tiny_chat_model, tmp_path / "adapter", config))


# --------------------------------------------------------------------------------------------------- all its tensors


def change_file(change: Callable[[str], str | None]) -> Callable[[Path], None]:
    """Rename the tensors of an adapter's file; those without a new name are left out."""

    def apply(folder: Path) -> None:
        path = folder / "adapter_model.safetensors"
        tensors = {new: tensor for name, tensor in load_file(path).items() if (new := change(name))}
        save_file(tensors, path, metadata={"format": "pt"})

    return apply


def change_config(**settings: Any) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / "adapter_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | settings))

    return apply


def to_integers(folder: Path) -> None:
    path = folder / "adapter_model.safetensors"
    tensors = {name: (tensor * 127).to(torch.int8) for name, tensor in load_file(path).items()}
    save_file(tensors, path, metadata={"format": "pt"})


UNFIT: dict[str, tuple[dict[str, Any], Callable[[Path], None], str]] = {
    "six of seven matrices": (
        {"target_modules": "all-linear"},
        change_config(target_modules=["q_proj"]),
        r"24 tensors are in its file unused \(.*mlp\.down_proj\.lora_A\.weight",
    ),
    "more matrices": ({}, change_config(target_modules=[*TARGETS, "k_proj"]), r"4 tensors are missing from its file"),
    "a layer less": ({}, change_file(lambda name: None if "layers.1" in name else name), "6 tensors are missing"),
    "halves": ({}, change_file(lambda name: None if "lora_B" in name else name), "6 tensors are missing"),
    "nothing": ({}, change_file(lambda _: None), "12 tensors are missing"),
    "magnitudes": (
        {"use_dora": True},
        change_config(use_dora=False),
        "6 tensors are .* unused .*lora_magnitude_vector",
    ),
    "no magnitudes": ({}, change_config(use_dora=True), r"6 tensors are missing .*lora_magnitude_vector"),
    "no prefix": ({}, change_file(lambda name: name.removeprefix("base_model.model.")), "lack 'base_model.model.'"),
    "a prefix twice": ({}, change_file(lambda name: f"base_model.model.{name}"), "begin with 'base_model.model.'"),
    "another rank": ({}, change_config(r=8), r"q_proj.lora_A.weight has the shape \[4, 64\], not \[8, 64\]"),
    "a whole module less": (
        {"modules_to_save": ["norm"]},
        change_file(lambda name: None if "norm" in name else name),
        "its file has no tensor",
    ),
    "an option of the future": ({}, change_config(new_norm="l2", off=None), "would ignore 1 option.*: new_norm"),
    "an option of another library": ({}, change_config(alora_invocation_string="<go>"), "alora_invocation_string"),
    "integers": ({}, to_integers, "12 tensors are integers"),
    "a kind of the future": ({}, change_config(peft_type="NEWER"), "this version of PEFT does not know 'NEWER'"),
}


def test_an_option_without_effect_is_no_reason_to_refuse(tmp_path: Path, tiny_chat_model: Path) -> None:
    adapter = make_adapter(tiny_chat_model, tmp_path / "adapter", lora())
    change_config(new_norm=None, other=[], unsloth_fixed=True)(adapter)
    open_backend(tiny_chat_model, adapter)


@pytest.mark.parametrize("case", UNFIT)
def test_an_adapter_whose_tensors_are_not_all_used_is_refused(
    tmp_path: Path, tiny_chat_model: Path, case: str, recwarn: pytest.WarningsRecorder
) -> None:
    options, change, reason = UNFIT[case]
    adapter = make_adapter(tiny_chat_model, tmp_path / "adapter", lora(**options))
    change(adapter)
    with pytest.raises(UsageError, match=reason):
        open_backend(tiny_chat_model, adapter)
    assert not [one for one in recwarn if "missing adapter keys" in str(one.message)]
