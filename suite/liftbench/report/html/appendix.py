"""The facts around the figures, as tables: outputs, training, protocol, systems, environments, recipes, runs."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from ...errors import UsageError
from ...recipe.resolve import flatten
from ...records.run import Environment, Limits, Manifest
from ...records.system import PromptSpec
from ...runs.directory import Run
from ...runs.measured import MeasuredRun
from ...text.phrases import percent
from .. import numbers
from ..numbers import UNKNOWN
from .conversations import Subject

NONE = "none"


class Cell(Struct, frozen=True):
    """A value with a remark."""

    text: str
    note: str = ""


class Row(Struct, frozen=True):
    """One fact about every subject."""

    name: str
    cells: list[Cell]

    @property
    def differs(self) -> bool:
        """Whether the subjects differ in it."""
        return len({cell.text for cell in self.cells}) > 1


def tabulate_outputs(subjects: Sequence[Subject]) -> list[Row]:
    """How much was written, and what went wrong while writing."""
    columns = []
    for subject in subjects:
        summary, generated = subject.run.summary, subject.run.manifest.system.kind == "model"
        columns.append(
            {
                "summaries": numbers.format_count(summary.n),
                "empty": numbers.format_count(summary.empty),
                "cut at the token limit": numbers.format_count(summary.cut) if generated else UNKNOWN,
                "conversations shortened to fit": numbers.format_count(summary.shortened) if generated else UNKNOWN,
                "words per summary": f"{summary.mean_words:.1f}",
                "tokens generated": numbers.format_count(summary.new_tokens),
                "generation time": numbers.format_duration(summary.seconds),
                "speed": numbers.format_speed(summary.new_tokens, summary.seconds),
                **({"asked of the server": numbers.format_usage(summary.usage)} if summary.usage is not UNSET else {}),
            }
        )
    return _rows(columns)


def tabulate_trainings(runs: Sequence[Run]) -> list[Row]:
    """What each training used and chose."""
    return _rows([_training(run) for run in runs])


def _training(run: Run) -> dict[str, str]:
    facts, system = run.training, run.manifest.system
    if facts is None:
        return {}
    left_out = sum(facts.rows_reported.values())
    reasons = ", ".join(f"{number:,} {reason}" for reason, number in facts.rows_reported.items() if number)
    return {
        "trainer": facts.trainer,
        "precision of the base": (system.adapter.precision if system.adapter else None) or UNKNOWN,
        "device": facts.device or UNKNOWN,
        "conversations": f"{facts.conversations:,} to train on, {facts.validation_conversations:,} to choose "
        "the checkpoint",
        "rows trained": numbers.format_count(facts.rows_trained),
        "rows left out": f"{left_out:,} ({reasons})" if reasons else numbers.format_count(left_out),
        "rows shortened to fit": numbers.format_count(facts.shortened),
        "optimizer steps": numbers.format_count(facts.steps) + (", stopped early" if facts.stopped_early else ""),
        "best checkpoint": f"step {numbers.format_count(facts.best_step)}, validation loss "
        f"{numbers.format_score(facts.best_validation_loss)}",
        "tokens": f"{numbers.format_count(facts.tokens)} processed, "
        f"{numbers.format_count(facts.target_tokens)} of them targets",
        "trainable parameters": numbers.format_count(facts.trainable_parameters),
        "time": numbers.format_duration(facts.seconds),
        "speed, validation included": numbers.format_speed(facts.tokens, facts.seconds),
        "peak memory": numbers.format_bytes(facts.peak_memory_bytes),
    }


def tabulate_options(runs: Sequence[Run]) -> list[Row]:
    """The trainers' options, defaults included."""
    return _rows([{key: _plain(value) for key, value in run.training_options.items()} for run in runs])


def tabulate_protocol(subjects: Sequence[Subject]) -> list[Row]:
    """How the subjects were measured."""
    columns = []
    for subject in subjects:
        fields = msgspec.structs.asdict(subject.run.manifest.protocol)
        metrics = fields.pop("metrics")
        if not fields["engine"]:
            del fields["engine"]
        words = {
            "dataset": "data set",
            "fingerprint": "fingerprint of the split",
            "conversations": "fingerprint of the scored ids",
            "n": "conversations scored",
            "max_input_tokens": "most tokens of a prompt",
            "max_new_tokens": "most tokens of a summary",
            "postprocess": "post-processing",
            "decoding": "choice of tokens",
            "engine": "engine that generates",
        }
        column = {words.get(key, key): _plain(value) for key, value in fields.items()}
        columns.append(column | {f"signature of {name}": signature for name, signature in metrics.items()})
    return _rows(columns)


def tabulate_limits(allowed: Limits) -> list[Row]:
    """What the guards of a verdict allow."""
    return _rows(
        [
            {
                "slices": ", ".join(allowed.slices) or NONE,
                "unsupported details beyond the humans'": f"{allowed.unsupported:g} per summary",
                "faulty summaries of each kind": percent(allowed.faults),
                "way from pasting (0) to people (1)": f"at least {allowed.abstraction:g}",
                "people who must prefer it": str(allowed.judges or NONE),
                "level shared among all candidates": "yes" if allowed.share_level else "no",
            }
        ]
    )


def tabulate_systems(subjects: Sequence[Subject]) -> list[Row]:
    """What was measured."""
    return _rows([_system(subject.run.manifest) for subject in subjects])


def _system(manifest: Manifest) -> dict[str, str]:
    system = manifest.system
    words = {"name": system.name, "kind": {"predictions": "given texts"}.get(system.kind, system.kind)}
    if system.kind == "predictions":
        words["file of texts, sha256"] = system.file_sha256 or UNKNOWN
    model, adapter, prompt = system.model, system.adapter, system.prompt
    words["model"] = model.reference if model else NONE
    if model:
        words |= {"weights, sha256": model.sha256, "source of the weights": model.source}
    whole = " (a whole model)" if adapter and adapter.whole_model else ""
    words["adapter, sha256"] = f"{adapter.sha256}{whole}" if adapter else NONE
    if adapter:
        words |= {
            "adapter's trainer": adapter.trainer or UNKNOWN,
            "adapter's base, sha256": adapter.base_sha256 or UNKNOWN,
            "adapter's base in training": adapter.precision or UNKNOWN,
            "adapter's run": adapter.run or UNKNOWN,
        }
        if adapter.trials:
            words["adapter's options"] = f"the best of {adapter.trials} trials on development data"
    words |= {
        "precision": system.precision or UNKNOWN,
        "backend": system.backend or UNKNOWN,
        "decoding device": manifest.device or UNKNOWN,
    }
    words["prompt, sha256"] = prompt.sha256 if prompt else UNKNOWN
    if prompt:
        words |= {
            "prompt style": prompt.style,
            "system message": prompt.system or NONE,
            "prompt template": prompt.template,
            "beginning of the summary": prompt.prefill or NONE,
            "examples in the prompt": ", ".join(shot.id for shot in prompt.shots) or NONE,
            "summary ends": _ends(prompt),
        }
    words["generation"] = (
        "verified: generated by liftbench" if system.generation_verified else "unverified: the texts were given"
    )
    return words


def _ends(prompt: PromptSpec) -> str:
    ends = [f"after {prompt.max_words} words"] if prompt.max_words else []
    ends += [f"before {stop!r}" for stop in prompt.stop]
    return ", ".join([*ends, "where the model stops"])


def tabulate_environments(subjects: Sequence[Subject]) -> list[Row]:
    """Where the runs were made."""
    return _rows([_environment(_find_environment(subject.run)) for subject in subjects])


def _find_environment(run: MeasuredRun) -> Environment | None:
    try:
        return run.environment
    except UsageError:  # An older or trimmed run does not record it, and the page says so.
        return None


def _environment(environment: Environment | None) -> dict[str, str]:
    if environment is None:
        return {"environment": "not recorded"}
    return {
        "processor": environment.processor or UNKNOWN,
        "cores": numbers.format_count(environment.cpu_count),
        "threads": numbers.format_count(environment.threads),
        "memory": numbers.format_bytes(environment.memory_bytes),
        "GPU": environment.gpu or NONE,
        "driver": environment.driver or NONE,
        "platform": environment.platform,
        "Python": environment.python,
        **environment.packages,
    }


def tabulate_recipes(subjects: Sequence[Subject]) -> list[Row]:
    """Every value of the recipes, with where it came from."""
    flat = [dict(flatten(subject.run.manifest.recipe)) for subject in subjects]
    keys = sorted({key for values in flat for key in values})
    return [
        Row(
            key,
            [
                Cell(_plain(values[key]), subject.run.manifest.origins.get(key, "")) if key in values else Cell("–")
                for subject, values in zip(subjects, flat, strict=True)
            ],
        )
        for key in keys
    ]


def tabulate_records(subjects: Sequence[Subject]) -> list[Row]:
    """The runs themselves: ids, times, commands, code."""
    return _rows([_record(subject.run) for subject in subjects if isinstance(subject.run, Run)])


def _record(run: Run) -> dict[str, str]:
    manifest = run.manifest
    program, *arguments = manifest.argv
    git = UNKNOWN
    if manifest.git is not None:
        git = manifest.git.commit + (" with uncommitted changes" if manifest.git.dirty else "")
    return {
        "run": manifest.id,
        "command line": shlex.join([Path(program).name, *arguments]),
        "started": manifest.created,
        "finished": manifest.finished or UNKNOWN,
        "status": manifest.status,
        "seed": str(manifest.seed),
        "seed group": manifest.family or NONE,
        "headlines": ", ".join(manifest.headlines),
        "target": numbers.format_target(manifest.target),
        "liftbench": manifest.version,
        "git commit": git,
        "adapter trained by run": manifest.parent or ("this run" if manifest.command == "train" else NONE),
        "left out": "\n".join(f"{name}: {reason}" for name, reason in manifest.skipped.items()) or NONE,
        "notes": "\n".join(manifest.notes) or NONE,
    }


def _rows(columns: Sequence[Mapping[str, str]], absent: str = "–") -> list[Row]:
    """Turn columns of named values into rows, in the order of the fullest column."""
    names = dict.fromkeys(name for column in sorted(columns, key=len, reverse=True) for name in column)
    return [Row(name, [Cell(column.get(name, absent)) for column in columns]) for name in names]


def _plain(value: Any) -> str:
    words: dict[type, Callable[[Any], str]] = {
        bool: lambda on: "yes" if on else "no",
        type(None): lambda _: NONE,
        str: str,
        int: str,
        float: lambda number: f"{number:g}",
    }
    return words.get(type(value), lambda other: msgspec.json.encode(other).decode())(value)
