"""`bench parity`: its three forms and its exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ..support.build import untuned_texts, write_conversations, write_run
from .test_plan import Bench


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, ...]:
    rows = write_conversations(20)
    texts = untuned_texts(rows)
    found = []
    for backend, written in (("transformers", texts), ("vllm", [texts[0][:50], *texts[1:]])):
        run = write_run(tmp_path / "runs", conversations=rows, texts=written, system={"backend": backend})
        found.append(run.id)
    return (*found, "--runs", str(tmp_path / "runs"))


def test_the_terminal_says_the_outcome_first(command_line: Bench, pair: tuple[str, ...]) -> None:
    done = command_line("parity", *pair)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].startswith("vllm writes 19 of 20 texts (95%) exactly as transformers")
    words = " ".join(done.out.split())
    for expected in ("equal texts 19 of 20 (95.0%; 95% interval", "first different character 51", "backend"):
        assert expected in words


def test_json_has_the_sentence_and_every_figure(command_line: Bench, pair: tuple[str, ...]) -> None:
    found = json.loads(command_line("parity", *pair, "--json").out)
    assert found["sentence"].startswith("vllm writes 19 of 20")
    parity = found["parity"]
    assert (parity["n"], parity["equal"], parity["backends"]) == (20, 19, ["transformers", "vllm"])
    assert parity["partings"]["characters"]["median"] == 51
    assert {"low", "high", "p", "difference"} <= parity["headlines"][0].keys()


def test_markdown_is_a_report(command_line: Bench, pair: tuple[str, ...]) -> None:
    out = command_line("parity", *pair, "--markdown").out
    assert out.startswith("### Parity: vllm against transformers\n")
    assert "| headline | transformers | vllm | difference | 95% interval | by chance alone |" in out


@pytest.mark.parametrize(("least", "code"), [("0.95", 0), ("0.96", 1), ("1", 1), ("0", 0)])
def test_too_few_equal_texts_end_with_1(command_line: Bench, pair: tuple[str, ...], least: str, code: int) -> None:
    assert command_line("parity", *pair, "--least", least, "--json").code == code


def test_what_cannot_be_compared_ends_with_2(command_line: Bench, pair: tuple[str, ...]) -> None:
    done = command_line("parity", pair[0], pair[0], *pair[2:])
    assert (done.code, done.out) == (2, "")
    assert "is one run" in done.err
