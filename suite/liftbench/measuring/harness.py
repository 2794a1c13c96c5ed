"""The only path from a system to scores: generate batch by batch, score, and close the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec
from msgspec.structs import replace

from ..data.similarity.scored import find_clusters
from ..extension.loader import Plugins
from ..files import cut_end, digest, write_atomic, write_lines
from ..progress import Progress, no_progress
from ..recipe.resolve import ResolvedRecipe, as_recorded
from ..records.run import Manifest, Prediction, SampleScores
from ..records.system import System
from ..runs.directory import Run
from ..runs.environment import git_state, versions
from ..runs.open_run import OpenRun, now, run_id
from ..runs.sums import SCORED, SUMMED, changed_files, file_sums, require_sealed, require_unchanged
from ..runs.timing import with_seconds
from ..statistics.bootstrap import Bootstrap
from ..stored_rows import Selected, by_id, read_rows
from .generate import generate_missing
from .plan import Measurement, postprocess
from .score import Totals, describe_misreadings, misreadings, score
from .systems import Loadable
from .usage import has_new_prices, prices_of, search_usage, usage_of


def is_measured(run: OpenRun, measurement: Measurement) -> bool:
    """Whether a run is complete with the measurement's metrics, and its files are those that it was completed with."""
    return (
        run.manifest.status == "complete"
        and run.manifest.protocol == measurement.protocol
        and not changed_files(run.folder, run.manifest)
        and not has_new_prices(run)
    )


def new_manifest(
    command: Literal["baseline", "train", "score"],
    system: System,
    measurement: Measurement,
    resolved: ResolvedRecipe,
    *,
    argv: Sequence[str],
    extra_key: str = "",
    parent: str | None = None,
    family: str = "",
    shard: str = "",
    notes: Sequence[str] = (),
) -> Manifest:
    """The manifest of a run that has not begun. Its key covers everything that determines the result."""
    # The key leaves out the metrics: for other ones, the run's texts are scored again, not generated again.
    how = msgspec.structs.replace(measurement.protocol, metrics={})
    key = digest(command, system, how, measurement.plan, resolved.recipe.seed, extra_key, *([shard] if shard else []))
    created = now()
    return Manifest(
        id=run_id(system.name, measurement.protocol.dataset, key, created),
        key=key,
        command=command,
        status="running",
        created=created,
        shard=shard,
        system=system,
        protocol=measurement.protocol,
        plan=measurement.plan if system.kind == "model" else [],
        headlines=resolved.recipe.metrics.headlines,
        against=resolved.recipe.metrics.against,
        target=resolved.recipe.metrics.target,
        limits=resolved.recipe.guards,
        family=family or (system.adapter.family if system.adapter else None) or "",
        seed=resolved.recipe.seed,
        training=measurement.training_fingerprint,
        recipe=as_recorded(resolved.recipe),
        origins=resolved.origins,
        argv=list(argv),
        git=git_state(Path.cwd()),
        version=versions().get("liftbench", "unknown"),
        parent=parent,
        notes=list(notes),
        skipped=measurement.skipped,
    )


def measure(run: OpenRun, measurement: Measurement, subject: Loadable, plugins: Plugins, progress: Progress) -> Run:
    """Generate what is missing, score everything, and close the run. Resumes a run that was killed at any moment."""
    done = read_predictions(run, measurement)
    if len(done) < len(measurement.scored):
        generate_missing(run, measurement, subject, plugins, progress, done)
    return finish(run, measurement, plugins, progress)


def measure_texts(
    run: OpenRun,
    measurement: Measurement,
    texts: dict[str, str],
    plugins: Plugins,
    progress: Progress = no_progress,
) -> Run:
    """Score texts made elsewhere (id → text, see `read_texts`)."""
    rows = [Prediction(id=id_, text=postprocess(texts[id_])) for id_ in measurement.scored]
    write_lines(run.folder / "predictions.jsonl", rows)
    return finish(run, measurement, plugins, progress)


def read_predictions(run: OpenRun, measurement: Measurement) -> Mapping[str, Prediction]:
    """The complete predictions that an earlier, killed process left behind.

    Raises `UsageError` where a text, or a file that is not made from the texts, was changed.
    """
    require_unchanged(run.folder, run.manifest, (name for name in SUMMED if name not in SCORED))
    path = run.folder / "predictions.jsonl"
    if not path.exists():
        return {}
    cut_end(path)
    rows = read_rows(path, Prediction, len(measurement.scored))
    if run.manifest.system.kind == "model":
        require_sealed(rows, run.manifest.id, run.manifest.key)
    return by_id(rows, measurement.scored)


def finish(run: OpenRun, measurement: Measurement, plugins: Plugins, progress: Progress = no_progress) -> Run:
    """Score the run's predictions, write scores and summary, and last of all the status `complete` with all sums."""
    done = read_predictions(run, measurement)
    predictions = Selected(done, measurement.scored)
    if "predictions.jsonl" not in run.manifest.sums and list(done) != measurement.scored:
        # In the order of the split, whatever came from shards, the cache of generations, a server or after a kill.
        write_lines(run.folder / "predictions.jsonl", predictions)
    totals = Totals(measurement.metrics)

    def rows() -> Iterator[SampleScores]:
        for prediction, row in zip(
            with_seconds(run.folder, predictions), score(predictions, measurement, progress), strict=True
        ):
            totals.add(prediction, row)
            yield row
        if run.manifest.status == "complete":
            # The status changes first: a kill from here on must not leave new scores under the old ones' signatures.
            run.update(status="trained" if run.manifest.command == "train" else "running")

    write_lines(run.folder / "scores.jsonl", rows())
    scored = Selected(measurement.conversations, measurement.scored)
    bootstrap = Bootstrap(seed=run.manifest.seed, clusters=find_clusters(scored))
    misread = misreadings(measurement)
    run.note(*describe_misreadings(misread))
    progress(0, 0, "scoring: intervals of the means")
    summary = totals.summarize(bootstrap, misread)
    usage = usage_of(predictions, prices_of(run.requested), search_usage(run.folder))
    summary = replace(summary, usage=usage)
    if usage and len(usage.answered_by) > 1:
        run.note("the server was changed while the run was measured")
    progress(len(predictions), len(predictions), "scored")
    write_atomic(run.folder / "summary.json", summary)
    run.update(**run.requested_changes, status="complete", finished=now(), sums=file_sums(run.folder))
    plugins.notify("bench_run_finished", manifest=run.manifest, folder=run.folder)
    return Run(run.folder)
