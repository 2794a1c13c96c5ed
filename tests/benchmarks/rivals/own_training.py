"""liftbench's side of `training_rivals.py`: its trainer `qlora`, as `bench train` calls it."""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from liftbench.plugin_api import Conversation, CurvePoint, PromptSpec, TrainRequest, no_progress
from liftbench.records.system import ModelRecord
from liftbench.runs.environment import versions
from liftbench_plugins.library_output import quiet
from liftbench_plugins.trainers.options import LoRAOptions
from liftbench_plugins.trainers.rows import Encoder, Schedule, schedule, validation_rows

from .jobs import Job, Report, TokenRow, peak_memory, read_job, write
from .matrix_products import matrix_rate, shape_of

MATRIX_TOKENS = 576


class Texts(msgspec.Struct, frozen=True, kw_only=True):
    """What the tokens of a job were made of."""

    train: tuple[Conversation, ...]
    validation: tuple[Conversation, ...]
    prompt: PromptSpec
    max_input_tokens: int


def token_rows(texts: Texts, tokenizer: Any, *, batch: int, seed: int) -> tuple[list[TokenRow], list[TokenRow]]:
    """The rows of one pass in the order in which `qlora` trains them, and those of the validation."""
    train, validation = (
        Encoder(part, texts.prompt, tokenizer, max_input_tokens=texts.max_input_tokens, context=sys.maxsize)
        for part in (texts.train, texts.validation)
    )
    plan: Schedule = schedule(
        texts.train, train, references="all", epochs=1, batch_size=batch, max_steps=None, seed=seed
    )
    held_out = validation_rows(texts.validation, validation, "all", seed)
    made = [
        [TokenRow(prompt_ids=row.prompt_ids, targets=row.targets) for row in rows] for rows in (plan.rows, held_out)
    ]
    return made[0], made[1]


def main() -> None:
    """Train as the arguments say: JOB TEXTS REPORT, files of JSON."""
    job, texts, report = read_job(Path(sys.argv[1])), Path(sys.argv[2]), Path(sys.argv[3])
    with quiet():
        write(report, train(job, msgspec.json.decode(texts.read_bytes(), type=Texts)))


def train(job: Job, texts: Texts) -> Report:
    """Train all rows of a job, with a validation at the end."""
    import torch

    from liftbench_plugins.trainers.low_rank import QLoRATrainer

    torch.set_num_threads(job["threads"])
    config = json.loads((Path(job["model"]) / "config.json").read_text())
    rate = matrix_rate(shape_of(config), MATRIX_TOKENS)
    points: list[CurvePoint] = []
    result = QLoRATrainer().train(
        TrainRequest(
            model=Path(job["model"]),
            model_record=ModelRecord(reference="rival", sha256="0" * 64, source="local"),
            train=texts.train,
            validation=texts.validation,
            prompt=texts.prompt,
            max_input_tokens=texts.max_input_tokens,
            max_new_tokens=128,
            options=LoRAOptions(
                rank=job["rank"],
                alpha=job["alpha"],
                learning_rate=job["learning_rate"],
                batch_size=job["batch"],
                warmup=0,
                epochs=1,
                evaluations_per_epoch=1,
            ),
            seed=job["seed"],
            folder=Path(job["work"]),
            record=points.append,
            progress=no_progress,
        )
    )
    if result.summary.target_tokens != sum(len(target) for row in job["rows"] for target in row["targets"]):
        raise RuntimeError("the trainer trained other rows than those of the job")
    ends = [0.0, *(point.seconds or 0.0 for point in points if point.loss is not None)]
    losses = [point.validation_loss for point in points if point.validation_loss is not None]
    return Report(
        step_seconds=[end - start for start, end in pairwise(ends)],
        validation_loss=losses[-1],
        peak_memory=peak_memory(),
        matrix_rate=rate,
        packages=versions(),
    )
