"""A trainer without a model: its losses follow from its options, so that searches among options can be tested."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from liftbench.extension.loader import Plugins, load_plugins
from liftbench.extension.registry import Registry
from liftbench.plugin_api import (
    CurvePoint,
    RunFailed,
    Trainer,
    TrainingSummary,
    TrainRequest,
    TrainResult,
    hookimpl,
    write_atomic,
)

STEPS = 8


class CurveOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    learning_rate: Annotated[float, Meta(gt=0)] = 1e-3
    rank: Annotated[int, Meta(ge=1)] = 16
    schedule: Literal["linear", "cosine"] = "cosine"
    micro: int = 1
    target: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.rank % self.micro:
            raise ValueError(f"rank ({self.rank}) is not a multiple of micro ({self.micro})")


def final_loss(options: CurveOptions) -> float:
    """Best at a learning rate of 2e-3 and rank 32."""
    return 1 + abs(math.log(options.learning_rate / 2e-3)) + abs(math.log(options.rank / 32)) / 10


class CurveTrainer(Trainer):
    """Keeps its step in a file, as trainers keep checkpoints; a loss falls by the same amount at each step."""

    precision: ClassVar[str] = "float32"
    search_space: ClassVar[Mapping[str, str]] = {
        "learning_rate": "1e-4..1e-2:log",
        "rank": "8,16,32",
        "absent": "1,2",
    }
    begun: ClassVar[list[tuple[CurveOptions, int]]] = []
    """The options of each call, and the steps that an earlier one had made."""
    requests: ClassVar[list[TrainRequest]] = []
    at_step: ClassVar[Callable[[int], None]] = lambda _: None
    """Called before each step with the number of steps in all trainings."""
    steps_made: ClassVar[int] = 0
    reports_loss: ClassVar[bool] = True

    def train(self, request: TrainRequest) -> TrainResult:
        options: CurveOptions = request.options
        kept = request.folder / "checkpoints" / "step.json"
        done = json.loads(kept.read_text()) if kept.exists() else 0
        CurveTrainer.begun.append((options, done))
        CurveTrainer.requests.append(request)
        loss = math.inf
        for step in range(done + 1, STEPS + 1):
            CurveTrainer.at_step(CurveTrainer.steps_made)
            CurveTrainer.steps_made += 1
            loss = final_loss(options) * (3 - 2 * step / STEPS)
            if options.learning_rate >= 1:
                raise RunFailed("the training loss became nan", "Lower train.options.learning_rate.")
            request.progress(step, STEPS, f"loss {loss:.2f}")
            validation = loss if self.reports_loss else None
            request.record(CurvePoint(step=step, epoch=step / STEPS, loss=loss, validation_loss=validation))
            write_atomic(kept, step)
        write_atomic(request.folder / "adapter" / "adapter_model.safetensors", "")
        summary = TrainingSummary(
            trainer="curves",
            steps=STEPS,
            conversations=len(request.train),
            validation_conversations=len(request.validation),
            trainable_parameters=1,
            seconds=60.0,
        )
        return TrainResult(adapter=request.folder / "adapter", precision="float32", summary=summary)


class Curves:
    """The plugin."""

    @hookimpl
    def bench_register(self, registry: Registry) -> None:
        registry.trainer("curves", target=f"{__name__}:CurveTrainer", options=f"{__name__}:CurveOptions")


def plugins_with_curves() -> Plugins:
    """The installed plugins and this one."""
    plugins = load_plugins()
    plugins.add(Curves(), "curves", "curves 1.0")
    return plugins


def write_model(folder: Path) -> Path:
    """A folder that is taken for a model, as long as nobody loads it."""
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama", "max_position_embeddings": 4096}')
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", 2) + b"{}")
    (folder / "tokenizer.json").write_text("{}")
    return folder
