"""One sequence with all references of a conversation gives the loss and the gradients of separate rows."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

Rows = list[dict[str, Any]]


@pytest.fixture(params=["sdpa", "own"])
def model(tiny_chat_model: Path, request: pytest.FixtureRequest) -> Any:
    """A tiny LLaMA in float32, with the attention that CPUs use and the one for other devices and architectures."""
    from transformers import AttentionInterface, AutoModelForCausalLM

    from liftbench_plugins.trainers.shared_prefix import ATTENTION, attention

    model = AutoModelForCausalLM.from_pretrained(tiny_chat_model, dtype=torch.float32, attn_implementation="sdpa")
    if request.param == "own":
        AttentionInterface.register(ATTENTION, attention)
        model.set_attn_implementation(ATTENTION)
    return model


def drawn(*shapes: tuple[int, ...], seed: int = 0) -> Rows:
    """Random rows; a shape is the length of the prompt, then of each target."""
    generator = torch.Generator().manual_seed(seed)

    def tokens(length: int) -> list[int]:
        ids: list[int] = torch.randint(3, 250, (length,), generator=generator).tolist()
        return ids

    return [{"prompt_ids": tokens(prompt), "targets": [tokens(n) for n in targets]} for prompt, *targets in shapes]


def gradients(model: Any) -> dict[str, Any]:
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return found


def one_by_one(model: Any, rows: Rows) -> Any:
    """The model with its plain causal attention, and its loss of separate rows."""
    plain = copy.deepcopy(model)
    plain.set_attn_implementation("eager")
    return plain, loss_of_separate_rows(plain, rows)


def loss_of_separate_rows(plain: Any, rows: Rows) -> Any:
    """The summed loss of all targets, each in a row of its own."""
    total = 0
    for row in rows:
        for target in row["targets"]:
            ids = torch.tensor([row["prompt_ids"] + target])
            logits = plain(input_ids=ids).logits[0, len(row["prompt_ids"]) - 1 : -1]
            total = total + torch.nn.functional.cross_entropy(logits, torch.tensor(target), reduction="sum")
    return total


SHAPES = [
    pytest.param([(20, 5, 9, 1)], id="one conversation"),
    pytest.param([(17, 6)], id="one reference"),
    pytest.param([(300, 40, 30)], id="a prompt of several blocks"),
    pytest.param([(30, 7, 3), (12, 1), (140, 2, 2, 2)], id="several conversations in a row"),
    pytest.param([(31, 2)], id="a length that needs no padding"),
    pytest.param([(1, 3, 3)], id="a prompt of one token"),
]


@pytest.mark.parametrize("shapes", SHAPES)
def test_loss_and_gradients_equal_those_of_separate_rows(model: Any, shapes: list[tuple[int, ...]]) -> None:
    from liftbench_plugins.trainers.shared_prefix import collate, target_loss

    rows = drawn(*shapes)
    loss, tokens = target_loss(model, collate(rows, pad=0))
    loss.backward()
    ours = gradients(model)
    plain, expected = one_by_one(model, rows)
    expected.backward()
    theirs = gradients(plain)

    assert tokens == sum(sum(shape[1:]) for shape in shapes)
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-5)
    assert ours.keys() == theirs.keys()
    for name in ours:
        error = (ours[name] - theirs[name]).norm() / theirs[name].norm()
        assert error < 1e-5, f"{name}: {error}"


WAYS = {
    "NF4": {"nf4": True},
    "DoRA": {"dora": True},
    "activation checkpointing": {"checkpointing": True},
    "all three": {"nf4": True, "dora": True, "checkpointing": True},
}


def adapted(folder: Path, attention: str, *, nf4: bool = False, dora: bool = False, checkpointing: bool = False) -> Any:
    """A tiny LLaMA with a random adapter, in training and in float32; NF4 is kept packed."""
    from peft import LoraConfig, get_peft_model
    from transformers import AttentionInterface, AutoModelForCausalLM, BitsAndBytesConfig

    from liftbench_plugins.trainers import shared_prefix

    AttentionInterface.register(shared_prefix.ATTENTION, shared_prefix.attention)
    quantization = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True)
    how = {"quantization_config": quantization} if nf4 else {}
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa", **how)
    base.set_attn_implementation(attention)
    options = LoraConfig(
        r=4, target_modules="all-linear", init_lora_weights=False, use_dora=dora, task_type="CAUSAL_LM"
    )
    torch.manual_seed(0)
    model = get_peft_model(base, options)
    if checkpointing:
        model.enable_input_require_grads()
        model.activation_checkpointing_enable()
    assert base.is_gradient_checkpointing is checkpointing
    assert any(type(module).__name__ == "Linear4bit" for module in base.modules()) is nf4
    return model.train()


@pytest.mark.parametrize("attention", ["sdpa", "liftbench_shared_prefix"])
@pytest.mark.parametrize("way", WAYS)
def test_an_adapters_gradients_equal_those_of_separate_rows(tiny_chat_model: Path, way: str, attention: str) -> None:
    from liftbench_plugins.trainers.shared_prefix import collate, target_loss

    rows = drawn((30, 7, 3), (140, 9, 2, 2))
    model = adapted(tiny_chat_model, attention, **WAYS[way])
    loss, _ = target_loss(model, collate(rows, pad=0))
    loss.backward()
    ours = gradients(model)
    # Without checkpointing, too: it must not change anything either.
    plain = adapted(tiny_chat_model, "eager", **WAYS[way] | {"checkpointing": False})
    expected = loss_of_separate_rows(plain, rows)
    expected.backward()
    theirs = gradients(plain)

    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-5)
    assert ours.keys() == theirs.keys()
    assert any("magnitude" in name for name in ours) is WAYS[way].get("dora", False)
    for name in ours:
        error = (ours[name] - theirs[name]).norm() / theirs[name].norm()
        assert error < 1e-5, f"{name}: {error}"


def test_a_token_of_one_conversation_changes_nothing_of_the_others_in_its_row(model: Any) -> None:
    from liftbench_plugins.trainers.shared_prefix import collate

    rows = drawn((40, 9), (15, 6), (150, 4, 2))
    for changed in range(3):
        version = copy.deepcopy(rows)
        version[changed]["prompt_ids"][0] += 1
        states = []
        for each in (rows, version):
            inputs = collate(each, pad=0)
            states.append(hidden(model, inputs)[0, inputs["sources"]])
        differs = (states[0] != states[1]).any(dim=-1).split([9, 6, 4 + 2])
        assert [bool(part.any()) for part in differs] == [number == changed for number in range(3)]
        assert bool(differs[changed].all())


def test_a_token_of_one_reference_changes_nothing_of_the_others(model: Any) -> None:
    from liftbench_plugins.trainers.shared_prefix import collate

    rows = drawn((40, 9, 8), (15, 6))
    changed = copy.deepcopy(rows)
    changed[0]["targets"][0][2] += 1
    states = []
    for version in (rows, changed):
        inputs = collate(version, pad=0)
        states.append(hidden(model, inputs)[0, inputs["sources"]])
    differs = (states[0] != states[1]).any(dim=-1).tolist()
    # The changed token is seen by those after it in its own reference alone.
    assert differs == [False] * 3 + [True] * 6 + [False] * (8 + 6)


def hidden(model: Any, inputs: dict[str, Any]) -> Any:
    from liftbench_plugins.trainers import shared_prefix

    found = []
    hook = model.lm_head.register_forward_pre_hook(lambda _, given: found.append(given[0]))
    with torch.no_grad():
        shared_prefix.target_loss(
            model,
            {
                **inputs,
                "sources": torch.arange(inputs["input_ids"].shape[1]),
                "labels": torch.zeros_like(inputs["input_ids"]),
            },
        )
    hook.remove()
    return found[0]


def test_the_collated_row_has_restarted_positions_and_a_target_for_each_source() -> None:
    from liftbench_plugins.trainers.shared_prefix import PAD_TO, collate

    inputs = collate([{"prompt_ids": [5, 6, 7], "targets": [[1, 2], [3]]}, {"prompt_ids": [8], "targets": [[4, 9]]}], 0)
    assert inputs["input_ids"].tolist() == [[5, 6, 7, 1, 8, 4] + [0] * (PAD_TO - 6)]
    assert inputs["position_ids"][0, :6].tolist() == [0, 1, 2, 3, 0, 1]
    assert inputs["sources"].tolist() == [2, 3, 2, 4, 5]
    assert inputs["labels"].tolist() == [[1, 2, 3, 4, 9]]
    assert inputs["spans"] == [[0, 3, 1, 0], [4, 1, 1]]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_fused_layer_equals_pefts(tiny_chat_model: Path, dtype: str) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from liftbench_plugins.trainers.fused_lora import fuse
    from liftbench_plugins.trainers.shared_prefix import collate, target_loss

    inputs = collate(drawn((50, 9, 12)), pad=0)
    found = []
    for fused in (False, True):
        torch.manual_seed(0)
        base = AutoModelForCausalLM.from_pretrained(tiny_chat_model, dtype=getattr(torch, dtype))
        options = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
        model = get_peft_model(base, options)
        layers = fuse(model) if fused else 0
        assert layers == (14 if fused else 0)
        loss, _ = target_loss(model, inputs)
        loss.backward()
        found.append((loss, gradients(model)))
    (loss, ours), (fused_loss, theirs) = found
    tolerance = {"float32": 1e-5, "bfloat16": 6e-2}[dtype]
    torch.testing.assert_close(fused_loss, loss, rtol=tolerance, atol=tolerance)
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert (ours[name] - theirs[name]).norm() < tolerance * ours[name].norm(), name


@pytest.mark.parametrize("changes", [{"lora_dropout": 0.1}, {"use_dora": True}, {"lora_bias": True}])
def test_what_the_fused_layer_does_not_know_is_left_to_peft(tiny_chat_model: Path, changes: dict[str, Any]) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from liftbench_plugins.trainers.fused_lora import fuse

    base = AutoModelForCausalLM.from_pretrained(tiny_chat_model, dtype=torch.float32)
    model = get_peft_model(base, LoraConfig(r=4, target_modules=["q_proj"], task_type="CAUSAL_LM", **changes))
    assert fuse(model) == 0


def test_an_evaluation_before_it_does_not_change_a_training_gradient(tiny_chat_model: Path) -> None:
    from peft import LoraConfig, get_peft_model

    from liftbench_plugins.loading import load_model
    from liftbench_plugins.trainers.shared_prefix import collate, target_loss

    inputs = collate(drawn((30, 10, 4)), pad=0)
    found = []
    for evaluate_first in (False, True):
        torch.manual_seed(0)
        options = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
        model = get_peft_model(load_model(tiny_chat_model, "nf4"), options)
        if evaluate_first:
            model.eval()
            with torch.no_grad():
                target_loss(model, inputs)
        model.train()
        target_loss(model, inputs)[0].backward()
        found.append(gradients(model))
    assert found[0].keys() == found[1].keys()
    assert all(gradient.abs().sum() > 0 for gradient in found[0].values())
    for name in found[0]:
        assert torch.equal(found[0][name], found[1][name]), name
