"""What a run would do, without doing it: the recipe with each value's origin, the counts, and one rendered prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from ..errors import LiftbenchError, as_usage_error
from ..measuring.generate import find_backend
from ..measuring.plan import Measurement
from ..measuring.systems import Loadable, NotDownloaded, planned_system, recipe_shots
from ..models.references import require_obtainable
from ..prompts.render import render
from ..recipe.sections import Recipe
from ..records.run import Protocol
from ..records.system import Shot
from ..text.html_table import html_table
from ..training.adapter import TrainingPlan, remember_pace, request_path
from ..training.estimate import estimate
from ..training.launch import command, found_at
from ..training.trainer import TrainingEstimate
from .setup import Setup
from .train import Training

SHOWN_TOKENS = 24
"""Number of the prompt's first token ids that a preview shows."""


class Value(NamedTuple):
    """A value of the recipe."""

    key: str
    value: Any
    origin: str


class Expectation(Struct, frozen=True, kw_only=True):
    """What trainings would take."""

    estimate: TrainingEstimate | None = None
    """Of one of them."""
    unknown: str = ""
    """Why there is no estimate."""
    trainings: int = 1
    """The number of trainings, one after the other."""


class LaunchPreview(Struct, frozen=True, kw_only=True):
    """Which processes would train, and the command that starts those of one machine."""

    machines: int
    machine: int
    """The machine that the command is for; each of the others has its own number at `--machine_rank`."""
    processes: int
    """On all machines; the ranks of a machine follow those of the one before."""
    address: str | None
    """Where the first machine has to be found; None where there is only one."""
    command: list[str]
    request: str
    """The file that all machines have to see. It is there while the training runs."""


class Preview(Struct, frozen=True, kw_only=True):
    """What a run would do."""

    name: str
    """The values of the recipe."""
    recipe: list[Value]
    protocol: Protocol
    counts: dict[str, int]
    prompt: dict[str, str]
    """The first prompt and its tokens, or why it cannot be shown; empty where there is no prompt."""
    seeds: list[int] = []
    """The seeds, where there are several trainings."""
    expected: Expectation | None = None
    """What the trainings would take, where it was asked for."""
    problem: LiftbenchError | None = None
    """Why the run could not be made: its model cannot be had, or its prompt not be rendered. None where it could."""
    launch: LaunchPreview | None = None
    """How the training is launched, where several processes train."""
    options: dict[str, Any] = {}
    """The trainer's options, defaults included; empty where nothing is trained."""

    def __repr__(self) -> str:
        values = [f"{key} = {value!r} ({origin})" for key, value, origin in self._given()]
        options = [f"{key} = {value!r}" for key, value in self.options.items()]
        prompt = [f"{name}:\n{text}" for name, text in self.prompt.items()]
        return "\n\n".join(["\n".join(part) for part in (values, [self._counts()], options, prompt) if part])

    def _repr_html_(self) -> str:
        """In a notebook: the values that are not defaults, the counts, the trainer's options, and the first prompt."""
        values = [[key, repr(value), origin] for key, value, origin in self._given()]
        options = [[key, repr(value)] for key, value in self.options.items()]
        prompt = "".join(f"<p>{escape(name)}</p><pre>{escape(text)}</pre>" for name, text in self.prompt.items())
        tables = html_table([f"recipe {self.name}"], ["key", "value", "origin"], values)
        return tables + html_table([self._counts()], ["trainer's option", "value"], options) + prompt

    def _given(self) -> list[Value]:
        """The values that are not defaults, without those that only describe or gate."""
        changed = [value for value in self.recipe if value.origin != "default"]
        return [value for value in changed if not value.key.startswith(("description", "gates."))]

    def _counts(self) -> str:
        return ", ".join(f"{count} {name}" for name, count in self.counts.items())


def preview_baseline(setup: Setup, measurement: Measurement, shots: tuple[Shot, ...] | None = None) -> Preview:
    """Preview the untuned model's run; `shots` are the worked examples, where they are known already."""
    shots = recipe_shots(setup.recipe, setup.plugins) if shots is None else shots
    return preview_system(setup, measurement, lambda: planned_system(setup.recipe, shots))


def preview_trainings(trainings: Sequence[Training], measurement: Measurement) -> Preview:
    """Preview trainings that differ only in their seed."""
    setup, plan, _ = trainings[0]
    counts = {
        "training": len(plan.split.train),
        "validation (carved from training)": len(plan.split.validation),
        "left out of training (scored, or nearly)": plan.split.left_out,
    }
    found = preview_system(setup, measurement, lambda: planned_system(setup.recipe))
    seeds = [training.setup.recipe.seed for training in trainings] if len(trainings) > 1 else []
    options = msgspec.to_builtins(plan.options) or {}
    return msgspec.structs.replace(
        found, counts=found.counts | counts, seeds=seeds, launch=_launch(setup, plan), options=options
    )


def _launch(setup: Setup, plan: TrainingPlan) -> LaunchPreview | None:
    launch = setup.launch
    if launch is None:
        return None
    request = request_path(setup.runs, setup.recipe, plan)
    return LaunchPreview(
        machines=launch.machines,
        machine=launch.machine,
        processes=launch.processes,
        address=f"{found_at(launch)}:{launch.port}" if launch.machines > 1 else None,
        command=command(launch, request),
        request=str(request.resolve()),
    )


def expect_trainings(trainings: Sequence[Training]) -> Expectation:
    """What trainings that differ only in their seed would take, by a short calibration of the first one.

    Raises what the training itself would raise before its first steps.
    """
    setup, plan, _ = trainings[0]
    if setup.launch:
        return Expectation(unknown="one process cannot predict those of --launch", trainings=len(trainings))
    try:
        base = planned_system(setup.recipe)
    except LiftbenchError as error:
        return Expectation(unknown=error.line, trainings=len(trainings))
    with setup.feedback.bars([("", "passes")]) as (bar,):
        found = estimate(setup.recipe, plan, base, bar)
    if found:
        remember_pace(plan, base, found)
    unknown = "" if found else f"the trainer {plan.spec.name!r} cannot say it"
    return Expectation(estimate=found, unknown=unknown, trainings=len(trainings))


def require_model(recipe: Recipe) -> None:
    """Raise `UsageError` if the recipe's model cannot be had; nothing is downloaded."""
    try:
        require_obtainable(recipe.model.reference)
    except LiftbenchError as error:
        raise as_usage_error(error) from error


def preview_system(setup: Setup, measurement: Measurement, subject: Callable[[], Loadable] | None) -> Preview:
    """Preview the run of any system: `subject` finds the one whose prompt is shown; None where there is no prompt."""
    problem = None
    try:
        prompt = _first_prompt(setup, measurement, subject()) if subject else {}
    except NotDownloaded as error:
        prompt = {"not rendered": error.line}
    except LiftbenchError as error:
        prompt, problem = {"not rendered": error.line}, error
    values = msgspec.to_builtins(setup.recipe)
    scored = [measurement.conversations[id_] for id_ in measurement.scored]
    return Preview(
        name=setup.resolved.name,
        recipe=[Value(key, _value(values, key), origin) for key, origin in sorted(setup.resolved.origins.items())],
        protocol=measurement.protocol,
        counts={
            "split": len(measurement.conversations),
            "scored": len(scored),
            "references": sum(len(conversation.references) for conversation in scored),
        },
        prompt=prompt,
        problem=problem,
    )


def _first_prompt(setup: Setup, measurement: Measurement, subject: Loadable) -> dict[str, str]:
    assert subject.system.prompt is not None
    backend = find_backend(subject.system.backend or setup.recipe.model.backend, setup.plugins)
    tokenizer = backend.open_tokenizer(subject.tokenizer or subject.model)
    conversation = measurement.conversations[measurement.scored[0]]
    prompt = render(subject.system.prompt, conversation, tokenizer, setup.recipe.generation.max_input_tokens)
    return {
        f"prompt of conversation {conversation.id}": prompt.text,
        "tokens": f"{len(prompt.token_ids)}: {' '.join(map(str, prompt.token_ids[:SHOWN_TOKENS]))} …",
    }


def _value(values: dict[str, Any], key: str) -> Any:
    for part in key.split("."):
        values = values[part]
    return values
