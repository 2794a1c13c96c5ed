"""A newcomer's path: the commands of the README, word for word, from an export to a verdict, with a tiny model."""

from __future__ import annotations

import csv
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from liftbench.data.jsonl import read_jsonl
from liftbench.runs.directory import runs_in

ROOT = Path(__file__).resolve().parents[1]
EXPORT = ROOT / "docs" / "tickets.csv"


def commands(heading: str) -> list[list[str]]:
    """The commands of the first console block under a heading of the README, without `bench`."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2]
    block = section.partition("```console\n")[2].partition("```")[0]
    return [shlex.split(line.removeprefix("$ bench "), comments=True) for line in block.splitlines()]


def walk(command_line: Any, folder: Path, path: list[list[str]]) -> dict[str, Any]:
    """Command → what it left behind; `folder` is where the commands run."""
    shutil.copy(EXPORT, folder / "tickets.csv")
    outcomes: dict[str, Any] = {}
    for words in path:
        outcomes[words[0]] = done = command_line(*words)
        assert done.code == (1 if words == ["compare"] else 0), done.out + done.err
    return outcomes


@pytest.fixture(autouse=True)
def tiny_model(monkeypatch: pytest.MonkeyPatch, tiny_chat_model: Path) -> None:
    """Nothing but the model is another than the newcomer's."""
    monkeypatch.setenv("LIFTBENCH_MODEL", str(tiny_chat_model))


def test_the_path_leads_from_an_export_to_a_verdict(command_line: Any, tmp_path: Path) -> None:
    outcomes = walk(command_line, tmp_path, commands("Your own conversations"))
    assert [*outcomes] == ["data", "init", "baseline", "train", "compare"]
    baseline, adapter = runs_in(tmp_path / "reports" / "runs")
    assert [run.manifest.command for run in (baseline, adapter)] == ["baseline", "train"]
    assert {run.manifest.status for run in (baseline, adapter)} == {"complete"}
    assert baseline.manifest.protocol == adapter.manifest.protocol
    [page] = (tmp_path / "reports").glob("compare-*.html")
    assert page.name in outcomes["compare"].out + outcomes["compare"].err


def test_nothing_private_is_scored_or_trained_on(command_line: Any, tmp_path: Path) -> None:
    walk(command_line, tmp_path, commands("Your own conversations")[:3])
    splits = {path.stem: read_jsonl(path) for path in (tmp_path / "tickets-redacted-split").glob("*.jsonl")}
    assert {"train", "validation"} <= splits.keys()
    conversations = [one for some in splits.values() for one in some]
    texts = [text for one in conversations for text in (*(turn.text for turn in one.turns), *one.references)]
    export = EXPORT.read_text(encoding="utf-8")
    for private in ("maria.lund@example.com", "BE68 5390 0754 7034", "Return window bug"):
        assert private in export
        assert not any(private in text for text in texts)
    customers = [{str(one.metadata["cluster"]) for one in some} for some in splits.values()]
    assert sum(map(len, customers)) == len(set.union(*customers)), "no customer is in two splits"


def test_the_export_is_one_that_a_newcomer_can_learn_from() -> None:
    with EXPORT.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["ticket_id"] for row in rows}) == 48, "as the README says"
    assert {row["author_role"] for row in rows} == {"customer", "agent"}
    assert all(row["message"] and row["summary"] for row in rows)
