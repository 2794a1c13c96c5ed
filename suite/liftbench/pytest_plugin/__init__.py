"""The pytest plugin: a test that a run still has its lift over a promoted baseline.

```python
@pytest.mark.lift(baseline="tweetsumm-smollm2-135m", target="40%")
def test_adapter_still_wins(lift): ...
```

Importing this package imports no other part of the suite, so it costs nothing in a project that does not use it.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import pytest

if TYPE_CHECKING:
    from ..gating.gate import GateReport
    from .marker import MarkerOptions

MARKER = (
    "lift(baseline, target='40%', *, excepting=(), rules=(), proven=None, recipe=None, run=None, system=None): the "
    "newest comparable run (or `run`) must have the lift over the promoted baseline, verified on each of its headlines "
    "except for the guards in `excepting`, and pass `rules`; target=None requires no lift. `proven` is the promoted "
    "adapter that drops are measured from. With `recipe`, the rules of its section [gates] are required too; they "
    "replace a target that is not given. `system` is what --lift-score may score."
)

WAIVED = "lift"
"""The user property with the gate's sentence, for a test whose gate waives guards."""

GATES = "_lift_gates"
"""The fixture that judges. It has this name because a project may have its own fixture `lift`."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options; folders are relative to that of the configuration file, if there is one."""
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
    """Register the marker, so that --strict-markers knows it."""
    config.addinivalue_line("markers", MARKER)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Announce that scoring may take long."""
    return "lift: systems without a run are scored (--lift-score)" if config.getoption("lift_score") else None


def pytest_itemcollected(item: pytest.Item) -> None:
    """Gate a marked test even if it does not use the fixture."""
    if item.get_closest_marker("lift") and isinstance(item, pytest.Function):
        item.fixturenames.append(GATES)


class Lift(NamedTuple):
    """The value of the fixture `lift`: the gate's outcome. If the gate did not pass, the test fails before it runs."""

    report: GateReport
    explanation: str
    """What each broken rule found, and how to fix it; empty where all hold."""
    page: Path | None
    """The HTML report, where a rule is broken."""


@pytest.fixture
def lift(request: pytest.FixtureRequest) -> Lift:
    """The outcome of the gate of the test's marker `lift`; of the closest one where there are several."""
    if request.node.get_closest_marker("lift") is None:
        _stop("the fixture `lift` needs a marker: @pytest.mark.lift(baseline='NAME', target='40%')")
    gates: list[Lift] = request.getfixturevalue(GATES)
    return gates[0]


@pytest.fixture(name=GATES)
def _gates(request: pytest.FixtureRequest) -> list[Lift]:
    """The gates of all markers of a test. A missing baseline or run is an error in the test's set-up."""
    from ..errors import LiftbenchError
    from .marker import WrongMarker, gate_marker, read_marker

    found: list[Lift] | str
    try:
        arguments = [read_marker(*marker.args, **marker.kwargs) for marker in request.node.iter_markers("lift")]
        options = _marker_options(request.config)
        found = [Lift(*gate_marker(one, options)) for one in arguments]
    except (LiftbenchError, WrongMarker) as error:
        found = f"lift: {error}"
    # Stop outside the `except` block: inside it, the traceback of the error would be shown.
    return _stop(found) if isinstance(found, str) else found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail the test without a traceback if a rule is broken."""
    if item.get_closest_marker("lift"):
        gates: list[Lift] | None = getattr(item, "funcargs", {}).get(GATES)
        if gates is None:
            _stop("the marker `lift` is for test functions: this one cannot be gated")
        item.user_properties += [(WAIVED, gate.report.sentence) for gate in gates if gate.report.waived]
        if broken := [gate.explanation for gate in gates if gate.explanation]:
            _stop("\n\n".join(broken))
    return (yield)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name each test that passed with waived guards."""
    for report in terminalreporter.getreports("passed"):
        for name, sentence in report.user_properties:
            if name == WAIVED and report.when == "call":
                terminalreporter.write_line(f"lift: {report.nodeid}: {sentence}")


# --------------------------------------------------------------------------------------------- options and the terminal


def _marker_options(config: pytest.Config) -> MarkerOptions:
    from .marker import MarkerOptions

    return MarkerOptions(
        runs=_folder(config, "lift_runs", "LIFTBENCH_RUNS", "reports/runs"),
        baselines=_folder(config, "lift_baselines", "LIFTBENCH_BASELINES", "baselines"),
        run=config.getoption("lift_run"),
        update=config.getoption("lift_update"),
        score=config.getoption("lift_score"),
        announce=lambda line: _write_line(config, line),
    )


def _folder(config: pytest.Config, option: str, variable: str, default: str) -> Path:
    # Without a configuration file, pytest guesses the root folder, and a path among the options can mislead it.
    root = config.rootpath if config.inipath else config.invocation_params.dir
    folder = root / (config.getoption(option) or os.environ.get(variable) or default)
    return Path(os.path.relpath(folder)) if folder.is_relative_to(Path.cwd()) else folder


def _write_line(config: pytest.Config, line: str) -> None:
    """Write a line on the terminal even while output is captured; a worker of xdist has no terminal."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")
    if reporter is not None and capture is not None:
        with capture.global_and_fixture_disabled():
            reporter.write_line(f"\n{line}")


def _stop(message: str) -> NoReturn:
    pytest.fail(message, pytrace=False)
