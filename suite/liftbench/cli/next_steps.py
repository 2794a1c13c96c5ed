"""What to do next: the line at the end of a command, and the one place that makes it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import LiftbenchError
from ..models.served import PREFIX, is_served
from ..records.run import Manifest
from ..runs.differences import protocol_differences
from ..runs.directory import Run, find_run, runs_in
from ..runs.selection import complete_like, is_plain_baseline, newest_pair, plain_baseline_of
from ..workflow.setup import BASELINES, OVERRIDES, RUNS, Setup
from .show import say

if TYPE_CHECKING:
    from ..workflow.size_plan import SizePlan

PILOT = 50
"""Conversations of a pilot."""

STEP = "liftbench.step"
"""Set in the context while a command is a step of another one, which says itself what comes next."""


def say_next(*command: str | Path) -> None:
    """Say which command comes next."""
    ctx = click.get_current_context(silent=True)
    if ctx is not None and ctx.meta.get(STEP):
        return
    say(f"next: {shlex.join(str(part) for part in command)}")


# ------------------------------------------------------------------------------------------------------------ measuring


def after_measuring(setup: Setup, run: Run, *, as_json: bool) -> None:
    """After a baseline, a training or a score: what its verdict lacks, or the verdict."""
    if as_json:
        return
    there = runs_in(setup.runs)
    alike = complete_like(run, there)
    candidates = [one for one in alike if one.manifest.command != "baseline"]
    if not any(map(is_plain_baseline, alike)):
        say_next("bench", "baseline", *recipe_arguments(setup, plugin=False))
    elif not candidates and is_served(setup.recipe.model.reference):
        say_next("bench", "score", f"{PREFIX}NAME@URL", *recipe_arguments(setup, plugin=False, model=False))
    elif not candidates:
        say_next("bench", "train", *recipe_arguments(setup, plugin=False), "--plugin", setup.recipe.train.plugin)
    elif run.manifest.command == "baseline" or _is_newest(run, there):
        say_next("bench", "compare", *runs_arguments(setup.runs))
    else:
        say_next("bench", "compare", run.id, *runs_arguments(setup.runs))


def after_shard(runs: Path, *, as_json: bool) -> None:
    """After a shard: the run it is a part of."""
    if as_json:
        return
    say_next("bench", "merge", *runs_arguments(runs))


def after_training_alone(*, as_json: bool) -> None:
    """After `bench train --no-score`: the same, with its score."""
    if not as_json:
        say_next(*_again("--no-score"))


def after_plan(plan: SizePlan, runs: Path) -> None:
    """After a plan: a pilot instead of assumptions, the verdict where the pilot is large enough, else what it lacks."""
    enough = [n for n in plan.fewest.values() if n is not None]
    if not plan.pilot_runs:
        say_next("bench", "baseline", "--limit", str(PILOT), *runs_arguments(runs))
        return
    baseline, candidate = (find_run(id_, runs) for id_ in plan.pilot_runs)
    if not enough:
        say_next("bench", "sweep", _recipe_of(candidate), *runs_arguments(runs))
    elif plan.pilot and plan.pilot >= min(enough):
        say_next("bench", "compare", baseline.id, candidate.id, *runs_arguments(runs))
    elif baseline.manifest.protocol.n < len({id_ for batch in baseline.manifest.plan for id_ in batch}):
        command = ["bench", "baseline", _recipe_of(baseline), "--limit", str(min(enough))]
        say_next(*command, *runs_arguments(runs))
    else:
        say_next("bench", "data", "import", "FILE...", "--to", "FOLDER")


def after_run(run: Run, runs: Path) -> None:
    """After a look at a run: to finish it, or one of its conversations."""
    if run.manifest.status == "complete" and not run.changed:
        say_next("bench", "show", run.id, run.conversations[0].id, *runs_arguments(runs))
    elif run.manifest.argv[0].endswith(("bench", "__main__.py")):
        say_next("bench", *run.manifest.argv[1:])


def after_runs(listed: Sequence[Run], runs: Path) -> None:
    """After a list of runs: damaged ones are deleted; else a look at the newest."""
    if any(run.changed for run in listed):
        say_next("bench", "runs", "delete", "--damaged", *runs_arguments(runs))
    else:
        say_next("bench", "runs", "show", listed[-1].id, *runs_arguments(runs))


def after_yardsticks(setup: Setup) -> None:
    """After controls or the validity of metrics: a system to hold beside them."""
    say_next("bench", "baseline", *recipe_arguments(setup))


def after_dry_run(*, as_json: bool) -> None:
    """After `--dry-run`: the same command, in earnest."""
    if not as_json:
        say_next(*_again("--dry-run", "--no-calibration"))


def after_sweep(recipe: str | Path, runs: Path) -> None:
    """After a sweep: a training with the options that it found."""
    say_next("bench", "train", recipe, *runs_arguments(runs))


def after_promotion(name: str, run: Run, runs: Path, baselines: Path) -> None:
    """After a promotion: the gate that it serves, or the promotion that the gate needs as well."""
    place = () if baselines == BASELINES else ("--baselines", baselines)
    trained = _is_trained(run.manifest)
    other = _promoted_beside(name, run, baselines)
    if other is not None:
        plain, proven = (other, name) if trained else (name, other)
        names = ("--baseline", plain, "--proven", proven)
        say_next("bench", "gate", _recipe_of(run), *names, *place, *runs_arguments(runs))
    elif not trained:
        say_next("bench", "gate", _recipe_of(run), "--baseline", name, *place, *runs_arguments(runs))
    else:
        baseline = plain_baseline_of(run, runs_in(runs))
        say_next("bench", "promote", baseline.id if baseline else "RUN", f"{name}-plain", *place, *runs_arguments(runs))


def _promoted_beside(name: str, run: Run, baselines: Path) -> str | None:
    """What was promoted of the same measurement in the other role: the untuned model, or what was trained."""
    from ..gating.baselines import promoted_in, read_promoted  # it loads the statistics, which lists do without

    for other in promoted_in(baselines):
        if other == name:
            continue
        try:
            manifest = read_promoted(other, baselines).measured.manifest
        except LiftbenchError:
            continue
        alike = not protocol_differences(run.manifest.protocol, manifest.protocol)
        if alike and _is_trained(manifest) != _is_trained(run.manifest):
            return other
    return None


def _is_trained(manifest: Manifest) -> bool:
    return manifest.system.adapter is not None or manifest.command == "train"


def after_gate(run: Run, runs: Path, *, passed: bool) -> None:
    """After a gate: what was proven is shipped; what was not is looked at."""
    if not passed:
        say_next("bench", "compare", run.id, *runs_arguments(runs))
    elif run.adapter is not None:
        say_next("bench", "export", run.id, "--to", "FOLDER", *runs_arguments(runs))


def after_export(form: str, folder: Path) -> None:
    """After an export: a first summary by what was exported."""
    say_next("bench", "summarize", "--adapter" if form == "adapter" else "--model", folder, "FILE")


# ----------------------------------------------------------------------------------------------------------------- data


def after_import(folder: Path) -> None:
    """After an import: what is wrong with the data."""
    say_next("bench", "data", "check", folder)


def after_check(folder: Path, splits: Sequence[str], redacted: Path | None, *, personal: bool) -> None:
    """After a check: without personal data, split, to be measured."""
    if redacted is not None:
        folder = redacted
    elif personal:
        say_next("bench", "data", "check", folder, "--redact")
        return
    if "train" in splits:
        after_split(folder)
    else:
        say_next("bench", "data", "split", folder)


def after_init(recipe: Path) -> None:
    """After a recipe was written: to check it, and the way to its verdict."""
    name = shlex.quote(str(recipe))
    say(f"next: bench check {name}\n      bench baseline {name}\n      bench train {name}\n      bench compare")


def after_split(folder: Path) -> None:
    """After a split: the untuned model on it."""
    say_next("bench", "baseline", "--dataset", folder)


# -------------------------------------------------------------------------------------------------------------- judging


def after_judging(runs: Path) -> None:
    """After judgments were read: the verdict that they are a part of."""
    say_next("bench", "compare", *runs_arguments(runs))


def after_sheet(runs: Path) -> None:
    """After a sheet for judges: their answers."""
    say_next("bench", "judge", "import", "FILE...", *runs_arguments(runs))


# -------------------------------------------------------------------------------------------------------------- machine


def after_doctor(*, with_torch: bool) -> None:
    """After a look at the machine: what is missing to train on it, or the first verdict."""
    if with_torch:
        say("next: bench demo, or bench init FOLDER for conversations of your own")
    else:
        say_next("pip", "install", "liftbench[train]")


# ------------------------------------------------------------------------------------------------------------ arguments


def recipe_arguments(setup: Setup, *, plugin: bool = True, model: bool = True) -> list[str]:
    """The recipe with what the command line changed in it, as the next command has to name them again."""
    resolved = setup.resolved
    typed = setup.origins.option
    found = [resolved.name]
    values = {key: _value(setup, key) for key in resolved.origins}
    for option, key in OVERRIDES.items():
        wanted = (plugin or option != "plugin") and (model or option != "model")
        if wanted and resolved.origins.get(key) == typed:
            found += [f"--{option.replace('_', '-')}", str(values[key])]
    found += [part for name in ("--metric", "--set") for text in _typed(setup.argv, name) for part in (name, text)]
    return [*found, *runs_arguments(setup.runs)]


def runs_arguments(runs: Path) -> list[str]:
    """`--runs DIR`, where the folder is not the usual one."""
    return [] if runs == RUNS else ["--runs", str(runs)]


def _value(setup: Setup, key: str) -> object:
    found: object = setup.recipe
    for part in key.split("."):
        found = found.get(part) if isinstance(found, dict) else getattr(found, part, None)
    return found


def _typed(argv: Sequence[str], option: str) -> list[str]:
    """The values of an option that may be repeated."""
    apart = [value for name, value in pairwise(argv) if name == option]
    return apart + [one.removeprefix(f"{option}=") for one in argv if one.startswith(f"{option}=")]


def _recipe_of(run: Run) -> str:
    """The recipe that a run was made with, as its origins name it."""
    origins = run.manifest.origins.values()
    return next((one.removeprefix("recipe ") for one in origins if one.startswith("recipe ")), "RECIPE")


def _again(*left_out: str) -> list[str]:
    return ["bench", *(argument for argument in sys.argv[1:] if argument not in left_out)]


def _is_newest(run: Run, there: Sequence[Run]) -> bool:
    try:
        return newest_pair(there)[1].id == run.id
    except LiftbenchError:
        return False
