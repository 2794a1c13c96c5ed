"""LM head and cross entropy in one step give the loss and the gradients of two."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("targets", [1, 5, 512, 513, 1300])
def test_loss_and_gradient_are_those_of_whole_logits(targets: int) -> None:
    from liftbench_plugins.trainers.head_loss import head_loss

    generator = torch.Generator().manual_seed(targets)
    weight = torch.randn(40, 16, generator=generator)
    labels = torch.randint(0, 40, (targets,), generator=generator)
    states = torch.randn(targets, 16, generator=generator, requires_grad=True)
    loss = head_loss(states, weight, labels) / 7
    loss.backward()
    again = states.detach().clone().requires_grad_()
    expected = torch.nn.functional.cross_entropy(again @ weight.t(), labels, reduction="sum") / 7
    expected.backward()
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(states.grad, again.grad)


def test_a_model_without_its_head_returns_the_heads_inputs_and_has_it_back(tiny_chat_model: Path) -> None:
    from transformers import AutoModelForCausalLM

    from liftbench_plugins.trainers.head_loss import is_plain, without_head

    model = AutoModelForCausalLM.from_pretrained(tiny_chat_model, dtype=torch.float32).requires_grad_(False)
    assert is_plain(model)
    ids = torch.arange(3, 20)[None]
    before = model(input_ids=ids).logits
    with without_head(model) as weight:
        states = model(input_ids=ids).logits
    torch.testing.assert_close(states @ weight.t(), before)
    torch.testing.assert_close(model(input_ids=ids).logits, before)


class Capped(SimpleNamespace):
    final_logit_softcapping = 30.0


@pytest.mark.parametrize(
    ("head", "config"),
    [
        (lambda: torch.nn.Linear(4, 9, bias=True).requires_grad_(False), SimpleNamespace()),
        (lambda: torch.nn.Linear(4, 9, bias=False), SimpleNamespace()),
        (lambda: torch.nn.Sequential(), SimpleNamespace()),
        (lambda: torch.nn.Linear(4, 9, bias=False).requires_grad_(False), Capped()),
    ],
    ids=["a bias", "it is trained", "something else", "capped logits"],
)
def test_other_heads_are_left_to_the_model(head: Any, config: Any) -> None:
    from liftbench_plugins.trainers.head_loss import is_plain

    assert not is_plain(SimpleNamespace(get_output_embeddings=head, config=config))
