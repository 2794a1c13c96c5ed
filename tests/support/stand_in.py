"""A backend without a model, for tests and benchmarks of what is around one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from liftbench.plugin_api import Backend, BackendRequest


class Words:
    """A tokenizer whose tokens are words."""

    bos_token_id = None
    eos_token_id = 0
    all_special_ids = (0,)

    def __call__(self, text: str, add_special_tokens: bool = True) -> dict[str, list[int]]:
        del add_special_tokens
        return {"input_ids": [len(word) for word in text.split()]}


class StandIn(Backend):
    """Loads nothing; a subclass says what it writes."""

    device = "cpu"
    context_length = 4096

    def __init__(self, request: BackendRequest) -> None:
        del request
        self.tokenizer = Words()

    @classmethod
    def open_tokenizer(cls, model: Path) -> Any:
        del model
        return Words()
