"""Checks metrics against known values: from the tests of their packages, from published code, and worked out by hand.

Each `fixtures/<name>.json` holds cases: a registered metric, its inputs, the value and its source. They are recomputed
offline, through the same registry as in a run. Metrics that need a model have no cases.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import msgspec
from msgspec import Struct

from ..errors import UsageError
from ..extension.loader import Plugins
from ..files import BAD_JSON
from ..records.conversation import Conversation, Turn
from .base import Metric, MetricRequest

SHIPPED = Path(str(resources.files("liftbench"))) / "fixtures"


class Case(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One value that a metric must give."""

    metric: str
    """As registered, with the argument if there is one."""
    text: str
    references: tuple[str, ...] = ()
    turns: tuple[str, ...] = ()
    """Of the conversation, for metrics that look at it; the customer speaks first, then the agent, and so on."""
    expected: float
    tolerance: float = 1e-9
    """The largest absolute difference allowed; larger if the source prints few digits."""
    source: str
    """The source of the value."""


class Fixtures(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of cases."""

    about: str
    training: tuple[tuple[str, ...], ...] = ()
    """The references of each training conversation, for metrics that need frequencies."""
    cases: tuple[Case, ...]


class Check(Struct, frozen=True, kw_only=True):
    """The result of one case."""

    fixture: str
    """File and number of the case, from 1: `rouge.json, case 3`."""
    metric: str
    source: str
    expected: float
    found: float | None
    passed: bool
    signature: str
    """The signature of the metric that computed `found`."""


def selfcheck(plugins: Plugins, folder: Path = SHIPPED) -> list[Check]:
    """Check every case of a folder's fixtures, sorted by file name.

    Raises `UsageError` if there are no cases, a file is damaged, or a metric is unknown, and `PrerequisiteError` for a
    metric whose packages are missing.
    """
    checks = [check for path in sorted(folder.glob("*.json")) for check in _checks(path, plugins)]
    if not checks:
        raise UsageError(f"{folder} has no fixtures, so nothing was checked")
    return checks


def _checks(path: Path, plugins: Plugins) -> Iterator[Check]:
    fixtures = _read(path)
    training = tuple(_conversation(references, ()) for references in fixtures.training)
    metrics: dict[str, Metric] = {}
    for number, case in enumerate(fixtures.cases, start=1):
        if case.metric not in metrics:
            name, _, argument = case.metric.partition(":")
            request = MetricRequest(argument=argument, training=training, training_split=path.stem)
            metrics[case.metric] = plugins.load(plugins.find("metric", name))(request)
        metric = metrics[case.metric]
        (found,) = metric.score([case.text], [_conversation(case.references, case.turns)])
        yield Check(
            fixture=f"{path.name}, case {number}",
            metric=case.metric,
            source=case.source,
            expected=case.expected,
            found=found,
            # NaN compares as false, so it does not pass.
            passed=found is not None and abs(found - case.expected) <= case.tolerance,
            signature=metric.signature,
        )


def _conversation(references: tuple[str, ...], said: tuple[str, ...]) -> Conversation:
    turns = tuple(Turn(role="agent" if at % 2 else "customer", text=text) for at, text in enumerate(said))
    return Conversation(id="fixture", turns=turns, references=references)


def _read(path: Path) -> Fixtures:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Fixtures)
    except BAD_JSON as error:
        raise UsageError(f"the fixtures {path} cannot be read: {error}") from error
