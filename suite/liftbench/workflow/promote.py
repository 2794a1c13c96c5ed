"""Promoting a run: which other results are kept with it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from ..extension.loader import load_plugins
from ..floors.background import Background, measure_background
from ..gating.promote import Promotion, promote
from ..runs.directory import Run, runs_in
from ..runs.selection import best_prompted
from .feedback import SILENT, Feedback
from .measure import say_problems


class RunPromotion(NamedTuple):
    """What promoting did, and what could not be kept with the run."""

    promotion: Promotion
    missing: dict[str, str]
    """What could not be kept (`controls`, `validity`) → why."""


def promote_run(
    run: Run,
    name: str,
    baselines: Path,
    *,
    why: str = "",
    texts: bool = False,
    data_dir: str | None = None,
    feedback: Feedback = SILENT,
) -> RunPromotion:
    """Promote a run as `baselines/NAME.json`.

    With an untuned model the controls, the human summaries and the best prompt are kept, since lifts over it are judged
    beside them. `data_dir` is where the data are now, if they have moved since the run. Raises as `promote` does.
    """
    background, best = Background(), None
    if run.manifest.system.adapter is None and not run.manifest.tuned:
        plugins = load_plugins()
        if data_dir and isinstance(data := run.manifest.recipe.get("data"), dict):
            run.manifest = replace(run.manifest, recipe=run.manifest.recipe | {"data": data | {"data_dir": data_dir}})
        with feedback.bars([("controls", "systems"), ("validity", "metrics")]) as (on_controls, on_validity):
            background = measure_background(run, plugins, on_controls, on_validity)
        say_problems(plugins, feedback.say)
        best = best_prompted(run, runs_in(run.folder.parent))
    done = promote(run, name, baselines, why=why, controls=background.controls, best_prompted=best, texts=texts)
    return RunPromotion(done, background.missing)
