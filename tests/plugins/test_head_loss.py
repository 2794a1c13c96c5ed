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

    from liftbench_plugins.trainers.head_loss import without_head

    model = AutoModelForCausalLM.from_pretrained(tiny_chat_model, dtype=torch.float32).requires_grad_(False)
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
    from liftbench_plugins.trainers.head_loss import applies

    model = SimpleNamespace(get_output_embeddings=head, config=config)
    assert not applies(model, torch.device("cuda"))


def test_a_plain_head_is_computed_in_one_step_on_gpus_alone() -> None:
    from liftbench_plugins.trainers.head_loss import applies

    head = torch.nn.Linear(4, 9, bias=False).requires_grad_(False)
    model = SimpleNamespace(get_output_embeddings=lambda: head, config=SimpleNamespace())
    assert applies(model, torch.device("cuda"))
    assert not applies(model, torch.device("cpu"))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_an_adapter_learns_the_same_with_it(tiny_chat_model: Path, monkeypatch: pytest.MonkeyPatch, dtype: str) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from liftbench_plugins.trainers import head_loss
    from liftbench_plugins.trainers.shared_prefix import collate, target_loss

    inputs = collate([{"prompt_ids": [*range(3, 40)], "targets": [[5, 6, 7], [8, 9]]}], pad=0)
    found = []
    for devices in ((), ("cpu",)):
        monkeypatch.setattr(head_loss, "DEVICES", devices)
        torch.manual_seed(0)
        base = AutoModelForCausalLM.from_pretrained(tiny_chat_model, dtype=getattr(torch, dtype))
        options = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
        model = get_peft_model(base, options)
        loss, tokens = target_loss(model, inputs)
        (loss / tokens).backward()
        found.append((loss.detach(), {name: p.grad for name, p in model.named_parameters() if p.grad is not None}))
    (loss, ours), (other, theirs) = found
    tolerance = {"float32": 1e-5, "bfloat16": 3e-2}[dtype]
    torch.testing.assert_close(other, loss, rtol=tolerance, atol=tolerance)
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert (ours[name] - theirs[name]).norm() <= tolerance * ours[name].norm(), name


def test_states_in_a_wider_type_are_cast_to_that_of_the_head() -> None:
    from liftbench_plugins.trainers.head_loss import head_loss

    states = torch.randn(3, 8, requires_grad=True)
    head_loss(states, torch.randn(5, 8, dtype=torch.bfloat16), torch.tensor([0, 4, 2])).backward()
    assert states.grad is not None
    assert states.grad.dtype == torch.float32


def test_a_hook_on_the_head_is_there_again_afterwards(tiny_chat_model: Path) -> None:
    from transformers import AutoModelForCausalLM

    from liftbench_plugins.trainers.head_loss import without_head

    model = AutoModelForCausalLM.from_pretrained(tiny_chat_model, dtype=torch.float32)
    hooked = model.lm_head.forward
    model.lm_head.forward = hooked
    with pytest.raises(RuntimeError), without_head(model):
        raise RuntimeError
    assert model.lm_head.__dict__["forward"] is hooked


@pytest.mark.parametrize("targets", [[[5, 6, 7]], []], ids=["a row", "a row that only fills up a batch"])
def test_several_processes_exchange_the_gradient_of_every_adapter_weight(
    tiny_chat_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, targets: list[list[int]]
) -> None:
    from peft import LoraConfig, get_peft_model
    from torch import distributed
    from transformers import AutoModelForCausalLM

    from liftbench_plugins.trainers import head_loss
    from liftbench_plugins.trainers.shared_prefix import collate, target_loss

    monkeypatch.setattr(head_loss, "DEVICES", ("cpu",))
    base = AutoModelForCausalLM.from_pretrained(tiny_chat_model, dtype=torch.float32)
    model = get_peft_model(base, LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"))
    exchanged: list[int] = []

    def exchange(_state: None, bucket: Any) -> Any:
        exchanged.extend(map(id, bucket.parameters()))
        made: Any = torch.futures.Future()
        made.set_result(bucket.buffer())
        return made

    # torch compares the annotations themselves, which are text in this module.
    exchange.__annotations__ = {"bucket": distributed.GradBucket, "return": torch.futures.Future[torch.Tensor]}
    store = distributed.FileStore(str(tmp_path / "store"), 1)
    distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        parallel = torch.nn.parallel.DistributedDataParallel(model)
        parallel.register_comm_hook(None, exchange)
        loss, _ = target_loss(parallel, collate([{"prompt_ids": [3, 4], "targets": targets}], pad=0))
        loss.backward()
    finally:
        distributed.destroy_process_group()
    assert sorted(exchanged) == sorted(id(weight) for weight in model.parameters() if weight.requires_grad)
