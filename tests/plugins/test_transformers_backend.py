from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PromptTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file
from tokenizers.processors import TemplateProcessing
from transformers import AutoModelForCausalLM, AutoTokenizer

from liftbench.errors import PrerequisiteError, UsageError
from liftbench.measuring.backend import BackendRequest, Generation, OutOfMemory
from liftbench.models.references import resolve
from liftbench.prompts.ending import Ending
from liftbench.prompts.render import render
from liftbench.prompts.spec import Prompt, prompt_spec
from liftbench.recipe.sections import GenerationSection
from liftbench.records.conversation import Conversation, Turn
from liftbench.records.run import DecodingRules
from liftbench_plugins import loading
from liftbench_plugins.backends.decoding_rules import RuleKeeper
from liftbench_plugins.backends.padded_steps import PaddedSteps
from liftbench_plugins.backends.transformers import TransformersBackend, unpack_nf4

CHAT = prompt_spec("Summarize this:\n{conversation}", "", "chat")
PLAIN = prompt_spec("Summarize this:\n{conversation}", "", "plain")


def open_backend(
    model: Path, *, adapter: Path | None = None, precision: str = "float32", prompt: Any = CHAT
) -> TransformersBackend:
    return TransformersBackend(BackendRequest(model=model, adapter=adapter, precision=precision, prompt=prompt))


def prompts_for(backend: TransformersBackend, conversations: list[Conversation], prompt: Any = CHAT) -> list[Prompt]:
    return [render(prompt, conversation, backend.tokenizer, 512) for conversation in conversations]


def by_generate(folder: Path, prompts: list[Prompt], max_new_tokens: int, stops: list[int]) -> list[tuple[str, int]]:
    """What transformers' own `generate` makes of the prompts in one left-padded batch: text and number of tokens."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    batch = tokenizer.pad({"input_ids": [prompt.token_ids for prompt in prompts]}, return_tensors="pt")
    rows = model.generate(
        **batch, do_sample=False, max_new_tokens=max_new_tokens, eos_token_id=stops, pad_token_id=tokenizer.pad_token_id
    )
    found = []
    for row in rows[:, batch["input_ids"].shape[1] :].tolist():
        ends = [place for place, token in enumerate(row) if token in stops]
        made = row[: ends[0] + 1] if ends else row
        found.append((tokenizer.decode(made[:-1] if ends else made, skip_special_tokens=True), len(made)))
    return found


def pairs(generations: list[Generation]) -> list[tuple[str, int]]:
    return [(generation.text, generation.new_tokens) for generation in generations]


@pytest.fixture(scope="module")
def stopping(tmp_path_factory: pytest.TempPathFactory, tiny_chat_model: Path) -> tuple[Path, int]:
    """A tiny model one of whose common tokens is a second end token, named in its generation config, and that token."""
    folder = tmp_path_factory.mktemp("stopping") / "model"
    shutil.copytree(tiny_chat_model, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    stop = 101
    settings = json.loads((folder / "generation_config.json").read_text())
    settings["eos_token_id"] = [stop, tokenizer.eos_token_id]
    (folder / "generation_config.json").write_text(json.dumps(settings))
    return folder, stop


@pytest.fixture(scope="module")
def make_adapter(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    def make(model: Path, config: Any = None) -> Path:
        base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
        torch.manual_seed(1)
        config = config or LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
        folder = tmp_path_factory.mktemp("adapter")
        get_peft_model(base, config).save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="module")
def adapter(make_adapter: Callable[..., Path], tiny_chat_model: Path) -> Path:
    """A random LoRA adapter of the tiny chat model."""
    return make_adapter(tiny_chat_model)


# ----------------------------------------------------------------------------------------------------------- decoding


def test_greedy_decoding_equals_generate_in_a_batch_and_alone(
    tiny_chat_model: Path, conversations: list[Conversation]
) -> None:
    backend = open_backend(tiny_chat_model)
    prompts = prompts_for(backend, conversations)
    expected = by_generate(tiny_chat_model, prompts, 24, [backend.tokenizer.eos_token_id])
    assert pairs(backend.generate(prompts, 24)) == expected
    assert [pair for prompt in prompts for pair in pairs(backend.generate([prompt], 24))] == expected
    assert len(set(expected)) > 1


@pytest.mark.gpu
def test_a_gpu_decodes_what_the_cpu_does(tiny_chat_model: Path, conversations: list[Conversation]) -> None:
    backend = open_backend(tiny_chat_model)
    assert backend.device == "cuda:0"
    assert {parameter.device.type for parameter in backend._model.parameters()} == {"cuda"}
    prompts = prompts_for(backend, conversations)
    on_cpu = by_generate(tiny_chat_model, prompts, 24, [backend.tokenizer.eos_token_id])
    assert pairs(backend.generate(prompts, 24)) == on_cpu


@pytest.mark.parametrize("independent", [True, False])
def test_rows_that_end_leave_the_batch_and_the_others_do_not_notice(
    stopping: tuple[Path, int],
    conversations: list[Conversation],
    independent: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, stop = stopping
    backend = open_backend(folder)
    if not independent:
        backend._steps, backend.independent = PaddedSteps(backend._model, backend._pad), False
    prompts = prompts_for(backend, conversations)
    sizes: list[int] = []
    for name in ("begin", "step"):
        whole = getattr(backend._steps, name)

        def noted(rows: list[Any], *more: Any, call: Any = whole) -> Any:
            sizes.append(len(rows))
            return call(rows, *more)

        monkeypatch.setattr(backend._steps, name, noted)
    generations = backend.generate(prompts, 40)
    assert pairs(generations) == by_generate(folder, prompts, 40, [stop, backend.tokenizer.eos_token_id])
    assert {generation.finish_reason for generation in generations} == {"stop", "length"}
    lengths = [generation.new_tokens for generation in generations]
    assert sizes == [sum(length > step for length in lengths) for step in range(max(lengths))]


def test_an_end_token_is_counted_and_not_shown(stopping: tuple[Path, int], conversations: list[Conversation]) -> None:
    backend = open_backend(stopping[0])
    prompts = prompts_for(backend, conversations)
    generations = backend.generate(prompts, 40)
    assert all((made.finish_reason == "length") == (made.new_tokens == 40) for made in generations)
    place = next(place for place, made in enumerate(generations) if made.new_tokens in range(2, 40))
    ended, tokens = generations[place], generations[place].new_tokens
    assert backend.generate([prompts[place]], tokens) == [ended]
    cut = Generation(text=ended.text, new_tokens=tokens - 1, finish_reason="length")
    assert backend.generate([prompts[place]], tokens - 1) == [cut]


def test_a_base_model_sees_one_bos_and_decodes_as_generate_does(
    tmp_path: Path, tiny_base_model: Path, conversations: list[Conversation]
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_base_model, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    bos = (tokenizer.bos_token, tokenizer.bos_token_id)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single=f"{bos[0]} $A", special_tokens=[bos])
    tokenizer.save_pretrained(folder)
    backend = open_backend(folder, prompt=PLAIN)
    prompts = prompts_for(backend, conversations, PLAIN)
    assert all(prompt.token_ids.count(bos[1]) == 1 and prompt.token_ids[0] == bos[1] for prompt in prompts)
    assert pairs(backend.generate(prompts, 12)) == by_generate(folder, prompts, 12, [tokenizer.eos_token_id])


def test_the_context_is_the_models_and_nothing_is_printed(
    tiny_chat_model: Path, adapter: Path, conversations: list[Conversation], capfd: pytest.CaptureFixture[str]
) -> None:
    backend = open_backend(tiny_chat_model, adapter=adapter, precision="nf4")
    backend.generate(prompts_for(backend, conversations[:2]), 2)
    assert (
        backend.context_length == json.loads((tiny_chat_model / "config.json").read_text())["max_position_embeddings"]
    )
    assert capfd.readouterr() == ("", "")


def test_a_batch_that_does_not_fit_says_so(tiny_chat_model: Path, conversations: list[Conversation]) -> None:
    backend = open_backend(tiny_chat_model)

    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    handle = backend._model.model.layers[1].register_forward_pre_hook(full)
    prompts = prompts_for(backend, conversations[:2])
    with pytest.raises(OutOfMemory, match=r"^CUDA out of memory$"):
        backend.generate(prompts, 4)
    handle.remove()
    assert len(backend.generate(prompts, 4)) == 2


ROLES = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}{% if m.role == 'assistant' %}{{ END }}{% endif %}{% endfor %}"
)


def test_an_end_of_several_tokens_ends_a_text(
    tmp_path: Path, tiny_chat_model: Path, conversations: list[Conversation]
) -> None:
    folder = shutil.copytree(tiny_chat_model, tmp_path / "model")
    (folder / "chat_template.jinja").write_text(ROLES.replace("END", "'### End'"))
    backend = open_backend(folder)
    prompts = prompts_for(backend, conversations)
    running = backend.generate(prompts, 40)
    assert {made.finish_reason for made in running} == {"length"}
    # What the model writes in the middle of some texts becomes the end of an answer.
    end = next(found[0] for made in running if (found := re.search(r"(?<=.{20})[ -z]{6}", made.text)))
    (folder / "chat_template.jinja").write_text(ROLES.replace("END", repr(end)))
    ending = open_backend(folder)
    assert prompts_for(ending, conversations) == prompts
    made = ending.generate(prompts, 40)
    assert [one.text for one in made] == [one.text.partition(end.strip(" "))[0] for one in running]
    for one, before in zip(made, running, strict=True):
        stopped = len(one.text) < len(before.text)
        assert (one.finish_reason, one.new_tokens < 40) == (("stop", True) if stopped else ("length", False))
    assert {one.finish_reason for one in made} == {"stop", "length"}
    assert [ending.generate([prompt], 40)[0] for prompt in prompts] == made
    few = min(len(one.text.split()) for one in made if one.finish_reason == "stop")
    for one in open_with(DecodingRules(min_words=few + 1), folder).generate(prompts, 40):
        assert one.finish_reason == "length" or len(one.text.split()) > few


# ----------------------------------------------------------------------------------------------------------- adapters


def test_an_adapter_changes_the_texts_and_its_base_is_the_base(
    tiny_chat_model: Path, adapter: Path, make_adapter: Callable[..., Path], conversations: list[Conversation]
) -> None:
    base = open_backend(tiny_chat_model)
    prompts = prompts_for(base, conversations)
    expected = base.generate(prompts, 12)
    assert open_backend(tiny_chat_model, adapter=adapter).generate(prompts, 12) != expected
    untrained = make_adapter(tiny_chat_model, LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"))
    assert open_backend(tiny_chat_model, adapter=untrained).generate(prompts, 12) == expected


def test_an_adapter_in_nf4_gives_the_logits_of_training_bit_by_bit(tiny_chat_model: Path, adapter: Path) -> None:
    from peft import PeftModel

    ids = torch.randint(3, 250, (2, 24), generator=torch.Generator().manual_seed(0))
    trained = PeftModel.from_pretrained(loading.load_model(tiny_chat_model, "nf4"), adapter).eval()
    # As transformers' Trainer runs it: adapter weights in float32, autocast to bfloat16.
    with torch.no_grad(), torch.autocast(loading.device().partition(":")[0], torch.bfloat16):
        expected = trained(input_ids=ids.to(loading.device())).logits
    scored = open_backend(tiny_chat_model, adapter=adapter, precision="nf4")._model
    with torch.inference_mode():
        assert torch.equal(scored(input_ids=ids.to(loading.device())).logits, expected)


def lose_weights(folder: Path) -> None:
    path = folder / "adapter_model.safetensors"
    weights = load_file(path)
    save_file({name: weights[name] for name in sorted(weights)[::2]}, path)


def widen(folder: Path) -> None:
    path = folder / "adapter_model.safetensors"
    save_file({name: torch.zeros(7, 7) for name in load_file(path)}, path)


def misname(folder: Path) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "target_modules": ["query_key_value"]}))


@pytest.mark.parametrize("damage", [lose_weights, widen, misname])
def test_an_adapter_that_does_not_fit_is_refused(
    tmp_path: Path, tiny_chat_model: Path, adapter: Path, damage: Callable[[Path], None]
) -> None:
    folder = tmp_path / "adapter"
    shutil.copytree(adapter, folder)
    damage(folder)
    with pytest.raises(UsageError, match="does not fit"):
        open_backend(tiny_chat_model, adapter=folder)


def test_a_learned_prompt_is_refused(tiny_chat_model: Path, make_adapter: Callable[..., Path]) -> None:
    config = PromptTuningConfig(num_virtual_tokens=4, task_type="CAUSAL_LM")
    with pytest.raises(UsageError, match="learned prompt"):
        open_backend(tiny_chat_model, adapter=make_adapter(tiny_chat_model, config))


# ---------------------------------------------------------------------------------------------------------- precision


def test_nf4_unpacked_once_gives_the_same_logits_bit_by_bit(tiny_chat_model: Path) -> None:
    from bitsandbytes.nn import Linear4bit

    packed, unpacked = (loading.load_model(tiny_chat_model, "nf4") for _ in range(2))
    unpack_nf4(unpacked)
    ids = torch.randint(3, 250, (3, 40), device=loading.device())
    with torch.inference_mode():
        assert torch.equal(packed(input_ids=ids).logits, unpacked(input_ids=ids).logits)
    assert [sum(isinstance(part, Linear4bit) for part in model.modules()) for model in (packed, unpacked)] == [14, 0]


def test_an_evaluation_pass_does_not_change_the_gradients_of_nf4(tiny_chat_model: Path) -> None:
    model = loading.load_model(tiny_chat_model, "nf4")
    embedded = torch.randn(2, 8, 64, generator=torch.Generator().manual_seed(0)).to(loading.device(), torch.bfloat16)

    def gradient() -> torch.Tensor:
        inputs = embedded.clone().requires_grad_()
        model.train()(inputs_embeds=inputs).logits.float().square().mean().backward()
        assert inputs.grad is not None
        return inputs.grad

    before = gradient()
    with torch.no_grad():
        model.eval()(inputs_embeds=embedded)
    assert torch.equal(gradient(), before)
    assert before.abs().sum() > 0


@pytest.mark.parametrize(("precision", "dtype"), [("bfloat16", torch.bfloat16), ("float16", torch.float16)])
def test_half_precisions_keep_model_and_adapter_in_one_type(
    tiny_chat_model: Path, adapter: Path, conversations: list[Conversation], precision: str, dtype: torch.dtype
) -> None:
    backend = open_backend(tiny_chat_model, adapter=adapter, precision=precision)
    assert {parameter.dtype for parameter in backend._model.parameters()} == {dtype}
    assert len(backend.generate(prompts_for(backend, conversations[:2]), 3)) == 2


def test_an_unknown_precision_or_a_missing_bitsandbytes_is_said(
    tiny_chat_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="unknown precision 'nf5'\nDid you mean 'nf4'"):
        open_backend(tiny_chat_model, precision="nf5")
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(PrerequisiteError, match=r"pip install 'liftbench\[train\]'"):
        open_backend(tiny_chat_model, precision="nf4")


# ----------------------------------------------------------------------------------------------------- the real model


@pytest.mark.hub
def test_the_default_model_answers_in_english_and_stops() -> None:
    model = resolve("smollm2-135m")
    question = prompt_spec("{conversation}", "", "chat")
    backend = open_backend(model.path, precision="bfloat16", prompt=question)
    turn = Turn(role="customer", text="What is the capital of France?")
    [prompt] = prompts_for(backend, [Conversation(id="1", turns=(turn,))], question)
    assert prompt.text.startswith("<|im_start|>system\n")
    assert prompt.text.endswith("<|im_end|>\n<|im_start|>assistant\n")
    [generation] = backend.generate([prompt], 48)
    assert "capital of France is Paris" in generation.text
    assert generation.finish_reason == "stop"


def test_the_space_before_a_continuation_is_kept_by_a_tokenizer_that_drops_the_first_one(
    tiny_base_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Llama 2's does: without it, a prefill's last word and the model's first would be one."""
    from tokenizers import decoders

    backend = open_backend(tiny_base_model, prompt=PLAIN)
    steps = [decoders.ByteLevel(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    backend.tokenizer.backend_tokenizer.decoder = decoders.Sequence(steps)
    written = backend.tokenizer(" about an order")["input_ids"]
    assert backend.tokenizer.decode(written) == "about an order"
    monkeypatch.setattr(backend, "_decode", lambda prompts, _: [written for _ in prompts])
    [generation] = backend.generate([Prompt(text="complaining", token_ids=[70, 71], sha256="")], 9)
    assert generation.text == " about an order"


# ------------------------------------------------------------------------------------------------------ decoding rules


def open_with(rules: DecodingRules, model: Path) -> TransformersBackend:
    return TransformersBackend(BackendRequest(model=model, adapter=None, precision="float32", prompt=CHAT, rules=rules))


def ngrams(ids: list[int], size: int) -> list[tuple[int, ...]]:
    return [tuple(ids[start : start + size]) for start in range(len(ids) - size + 1)]


def decoded(backend: TransformersBackend, prompts: list[Prompt], tokens: int) -> list[list[int]]:
    with torch.inference_mode():
        return backend._decode([prompt.token_ids for prompt in prompts], tokens)


def test_no_sequence_of_n_tokens_is_written_twice(tiny_chat_model: Path, conversations: list[Conversation]) -> None:
    free, bound = open_backend(tiny_chat_model), open_with(DecodingRules(no_repeat_ngram=2), tiny_chat_model)
    prompts = prompts_for(free, conversations)
    assert any(len(set(ngrams(ids, 2))) < len(ngrams(ids, 2)) for ids in decoded(free, prompts, 60))
    for ids in decoded(bound, prompts, 60):
        assert len(set(ngrams(ids, 2))) == len(ngrams(ids, 2))


def test_rules_look_at_what_was_generated_only() -> None:
    keeper = RuleKeeper(DecodingRules(no_repeat_ngram=1), {0}, Ending(ids=(0,)), None)
    logits = torch.zeros(2, 6)
    assert keeper.forbid(logits, [[], []]) is logits, "the first token may be any of the prompt's"
    forbidden = keeper.forbid(logits, [[5, 2], [1, 1]])
    assert forbidden.isinf().nonzero().tolist() == [[0, 2], [0, 5], [1, 1]]


def test_a_text_ends_where_it_repeats_itself(tiny_chat_model: Path, conversations: list[Conversation]) -> None:
    free, bound = open_backend(tiny_chat_model), open_with(DecodingRules(repetition_stop=3), tiny_chat_model)
    prompts = prompts_for(free, conversations)
    ended = 0
    for whole, found in zip(decoded(free, prompts, 60), bound.generate(prompts, 60), strict=True):
        repeats = [
            end for end in range(4, len(whole) + 1) if tuple(whole[end - 3 : end]) in ngrams(whole[: end - 1], 3)
        ]
        if repeats:
            kept = whole[: repeats[0] - 3]
            assert found.text == bound.tokenizer.decode(kept, skip_special_tokens=True)
            assert (found.new_tokens, found.finish_reason) == (repeats[0], "stop")
            ended += 1
    assert ended


def test_a_model_writes_a_least_number_of_words_before_it_ends(
    stopping: tuple[Path, int], conversations: list[Conversation]
) -> None:
    folder, _ = stopping
    free, bound = open_backend(folder), open_with(DecodingRules(min_words=9), folder)
    prompts = prompts_for(free, conversations)
    words = [len(made.text.split()) for made in free.generate(prompts, 60) if made.finish_reason == "stop"]
    assert words
    assert min(words) < 9
    for made in bound.generate(prompts, 60):
        assert made.finish_reason == "length" or len(made.text.split()) >= 9


def test_the_rules_are_part_of_the_protocol() -> None:
    rules = GenerationSection(no_repeat_ngram=3, min_words=10).rules
    assert rules.signature == "greedy|no-repeat-ngram:3|min-words:10"
    assert GenerationSection().rules.signature == "greedy"
