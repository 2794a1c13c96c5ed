"""Adapters from elsewhere: on which base, and with which tokenizer and chat template, they are scored."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET

from liftbench.errors import UsageError
from liftbench.extension.loader import load_plugins
from liftbench.files import digest, write_atomic
from liftbench.measuring.generate import open_backend
from liftbench.measuring.systems import Loadable, resolve_system
from liftbench.models.adapters import seal
from liftbench.models.references import resolve
from liftbench.prompts.render import render
from liftbench.records.conversation import Conversation, Turn
from liftbench.records.training import Provenance
from liftbench.workflow.setup import resolve_recipe

from ..support.tiny import CHATML, build_tiny_llama

TALK = Conversation(id="c", turns=(Turn(role="customer", text="Where is it?"), Turn(role="agent", text="Here.")))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIFTBENCH_CACHE", str(tmp_path / "cache"))


def make_adapter(model: Path, folder: Path, tokenizer: Any = None, **lora: Any) -> Path:
    """A random LoRA adapter, trained on the model after its embeddings were resized to the tokenizer."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(model)
    saved = lora.pop("saved", {})
    lora = {"target_modules": ["q_proj"], **lora}
    if tokenizer is not None and len(tokenizer) != base.get_input_embeddings().weight.shape[0]:
        base.resize_token_embeddings(len(tokenizer))
    torch.manual_seed(1)
    adapted = get_peft_model(base, LoraConfig(r=2, init_lora_weights=False, task_type="CAUSAL_LM", **lora))
    adapted.save_pretrained(folder, **saved)
    if tokenizer is not None:
        tokenizer.save_pretrained(folder)
    return folder


def open_tokenizer(model: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(model)


def find(adapter: Path, base: Path | None = None, settings: tuple[str, ...] = (), **options: Any) -> Loadable:
    given = ["model.precision=float32", "generation.max_input_tokens=500", "generation.max_new_tokens=4", *settings]
    recipe = resolve_recipe(None, {}, [], given).recipe
    return resolve_system(str(adapter), recipe, adapter.parent / "runs", base=str(base) if base else None, **options)[0]


def summarize(subject: Loadable) -> tuple[list[int], str]:
    """The prompt's tokens, and what the adapter writes after them."""
    recipe = resolve_recipe(None, {}, [], ["generation.max_input_tokens=500", "generation.max_new_tokens=4"]).recipe
    backend = open_backend(subject, recipe, load_plugins())
    assert subject.system.prompt is not None
    prompt = render(subject.system.prompt, TALK, backend.tokenizer, 500)
    return prompt.token_ids, backend.generate([prompt], 4)[0].text


# ------------------------------------------------------------------------------------------------------------ the base


def test_an_adapter_is_never_scored_on_the_recipes_model_for_want_of_its_own(
    tmp_path: Path, tiny_chat_model: Path
) -> None:
    model = shutil.copytree(tiny_chat_model, tmp_path / "model")
    adapter = make_adapter(model, tmp_path / "adapter")
    moved = model.rename(tmp_path / "moved")
    with pytest.raises(UsageError, match=r"was trained on .*/model, which cannot be loaded: it is not here") as caught:
        find(adapter)
    assert "--model" in caught.value.fix
    subject = find(adapter, moved)
    assert any("is not known" in note for note in subject.notes)
    configuration = adapter / "adapter_config.json"
    fields = json.loads(configuration.read_text()) | {"base_model_name_or_path": None}
    configuration.write_text(json.dumps(fields))
    with pytest.raises(UsageError, match="does not say which model"):
        find(adapter)


def test_another_model_than_the_named_base_is_refused_unless_told(tmp_path: Path, tiny_chat_model: Path) -> None:
    adapter = make_adapter(tiny_chat_model, tmp_path / "adapter")
    other = build_tiny_llama(tmp_path / "other", seed=5)
    with pytest.raises(UsageError, match="--allow-mismatch") as caught:
        find(adapter, other)
    assert str(tiny_chat_model) in caught.value.what
    subject = find(adapter, other, allow_mismatch=True)
    assert any("was scored anyway" in note and str(tiny_chat_model) in note for note in subject.notes)
    same = shutil.copytree(tiny_chat_model, tmp_path / "same")
    assert not any("names" in note for note in find(adapter, same).notes)


def test_a_base_whose_template_was_changed_after_the_training_is_told(tmp_path: Path, tiny_chat_model: Path) -> None:
    model = shutil.copytree(tiny_chat_model, tmp_path / "model")
    adapter = make_adapter(model, tmp_path / "adapter")
    provenance = Provenance(base=resolve(str(model)).record, precision="float32")
    write_atomic(adapter / "provenance.json", seal(provenance))
    assert find(adapter).notes == []
    (model / "chat_template.jinja").write_text(CHATML + " ")
    [note] = find(adapter).notes
    assert "were changed after the adapter's training" in note


# ------------------------------------------------------------------------------------------------------- its tokenizer


def as_saved(tokenizer: Any) -> None:
    """As the base's, but for what a trainer sets."""
    tokenizer.padding_side = "left"
    tokenizer.model_max_length = 77
    tokenizer(["a", "b c"], padding=True, truncation=True, max_length=5)


def training_markers(tokenizer: Any) -> None:
    """As TRL patches a template: the same prompts."""
    tokenizer.chat_template = "{# patched #}" + CHATML.replace(
        "{{ message['content'] }}", "{% generation %}{{ message['content'] }}{% endgeneration %}"
    )


@pytest.mark.parametrize("change", [as_saved, training_markers])
def test_a_tokenizer_that_does_what_the_bases_does_changes_nothing(
    tmp_path: Path, tiny_chat_model: Path, change: Callable[[Any], None]
) -> None:
    tokenizer = open_tokenizer(tiny_chat_model)
    change(tokenizer)
    bare = find(make_adapter(tiny_chat_model, tmp_path / "adapter"))
    with_files = find(make_adapter(tiny_chat_model, tmp_path / "saved" / "adapter", tokenizer))
    assert with_files.system == bare.system
    assert (with_files.tokenizer, with_files.notes) == (None, bare.notes)


def test_the_chat_template_saved_with_an_adapter_is_used_and_recorded(tmp_path: Path, tiny_chat_model: Path) -> None:
    tokenizer = open_tokenizer(tiny_chat_model)
    tokenizer.chat_template = CHATML.replace("assistant\n", "assistant\nSummary: ")
    bare = find(make_adapter(tiny_chat_model, tmp_path / "adapter"))
    subject = find(make_adapter(tiny_chat_model, tmp_path / "saved" / "adapter", tokenizer))
    assert subject.tokenizer is not None
    assert tokenizer.decode(summarize(subject)[0]).endswith("assistant\nSummary: ")
    assert any("differs from the base's in its chat template" in note for note in subject.notes)
    record = subject.system.adapter
    assert record is not None
    assert record.chat_template_sha256
    assert record.tokenizer_sha256
    assert digest(subject.system) != digest(bare.system)


@pytest.mark.parametrize("kept", ["chat_template.jinja", "tokenizer_config.json"])
def test_a_template_alone_is_joined_with_the_bases_tokenizer(tmp_path: Path, tiny_chat_model: Path, kept: str) -> None:
    adapter = make_adapter(tiny_chat_model, tmp_path / "adapter")
    template = CHATML.replace("assistant\n", "assistant\nSummary: ")
    if kept == "chat_template.jinja":
        (adapter / kept).write_text(template)
    else:
        fields = json.loads((tiny_chat_model / kept).read_text())
        (adapter / kept).write_text(json.dumps({**fields, "chat_template": template}))
    ids, _ = summarize(find(adapter))
    assert open_tokenizer(tiny_chat_model).decode(ids).endswith("assistant\nSummary: ")


def test_a_tokenizer_saved_without_a_template_keeps_the_bases(tmp_path: Path, tiny_chat_model: Path) -> None:
    tokenizer = open_tokenizer(tiny_chat_model)
    tokenizer.chat_template = None
    subject = find(make_adapter(tiny_chat_model, tmp_path / "adapter", tokenizer))
    assert subject.system.prompt is not None
    assert (subject.system.prompt.style, subject.tokenizer) == ("chat", None)


def test_an_adapter_makes_a_chat_model_of_a_plain_base(tmp_path: Path, tiny_base_model: Path) -> None:
    tokenizer = open_tokenizer(tiny_base_model)
    tokenizer.chat_template = CHATML
    adapter = make_adapter(tiny_base_model, tmp_path / "adapter", tokenizer)
    subject = find(adapter)
    assert subject.system.prompt is not None
    assert subject.system.prompt.style == "chat"
    plain = find(adapter, settings=("prompt.style=plain",))
    assert plain.tokenizer is None


def test_a_damaged_tokenizer_beside_an_adapter_is_named(tmp_path: Path, tiny_chat_model: Path) -> None:
    adapter = make_adapter(tiny_chat_model, tmp_path / "adapter", open_tokenizer(tiny_chat_model))
    (adapter / "tokenizer.json").write_text('{"version": "1.0"}')
    with pytest.raises(UsageError, match=r"beside the adapter .* cannot be opened"):
        find(adapter)


# ----------------------------------------------------------------------------------------------- a resized vocabulary


def with_new_tokens(model: Path) -> Any:
    tokenizer = open_tokenizer(model)
    tokenizer.add_special_tokens({"eos_token": "<|done|>", "pad_token": "<|pad|>"})
    tokenizer.chat_template = CHATML.replace("<|im_end|>", "<|done|>")
    return tokenizer


def untie(model: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    untied = AutoModelForCausalLM.from_pretrained(model)
    untied.config.tie_word_embeddings = False
    untied.lm_head.weight = torch.nn.Parameter(untied.lm_head.weight.detach().clone())
    untied.save_pretrained(model)


@pytest.mark.parametrize(
    ("lora", "works"),
    [
        ({"saved": {"save_embedding_layers": True}}, True),
        ({}, True),  # PEFT finds out by itself that the embeddings were resized.
        ({"modules_to_save": ["embed_tokens", "lm_head"]}, True),
        ({"modules_to_save": ["embed_tokens"]}, True),
        # PEFT saves the untied output only where LoRA is not on the input.
        ({"target_modules": ["q_proj", "embed_tokens"]}, "tied"),
        ({"trainable_token_indices": [291, 292, 293]}, True),
        ({"saved": {"save_embedding_layers": False}}, False),
    ],
)
@pytest.mark.parametrize("tied", [True, False])
def test_an_adapter_with_added_tokens_brings_their_embeddings(
    tmp_path: Path, lora: dict[str, Any], works: bool | str, tied: bool
) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = build_tiny_llama(tmp_path / "model")
    if not tied:
        untie(model)
    tokenizer = with_new_tokens(model)
    adapter = make_adapter(model, tmp_path / "adapter", tokenizer, **lora)
    subject = find(adapter)
    if works == "tied" and not tied:
        with pytest.raises(UsageError, match="the output embeddings of the new tokens were not saved"):
            summarize(subject)
        return
    if not works:
        with pytest.raises(UsageError, match=r"the token '<\|done\|>' .* is beyond the model's 292 embeddings"):
            summarize(subject)
        return
    ids, text = summarize(subject)
    assert tokenizer.convert_tokens_to_ids("<|done|>") in ids
    base = AutoModelForCausalLM.from_pretrained(model)
    base.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    trained = PeftModel.from_pretrained(base, adapter)
    made = trained.generate(
        input_ids=torch.tensor([ids]), do_sample=False, max_new_tokens=4, eos_token_id=tokenizer.eos_token_id
    )[0]
    assert text == tokenizer.decode(made[len(ids) :], skip_special_tokens=True)
    record = subject.system.adapter
    assert record is not None
    assert record.tokenizer_sha256 is not UNSET
    assert summarize(find(adapter)) == (ids, text)


def test_a_token_that_was_added_for_padding_alone_needs_no_embedding(tmp_path: Path, tiny_chat_model: Path) -> None:
    tokenizer = open_tokenizer(tiny_chat_model)
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    adapter = make_adapter(tiny_chat_model, tmp_path / "adapter", tokenizer, saved={"save_embedding_layers": False})
    bare = make_adapter(tiny_chat_model, tmp_path / "bare")
    subject = find(adapter)
    assert subject.system.adapter is not None
    assert subject.system.adapter.chat_template_sha256 is UNSET
    assert summarize(subject) == summarize(find(bare))


def test_embeddings_that_are_only_half_there_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    model = build_tiny_llama(tmp_path / "model")
    untie(model)
    adapter = make_adapter(model, tmp_path / "adapter", with_new_tokens(model))
    path = adapter / "adapter_model.safetensors"
    save_file({name: weight for name, weight in load_file(path).items() if "lm_head" not in name}, path)
    with pytest.raises(UsageError, match=r"the output embeddings of the new tokens were not saved") as caught:
        summarize(find(adapter))
    assert "save_embedding_layers=True" in caught.value.fix
