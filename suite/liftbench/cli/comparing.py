"""What `compare` and `demo` do alike: compare runs and write the report.

Apart from `acts`, because it loads charts and templates, which no other command needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from ..errors import LiftbenchError
from ..extension.loader import Plugins
from ..files import digest, write_text
from ..floors.background import Background, measure_background
from ..judging.compare import Comparison, compare
from ..judging.sensitivity import scorers
from ..metrics.base import Metric
from ..records.run import Against
from ..report.html import render_comparison
from ..runs.directory import Run, runs_in
from ..runs.seed_groups import other_seeds, seed_of, unscored_seeds
from ..runs.selection import best_prompted
from ..text.phrases import listed
from .acts import say, warn
from .progress import progress_bars


class Compared(NamedTuple):
    """A comparison, its runs by id, and where its HTML report is."""

    comparison: Comparison
    runs: dict[str, Run]
    page: Path


def compared(
    baseline: Run,
    candidates: Sequence[Run],
    plugins: Plugins,
    runs: Path,
    *,
    html: Path | None = None,
    target: float | None = None,
    headlines: Sequence[str] = (),
    against: Against | None = None,
    slices: Sequence[str] = (),
) -> Compared:
    """Compare, and write the HTML report: to `html`, else beside the folder `runs`, under a name of its own.

    Other seeds of a candidate's training are taken in unasked: the best of three seeds, alone, would flatter. What
    stands beside the comparison, controls and the validity table, is measured now where it is not kept from before.
    """
    there = runs_in(runs)
    candidates = [*candidates, *_other_seeds(baseline, candidates, there)]
    with progress_bars([("controls", "systems"), ("validity", "metrics")]) as (on_controls, on_validity):
        measured = measure_background(baseline.require_complete(), plugins, on_controls, on_validity)
    metrics, measured = _metrics(baseline, headlines, plugins, measured)
    if left_out := listed([f"seed {seed_of(run)} ({run.id})" for run in _unjudged(candidates, there)]):
        why = f"{left_out}: trained likewise, but not scored like the others; the same `bench train` command does it"
        measured = replace(measured, missing=measured.missing | {"seeds": why})
    given = {run.id for run in (baseline, *candidates)}
    best = best_prompted(baseline, [run for run in there if run.id not in given])
    comparison = compare(
        baseline,
        candidates,
        measured,
        best_prompted=best,
        target=target,
        headlines=headlines,
        against=against,
        slices=slices,
        metrics=metrics,
    )
    by_id = {run.id: run for run in (baseline, *([best] if best else []), *candidates)}
    # By what is in it: the same page whichever of a training's seeds was named.
    key = digest(baseline.id, *(result.run for result in comparison.candidates))
    page = html or runs.parent / f"compare-{key[:8]}.html"
    write_text(page, render_comparison(comparison, by_id, plugins.sections(comparison)))
    warn(plugins)
    return Compared(comparison, by_id, page)


def _metrics(
    baseline: Run, headlines: Sequence[str], plugins: Plugins, measured: Background
) -> tuple[list[Metric], Background]:
    """The headline metrics, to score texts again; none, and the reason among what is missing, where they are gone."""
    try:
        return scorers(baseline, headlines or baseline.manifest.headlines, plugins), measured
    except LiftbenchError as error:
        return [], replace(measured, missing=measured.missing | {"sensitivity": str(error)})


def _other_seeds(baseline: Run, candidates: Sequence[Run], there: Sequence[Run]) -> list[Run]:
    """Seeds of the candidates' trainings that were measured and not given, which is said."""
    seen = {_member(run) for run in (baseline, *candidates)}
    found: list[Run] = []
    for candidate in candidates:
        others = [run for run in other_seeds(candidate, there) if _member(run) not in seen]
        if not others:
            continue
        seen |= {_member(run) for run in others}
        found += others
        seeds = listed([f"seed {seed_of(run)} ({run.id})" for run in others])
        say(f"judged with {candidate.id}, as the same training: {seeds}")
    return found


def _unjudged(candidates: Sequence[Run], there: Sequence[Run]) -> list[Run]:
    """Seeds of the candidates' trainings that cannot be judged with them, each once."""
    found = {run.id: run for candidate in candidates for run in unscored_seeds(candidate, there)}
    return list(found.values())


def _member(run: Run) -> tuple[str, int]:
    """Which seed of which training a run is."""
    return run.manifest.family, seed_of(run)
