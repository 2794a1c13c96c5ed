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
from ..files import BAD_JSON, write_atomic, write_folder
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


class ExportRequest(Struct, frozen=True, kw_only=True):
    """What to export, and how."""

    run: Run
    form: Form
    to: Path
    dtype: Dtype = "bfloat16"
    score: bool = False
    baseline: Run | None = None
    model: str | None = None
    """Reference of the base, where it lies elsewhere now."""
    conversations: int = CONVERSATIONS
    force: bool = False
    runs: Path = RUNS
    plugins: Plugins
    feedback: Feedback = SILENT
    argv: list[str]
    """The command line, or the call, as the run of a score records it."""

    @property
    def offer(self) -> str:
        """The command that scores exactly this export."""
        words = ["bench", "export", self.run.id, "--as", self.form, "--to", str(self.to), "--score"]
        words += ["--dtype", self.dtype] if self.form != "adapter" and self.dtype != "bfloat16" else []
        words += ["--model", self.model] if self.model else []
        words += ["--runs", str(self.runs)] if self.runs != RUNS else []
        return shlex.join(words)


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
    loaded, folder = plugins or load_plugins(), Path(runs)
    feedback = feedback_to(progress, say)
    request = ExportRequest(
        run=find_trained(run, folder, feedback.say),
        form=form,
        to=Path(to),
        dtype=dtype,
        score=score,
        baseline=find_baseline(baseline, folder),
        model=model,
        conversations=conversations,
        force=force,
        runs=folder,
        plugins=loaded,
        feedback=feedback,
        argv=["liftbench.export", f"form={form}", f"to={to}"],
    )
    done = export_run(request)
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


def find_baseline(baseline: RunLike | None, runs: Path) -> Run | None:
    """The baseline that is named, if one is. Raises `UsageError` where there is no such run."""
    return baseline if baseline is None or isinstance(baseline, Run) else find_run(str(baseline), runs)


def export_run(request: ExportRequest) -> Export:
    """Export a run, or take the same export that is there already, score it where that is asked, and write its card."""
    check_dtype(request.form, request.dtype)
    if request.conversations < 1:
        raise UsageError(f"the drift cannot be measured on {request.conversations} conversations", "Take at least 1.")
    source, to = find_source(request.run, request.plugins, request.model), request.to
    record = None if request.force else _find_same(request, source)
    if record is not None:
        request.feedback.say(f"already exported: {to} (--force exports again)")
    else:
        _require_free(to, force=request.force)
        with write_folder(to) as staging:
            record = _write(request, source, staging)
            write_atomic(staging / RECORD, record)
            # Without a verdict, which comes later: a folder that is there has a card.
            write_card(staging, _card(request, source, record, None))
    scored = _score(request, source, record) if request.score else _load(record.scored, request)
    if scored is not None:
        record = replace(record, scored=scored.id)
        write_atomic(to / RECORD, record)
    card = _card(request, source, record, scored)
    if card.measured is not None:
        card = _compare(request, card, card.measured)
    write_card(to, card)
    return Export(folder=to, record=record, scored=scored, verdict=card.verdict, offer=request.offer)


def _find_same(request: ExportRequest, source: Source) -> ExportRecord | None:
    """The record of the same export in the folder, whole; None for anything else."""
    try:
        record = msgspec.json.decode((request.to / RECORD).read_bytes(), type=ExportRecord)
        sha256 = adapter_sha256(request.to)
    except (OSError, *BAD_JSON):
        return None
    wanted = (request.form, None if request.form == "adapter" else request.dtype, source.record.sha256)
    is_same = (record.form, record.dtype, record.of_sha256) == wanted and sha256 == record.sha256
    return record if is_same else None


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


def _write(request: ExportRequest, source: Source, folder: Path) -> ExportRecord:
    form, manifest = request.form, request.run.manifest
    if form != "adapter":
        request.feedback.say(f"merging {manifest.system.name} in float32, as {request.dtype}")
    write_form(source, form, request.dtype, folder, request.plugins, find_license(source.base))
    return ExportRecord(
        form=form,
        dtype=None if form == "adapter" else request.dtype,
        run=request.run.id,
        system=manifest.system.name,
        of_sha256=source.record.sha256,
        sha256=adapter_sha256(folder),
        base=source.base.record.reference,
        drift=None if form == "adapter" else _drift(request, source, folder),
        scored=request.run.id if form == "adapter" and manifest.status == "complete" else None,
        version=versions().get("liftbench", "unknown"),
        created=now(),
    )


def _drift(request: ExportRequest, source: Source, folder: Path) -> Drift:
    """The drift on a sample of the run's conversations, which lie in the run itself: the data may have moved."""
    by_id = {conversation.id: conversation for conversation in request.run.conversations}
    wanted = sample_ids(by_id, request.conversations)
    chosen = [conversation for id_, conversation in by_id.items() if id_ in wanted]
    exported = with_adapter(source.recipe, source.base, folder, plugins=request.plugins)
    with request.feedback.bars([("drift", "summaries")]) as (bar,):
        return measure_drift(source.subject, exported, chosen, source.recipe, request.plugins, bar)


def _score(request: ExportRequest, source: Source, record: ExportRecord) -> Run:
    """The complete run of an export, by the protocol of the run that trained it."""
    run, to = request.run, request.to
    if record.form == "adapter" and run.manifest.status == "complete":
        return run
    try:
        measurement = prepare_again(run, request.plugins)
    except UsageError as error:
        raise UsageError(f"{to} is exported, but cannot be scored: {error.what}", error.fix) from error
    setup = Setup(
        resolved=ResolvedRecipe(name="", recipe=source.recipe, origins=run.manifest.origins),
        plugins=request.plugins,
        runs=request.runs,
        argv=request.argv,
        feedback=request.feedback,
    )
    subject = with_adapter(source.recipe, source.base, to, plugins=request.plugins)
    return measure_subject(setup, measurement, subject, run.id)


def _load(id_: str | None, request: ExportRequest) -> Run | None:
    if id_ == request.run.id:  # which may lie in another folder than `runs`
        return request.run
    if id_ is None or not (request.runs / id_ / "manifest.json").is_file():
        return None
    return Run(request.runs / id_)


def _card(request: ExportRequest, source: Source, record: ExportRecord, scored: Run | None) -> Card:
    """The card with the figures of the run that scored the export, else of the training's; without a verdict."""
    measured = scored or (request.run if request.run.manifest.status == "complete" else None)
    return Card(record=record, source=source, measured=measured, comparison=None, baseline="", offer=request.offer)


def _compare(request: ExportRequest, card: Card, measured: Run) -> Card:
    """The card with the comparison of `measured` with a baseline; as it is where there is no comparable one."""
    baseline = request.baseline
    if baseline is None:
        try:
            baseline, _ = choose_runs([measured], request.runs, request.feedback.say)
        except UsageError as error:
            request.feedback.say(f"the card has no verdict: {error.what}")
            return card
    found = compare_runs(baseline, [measured], request.plugins, request.runs, request.feedback)
    seeds = [id_ for group in found.comparison.seeds if measured.id in group.runs for id_ in group.runs]
    return replace(
        card,
        comparison=found.comparison,
        baseline=baseline.manifest.system.name,
        judged_with=[found.runs[id_] for id_ in seeds if id_ != measured.id],
    )
