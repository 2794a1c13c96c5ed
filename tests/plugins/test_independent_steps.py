"""Decoding on a CPU: a row's logits depend on its own tokens only, to the last bit, and are the model's."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    LlamaForCausalLM,
    MistralConfig,
    MixtralConfig,
    PreTrainedModel,
)

from liftbench.measuring.backend import BackendRequest
from liftbench.prompts.spec import prompt_spec
from liftbench_plugins.backends.independent_steps import IndependentSteps, independent_steps, runs
from liftbench_plugins.backends.padded_steps import PaddedSteps
from liftbench_plugins.backends.transformers import TransformersBackend, rows_of

PAD = 0
STEPS = 5

LENGTHS = (3, 31, 32, 33, 64, 130, 150, 257, 300)


def prompt_of(length: int, seed: int = 0) -> list[int]:
    return [random.Random(f"{length}:{seed}").randrange(1, 250) for _ in range(length)]


@pytest.fixture(scope="module", params=["float32", "bfloat16"])
def model(request: pytest.FixtureRequest, tiny_chat_model: Path) -> LlamaForCausalLM:
    return AutoModelForCausalLM.from_pretrained(tiny_chat_model, dtype=getattr(torch, request.param)).eval()


def logits_of(steps: Any, prompts: list[list[int]], dropped: dict[int, list[int]] | None = None) -> list[list[Any]]:
    """Each row's logits after its prompt and after each step of greedy decoding; `dropped` rows leave after a step."""
    with torch.inference_mode():
        logits = steps.begin(prompts, STEPS)
        found: list[list[Any]] = [[row] for row in logits]
        alive = list(range(len(prompts)))
        for step in range(STEPS):
            if going := (dropped or {}).get(step):
                steps.keep([alive.index(row) for row in going])
                alive = going
            logits = steps.step([int(found[row][-1].argmax()) for row in alive])
            for row, new in zip(alive, logits, strict=True):
                found[row].append(new)
    return found


def test_a_rows_bits_do_not_depend_on_the_other_rows(model: LlamaForCausalLM) -> None:
    prompts = [prompt_of(length) for length in LENGTHS]
    together = logits_of(IndependentSteps(model, PAD), prompts)
    for prompt, expected in zip(prompts, together, strict=True):
        alone = logits_of(IndependentSteps(model, PAD), [prompt])[0]
        assert all(map(torch.equal, alone, expected))
    turned = logits_of(IndependentSteps(model, PAD), prompts[::-1])[::-1]
    for one, expected in zip(turned, together, strict=True):
        assert all(map(torch.equal, one, expected))


def test_the_logits_are_those_of_the_models_own_attention(model: LlamaForCausalLM) -> None:
    prompts = [prompt_of(length) for length in LENGTHS]
    exact = model.dtype == torch.float32
    for prompt, found in zip(prompts, logits_of(IndependentSteps(model, PAD), prompts), strict=True):
        tokens = [*prompt, *(int(row.argmax()) for row in found[:-1])]
        with torch.inference_mode():
            own = model(input_ids=torch.tensor([tokens])).logits[0, len(prompt) - 1 :]
        difference = torch.linalg.vector_norm((torch.stack(found) - own).float()) / torch.linalg.vector_norm(
            own.float()
        )
        assert difference < (1e-5 if exact else 0.03)


def test_rows_that_leave_do_not_change_the_others(model: LlamaForCausalLM) -> None:
    prompts = [prompt_of(length) for length in LENGTHS]
    everything = logits_of(IndependentSteps(model, PAD), prompts)
    # First few enough that their keys stay, then so many that the others' keys move.
    left = logits_of(IndependentSteps(model, PAD), prompts, {1: [0, 1, 2, 4, 5, 6, 7, 8], 2: [2, 7, 8], 4: [7]})
    for one, expected in zip(left, everything, strict=True):
        assert all(map(torch.equal, one, expected))
    assert [len(one) for one in left] == [3, 3, 5, 2, 3, 3, 3, 6, 5]


def test_a_shared_beginning_is_computed_once_with_the_same_bits(model: LlamaForCausalLM) -> None:
    shared = prompt_of(290)
    prompts = [[*shared, *prompt_of(length)] for length in (2, 40, 170)]
    steps = IndependentSteps(model, PAD)
    computed = []
    hook = model.get_input_embeddings().register_forward_pre_hook(lambda _, given: computed.append(given[0].numel()))
    found = logits_of(steps, prompts)
    again = logits_of(steps, [prompts[1], [*shared, 7, 8]])
    hook.remove()
    for prompt, row in zip(prompts, found, strict=True):
        assert all(map(torch.equal, row, logits_of(IndependentSteps(model, PAD), [prompt])[0]))
    assert all(map(torch.equal, again[0], found[1]))
    # 256 of the 290 shared tokens once, then what each prompt has behind them; the second batch has only the latter.
    assert [count for count in computed if count > 8] == [256, 64, 96, 224, 96, 64]
    # A prompt that begins otherwise shares nothing.
    other = [prompt_of(300, seed=1), prompts[0]]
    assert all(map(torch.equal, logits_of(steps, other)[1], found[0]))


def test_a_batch_after_a_longer_one_has_the_same_bits(model: LlamaForCausalLM) -> None:
    steps = IndependentSteps(model, PAD)
    logits_of(steps, [prompt_of(length) for length in LENGTHS])
    short = [prompt_of(40), prompt_of(70)]
    for one, expected in zip(logits_of(steps, short), logits_of(IndependentSteps(model, PAD), short), strict=True):
        assert all(map(torch.equal, one, expected))


def test_the_models_own_attention_stays_for_other_passes(model: LlamaForCausalLM) -> None:
    ids = torch.tensor([prompt_of(9)])
    before = model(input_ids=ids).logits
    logits_of(IndependentSteps(model, PAD), [prompt_of(40)])
    assert torch.equal(model(input_ids=ids).logits, before)


def test_rows_of_similar_lengths_are_attended_to_together() -> None:
    assert list(runs(torch.tensor([3, 62, 63, 64, 100, 300]))) == [(0, 3, 64), (3, 5, 128), (5, 6, 320)]


@pytest.mark.parametrize(("parameters", "rows"), [(1000, 64), (135_000_000, 64), (1_000_000_000, 32), (7 * 10**9, 16)])
def test_a_large_model_decodes_fewer_texts_together(parameters: int, rows: int) -> None:
    assert rows_of(parameters) == rows


# ------------------------------------------------------------------------------------------------------ other models

SMALL = {
    "vocab_size": 300,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


def make(config: Any) -> PreTrainedModel:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config).eval()


@pytest.mark.parametrize(
    "config",
    [
        MistralConfig(**SMALL, sliding_window=16),
        MixtralConfig(**SMALL, sliding_window=None),
    ],
    ids=["sliding window", "experts"],
)
def test_a_model_of_another_attention_is_decoded_in_a_padded_batch(config: Any) -> None:
    with torch.inference_mode():
        assert independent_steps(make(config), PAD) is None


@pytest.mark.parametrize(
    "config",
    [MistralConfig(**SMALL, sliding_window=None), GPT2Config(vocab_size=300, n_embd=32, n_layer=2, n_head=4)],
    ids=["mistral", "gpt2"],
)
def test_a_model_of_a_plain_causal_attention_has_independent_rows(config: Any) -> None:
    with torch.inference_mode():
        assert independent_steps(make(config), PAD) is not None


def test_steps_that_would_give_other_logits_are_not_taken(model: LlamaForCausalLM, monkeypatch: Any) -> None:
    with torch.inference_mode():
        assert independent_steps(model, PAD) is not None
        step = IndependentSteps.step
        monkeypatch.setattr(
            IndependentSteps, "step", lambda steps, tokens: step(steps, [token + 1 for token in tokens])
        )
        assert independent_steps(model, PAD) is None


def test_rows_that_depend_on_their_number_are_not_taken(model: LlamaForCausalLM, monkeypatch: Any) -> None:
    forward = IndependentSteps._forward

    def rounded(steps: IndependentSteps, ids: Any, *given: Any) -> Any:
        return forward(steps, ids, *given) * (1 + 0.004 * (len(ids) > 8))

    monkeypatch.setattr(IndependentSteps, "_forward", rounded)
    with torch.inference_mode():
        assert independent_steps(model, PAD) is None


# --------------------------------------------------------------------------------------------------------- the backend


@pytest.fixture
def backend(tiny_chat_model: Path) -> TransformersBackend:
    prompt = prompt_spec("Summarize this:\n{conversation}", "", "chat")
    return TransformersBackend(BackendRequest(model=tiny_chat_model, adapter=None, precision="bfloat16", prompt=prompt))


def test_texts_do_not_depend_on_order_and_memory(backend: TransformersBackend, monkeypatch: Any) -> None:
    assert (backend.independent, backend.most_rows) == (True, 64)
    prompts = [prompt_of(length) for length in (200, 4, 90, 60, 150)]
    expected = backend._decode_all(prompts, 12)
    assert backend._decode_all(prompts[::-1], 12) == expected[::-1]
    began: list[list[int]] = []
    begin = IndependentSteps.begin

    def noted(steps: IndependentSteps, prompts: list[list[int]], new_tokens: int) -> Any:
        began.append([len(prompt) for prompt in prompts])
        return begin(steps, prompts, new_tokens)

    monkeypatch.setattr(IndependentSteps, "begin", noted)
    monkeypatch.setattr("liftbench_plugins.backends.transformers.CACHE_BYTES", 450 * backend._steps.bytes_per_token)
    assert backend._decode_all(prompts, 12) == expected
    assert began == [[4, 60], [90, 150], [200]]


def test_padded_steps_give_the_same_tokens_in_full_precision(tiny_chat_model: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_chat_model, dtype=torch.float32).eval()
    prompts = [prompt_of(length) for length in LENGTHS]
    padded, independent = (
        logits_of(kind(model, PAD), prompts, {2: [1, 3, 8]}) for kind in (PaddedSteps, IndependentSteps)
    )
    for one, other in zip(padded, independent, strict=True):
        assert [int(row.argmax()) for row in one] == [int(row.argmax()) for row in other]
