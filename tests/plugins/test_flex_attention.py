"""FlexAttention sees in shared prefixes what the dense mask shows; it trains on GPUs alone."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

conversations = st.tuples(st.integers(1, 40), st.lists(st.integers(0, 12), max_size=4))
"""Length of a prompt and of each reference, without the last token."""


@given(st.lists(conversations, max_size=4), st.integers(0, 40))
def test_the_function_shows_what_the_dense_mask_shows(shapes: list[tuple[int, list[int]]], padding: int) -> None:
    from liftbench_plugins.trainers.shared_prefix import Span, mask_function, whole_mask

    spans, end = [], 0
    for prompt, targets in shapes:
        spans.append(Span(end, prompt, tuple(targets)))
        end = spans[-1].end
    length = end + padding
    index = torch.arange(length)
    seen = mask_function(spans, length, "cpu")(None, None, index[:, None], index[None, :])
    assert torch.equal(seen, whole_mask(spans, length, torch.float32)[0, 0] == 0)


def rows(*shapes: tuple[int, ...]) -> list[dict[str, Any]]:
    generator = torch.Generator().manual_seed(0)
    drawn = [[torch.randint(3, 250, (size,), generator=generator).tolist() for size in shape] for shape in shapes]
    return [{"prompt_ids": prompt, "targets": targets} for prompt, *targets in drawn]


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_a_model_computes_the_same_loss_with_it(tiny_chat_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torch.nn.attention.flex_attention import flex_attention
    from transformers import AutoModelForCausalLM
    from transformers.integrations import flex_attention as integration

    from liftbench_plugins.trainers.flex import BLOCK, FLEX
    from liftbench_plugins.trainers.shared_prefix import collate, padding_of, target_loss

    def as_it_is(query: Any, key: Any, value: Any, training: bool = False, **more: Any) -> Any:  # noqa: ARG001
        return flex_attention(query, key, value, **more)

    # Compiled, it computes the same after a minute.
    monkeypatch.setattr(integration, "compile_friendly_flex_attention", as_it_is)
    model = AutoModelForCausalLM.from_pretrained(tiny_chat_model, dtype=torch.float32, attn_implementation="sdpa")
    losses = []
    for kind in ("sdpa", FLEX):
        model.set_attn_implementation(kind)
        inputs = collate(rows((150, 20, 9), (40, 7), (3, 5, 5, 5)), 0, padding_of(model))
        with torch.no_grad():
            losses.append(target_loss(model, inputs)[0])
    assert inputs["input_ids"].shape[1] % BLOCK == 0
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("model", "device", "reason"),
    [
        ({"_supports_flex_attn": True}, "cpu", "no backward pass on cpu"),
        ({"_supports_flex_attn": False}, "cuda:0", "does not support it for SimpleNamespace"),
        ({"_supports_flex_attn": True, "config": SimpleNamespace(attention_dropout=0.1)}, "cuda:0", "has no dropout"),
        ({"_supports_flex_attn": True}, "cuda:0", "Triton"),
    ],
)
def test_where_it_cannot_be_used_the_reason_is_logged(
    model: dict[str, Any],
    device: str,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from liftbench_plugins.trainers.flex import choose_flex

    monkeypatch.setattr("torch.utils._triton.has_triton", lambda: False)
    caplog.set_level(logging.WARNING)
    assert not choose_flex(SimpleNamespace(**{"config": SimpleNamespace(), **model}), device)
    assert reason in caplog.text


def test_where_it_can_be_used_the_model_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from liftbench_plugins.trainers.flex import FLEX, choose_flex

    monkeypatch.setattr("torch.utils._triton.has_triton", lambda: True)
    chosen: list[str] = []
    model = SimpleNamespace(_supports_flex_attn=True, config=SimpleNamespace(), set_attn_implementation=chosen.append)
    assert choose_flex(model, "cuda:0")
    assert chosen == [FLEX]


@pytest.mark.gpu
def test_loss_and_gradients_on_a_gpu_equal_those_of_the_dense_mask(tiny_chat_model: Path) -> None:
    from transformers import AutoModelForCausalLM

    from liftbench_plugins.trainers.flex import FLEX
    from liftbench_plugins.trainers.shared_prefix import collate, padding_of, target_loss

    found = []
    for kind in ("sdpa", FLEX):
        model = AutoModelForCausalLM.from_pretrained(tiny_chat_model, dtype=torch.float32, attn_implementation=kind)
        inputs = collate(rows((150, 20, 9), (40, 7), (3, 5, 5, 5)), 0, padding_of(model))
        moved = {name: each.cuda() if isinstance(each, torch.Tensor) else each for name, each in inputs.items()}
        loss, _ = target_loss(model.cuda(), moved)
        loss.backward()
        found.append((loss.detach(), model.model.layers[0].self_attn.q_proj.weight.grad))
    torch.testing.assert_close(found[0], found[1], rtol=1e-3, atol=1e-3)
