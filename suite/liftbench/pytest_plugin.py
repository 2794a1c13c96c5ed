"""The pytest plugin: a test that a lift is still there, by a promoted baseline and a run.

```python
@pytest.mark.lift(baseline="tweetsumm-smollm2-135m", target="40%")
def test_adapter_still_wins(lift): ...
```

Importing this module imports nothing else of the suite: in a project that does not use it, it costs nothing.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import pytest

if TYPE_CHECKING:
    from .cli.gating import Gated
    from .gates import Against, GateReport
    from .rules import Rule
    from .runs import Run

MARKER = (
    "lift(baseline, target='40%', *, excepting=(), rules=(), proven=None, recipe=None, run=None, system=None): the "
    "newest comparable run (or `run`) must have the lift over the promoted baseline, verified on each of its headlines "
    "but for the guards in `excepting`, and hold `rules`; `proven` is the promoted adapter that drops are from. With "
    "`recipe`, what is not given comes from its section [gates]. `system` is what --lift-score may score."
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of their own group; folders are relative to that of the configuration file, where there is one."""
    group = parser.getgroup("lift", "liftbench: is the lift still there?")
    group.addoption("--lift-run", metavar="RUN", help="The run to gate, instead of the newest comparable one.")
    group.addoption(
        "--lift-update",
        metavar="WHY",
        help="Promote the gated run as a marker's `proven` adapter, where it holds all other rules, saying why.",
    )
    group.addoption("--lift-score", action="store_true", help="Score a marker's `system` where there is no run of it.")
    group.addoption(
        "--lift-runs", metavar="DIR", help="Where run directories are (default: LIFTBENCH_RUNS, or reports/runs)."
    )
    group.addoption(
        "--lift-baselines", metavar="DIR", help="Where baselines are (default: LIFTBENCH_BASELINES, or baselines)."
    )


def pytest_configure(config: pytest.Config) -> None:
    """The marker is known under --strict-markers."""
    config.addinivalue_line("markers", MARKER)


def pytest_itemcollected(item: pytest.Item) -> None:
    """A marked test is gated also where it does not ask for the fixture."""
    if item.get_closest_marker("lift") and isinstance(item, pytest.Function) and "lift" not in item.fixturenames:
        item.fixturenames.append("lift")


class Lift(NamedTuple):
    """What the fixture `lift` is: the gate's outcome. The test fails before its body runs unless it passed."""

    report: GateReport
    explanation: str
    """What each broken rule found, and how to mend it; empty where all hold."""
    page: Path | None
    """The HTML report, where a rule is broken."""


@pytest.fixture
def lift(request: pytest.FixtureRequest) -> Lift:
    """The gate of the test's marker `lift`, judged. What is missing (a baseline, a run) is an error of the set-up."""
    from .errors import LiftbenchError

    marker = request.node.get_closest_marker("lift")
    if marker is None:
        _stop("the fixture `lift` needs a marker: @pytest.mark.lift(baseline='NAME', target='40%')")
    found: Lift | str
    try:
        found = _judged(_arguments(*marker.args, **marker.kwargs), request.config)
    except (LiftbenchError, _WrongMarker) as error:
        found = f"lift: {error}"
    # Outside of what caught it, whose traceback would be shown.
    return _stop(found) if isinstance(found, str) else found


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """A broken rule is a failure of the test, told without a traceback."""
    found = pyfuncitem.funcargs.get("lift") if pyfuncitem.get_closest_marker("lift") else None
    if isinstance(found, Lift) and found.explanation:
        pytest.fail(found.explanation, pytrace=False)
    return (yield)


# ------------------------------------------------------------------------------------------------------- what is asked


class _Asked(NamedTuple):
    """A marker's arguments."""

    baseline: str
    target: str
    excepting: tuple[str, ...]
    rules: tuple[str, ...]
    proven: str
    recipe: str | None
    run: str | None
    system: str | None


class _WrongMarker(TypeError):
    """A marker whose arguments are none that there are."""


def _arguments(*arguments: Any, **options: Any) -> _Asked:
    """What a marker says. Raises `_WrongMarker`."""
    try:
        return _named_arguments(*arguments, **options)
    except TypeError as error:
        raise _WrongMarker(str(error).replace("_named_arguments", "lift")) from error


def _named_arguments(
    baseline: str = "",
    target: str | float | None = None,
    *,
    excepting: Sequence[str] = (),
    rules: Sequence[str] = (),
    proven: str | None = None,
    recipe: str | None = None,
    run: str | None = None,
    system: str | None = None,
) -> _Asked:
    if isinstance(excepting, str) or isinstance(rules, str):
        raise TypeError("excepting and rules are lists of strings")
    if isinstance(target, int | float):
        target = f"{100 * target:.6g}%"
    return _Asked(baseline, target or "", tuple(excepting), tuple(rules), proven or "", recipe, run, system)


def _completed(asked: _Asked) -> _Asked:
    """With what the recipe's section [gates] says beside, and a target of 40% where there is no rule at all."""
    from .cli.job import resolve_recipe

    if asked.recipe is not None:
        section = resolve_recipe(asked.recipe, {}, [], []).recipe.gates
        asked = asked._replace(
            baseline=asked.baseline or section.baseline,
            proven=asked.proven or ("" if asked.baseline else section.proven),
            rules=asked.rules if asked.target else (*section.rules, *asked.rules),
        )
    return asked if asked.target or asked.rules else asked._replace(target="40%")


def _rules(asked: _Asked, against: Against) -> list[Rule]:
    """The target on each headline of the baseline, then the rules of the marker."""
    from .rules import named, parse

    rules = list(map(parse, asked.rules))
    if not asked.target:
        return rules
    excepting = f" except {', '.join(map(named, asked.excepting))}" if asked.excepting else ""
    return [
        *(
            parse(f"lift({named(metric)}) >= {asked.target} verified{excepting}")
            for metric in against.baseline.measured.manifest.headlines
        ),
        *rules,
    ]


# -------------------------------------------------------------------------------------------------------------- judging


def _judged(asked: _Asked, config: pytest.Config) -> Lift:
    from .cli.gating import against_promoted, gated, run_to_gate, write_page
    from .report.gate_words import explanation
    from .rules import parse

    runs = _folder(config, "lift_runs", "LIFTBENCH_RUNS", "reports/runs")
    baselines = _folder(config, "lift_baselines", "LIFTBENCH_BASELINES", "baselines")
    why = config.getoption("lift_update")
    asked = _completed(asked)
    parsed = list(map(parse, asked.rules))
    # What is being promoted now need not be there yet.
    proven = "" if why and not (baselines / f"{asked.proven}.json").exists() else asked.proven
    against = against_promoted(asked.baseline, proven, parsed, baselines)
    rules = _rules(asked, against)
    name = config.getoption("lift_run") or asked.run
    if not name and asked.system is not None:
        run = _of_system(asked.system, asked.recipe, against, runs, config)
    else:
        run = run_to_gate(name, against, runs)
    if why:
        against = _updated(why, asked.proven, gated(_apart_from_proven(rules), against, run), parsed, baselines)
    found = gated(rules, against, run)
    if found.report.passed:
        return Lift(found.report, "", None)
    page = write_page(found, runs)
    return Lift(found.report, f"{explanation(found.report)}\nreport: {page}", page)


def _folder(config: pytest.Config, option: str, variable: str, default: str) -> Path:
    # Without a configuration file the root folder is a guess, which a path among the options leads astray.
    root = config.rootpath if config.inipath else config.invocation_params.dir
    folder = root / (config.getoption(option) or os.environ.get(variable) or default)
    return Path(os.path.relpath(folder)) if folder.is_relative_to(Path.cwd()) else folder


def _apart_from_proven(rules: Sequence[Rule]) -> list[Rule]:
    return [
        rule
        for rule in rules
        if "proven" not in (rule.over, rule.bound.system) and not (rule.quantity == "drop" and not rule.over)
    ]


def _updated(why: str, proven: str, found: Gated, rules: Sequence[Rule], baselines: Path) -> Against:
    """Promote the gated run, if it holds all that is not about the proven one; what it is gated against from now on."""
    from filelock import FileLock

    from .cli.gating import against_promoted
    from .errors import UsageError
    from .promotion import promote
    from .report.gate_words import explanation

    if not proven:
        raise UsageError("--lift-update promotes the run as what `proven` names, and the marker names nothing")
    if not found.report.passed:
        raise UsageError(f"not promoted, as other rules are broken.\n{explanation(found.report)}")
    if len(found.runs) > 1:
        raise UsageError(f"{len(found.runs)} seeds were gated; `bench promote RUN {proven}` promotes one of them")
    with FileLock(baselines / f".{proven}.lock"):
        promote(found.runs[0], proven, baselines, why=why)
    return against_promoted(found.report.baseline, proven, rules, baselines)


def _of_system(system: str, recipe: str | None, against: Against, runs: Path, config: pytest.Config) -> Run:
    """The run of a system, kept from before, or made now under --lift-score, which is announced with its cost."""
    from filelock import FileLock

    from .cli.acts import measured
    from .cli.job import Job, resolve_recipe
    from .contracts import no_progress
    from .errors import PrerequisiteError
    from .measurement import prepare
    from .plugins import load_plugins
    from .runs import runs_in
    from .systems import named, recipe_shots

    summary = against.baseline.measured.summary
    cost = f"{summary.n} conversations" + (f", {summary.seconds:.0f} s for the baseline" if summary.seconds else "")
    if not config.getoption("lift_score"):
        there = [run for run in runs_in(runs) if run.manifest.status == "complete" and system in _names(run)]
        if there:
            return there[-1]
        raise PrerequisiteError(
            f"there is no run of {system} in {runs}.\n`pytest --lift-score` scores it ({cost}); so does "
            f"`bench score {system} {recipe or ''}`".rstrip()
            + "."
        )
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.write_line(f"lift: scoring {system} ({cost})")
    runs.mkdir(parents=True, exist_ok=True)
    with FileLock(runs / ".lift-score.lock"):
        job = Job(
            resolved=resolve_recipe(recipe, {}, [], []),
            plugins=load_plugins(),
            runs=runs,
            fresh=False,
            dry_run=False,
            json=False,
        )
        measurement = prepare(job.resolved, job.plugins)
        shots = recipe_shots(job.resolved.recipe, job.plugins)
        subject, parent = named(system, job.resolved.recipe, runs, shots=shots)
        return measured(job, "score", subject, measurement, no_progress, parent)


def _names(run: Run) -> tuple[str | None, ...]:
    """What `bench score` calls the system of a run: a run, an adapter's folder, or a model reference."""
    system = run.manifest.system
    reference = system.model.reference if system.model and system.adapter is None else None
    return run.id, run.manifest.parent, str(run.adapter), system.name, reference


def _stop(message: str) -> NoReturn:
    pytest.fail(message, pytrace=False)
