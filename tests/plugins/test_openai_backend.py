"""Served models: asked at a real server on loopback, measured, compared, and what cannot be known of them."""

from __future__ import annotations

import functools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

pytest.importorskip("openai")

import liftbench
from liftbench.errors import LiftbenchError, PrerequisiteError, RunFailed, UsageError
from liftbench.files import write_lines
from liftbench.judging.compare import compare
from liftbench.measuring.backend import BackendRequest
from liftbench.models.chat_server import (
    FIRST_WAIT,
    JITTER,
    LONGEST_WAIT,
    RETRIES,
    TIMEOUT_VARIABLE,
    ChatServer,
    asked_wait,
    may_pass,
    one_line,
)
from liftbench.models.references import is_chat_model, require_obtainable, resolve
from liftbench.models.served import parse
from liftbench.prompts.render import render
from liftbench.prompts.spec import prompt_spec
from liftbench.records.conversation import Conversation
from liftbench.text.transcript import transcript
from liftbench_plugins.backends.openai import (
    CONCURRENCY,
    KEY,
    MessagesTokenizer,
    OpenAIBackend,
    concurrency,
    read_messages,
)
from liftbench_plugins.backends.served_tokens import TOKENIZER, find_tokenizer

from ..conftest import Outcome
from ..support.chat_server import Served, chat_server, write
from ..support.scripted import Bench, honest, untuned

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


def ask(served: Served, conversations: list[Conversation]) -> list[Any]:
    """The generations of some conversations, all asked at once."""
    backend = open_backend(served.base_url)
    return backend.generate([render(PROMPT, one, backend.tokenizer, 512) for one in conversations], 40)


def test_a_server_says_how_long_to_wait_and_all_requests_do(
    tmp_path: Path, conversations: list[Conversation], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two requests at a time: the one that was not refused comes back, and its successor waits too."""
    monkeypatch.setenv(CONCURRENCY, "2")
    with chat_server("writes", tmp_path / "log", ["429@1.5"]) as served:
        assert len(ask(served, conversations[:6])) == 6
        first, *others = sorted(request["at"] for request in served.requests)
    assert len(others) == 6
    # What was on its way when the first was refused could not know.
    assert sum(at < first + 1.4 for at in others) <= 2


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "12"}, 12),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "Fri, 01 Jan 2010 00:00:00 GMT"}, 0),
    ],
)
def test_the_wait_that_a_server_asks_for(headers: dict[str, str], seconds: float | None) -> None:
    assert asked_wait(headers) == seconds


def test_a_wait_until_a_date_is_understood() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert 80 < (asked_wait({"retry-after": later}) or 0) <= 90


def test_a_server_that_asks_to_wait_for_hours_ends_the_command(tmp_path: Path, conversations: Any) -> None:
    with chat_server("writes", tmp_path / "log", ["429@7200"]) as served:
        with pytest.raises(RunFailed, match="asks to wait for about 2 h"):
            ask(served, conversations[:1])
        assert len(served.requests) == 1


def test_waits_double_and_no_two_are_alike() -> None:
    server = ChatServer("m", "http://127.0.0.1:9/v1", None, key_variable=KEY, model_option="", url_option="")
    for attempt in range(RETRIES):
        waits = {server._wait(attempt, None) for _ in range(20)}
        least = min(LONGEST_WAIT, FIRST_WAIT * 2**attempt)
        assert len(waits) == 20
        assert least <= min(waits) <= max(waits) <= (1 + JITTER) * least


def test_a_name_that_a_server_gives_is_one_line() -> None:
    assert one_line("llama\n\x1b[31mred") == "llama[31mred"
    assert len(one_line("x" * 10**6)) == 200


@pytest.mark.parametrize(
    ("status", "code", "passes"),
    [(429, None, True), (429, "insufficient_quota", False), (500, None, True), (400, None, False), (0, None, True)],
)
def test_which_errors_may_pass(status: int, code: str | None, passes: bool) -> None:
    assert may_pass(status, code) is passes


def test_a_server_that_never_answers_is_given_up(
    tmp_path: Path, conversations: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liftbench.models.chat_server.RETRIES", 1)
    monkeypatch.setenv(TIMEOUT_VARIABLE, "0.5")
    with chat_server("is stuck", tmp_path / "log") as served:
        with pytest.raises(PrerequisiteError, match=r"did not answer within 0\.5 s, 2 times"):
            ask(served, conversations[:1])
        assert len(served.requests) == 2


@pytest.mark.parametrize("given", ["0", "-1", "soon", "inf", "nan"])
def test_a_time_that_is_none_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TIMEOUT_VARIABLE, given)
    with pytest.raises(UsageError, match=TIMEOUT_VARIABLE):
        open_backend("http://127.0.0.1:9/v1")


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
    assert made.new_tokens == -(-len(made.text.encode()) // 4)
    assert made.served
    assert not made.served.believed
    assert made.served.new_tokens == (10**9 if rule == "lies" else None)


def words_tokenizer(folder: Path) -> Path:
    """A tokenizer with a token a word, so that it counts as the test's server does."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    made = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    folder.mkdir()
    made.save(str(folder / "tokenizer.json"))
    return folder


@pytest.mark.parametrize(("rule", "believed"), [("writes", True), ("counts double", False)])
def test_a_server_that_counts_double_is_caught_with_the_model_s_tokenizer(
    rule: str, believed: bool, tmp_path: Path, conversations: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKENIZER, str(words_tokenizer(tmp_path / "tokenizer")))
    with chat_server(rule, tmp_path / "log") as served:
        backend = open_backend(served.base_url)
        [made] = backend.generate([render(PROMPT, conversations[0], backend.tokenizer, 512)], 40)
    assert made.served
    assert made.served.believed is believed
    assert made.new_tokens == len(made.text.split())
    assert "the server's numbers of tokens were checked with a tokenizer on this machine" in backend.notes()


def test_the_tokenizer_of_a_model_that_is_served_by_its_folder_is_found(tmp_path: Path) -> None:
    folder = words_tokenizer(tmp_path / "tokenizer")
    assert find_tokenizer(str(folder)) is not None
    assert find_tokenizer("no/such-model") is None
    assert find_tokenizer("llama@home: 3") is None


def test_a_tokenizer_that_cannot_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    monkeypatch.setenv(TOKENIZER, str(tmp_path))
    with pytest.raises(UsageError, match=TOKENIZER):
        open_backend("http://127.0.0.1:9/v1")


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


def test_the_key_is_written_nowhere(
    command_line: Callable[..., Outcome], measured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs, cache, report, and what is printed: after a refusal, too, and where the server repeats the key."""
    monkeypatch.setenv("LIFTBENCH_GENERATION_CACHE", str(tmp_path / "cache" / "generations"))
    options = ("--dataset", str(measured), "--runs", str(tmp_path / "runs"))
    with chat_server("writes", tmp_path / "log", [f"400:no such thing, {SECRET}"]) as served:
        model = f"openai:base@{served.base_url}"
        told = [command_line("baseline", *options, "--model", model) for _ in range(2)]
        told.append(command_line("score", f"openai:tuned@{served.base_url}", *options))
        told.append(command_line("compare", "--runs", str(tmp_path / "runs"), "--json"))
        runs = [path.name for path in (tmp_path / "runs").glob("2*")]
        told.append(command_line("report", *runs, *options[2:], "--html", str(tmp_path / "report.html")))
        assert [one.code for one in told] == [4, 0, 0, 1, 0], told[0].err
        assert {request["key"] for request in served.requests} == {f"Bearer {SECRET}"}
    assert not any(SECRET in f"{one.out} {one.err}" for one in told)
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "log"]
    assert {"report.html", "manifest.json", "served.json"} <= {path.name for path in files}
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["generation.min_words=5"], "does not follow generation.min_words"),
        (["generation.no_repeat_ngram=3"], "does not follow generation.no_repeat_ngram"),
        (["prompt.prefill=Customer"], r"cannot continue prompt.prefill"),
        (["prompt.template_arguments={enable_thinking = false}"], "do not reach a served model"),
    ],
)
@pytest.mark.parametrize("verb", ["baseline", "score"])
def test_what_a_server_cannot_honour_is_refused_before_a_run_is_made(
    verb: str, settings: list[str], words: str, command_line: Callable[..., Outcome], measured: Path, tmp_path: Path
) -> None:
    model = "openai:base@http://127.0.0.1:9/v1"
    options = ["--dataset", str(measured), "--runs", str(tmp_path / "runs"), "--set", *settings]
    told = command_line(verb, *(["--model", model] if verb == "baseline" else [model]), *options)
    assert (told.code, words in told.err) == (2, True), told.err
    assert not list((tmp_path / "runs").glob("2*"))


def test_tokens_and_cost_are_those_of_all_commands_that_made_a_run(
    command_line: Callable[..., Outcome], measured: Path, server: Served, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    options = ("--dataset", str(measured), "--runs", str(runs), "--model", f"openai:base@{server.base_url}")
    prices = ("--set", "model.price_in=2.5", "--set", "model.price_out=10")
    assert command_line("baseline", *options).code == 0
    [run] = map(liftbench.load_run, runs.glob("2*"))
    assert run.summary.usage
    assert run.summary.usage.cost is None
    asked = len(server.requests)
    # The run has all its texts: the price alone is new.
    priced = command_line("baseline", *options, *prices)
    assert (priced.code, len(server.requests)) == (0, asked)
    [run] = map(liftbench.load_run, runs.glob("2*"))
    usage = run.summary.usage
    assert usage
    read = sum(len(" ".join(m["content"] for m in r["body"]["messages"]).split()) for r in server.requests)
    wrote = sum(len(one.text.split()) for one in run.predictions.values())
    # The test's server counts the last message only.
    assert (usage.new_tokens, usage.not_believed) == (wrote, 0)
    assert 0 < usage.prompt_tokens <= read
    assert usage.cost == pytest.approx((2.5 * usage.prompt_tokens + 10 * wrote) / 1e6)
    assert f"{usage.prompt_tokens:,} tokens of prompts and {wrote:,} new ones, cost" in priced.out
    # Without prices, the cost that is known stays.
    assert "already measured" in command_line("baseline", *options).err
    assert command_line("score", f"openai:tuned@{server.base_url}", *options[:4]).code == 0
    names = [path.name for path in runs.glob("2*")]
    report = command_line("report", *names, *options[2:4], "--html", str(tmp_path / "report.html"))
    assert report.code == 0, report.err
    assert "tokens of prompts" in (tmp_path / "report.html").read_text()


def test_a_search_for_the_best_prompt_tries_no_beginnings_and_its_tokens_count(
    command_line: Callable[..., Outcome], measured: Path, server: Served, tmp_path: Path, conversations: Any
) -> None:
    write_lines(measured / "validation.jsonl", conversations[:4])
    write_lines(measured / "train.jsonl", conversations[4:])
    options = ["--dataset", str(measured), "--runs", str(tmp_path / "runs"), "--set", "tune.conversations=3"]
    options += ["--set", "tune.shots=[0]", "--set", "tune.templates=['Sum up: {conversation}']", "--limit", "2"]
    told = command_line("baseline", "--tune", *options, "--model", f"openai:base@{server.base_url}")
    assert told.code == 0, told.err
    [run] = map(liftbench.load_run, (tmp_path / "runs").glob("2*"))
    # Two prompts on three conversations each, then two conversations with the best.
    assert len(server.requests) == 2 * 3 + 2
    usage = run.summary.usage
    assert usage
    assert usage.new_tokens == sum(len(write(r["body"]["messages"][-1]["content"]).split()) for r in server.requests)


def test_a_server_that_lies_about_its_tokens_is_told_of(
    command_line: Callable[..., Outcome], measured: Path, tmp_path: Path
) -> None:
    options = ("--dataset", str(measured), "--runs", str(tmp_path / "runs"))
    with chat_server("lies", tmp_path / "log") as served:
        told = command_line("baseline", *options, "--model", f"openai:base@{served.base_url}")
    assert "those of 12 answers counted here: the server's numbers do not fit the texts" in told.out


def test_a_lift_of_one_served_model_over_another_is_proven(
    command_line: Callable[..., Outcome], scripted: Bench, tmp_path: Path
) -> None:
    """And over a model on this machine it is not, because the gain may be that of other weights."""
    texts = {"base": untuned(), "tuned": honest()}
    script = {model: {transcript(one.turns): told[one.id] for one in scripted.test} for model, told in texts.items()}
    (tmp_path / "script.json").write_text(json.dumps(script))
    options = ("--dataset", str(scripted.folder), "--split", "test", "--runs", str(tmp_path / "runs"))
    with chat_server(f"writes script {tmp_path / 'script.json'}", tmp_path / "log") as served:
        for model in texts:
            told = command_line("score", f"openai:{model}@{served.base_url}", *options)
            assert told.code == 0, told.err
    runs = {run.manifest.system.name: run for run in map(liftbench.load_run, (tmp_path / "runs").glob("2*"))}
    [proven] = compare(runs["base"], [runs["tuned"]], scripted.background).candidates
    assert [guard.name for guard in proven.verdict.guards if guard.state != "passed"] == []
    assert (proven.verdict.outcome, proven.verdict.lift) == ("verified", "verified")
    assert "as it was served on" in proven.verdict.sentence
    assert "weights, precision and training data are not known" in proven.verdict.sentence
    [local] = compare(scripted.baseline, [runs["tuned"]], scripted.background).candidates
    assert local.verdict.outcome == "unproven"
    states = {guard.name: guard.state for guard in local.verdict.guards}
    assert states["same base"] == "failed"
    assert states["leakage"] == "not run"


def test_a_killed_run_keeps_every_answer_and_asks_again_only_what_was_in_flight(measured: Path, tmp_path: Path) -> None:
    """kill -9, three times: each answer is on the disk as soon as it has come."""
    at_once = 3
    with chat_server("is slow", tmp_path / "log") as served:
        command = [sys.executable, "-m", "liftbench", "baseline", "--dataset", str(measured)]
        command += ["--runs", str(tmp_path / "runs"), "--model", f"openai:base@{served.base_url}"]
        environment = os.environ | {CONCURRENCY: str(at_once)}
        for kill, wanted in enumerate((1, 4, 8)):
            process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
            kept = wait_for_lines(tmp_path / "runs", wanted, process)
            process.kill()
            process.wait()
            assert len(served.requests) <= kept + (kill + 1) * at_once + 1
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert "continuing" in done.stderr
        asked = [json.dumps(request["body"]["messages"]) for request in served.requests]
    [run] = map(liftbench.load_run, (tmp_path / "runs").glob("2*"))
    assert len(run.predictions) == len(set(asked)) == 12
    assert len(asked) <= 12 + 3 * at_once
    assert list(run.predictions) == [one.id for one in run.conversations]
    usage = run.summary.usage
    assert usage
    assert usage.new_tokens == sum(one.new_tokens or 0 for one in run.predictions.values())


def wait_for_lines(runs: Path, wanted: int, process: subprocess.Popen[bytes] | None = None) -> int:
    """The number of predictions in the only run, once there are so many; the process must not end before."""
    for _ in range(3000):
        lines = sum(path.read_bytes().count(b"\n") for path in runs.glob("2*/predictions.jsonl"))
        if lines >= wanted:
            return lines
        assert process is None or process.poll() is None
        time.sleep(0.02)
    raise AssertionError(f"no {wanted} predictions came")


def test_ctrl_c_keeps_what_is_in_flight_and_nothing_is_asked_twice_even_of_a_changed_server(
    measured: Path, tmp_path: Path
) -> None:
    """The server comes back in another configuration, which the run says."""
    environment = os.environ | {CONCURRENCY: "3"}
    with chat_server("is slow", tmp_path / "log") as served:
        command = [sys.executable, "-m", "liftbench", "baseline", "--dataset", str(measured)]
        command += ["--runs", str(tmp_path / "runs"), "--model", f"openai:base@{served.base_url}"]
        # A shell that starts the tests in the background makes them, and what they start, ignore it.
        heard = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, preexec_fn=heard)
        wait_for_lines(tmp_path / "runs", 1, process)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
        assert wait_for_lines(tmp_path / "runs", 1) == len(served.requests) < 12
        port = urlsplit(served.base_url).port or 0
    with chat_server("is another", tmp_path / "log", port=port) as served:
        subprocess.run(command, env=environment, capture_output=True, check=True)
        assert len(served.requests) == 12
    [run] = map(liftbench.load_run, (tmp_path / "runs").glob("2*"))
    assert run.summary.usage
    assert sorted(run.summary.usage.answered_by) == ["base (fp_1)", "base (fp_2)"]
    assert sum(run.summary.usage.answered_by.values()) == 12
    assert "the server was changed while the run was measured" in run.manifest.notes


@pytest.mark.parametrize(("stop", "kept"), [(KeyboardInterrupt, 3), (RunFailed, 2)])
def test_what_is_in_flight_when_a_command_stops_is_kept(
    stop: type[BaseException],
    kept: int,
    tmp_path: Path,
    conversations: list[Conversation],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.setenv(CONCURRENCY, "3")
    with chat_server("is slow", tmp_path / "log") as served:
        backend = open_backend(served.base_url)
        prompts = [render(PROMPT, one, backend.tokenizer, 512) for one in conversations[:6]]
        if stop is KeyboardInterrupt:
            # A shell that starts the tests in the background makes them ignore it.
            before = signal.signal(signal.SIGINT, signal.default_int_handler)
            request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
            signals = iter([signal.SIGINT])
            monkeypatch.setattr(
                "liftbench_plugins.backends.openai.wait",
                lambda *given, **how: (list(map(signal.raise_signal, signals)), wait(*given, **how))[1],
            )
        else:
            monkeypatch.setattr(backend._server, "answer", fail_once(backend._server.answer, RunFailed("gone", "")))
        made: list[tuple[int, Any]] = []
        with pytest.raises(stop):
            made.extend(backend.stream(prompts, 40))
        assert len(made) == len(served.requests) == kept


def fail_once(function: Callable[..., Any], error: BaseException) -> Callable[..., Any]:
    """A function whose first call fails."""
    errors = iter([error])

    def fails(*given: Any, **named: Any) -> Any:
        for one in errors:
            raise one
        return function(*given, **named)

    return fails


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
    # The name is the model's folder, so its own tokenizer checks what the server counts.
    assert "the server's numbers of tokens were checked with a tokenizer on this machine" in run.manifest.notes
    assert run.summary.usage
    assert run.summary.usage.not_believed == 0
    assert [one.prompt_tokens for one in run.predictions.values() if one.served] != []


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


# -------------------------------------------------------------------------------------------------------------- doctor


@pytest.mark.parametrize(
    ("rule", "statuses", "state", "words"),
    [
        ("writes", [], "ok", "answered by llama (fp_1), served at 127.0.0.1"),
        ("lies", [], "note", "(7 tokens of the prompt and 1000000000 of the answer)"),
        ("writes", [404], "wrong", "does not know the model 'llama'"),
        ("writes", [401], "wrong", f"refuses the key in {KEY}"),
    ],
)
def test_doctor_asks_a_served_model_once(
    rule: str, statuses: list[int], state: str, words: str, tmp_path: Path, command_line: Callable[..., Outcome]
) -> None:
    with chat_server(rule, tmp_path / "log", statuses) as served:
        model = f"openai:llama@{served.base_url}"
        done = command_line("doctor", "--model", model, "--runs", str(tmp_path / "runs"), "--json")
        assert len([request for request in served.requests if request["body"]]) == 1
    findings = [one for one in json.loads(done.out)["findings"] if one["part"] == "server"]
    assert findings[-1]["state"] == state
    assert words in findings[-1]["what"]
    assert done.code == (3 if state == "wrong" else 0)
    if statuses == [404]:
        assert "It serves base, llama, tuned." in findings[-1]["fix"]
    if state == "ok":
        assert re.search(r"\d+ tokens in \d+\.\d s$", findings[-1]["what"])
