"""Trains an adapter, or a base as a whole: what a trainer is given, and what is recorded about the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from ..data.similarity.fingerprints import split_fingerprint, training_row
from ..data.sources import cleaning, open_dataset, read_split
from ..data.splits import TrainingSplit, training_split
from ..errors import RunFailed, UsageError
from ..extension.loader import Plugins
from ..extension.registry import Spec
from ..files import append_lines, digest, read_lines, recover_lines, write_atomic, write_lines
from ..measuring.plan import Measurement
from ..measuring.systems import Loadable, with_adapter
from ..models.adapters import PROVENANCE, ROWS, adapter_sha256, seal
from ..models.references import ResolvedModel
from ..models.served import require_weights
from ..progress import Progress
from ..recipe.sections import Recipe
from ..records.training import CurvePoint, Provenance, TrainingRow, TrainingSummary
from ..runs.environment import versions
from ..runs.open_run import OpenRun, now
from ..runs.sums import TRAINED, file_sums
from .launch import Launch
from .launched import train_launched
from .pace import TrainingPace, count_characters, machine, note_pace
from .trainer import Trainer, TrainingEstimate, TrainRequest, TrainResult


class TrainingPlan(Struct, frozen=True, kw_only=True):
    """A training that is fully decided, but has not begun."""

    spec: Spec
    trainer: Trainer
    options: Any
    split: TrainingSplit
    key: str
    """Hash of everything that the adapter depends on, apart from the base and the prompt."""
    family: str
    """A similar hash that is equal for all seeds: it covers the training split and the rules of choice, not the chosen
    conversations."""


def plan_training(recipe: Recipe, measurement: Measurement, plugins: Plugins) -> TrainingPlan:
    """Choose the trainer, check its options, and choose the conversations; scored ones are left out.

    Raises `UsageError` for a prompt with a prefill, shots, stop texts or a word limit, because an adapter learns to
    write the whole summary.
    """
    require_weights(recipe.model.reference, "a training")
    for key in ("prefill", "shots", "stop", "max_words"):
        if getattr(recipe.prompt, key):
            raise UsageError(
                f"prompt.{key} is set, but an adapter is trained to write the whole summary after the plain prompt",
                f"Train without prompt.{key}.",
            )
    spec = plugins.find("trainer", recipe.train.plugin)
    options = plugins.options(spec, recipe.train.options)
    trainer: Trainer = plugins.load(spec)()
    # If the data set has no such split, reading it again raises the error that names its splits.
    training = measurement.training or read_split(
        open_dataset(recipe.data, plugins), recipe.data, recipe.data.train_split
    )
    split = training_split(
        training,
        # The whole split, even if `--limit` scores only a part of it: the adapter may be scored on the rest later.
        list(measurement.conversations.values()),
        limit=recipe.train.limit,
        validation_fraction=recipe.train.validation_fraction,
        seed=recipe.seed,
    )
    cleaned_by = cleaning(recipe.data)
    # Provenance tells the number, so that trainings with another one are others; without a sweep nothing is added.
    swept = [f"trials {recipe.train.trials}"] if recipe.train.trials else []
    key = digest(
        spec.name,
        spec.distribution,
        options,
        split_fingerprint(split.train, cleaned_by),
        split_fingerprint(split.validation, cleaned_by),
        recipe.seed,
        recipe.generation.max_input_tokens,
        *swept,
    )
    family = digest(
        spec.name,
        spec.distribution,
        options,
        split_fingerprint(training, cleaned_by),
        measurement.protocol.fingerprint,
        recipe.train.limit,
        recipe.train.validation_fraction,
        recipe.generation.max_input_tokens,
        *swept,
    )
    return TrainingPlan(spec=spec, trainer=trainer, options=options, split=split, key=key, family=family)


def train(
    run: OpenRun,
    plan: TrainingPlan,
    base: Loadable,
    model: ResolvedModel,
    progress: Progress,
    launch: Launch | None = None,
) -> Loadable:
    """Train, or continue an interrupted training, and return the adapter as a system to score.

    With `launch` several processes train together, which gives the same adapter but for rounding.

    Afterwards the run has `training/adapter` with its provenance, the curve, the options and the rows. The adapter's
    folder has the rows, too, so that a copy of it still shows what it was trained on.
    """
    folder = run.folder / "training"
    adapter = folder / "adapter"
    if not is_trained(run.folder):
        # The environment is recorded after the first step, when torch is loaded and its threads and GPU are known.
        record = Curve(folder / "curve.jsonl", run.record_environment).record
        request = train_request(run.recipe, plan, base, folder, record, progress)
        result = _call_trainer(run, plan, request, launch)
        if result.adapter != adapter:
            raise RunFailed(f"the trainer {plan.spec.name!r} left its adapter in {result.adapter}, not in {adapter}")
        _write_provenance(run, plan, base, model, result)
        write_atomic(folder / "summary.json", result.summary)
        if launch is None:
            remember_pace(plan, base, result.summary)
    subject = with_adapter(run.recipe, model, adapter)
    if run.manifest.status == "running":
        run.update(status="trained", system=subject.system, sums=run.manifest.sums | file_sums(run.folder, TRAINED))
    return subject


def is_trained(run: Path) -> bool:
    """Whether the training of a run is done."""
    return (run / "training" / "summary.json").exists()


def remember_pace(plan: TrainingPlan, base: Loadable, took: TrainingSummary | TrainingEstimate) -> None:
    """Keep how fast this machine trains, for the estimate before the next training."""
    size = plan.trainer.size(plan.options, len(plan.split.train))
    if size is None or not took.steps or base.system.model is None:
        return
    passed = round(size.conversations * min(1.0, took.steps / size.steps))
    note_pace(
        TrainingPace(
            trainer=plan.spec.name,
            base=base.system.model.sha256,
            machine=machine(),
            device=took.device or "unknown",
            characters=count_characters(plan.split.train, passed),
            seconds=took.seconds,
            peak_memory_bytes=took.peak_memory_bytes,
        )
    )


def request_path(runs: Path, recipe: Recipe | Mapping[str, Any], plan: TrainingPlan) -> Path:
    """Where a launched training's processes find their request: known before there is a run.

    It depends on the whole recipe, also as JSON, so that no two runs that are made at the same time share it.
    """
    return runs / f".{digest(plan.key, plan.family, recipe)[:16]}.launch.json"


def copy_rows(run: OpenRun, rows: Sequence[TrainingRow]) -> None:
    """Write the rows that an adapter was trained on into its run, unless the run already has them."""
    path = run.folder / "training" / ROWS
    if not path.exists():
        write_lines(path, rows)


def train_request(
    recipe: Recipe,
    plan: TrainingPlan,
    base: Loadable,
    folder: Path,
    record: Callable[[CurvePoint], None],
    progress: Progress,
) -> TrainRequest:
    """What the trainer of a plan is given, to train in a folder."""
    assert base.system.model is not None
    assert base.system.prompt is not None
    return TrainRequest(
        model=base.model,
        model_record=base.system.model,
        train=plan.split.train,
        validation=plan.split.validation,
        prompt=base.system.prompt,
        max_input_tokens=recipe.generation.max_input_tokens,
        max_new_tokens=recipe.generation.max_new_tokens,
        options=plan.options,
        seed=recipe.seed,
        folder=folder,
        record=record,
        progress=progress,
    )


class Curve:
    """Appends to `training/curve.jsonl`; after a resume, old points from the first new point's step on are dropped."""

    def __init__(self, path: Path, begun: Callable[[], None] = lambda: None) -> None:
        self._path = path
        self._begun = begun
        self._resumed = False

    def record(self, point: CurvePoint) -> None:
        if not self._resumed:
            kept = [old for old in recover_lines(self._path, CurvePoint) if old.step < point.step]
            write_lines(self._path, kept)
            self._resumed = True
            self._begun()
        append_lines(self._path, [point])


def _call_trainer(run: OpenRun, plan: TrainingPlan, request: TrainRequest, launch: Launch | None) -> TrainResult:
    write_atomic(request.folder / "options.json", plan.options)
    rows = [training_row(conversation, "train") for conversation in plan.split.train]
    rows += [training_row(conversation, "validation") for conversation in plan.split.validation]
    write_lines(request.folder / ROWS, rows)
    if plan.split.left_out:
        run.note(_left_out(plan.split))
    request.progress(0, 0, "loading the model and preparing the conversations")
    if launch is None:
        return plan.trainer.train(request)
    # The recipe that is asked for, as in a preview; the run may have been begun with other metrics.
    return train_launched(plan.spec, request, launch, request_path(run.folder.parent, run.requested.recipe, plan))


def _left_out(split: TrainingSplit) -> str:
    reasons = {
        "are in the scored split": split.left_out - split.nearly,
        "are nearly the same as one of it": split.nearly,
    }
    counted = " and ".join(f"{count} {reason}" for reason, count in reasons.items() if count)
    return f"{split.left_out} conversations of the training split were left out: {counted}"


def _write_provenance(
    run: OpenRun, plan: TrainingPlan, base: Loadable, model: ResolvedModel, result: TrainResult
) -> None:
    used = (*plan.split.train, *plan.split.validation)
    rows = read_lines(run.folder / "training" / ROWS, TrainingRow)
    provenance = Provenance(
        adapter_sha256=adapter_sha256(result.adapter),
        trainer=plan.spec.name,
        base=model.record,
        precision=result.precision,
        prompt=base.system.prompt,
        options=msgspec.to_builtins(plan.options),
        seed=run.recipe.seed,
        trials=run.recipe.train.trials or None,
        dataset=run.manifest.protocol.dataset,
        train_split=run.recipe.data.train_split,
        train_fingerprint=split_fingerprint(used, cleaning(run.recipe.data)),
        rows={row.id: row.sha256 for row in rows},
        run=run.manifest.id,
        family=run.manifest.family or None,
        packages=versions(),
        created=now(),
    )
    write_lines(result.adapter / ROWS, rows)
    write_atomic(result.adapter / PROVENANCE, seal(provenance))
