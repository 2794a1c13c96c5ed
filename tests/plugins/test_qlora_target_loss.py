"""The loss at target positions only equals the loss over full logits; evaluation leaves the gradients as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from liftbench_plugins.trainers.rows import NOT_TRAINED  # noqa: E402 - after importorskip


@pytest.fixture
def model(tiny_chat_model: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(tiny_chat_model, dtype=torch.float32)


def batch(lengths: list[int], targets: list[int], seed: int = 0) -> dict[str, Any]:
    """Right-padded random rows whose last `targets` tokens have loss."""
    generator = torch.Generator().manual_seed(seed)
    longest = max(lengths)
    ids = torch.randint(3, 250, (len(lengths), longest), generator=generator)
    mask = torch.zeros_like(ids)
    labels = torch.full_like(ids, NOT_TRAINED)
    for row, (length, target) in enumerate(zip(lengths, targets, strict=True)):
        mask[row, :length] = 1
        labels[row, length - target : length] = ids[row, length - target : length]
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def gradients(model: Any) -> dict[str, Any]:
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return found


@pytest.mark.parametrize(
    ("lengths", "targets"),
    [([20, 20], [5, 5]), ([40, 23], [4, 9]), ([12], [11]), ([30, 60, 45], [3, 20, 1])],
    ids=["alike", "unlike", "all but the first token", "three rows"],
)
def test_loss_and_gradients_equal_those_over_full_logits(model: Any, lengths: list[int], targets: list[int]) -> None:
    from liftbench_plugins.trainers.target_loss import target_loss

    inputs = batch(lengths, targets)
    total, tokens = target_loss(model, inputs)
    (total / tokens).backward()
    ours = gradients(model)
    full = model(**inputs).loss
    full.backward()
    theirs = gradients(model)

    assert tokens == sum(targets)
    torch.testing.assert_close(total / tokens, full, rtol=1e-6, atol=1e-6)
    assert ours.keys() == theirs.keys()
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-4, atol=1e-6, msg=name)


def test_micro_batches_add_up_to_the_gradient_of_the_whole_batch(model: Any) -> None:
    from liftbench_plugins.trainers.target_loss import target_loss

    whole = batch([50, 18, 33, 41], [2, 15, 7, 11])
    parts = [{name: tensor[first : first + 2] for name, tensor in whole.items()} for first in (0, 2)]
    for part in parts:
        (target_loss(model, part)[0] / (2 + 15 + 7 + 11)).backward()
    accumulated = gradients(model)
    model(**whole).loss.backward()
    for name, expected in gradients(model).items():
        torch.testing.assert_close(accumulated[name], expected, rtol=1e-4, atol=1e-6, msg=name)


def test_an_evaluation_before_it_does_not_change_a_training_gradient(tiny_chat_model: Path) -> None:
    from peft import LoraConfig, get_peft_model

    from liftbench_plugins.loading import load_model
    from liftbench_plugins.trainers.target_loss import target_loss

    inputs = batch([30, 30], [10, 10])
    found = []
    for evaluate_first in (False, True):
        torch.manual_seed(0)
        settings = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
        model = get_peft_model(load_model(tiny_chat_model, "nf4"), settings)
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
