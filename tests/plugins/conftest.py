"""Requests to the trainers on TRL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from liftbench.records.conversation import Conversation
from liftbench.records.training import CurvePoint
from liftbench.training.trainer import TrainRequest
from liftbench_plugins.trainers.options import FullOptions, LoRAOptions

from ..support.trainings import train_request


@pytest.fixture
def request_for(
    tiny_chat_model: Path, conversations: list[Conversation], tmp_path: Path
) -> Callable[..., TrainRequest]:
    """A request on nine training and three validation conversations, with options and fields changed."""

    def build(
        *,
        run: str = "run",
        kind: type[LoRAOptions | FullOptions] = LoRAOptions,
        record: Callable[[CurvePoint], None] | None = None,
        **changes: Any,
    ) -> TrainRequest:
        fields = {name: changes.pop(name) for name in ("train", "validation", "model") if name in changes}
        small: dict[str, Any] = {"batch_size": 4, "references": "one"}
        small |= {"rank": 4, "alpha": 8} if kind is LoRAOptions else {}
        options = msgspec.convert(small | changes, kind)
        usual = train_request(tiny_chat_model, conversations, tmp_path / run, options, record or (lambda _: None))
        return msgspec.structs.replace(usual, **fields)

    return build
