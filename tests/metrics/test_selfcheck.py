"""`bench selfcheck`: every fixture that ships passes offline, and a changed one fails."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest

from liftbench.errors import UsageError
from liftbench.extension.loader import Plugins, load_plugins
from liftbench.extension.registry import Registry
from liftbench.metrics.base import Metric, MetricRequest
from liftbench.metrics.selfcheck import SHIPPED, selfcheck
from liftbench.plugin_api import hookimpl
from liftbench.records.conversation import Conversation

from ..conftest import Outcome

FIXTURES = sorted(path.name for path in SHIPPED.glob("*.json"))


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the fixtures, to be changed."""
    return Path(shutil.copytree(SHIPPED, tmp_path / "fixtures"))


def change(path: Path, number: int, **changes: Any) -> None:
    fixtures = json.loads(path.read_text(encoding="utf-8"))
    fixtures["cases"][number - 1].update(changes)
    path.write_text(json.dumps(fixtures), encoding="utf-8")


def write(folder: Path, **case: Any) -> None:
    whole = {"metric": "mine", "text": "a", "references": ["a"], "expected": 1.0, "source": "by hand", **case}
    (folder / "mine.json").write_text(json.dumps({"about": "ours", "cases": [whole]}), encoding="utf-8")


# -------------------------------------------------------------------------------------------------------- as it ships


@pytest.mark.usefixtures("offline")
def test_all_that_ships_passes_offline(command_line: Callable[..., Outcome]) -> None:
    outcome = command_line("selfcheck")
    *lines, last = outcome.out.splitlines()
    assert (outcome.code, outcome.err) == (0, "")
    assert last == f"{len(lines)} of {len(lines)} values are as expected"
    assert {line.split()[0] for line in lines} == {"pass"}


def test_it_covers_overlap_and_copying_and_says_where_each_value_comes_from() -> None:
    checks = selfcheck(load_plugins())
    covered = {check.metric for check in checks}
    overlap = {"rouge1", "rouge2", "rougeL", "rougeLsum", "content-overlap", "cider-d", "chrf"}
    assert covered == overlap | {"coverage", "density", "novel-bigrams", "longest-copied"}
    assert {check.fixture.partition(",")[0] for check in checks} == set(FIXTURES)
    known = ("rouge-score", "sacreBLEU", "pycocoevalcap 1.2", "by hand", "Porter 1980", "ROUGE-1.5.5")
    assert [check.source for check in checks if not check.source.startswith(known)] == []


def test_json_holds_every_check(command_line: Callable[..., Outcome]) -> None:
    told = json.loads(command_line("selfcheck", "--json").out)
    assert told["passed"]
    assert {"fixture", "metric", "source", "expected", "found", "passed", "signature"} == set(told["checks"][0])


# ------------------------------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize("name", FIXTURES)
def test_a_changed_value_fails_and_is_named(command_line: Callable[..., Outcome], folder: Path, name: str) -> None:
    # Just beyond the widest tolerance, half a digit of a value printed with five.
    was = json.loads((folder / name).read_text(encoding="utf-8"))["cases"][0]
    change(folder / name, 1, expected=was["expected"] + 1.1e-5)
    outcome = command_line("selfcheck", "--fixtures", str(folder))
    (failed,) = [line for line in outcome.out.splitlines() if line.startswith("FAIL")]
    assert outcome.code == 4
    assert failed.startswith(f"FAIL  {name}, case 1, {was['metric']}: ")
    assert f"{name}, case 1, {was['metric']}: expected {was['expected'] + 1.1e-5}, found " in outcome.err
    assert was["source"] in outcome.err


def test_json_tells_of_a_failure_too(command_line: Callable[..., Outcome], folder: Path) -> None:
    change(folder / "rouge.json", 2, expected=0.9)
    outcome = command_line("selfcheck", "--fixtures", str(folder), "--json")
    told = json.loads(outcome.out)
    assert (outcome.code, told["passed"]) == (4, False)
    assert [check["fixture"] for check in told["checks"] if not check["passed"]] == ["rouge.json, case 2"]


def test_changed_frequencies_fail(folder: Path) -> None:
    path = folder / "cider-d.json"
    fixtures = json.loads(path.read_text(encoding="utf-8"))
    fixtures["training"].append(["Customer asks for a refund of the late parcel."])
    path.write_text(json.dumps(fixtures), encoding="utf-8")
    assert {check.metric for check in selfcheck(load_plugins(), folder) if not check.passed} == {"cider-d"}


class Constant(Metric):
    """A metric that gives what its argument says."""

    name = signature = "mine"

    def __init__(self, request: MetricRequest) -> None:
        self.value = None if request.argument == "none" else float(request.argument)

    def score(self, texts: Sequence[str], conversations: Sequence[Conversation]) -> list[float | None]:
        return [self.value for _ in zip(texts, conversations, strict=True)]


class Mine:
    @hookimpl
    def bench_register(self, registry: Registry) -> None:
        registry.metric("mine", target=f"{__name__}:Constant")


@pytest.mark.parametrize(
    ("argument", "passed"), [("1", True), ("1.0000000001", True), ("1.00001", False), ("nan", False), ("none", False)]
)
def test_a_plugins_metric_is_checked_with_fixtures_of_its_own(tmp_path: Path, argument: str, passed: bool) -> None:
    plugins = Plugins()
    plugins.add(Mine(), "mine")
    write(tmp_path, metric=f"mine:{argument}")
    (check,) = selfcheck(plugins, tmp_path)
    assert check.passed == passed


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (None, "has no fixtures"),
        ('{"about": "nothing", "cases": []}', "has no fixtures"),
        ('{"about": "half', "mine.json cannot be read: Input data was truncated"),
        ('{"about": "", "cases": [{"metric": "rouge1"}]}', "mine.json cannot be read: Object missing required field"),
        ('{"about": "", "case": []}', "unknown field `case`"),
    ],
)
def test_nothing_to_check_is_no_pass(tmp_path: Path, contents: str | None, message: str) -> None:
    if contents is not None:
        (tmp_path / "mine.json").write_text(contents, encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        selfcheck(load_plugins(), tmp_path)


def test_an_unknown_metric_is_named(tmp_path: Path) -> None:
    write(tmp_path, metric="rougeX")
    with pytest.raises(UsageError, match="unknown metric plugin 'rougeX'"):
        selfcheck(load_plugins(), tmp_path)
