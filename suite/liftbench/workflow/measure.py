"""Measuring a system: a run's key decides whether it is new, continued or reused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, Unpack

from msgspec.structs import replace

from ..errors import UsageError
from ..extension.loader import Plugins
from ..measuring.generate import require_generable
from ..measuring.harness import is_measured, measure, measure_texts, new_manifest
from ..measuring.one_base import one_base
from ..measuring.plan import Measurement, prepare
from ..measuring.shards import measure_shard, parse_shard, shard_of
from ..measuring.systems import Loadable, recipe_shots, resolve_system, untuned, with_best_prompt
from ..measuring.texts import Texts, encode_texts, parse_texts, read_texts
from ..models.adapters import read_rows
from ..models.references import resolve
from ..progress import Progress
from ..prompt_search.plan import TuningPlan, plan_tuning
from ..prompt_search.search import search
from ..records.conversation import Conversation
from ..records.run import DecodingRules, Manifest
from ..records.system import System
from ..runs.directory import Run, find_run
from ..runs.open_run import OpenRun, open_run
from ..runs.sums import changed_files
from ..stored_rows import Selected
from ..text.phrases import join_words
from ..training.adapter import copy_rows
from .feedback import Say
from .setup import RUNS, RunOptions, Setup, setup_for_call

# ----------------------------------------------------------------------------------------------------------- public


def baseline(recipe: str | Path | None = None, *, tune: bool = False, **options: Unpack[RunOptions]) -> Run:
    """Measure the untuned model of a recipe, as `bench baseline` does.

    An existing run is reused, and one that was stopped is continued.

    Parameters:
        recipe: A shipped recipe by name, or the path of a TOML file (default: `smollm2-135m`, or
            `helpdesk` where TweetSumm is not at hand).
        tune: Search for the best prompt on development data (`[tune]` in the recipe), and measure that one.
        **options: See `RunOptions`: `model`, `backend`, `dataset`, `data_dir`, `split`, `limit`, `seed`, `metrics`,
            `settings`, `runs`, `fresh`, `plugins`, `progress`, `say`.

    Returns:
        The complete run: `run.summary` has the means and intervals, `run.predictions` the summaries.

    Raises:
        UsageError: The recipe, an option or the data are wrong.
        PrerequisiteError: A model, a data set or a package is missing.
        RunFailed: The run could not be finished; the same call continues it.

    Example:
        >>> run = liftbench.baseline("helpdesk", limit=20, settings={"generation.batch_size": 8})  # doctest: +SKIP
    """
    setup = setup_for_call("baseline", recipe, options)
    measurement = prepare(setup.resolved, setup.plugins)
    if tune:
        run = measure_best_prompt(setup, measurement, plan_tuning(setup.recipe, measurement, setup.plugins))
    else:
        run = measure_baseline(setup, measurement)
    say_problems(setup.plugins, setup.feedback.say)
    return run


def score(
    system: str | Path | Run | None = None,
    recipe: str | Path | None = None,
    *,
    predictions: str | Path | Mapping[str, str] | None = None,
    name: str | None = None,
    precision: str | None = None,
    allow_mismatch: bool = False,
    **options: Unpack[RunOptions],
) -> Run:
    """Measure any model or adapter under a recipe, or score texts made elsewhere, as `bench score` does.

    Parameters:
        system: A model reference, the folder of an adapter, or a run (as an object, a folder or an id). An adapter is
            scored on the base and in the precision that it was trained on.
        recipe: A shipped recipe by name, or the path of a TOML file (default: `smollm2-135m`, or
            `helpdesk` where TweetSumm is not at hand).
        predictions: Texts to score instead of a system: a file of JSON Lines `{"id": …, "text": …}`, the log of another
            program (see `docs/foreign-predictions.md`), or a mapping from conversation ids to texts.
        name: What to call these texts (default: the file's name without its ending, or `predictions`).
        precision: Precision of the base model (default: that of the adapter's training, or the recipe's).
        allow_mismatch: Score an adapter on another base or in another precision than its own; the run says so.
        **options: See `RunOptions`: `model`, `backend`, `dataset`, `data_dir`, `split`, `limit`, `seed`, `metrics`,
            `settings`, `runs`, `fresh`, `plugins`, `progress`, `say`.

    Returns:
        The complete run.

    Raises:
        UsageError: Both or neither of `system` and `predictions` are given; the recipe, an option or the data are
            wrong; the adapter does not fit its base; a text is missing.
        PrerequisiteError: A model, a data set or a package is missing.
        RunFailed: The run could not be finished; the same call continues it.

    Example:
        >>> texts = {"talk-1": "Customer reports …", "talk-2": "Customer asks …"}
        >>> run = liftbench.score(predictions=texts, dataset="data/support", name="rules")  # doctest: +SKIP
    """
    if (system is None) == (predictions is None):
        raise UsageError("give either a system (a model, an adapter's folder or a run) or predictions")
    if predictions is not None and (precision or allow_mismatch):
        raise UsageError("precision and allow_mismatch are for a system, not for predictions")
    setup = setup_for_call("score", recipe, options)
    measurement = prepare(setup.resolved, setup.plugins)
    if isinstance(predictions, Mapping):
        texts = parse_texts(encode_texts(predictions), "predictions", measurement)
        run = score_texts(setup, measurement, texts, name or "predictions")
    elif predictions is not None:
        path = Path(predictions)
        run = score_texts(setup, measurement, read_texts(path, measurement), name or path.stem)
    else:
        reference = str(system.folder) if isinstance(system, Run) else str(system)
        subject, parent = find_system(setup, reference, precision=precision, allow_mismatch=allow_mismatch)
        run = measure_subject(setup, measurement, subject, parent)
    say_problems(setup.plugins, setup.feedback.say)
    return run


def load_run(name: str | Path, *, runs: str | Path = RUNS) -> Run:
    """Load a run directory; its files are read when they are used.

    Parameters:
        name: The folder of the run, its id, or a part of its id that no other run has.
        runs: The folder of the run directories.

    Returns:
        The run, complete or not (`run.manifest.status`).

    Raises:
        UsageError: There is no such run, several ids have this part, or the run is damaged.

    Example:
        >>> run = liftbench.load_run("1a2b3c4d")  # doctest: +SKIP
    """
    return find_run(str(name), Path(runs))


# ------------------------------------------------------------------------------------------------------------- work


def measure_baseline(setup: Setup, measurement: Measurement, shard: str = "") -> Run:
    """The complete run of the recipe's untuned model, or one shard of it."""
    with setup.feedback.bars([("", "conversations")]) as (progress,):
        return measure_system(setup, "baseline", untuned_model(setup), measurement, progress, shard=shard)


def measure_best_prompt(setup: Setup, measurement: Measurement, plan: TuningPlan) -> Run:
    """The complete run of the untuned model with the best prompt that a search finds."""
    plain = untuned(setup.recipe, resolve(setup.recipe.model.reference), plan.shots[: setup.recipe.prompt.shots])
    assert plain.system.prompt is not None
    require_generable(plain, setup.recipe, setup.plugins)
    # The plain prompt stands in for the best one, which is not known yet: with the plan it determines which prompt is
    # found.
    system = with_best_prompt(plain, plain.system.prompt).system
    manifest = new_manifest("baseline", system, measurement, setup.resolved, argv=setup.argv, extra_key=plan.key)
    manifest = replace(manifest, tuned=True)
    stages = [("search", "conversations"), ("scoring", "conversations")]
    with (
        setup.feedback.bars(stages) as (searching, scoring),
        open_run(manifest, scored(measurement), setup.runs, fresh=setup.fresh) as run,
        one_base(),
    ):
        announce_run(run, manifest, setup)
        subject = search(run, plan, plain, measurement, setup.plugins, searching)
        return finish_run(run, measurement, subject, setup, scoring)


def untuned_model(setup: Setup) -> Loadable:
    """The recipe's untuned model with the recipe's prompt."""
    shots = recipe_shots(setup.recipe, setup.plugins)
    return untuned(setup.recipe, resolve(setup.recipe.model.reference), shots)


def find_system(
    setup: Setup, name: str, *, precision: str | None = None, allow_mismatch: bool = False
) -> tuple[Loadable, str | None]:
    """The system that a user names, and the id of the run that it came from (see `resolve_system`)."""
    return resolve_system(
        name,
        setup.recipe,
        setup.runs,
        shots=recipe_shots(setup.recipe, setup.plugins),
        base=setup.requested_model,
        precision=precision,
        allow_mismatch=allow_mismatch,
        plugins=setup.plugins,
    )


def measure_subject(
    setup: Setup, measurement: Measurement, subject: Loadable, parent: str | None, shard: str = ""
) -> Run:
    """The complete run of a named system, or one shard of it; `parent` is the id of the run that it came from."""
    with setup.feedback.bars([("", "conversations")]) as (progress,):
        return measure_system(setup, "score", subject, measurement, progress, parent, shard=shard)


def measure_subjects(
    setup: Setup, measurement: Measurement, subjects: Sequence[tuple[Loadable, str | None]]
) -> Iterator[Run]:
    """The complete run of each named system, in order; a base that several share is loaded once."""
    with one_base():
        for subject, parent in subjects:
            yield measure_subject(setup, measurement, subject, parent)


def measure_system(
    setup: Setup,
    command: Literal["baseline", "score"],
    subject: Loadable,
    measurement: Measurement,
    progress: Progress,
    parent: str | None = None,
    *,
    shard: str = "",
) -> Run:
    """The complete run of a system, or the texts of one shard (`2/4`) of it: continued, reused or new."""
    part = shard_of(measurement, *parse_shard(shard)) if shard else measurement
    require_generable(subject, setup.recipe, setup.plugins)
    manifest = new_manifest(
        command,
        subject.system,
        measurement,
        setup.resolved,
        argv=setup.argv,
        parent=parent,
        shard=shard,
        notes=subject.notes,
    )
    rows = read_rows(subject.trained) if subject.trained else None
    # A shard has its own conversations alone: many shards of a long split would copy it as often.
    with open_run(manifest, scored(part), setup.runs, fresh=setup.fresh) as run:
        announce_run(run, manifest, setup)
        if rows is not None:
            copy_rows(run, rows)
        if shard:
            return measure_shard(run, part, subject, setup.plugins, progress)
        return finish_run(run, measurement, subject, setup, progress)


def score_texts(setup: Setup, measurement: Measurement, texts: Texts, name: str) -> Run:
    """The complete run of texts made elsewhere."""
    system = System(kind="predictions", name=name, file_sha256=texts.sha256, generation_verified=False)
    rules = setup.recipe.generation.rules
    notes = (
        [f"whether these texts follow the decoding rules ({rules.signature}) is not known"]
        if rules != DecodingRules()
        else []
    )
    notes += texts.notes
    manifest = new_manifest("score", system, measurement, setup.resolved, argv=setup.argv, notes=notes)
    with open_run(manifest, scored(measurement), setup.runs, fresh=setup.fresh) as run:
        announce_run(run, manifest, setup)
        if is_measured(run, measurement):
            return Run(run.folder)
        with setup.feedback.bars([("", "texts")]) as (progress,):
            return measure_texts(run, measurement, texts.by_id, setup.plugins, progress)


def finish_run(run: OpenRun, measurement: Measurement, subject: Loadable, setup: Setup, progress: Progress) -> Run:
    """The complete run, measured now unless it is complete already."""
    if is_measured(run, measurement):
        return Run(run.folder)
    return measure(run, measurement, subject, setup.plugins, progress)


def announce_run(run: OpenRun, manifest: Manifest, setup: Setup) -> None:
    """Say whether the run is new, continued or reused, and let observers know."""
    say = setup.feedback.say
    if run.manifest.status == "shard":
        say(f"already made: shard {run.manifest.shard} in {run.folder} (--fresh makes it again)")
        return
    if run.manifest.status == "complete":
        if changed := changed_files(run.folder, run.manifest):
            say(f"not what the run was completed with: {join_words(changed)}")
        same = run.manifest.protocol == manifest.protocol and not changed
        say(
            f"already measured: {run.folder} (--fresh measures again)" if same else f"scoring the texts of {run.folder}"
        )
        return
    if run.manifest.id == manifest.id and run.manifest.created == manifest.created:
        say(f"run {run.folder}")
    else:
        say(f"continuing {run.folder} (--fresh starts over)")
    setup.plugins.notify("bench_run_started", manifest=run.manifest, folder=run.folder)


def scored(measurement: Measurement) -> Sequence[Conversation]:
    """The conversations that are scored."""
    return Selected(measurement.conversations, measurement.scored)


def say_problems(plugins: Plugins, say: Say) -> None:
    """Say which plugins could not be loaded, and why."""
    for problem in plugins.problems:
        say(f"warning: plugin {problem.plugin}: {problem.reason}")
