"""Served models: asked at a real server on loopback, measured, compared, and what cannot be known of them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

pytest.importorskip("openai")

import liftbench
from liftbench.errors import LiftbenchError, PrerequisiteError, RunFailed, UsageError
from liftbench.measuring.backend import BackendRequest
from liftbench.models.references import is_chat_model, require_obtainable, resolve
from liftbench.models.served import parse
from liftbench.prompts.render import render
from liftbench.prompts.spec import prompt_spec
from liftbench.records.conversation import Conversation
from liftbench_plugins.backends.openai import (
    CONCURRENCY,
    KEY,
    MessagesTokenizer,
    OpenAIBackend,
    concurrency,
    read_messages,
)

from ..conftest import Outcome
from ..support.chat_server import Served, chat_server, write

PROMPT = prompt_spec("Summarize this:\n{conversation}", "Be brief.", "chat")
SECRET = "sk-very-secret-4711"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIFTBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(KEY, SECRET)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with chat_server("writes", tmp_path / "log") as served:
        yield served


def open_backend(url: str, name: str = "llama", prompt: Any = PROMPT) -> OpenAIBackend:
    model = resolve(f"openai:{name}@{url}")
    return OpenAIBackend(BackendRequest(model=model.path, adapter=None, precision="as served", prompt=prompt))


# ---------------------------------------------------------------------------------------------------------- references


def test_a_reference_names_a_model_and_an_address() -> None:
    model = resolve("openai:meta-llama/Llama-3.1-8B@http://gpu-7:8000/v1/")
    assert (model.name, model.backend, model.precision) == ("Llama-3.1-8B", "openai", "as served")
    assert model.record.source == "served at gpu-7:8000"
    assert model.record.served
    assert (model.record.served.name, model.record.served.url) == ("meta-llama/Llama-3.1-8B", "http://gpu-7:8000/v1")
    assert resolve("openai:meta-llama/Llama-3.1-8B@http://gpu-7:8000/v1").record == model.record
    assert resolve("openai:other@http://gpu-7:8000/v1").record.sha256 != model.record.sha256
    assert is_chat_model(model.path)
    assert require_obtainable("openai:a@http://gpu-7/v1").words == "served at gpu-7"
    # A name may hold an @ itself.
    assert parse("openai:team@v2@http://gpu-7/v1").name == "team@v2"


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("openai:llama", "names no served model"),
        ("openai:@http://gpu-7/v1", "names no served model"),
        ("openai:llama@gpu-7", "names no served model"),
        ("openai:llama@ftp://gpu-7", "no web address"),
        ("openai:llama@http://ann:secret@gpu-7/v1", "holds a user, a password or a query"),
        ("openai:llama@http://gpu-7/v1?key=secret", "holds a user, a password or a query"),
    ],
)
def test_a_reference_that_cannot_be_used_is_refused_without_its_secrets(reference: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        resolve(reference)
    if "holds" in words:
        assert "secret" not in f"{caught.value.what} {caught.value.fix}"


# ------------------------------------------------------------------------------------------------------------- asking


def test_each_conversation_is_asked_as_messages(server: Served, conversations: list[Conversation]) -> None:
    backend = open_backend(server.base_url)
    prompts = [render(PROMPT, one, backend.tokenizer, 512) for one in conversations]
    made = backend.generate(prompts, 40)
    asked = [read_messages(prompt.text) for prompt in prompts]
    assert [one.text for one in made] == [write(messages[-1]["content"]) for messages in asked]
    assert {one.finish_reason for one in made} == {"stop"}
    assert [one.new_tokens for one in made] == [len(one.text.split()) for one in made]
    bodies = [request["body"] for request in server.requests]
    assert sorted(json.dumps(body["messages"]) for body in bodies) == sorted(map(json.dumps, asked))
    assert {(body["model"], body["temperature"], body["max_tokens"]) for body in bodies} == {("llama", 0, 40)}
    assert {request["key"] for request in server.requests} == {f"Bearer {SECRET}"}
    assert [message["role"] for message in asked[0]] == ["system", "user"]
    assert backend.notes()[0] == "answered by llama (fp_1)"


@given(st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), st.text()), max_size=4))
def test_messages_come_back_as_they_were(messages: list[tuple[str, str]]) -> None:
    written = [{"role": role, "content": content} for role, content in messages]
    assert read_messages(MessagesTokenizer().apply_chat_template(written)) == written


def test_a_long_conversation_is_shortened_by_an_estimate(server: Served, conversations: list[Conversation]) -> None:
    backend = open_backend(server.base_url)
    whole = render(PROMPT, conversations[0], backend.tokenizer, 512)
    short = render(PROMPT, conversations[0], backend.tokenizer, len(whole.token_ids) - 10)
    assert short.turns_dropped
    assert len(short.text) < len(whole.text)


def test_failures_and_rate_limits_are_waited_out(tmp_path: Path, conversations: list[Conversation]) -> None:
    with chat_server("writes", tmp_path / "log", [429, 500, 503, 429]) as served:
        backend = open_backend(served.base_url)
        prompts = [render(PROMPT, one, backend.tokenizer, 512) for one in conversations[:3]]
        assert len(backend.generate(prompts, 40)) == 3
        assert len(served.requests) == 7


@pytest.mark.parametrize(
    ("rule", "statuses", "kind", "words"),
    [
        ("writes", [401], PrerequisiteError, f"refuses the key in {KEY}"),
        ("writes", [404], PrerequisiteError, "does not know the model 'llama'"),
        ("writes", [400], RunFailed, "answered 400"),
        ("calls a tool", [], RunFailed, "ended an answer with 'tool_calls'"),
    ],
)
def test_a_server_that_refuses_is_an_error_that_says_why(
    rule: str, statuses: list[int], kind: type[LiftbenchError], words: str, tmp_path: Path, conversations: Any
) -> None:
    with chat_server(rule, tmp_path / "log", statuses) as served:
        backend = open_backend(served.base_url)
        with pytest.raises(kind) as caught:
            backend.generate([render(PROMPT, conversations[0], backend.tokenizer, 512)], 40)
        assert words in caught.value.what
        assert caught.value.fix
        assert SECRET not in f"{caught.value.what} {caught.value.fix}"


def test_a_server_that_hangs_up_half_way_is_an_error(
    tmp_path: Path, conversations: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liftbench.models.chat_server.RETRIES", 1)
    with chat_server("hangs up", tmp_path / "log") as served:
        backend = open_backend(served.base_url)
        with pytest.raises((PrerequisiteError, RunFailed), match=r"127\.0\.0\.1"):
            backend.generate([render(PROMPT, conversations[0], backend.tokenizer, 512)], 40)


@pytest.mark.parametrize("rule", ["lies", "counts nothing"])
def test_a_number_of_tokens_that_cannot_be_is_not_believed(rule: str, tmp_path: Path, conversations: Any) -> None:
    with chat_server(rule, tmp_path / "log") as served:
        backend = open_backend(served.base_url)
        [made] = backend.generate([render(PROMPT, conversations[0], backend.tokenizer, 512)], 40)
    assert made.new_tokens == len(made.text.split())
    assert "1 answers have no plausible number of tokens; their words were counted" in backend.notes()


def test_an_answer_at_the_limit_counts_as_cut(tmp_path: Path, conversations: Any) -> None:
    with chat_server("runs over", tmp_path / "log") as served:
        backend = open_backend(served.base_url)
        [made] = backend.generate([render(PROMPT, conversations[0], backend.tokenizer, 512)], 40)
    assert made.finish_reason == "length"


def test_requests_are_made_together_and_never_more_than_allowed(
    tmp_path: Path, conversations: list[Conversation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CONCURRENCY, "3")
    running, most, lock = 0, 0, threading.Lock()
    with chat_server("is slow", tmp_path / "log") as served:
        backend = open_backend(served.base_url)
        answer = backend._server.answer

        def counted(*given: Any) -> Any:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            try:
                return answer(*given)
            finally:
                with lock:
                    running -= 1

        monkeypatch.setattr(backend._server, "answer", counted)
        backend.generate([render(PROMPT, one, backend.tokenizer, 512) for one in conversations[:7]], 40)
    assert most == 3


@pytest.mark.parametrize("given", ["0", "-1", "many", "1000", ""])
def test_a_number_of_requests_that_is_none_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONCURRENCY, given)
    with pytest.raises(UsageError, match=CONCURRENCY):
        concurrency()


def test_the_key_of_openai_goes_to_no_other_server(
    server: Served, conversations: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(KEY)
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    backend = open_backend(server.base_url)
    backend.generate([render(PROMPT, conversations[0], backend.tokenizer, 512)], 40)
    assert {request["key"] for request in server.requests} == {"Bearer none"}


def test_what_a_server_cannot_do_is_refused() -> None:
    with pytest.raises(UsageError, match=r"cannot continue prompt\.prefill"):
        open_backend("http://127.0.0.1:9/v1", prompt=prompt_spec("{conversation}", "", "chat", prefill="Customer"))


# ----------------------------------------------------------------------------------------------------------- measuring


@pytest.fixture
def measured(tmp_path: Path, conversations: list[Conversation]) -> Path:
    """A data set of the conversations."""
    from liftbench.files import write_lines

    folder = tmp_path / "support"
    folder.mkdir()
    write_lines(folder / "validation.jsonl", conversations)
    write_lines(folder / "train.jsonl", [replace(one, id=f"t-{one.id}") for one in conversations])
    return folder


def test_a_served_model_is_measured_compared_and_never_asked_twice(
    command_line: Callable[..., Outcome], measured: Path, server: Served, tmp_path: Path
) -> None:
    options = ("--dataset", str(measured), "--runs", str(tmp_path / "runs"))
    first = command_line("baseline", *options, "--model", f"openai:base@{server.base_url}")
    assert first.code == 0, first.err
    asked = len(server.requests)
    again = command_line("baseline", *options, "--model", f"openai:base@{server.base_url}")
    assert "already measured" in again.err
    assert len(server.requests) == asked
    tuned = command_line("score", f"openai:tuned@{server.base_url}", *options)
    assert tuned.code == 0, tuned.err
    runs = {run.manifest.system.name: run for run in map(liftbench.load_run, (tmp_path / "runs").glob("2*"))}
    manifest = runs["tuned"].manifest
    assert manifest.system.model
    assert manifest.system.model.served
    assert (manifest.system.backend, manifest.system.precision) == ("openai", "as served")
    assert "answered by tuned (fp_1)" in manifest.notes
    assert any("cannot reproduce which weights" in note for note in manifest.notes)
    # Equal texts are no gain; but nothing is said against the comparison of two served models.
    compared = command_line("compare", runs["base"].id, runs["tuned"].id, "--runs", str(tmp_path / "runs"), "--json")
    [candidate] = json.loads(compared.out)["candidates"]
    verdict = candidate["verdict"]
    guards = {guard["name"]: guard["state"] for guard in verdict["guards"]}
    assert (guards["same base"], guards["leakage"]) == ("passed", "passed")
    assert any("as it was served on" in one and "not known" in one for one in verdict["conditions"])
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or path.name == "log" or SECRET.encode() not in path.read_bytes()


def test_an_interrupted_run_goes_on_with_what_is_missing(
    command_line: Callable[..., Outcome], measured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CONCURRENCY, "2")
    options = ("--dataset", str(measured), "--runs", str(tmp_path / "runs"))
    generate = OpenAIBackend.generate
    rounds: list[int] = []

    def stopped(backend: OpenAIBackend, prompts: Any, most: int) -> Any:
        rounds.append(len(prompts))
        if len(rounds) == 4:
            raise KeyboardInterrupt
        return generate(backend, prompts, most)

    with chat_server("writes", tmp_path / "log") as served:
        reference = f"openai:base@{served.base_url}"
        monkeypatch.setattr(OpenAIBackend, "generate", stopped)
        assert command_line("baseline", *options, "--model", reference).code == 130
        assert len(served.requests) == 6
        monkeypatch.setattr(OpenAIBackend, "generate", generate)
        done = command_line("baseline", *options, "--model", reference)
        assert (done.code, "continuing" in done.err) == (0, True)
        # 12 conversations, each asked once.
        assert len(served.requests) == 12


def test_a_served_model_cannot_be_trained(command_line: Callable[..., Outcome], measured: Path, tmp_path: Path) -> None:
    told = command_line(
        "train",
        "--dataset",
        str(measured),
        "--runs",
        str(tmp_path / "runs"),
        "--model",
        "openai:base@http://127.0.0.1:9/v1",
    )
    assert told.code == 2
    assert "needs the weights of a model" in told.err


@pytest.mark.slow
def test_the_server_of_transformers_is_measured(
    command_line: Callable[..., Outcome], measured: Path, tmp_path: Path, tiny_chat_model: Path
) -> None:
    pytest.importorskip("fastapi")
    with transformers_server(tiny_chat_model, tmp_path / "log") as url:
        options = ("--dataset", str(measured), "--runs", str(tmp_path / "runs"), "--limit", "3")
        told = command_line(
            "baseline", *options, "--model", f"openai:{tiny_chat_model}@{url}", "--set", "generation.max_new_tokens=8"
        )
    assert told.code == 0, told.err
    [run] = map(liftbench.load_run, (tmp_path / "runs").glob("2*"))
    assert [0 < one.new_tokens <= 8 for one in run.predictions.values() if one.new_tokens] == [True] * 3
    assert any(note.startswith("the server counted") for note in run.manifest.notes)


@contextmanager
def transformers_server(model: Path, log: Path) -> Iterator[str]:
    """transformers' own server for one model, on loopback and offline; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(sys.executable).parent / "transformers"
    command = [str(program), "serve", str(model), "--host", "127.0.0.1", "--port", str(port)]
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=os.environ | {"HF_HUB_OFFLINE": "1"})
    try:
        for _ in range(600):
            if "Uvicorn running" in log.read_text():
                break
            assert process.poll() is None, log.read_text()
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait()
