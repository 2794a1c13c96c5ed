"""A language model as a judge, asked over HTTP in another process: both orders, ties, bias, and what goes wrong."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liftbench.errors import LiftbenchError, PrerequisiteError, RunFailed, UsageError
from liftbench.models.chat_server import RETRIES, host_of
from liftbench.preferences.client import connect
from liftbench.preferences.model_judge import (
    PROMPT,
    PROMPT_SHA256,
    ask_all,
    model_preference,
    parse_answer,
    write_prompt,
)
from liftbench.preferences.sheet import Pair
from liftbench.progress import no_progress
from liftbench.records.conversation import Turn
from liftbench.records.preferences import Preference

from ..support.build import write_conversations
from ..support.chat_server import Served, chat_server
from ..support.sheets import build_sheet

SHEET, KEY = build_sheet(write_conversations(6))
KEY_VARIABLE = "TEST_JUDGE_KEY"


def judge(served: Served, folder: Path, monkeypatch: pytest.MonkeyPatch, people: Any = ()) -> Preference:
    monkeypatch.setenv(KEY_VARIABLE, "secret")
    ask = connect("rules", served.base_url, KEY_VARIABLE)
    answers = ask_all(SHEET, KEY, ask, folder / "answers.jsonl", no_progress)
    return model_preference(KEY, answers, "rules", host_of(served.base_url), people)


def test_a_rule_on_the_text_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The untuned model's texts are longer than any of the adapter's."""
    pytest.importorskip("openai")
    with chat_server("longer", tmp_path / "log") as served:
        found = judge(served, tmp_path, monkeypatch)
        requests = served.requests
    assert (found.wins, found.ties, found.losses, found.win_rate) == (0, 0, 6, 0.0)
    assert found.model is not None
    assert (found.model.answers, found.model.disagreements, found.model.unparsable) == (12, 0, 0)
    assert (found.model.first_share, found.model.tie_rate) == (0.5, 0.0)
    assert found.model.prompt_sha256 == PROMPT_SHA256 == hashlib.sha256(PROMPT.encode()).hexdigest()
    assert found.model.calibration is None
    assert len(requests) == 12
    for request in requests:
        assert request["key"] == "Bearer secret"
        assert (request["body"]["model"], request["body"]["temperature"]) == ("rules", 0)


def test_a_model_that_always_prefers_the_first_place_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openai")
    with chat_server("first", tmp_path / "log") as served:
        found = judge(served, tmp_path, monkeypatch)
    assert (found.wins, found.ties, found.losses, found.win_rate) == (0, 6, 0, 0.5)
    assert found.model is not None
    assert (found.model.first_share, found.model.disagreements, found.model.tie_rate) == (1.0, 6, 1.0)


@pytest.mark.parametrize(("rule", "n", "unparsable"), [("tie", 6, 0), ("undecided", 0, 12), ("nothing", 0, 12)])
def test_ties_are_values_and_what_is_not_understood_is_none(
    rule: str, n: int, unparsable: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openai")
    with chat_server(rule, tmp_path / "log") as served:
        found = judge(served, tmp_path, monkeypatch)
    assert found.model is not None
    assert (found.n, found.model.unparsable, found.model.first_share) == (n, unparsable, None)
    assert found.win_rate == (0.5 if n else None)


def test_answers_that_are_there_are_not_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openai")
    with chat_server("longer", tmp_path / "log") as served:
        whole = judge(served, tmp_path, monkeypatch)
        lines = (tmp_path / "answers.jsonl").read_bytes().splitlines(keepends=True)
        # Killed while it wrote the eighth answer.
        (tmp_path / "answers.jsonl").write_bytes(b"".join(lines[:7]) + lines[7][:20])
        before = len(served.requests)
        assert judge(served, tmp_path, monkeypatch) == whole
        assert len(served.requests) == before + 5
    assert (tmp_path / "answers.jsonl").read_bytes() == b"".join(lines)


def test_a_server_that_is_busy_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openai")
    with chat_server("longer", tmp_path / "log", [429, 503, 500, 429]) as served:
        found = judge(served, tmp_path, monkeypatch)
        assert len(served.requests) == 12 + 4
    assert found.losses == 6


@pytest.mark.parametrize(
    ("statuses", "kind", "words"),
    [
        ([401], PrerequisiteError, f"refuses the key in {KEY_VARIABLE} (401)"),
        ([404], PrerequisiteError, "does not know the model 'rules'"),
        ([400], RunFailed, "answered 400"),
        ([503] * (RETRIES + 1), RunFailed, "answered 503"),
    ],
)
def test_a_server_that_refuses_is_an_error_that_says_why(
    statuses: list[int], kind: type[LiftbenchError], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openai")
    with chat_server("longer", tmp_path / "log", statuses) as served:
        with pytest.raises(kind) as caught:
            judge(served, tmp_path, monkeypatch)
        assert words in caught.value.what
        assert caught.value.fix
        # The same call goes on, now that the server answers.
        assert judge(served, tmp_path, monkeypatch).n == 6


def test_a_server_that_needs_a_key_is_told_from_one_that_refuses_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openai")
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    with chat_server("longer", tmp_path / "log", [401]) as served:
        ask = connect("rules", served.base_url, KEY_VARIABLE)
        with pytest.raises(PrerequisiteError, match=f"needs a key, and {KEY_VARIABLE} is not set"):
            ask(write_prompt(SHEET.pairs[0], "left"))


def test_a_server_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openai")
    monkeypatch.setattr("liftbench.models.chat_server.RETRIES", 0)
    ask = connect("rules", "http://127.0.0.1:9/v1", KEY_VARIABLE)
    with pytest.raises(PrerequisiteError, match=r"127\.0\.0\.1:9 cannot be reached"):
        ask("?")


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x/v1", "http://", "http://[::1", "http://x:port/v1"])
def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="no web address"):
        host_of(url)


def test_a_host_is_named_without_its_password() -> None:
    assert host_of("https://ann:secret@models.example:8443/v1") == "models.example:8443"


# ------------------------------------------------------------------------------------------------------- texts, answers


@given(left=st.text(max_size=40), right=st.text(max_size=40), turn=st.text(max_size=40))
def test_a_prompt_holds_the_texts_as_they_are_in_either_order(left: str, right: str, turn: str) -> None:
    pair = Pair(id="x", turns=(Turn(role="customer", text=turn),), left=left, right=right)
    one, other = write_prompt(pair, "left"), write_prompt(pair, "right")
    shown = [text.strip() or "(empty)" for text in (left, right)]
    for prompt, (first, second) in ((one, shown), (other, shown[::-1])):
        assert f'<summary number="1">\n{first}\n</summary>' in prompt
        assert f'<summary number="2">\n{second}\n</summary>' in prompt
        assert turn in prompt


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("1", "first"),
        ("2.", "second"),
        ("Summary 2", "second"),
        ("TIE", "tie"),
        ("<think>1 or 2? 1 is short.</think>\n2", "second"),
        ("<think>1 or", None),
        ("1 and 2 are equal", None),
        ("12", None),
        ("", None),
        ("The untied one", None),
    ],
)
def test_an_answer_names_one_of_three_or_is_none(text: str, answer: str | None) -> None:
    assert parse_answer(text) == answer
