"""The trainer `command`: runs any program that trains, in its own interpreter, and takes the adapter or the whole model
that it leaves.

So Axolotl, LLaMA-Factory, Unsloth or a script of one's own is scored by the same harness, on the same conversations.
Importing this module imports no torch.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta, Struct

from liftbench.plugin_api import (
    BAD_JSON,
    Conversation,
    CurvePoint,
    RunFailed,
    Trainer,
    TrainingSummary,
    TrainRequest,
    TrainResult,
    end_token,
    read_json,
    render,
    start_program,
    write_atomic,
    write_lines,
)
from liftbench_plugins import model_files
from liftbench_plugins.library_output import quiet
from liftbench_plugins.loading import load_tokenizer

from . import checkpoints

REQUEST = "{request}"
SHAPE = ("model_type", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
"""Fields of `config.json` that a training does not change."""

LAST_LINES = 5
"""Lines of the program's output that an error shows."""


class CommandOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which program trains."""

    argv: Annotated[tuple[str, ...], Meta(min_length=1)]
    """The program and its arguments; `{request}` stands for the path of the request, which is else the last one."""
    precision: Literal["float32", "bfloat16", "float16", "nf4"] = "bfloat16"
    """The precision of the base that the program trains on; what it leaves is scored in it."""


class CommandRequest(Struct, frozen=True, kw_only=True):
    """What the program is given, as JSON."""

    model: str
    """Folder of the base."""
    precision: str
    train: str
    """File of `CommandRow`s, one a line."""
    validation: str
    """The same, to choose a checkpoint on."""
    adapter: str
    """Where to leave the adapter, in PEFT's format with weights in safetensors; or else a whole model in transformers'
    format, with its tokenizer."""
    end_token: int | tuple[int, ...]
    """The token that ends a summary; a list where it takes several."""
    max_input_tokens: int
    max_new_tokens: int
    seed: int


class CommandRow(Struct, frozen=True, kw_only=True):
    """A conversation to train on."""

    id: str
    prompt: str
    """The rendered prompt with the conversation, control tokens included."""
    prompt_ids: list[int]
    """The tokens of the prompt when the adapter is scored; train on these."""
    references: list[str]


class CommandTrainer(Trainer):
    """Runs a program. Each line of its output that is a JSON object with a `step` is a point of the training curve."""

    precision: ClassVar[str] = "bfloat16"

    def base_precision(self, options: CommandOptions) -> str:
        """The precision that the options say."""
        return options.precision

    def train(self, request: TrainRequest) -> TrainResult:
        """Run the program and take its adapter, or its whole model.

        A program that was stopped is run again with the same request, and may continue from what it left. Raises
        `RunFailed` if it cannot be run, fails, or leaves nothing that was trained on this base.
        """
        options: CommandOptions = request.options
        work = request.folder / "command"
        left = work / "adapter"
        log = work / "output.log"
        _write_request(request, work, left)
        last, began = None, time.monotonic()
        with log.open("a", encoding="utf-8", buffering=1) as kept, _run(_argv(options, work / "request.json")) as lines:
            for line in lines:
                point = _point(line)
                if point is None:
                    kept.write(line)
                else:
                    last = point
                    request.record(point)
                    request.progress(point.step, point.step, f"loss {point.loss:.2f}" if point.loss else "")
        adapter = request.folder / "adapter"
        if not checkpoints.weights_of(left):
            raise RunFailed(
                f"the program ended without an adapter: neither its weights nor those of a whole model are in {left}",
                "It has to save PEFT's files there (`adapter` in the request), or a model with save_pretrained; its "
                f"output is in {log}.",
            )
        if (left / checkpoints.CONFIG).is_file():
            _require_adapter_of(request.model, left)
            checkpoints.publish(left, adapter, request.model_record.reference)
        else:
            _require_model_like(request.model, left)
            checkpoints.publish_model(left, adapter, left)
        summary = TrainingSummary(
            trainer="command",
            steps=last.step if last else None,
            conversations=len(request.train),
            validation_conversations=len(request.validation),
            trainable_parameters=checkpoints.count_parameters(adapter),
            seconds=time.monotonic() - began,
        )
        return TrainResult(adapter=adapter, precision=options.precision, summary=summary)


# -------------------------------------------------------------------------------------------------------- the request


def _write_request(request: TrainRequest, work: Path, left: Path) -> None:
    with quiet():
        tokenizer = load_tokenizer(request.model)

    def rows(conversations: tuple[Conversation, ...]) -> Iterator[CommandRow]:
        for conversation in conversations:
            prompt = render(request.prompt, conversation, tokenizer, request.max_input_tokens)
            yield CommandRow(
                id=conversation.id,
                prompt=prompt.text,
                prompt_ids=prompt.token_ids,
                references=list(conversation.references),
            )

    work.mkdir(parents=True, exist_ok=True)
    write_lines(work / "train.jsonl", rows(request.train))
    write_lines(work / "validation.jsonl", rows(request.validation))
    options: CommandOptions = request.options
    asked = CommandRequest(
        model=str(request.model.resolve()),
        precision=options.precision,
        train=str((work / "train.jsonl").resolve()),
        validation=str((work / "validation.jsonl").resolve()),
        adapter=str(left.resolve()),
        end_token=end_token(request.prompt, tokenizer),
        max_input_tokens=request.max_input_tokens,
        max_new_tokens=request.max_new_tokens,
        seed=request.seed,
    )
    write_atomic(work / "request.json", asked)


# -------------------------------------------------------------------------------------------------------- the program


def _argv(options: CommandOptions, path: Path) -> list[str]:
    given = options.argv if any(REQUEST in each for each in options.argv) else (*options.argv, REQUEST)
    return [each.replace(REQUEST, str(path.resolve())) for each in given]


@contextmanager
def _run(argv: list[str]) -> Iterator[Iterator[str]]:
    """The lines that a program prints, while it runs. Raises `RunFailed` if it cannot be started or fails."""
    # Its interpreter is its own: what finds this package must not find it there.
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    process = start_program(argv, environment=environment, fix="Check train.options.argv: a program and its arguments.")
    assert process.stdout is not None
    last: list[str] = []
    try:
        yield _remember(process.stdout, last)
        status = process.wait()
    except BaseException:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        raise
    if status:
        said = "".join(f"\n  {line.rstrip()}" for line in last)
        raise RunFailed(
            f"{argv[0]} ended with status {status}:{said or ' it printed nothing'}",
            "Mend it; the same command runs it again.",
        )


def _remember(lines: Iterator[str], last: list[str]) -> Iterator[str]:
    for line in lines:
        last.append(line)
        del last[:-LAST_LINES]
        yield line


def _point(line: str) -> CurvePoint | None:
    try:
        found: Any = msgspec.json.decode(line)
        return msgspec.convert({"epoch": 0.0, **found}, CurvePoint) if isinstance(found, dict) else None
    except BAD_JSON:
        return None


# ------------------------------------------------------------------------------------------------------ what it leaves


def _require_adapter_of(model: Path, left: Path) -> None:
    base = read_json(left / checkpoints.CONFIG).get("base_model_name_or_path")
    if not base or Path(base).resolve() != model.resolve():
        raise RunFailed(
            f"the program trained an adapter for {base}, not for {model}",
            "It has to train on the `model` of the request.",
        )


def _require_model_like(model: Path, left: Path) -> None:
    """Raise `RunFailed` for a model of another shape; a whole model does not name the one that it was trained from."""
    base, found = (read_json(folder / model_files.CONFIG) for folder in (model, left))
    if other := [name for name in SHAPE if base.get(name) != found.get(name)]:
        raise RunFailed(
            f"the program left another model than {model}: its {other[0]} is {found.get(other[0])}, not "
            f"{base.get(other[0])}",
            "It has to train the `model` of the request.",
        )
