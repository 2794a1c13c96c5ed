"""The only path from a system to scores: generate batch by batch, score, and close the run."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from ..data.similarity.clusters import units
from ..errors import RunFailed, UsageError
from ..extension.loader import Plugins
from ..files import append_lines, digest, recover_lines, write_atomic, write_lines
from ..metrics.base import Metric
from ..progress import Progress
from ..prompts.render import finish_text, is_cut, render
from ..prompts.spec import Prompt
from ..recipe.resolve import ResolvedRecipe
from ..recipe.sections import Recipe
from ..records.conversation import Conversation
from ..records.run import Manifest, MetricInfo, MetricSummary, Prediction, RunSummary, SampleScores
from ..records.system import PromptSpec, System
from ..runs.directory import OpenRun, Run, now, run_id
from ..runs.environment import git_state, versions
from ..statistics import intervals
from .backend import Backend, BackendRequest, Generation, OutOfMemory
from .plan import Measurement, postprocess
from .systems import Loadable


def is_measured(run: OpenRun, measurement: Measurement) -> bool:
    """Whether a run is complete and has the metrics that are asked for."""
    return run.manifest.status == "complete" and run.manifest.protocol == measurement.protocol


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
    notes: Sequence[str] = (),
) -> Manifest:
    """The manifest of a run that has not begun. Its key covers all that determines the result."""
    # Not the metrics: texts that are there are scored anew, not written anew, when others are asked for.
    how = msgspec.structs.replace(measurement.protocol, metrics={})
    key = digest(command, system, how, measurement.plan, resolved.recipe.seed, extra_key)
    created = now()
    return Manifest(
        id=run_id(system.name, measurement.protocol.dataset, key, created),
        key=key,
        command=command,
        status="running",
        created=created,
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
        recipe=msgspec.to_builtins(resolved.recipe),
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
    done = generated(run, measurement)
    if len(done) < len(measurement.scored):
        _generate_missing(run, measurement, subject, plugins, progress, done)
    return finish(run, measurement, plugins)


def measure_texts(run: OpenRun, measurement: Measurement, texts: dict[str, str], plugins: Plugins) -> Run:
    """Score texts made elsewhere (id → text, see `read_texts`)."""
    rows = [Prediction(id=id_, text=postprocess(texts[id_])) for id_ in measurement.scored]
    write_lines(run.folder / "predictions.jsonl", rows)
    return finish(run, measurement, plugins)


def generated(run: OpenRun, measurement: Measurement) -> dict[str, Prediction]:
    """The predictions that an earlier, killed process left behind whole."""
    wanted = set(measurement.scored)
    rows = recover_lines(run.folder / "predictions.jsonl", Prediction)
    return {row.id: row for row in rows if row.id in wanted}


def finish(run: OpenRun, measurement: Measurement, plugins: Plugins) -> Run:
    """Score the run's predictions, write scores and summary, and say `complete` as the last write."""
    done = generated(run, measurement)
    predictions = [done[id_] for id_ in measurement.scored]
    scores = score(predictions, measurement)
    write_lines(run.folder / "scores.jsonl", scores)
    clusters = units([measurement.conversations[id_] for id_ in measurement.scored])
    summary = summarize(predictions, scores, measurement.metrics, clusters, run.manifest.seed)
    write_atomic(run.folder / "summary.json", summary)
    run.update(**run.asked_anew, status="complete", finished=now())
    plugins.notify("bench_run_finished", manifest=run.manifest, folder=run.folder)
    return Run(run.folder)


def score(predictions: Sequence[Prediction], measurement: Measurement) -> list[SampleScores]:
    """Every metric on every prediction, each computed once, with where in the text it comes from."""
    texts = [prediction.text for prediction in predictions]
    conversations = [measurement.conversations[prediction.id] for prediction in predictions]
    columns = {metric.name: values(metric, texts, conversations) for metric in measurement.metrics}
    return [
        SampleScores(
            id=prediction.id,
            scores={name: column[row] for name, column in columns.items()},
            findings={
                metric.name: found
                for metric in measurement.metrics
                if (found := metric.findings(prediction.text, conversations[row]))
            },
        )
        for row, prediction in enumerate(predictions)
    ]


def values(metric: Metric, texts: Sequence[str], conversations: Sequence[Conversation]) -> list[float | None]:
    """One value per text; one that is not finite counts as none. Raises `RunFailed` where some are too many or few."""
    found = metric.score(texts, conversations) if texts else []
    if len(found) != len(texts):
        raise RunFailed(
            f"the metric {metric.name!r} gave {len(found)} values for {len(texts)} texts: a fault of its plugin"
        )
    return [value if value is not None and math.isfinite(value) else None for value in found]


def summarize(
    predictions: Sequence[Prediction],
    scores: Sequence[SampleScores],
    metrics: Sequence[Metric],
    clusters: Sequence[str],
    seed: int,
) -> RunSummary:
    """Means with 95% bootstrap intervals, and counts of what went wrong while generating.

    `clusters` says of each prediction what is resampled as one.
    """
    rows = []
    for metric in metrics:
        known = [
            (value, cluster)
            for row, cluster in zip(scores, clusters, strict=True)
            if (value := row.scores[metric.name]) is not None
        ]
        column = [value for value, _ in known]
        mean, low, high = intervals.mean_interval(column, seed=seed, clusters=[cluster for _, cluster in known])
        rows.append(
            MetricSummary(
                name=metric.name,
                mean=mean,
                low=low,
                high=high,
                n=len(column),
                n_unscored=len(scores) - len(column),
                signature=metric.signature,
                direction=metric.direction,
                sees=metric.sees,
            )
        )
    tokens = [prediction.new_tokens for prediction in predictions if prediction.new_tokens is not None]
    seconds = [prediction.seconds for prediction in predictions if prediction.seconds is not None]
    return RunSummary(
        metrics=rows,
        n=len(predictions),
        empty=sum(not prediction.text for prediction in predictions),
        cut=sum(prediction.finish_reason == "length" for prediction in predictions),
        shortened=sum(prediction.turns_dropped > 0 for prediction in predictions),
        mean_words=sum(len(prediction.text.split()) for prediction in predictions) / len(predictions),
        new_tokens=sum(tokens) if tokens else None,
        seconds=sum(seconds) if seconds else None,
    )


def open_backend(subject: Loadable, recipe: Recipe, plugins: Plugins) -> Backend:
    """Load a system. Raises `UsageError` where the budgets do not fit the model's context."""
    spec = plugins.find("backend", recipe.model.backend)
    system = subject.system
    assert system.precision is not None
    request = BackendRequest(
        model=subject.model, adapter=subject.adapter, precision=system.precision, prompt=_prompt_of(system)
    )
    backend: Backend = plugins.load(spec)(request)
    try:
        require_room(recipe, backend.context_length, system.name)
    except UsageError:
        backend.close()
        raise
    return backend


def require_room(recipe: Recipe, context_length: int, name: str) -> None:
    """Raise `UsageError` where the input and output budgets together exceed a model's context (0: not known)."""
    needed = recipe.generation.max_input_tokens + recipe.generation.max_new_tokens
    if context_length and needed > context_length:
        raise UsageError(
            f"generation.max_input_tokens + max_new_tokens is {needed}, but the context of {name} is "
            f"{context_length} tokens; lower one of them with --set"
        )


def summarize_one(conversation: Conversation, subject: Loadable, recipe: Recipe, plugins: Plugins) -> Prediction:
    """One conversation's summary, the way the harness would make it (in a batch of its own)."""
    backend = open_backend(subject, recipe, plugins)
    try:
        return generate_batch(backend, [conversation], _prompt_of(subject.system), recipe, [])[0]
    finally:
        backend.close()


def _generate_missing(
    run: OpenRun,
    measurement: Measurement,
    subject: Loadable,
    plugins: Plugins,
    progress: Progress,
    done: dict[str, Prediction],
) -> None:
    recipe = run.recipe
    prompt = _prompt_of(subject.system)
    total = len(measurement.scored)
    wanted = set(measurement.scored)
    count = len(done)
    progress(count, total, "loading the model")
    backend = open_backend(subject, recipe, plugins)
    # Now that torch is loaded, the environment knows of threads and GPU.
    run.record_environment()
    run.update(device=backend.device)
    notes: list[str] = []
    try:
        progress(count, total, f"generating on {backend.device}")
        for batch in measurement.plan:
            missing = {id_ for id_ in batch if id_ in wanted and id_ not in done}
            if not missing:
                continue
            rows = generate_batch(backend, [measurement.conversations[id_] for id_ in batch], prompt, recipe, notes)
            append_lines(run.folder / "predictions.jsonl", [row for row in rows if row.id in missing])
            count += len(missing)
            progress(count, total, f"generating on {backend.device}")
    finally:
        backend.close()
        if notes:
            run.note(*notes)


def generate_batch(
    backend: Backend, conversations: Sequence[Conversation], spec: PromptSpec, recipe: Recipe, notes: list[str]
) -> list[Prediction]:
    """The summaries of one batch, as they are scored; `notes` takes what a reader of the run must know."""
    budget = recipe.generation.max_input_tokens
    prompts = [render(spec, conversation, backend.tokenizer, budget) for conversation in conversations]
    started = time.perf_counter()
    generations = _generate_or_split(backend, prompts, recipe.generation.max_new_tokens, notes)
    seconds = (time.perf_counter() - started) / len(prompts)
    texts = [postprocess(finish_text(spec, generation.text)) for generation in generations]
    return [
        Prediction(
            id=conversation.id,
            text=text,
            prompt_sha256=prompt.sha256,
            prompt_tokens=len(prompt.token_ids),
            new_tokens=generation.new_tokens,
            finish_reason="stop" if is_cut(spec, generation.text) else generation.finish_reason,
            turns_dropped=prompt.turns_dropped,
            seconds=seconds,
        )
        for conversation, prompt, generation, text in zip(conversations, prompts, generations, texts, strict=True)
    ]


def _prompt_of(system: System) -> PromptSpec:
    assert system.prompt is not None
    return system.prompt


def _generate_or_split(
    backend: Backend, prompts: Sequence[Prompt], max_new_tokens: int, notes: list[str]
) -> list[Generation]:
    try:
        return backend.generate(prompts, max_new_tokens)
    except OutOfMemory as error:
        if len(prompts) == 1:
            raise RunFailed(
                f"one conversation of {len(prompts[0].token_ids)} tokens does not fit in memory ({error}); "
                "lower generation.max_input_tokens or use --set model.precision=nf4"
            ) from error
    half = len(prompts) // 2
    note = "some batches were split because they did not fit in memory; half-precision texts can differ from the plan's"
    if note not in notes:
        notes.append(note)
    return [
        *_generate_or_split(backend, prompts[:half], max_new_tokens, notes),
        *_generate_or_split(backend, prompts[half:], max_new_tokens, notes),
    ]


def metric_info(metric: Metric) -> MetricInfo:
    """A metric as records name it."""
    return MetricInfo(name=metric.name, signature=metric.signature, direction=metric.direction, sees=metric.sees)
