"""Trials of a sweep over a trainer's options: what to try next, one training, and what it is compared by.

Optuna proposes the options (TPE, Bergstra et al. 2011) and says when to stop a trial (its median rule). A proposal
depends only on the seed, the trial's number and the trials before it, so a sweep that was stopped goes on as it would
have. All conversations are from the training split: the scored split is only read to leave out what resembles it.
"""

from __future__ import annotations

import gc
import math
import shutil
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from ..errors import RunFailed, UsageError, require_packages
from ..extension.loader import Plugins
from ..files import digest, read_record, recover_lines, write_atomic
from ..measuring.generate import batches, generate_batch, open_backend
from ..measuring.plan import Measurement, restrict
from ..measuring.score import score
from ..measuring.systems import Loadable, with_adapter
from ..models.references import ResolvedModel
from ..progress import Progress
from ..recipe.sections import Recipe
from ..records.conversation import Scalar
from ..records.sweep import SweepTrial
from ..records.training import CurvePoint
from .adapter import Curve, TrainingPlan, plan_training, train_request
from .search_space import Choices, Range, Space, chosen_space, default_space
from .trainer import TrainResult

LOSS = "loss"
"""The validation loss of the checkpoint that becomes the adapter: what trials are compared by if by no metric."""

RANDOM = 5
"""The first trials are drawn at random; from then on the results of earlier ones guide the choice."""

UNPRUNED = 3
"""This number of trials must be complete before one is stopped."""

QUARTERS = 4
"""Losses are compared at the nearest quarter of the training: by the number of steps, long trainings would lose, as
their learning rate is still high."""

CURVE = "curve.jsonl"
LOSSES = "losses.json"

DRAWS = 200
"""The most proposals that are drawn until one is new; if none of them is, everything counts as tried."""


class SweepPlan(Struct, frozen=True, kw_only=True):
    """A sweep that is fully decided, but has not begun."""

    recipe: Recipe
    """The recipe, with the number of conversations that the sweep may use."""
    training: TrainingPlan
    """The training with the recipe's own options."""
    space: Space
    by: str
    """`loss`, or the name of a metric of the texts that are generated for the development conversations."""
    direction: Literal["lower", "higher"]
    """Which values are better."""
    measurement: Measurement
    """The development conversations, and the metric."""
    key: str
    """Hash of everything that the trials depend on, apart from the base and the prompt."""

    @property
    def own(self) -> dict[str, Scalar]:
        """The recipe's own values, which are the first trial; empty if the space does not hold them."""
        values = {name: getattr(self.training.options, name) for name in self.space}
        return values if all(self.space[name].holds(value) for name, value in values.items()) else {}


def plan_sweep(
    recipe: Recipe,
    measurement: Measurement,
    plugins: Plugins,
    *,
    params: Sequence[str],
    by: str,
    conversations: int | None,
) -> SweepPlan:
    """Choose the conversations and the space. Raises `UsageError`, as `plan_training` does.

    `params` are texts such as `train.options.rank=8,16,32`; the trainer's own space is taken where there are none. `by`
    is `loss`, or the measurement has the one metric that it names.
    """
    require_packages(["optuna", "tomlkit"], "a sweep", "liftbench[train]")
    if conversations is not None:
        recipe = replace(recipe, train=replace(recipe.train, limit=conversations))
    training = plan_training(recipe, measurement, plugins)
    options = recipe.train.options
    if params:
        space = chosen_space(params, training.spec, options, plugins)
    else:
        space = default_space(training.trainer.search_space, training.spec, options, plugins)
    metrics = [] if by == LOSS else measurement.metrics
    if metrics and metrics[0].direction == "neither":
        raise UsageError(
            f"{by} only describes texts: neither its low nor its high values are better", "Compare texts: --by rougeL."
        )
    return SweepPlan(
        recipe=recipe,
        training=training,
        space=space,
        by=metrics[0].name if metrics else LOSS,
        direction="higher" if metrics and metrics[0].direction == "higher" else "lower",
        measurement=restrict(measurement, training.split.validation, metrics, recipe.generation.batch_size),
        key=digest(training.key, space, [(metric.signature, recipe.generation) for metric in metrics]),
    )


def best_trial(plan: SweepPlan, trials: Sequence[SweepTrial]) -> SweepTrial | None:
    """The complete trial with the best value, the earliest among equals; None if none is complete."""
    sign = 1 if plan.direction == "lower" else -1
    complete = [(sign * trial.value, trial.number, trial) for trial in trials if trial.value is not None]
    return min(complete)[2] if complete else None


def try_next(
    plan: SweepPlan,
    before: Sequence[SweepTrial],
    folder: Path,
    base: Loadable,
    model: ResolvedModel,
    plugins: Plugins,
    progress: Progress,
) -> SweepTrial | None:
    """Make the trial after those `before`, or continue it where it was stopped; None if all options were tried.

    A trial that cannot be trained is recorded as failed, unless it is the first one with the recipe's own options,
    whose error is raised.
    """
    proposed = _propose(plan, before)
    if proposed is None:
        return None
    trial, values = proposed
    number = len(before) + 1
    place = folder / f"trial-{number:03}"
    began = time.monotonic()

    def ended(state: Literal["complete", "pruned", "failed"], **more: Any) -> SweepTrial:
        spent: dict[str, Any] = {"seconds": time.monotonic() - began, **more}
        return SweepTrial(number=number, options=values, state=state, losses=watch.losses, **spent)

    watch = _Watch(trial, place, progress)
    try:
        options = plugins.options(plan.training.spec, {**plan.recipe.train.options, **values})
        watch.begin(options)
        request = train_request(
            plan.recipe, replace(plan.training, options=options), base, place, watch.record, watch.progress
        )
        result = plan.training.trainer.train(request)
        value = _value(plan, place, result, model, plugins)
        if not math.isfinite(value):
            return ended("failed", problem=f"the {plan.by} became {value}")
        return ended("complete", value=value, steps=result.summary.steps, seconds=result.summary.seconds)
    except Pruned:
        return ended("pruned")
    except (UsageError, RunFailed) as error:
        # A full disk or a program that is missing is no fault of the options: once mended, the trial is made again.
        of_the_machine = isinstance(error.__cause__, OSError)
        if of_the_machine or (number == 1 and values == plan.own):
            raise
        return ended("failed", problem=error.line)
    finally:
        # A trainer's model may be held by circles of references, and the next one needs its memory.
        gc.collect()


def clean(folder: Path, trials: Sequence[SweepTrial]) -> None:
    """Delete the weights of trials that are done; their curves and options stay."""
    for trial in trials:
        for left in (folder / f"trial-{trial.number:03}").glob("*/"):
            shutil.rmtree(left)


# ---------------------------------------------------------------------------------------------------- what to try next


def _propose(plan: SweepPlan, before: Sequence[SweepTrial]) -> tuple[Any, dict[str, Scalar]] | None:
    distributions = {name: _distribution(values) for name, values in plan.space.items()}
    tried = [trial.options for trial in before]
    for draw in range(DRAWS):
        # After some draws of what was tried already, only chance finds what is left.
        study = _study(plan, before, distributions, draw, RANDOM if draw < DRAWS // 10 else sys.maxsize)
        first = {} if before else plan.own
        if first:
            study.enqueue_trial(first)
        trial = study.ask(distributions)
        values = first or {name: plan.space[name].readable(trial.params[name]) for name in plan.space}
        if values not in tried:
            return trial, values
    return None


def _study(plan: SweepPlan, before: Sequence[SweepTrial], distributions: dict[str, Any], draw: int, random: int) -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    # A seed for each trial: one for the whole sweep would draw the first trials again after an interruption.
    seed = int(digest(plan.recipe.seed, len(before), draw)[:8], 16)
    study = optuna.create_study(
        direction="minimize" if plan.direction == "lower" else "maximize",
        sampler=optuna.samplers.TPESampler(n_startup_trials=random, seed=seed),
        # Losses on the way say nothing certain about a metric of the texts.
        pruner=optuna.pruners.MedianPruner(UNPRUNED) if plan.by == LOSS else optuna.pruners.NopPruner(),
    )
    states = {
        "complete": optuna.trial.TrialState.COMPLETE,
        "pruned": optuna.trial.TrialState.PRUNED,
        "failed": optuna.trial.TrialState.FAIL,
    }
    for trial in before:
        study.add_trial(
            optuna.trial.create_trial(
                state=states[trial.state],
                value=trial.value,
                params=trial.options,
                distributions=distributions,
                intermediate_values=trial.losses,
            )
        )
    return study


def _distribution(values: Range | Choices) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(values, Choices):
        return CategoricalDistribution(values.values)
    kind = IntDistribution if values.is_whole else FloatDistribution
    return kind(values.low, values.high, log=values.log)


# ----------------------------------------------------------------------------------------------------------- one trial


class Pruned(BaseException):
    """Ends a trial's training from within. Like Ctrl-C it is no `Exception`, which a trainer could catch and go on."""


class _Watch:
    """Keeps the curve of a trial, and ends its training where it is hopeless."""

    def __init__(self, trial: Any, place: Path, progress: Progress) -> None:
        self._trial = trial
        self._place = place
        self._curve = Curve(place / CURVE)
        self._progress = progress
        self._steps = 0
        self.losses: dict[int, float] = {}

    def begin(self, options: Any) -> None:
        """Make the trial's folder, or take up what an interruption left there; what another trial left is deleted."""
        path = self._place / "options.json"
        # By their JSON, in which a tuple is a list.
        if path.exists() and digest(read_record(path, dict[str, Any])) != digest(options):
            shutil.rmtree(self._place)
        write_atomic(path, options)
        if (self._place / LOSSES).exists():
            self.losses = read_record(self._place / LOSSES, dict[int, float])
        for quarter, loss in self.losses.items():
            self._trial.report(loss, quarter)
        self._stop_if_hopeless()

    def progress(self, done: int, total: int, message: str) -> None:
        self._steps = total
        self._progress(done, total, message)

    def record(self, point: CurvePoint) -> None:
        self._curve.record(point)
        loss = point.validation_loss
        if loss is None or not math.isfinite(loss) or not self._steps:
            return
        quarter = round(QUARTERS * point.step / self._steps)
        if 0 < quarter < QUARTERS and quarter not in self.losses:
            self.losses[quarter] = loss
            write_atomic(self._place / LOSSES, self.losses)
            self._trial.report(loss, quarter)
            self._stop_if_hopeless()

    def _stop_if_hopeless(self) -> None:
        """Raise `Pruned` if the median of the complete trials was better at the same quarter."""
        if self._trial.should_prune():
            raise Pruned


def _value(plan: SweepPlan, place: Path, result: TrainResult, model: ResolvedModel, plugins: Plugins) -> float:
    if plan.by != LOSS:
        return _mean_on_texts(plan, result, model, plugins)
    loss = result.summary.best_validation_loss
    if loss is not None:
        return loss
    points = recover_lines(place / CURVE, CurvePoint)
    losses = [point.validation_loss for point in points if point.validation_loss is not None]
    if not losses:
        raise UsageError(
            f"the trainer {plan.training.spec.name!r} reports no validation loss to compare trials by",
            "Compare texts: --by rougeL.",
        )
    return min(losses)


def _mean_on_texts(plan: SweepPlan, result: TrainResult, model: ResolvedModel, plugins: Plugins) -> float:
    """The mean of the metric over the texts that a result writes for the development conversations."""
    subject = with_adapter(plan.recipe, model, result.adapter, precision=result.precision, plugins=plugins)
    prompt = subject.system.prompt
    assert prompt is not None
    backend = open_backend(subject, plan.recipe, plugins)
    try:
        rows = [
            row
            for batch in batches(backend, plan.measurement.plan, plan.measurement.conversations.keys())
            for row in generate_batch(
                backend, [plan.measurement.conversations[id_] for id_ in batch], prompt, plan.recipe, []
            )
        ]
    finally:
        backend.close()
    values = [value for row in score(rows, plan.measurement) if (value := row.scores[plan.by]) is not None]
    return statistics.fmean(values) if values else math.nan
