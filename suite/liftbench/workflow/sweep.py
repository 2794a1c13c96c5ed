"""A sweep over a trainer's options: every trial under the sweep's folder, and the best one's recipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Unpack

from msgspec.structs import replace

from ..errors import RunFailed, UsageError
from ..files import append_lines, digest, recover_lines, write_text, writing
from ..measuring.generate import require_room, require_rules
from ..measuring.plan import Measurement, prepare
from ..measuring.systems import Loadable, untuned
from ..models.references import context_length, resolve
from ..recipe.resolve import recipe_text
from ..recipe.rewrite import rewrite
from ..records.sweep import Sweep, SweepTrial
from ..runs.lock import hold_lock
from ..runs.open_run import now, slug
from ..text.phrases import exact_duration, join_words, pluralize, rough_duration, value_words
from ..training.sweep import LOSS, SweepPlan, best_trial, clean, plan_sweep, try_next
from .setup import RunOptions, Setup, setup_for_call

TRIALS = 12
"""How many trials a sweep makes if nobody says it."""

MARK = "by bench sweep"
FOUND = "# Found by `bench sweep`"
"""How a recipe begins that a sweep wrote; no other file is replaced."""

# ----------------------------------------------------------------------------------------------------------- public


def sweep(
    recipe: str | Path | None = None,
    *,
    plugin: str | None = None,
    trials: int = TRIALS,
    params: Mapping[str, str] | Sequence[str] = (),
    by: str = LOSS,
    conversations: int | None = None,
    out: str | Path | None = None,
    **options: Unpack[RunOptions],
) -> Sweep:
    """Search a trainer's options on development data, as `bench sweep` does, and write the best ones as a recipe.

    All conversations are from the training split: one part is trained on, the other one compares the trials. A sweep
    that was stopped continues; more trials continue a finished one.

    Parameters:
        recipe: A shipped recipe by name, or the path of a TOML file (default: `smollm2-135m`, or
            `helpdesk` where TweetSumm is not at hand).
        plugin: Name of the trainer plugin, for example `lora` (default: the recipe's).
        trials: The number of trainings, those of an earlier call included.
        params: The options to vary: `{"train.options.learning_rate": "1e-4..3e-3:log", "train.options.rank": "8,16"}`
            (default: what the trainer suggests).
        by: What the trials are compared by: `loss`, or a metric of the texts for the development conversations.
        conversations: Use only this many conversations of the training split (default: the recipe's `train.limit`).
        out: Where to write the recipe (default: `recipe.toml` in the sweep's folder).
        **options: See `RunOptions`: `model`, `backend`, `dataset`, `data_dir`, `split`, `seed`, `settings`, `runs`,
            `fresh`, `plugins`, `progress`, `say`; `limit` and `metrics`, which change no trial, go into the recipe.

    Returns:
        All trials, the number of the best one, and the path of its recipe.

    Raises:
        UsageError: The recipe, an option or the data are wrong, or the trainer has no such option.
        PrerequisiteError: A model, a data set or a package is missing.
        RunFailed: No trial could be trained.

    Example:
        >>> found = liftbench.sweep("helpdesk", trials=6)  # doctest: +SKIP
        >>> liftbench.train(found.recipe)  # doctest: +SKIP
    """
    setup = setup_for_call("sweep", recipe, options, plugin)
    texts = [f"{key}={values}" for key, values in params.items()] if isinstance(params, Mapping) else params
    plan = plan_for(setup, params=texts, by=by, conversations=conversations)
    return run_sweep(setup, plan, trials=trials, out=None if out is None else Path(out))


# ------------------------------------------------------------------------------------------------------------- work


def plan_for(setup: Setup, *, params: Sequence[str], by: str, conversations: int | None) -> SweepPlan:
    """Decide a sweep; of the scored split only the conversations are read, to leave out what resembles them."""
    resolved, recipe = setup.resolved, setup.recipe
    metrics = replace(recipe.metrics, names=("rougeL" if by == LOSS else by,), extra=(), checkers=())
    measured = replace(resolved, recipe=replace(recipe, metrics=metrics))
    measurement: Measurement = prepare(measured, setup.plugins)
    return plan_sweep(recipe, measurement, setup.plugins, params=params, by=by, conversations=conversations)


def run_sweep(setup: Setup, plan: SweepPlan, *, trials: int, out: Path | None) -> Sweep:
    """Make the trials that are missing, and write the recipe of the best one."""
    if trials < 1:
        raise UsageError(f"trials must be at least 1, not {trials}")
    if out is not None:
        _require_free(out)
    # Read now: the file may be another one when the trials are done.
    text = recipe_text(setup.resolved.name)
    model = resolve(setup.recipe.model.reference)
    require_room(setup.recipe, context_length(model.path), model.name)
    require_rules(setup.recipe, setup.plugins)
    base = untuned(setup.recipe, model)
    with _open(setup, plan, base) as folder:
        done = recover_lines(folder / "trials.jsonl", SweepTrial)
        if done:
            setup.feedback.say(f"continuing {folder} after {pluralize(len(done), 'trial')} (--fresh starts over)")
        else:
            setup.feedback.say(f"sweep {folder}")
        clean(folder, done)
        while len(done) < trials:
            with setup.feedback.bars([(f"trial {len(done) + 1} of {trials}", "steps")]) as (progress,):
                trial = try_next(plan, done, folder, base, model, setup.plugins, progress)
            if trial is None:
                setup.feedback.say("every combination of the values was tried")
                break
            done.append(trial)
            append_lines(folder / "trials.jsonl", [trial])
            clean(folder, [trial])
            setup.feedback.say(_describe(plan, done, trials))
        best = best_trial(plan, done)
        if best is None:
            raise RunFailed(
                f"none of {pluralize(len(done), 'trial')} could be trained: {done[0].problem}",
                "Vary other values with --param.",
            )
        path = out or folder / "recipe.toml"
        write_text(path, rewrite(text, setup.resolved, best.options, len(done), _head(setup, plan, done, best), MARK))
    return Sweep(
        folder=str(folder),
        recipe=str(path),
        by=plan.by,
        best=best.number,
        trials=done,
        split=setup.recipe.data.train_split,
        training=len(plan.training.split.train),
        development=len(plan.training.split.validation),
    )


@contextmanager
def _open(setup: Setup, plan: SweepPlan, base: Loadable) -> Iterator[Path]:
    """The sweep's folder: the newest of this very sweep, or a new one. Its lock is held meanwhile."""
    key = digest(plan.key, base.system)
    name = f"sweep-{slug(base.system.name)}-{slug(Path(setup.recipe.data.dataset).name)}-{key[:8]}"
    with hold_lock(setup.runs / f".{name}.lock", "this sweep"):
        number = 1
        while (setup.runs / _numbered(name, number + 1)).exists():
            number += 1
        if setup.fresh and (setup.runs / _numbered(name, number)).exists():
            number += 1
        folder = setup.runs / _numbered(name, number)
        with writing(folder):
            folder.mkdir(exist_ok=True)
        yield folder


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"


def _require_free(path: Path) -> None:
    """Raise `UsageError`, before hours of work, if a path has a file that no sweep wrote."""
    if path.is_dir() or (path.exists() and not path.read_bytes().startswith(FOUND.encode())):
        raise UsageError(f"{path} is there already, and was not written by a sweep", "Choose another --out.")


# ---------------------------------------------------------------------------------------------------------- in words


def option_words(options: Mapping[str, Any]) -> str:
    """Some options and their values."""
    return ", ".join(f"{name} {value_words(value)}" for name, value in options.items())


def _describe(plan: SweepPlan, done: Sequence[SweepTrial], trials: int) -> str:
    trial = done[-1]
    found = {
        "complete": f"{plan.by} {trial.value:.4f}" if trial.value is not None else "",
        "pruned": "stopped, worse than the median at this point",
        "failed": f"failed: {trial.problem}",
    }[trial.state]
    taken = exact_duration(trial.seconds)
    line = f"trial {trial.number} of {trials}: {found} after {taken} ({option_words(trial.options)})"
    left = trials - len(done)
    if left:
        mean = sum(one.seconds for one in done) / len(done)
        line += f"; {rough_duration(mean * left)} left"
    return line


def _head(setup: Setup, plan: SweepPlan, done: Sequence[SweepTrial], best: SweepTrial) -> list[str]:
    """The lines of comment on top of the recipe."""
    split = plan.training.split
    counts = {state: sum(trial.state == state for trial in done) for state in ("complete", "pruned", "failed")}
    states = join_words([f"{count} {state}" for state, count in counts.items() if count])
    data = setup.recipe.data
    return [
        f"{FOUND.removeprefix('# ')} on {now()[:10]}, from the recipe {setup.resolved.name}.",
        f"Trial {best.number} of {len(done)} ({states}) is the best, with {plan.by} {best.value:.4f}.",
        f"Each was trained on {pluralize(len(split.train), 'conversation')} of the split {data.train_split!r}, and "
        f"compared on {pluralize(len(split.validation), 'other one')} of it.",
        f"No trial was compared on the split {data.split!r}.",
        "Varied:",
        *(f"  {name}: {values}" for name, values in plan.space.items()),
    ]
