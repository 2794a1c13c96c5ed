"""What `baseline`, `train` and `score` do alike: open the run, measure in it, and show it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import msgspec
from msgspec.structs import replace
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..errors import LiftbenchError
from ..extension.loader import Plugins
from ..files import digest
from ..measuring.generate import require_room
from ..measuring.harness import is_measured, measure, new_manifest
from ..measuring.plan import Measurement
from ..measuring.systems import Loadable, untuned
from ..models.adapters import read_rows
from ..models.references import context_length, resolve
from ..progress import Progress
from ..prompts.render import render
from ..records.conversation import Conversation
from ..records.run import Manifest
from ..runs.directory import Run
from ..runs.open_run import OpenRun, open_run
from ..text.phrases import listed
from ..training.adapter import TrainingPlan, bring_rows, train
from .job import Job, print_json

_console = Console(stderr=True)


def measured(
    job: Job,
    command: Literal["baseline", "score"],
    subject: Loadable,
    measurement: Measurement,
    progress: Progress,
    parent: str | None = None,
) -> Run:
    """The complete run of a system: continued, reused or new."""
    manifest = new_manifest(
        command, subject.system, measurement, job.resolved, argv=sys.argv, parent=parent, notes=subject.notes
    )
    rows = read_rows(subject.adapter) if subject.adapter else None
    with open_run(manifest, scored(measurement), job.runs, fresh=job.fresh) as run:
        announce(run, manifest, job.plugins)
        if rows is not None:
            bring_rows(run, rows)
        return completed(run, measurement, subject, job, progress)


@contextmanager
def trained(
    job: Job, measurement: Measurement, plan: TrainingPlan, progress: Progress
) -> Iterator[tuple[OpenRun, Loadable]]:
    """The run of a training, open to be scored, and its adapter as a system: continued, reused or new."""
    recipe = job.resolved.recipe
    model = resolve(recipe.model.reference)
    # Now, and not when the adapter is scored: a training would be lost on budgets that do not fit.
    require_room(recipe, context_length(model.path), model.name)
    base = untuned(recipe, model)
    system = replace(base.system, name=f"{model.name}+{plan.spec.name}", precision=plan.trainer.precision)
    # With the protocol, as a limit on what is scored makes another measurement; whatever its metrics, as in a key.
    family = digest(plan.family, system, replace(measurement.protocol, metrics={}))
    manifest = new_manifest(
        "train", system, measurement, job.resolved, argv=sys.argv, extra_key=plan.key, family=family
    )
    with open_run(manifest, scored(measurement), job.runs, fresh=job.fresh) as run:
        announce(run, manifest, job.plugins)
        yield run, train(run, plan, base, model, progress)


def completed(run: OpenRun, measurement: Measurement, subject: Loadable, job: Job, progress: Progress) -> Run:
    """The run, measured unless that is done already."""
    if is_measured(run, measurement):
        return Run(run.folder)
    return measure(run, measurement, subject, job.plugins, progress)


def announce(run: OpenRun, manifest: Manifest, plugins: Plugins) -> None:
    """Say whether the run is new, continued or there already, and let observers know."""
    if run.manifest.status == "complete":
        same = run.manifest.protocol == manifest.protocol
        say(
            f"already measured: {run.folder} (--fresh measures again)" if same else f"scoring the texts of {run.folder}"
        )
        return
    if run.manifest.id == manifest.id and run.manifest.created == manifest.created:
        say(f"run {run.folder}")
    else:
        say(f"continuing {run.folder} (--fresh starts over)")
    plugins.notify("bench_run_started", manifest=run.manifest, folder=run.folder)


def scored(measurement: Measurement) -> list[Conversation]:
    """The conversations that are scored."""
    return [measurement.conversations[id_] for id_ in measurement.scored]


def say(message: str) -> None:
    """A line for people, on standard error."""
    _console.print(message, highlight=False, markup=False, soft_wrap=True)


def warn(plugins: Plugins) -> None:
    """Say which plugins could not be loaded, and why."""
    for problem in plugins.problems:
        say(f"warning: plugin {problem.plugin}: {problem.reason}")


def run_record(run: Run) -> dict[str, Any]:
    """A complete run, as `--json` prints it."""
    return {"run": run.id, "folder": str(run.folder), "manifest": run.manifest, "summary": run.summary}


def remarks(run: Run) -> list[str]:
    """What a reader of a run's figures must know, a line each."""
    left_out = [f"left out: {name}: {reason}" for name, reason in run.manifest.skipped.items()]
    return [*left_out, *(f"note: {note}" for note in run.manifest.notes)]


def show_run(run: Run, job: Job) -> None:
    """The figures of a complete run."""
    warn(job.plugins)
    if job.json:
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
    out = Console()
    out.print(table)
    counts = [f"{summary.n} conversations", f"{summary.mean_words:.0f} words a summary"]
    counts += [f"{summary.empty} empty"] if summary.empty else []
    if run.manifest.system.kind == "model":
        counts += [f"{summary.cut} cut at the limit of {run.manifest.protocol.max_new_tokens} tokens"]
        counts += [f"{summary.shortened} conversations shortened to fit"] if summary.shortened else []
    if summary.new_tokens and summary.seconds:
        counts += [f"{summary.new_tokens / summary.seconds:.0f} tokens/s"]
    out.print(", ".join(counts), highlight=False)
    if not run.manifest.system.generation_verified:
        out.print("generation unverified: nobody here saw how these texts were made", highlight=False)
    for remark in remarks(run):
        out.print(remark, highlight=False, markup=False)
    out.print(f"run: {run.folder}", highlight=False, markup=False, soft_wrap=True)


def show_dry_run(
    job: Job,
    measurement: Measurement,
    subject: Callable[[], Loadable] | None,
    training: TrainingPlan | None = None,
    seeds: Sequence[int] = (),
) -> None:
    """The resolved recipe with each value's origin, the counts, one rendered prompt and its tokens.

    `subject` finds the system whose prompt is shown; None where there is no prompt. `seeds` are those of several
    trainings, where there are several.
    """
    recipe = job.resolved.recipe
    counts: dict[str, int] = {"split": len(measurement.conversations), "scored": len(measurement.scored)}
    counts["references"] = sum(len(measurement.conversations[id_].references) for id_ in measurement.scored)
    if training is not None:
        counts["training"] = len(training.split.train)
        counts["validation (carved from training)"] = len(training.split.validation)
        counts["left out of training (scored, or nearly)"] = training.split.left_out
    prompt: dict[str, Any]
    try:
        prompt = _first_prompt(job, measurement, subject) if subject else {}
    except LiftbenchError as error:
        prompt = {"not rendered": str(error)}
    origins = job.resolved.origins
    values = msgspec.to_builtins(recipe)
    rows = [(key, _value(values, key), origin) for key, origin in sorted(origins.items())]
    if job.json:
        print_json(
            {
                "recipe": {key: {"value": value, "origin": origin} for key, value, origin in rows},
                "protocol": measurement.protocol,
                "counts": counts,
                "prompt": prompt,
                **({"seeds": seeds} if seeds else {}),
            }
        )
        return
    table = Table(title=f"recipe {job.resolved.name}")
    for column in ("key", "value", "origin"):
        table.add_column(column, overflow="fold")
    for key, value, origin in rows:
        table.add_row(key, Text(repr(value) if isinstance(value, str) else str(value)), origin)
    out = Console()
    out.print(table)
    out.print(", ".join(f"{count} {name}" for name, count in counts.items()), highlight=False, markup=False)
    if seeds:
        out.print(f"{len(seeds)} trainings, with the seeds {listed([str(seed) for seed in seeds])}", highlight=False)
    for name, value in prompt.items():
        out.print(f"\n{name}:", highlight=False, markup=False, style="bold")
        out.print(str(value), highlight=False, markup=False)


def _first_prompt(job: Job, measurement: Measurement, subject: Callable[[], Loadable]) -> dict[str, Any]:
    recipe = job.resolved.recipe
    loadable = subject()
    assert loadable.system.prompt is not None
    backend = job.plugins.load(job.plugins.find("backend", recipe.model.backend))
    tokenizer = backend.open_tokenizer(loadable.model)
    conversation = measurement.conversations[measurement.scored[0]]
    prompt = render(loadable.system.prompt, conversation, tokenizer, recipe.generation.max_input_tokens)
    return {
        f"prompt of conversation {conversation.id}": prompt.text,
        "tokens": f"{len(prompt.token_ids)}: {' '.join(map(str, prompt.token_ids[:24]))} …",
    }


def _value(values: dict[str, Any], key: str) -> Any:
    for part in key.split("."):
        values = values[part]
    return values
