"""The pytest plugin: a test that a run still has its lift over a promoted baseline.

```python
@pytest.mark.lift(baseline="tweetsumm-smollm2-135m", target="40%")
def test_adapter_still_wins(lift): ...
```

Importing this module imports nothing else of the suite: in a project that does not use it, it costs nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import pytest

if TYPE_CHECKING:
    from .gating.gate import Against, GateReport
    from .recipe.rules import Rule
    from .runs.directory import Run

MARKER = (
    "lift(baseline, target='40%', *, excepting=(), rules=(), proven=None, recipe=None, run=None, system=None): the "
    "newest comparable run (or `run`) must have the lift over the promoted baseline, verified on each of its headlines "
    "except for the guards in `excepting`, and pass `rules`; target=None requires no lift. `proven` is the promoted "
    "adapter that drops are measured from. With `recipe`, the rules of its section [gates] are required too; they "
    "replace a target that is not given. `system` is what --lift-score may score."
)

GATES = "_lift_gates"
"""The fixture that judges: a project may have a fixture `lift` of its own."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options; folders are relative to the configuration file's, if there is one."""
    group = parser.getgroup("lift", "liftbench: does the run still have its lift?")
    group.addoption("--lift-run", metavar="RUN", help="The run to gate, instead of the newest comparable one.")
    group.addoption(
        "--lift-update",
        metavar="WHY",
        help="Promote the gated run as the marker's `proven` adapter for this reason, if it passes all other rules.",
    )
    group.addoption("--lift-score", action="store_true", help="Score the marker's `system` if there is no run of it.")
    group.addoption(
        "--lift-runs",
        metavar="DIR",
        help="The folder of the run directories (default: LIFTBENCH_RUNS, or reports/runs).",
    )
    group.addoption(
        "--lift-baselines",
        metavar="DIR",
        help="The folder of the promoted baselines (default: LIFTBENCH_BASELINES, or baselines).",
    )


def pytest_configure(config: pytest.Config) -> None:
    """The marker is known under --strict-markers."""
    config.addinivalue_line("markers", MARKER)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Announces that scoring may take long."""
    return "lift: systems without a run are scored (--lift-score)" if config.getoption("lift_score") else None


def pytest_itemcollected(item: pytest.Item) -> None:
    """A marked test is gated even if it does not use the fixture."""
    if item.get_closest_marker("lift") and isinstance(item, pytest.Function):
        item.fixturenames.append(GATES)


class Lift(NamedTuple):
    """What the fixture `lift` is: the gate's outcome. The test fails before its body runs unless it passed."""

    report: GateReport
    explanation: str
    """What each broken rule found, and how to fix it; empty where all hold."""
    page: Path | None
    """The HTML report, where a rule is broken."""


@pytest.fixture
def lift(request: pytest.FixtureRequest) -> Lift:
    """The gate of the test's marker `lift`, judged; of several markers, the closest one's."""
    if request.node.get_closest_marker("lift") is None:
        _stop("the fixture `lift` needs a marker: @pytest.mark.lift(baseline='NAME', target='40%')")
    gates: list[Lift] = request.getfixturevalue(GATES)
    return gates[0]


@pytest.fixture(name=GATES)
def _gates(request: pytest.FixtureRequest) -> list[Lift]:
    """The gates of all of a test's markers. What is missing (a baseline, a run) is an error of the set-up."""
    from .errors import LiftbenchError

    found: list[Lift] | str
    try:
        arguments = [_read_marker(*marker.args, **marker.kwargs) for marker in request.node.iter_markers("lift")]
        found = [_gate_marker(one, request.config) for one in arguments]
    except (LiftbenchError, _WrongMarker) as error:
        found = f"lift: {error}"
    # Outside of what caught it, whose traceback would be shown.
    return _stop(found) if isinstance(found, str) else found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """A broken rule fails the test without a traceback."""
    if item.get_closest_marker("lift"):
        gates: list[Lift] | None = getattr(item, "funcargs", {}).get(GATES)
        if gates is None:
            _stop("the marker `lift` is for test functions: this one cannot be gated")
        if broken := [gate.explanation for gate in gates if gate.explanation]:
            _stop("\n\n".join(broken))
    return (yield)


# ------------------------------------------------------------------------------------------------------------ a marker


class _MarkerArguments(NamedTuple):
    """A marker's arguments."""

    baseline: str
    target: str | None
    """None for no lift at all; empty where it is not given."""
    excepting: tuple[str, ...]
    rules: tuple[str, ...]
    proven: str
    recipe: str | None
    run: str | None
    system: str | None


class _WrongMarker(TypeError):
    """A marker with wrong arguments."""


def _read_marker(*arguments: Any, **options: Any) -> _MarkerArguments:
    """What a marker says. Raises `_WrongMarker`."""
    try:
        return _check_arguments(*arguments, **options)
    except TypeError as error:
        raise _WrongMarker(str(error).replace("_check_arguments", "lift")) from error


def _check_arguments(
    baseline: str = "",
    target: str | float | None = "",
    *,
    excepting: Sequence[str] = (),
    rules: Sequence[str] = (),
    proven: str | None = None,
    recipe: str | None = None,
    run: str | None = None,
    system: str | None = None,
) -> _MarkerArguments:
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
    return _MarkerArguments(baseline, target, tuple(excepting), tuple(rules), proven or "", recipe, run, system)


def _add_recipe(marker: _MarkerArguments) -> _MarkerArguments:
    """With the rules of the recipe's section [gates]; if there are none, with a target of 40%."""
    from .workflow.setup import resolve_recipe

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


def _rules_of(marker: _MarkerArguments, against: Against) -> list[Rule]:
    """The target on each headline of the baseline, then the rules of the marker."""
    from .errors import UsageError
    from .gating.gate import guard_name
    from .recipe.rules import named, parse

    rules = list(map(parse, marker.rules))
    if marker.target is None:
        return rules
    for guard in marker.excepting:
        guard_name(guard)
    excepting = f" except {', '.join(map(named, marker.excepting))}" if marker.excepting else ""
    lifts = [
        parse(f"lift({named(metric)}) >= {marker.target} verified{excepting}")
        for metric in against.baseline.measured.manifest.headlines
    ]
    if lifts[0].bound.number <= 0:
        raise UsageError(f"the target must be above 0, not {marker.target}; target=None requires no lift")
    return [*lifts, *rules]


# -------------------------------------------------------------------------------------------------------------- judging


def _gate_marker(marker: _MarkerArguments, config: pytest.Config) -> Lift:
    from .gating.baselines import require_name
    from .recipe.rules import parse
    from .report.gate.sentences import explain_failure
    from .report.pages import write_gate_page
    from .workflow.gate import find_run_to_gate, gate_run, read_against

    runs = _folder(config, "lift_runs", "LIFTBENCH_RUNS", "reports/runs")
    baselines = _folder(config, "lift_baselines", "LIFTBENCH_BASELINES", "baselines")
    why = config.getoption("lift_update")
    marker = _add_recipe(marker)
    parsed = list(map(parse, marker.rules))
    if marker.proven:
        require_name(marker.proven)
    # What is being promoted now need not be there yet.
    new = why is not None and not (baselines / f"{marker.proven}.json").exists()
    against = read_against(marker.baseline, "" if new else marker.proven, parsed, baselines)
    rules = _rules_of(marker, against)
    name, notes = config.getoption("lift_run") or marker.run, list[str]()
    if not name and marker.system is not None:
        run = _run_of_system(marker.system, marker.recipe, against, runs, config)
    else:
        run, notes = find_run_to_gate(name, against, runs)
    if why is not None:
        _update(why, marker.proven, rules, against, run, baselines, config)
        against = read_against(marker.baseline, marker.proven, parsed, baselines)
    found = gate_run(rules, against, run, notes)
    if found.report.passed:
        return Lift(found.report, "", None)
    page = write_gate_page(found.report, found.runs, found.against, runs)
    return Lift(found.report, f"{explain_failure(found.report)}\nreport: {page}", page)


def _folder(config: pytest.Config, option: str, variable: str, default: str) -> Path:
    # Without a configuration file the root folder is a guess, which a path among the options leads astray.
    root = config.rootpath if config.inipath else config.invocation_params.dir
    folder = root / (config.getoption(option) or os.environ.get(variable) or default)
    return Path(os.path.relpath(folder)) if folder.is_relative_to(Path.cwd()) else folder


def _update(
    why: str,
    proven: str,
    rules: Sequence[Rule],
    against: Against,
    run: Run,
    baselines: Path,
    config: pytest.Config,
) -> None:
    """Promote the gated run if it passes all rules that are not about the proven one."""
    import tempfile

    from filelock import FileLock

    from .errors import UsageError
    from .files import digest
    from .gating.context import over
    from .gating.promote import promote
    from .report.gate.sentences import explain_failure
    from .workflow.gate import gate_run

    if not why.strip() or Path(why).exists():
        raise UsageError(f"--lift-update takes the reason of the change, and {why!r} is not a reason")
    if not proven:
        raise UsageError("--lift-update promotes the run under the name in `proven`, and the marker has no `proven`")
    rest = [rule for rule in rules if over(rule) not in ("proven", proven)]
    if rest and not (found := gate_run(rest, against, run)).report.passed:
        raise UsageError(f"not promoted, because other rules did not pass.\n{explain_failure(found.report)}")
    lock = Path(tempfile.gettempdir()) / f"liftbench-{digest(str(baselines.resolve()), proven)[:16]}.lock"
    with FileLock(lock):
        done = promote(run, proven, baselines, why=why)
    _write_line(config, f"lift: {done.path}: {done.change}, version {done.promoted.versions[-1].number}")


def _run_of_system(system: str, recipe: str | None, against: Against, runs: Path, config: pytest.Config) -> Run:
    """The run of a system, kept from before, or made now under --lift-score, which is announced with its cost."""
    from filelock import FileLock

    from .errors import PrerequisiteError
    from .extension.loader import load_plugins
    from .measuring.plan import prepare
    from .runs.directory import runs_in
    from .workflow.measure import find_system, measure_subject
    from .workflow.setup import Setup, resolve_recipe

    summary = against.baseline.measured.summary
    cost = f"{summary.n} conversations" + (f", {summary.seconds:.0f} s for the baseline" if summary.seconds else "")
    if not config.getoption("lift_score"):
        there = [run for run in runs_in(runs) if run.manifest.status == "complete" and system in _names(run)]
        if there:
            return there[-1]
        raise PrerequisiteError(
            f"there is no run of {system} in {runs}.\n`pytest --lift-score` scores it ({cost}); so does "
            f"`{' '.join(['bench score', system, *([recipe] if recipe else [])])}`."
        )
    _write_line(config, f"lift: scoring {system} ({cost})")
    runs.mkdir(parents=True, exist_ok=True)
    with FileLock(runs / ".lift-score.lock"):
        setup = Setup(resolved=resolve_recipe(recipe), plugins=load_plugins(), runs=runs, argv=sys.argv)
        measurement = prepare(setup.resolved, setup.plugins)
        subject, parent = find_system(setup, system)
        return measure_subject(setup, measurement, subject, parent)


def _write_line(config: pytest.Config, line: str) -> None:
    """Write a line on the terminal even while output is captured; a worker of xdist has no terminal."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")
    if reporter is not None and capture is not None:
        with capture.global_and_fixture_disabled():
            reporter.write_line(f"\n{line}")


def _names(run: Run) -> tuple[str | None, ...]:
    """What `bench score` calls the system of a run: a run, an adapter's folder, or a model reference."""
    system = run.manifest.system
    reference = system.model.reference if system.model and system.adapter is None else None
    return run.id, run.manifest.parent, str(run.adapter), system.name, reference


def _stop(message: str) -> NoReturn:
    pytest.fail(message, pytrace=False)
