"""What commands print: messages on standard error, results on standard output."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from rich.text import Text

from ..errors import as_usage_error
from ..report.terminal.tables import Table
from ..text.phrases import join_words, metric_label, pluralize
from ..workflow.feedback import Feedback
from .output import console, echo, error_console, results
from .progress import progress_bars

if TYPE_CHECKING:
    from ..runs.directory import Run
    from ..workflow.preview import LaunchPreview, Preview

_console = error_console()


def say(message: str) -> None:
    """Print a line for people on standard error, after the results so far: both may go to one file."""
    results().flush()
    _console.print(message, highlight=False, markup=False, soft_wrap=True)


FEEDBACK = Feedback(say, progress_bars)
"""Shows messages and bars on standard error."""


def print_json(value: Any) -> None:
    """Print a record on standard output, indented; in another encoding than Unicode's, all but ASCII is escaped."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    out = results()
    if not (out.encoding or "utf-8").lower().startswith("utf"):
        text = re.sub(r"[^\x00-\x7f]+", lambda found: json.dumps(found[0])[1:-1], text)
    out.write(text + "\n")


def run_record(run: Run) -> dict[str, Any]:
    """A complete run as `--json` prints it."""
    return {"run": run.id, "folder": str(run.folder), "manifest": run.manifest, "summary": run.summary}


def remarks(run: Run) -> list[str]:
    """Remarks that a reader of a run's figures must know, a line each."""
    left_out = [f"left out: {name}: {reason}" for name, reason in run.manifest.skipped.items()]
    return [*left_out, *(f"note: {note}" for note in run.manifest.notes)]


def show_shard(run: Run, *, as_json: bool) -> None:
    """Print which texts a shard has."""
    if as_json:
        print_json({"run": run.id, "shard": run.manifest.shard, "texts": len(run.predictions)})
        return
    say(f"shard {run.manifest.shard}: {pluralize(len(run.predictions), 'text')} in {run.folder}")


def show_run(run: Run, *, as_json: bool) -> None:
    """Show the figures of a complete run."""
    if as_json:
        print_json(run_record(run))
        return
    summary = run.summary
    table = Table(title=f"{run.manifest.system.name} on {run.manifest.protocol.dataset} {run.manifest.protocol.split}")
    table.add_column("metric")
    table.add_column("mean", justify="right")
    table.add_column("95% interval", justify="right")
    table.add_column("n", justify="right")
    for metric in summary.metrics:
        interval = "–" if metric.low is None or metric.high is None else f"{metric.low:.3f} to {metric.high:.3f}"
        name = f"{metric.name} *" if metric.name in run.manifest.headlines else metric.name
        table.add_row(name, "–" if metric.mean is None else f"{metric.mean:.3f}", interval, str(metric.n))
    out = console()
    out.print(table)
    counts = [f"{summary.n} conversations", f"{summary.mean_words:.0f} words a summary"]
    counts += [f"{summary.empty} empty"] if summary.empty else []
    if run.manifest.system.kind == "model":
        counts += [f"{summary.cut} cut at the limit of {run.manifest.protocol.max_new_tokens} tokens"]
        counts += [f"{summary.shortened} conversations shortened to fit"] if summary.shortened else []
    if summary.new_tokens and summary.seconds:
        counts += [f"{summary.new_tokens / summary.seconds:.0f} tokens/s"]
    out.print(", ".join(counts), highlight=False)
    if summary.usage:
        from ..report.numbers import format_usage  # it loads the statistics

        out.print(f"the server was asked for {format_usage(summary.usage)}", highlight=False, soft_wrap=True)
    if not run.manifest.system.generation_verified:
        out.print("generation unverified: these texts were made outside liftbench", highlight=False)
    for remark in remarks(run):
        out.print(remark, highlight=False, markup=False)
    out.print(f"run: {run.folder}", highlight=False, markup=False, soft_wrap=True)


def show_runs(runs: Sequence[Run], *, as_json: bool) -> None:
    """Show the figures of complete runs one after the other; as JSON, several as one list."""
    if as_json and len(runs) > 1:
        print_json([run_record(run) for run in runs])
        return
    for run in runs:
        show_run(run, as_json=as_json)


def show_seeds(runs: Sequence[Run], *, as_json: bool) -> None:
    """Show the headlines of several trainings, a line each."""
    if as_json:
        print_json([run_record(run) for run in runs])
        return
    manifest = runs[0].manifest
    table = Table(title=f"{manifest.system.name} on {manifest.protocol.dataset} {manifest.protocol.split}")
    for heading in ("seed", *map(metric_label, manifest.headlines)):
        table.add_column(heading, justify="right")
    table.add_column("folder", overflow="fold")
    for run in runs:
        means = {metric.name: metric.mean for metric in run.summary.metrics}
        shown = [means.get(name) for name in manifest.headlines]
        figures = ["–" if mean is None else f"{mean:.3f}" for mean in shown]
        table.add_row(str(run.manifest.seed), *figures, str(run.folder))
    out = console()
    out.print(table)
    for remark in dict.fromkeys(remark for run in runs for remark in remarks(run)):
        out.print(remark, highlight=False, markup=False)


def show_preview(preview: Preview, *, as_json: bool) -> None:
    """Show the resolved recipe with each value's origin, the counts, and one rendered prompt with its tokens.

    Raises `UsageError` afterwards where the run could not be made, because its model cannot be had.
    """
    _show_preview(preview, as_json=as_json)
    if preview.problem:
        raise as_usage_error(preview.problem)


def _show_preview(preview: Preview, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "recipe": {key: {"value": value, "origin": origin} for key, value, origin in preview.recipe},
                "protocol": preview.protocol,
                "counts": preview.counts,
                "prompt": preview.prompt,
                **({"seeds": preview.seeds} if preview.seeds else {}),
                **({"expected": preview.expected} if preview.expected else {}),
                **({"launch": preview.launch} if preview.launch else {}),
            }
        )
        return
    table = Table(title=f"recipe {preview.name}")
    for column in ("key", "value", "origin"):
        table.add_column(column, overflow="fold")
    for key, value, origin in preview.recipe:
        table.add_row(key, Text(repr(value) if isinstance(value, str) else str(value)), origin)
    out = console()
    out.print(table)
    out.print(", ".join(f"{count} {name}" for name, count in preview.counts.items()), highlight=False, markup=False)
    if seeds := preview.seeds:
        out.print(
            f"{len(seeds)} trainings, with the seeds {join_words([str(seed) for seed in seeds])}", highlight=False
        )
    if preview.launch:
        _show_launch(preview.launch)
    # A problem becomes the error that follows, which says it in full.
    for name, value in ({} if preview.problem else preview.prompt).items():
        out.print(f"\n{name}:", highlight=False, markup=False, style="bold")
        out.print(value, highlight=False, markup=False)


def _show_launch(launch: LaunchPreview) -> None:
    per_machine = launch.processes // launch.machines
    first = launch.machine * per_machine
    on = f" on {launch.machines} machines, the first of them found at {launch.address}" if launch.address else ""
    ranks = f"machine {launch.machine} has the ranks {first} to {first + per_machine - 1}"
    echo(f"\n{launch.processes} processes{on}; {ranks}. Every process reads {launch.request}.")
    # On one line of its own, to be copied.
    echo(shlex.join(launch.command))
