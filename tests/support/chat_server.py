"""A server of OpenAI's chat completions in a process of its own, which judges two summaries, or writes one, by a rule.

`python -m tests.support.chat_server RULE LOG [STATUS...]` prints its port, appends each request to the file LOG with
its time, and answers the first requests with the given statuses. `429@2` asks to wait 2 s, as `Retry-After` says it,
and `400:WORDS` says WORDS.
The RULE `writes script FILE` says what a file has: model → a part of the prompt → the text.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]

RULES: dict[str, Callable[[str, str], str]] = {
    "longer": lambda first, second: "1" if len(first) > len(second) else "2",
    "first": lambda _first, _second: "Summary 1.",
    "tie": lambda _first, _second: "**Tie**",
    "undecided": lambda _first, _second: "1 or 2, that depends.",
    "nothing": lambda _first, _second: "",
}

WRITTEN = "Customer wrote {words} words about {last}. Agent answers."

USAGE: dict[str, Callable[[int, int], dict[str, int] | None]] = {
    "writes": lambda read, wrote: {"prompt_tokens": read, "completion_tokens": wrote, "total_tokens": read + wrote},
    "lies": lambda _read, _wrote: {"prompt_tokens": 7, "completion_tokens": 10**9, "total_tokens": 10**9},
    "is another": lambda read, wrote: {"prompt_tokens": read, "completion_tokens": wrote, "total_tokens": read},
    "counts double": lambda read, wrote: {"prompt_tokens": read, "completion_tokens": 2 * wrote, "total_tokens": read},
    "counts nothing": lambda _read, _wrote: None,
    "is slow": lambda _read, wrote: {"prompt_tokens": 7, "completion_tokens": wrote, "total_tokens": wrote + 7},
    "runs over": lambda _read, wrote: {"prompt_tokens": 7, "completion_tokens": wrote, "total_tokens": wrote + 7},
    "calls a tool": lambda _read, wrote: {"prompt_tokens": 7, "completion_tokens": wrote, "total_tokens": wrote + 7},
    "is stuck": lambda _read, _wrote: None,
    "hangs up": lambda _read, wrote: {"prompt_tokens": 7, "completion_tokens": wrote, "total_tokens": wrote + 7},
}
"""Rules of writing, and what each says about its tokens."""

SECONDS = {"is slow": 0.3, "is stuck": 30.0}

MODELS = ("llama", "base", "tuned")
"""What the server says it serves."""

REASONS = {"runs over": "length", "calls a tool": "tool_calls"}


def write(prompt: str) -> str:
    """A summary that depends on the prompt only."""
    words = prompt.split()
    return WRITTEN.format(words=len(words), last=max(words, key=len)[:20])


class Served(NamedTuple):
    """A running server."""

    base_url: str
    log: Path

    @property
    def requests(self) -> list[dict[str, Any]]:
        """What was asked so far: the path, the key, and the body."""
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []


@contextmanager
def chat_server(rule: str, log: Path, statuses: Sequence[int | str] = (), port: int = 0) -> Iterator[Served]:
    """Starts a server, on a free port unless one is given, and ends it."""
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, rule, str(log), *map(str, statuses)],
        cwd=ROOT,
        env=os.environ | {"PORT": str(port)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield Served(f"http://127.0.0.1:{int(process.stdout.readline())}/v1", log)
    finally:
        process.terminate()
        process.wait()


def serve(rule: str, log: Path, statuses: list[str]) -> None:
    """Serves until the process ends."""

    rule, _, file = rule.partition(" script ") if " script " in rule else (rule, "", "")
    script: dict[str, dict[str, str]] = json.loads(Path(file).read_text()) if file else {}

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Not on the screen."""

        def do_GET(self) -> None:
            known = self.path == "/v1/models"
            models = [{"id": name, "object": "model", "created": 1, "owned_by": "test"} for name in MODELS]
            self.answer(200 if known else 404, {"object": "list", "data": models if known else []})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with log.open("a") as out:
                request = {"path": self.path, "key": self.headers["Authorization"], "at": time.time(), "body": body}
                out.write(json.dumps(request) + "\n")
            if self.path != "/v1/chat/completions":
                self.answer(404, {"error": {"message": "no such path"}})
            elif statuses:
                code, _, words = statuses.pop(0).partition(":")
                number, _, wait = code.partition("@")
                self.answer(int(number), {"error": {"message": words or "not now"}}, wait=wait)
            elif rule in USAGE:
                self.write_summary(body)
            else:
                prompt = body["messages"][-1]["content"]
                first, second = re.findall(r'<summary number="\d">\n(.*?)\n</summary>', prompt, re.DOTALL)
                message = {"role": "assistant", "content": RULES[rule](first, second)}
                choice = {"index": 0, "finish_reason": "stop", "message": message}
                self.answer(
                    200,
                    {"id": "1", "object": "chat.completion", "created": 1, "model": body["model"], "choices": [choice]},
                )

        def write_summary(self, body: dict[str, Any]) -> None:
            prompt = body["messages"][-1]["content"]
            told = script.get(body["model"], {})
            text = next((text for part, text in told.items() if part in prompt), write(prompt))
            time.sleep(SECONDS.get(rule, 0))
            message = {"role": "assistant", "content": text}
            choice = {"index": 0, "finish_reason": REASONS.get(rule, "stop"), "message": message}
            answer = {
                "id": "1",
                "object": "chat.completion",
                "created": 1,
                "model": body["model"],
                "choices": [choice],
                "system_fingerprint": "fp_2" if rule == "is another" else "fp_1",
                "usage": USAGE[rule](len(prompt.split()), len(text.split())),
            }
            self.answer(200, answer, cut=rule == "hangs up")

        def answer(self, status: int, value: object, *, cut: bool = False, wait: str = "") -> None:
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.send_header(*("Retry-After", wait) if wait else ("Retry-After-Ms", "1"))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2] if cut else data)
            self.close_connection = cut

    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "0"))), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    serve(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
