"""A model is loaded completely and as it is quantized, or refused in a line or two that say how to mend it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, GenerationConfig

from liftbench.errors import LiftbenchError, PrerequisiteError, RunFailed, UsageError
from liftbench.measuring.backend import BackendRequest
from liftbench.models.references import resolve
from liftbench.prompts.render import render
from liftbench.prompts.spec import prompt_spec
from liftbench.records.conversation import Conversation
from liftbench_plugins.backends.transformers import TransformersBackend, stop_tokens
from liftbench_plugins.loading import check_ids, check_targets, load_config, load_model, load_tokenizer, valid_pad
from liftbench_plugins.weights import common_prefix

from ..support.quantized import (
    AWQ,
    FP8,
    GPTQ,
    INT8,
    Tensors,
    change_model,
    from_fp8,
    linear,
    to_fp8,
    to_gptq,
    to_int8,
    to_row_fp8,
)

IDS = torch.randint(3, 250, (2, 24), generator=torch.Generator().manual_seed(0))
CHAT = prompt_spec("Summarize this:\n{conversation}", "", "chat")


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model(input_ids=IDS.to(model.device)).logits.float().cpu()
    return found


def distance(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


@pytest.fixture(scope="module")
def plain(tiny_chat_model: Path) -> torch.Tensor:
    """The logits of the unquantized model in float32."""
    return logits(AutoModelForCausalLM.from_pretrained(tiny_chat_model, dtype=torch.float32).eval())


def bitsandbytes_folder(model: Path, folder: Path, **options: Any) -> Path:
    """The model as transformers saves it after bitsandbytes has quantized it."""
    quantized = AutoModelForCausalLM.from_pretrained(
        model, dtype=torch.bfloat16, quantization_config=BitsAndBytesConfig(load_in_4bit=True, **options)
    )
    shutil.copytree(model, folder)
    (folder / "model.safetensors").unlink()
    quantized.save_pretrained(folder)
    return folder


# --------------------------------------------------------------------------------------------- quantized by themselves


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_an_fp8_base_has_the_weights_that_its_scales_say(tmp_path: Path, tiny_chat_model: Path, precision: str) -> None:
    folder = change_model(tiny_chat_model, tmp_path / "fp8", to_fp8, quantization_config=FP8)
    model = load_model(folder, precision)
    dtype = getattr(torch, precision)
    assert {parameter.dtype for parameter in model.parameters()} == {dtype}
    expected = from_fp8(load_file(folder / "model.safetensors"))
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter.data.cpu(), expected[name].to(dtype)), name


def test_an_fp8_base_may_have_one_scale_a_matrix_and_be_in_several_files(tmp_path: Path, tiny_chat_model: Path) -> None:
    def quantize(tensors: Tensors) -> Tensors:
        made = dict(tensors)
        for name, weight in linear(tensors).items():
            scale = weight.float().abs().max() / 448
            made |= {name: (weight.float() / scale).to(torch.float8_e4m3fn), f"{name}_scale_inv": scale}
            made[name.replace("weight", "activation_scale")] = torch.tensor(1.0)
        return made

    own = {"quant_method": "fp8", "activation_scheme": "static", "weight_block_size": None}
    folder = change_model(tiny_chat_model, tmp_path / "fp8", quantize, quantization_config=own)
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    parts = [dict(list(tensors.items())[start::2]) for start in range(2)]
    for number, part in enumerate(parts):
        save_file(part, folder / f"part{number}.safetensors", metadata={"format": "pt"})
    index = {
        "metadata": {},
        "weight_map": {name: f"part{n}.safetensors" for n, part in enumerate(parts) for name in part},
    }
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert resolve(str(folder)).quantization == "fp8"
    for name, parameter in load_model(folder, "float32").named_parameters():
        scale = tensors.get(f"{name}_scale_inv", torch.tensor(1.0))
        assert torch.equal(parameter.data.cpu(), tensors[name].float() * scale), name


def test_an_int8_base_is_multiplied_as_bitsandbytes_does(
    tmp_path: Path, tiny_chat_model: Path, plain: torch.Tensor
) -> None:
    folder = change_model(tiny_chat_model, tmp_path / "int8", to_int8, quantization_config=INT8)
    model = load_model(folder, "bfloat16")
    assert {str(parameter.dtype) for parameter in model.parameters()} == {"torch.bfloat16", "torch.int8"}
    assert distance(logits(model), plain) < 0.1


def test_a_base_saved_in_nf4_is_nf4(tmp_path: Path, tiny_chat_model: Path) -> None:
    folder = bitsandbytes_folder(
        tiny_chat_model,
        tmp_path / "nf4",
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float16,
    )
    saved, quantized = load_model(folder, "nf4"), load_model(tiny_chat_model, "nf4")
    assert torch.equal(logits(saved), logits(quantized))
    backend = TransformersBackend(BackendRequest(model=folder, adapter=None, precision="nf4", prompt=CHAT))
    assert torch.equal(logits(backend._model), logits(quantized))


def test_a_base_saved_in_fp4_is_computed_in_the_precision_and_is_not_nf4(tmp_path: Path, tiny_chat_model: Path) -> None:
    folder = bitsandbytes_folder(tiny_chat_model, tmp_path / "fp4", bnb_4bit_quant_type="fp4")
    model = load_model(folder, "float32")
    assert {str(parameter.dtype) for parameter in model.parameters()} == {"torch.float32", "torch.uint8"}
    with pytest.raises(UsageError, match=r"cannot be quantized again to nf4\nUse --set model.precision=bfloat16"):
        load_model(folder, "nf4")


REFUSED: dict[str, tuple[Callable[[Tensors], Tensors], Any, str, type[LiftbenchError], str]] = {
    "fp8 for training": (to_fp8, FP8, "nf4", UsageError, r"quantized already \(fp8\)"),
    "int8 for training": (to_int8, INT8, "nf4", UsageError, r"quantized already \(bitsandbytes_8bit\)"),
    "gptq": (to_gptq, GPTQ, "float32", PrerequisiteError, "quantized with gptq, which cannot be used here: .*optimum"),
    "awq": (to_gptq, AWQ, "bfloat16", PrerequisiteError, "quantized with awq, which cannot be used here: .*gptqmodel"),
    "unknown": (
        to_row_fp8,
        {"quant_method": "mine"},
        "float32",
        UsageError,
        "with mine, which transformers cannot load",
    ),
    "unnamed": (to_gptq, {"bits": 4}, "float32", UsageError, "a method that its config.json does not name"),
    "no config, fp8": (to_fp8, None, "float32", UsageError, r"14 of its weights are quantized numbers"),
    "no config, int8": (to_int8, None, "float32", UsageError, r"14 of its weights are quantized numbers"),
    "no config, gptq": (to_gptq, None, "float32", UsageError, "look like weights quantized with GPTQ"),
    "no numbers": (dict, FP8, "float32", UsageError, r"quantized \(fp8\), but they are plain numbers"),
    "no numbers, 4 bits": (
        dict,
        {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
        "nf4",
        UsageError,
        "but they are plain numbers",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_quantized_base_that_cannot_be_used_is_refused(tmp_path: Path, tiny_chat_model: Path, case: str) -> None:
    change, own, precision, kind, reason = REFUSED[case]
    settings = {} if own is None else {"quantization_config": own}
    folder = change_model(tiny_chat_model, tmp_path / "quantized", change, **settings)
    with pytest.raises(kind, match=reason) as raised:
        load_model(folder, precision)
    assert raised.value.fix


def lose(end: str, place: str = "") -> Callable[[Tensors], Tensors]:
    """What drops the tensors that end with `end`, if they have `place` in their name."""
    return lambda tensors: {
        name: tensor for name, tensor in tensors.items() if not (name.endswith(end) and place in name)
    }


BARE: dict[str, tuple[Callable[[Tensors], Tensors], dict[str, Any], str]] = {
    "all scales": (lambda t: lose("scale_inv")(to_fp8(t)), FP8, "14 of its weights are quantized numbers without"),
    "one scale": (lambda t: lose("scale_inv", "0.mlp.up")(to_fp8(t)), FP8, "1 of its weights are quantized numbers"),
    "layers that are not int8": (
        lambda t: to_int8(t) | {name: t[name] for name in t if "mlp.up" in name},
        INT8,
        "2 of its weights are plain numbers",
    ),
    "a scale that is too short": (
        lambda t: {name: x[:5] if name.endswith("0.mlp.up_proj.SCB") else x for name, x in to_int8(t).items()},
        INT8,
        "cannot be computed with",
    ),
    "int8 that is no layer of the method": (
        lambda t: to_int8(t) | {"model.embed_tokens.weight": t["model.embed_tokens.weight"].mul(9).to(torch.int8)},
        INT8,
        "1 of its weights are quantized numbers without",
    ),
}


@pytest.mark.parametrize("case", BARE)
def test_quantized_numbers_are_never_weights_without_their_scales(
    tmp_path: Path, tiny_chat_model: Path, case: str
) -> None:
    change, own, reason = BARE[case]
    folder = change_model(tiny_chat_model, tmp_path / "bare", change, quantization_config=own)
    with pytest.raises(UsageError, match=reason):
        load_model(folder, "float32")


@pytest.mark.parametrize("own", ["fp8", ["fp8"], 8])
def test_a_quantization_config_that_is_no_object_is_named(tmp_path: Path, tiny_chat_model: Path, own: Any) -> None:
    folder = change_model(tiny_chat_model, tmp_path / "odd", quantization_config=own)
    with pytest.raises(UsageError, match="is no object"):
        load_model(folder, "float32")


@pytest.mark.parametrize(("architecture", "model_type"), [("LlamaForCausalLM", "gemma"), ("Qwen2ForCausalLM", "llama")])
def test_a_config_that_names_two_architectures_is_refused(copy: Path, architecture: str, model_type: str) -> None:
    settings_of(copy, "config.json", architectures=[architecture], model_type=model_type, head_dim=16)
    with pytest.raises(UsageError, match=f"architectures says {architecture}, and its model_type '{model_type}'"):
        load_config(copy)


@pytest.mark.parametrize("architectures", [["LlamaModel"], ["LLaMAForCausalLM"], ["MyOwnForCausalLM"], [], None])
def test_an_architecture_may_be_an_old_name_or_none(copy: Path, architectures: list[str] | None) -> None:
    settings_of(copy, "config.json", architectures=architectures)
    assert load_config(copy).model_type == "llama"


def test_an_end_in_the_generation_config_that_is_no_id_is_named(tiny_chat_model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_chat_model)
    with pytest.raises(UsageError, match="is no token id: '<|im_end|>'".replace("|", r"\|")):
        stop_tokens(GenerationConfig(eos_token_id=[2, "<|im_end|>"]), tokenizer)


def test_a_run_names_the_quantization_of_its_base(tmp_path: Path, tiny_chat_model: Path) -> None:
    folder = change_model(tiny_chat_model, tmp_path / "fp8", to_fp8, quantization_config=FP8)
    model = resolve(str(folder))
    assert model.record.source == "folder, quantized (fp8)"
    assert "quantized by themselves (fp8)" in model.notes[0]
    assert resolve(str(tiny_chat_model)).notes == []


# ---------------------------------------------------------------------------------------------------- all the weights


def without(part: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {name: tensor for name, tensor in tensors.items() if part not in name}


def prefixed(prefix: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {prefix + name: tensor for name, tensor in tensors.items()}


def with_tensor(name: str, *shape: int) -> Callable[[Tensors], Tensors]:
    return lambda tensors: tensors | {name: torch.ones(*shape)}


UNFIT: dict[str, tuple[Callable[[Tensors], Tensors], dict[str, Any], str]] = {
    "a layer less": (without("layers.1."), {}, r"9 weights are missing .*layers\.1\.input_layernorm.*, …"),
    "a matrix less": (
        without("layers.1.mlp.up"),
        {},
        r"1 weight is missing from its files \(model.layers.1.mlp.up_proj",
    ),
    "a norm less": (without("model.norm"), {}, r"1 weight is missing from its files \(model\.norm\.weight\)"),
    "no LM head": (dict, {"tie_word_embeddings": False}, r"lm_head\.weight\)\nIf the model ties"),
    "more layers in the config": (dict, {"num_hidden_layers": 3}, "9 weights are missing"),
    "fewer layers in the config": (dict, {"num_hidden_layers": 1}, "9 tensors are in its files unused"),
    "another width": (dict, {"intermediate_size": 64}, r"6 weights are of another shape .*\[64, 128\], not \[64, 64\]"),
    "another vocabulary": (dict, {"vocab_size": 500}, r"embed_tokens.weight: \[292, 64\], not \[500, 64\]"),
    "PEFT's prefix": (prefixed("base_model.model."), {}, r"begin with 'base_model\.model\.'"),
    "a prefix": (prefixed("language_model."), {}, r"begin with 'language_model\.'"),
    "a compiled model": (prefixed("_orig_mod."), {}, r"begin with '_orig_mod\.'"),
    "an adapter inside": (with_tensor("model.layers.0.mlp.up_proj.lora_A.weight", 4, 64), {}, "merge_and_unload"),
    "a bias": (with_tensor("model.layers.0.self_attn.q_proj.bias", 64), {}, "1 tensor is in its files unused"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_weights_that_are_not_those_of_the_config_are_named(tmp_path: Path, tiny_chat_model: Path, case: str) -> None:
    change, settings, reason = UNFIT[case]
    folder = change_model(tiny_chat_model, tmp_path / "unfit", change, **settings)
    for precision in ("float32", "nf4"):
        with pytest.raises(UsageError, match=reason):
            load_model(folder, precision)


@pytest.mark.parametrize(
    "change",
    [
        dict,
        with_tensor("model.layers.0.self_attn.rotary_emb.inv_freq", 8),
        with_tensor("v_head.summary.weight", 1, 64),
        lambda tensors: {name.removeprefix("model."): tensor for name, tensor in tensors.items()},
        lambda tensors: tensors | {"lm_head.weight": tensors["model.embed_tokens.weight"].clone()},
    ],
    ids=["as saved", "rotary buffers", "a value head", "without the model's prefix", "a tied head that was saved"],
)
def test_what_files_hold_besides_is_harmless(
    tmp_path: Path, tiny_chat_model: Path, plain: torch.Tensor, change: Callable[[Tensors], Tensors]
) -> None:
    model = load_model(change_model(tiny_chat_model, tmp_path / "model", change), "float32")
    assert torch.equal(logits(model), plain)


def test_the_prefix_that_most_names_have_is_found() -> None:
    assert common_prefix({"a.b", "a.c"}, ["x.y.a.b", "x.y.a.c"]) == "x.y."
    assert common_prefix({"a.b"}, ["z.b", "q.c", "r.d"]) == ""
    assert common_prefix(set(), []) == ""


# ---------------------------------------------------------------------------------------- other models, other files


def settings_of(folder: Path, name: str, **settings: Any) -> None:
    (folder / name).write_text(json.dumps(json.loads((folder / name).read_text()) | settings))


@pytest.fixture
def copy(tmp_path: Path, tiny_chat_model: Path) -> Path:
    """The tiny model's folder, to be changed."""
    return Path(shutil.copytree(tiny_chat_model, tmp_path / "copy"))


TRAP = "raise SystemExit('code of the folder was run')\n"

KINDS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown": ({"model_type": "foo"}, r"model_type 'foo' is not known to transformers \d"),
    "no type": ({"model_type": None}, "no model_type"),
    "code of its own": ({"model_type": "foo", "auto_map": {"AutoConfig": "trap.C"}}, "is never run"),
    "an encoder": ({"model_type": "t5"}, "'t5' is not a causal language model"),
    "an unknown activation": ({"hidden_act": "nope"}, "nope"),
    "a width in words": ({"hidden_size": "big"}, "hidden_size"),
}


@pytest.mark.parametrize("case", KINDS)
def test_a_model_of_another_kind_is_refused(copy: Path, case: str) -> None:
    settings, reason = KINDS[case]
    settings_of(copy, "config.json", **settings)
    (copy / "trap.py").write_text(TRAP)
    with pytest.raises(UsageError, match=reason):
        load_model(copy, "float32")


def test_code_beside_a_known_model_or_its_tokenizer_is_not_run(copy: Path, plain: torch.Tensor) -> None:
    (copy / "trap.py").write_text(TRAP)
    settings_of(copy, "config.json", auto_map={"AutoConfig": "trap.C", "AutoModelForCausalLM": "trap.M"})
    assert torch.equal(logits(load_model(copy, "float32")), plain)
    settings_of(copy, "tokenizer_config.json", auto_map={"AutoTokenizer": ["trap.T", "trap.T"]}, tokenizer_class="T")
    with pytest.raises(UsageError, match=r"tokenizer in .* needs code of its own .* is never run"):
        load_tokenizer(copy)


@pytest.mark.parametrize("pad", [32000, -1])
def test_a_pad_id_beyond_the_embeddings_is_replaced(copy: Path, plain: torch.Tensor, pad: int) -> None:
    settings_of(copy, "config.json", pad_token_id=pad)
    assert torch.equal(logits(load_model(copy, "float32")), plain)


def test_a_pad_token_without_an_embedding_is_replaced(copy: Path, conversations: list[Conversation]) -> None:
    usual = TransformersBackend(BackendRequest(model=copy, adapter=None, precision="float32", prompt=CHAT))
    prompts = [render(CHAT, conversation, usual.tokenizer, 400) for conversation in conversations[:3]]
    expected = usual.generate(prompts, 6)
    tokenizer = AutoTokenizer.from_pretrained(copy)
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    tokenizer.save_pretrained(copy)
    backend = TransformersBackend(BackendRequest(model=copy, adapter=None, precision="float32", prompt=CHAT))
    assert backend.tokenizer.pad_token_id == len(tokenizer) - 1 >= backend._model.config.vocab_size
    assert valid_pad(backend.tokenizer, backend._model) == tokenizer.eos_token_id
    assert backend.generate(prompts, 6) == expected


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path, tiny_chat_model: Path) -> None:
    folder = change_model(
        tiny_chat_model,
        tmp_path / "small",
        lambda tensors: tensors | {"model.embed_tokens.weight": tensors["model.embed_tokens.weight"][:100]},
        vocab_size=100,
    )
    with pytest.raises(UsageError, match="tokenizer has 292 tokens and the model 100 embeddings"):
        TransformersBackend(BackendRequest(model=folder, adapter=None, precision="float32", prompt=CHAT))
    with pytest.raises(UsageError, match=r"the token .* \(id 120\) is beyond the model's 100 embeddings"):
        check_ids([3, 120], load_tokenizer(folder), load_model(folder, "float32"))


@pytest.mark.parametrize(
    ("target", "unmatched"),
    [(["query_key_value"], "query_key_value"), (["q_proj", "w1"], "w1"), (["self_attn"], "self_attn"), ([], "empty")],
)
def test_a_target_that_is_no_layer_is_named(tiny_chat_model: Path, target: list[str], unmatched: str) -> None:
    model = load_model(tiny_chat_model, "nf4")
    for fine in ("all-linear", ["q_proj"], ["mlp.up_proj", "lm_head"]):
        check_targets(model, fine)
    with pytest.raises(
        UsageError, match=f"matches no layer of the model: .*{unmatched}\n.* down_proj, gate_proj, k_proj"
    ):
        check_targets(model, target)


def test_a_configuration_is_that_of_the_folder(tiny_chat_model: Path) -> None:
    assert load_config(tiny_chat_model).to_dict()["hidden_size"] == 64


# ------------------------------------------------------------------------------------------ logits that are no numbers


def scale(tensors: Tensors) -> Tensors:
    """Weights whose activations overflow in float16, and not in the wider types."""
    return {name: tensor * (3e3 if "norm" in name else 30 if "proj" in name else 1) for name, tensor in tensors.items()}


def spoil(tensors: Tensors) -> Tensors:
    return tensors | {"model.norm.weight": tensors["model.norm.weight"] * float("nan")}


def generate(folder: Path, precision: str, conversations: list[Conversation]) -> list[Any]:
    backend = TransformersBackend(BackendRequest(model=folder, adapter=None, precision=precision, prompt=CHAT))
    return backend.generate([render(CHAT, one, backend.tokenizer, 400) for one in conversations[:3]], 4)


def test_logits_that_are_no_numbers_fail_the_run(
    tmp_path: Path, tiny_chat_model: Path, conversations: list[Conversation]
) -> None:
    folder = change_model(tiny_chat_model, tmp_path / "wide", scale)
    with pytest.raises(RunFailed, match=r"not numbers in float16: it overflows\n.*precision=bfloat16 or float32"):
        generate(folder, "float16", conversations)
    assert len(generate(folder, "bfloat16", conversations)) == 3
    folder = change_model(tiny_chat_model, tmp_path / "nan", spoil)
    with pytest.raises(
        RunFailed, match=r"1 of the model's weights are not finite numbers, the first model\.norm\.weight"
    ):
        generate(folder, "float32", conversations)


# ------------------------------------------------------------------------------------------------------- the command


def pointer(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def drop_matrix(path: Path) -> None:
    save_file(without("layers.1.mlp.up")(load_file(path)), path, metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("name", "damage", "reason"),
    [
        ("model.safetensors", pointer, "lfs pull"),
        ("tokenizer.json", pointer, "lfs pull"),
        ("model.safetensors", shorten, "is cut off or damaged"),
        ("config.json", shorten, "config.json is damaged"),
        ("model.safetensors", drop_matrix, "1 weight is missing"),
        ("tokenizer.json", lambda path: path.write_text('{"model": {"type": "None"}}'), "tokenizer in"),
        ("config.json", lambda path: settings_of(path.parent, path.name, model_type="foo"), "is not known to"),
    ],
)
def test_the_command_says_it_in_three_lines(
    copy: Path, command_line: Callable[..., Any], name: str, damage: Callable[[Path], None], reason: str
) -> None:
    damage(copy / name)
    (copy.parent / "call.txt").write_text("Customer: My seat is wet.\nAgent: Sorry.\n")
    told = command_line("summarize", "call.txt", "--recipe", "helpdesk", "--model", str(copy))
    assert (told.code, told.out) == (2, "")
    assert reason in told.err
    assert "Traceback" not in told.err
    assert len(told.err.splitlines()) <= 3
