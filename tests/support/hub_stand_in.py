"""A stand-in for the Hugging Face hub's HTTP interface, on this machine: repositories of one commit.

The client reads its endpoint once, at import: what asks the stand-in runs in a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "1234567890abcdef1234567890abcdef12345678"

NOWHERE = "http://127.0.0.1:9"
"""An endpoint that refuses connections."""


class Hub:
    """Repositories as folders by their ids; one called `gated` asks for its licence, one called `down` answers 503."""

    def __init__(
        self,
        *,
        models: Mapping[str, Path] | None = None,
        datasets: Mapping[str, Path] | None = None,
        spaces: Mapping[str, Path] | None = None,
    ) -> None:
        self.asked: list[str] = []
        repositories = {"models": dict(models or {}), "datasets": dict(datasets or {}), "spaces": dict(spaces or {})}
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                """Not on the screen."""

            def do_GET(self) -> None:
                hub.asked.append(self.path)
                parts = self.path.partition("?")[0].strip("/").split("/")
                match parts:
                    case ["api", kind, organization, name, *rest] if kind in repositories:
                        self.describe(repositories[kind], f"{organization}/{name}", rest)
                    case ["datasets" | "spaces" as kind, organization, name, "resolve", _, *path]:
                        self.hand_out(repositories[kind], f"{organization}/{name}", path)
                    case [organization, name, "resolve", _, *path]:
                        self.hand_out(repositories["models"], f"{organization}/{name}", path)
                    case _:
                        self.answer(404, b"", {"X-Error-Code": "RepoNotFound"})

            do_HEAD = do_GET  # noqa: N815 - http.server's name

            def describe(self, known: dict[str, Path], repository: str, rest: list[str]) -> None:
                if repository.endswith("/down"):
                    self.answer(503, b"")
                elif repository not in known:
                    self.answer(404, b"", {"X-Error-Code": "RepoNotFound"})
                elif rest[:1] == ["revision"] and rest[1] not in ("main", COMMIT):
                    self.answer(404, b"", {"X-Error-Code": "RevisionNotFound"})
                elif rest[:1] == ["tree"]:
                    self.answer(200, json.dumps(listing(known[repository])).encode())
                else:
                    self.answer(200, json.dumps({"id": repository, "sha": COMMIT, "siblings": []}).encode())

            def hand_out(self, known: dict[str, Path], repository: str, path: Sequence[str]) -> None:
                file = known[repository].joinpath(*path) if repository in known else None
                if repository.endswith("/gated"):
                    self.answer(403, b"", {"X-Error-Code": "GatedRepo"})
                elif file is None or not file.is_file():
                    self.answer(404, b"", {"X-Error-Code": "EntryNotFound"})
                else:
                    headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{"-".join(path)}"'}
                    self.answer(200, file.read_bytes(), headers)

            def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Asked:
    """What a process said that asked a hub."""

    def __init__(self, done: subprocess.CompletedProcess[str], seconds: float) -> None:
        self.code, self.lines, self.errors = done.returncode, done.stdout.splitlines(), done.stderr
        self.seconds = seconds


def listing(folder: Path) -> list[dict[str, object]]:
    """The files of a repository as the hub's tree endpoint tells them."""
    return [
        {"type": "file", "path": str(path.relative_to(folder)), "size": path.stat().st_size, "oid": path.name}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]


def ask(code: str, *arguments: str, endpoint: str, home: Path, **environment: str) -> Asked:
    """Run Python code in a process that takes `endpoint` for the hub and has `home` for its cache."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**inherited, "HF_ENDPOINT": endpoint, "HF_HOME": str(home), **environment},
    )
    return Asked(done, time.perf_counter() - started)
