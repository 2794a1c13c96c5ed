"""What the marker `lift` asks for, and its gate."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock

from ..errors import PrerequisiteError, UsageError
from ..extension.loader import load_plugins
from ..files import digest
from ..gating.baselines import require_name
from ..gating.context import over
from ..gating.gate import Against, GateReport, guard_name
from ..gating.promote import promote
from ..measuring.plan import prepare
from ..recipe.rules import Rule, parse, quote_name
from ..report.gate.sentences import explain_failure
from ..report.pages import write_gate_page
from ..runs.directory import Run, runs_in
from ..workflow.gate import find_run_to_gate, gate_run, read_against
from ..workflow.measure import find_system, measure_subject
from ..workflow.setup import Setup, resolve_recipe


class MarkerArguments(NamedTuple):
    """The arguments of a marker `lift`."""

    baseline: str
    target: str | None
    """None if no lift is required; empty where it is not given."""
    excepting: tuple[str, ...]
    rules: tuple[str, ...]
    proven: str
    recipe: str | None
    run: str | None
    system: str | None


class WrongMarker(TypeError):
    """A marker with wrong arguments."""


def read_marker(*arguments: Any, **options: Any) -> MarkerArguments:
    """The arguments of a marker. Raises `WrongMarker`."""
    try:
        return lift(*arguments, **options)
    except TypeError as error:
        raise WrongMarker(str(error)) from error


def lift(
    baseline: str = "",
    target: str | float | None = "",
    *,
    excepting: Sequence[str] = (),
    rules: Sequence[str] = (),
    proven: str | None = None,
    recipe: str | None = None,
    run: str | None = None,
    system: str | None = None,
) -> MarkerArguments:
    """The marker as a function: Python itself checks its arguments, and names it in the error. Raises `TypeError`."""
    for name, value in (
        ("baseline", baseline),
        ("proven", proven),
        ("recipe", recipe),
        ("run", run),
        ("system", system),
    ):
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{name} must be a name, not {value!r}")
    for name, values in (("excepting", excepting), ("rules", rules)):
        if isinstance(values, str) or not all(isinstance(value, str) for value in values):
            raise TypeError(f"{name} must be a list of strings")
    if isinstance(target, int | float) and target > 10:
        raise TypeError(f"a target of {target:g} is {100 * target:g}%; write '{target:g}%', or {target / 100:g}")
    if isinstance(target, int | float):
        target = f"{100 * target:.6g}%"
    if excepting and target is None:
        raise TypeError("excepting names guards of a target, and there is no target")
    return MarkerArguments(baseline, target, tuple(excepting), tuple(rules), proven or "", recipe, run, system)


def _add_recipe(marker: MarkerArguments) -> MarkerArguments:
    """The marker with the rules of its recipe's section [gates]; without rules there, with a target of 40%."""

    target = marker.target
    if marker.recipe is not None:
        section = resolve_recipe(marker.recipe).recipe.gates
        baseline = marker.baseline or section.baseline
        marker = marker._replace(
            baseline=baseline,
            proven=marker.proven or (section.proven if baseline == section.baseline else ""),
            rules=(*section.rules, *marker.rules),
        )
        if section.rules and not marker.excepting:
            target = target or None
    return marker._replace(target="40%" if target == "" else target)


def _rules_of(marker: MarkerArguments, against: Against) -> list[Rule]:
    """The target on each headline of the baseline, then the rules of the marker."""

    rules = list(map(parse, marker.rules))
    if marker.target is None:
        return rules
    for guard in marker.excepting:
        guard_name(guard)
    excepting = f" except {', '.join(map(quote_name, marker.excepting))}" if marker.excepting else ""
    lifts = [
        parse(f"lift({quote_name(metric)}) >= {marker.target} verified{excepting}")
        for metric in against.baseline.measured.manifest.headlines
    ]
    if lifts[0].bound.number <= 0:
        raise UsageError(f"the target must be above 0, not {marker.target}; target=None requires no lift")
    return [*lifts, *rules]


# -------------------------------------------------------------------------------------------------------------- judging


class MarkerOptions(NamedTuple):
    """The options of pytest for all markers."""

    runs: Path
    baselines: Path
    run: str | None
    """The run to gate, instead of the newest comparable one."""
    update: str | None
    """Why the gated run is to be promoted."""
    score: bool
    """Whether to score the marker's system if there is no run of it."""
    announce: Callable[[str], None]
    """Writes a line on the terminal."""


def gate_marker(marker: MarkerArguments, options: MarkerOptions) -> tuple[GateReport, str, Path | None]:
    """The gate that a marker asks for, what its broken rules found, and the page, if a rule is broken.

    Raises `LiftbenchError` where a baseline or run is missing.
    """

    runs, baselines, why = options.runs, options.baselines, options.update
    marker = _add_recipe(marker)
    parsed = list(map(parse, marker.rules))
    if marker.proven:
        require_name(marker.proven)
    # The promoted adapter need not exist yet if this call promotes it.
    new = why is not None and not (baselines / f"{marker.proven}.json").exists()
    against = read_against(marker.baseline, "" if new else marker.proven, parsed, baselines)
    rules = _rules_of(marker, against)
    name, notes = options.run or marker.run, list[str]()
    if not name and marker.system is not None:
        run = _run_of_system(marker.system, marker.recipe, against, options)
    else:
        run, notes = find_run_to_gate(name, against, runs)
    if why is not None:
        _update(why, marker.proven, rules, against, run, options)
        against = read_against(marker.baseline, marker.proven, parsed, baselines)
    found = gate_run(rules, against, run, notes)
    if found.report.passed:
        return found.report, "", None
    page = write_gate_page(found.report, found.runs, found.against, runs)
    return found.report, f"{explain_failure(found.report)}\nreport: {page}", page


def _update(
    why: str,
    proven: str,
    rules: Sequence[Rule],
    against: Against,
    run: Run,
    options: MarkerOptions,
) -> None:
    """Promote the gated run if it passes all rules that are not about the proven one."""

    if not why.strip() or Path(why).exists():
        raise UsageError(
            f"{why!r} is not a reason", "--lift-update takes the reason of the change: --lift-update 'new data'."
        )
    if not proven:
        raise UsageError("--lift-update promotes the run under the name in `proven`, and the marker has no `proven`")
    rest = [rule for rule in rules if over(rule) not in ("proven", proven)]
    if rest and not (found := gate_run(rest, against, run)).report.passed:
        raise UsageError("not promoted, because other rules did not pass", explain_failure(found.report))
    lock = Path(tempfile.gettempdir()) / f"liftbench-{digest(str(options.baselines.resolve()), proven)[:16]}.lock"
    with FileLock(lock):
        done = promote(run, proven, options.baselines, why=why)
    options.announce(f"lift: {done.path}: {done.change}, version {done.promoted.versions[-1].number}")


def _run_of_system(system: str, recipe: str | None, against: Against, options: MarkerOptions) -> Run:
    """The run of a system: an existing one, or one made now with --lift-score, which is announced with its cost."""

    summary = against.baseline.measured.summary
    cost = f"{summary.n} conversations" + (f", {summary.seconds:.0f} s for the baseline" if summary.seconds else "")
    if not options.score:
        there = [run for run in runs_in(options.runs) if run.manifest.status == "complete" and system in _names(run)]
        if there:
            return there[-1]
        raise PrerequisiteError(
            f"there is no run of {system} in {options.runs}",
            f"`pytest --lift-score` scores it ({cost}); so does "
            f"`{' '.join(['bench score', system, *([recipe] if recipe else [])])}`.",
        )
    options.announce(f"lift: scoring {system} ({cost})")
    options.runs.mkdir(parents=True, exist_ok=True)
    with FileLock(options.runs / ".lift-score.lock"):
        setup = Setup(resolved=resolve_recipe(recipe), plugins=load_plugins(), runs=options.runs, argv=sys.argv)
        measurement = prepare(setup.resolved, setup.plugins)
        subject, parent = find_system(setup, system)
        return measure_subject(setup, measurement, subject, parent)


def _names(run: Run) -> tuple[str | None, ...]:
    """The names that `bench score` accepts for a run's system: a run, an adapter's folder, or a model reference."""
    system = run.manifest.system
    reference = system.model.reference if system.model and system.adapter is None else None
    return run.id, run.manifest.parent, str(run.adapter), system.name, reference
