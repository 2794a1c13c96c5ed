"""The optimizer of a full fine-tuning does what AdamW does in float32, while the model is in bfloat16."""

from __future__ import annotations

import copy
from typing import Any

import pytest

torch = pytest.importorskip("torch")


def layer(dtype: Any) -> Any:
    """A linear layer whose weights bfloat16 holds exactly."""
    torch.manual_seed(0)
    return torch.nn.Linear(8, 8).bfloat16().to(dtype)


def optimizer_of(model: Any, **options: Any) -> Any:
    from liftbench_plugins.trainers.master_weights import MasterAdamW

    groups = [{"params": [model.weight], "weight_decay": 0.1}, {"params": [model.bias], "weight_decay": 0.0}]
    return MasterAdamW(groups, **({"lr": 1e-3, "max_grad_norm": 0.0} | options))


def drawn_gradients(count: int) -> list[Any]:
    """Losses are linear in the weights, so these are the gradients, exact in bfloat16."""
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(8, 8, generator=generator).bfloat16().float() for _ in range(count)]


def backward(model: Any, gradient: Any) -> None:
    ((model.weight * gradient.to(model.weight.dtype)).sum() + model.bias.sum()).backward()


@pytest.mark.parametrize("max_grad_norm", [0.0, 0.5])
def test_its_masters_are_what_adamw_makes_of_float32_weights(max_grad_norm: float) -> None:
    model, exact = layer(torch.bfloat16), layer(torch.float32)
    ours = optimizer_of(model, max_grad_norm=max_grad_norm)
    theirs = torch.optim.AdamW(
        [{"params": [exact.weight], "weight_decay": 0.1}, {"params": [exact.bias], "weight_decay": 0.0}], lr=1e-3
    )
    for step in range(4):
        # Two micro-batches a step: their gradients are added up in float32.
        for gradient in drawn_gradients(8)[2 * step : 2 * step + 2]:
            backward(model, gradient)
            backward(exact, gradient)
            assert model.weight.grad is None, "no second set of gradients is kept"
        if max_grad_norm:
            torch.nn.utils.clip_grad_norm_(exact.parameters(), max_grad_norm)
        ours.step()
        theirs.step()
        theirs.zero_grad()
        master = ours.state_dict()["masters"][0]
        torch.testing.assert_close(master, exact.weight.detach(), rtol=1e-6, atol=1e-7)
        assert torch.equal(model.weight, master.bfloat16())


def test_updates_that_bfloat16_would_round_away_add_up() -> None:
    model = layer(torch.bfloat16)
    with torch.no_grad():
        model.weight.fill_(1.0)
    ours = optimizer_of(model, lr=1e-4)
    for step in range(60):
        backward(model, torch.ones(8, 8))
        ours.step()
        if step == 0:
            assert (model.weight == 1).all()
    assert (model.weight < 1).all()


def test_a_restored_state_continues_to_the_bit() -> None:
    one = layer(torch.bfloat16)
    first = optimizer_of(one)
    gradients = drawn_gradients(6)
    for gradient in gradients[:3]:
        backward(one, gradient)
        first.step()
    state, other = copy.deepcopy(first.state_dict()), layer(torch.bfloat16)
    second = optimizer_of(other)
    second.load_state_dict(state)
    assert torch.equal(other.weight, one.weight)
    for gradient in gradients[3:]:
        for model, optimizer in ((one, first), (other, second)):
            backward(model, gradient)
            optimizer.step()
    assert torch.equal(other.weight, one.weight)
    for ours, theirs in zip(first.state_dict()["masters"], second.state_dict()["masters"], strict=True):
        assert torch.equal(ours, theirs)


def test_several_processes_first_take_the_mean_of_their_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    apart, alone = layer(torch.bfloat16), layer(torch.bfloat16)
    ours = optimizer_of(apart)
    monkeypatch.undo()
    theirs = optimizer_of(alone)
    [gradient] = drawn_gradients(1)
    for model in (apart, alone):
        backward(model, gradient)
    assert apart.weight.grad is not None
    # Stands for the mean over two processes, of which the other one had no gradient.
    apart.weight.grad /= 2
    for master in theirs.param_groups[0]["params"]:
        master.grad /= 2
    ours.step()
    theirs.step()
    assert torch.equal(ours.state_dict()["masters"][0], theirs.state_dict()["masters"][0])
    assert apart.weight.grad is None
