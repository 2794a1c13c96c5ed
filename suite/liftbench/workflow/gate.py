"""Gating: which run, which seeds, which rules, and against which promoted baselines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from ..errors import PrerequisiteError, UsageError
from ..extension.loader import load_plugins
from ..gating.baselines import Promoted, promoted_in, read_promoted
from ..gating.context import RESERVED, over
from ..gating.gate import Against, GateReport
from ..gating.gate import gate as judge_rules
from ..judging.evidence import Selection
from ..measuring.plan import scorers_at_hand
from ..preferences.folder import preferences_of
from ..recipe.resolve import ResolvedRecipe, as_recorded, flatten
from ..recipe.rules import Rule, parse
from ..recipe.sections import GatesSection, Recipe
from ..runs.directory import Run, find_run, runs_in
from ..runs.seed_groups import count_looks, name_seeds, other_seeds, seed_of, unscored_seeds
from ..runs.selection import newest_like
from ..text.phrases import join_words
from .setup import BASELINES, RUNS, resolve_recipe

MEASURED_SECTIONS = ("model.", "data.", "generation.", "metrics.", "guards.")
"""Sections of a recipe that say how a run is measured and judged."""


def gate(
    recipe: str | Path | None = None,
    *,
    rules: Sequence[str] = (),
    run: Run | str | Path | None = None,
    baseline: str | None = None,
    proven: str | None = None,
    runs: str | Path = RUNS,
    baselines: str | Path = BASELINES,
) -> GateReport:
    """Check a run against rules and promoted baselines, as `bench gate` does.

    Nothing is trained or generated, and no data set is read. Each rule must hold for every seed of the run's training.

    Parameters:
        recipe: A shipped recipe by name, or the path of a TOML file, whose section `[gates]` names the baseline, the
            proven adapter and the rules (default: `smollm2-135m`, unless `baseline` is given).
        rules: Rules such as `lift(rougeL) >= 40% verified`, instead of the recipe's.
        run: The run to check (default: the newest one that was measured as the baseline was).
        baseline: Name of the promoted baseline, instead of the recipe's.
        proven: Name of the promoted adapter that the run must not fall behind, instead of the recipe's.
        runs: The folder of the run directories.
        baselines: The folder of the promoted baselines.

    Returns:
        The report: `report.passed` is true only if every rule passed. A rule that cannot be judged has not passed.

    Raises:
        UsageError: A rule cannot be parsed, there is no rule, or the run is unknown or incomplete.
        PrerequisiteError: The baseline, the proven adapter or a run to check is missing.

    Example:
        >>> report = liftbench.gate("helpdesk")  # doctest: +SKIP
        >>> [result.rule for result in report.results if result.state != "passed"]  # doctest: +SKIP
        []
    """
    plan = plan_gate(None if recipe is None else str(recipe), rules, baseline, proven)
    return run_gate(plan, run, Path(runs), Path(baselines)).report


class GatePlan(Struct, frozen=True, kw_only=True):
    """The rules of a gate, and the promoted baselines that it checks against."""

    rules: list[Rule]
    baseline: str
    """Name of the promoted baseline; empty where none is named."""
    proven: str
    resolved: ResolvedRecipe | None
    """The recipe that the plan comes from, if one does."""


class GateOutcome(NamedTuple):
    """A gate's report, with the runs that were checked and what they were checked against."""

    report: GateReport
    runs: list[Run]
    against: Against


def plan_gate(recipe: str | None, rules: Sequence[str], baseline: str | None, proven: str | None) -> GatePlan:
    """The plan from a recipe's section `[gates]`; arguments that are given win. Raises `UsageError`.

    A baseline that is named without a recipe stands by itself: the default recipe's rules are not about it. The
    recipe's proven adapter belongs only to the recipe's baseline.
    """
    resolved = None if baseline and not recipe else resolve_recipe(recipe)
    section = resolved.recipe.gates if resolved else GatesSection()
    name = baseline or section.baseline
    return GatePlan(
        rules=[parse(text) for text in rules or section.rules],
        baseline=name,
        proven=proven or (section.proven if name == section.baseline else ""),
        resolved=resolved,
    )


def run_gate(plan: GatePlan, run: Run | str | Path | None, runs: Path, baselines: Path) -> GateOutcome:
    """Check a run, or the newest one that was measured as the baseline was."""
    against = read_against(plan.baseline, plan.proven, plan.rules, baselines)
    found, notes = find_run_to_gate(run, against, runs)
    if plan.resolved:
        notes += differing_values(plan.resolved, against.baseline)
    return gate_run(plan.rules, against, found, notes)


def gate_run(rules: Sequence[Rule], against: Against, run: Run, notes: Sequence[str] = ()) -> GateOutcome:
    """Check a run against rules, together with the other seeds of its training that are in the same folder."""
    there = runs_in(run.folder.parent)
    runs = sorted([run, *other_seeds(run, there)], key=seed_of)
    selection = Selection(
        unscored_seeds=name_seeds(unscored_seeds(run, there)),
        looks=count_looks(run, [*there, run]),
        notes=notes,
        preferences=preferences_of(run.folder.parent, [one.id for one in runs]),
    )
    metrics = scorers_at_hand(run.manifest.protocol, against.baseline.measured.manifest.headlines, load_plugins())
    return GateOutcome(judge_rules(runs, rules, against, selection, metrics), runs, against)


def find_run_to_gate(run: Run | str | Path | None, against: Against, runs: Path) -> tuple[Run, list[str]]:
    """The named run, or the newest one measured like the baseline, with notes on the newer runs that were skipped."""
    if isinstance(run, Run):
        return run, []
    if run:
        return find_run(str(run), runs), []
    found, passed_over = newest_like(against.baseline.measured.manifest.protocol, runs_in(runs))
    return found, [f"Newer run {one.run} was not gated: it {one.why}." for one in passed_over]


def read_against(baseline: str, proven: str, rules: Sequence[Rule], folder: Path) -> Against:
    """The baseline, the proven adapter, and the other promoted baselines that rules name.

    Raises `PrerequisiteError` where the baseline or the proven adapter is missing; another one that is missing fails
    only the rule that names it.
    """
    if not baseline:
        names = promoted_in(folder)
        raise UsageError(
            "there is no baseline to gate against: name one (--baseline, [gates] baseline, or the marker's)"
            + (f" ({folder} holds {join_words(names)})" if names else "")
        )
    others = {}
    missing = {}
    for name in sorted({over(rule) for rule in rules} - {"", baseline, proven, *RESERVED}):
        try:
            others[name] = read_promoted(name, folder)
        except PrerequisiteError as error:
            missing[name] = f"Not checked: {error.what}.", error.fix
    return Against(
        baseline=read_promoted(baseline, folder),
        proven=read_promoted(proven, folder) if proven else None,
        others=others,
        missing=missing,
    )


def differing_values(resolved: ResolvedRecipe, baseline: Promoted) -> list[str]:
    """Notes on values of a recipe that differ from those the baseline was measured with: the baseline's count."""
    wanted = dict(flatten(as_recorded(resolved.recipe)))
    # A key that is younger than the baseline had its default's effect.
    recorded = dict(flatten(as_recorded(Recipe()))) | dict(flatten(baseline.measured.manifest.recipe))
    return [
        f"The recipe says {key} = {wanted[key]!r}, but the baseline was measured with {recorded[key]!r}, which is used."
        for key, origin in resolved.origins.items()
        if key.startswith(MEASURED_SECTIONS)
        and origin.startswith("recipe ")
        and key not in ("data.data_dir", "data.dataset", "model.reference")
        and key in recorded
        and wanted[key] != recorded[key]
    ]
