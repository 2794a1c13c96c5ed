from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from liftbench.errors import UsageError
from liftbench.hub import parse
from liftbench.models.references import files_sha256

COMMIT = "1234567890abcdef1234567890abcdef12345678"

RESOLVE = """
import sys
from liftbench import hub
from liftbench.errors import LiftbenchError
from liftbench.models.references import resolve
hub.SECONDS_TO_ANSWER = 3.0
try:
    model = resolve(sys.argv[1])
    print(model.path, model.name, model.record.sha256, model.record.source, sep="\\n")
except LiftbenchError as error:
    print(error)
    code = error.exit_code
else:
    code = 0
sys.exit(code)
"""


class Hub:
    """A stand-in for the hub: one model, `org/tiny`, at one commit of `main`; `org/gated` asks for its licence."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                """Not on the screen."""

            def do_GET(self) -> None:
                hub.asked.append(self.path)
                parts = self.path.partition("?")[0].strip("/").split("/")
                if parts[:2] == ["api", "models"] and parts[2] == "org":
                    self.describe(parts[3], parts[4:])
                elif parts[0] == "org" and parts[2] == "resolve":
                    self.hand_out(parts[1], folder / parts[-1])
                else:
                    self.answer(404, b"", {"X-Error-Code": "RepoNotFound"})

            do_HEAD = do_GET  # noqa: N815 - http.server's name

            def describe(self, name: str, rest: list[str]) -> None:
                if name == "down":
                    self.answer(503, b"")
                elif name not in ("tiny", "gated"):
                    self.answer(404, b"", {"X-Error-Code": "RepoNotFound"})
                elif rest[:1] == ["revision"] and rest[1] not in ("main", COMMIT):
                    self.answer(404, b"", {"X-Error-Code": "RevisionNotFound"})
                elif rest[:1] == ["tree"]:
                    extra = [{"type": "file", "path": "original/weights.safetensors", "size": 9, "oid": "x"}]
                    files = [
                        {"type": "file", "path": path.name, "size": path.stat().st_size, "oid": path.name}
                        for path in sorted(folder.iterdir())
                    ]
                    self.answer(200, json.dumps(files + extra).encode())
                else:
                    self.answer(200, json.dumps({"id": f"org/{name}", "sha": COMMIT, "siblings": []}).encode())

            def hand_out(self, name: str, path: Path) -> None:
                if name == "gated":
                    self.answer(403, b"", {"X-Error-Code": "GatedRepo"})
                elif not path.is_file():
                    self.answer(404, b"", {"X-Error-Code": "EntryNotFound"})
                else:
                    self.answer(200, path.read_bytes(), {"X-Repo-Commit": COMMIT, "ETag": f'"{path.name}"'})

            def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def hub(tiny_chat_model: Path) -> Iterator[Hub]:
    hub = Hub(tiny_chat_model)
    yield hub
    hub.close()


@pytest.fixture
def silent_server() -> Iterator[str]:
    """The URL of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def resolve(reference: str, endpoint: str, home: Path, **environment: str) -> tuple[int, list[str], float]:
    """Exit code, printed lines and seconds of a process that resolves (the endpoint is read once, at import)."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", RESOLVE, reference],
        capture_output=True,
        text=True,
        check=False,
        env={**inherited, "HF_ENDPOINT": endpoint, "HF_HOME": str(home), **environment},
    )
    return done.returncode, done.stdout.splitlines(), time.perf_counter() - started


def test_a_model_comes_pinned_to_its_commit_and_then_serves_offline(
    hub: Hub, tmp_path: Path, tiny_chat_model: Path
) -> None:
    code, online, _ = resolve("hub:org/tiny", hub.url, tmp_path)
    path, name, sha256, source = online
    assert code == 0
    assert (name, source) == ("tiny", f"hub org/tiny @ {COMMIT}")
    assert sha256 == files_sha256(tiny_chat_model.glob("*.safetensors"))
    assert {file.name for file in Path(path).iterdir()} == {file.name for file in tiny_chat_model.iterdir()}
    assert not any("original" in asked for asked in hub.asked)
    asked = len(hub.asked)
    code, offline, seconds = resolve("hub:org/tiny", "http://127.0.0.1:9", tmp_path)
    assert (code, offline) == (0, online)
    assert resolve("hub:org/tiny", hub.url, tmp_path, HF_HUB_OFFLINE="1")[:2] == (0, online)
    assert seconds < 10
    assert len(hub.asked) == asked


@pytest.mark.parametrize(
    ("reference", "code", "said"),
    [
        ("hub:org/nothing", 2, "there is no model 'org/nothing' on the hub"),
        ("hub:org/tiny@v9", 2, "org/tiny has no revision 'v9'"),
        ("hub:org/a--b", 2, "'org/a--b' is no name of a model"),
        ("hub:org/gated", 3, "org/gated is gated: accept its licence"),
        ("hub:org/down", 3, "the hub cannot be reached (it answers with status 503)"),
    ],
)
def test_what_the_hub_refuses_is_explained(hub: Hub, tmp_path: Path, reference: str, code: int, said: str) -> None:
    got, lines, seconds = resolve(reference, hub.url, tmp_path)
    assert (got, len(lines)) == (code, 1)
    assert lines[0].startswith(said)
    assert seconds < 10


@pytest.mark.parametrize("place", ["refused", "unknown", "silent"])
def test_an_unreachable_hub_is_known_within_seconds(tmp_path: Path, silent_server: str, place: str) -> None:
    url = {"refused": "http://127.0.0.1:9", "unknown": "http://hub.invalid", "silent": silent_server}[place]
    code, lines, seconds = resolve("hub:org/tiny", url, tmp_path)
    assert code == 3
    assert lines[0].startswith("the hub cannot be reached (")
    assert "smollm2-135m" in lines[0]
    assert seconds < 15


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("hub:org/name", ("org/name", None)),
        ("hub:org/name@main", ("org/name", "main")),
        ("hub:meta-llama/Llama-3.2-1B@refs/pr/4", ("meta-llama/Llama-3.2-1B", "refs/pr/4")),
    ],
)
def test_references_to_the_hub(reference: str, expected: tuple[str, str | None]) -> None:
    assert parse(reference) == expected


@pytest.mark.parametrize("reference", ["hub:", "hub:name", "hub:a/b/c", "hub:org/name@", "hub:org/na me"])
def test_references_that_are_none(reference: str) -> None:
    with pytest.raises(UsageError, match="write hub:org/name"):
        parse(reference)
