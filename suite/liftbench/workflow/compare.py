"""Comparing runs: which belong together, what is measured beside them, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from ..errors import LiftbenchError
from ..extension.loader import Plugins, load_plugins
from ..floors.background import Background, measure_background
from ..judging.compare import Comparison, agree_on_terms
from ..judging.compare import compare as judge_runs
from ..judging.evidence import Selection
from ..judging.sensitivity import scorers
from ..measuring.plan import ReadData, read_data_once
from ..metrics.base import Metric
from ..preferences.folder import preferences_of
from ..progress import Progress
from ..records.run import Against
from ..records.training import TrainingSummary
from ..runs.directory import Run, find_run, runs_in
from ..runs.seed_groups import count_looks, name_seeds, near_trainings, other_seeds, seed_of, unscored_seeds
from ..runs.selection import best_prompted, newest_pair
from .feedback import SILENT, Feedback, Say, feedback_to
from .measure import say_problems
from .setup import RUNS

RunLike = Run | str | Path
"""A run: the object, its folder, its id, or a part of its id that no other run has."""


def compare(
    baseline: RunLike | None = None,
    candidates: RunLike | Sequence[RunLike] | None = None,
    *,
    runs: str | Path = RUNS,
    target: float | None = None,
    headlines: Sequence[str] = (),
    against: Against | None = None,
    slices: Sequence[str] = (),
    plugins: Plugins | None = None,
    progress: Progress | None = None,
    say: Say | None = None,
) -> Comparison:
    """Compare candidates with a baseline, as `bench compare` does.

    Other seeds of a candidate's training are judged with it. Controls and the validity table are measured where no
    earlier ones are kept.

    Parameters:
        baseline: A run (as an object, a folder, an id or a part of one). If only one run is given, as `baseline` or as
            `candidates`, its newest comparable counterpart is taken; if none is, the newest comparable pair.
        candidates: One run or several.
        runs: The folder of the run directories.
        target: The lift to reach, as a fraction: 0.4 is 40% (default: the baseline's recipe's).
        headlines: The metrics to judge on (default: the baseline's recipe's).
        against: Judge the lift over the `baseline` or over the `best-prompted` one (default: the recipe's).
        slices: Metadata fields whose slices must not get worse, in addition to the recipe's.
        plugins: Plugins that are loaded already (default: the installed ones).
        progress: Called as `progress(done, total, message)` while controls are measured.
        say: Called with each message, for example `print`.

    Returns:
        The comparison: `comparison.candidates[0].verdict` has the outcome and its sentence.

    Raises:
        UsageError: A run is unknown, incomplete or given twice, or the runs were measured under different protocols.

    Example:
        >>> comparison = liftbench.compare(baseline, [adapter], target=0.4)  # doctest: +SKIP
        >>> comparison.candidates[0].verdict.outcome  # doctest: +SKIP
        'verified'
    """
    folder, feedback = Path(runs), feedback_to(progress, say)
    plugins = plugins or load_plugins()
    given = [] if baseline is None else [baseline]
    given += [candidates] if isinstance(candidates, Run | str | Path) else candidates or ()
    named = [one if isinstance(one, Run) else find_run(str(one), folder) for one in given]
    chosen = choose_runs(named, folder, feedback.say)
    found = compare_runs(
        *chosen,
        plugins,
        folder,
        feedback,
        target=target,
        headlines=headlines,
        against=against,
        slices=slices,
    )
    say_problems(plugins, feedback.say)
    return found.comparison


class RunComparison(NamedTuple):
    """A comparison, with the runs that it names."""

    comparison: Comparison
    runs: dict[str, Run]
    """The runs by id."""


def choose_runs(named: Sequence[Run], runs: Path, say: Say) -> tuple[Run, list[Run]]:
    """The baseline and the candidates that some named runs stand for, the baseline first.

    For a single run its newest comparable counterpart is taken, for none the newest comparable pair, and `say` is
    called with the choice.
    """
    if len(named) > 1:
        baseline, *candidates = named
        return baseline, candidates
    there = runs_in(runs)
    if named:
        is_baseline = named[0].manifest.command == "baseline" and not named[0].manifest.tuned
        there = [named[0], *(run for run in there if (run.manifest.command == "baseline") != is_baseline)]
    baseline, candidate = newest_pair(there)
    say(f"baseline:  {baseline.id}\ncandidate: {candidate.id}")
    return baseline, [candidate]


def compare_runs(
    baseline: Run,
    candidates: Sequence[Run],
    plugins: Plugins,
    runs: Path,
    feedback: Feedback = SILENT,
    *,
    target: float | None = None,
    headlines: Sequence[str] = (),
    against: Against | None = None,
    slices: Sequence[str] = (),
) -> RunComparison:
    """Compare candidates with a baseline, given the other runs in the folder `runs`.

    Other seeds of a candidate's training are judged with it even where they are not given: the best of three seeds
    alone would flatter it. Controls and the validity table are measured now where no earlier ones are kept.
    """
    agree_on_terms(baseline, candidates, target=target, headlines=headlines, against=against, slices=slices)
    there = runs_in(runs)
    candidates = [*candidates, *_other_seeds(baseline, candidates, there, feedback.say)]
    read = read_data_once()
    with feedback.bars([("controls", "systems"), ("validity", "metrics")]) as (on_controls, on_validity):
        background = measure_background(baseline.require_complete(), plugins, on_controls, on_validity, read)
    metrics, background = _scorers(baseline, headlines, plugins, background, read)
    left_out = name_seeds(_find_unjudged(candidates, there))
    if left_out:
        left_out += ": same training, but not scored under this protocol; its `bench train` command scores it"
        background = replace(background, missing=background.missing | {"seeds": left_out})
    given = {run.id for run in (baseline, *candidates)}
    best = best_prompted(baseline, [run for run in there if run.id not in given])
    with feedback.bars([("verdict", "")]) as (on_verdict,):
        on_verdict(0, 0, "intervals, guards and slices")
        comparison = judge_runs(
            baseline,
            candidates,
            background,
            best_prompted=best,
            target=target,
            headlines=headlines,
            against=against,
            slices=slices,
            metrics=metrics,
            selection=Selection(
                unscored_seeds=left_out,
                looks=count_looks(baseline, [*there, *candidates]),
                notes=_notes(candidates, there),
                preferences=preferences_of(runs, [run.id for run in candidates]),
                trainings=_find_trainings(candidates, there),
            ),
        )
    return RunComparison(comparison, {run.id: run for run in (baseline, *([best] if best else []), *candidates)})


def _find_trainings(candidates: Sequence[Run], there: Sequence[Run]) -> dict[str, TrainingSummary]:
    """The trainings of candidates whose adapter another run made; what cannot be read is left out."""
    by_id = {run.id: run for run in there}
    found = {}
    for run in candidates:
        adapter = run.manifest.system.adapter
        maker = by_id.get(run.manifest.parent or (adapter.run if adapter else None) or "")
        with suppress(LiftbenchError):
            if run.training is None and maker is not None and maker.training is not None:
                found[run.id] = maker.training
    return found


def _notes(candidates: Sequence[Run], there: Sequence[Run]) -> list[str]:
    """What a reader must know about how the candidates were chosen."""
    return [
        f"{near.id} is called another training than {candidate.id}, but differs only in numbers that are nearly "
        "equal: its seeds were not judged with it."
        for candidate in candidates
        for near in near_trainings(candidate, there)
    ]


def _scorers(
    baseline: Run, headlines: Sequence[str], plugins: Plugins, background: Background, read: ReadData
) -> tuple[list[Metric], Background]:
    """The headline metrics, to score texts again; none where they are gone, and `missing` then has the reason."""
    try:
        return scorers(baseline, headlines or baseline.manifest.headlines, plugins, read), background
    except LiftbenchError as error:
        return [], replace(background, missing=background.missing | {"sensitivity": error.line})


def _other_seeds(baseline: Run, candidates: Sequence[Run], there: Sequence[Run], say: Say) -> list[Run]:
    """Measured seeds of the candidates' trainings that were not given; `say` is called with them."""
    seen = {_member(run) for run in (baseline, *candidates)}
    found: list[Run] = []
    for candidate in candidates:
        others = [run for run in other_seeds(candidate, there) if _member(run) not in seen]
        if not others:
            continue
        seen |= {_member(run) for run in others}
        found += others
        say(f"judged with {candidate.id}, because the training is the same: {name_seeds(others)}")
    return found


def _find_unjudged(candidates: Sequence[Run], there: Sequence[Run]) -> list[Run]:
    """Seeds of the candidates' trainings that cannot be judged with them, each once."""
    found = {run.id: run for candidate in candidates for run in unscored_seeds(candidate, there)}
    return list(found.values())


def _member(run: Run) -> tuple[str, int]:
    """Which seed of which training a run is."""
    return run.manifest.family, seed_of(run)
