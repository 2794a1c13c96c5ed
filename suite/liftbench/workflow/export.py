"""Exporting what a run trained: written, compared with what was scored, scored itself, and told in a model card."""

from __future__ import annotations

import shlex
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ..errors import UsageError
from ..exporting.card import Card, find_license, write_card
from ..exporting.drift import measure_drift
from ..exporting.forms import Source, check_dtype, find_source, write_form
from ..extension.loader import Plugins, load_plugins
from ..files import write_atomic, write_folder
from ..judging.compare import Comparison
from ..judging.verdict import Verdict
from ..measuring.plan import prepare_again, sample_ids
from ..measuring.systems import with_adapter
from ..models.adapters import adapter_sha256
from ..progress import Progress
from ..recipe.resolve import ResolvedRecipe
from ..records.export import Drift, Dtype, ExportRecord, Form
from ..runs.directory import Run, find_run, runs_in
from ..runs.environment import versions
from ..runs.open_run import now
from .compare import RunLike, choose_runs, compare_runs
from .feedback import SILENT, Feedback, Say, feedback_to
from .measure import measure_subject, say_problems
from .setup import RUNS, Setup

RECORD = "export.json"

CONVERSATIONS = 8
"""The number of conversations that the drift is measured on."""


class Export(Struct, frozen=True, kw_only=True):
    """An export that is done."""

    folder: Path
    record: ExportRecord
    scored: Run | None
    """The run that scored exactly what was exported; None where nothing did."""
    verdict: Verdict | None
    """The card's verdict, on the export where it was scored, else on what the training left; None without a
    baseline."""
    offer: str
    """The command that scores exactly what was exported."""


def export(
    run: RunLike | None = None,
    *,
    form: Form = "adapter",
    to: str | Path,
    dtype: Dtype = "bfloat16",
    score: bool = False,
    baseline: RunLike | None = None,
    model: str | None = None,
    conversations: int = CONVERSATIONS,
    force: bool = False,
    runs: str | Path = RUNS,
    plugins: Plugins | None = None,
    progress: Progress | None = None,
    say: Say | None = None,
) -> Export:
    """Export what a run trained, with a model card, as `bench export` does.

    The same export is not made twice: with `score` an earlier one is scored.

    Parameters:
        run: The run that trained it, as an object, a folder, an id or a part of one (default: the newest).
        form: `adapter`: as it is; `merged`: one model, the adapter merged into its base; `gguf`: the same as GGUF.
        to: The folder to write.
        dtype: Type of the weights of a merged model: `bfloat16` or `float16`.
        score: Score exactly what was exported, under the run's own protocol.
        baseline: The run that the card's verdict is over (default: the newest comparable one).
        model: Reference of the base, where it lies elsewhere now.
        conversations: How many scored conversations the drift is measured on.
        force: Replace another export in the folder.
        runs: The folder of the run directories.
        plugins: Plugins that are loaded already (default: the installed ones).
        progress: Called as `progress(done, total, message)`.
        say: Called with each message, for example `print`.

    Returns:
        The export: `export.record.drift` says how far it is from what was scored.

    Raises:
        UsageError: The run trained nothing, the folder has something else in it, or the form cannot hold the model.
        PrerequisiteError: The base or a package is missing.

    Example:
        >>> export = liftbench.export(form="merged", to="shipped", score=True)  # doctest: +SKIP
        >>> export.record.drift.same_texts  # doctest: +SKIP
        7
    """
    loaded = plugins or load_plugins()
    feedback = feedback_to(progress, say)
    done = export_run(
        find_trained(run, Path(runs), feedback.say),
        form,
        Path(to),
        dtype,
        runs=Path(runs),
        plugins=loaded,
        feedback=feedback,
        argv=["liftbench.export", f"form={form}", f"to={to}"],
        score=score,
        baseline=baseline,
        model=model,
        conversations=conversations,
        force=force,
    )
    say_problems(loaded, feedback.say)
    return done


def find_trained(run: RunLike | None, runs: Path, say: Say) -> Run:
    """A run that is named, or the newest with something to export. Raises `UsageError` where there is none."""
    if run is not None:
        return run if isinstance(run, Run) else find_run(str(run), runs)
    trained = [one for one in runs_in(runs) if one.adapter is not None and one.manifest.status != "running"]
    if not trained:
        raise UsageError(f"there is no trained run in {runs}", "Train one with `bench train --plugin NAME`.")
    say(f"run: {trained[-1].id}")
    return trained[-1]


def export_run(
    run: Run,
    form: Form,
    to: Path,
    dtype: Dtype = "bfloat16",
    *,
    runs: Path = RUNS,
    plugins: Plugins,
    feedback: Feedback = SILENT,
    argv: list[str],
    score: bool = False,
    baseline: RunLike | None = None,
    model: str | None = None,
    conversations: int = CONVERSATIONS,
    force: bool = False,
) -> Export:
    """Export a run, or take the same export that is there already, score it if `score` is true, and write its card."""
    check_dtype(form, dtype)
    source = find_source(run, plugins, model)
    # Checked before the work: a baseline that does not exist would be noticed after it.
    over = None if baseline is None else baseline if isinstance(baseline, Run) else find_run(str(baseline), runs)
    offer = shlex.join(["bench", "export", run.id, "--as", form, "--to", str(to), "--score"])
    record = None if force else _find_same(source, form, dtype, to)
    if record is not None:
        feedback.say(f"already exported: {to} (--force exports again)")
    else:
        _require_free(to, force=force)
        with write_folder(to) as staging:
            record = _write(source, form, dtype, staging, plugins, feedback, conversations)
            write_atomic(staging / RECORD, record)
    scored = _score(source, record, to, runs, plugins, feedback, argv, offer) if score else _load(record.scored, runs)
    if scored is not None:
        record = replace(record, scored=scored.id)
    write_atomic(to / RECORD, record)
    measured = scored or (run if run.manifest.status == "complete" else None)
    comparison, name = _compare(measured, over, runs, plugins, feedback)
    card = Card(record=record, source=source, measured=measured, comparison=comparison, baseline=name, offer=offer)
    write_card(to, card)
    return Export(folder=to, record=record, scored=scored, verdict=card.verdict, offer=offer)


def _find_same(source: Source, form: Form, dtype: Dtype, to: Path) -> ExportRecord | None:
    """The record of the same export in a folder, whole; None for anything else."""
    try:
        record = msgspec.json.decode((to / RECORD).read_bytes(), type=ExportRecord)
    except (OSError, msgspec.DecodeError):
        return None
    same = (form, None if form == "adapter" else dtype, source.record.sha256)
    if (record.form, record.dtype, record.of_sha256) != same or adapter_sha256(to) != record.sha256:
        return None
    return record


def _require_free(to: Path, *, force: bool) -> None:
    if to.is_file():
        raise UsageError(f"{to} is a file", "Name a folder with --to.")
    if not to.is_dir() or not any(to.iterdir()):
        return
    if not (to / RECORD).is_file():
        # Not even by --force: `--to .` would delete whatever lies there.
        raise UsageError(f"{to} has something else than an export in it", "Name another folder with --to.")
    if not force:
        raise UsageError(f"{to} has another export in it", "Name another folder with --to, or replace it with --force.")


def _write(
    source: Source,
    form: Form,
    dtype: Dtype,
    folder: Path,
    plugins: Plugins,
    feedback: Feedback,
    conversations: int,
) -> ExportRecord:
    manifest = source.run.manifest
    if form != "adapter":
        feedback.say(f"merging {manifest.system.name} in float32, as {dtype}")
    write_form(source, form, dtype, folder, plugins, find_license(source.base))
    return ExportRecord(
        form=form,
        dtype=None if form == "adapter" else dtype,
        run=source.run.id,
        system=manifest.system.name,
        of_sha256=source.record.sha256,
        sha256=adapter_sha256(folder),
        base=source.base.record.reference,
        drift=None if form == "adapter" else _drift(source, folder, plugins, feedback, conversations),
        scored=source.run.id if form == "adapter" and manifest.status == "complete" else None,
        version=versions().get("liftbench", "unknown"),
        created=now(),
    )


def _drift(source: Source, folder: Path, plugins: Plugins, feedback: Feedback, count: int) -> Drift:
    """The drift on a sample of the run's conversations, which lie in the run itself: the data may have moved."""
    by_id = {conversation.id: conversation for conversation in source.run.conversations}
    chosen = [by_id[id_] for id_ in by_id if id_ in sample_ids(by_id, count)]
    exported = with_adapter(source.recipe, source.base, folder, plugins=plugins)
    with feedback.bars([("drift", "summaries")]) as (bar,):
        return measure_drift(source.subject, exported, chosen, source.recipe, plugins, bar)


def _score(
    source: Source,
    record: ExportRecord,
    to: Path,
    runs: Path,
    plugins: Plugins,
    feedback: Feedback,
    argv: list[str],
    offer: str,
) -> Run:
    """The complete run of an export, by the protocol of the run that trained it."""
    run = source.run
    if record.form == "adapter" and run.manifest.status == "complete":
        return run
    try:
        measurement = prepare_again(run, plugins)
    except UsageError as error:
        raise UsageError(f"{to} is exported, but cannot be scored: {error.what}", error.fix) from error
    setup = Setup(
        resolved=ResolvedRecipe(name="", recipe=source.recipe, origins=run.manifest.origins),
        plugins=plugins,
        runs=runs,
        argv=argv,
        feedback=feedback,
    )
    feedback.say(f"scoring {to}; `{offer}` continues it if it is stopped")
    subject = with_adapter(source.recipe, source.base, to, plugins=plugins)
    return measure_subject(setup, measurement, subject, run.id)


def _load(id_: str | None, runs: Path) -> Run | None:
    if id_ is None or not (runs / id_ / "manifest.json").is_file():
        return None
    return Run(runs / id_)


def _compare(
    measured: Run | None, baseline: Run | None, runs: Path, plugins: Plugins, feedback: Feedback
) -> tuple[Comparison | None, str]:
    """The comparison of a run with a baseline, and the baseline's name; None where there is no comparable baseline."""
    if measured is None:
        return None, ""
    if baseline is None:
        try:
            baseline, _ = choose_runs([measured], runs, feedback.say)
        except UsageError as error:
            feedback.say(f"the card has no verdict: {error.what}")
            return None, ""
    found = compare_runs(baseline, [measured], plugins, runs, feedback)
    return found.comparison, baseline.manifest.system.name
