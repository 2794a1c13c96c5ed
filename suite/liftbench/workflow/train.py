"""Training adapters: the run's key and its seed group, then the score by the same harness."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Unpack, overload

from msgspec.structs import replace

from ..errors import UsageError
from ..files import digest
from ..measuring.generate import find_backend, require_room, require_rules
from ..measuring.harness import new_manifest
from ..measuring.plan import Measurement, prepare
from ..measuring.systems import Loadable, untuned
from ..models.references import context_length, resolve
from ..progress import Progress
from ..runs.directory import Run
from ..runs.open_run import OpenRun, open_run
from ..training.adapter import TrainingPlan, is_trained, plan_training
from ..training.adapter import train as run_trainer
from ..training.launch import parse_launch, require_first_machine, require_launchable
from .announcement import describe_training
from .measure import announce_run, finish_run, say_problems, scored
from .setup import RunOptions, Setup, setup_for_call

# ----------------------------------------------------------------------------------------------------------- public


@overload
def train(
    recipe: str | Path | None = None,
    *,
    plugin: str | None = None,
    seeds: None = None,
    score: bool = True,
    launch: int | str | Path | None = None,
    **options: Unpack[RunOptions],
) -> Run: ...


@overload
def train(
    recipe: str | Path | None = None,
    *,
    plugin: str | None = None,
    seeds: int,
    score: bool = True,
    launch: int | str | Path | None = None,
    **options: Unpack[RunOptions],
) -> list[Run]: ...


def train(
    recipe: str | Path | None = None,
    *,
    plugin: str | None = None,
    seeds: int | None = None,
    score: bool = True,
    launch: int | str | Path | None = None,
    **options: Unpack[RunOptions],
) -> Run | list[Run]:
    """Train an adapter for a recipe's model through a trainer plugin and score it, as `bench train` does.

    A training that was stopped continues from its newest checkpoint; a finished one is reused.

    Parameters:
        recipe: A shipped recipe by name, or the path of a TOML file (default: `smollm2-135m`, or
            `helpdesk` where TweetSumm is not at hand).
        plugin: Name of the trainer plugin, for example `qlora` (default: the recipe's).
        seeds: Train this many adapters, with the recipe's seed and those that follow it, each in its own run.
        score: Measure each adapter after its training; without it the runs stay unscored (`status` is `trained`).
        launch: Train in several processes: their number, or a configuration of accelerate.
        **options: See `RunOptions`: `model`, `backend`, `dataset`, `data_dir`, `split`, `limit`, `seed`, `metrics`,
            `settings`, `runs`, `fresh`, `plugins`, `progress`, `say`.

    Returns:
        The run, whose folder `run.adapter` holds the adapter; with `seeds` a list of runs in the order of their seeds.

    Raises:
        UsageError: The recipe, an option or the data are wrong, or the trainer does not take its options.
        PrerequisiteError: A model, a data set or a package is missing.
        RunFailed: The training could not be finished; the same call continues it.

    Example:
        >>> runs = liftbench.train("helpdesk", plugin="qlora", seeds=3)  # doctest: +SKIP
    """
    if seeds is not None and seeds < 1:
        raise UsageError(f"seeds must be at least 1, not {seeds}")
    setup = with_launch(setup_for_call("train", recipe, options, plugin), launch)
    measurement = prepare(setup.resolved, setup.plugins)
    runs = train_adapters(plan_trainings(setup, measurement, seeds or 1), measurement, score=score)
    say_problems(setup.plugins, setup.feedback.say)
    return runs[0] if seeds is None else runs


# ------------------------------------------------------------------------------------------------------------- work


class Training(NamedTuple):
    """One of several trainings that differ only in their seed."""

    setup: Setup
    plan: TrainingPlan
    title: str
    """What distinguishes it from the others; empty for the only one."""


def with_launch(setup: Setup, launch: int | str | Path | None) -> Setup:
    """The same setup, with the processes that `launch` names. Raises `UsageError` where it names none."""
    return setup if launch is None else replace(setup, launch=parse_launch(str(launch)))


def plan_trainings(setup: Setup, measurement: Measurement, seeds: int) -> list[Training]:
    """A training for each of `seeds` seeds, from the recipe's on; everything is checked before the first one starts."""
    first = setup.recipe.seed
    trainings = []
    for number in range(seeds):
        one = setup.with_seed(first + number)
        title = f"seed {first + number} ({number + 1} of {seeds})" if seeds > 1 else ""
        trainings.append(Training(one, plan_training(one.recipe, measurement, one.plugins), title))
    if setup.launch:
        require_launchable(trainings[0].plan.trainer, trainings[0].plan.spec.name)
    return trainings


def train_adapters(trainings: Sequence[Training], measurement: Measurement, *, score: bool) -> list[Run]:
    """The runs of some trainings: trained, and measured if `score` is true, unless that is done already."""
    runs = []
    if launch := trainings[0].setup.launch:
        require_first_machine(launch)
    for number, (setup, plan, title) in enumerate(trainings):
        stages = [(f"{title} training".strip(), "steps"), (f"{title} scoring".strip(), "conversations")]
        with (
            _name_failure(title, setup),
            setup.feedback.bars(stages) as (steps, scoring),
            open_training(setup, measurement, plan, steps, len(trainings) - number) as (run, subject),
        ):
            runs.append(finish_run(run, measurement, subject, setup, scoring) if score else Run(run.folder))
    return runs


@contextmanager
def open_training(
    setup: Setup, measurement: Measurement, plan: TrainingPlan, progress: Progress, trainings: int = 1
) -> Iterator[tuple[OpenRun, Loadable]]:
    """Open the run of a training (continued, reused or new) for scoring, with its adapter as a system.

    `trainings` is the number of trainings like this one that follow each other, this one included.
    """
    recipe = setup.recipe
    model = resolve(recipe.model.reference)
    # Checked before the training, not when the adapter is scored, which would waste a training.
    require_room(recipe, context_length(model.path), model.name)
    require_rules(recipe, setup.plugins)
    precision = plan.trainer.base_precision(plan.options)
    find_backend(recipe.model.backend, setup.plugins).check_precision(precision)
    base = untuned(recipe, model)
    system = replace(base.system, name=f"{model.name}+{plan.spec.name}", precision=precision)
    # The protocol is part of the seed group, since a limit on the scored conversations makes another measurement; its
    # metrics are not, as they are not part of a run's key either.
    family = digest(plan.family, system, replace(measurement.protocol, metrics={}))
    manifest = new_manifest(
        "train", system, measurement, setup.resolved, argv=setup.argv, extra_key=plan.key, family=family
    )
    with open_run(manifest, scored(measurement), setup.runs, fresh=setup.fresh) as run:
        announce_run(run, manifest, setup)
        if not is_trained(run.folder):
            setup.feedback.say(describe_training(setup, plan, system, trainings))
        yield run, run_trainer(run, plan, base, model, progress, setup.launch)


@contextmanager
def _name_failure(title: str, setup: Setup) -> Iterator[None]:
    """Say which training an error belongs to, where there are several."""
    try:
        yield
    except Exception:
        if title:
            setup.feedback.say(f"{title} failed; the same command continues with it")
        raise
