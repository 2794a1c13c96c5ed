"""Damaged files of runs and promoted baselines, through the real commands: a clear error or the same result."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

Bench = Callable[..., Any]

RUNS = Path("reports/runs")
BASELINES = Path("baselines")
ENDLESS = b"[" * 100_000
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "no UTF-8 in a text": lambda data: data.replace(b"e", b"\xff", 1),
    "endless brackets": lambda data: data[:0] + ENDLESS,
    "cut": lambda data: data[: len(data) // 2],
    "another type": lambda data: data[:0] + b"[]\n",
}
MORE_DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "no UTF-8": lambda data: b"\xff\xfe" + data[2:],
    "brackets in a field": lambda data: data.replace(b":", b":" + ENDLESS, 1),
    "empty": lambda data: data[:0],
    "zeros": lambda data: bytes(len(data)),
}
OF_RUN = [
    "manifest.json",
    "summary.json",
    "environment.json",
    "predictions.jsonl",
    "scores.jsonl",
    "conversations.jsonl",
    "training/rows.jsonl",
]
COMPARE = ("compare", "untuned", "good", "--json")
GATE = ("gate", "--baseline", "untuned", "--run", "good", "--rule", "lift(rougeL) >= 40%", "--json")


@pytest.fixture
def bench(project_line: Bench) -> Bench:
    return project_line


def result(bench: Bench, command: tuple[str, ...]) -> tuple[int, Any]:
    done = bench(*command)
    return done.code, json.loads(done.out)


def check(bench: Bench, command: tuple[str, ...], expected: tuple[int, Any]) -> None:
    """Exit code 2 with at most three lines and nothing on standard output, or the result of the whole files."""
    done = bench(*command)
    if done.code == 2:
        errors = [line for line in done.err.splitlines() if not line.startswith("warning: ")]
        assert done.out == ""
        assert 1 <= len(errors) <= 3
        assert errors[0].startswith("error: ")
    else:
        assert (done.code, json.loads(done.out)) == expected


def damage_each(
    bench: Bench, command: tuple[str, ...], paths: Iterable[Path], damage: Callable[[bytes], bytes]
) -> None:
    """Damage one file after the other, and try what a command makes of it."""
    whole = result(bench, command)
    for path in paths:
        data = path.read_bytes()
        path.write_bytes(damage(data))
        check(bench, command, whole)
        path.write_bytes(data)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_of_a_run_ends_in_a_clear_error_or_changes_nothing(bench: Bench, damage: str) -> None:
    damage_each(bench, COMPARE, [RUNS / "good" / name for name in OF_RUN], DAMAGES[damage])


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_promoted_baseline_ends_in_a_clear_error_or_changes_nothing(bench: Bench, damage: str) -> None:
    damage_each(bench, GATE, sorted(BASELINES.rglob("*.json*")), DAMAGES[damage])


@pytest.mark.slow
@pytest.mark.parametrize("damage", MORE_DAMAGES)
def test_more_damages_end_in_a_clear_error_or_change_nothing(bench: Bench, damage: str) -> None:
    damage_each(bench, COMPARE, [RUNS / "good" / name for name in OF_RUN], MORE_DAMAGES[damage])
    damage_each(bench, GATE, sorted(BASELINES.rglob("*.json*")), MORE_DAMAGES[damage])


def flip(data: bytes, place: int) -> bytes:
    return data[: place // 8] + bytes([data[place // 8] ^ (1 << place % 8)]) + data[place // 8 + 1 :]


def flips_change_nothing(bench: Bench, path: Path, times: int) -> None:
    whole = result(bench, COMPARE)
    draw = random.Random(7)
    data = path.read_bytes()
    for _ in range(times):
        path.write_bytes(flip(data, draw.randrange(8 * len(data))))
        check(bench, COMPARE, whole)


SUMMED = [name for name in OF_RUN if name not in ("manifest.json", "environment.json")]
"""The manifest holds the sums of others, and none of itself."""


@pytest.mark.parametrize("name", SUMMED)
def test_a_flipped_bit_never_gives_another_result(bench: Bench, name: str) -> None:
    flips_change_nothing(bench, RUNS / "good" / name, 6)


@pytest.mark.slow
@pytest.mark.parametrize("name", SUMMED)
def test_40_flipped_bits_of_a_file_never_give_another_result(bench: Bench, name: str) -> None:
    flips_change_nothing(bench, RUNS / "good" / name, 40)


def test_a_run_with_a_damaged_manifest_is_listed_and_can_be_deleted(bench: Bench) -> None:
    (RUNS / "good" / "manifest.json").write_bytes(ENDLESS)
    listed = bench("runs")
    assert listed.code == 0
    assert "good" in listed.out + listed.err
    assert "untuned" in listed.out
    assert bench("runs", "delete", "--damaged", "--yes").code == 0
    assert not (RUNS / "good").exists()
