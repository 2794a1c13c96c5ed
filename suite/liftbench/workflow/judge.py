"""Judging pairs of summaries: people decide, and a language model besides them informs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..data.similarity.scored import ScoredSplit
from ..errors import LiftbenchError, UsageError
from ..extension.loader import Plugins
from ..files import digest, write_atomic
from ..floors.control_scores import (
    ControlScores,
    floor_cache,
    leave_one_out,
    measure_controls,
    rank_controls,
    read_cached,
)
from ..measuring.plan import prepare_again
from ..measuring.score import metric_info, values
from ..models.chat_server import host_of
from ..preferences.client import connect
from ..preferences.folder import find_preferences, key_path, model_path, read_key, result_path, write_key
from ..preferences.judgments import find_sheet, read_judgments, unblind
from ..preferences.model_judge import PROMPT_SHA256, ask_all, model_preference
from ..preferences.result import people_preference
from ..preferences.sheet import Sheet, Summaries, draw_conversations, make_sheet
from ..records.conversation import Conversation
from ..records.preferences import Preference, Rival, SheetKey
from ..records.run import MetricInfo
from ..runs.directory import Run
from ..runs.selection import require_comparable
from .compare import choose_runs
from .feedback import SILENT, Feedback

HUMANS = "humans"


class Comparable(NamedTuple):
    """The summaries of both systems on some conversations, and the metrics of their scores."""

    candidate: Summaries
    other: Summaries
    metrics: list[MetricInfo]
    missing: str = ""
    """Why there are no metrics, where there are none."""


class PreparedSheet(NamedTuple):
    """A sheet, its key, and where the key is kept."""

    sheet: Sheet
    key: SheetKey
    key_path: Path


def prepare_sheet(
    candidate: Run,
    plugins: Plugins,
    runs: Path,
    feedback: Feedback = SILENT,
    *,
    baseline: Run | None = None,
    against: Rival = "baseline",
    n: int = 30,
    seed: int = 0,
) -> PreparedSheet:
    """The sheet that compares a candidate with its baseline, the humans or the best control; the key is written.

    Equal arguments give an equal sheet. `baseline` is by default the newest comparable one; it needs `against` to be
    "baseline". Raises `UsageError` where there is nothing to judge.
    """
    candidate.require_complete()
    if baseline and against != "baseline":
        raise UsageError("a baseline was named for a comparison with another system", f"Leave out --against {against}.")
    rivals = [one for one in candidate.conversations if against != "humans" or one.references]
    drawn = draw_conversations(rivals, n, seed)
    if not drawn:
        raise UsageError(f"no conversation of {candidate.id} has a human summary", "Judge against another system.")
    if against == "baseline":
        both = _with_baseline(candidate, baseline or _newest_baseline(candidate, runs, feedback))
    elif against == "humans":
        both = _with_humans(candidate, drawn, seed, plugins)
    else:
        both = _with_best_control(candidate, plugins, runs, feedback)
    sheet, key = make_sheet(
        drawn,
        both.candidate,
        both.other,
        against=against,
        seed=seed,
        clusters=ScoredSplit(candidate.conversations).clusters,
        metrics=both.metrics,
        metrics_missing=both.missing,
    )
    if not sheet.pairs:
        raise UsageError(f"all {len(drawn)} pairs of summaries of {key.candidate} and {key.other} are identical")
    return PreparedSheet(sheet, key, write_key(runs, key))


def _newest_baseline(candidate: Run, runs: Path, feedback: Feedback) -> Run:
    baseline, [chosen] = choose_runs([candidate], runs, feedback.say)
    if chosen.id != candidate.id:
        raise UsageError(
            f"{candidate.id} is a baseline", "Name a candidate; --baseline names what it is compared with."
        )
    return baseline


def _with_baseline(candidate: Run, baseline: Run) -> Comparable:
    require_comparable(baseline, candidate)
    if baseline.id == candidate.id:
        raise UsageError(f"{candidate.id} cannot be compared with itself", "Name another run with --baseline.")
    return Comparable(_summaries(candidate), _summaries(baseline), [row.info for row in candidate.summary.metrics])


def _summaries(run: Run) -> Summaries:
    return Summaries(name=run.id, texts={id_: row.text for id_, row in run.predictions.items()}, scores=run.scores)


def _with_humans(candidate: Run, drawn: Sequence[Conversation], seed: int, plugins: Plugins) -> Comparable:
    """One human summary of each conversation, drawn by seed and id.

    On the headlines both are scored against the other human summaries of the conversation: the candidate's own scores
    are against all of them, including the one that it is compared with.
    """
    chosen = [leave_one_out(one)[int(digest("human", seed, one.id), 16) % len(one.references)] for one in drawn]
    ids = [one.id for one in drawn]
    human, left = [text for text, _ in chosen], [conversation for _, conversation in chosen]
    ours = [candidate.predictions[id_].text for id_ in ids]
    try:
        metrics = prepare_again(candidate, plugins, candidate.manifest.headlines).metrics
        columns = {one.name: (values(one, ours, left), values(one, human, left)) for one in metrics}
        infos, missing = [metric_info(metric) for metric in metrics], ""
    except LiftbenchError as error:
        columns, infos, missing = {}, [], error.line
    by_id: list[dict[str, dict[str, float | None]]] = [
        {id_: {name: both[side][at] for name, both in columns.items()} for at, id_ in enumerate(ids)} for side in (0, 1)
    ]
    return Comparable(
        Summaries(name=candidate.id, texts=dict(zip(ids, ours, strict=True)), scores=by_id[0]),
        Summaries(name=HUMANS, texts=dict(zip(ids, human, strict=True)), scores=by_id[1]),
        infos,
        missing,
    )


def _with_best_control(candidate: Run, plugins: Plugins, runs: Path, feedback: Feedback) -> Comparable:
    """The control with the best mean on the first headline among those that saw no reference."""
    controls = _find_controls(candidate, plugins, runs, feedback)
    headline = candidate.manifest.headlines[0]
    row = next((row for row in rank_controls(controls, headline) if row.texts), None)
    if row is None:
        reasons = [f"{row.name}: {row.missing}" for row in controls.rows if row.missing]
        raise UsageError(f"no control has a score on {headline}", "; ".join(reasons))
    scores = {id_: {metric: column[at] for metric, column in row.scores.items()} for at, id_ in enumerate(controls.ids)}
    texts = dict(zip(controls.ids, row.texts, strict=True))
    other = Summaries(name=row.name, texts=texts, scores=scores)
    return Comparable(_summaries(candidate), other, controls.metrics)


def _find_controls(run: Run, plugins: Plugins, runs: Path, feedback: Feedback) -> ControlScores:
    """The control scores that are kept, else measured now from the run's own recipe."""
    manifest = run.manifest
    place = floor_cache(manifest.protocol, manifest.training, manifest.seed, plugins, runs)
    if (there := read_cached(place.controls, ControlScores)) is not None:
        return there
    measurement = prepare_again(run, plugins)
    with feedback.bars([("controls", "systems")]) as (progress,):
        return measure_controls(measurement, place, manifest.seed, plugins, progress)


def import_judgments(paths: Sequence[Path], runs: Path) -> Preference:
    """The result of one or more judges' files about one sheet; it is kept beside the key.

    Raises `UsageError` for a file of another form or sheet, for a judge who occurs twice, and for open questions.
    """
    files = [read_judgments(path) for path in paths]
    sheet = find_sheet(paths, files)
    try:
        key = read_key(runs, sheet)
    except UsageError as error:
        raise UsageError(
            f"{paths[0]} is about sheet {sheet!r}, whose key is not at {key_path(runs, sheet)}",
            f"Name the folder of the runs that the sheet was made from with --runs. {error.fix}",
        ) from error
    votes = [vote for path, file in zip(paths, files, strict=True) for vote in unblind(path, file, key)]
    found = people_preference(key, votes)
    write_atomic(result_path(runs, sheet), found)
    return found


def judge_by_model(
    prepared: PreparedSheet, model: str, base_url: str, key_variable: str, runs: Path, feedback: Feedback = SILENT
) -> Preference:
    """A language model's judgments of the pairs of a sheet, each asked in both orders; the result is kept.

    The conversations and summaries are sent to `base_url`. Answers that are kept already are not asked for again. The
    result says how far the model agrees with people who judged the same pairs.
    """
    host = host_of(base_url)
    ask = connect(model, base_url, key_variable)
    path = model_path(runs, prepared.sheet.id, model, base_url, PROMPT_SHA256)
    feedback.say(f"sends {len(prepared.sheet.pairs)} conversations with their summaries to {host}")
    with feedback.bars([("judging", "answers")]) as (progress,):
        answers = ask_all(prepared.sheet, prepared.key, ask, path.with_suffix(".jsonl"), progress)
    key = prepared.key
    people = [
        one
        for one in find_preferences(runs, key.candidate)
        if one.kind == "people" and (one.against, one.other) == (key.against, key.other)
    ]
    found = model_preference(key, answers, model, host, people)
    write_atomic(path, found)
    return found
