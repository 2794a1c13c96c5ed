"""What a model folder's generation config may change: the tokens that end a text, and nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from liftbench.measuring.backend import BackendRequest, Generation
from liftbench.prompts.render import render
from liftbench.prompts.spec import prompt_spec
from liftbench.records.conversation import Conversation
from liftbench_plugins.backends.transformers import TransformersBackend

PROMPT = prompt_spec("Summarize this:\n{conversation}", "", "chat")
TOKENS = 24


def generate(folder: Path, conversations: list[Conversation]) -> list[Generation]:
    backend = TransformersBackend(BackendRequest(model=folder, adapter=None, precision="float32", prompt=PROMPT))
    prompts = [render(PROMPT, one, backend.tokenizer, 512) for one in conversations[:4]]
    return backend.generate(prompts, TOKENS)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, tiny_chat_model: Path) -> Path:
    """The tiny model without a generation config."""
    folder = tmp_path_factory.mktemp("plain") / "model"
    shutil.copytree(tiny_chat_model, folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    return folder


def configured(plain: Path, folder: Path, settings: dict[str, Any]) -> Path:
    """The model with these settings."""
    shutil.copytree(plain, folder)
    (folder / "generation_config.json").write_text(json.dumps(settings))
    return folder


@pytest.mark.parametrize(
    "settings",
    [
        {"do_sample": True, "temperature": 5.0, "top_p": 0.3, "top_k": 3},
        {"temperature": 0.0},
        {"repetition_penalty": 9.0, "no_repeat_ngram_size": 1, "encoder_repetition_penalty": 3.0},
        {"min_length": 400, "min_new_tokens": 20},
        {"max_length": 5, "max_new_tokens": 1},
        {"forced_bos_token_id": 7, "forced_eos_token_id": 9, "begin_suppress_tokens": [5], "suppress_tokens": [4, 6]},
        {"bad_words_ids": [[token] for token in range(3, 200)], "sequence_bias": [[[8], 50.0]]},
        {"num_beams": 4, "length_penalty": 5.0, "early_stopping": True, "num_return_sequences": 2},
        {"penalty_alpha": 0.6, "top_k": 4, "use_cache": False},
        {"guidance_scale": 3.0, "renormalize_logits": True, "exponential_decay_length_penalty": [2, 9.0]},
        {"stop_strings": ["e", "a"], "pad_token_id": 11, "bos_token_id": 12},
    ],
    ids=lambda settings: "-".join(settings)[:40],
)
def test_a_generation_config_never_changes_a_text(
    settings: dict[str, Any], plain: Path, tmp_path: Path, conversations: list[Conversation]
) -> None:
    expected = generate(plain, conversations)
    assert max(one.new_tokens for one in expected) == TOKENS
    assert generate(configured(plain, tmp_path / "beside", settings), conversations) == expected


def test_the_ends_of_a_generation_config_end_a_text(
    plain: Path, tmp_path: Path, conversations: list[Conversation]
) -> None:
    # With every token an end, each text ends with its first one.
    ends = list(range(json.loads((plain / "config.json").read_text())["vocab_size"]))
    found = generate(configured(plain, tmp_path / "ends", {"eos_token_id": ends, "do_sample": True}), conversations)
    assert {(one.text, one.new_tokens, one.finish_reason) for one in found} == {("", 1, "stop")}
