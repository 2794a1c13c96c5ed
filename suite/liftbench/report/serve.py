"""A read-only server of the index and its pages, for browsers on this machine alone."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from ..errors import LiftbenchError
from ..runs.directory import runs_in
from ..workflow.index import find_page, gather_index
from .html.index import Links, render_index
from .html.runs import render_runs

LOOPBACK = "127.0.0.1"

LINKS = Links(page=lambda name: f"/pages/{quote(name)}", run=lambda id_: f"/runs/{quote(id_)}")


def make_server(
    runs: Path, baselines: Path, port: int = 0, note: Callable[[str], None] = lambda _: None
) -> ThreadingHTTPServer:
    """A server on the loopback interface; with port 0 the system chooses one.

    `/` is the index, made anew for each request, `/pages/NAME` a page beside the runs, and `/runs/ID` a page about one
    complete run, made on request. Nothing else is served, and nothing is written. A request that names another host is
    refused: a page on the web could otherwise read the runs through a name that it lets point here (DNS rebinding).
    `note` is called with what could not be served because of an error.
    """

    class Handler(BaseHTTPRequestHandler):
        server_version = "liftbench"
        sys_version = ""

        def do_GET(self) -> None:
            if self.headers.get("Host", "") not in self._hosts():
                self._send(HTTPStatus.MISDIRECTED_REQUEST, b"This server answers to its own address only.\n")
                return
            try:
                body = _find_body(unquote(urlsplit(self.path).path), runs, baselines)
            except LiftbenchError as error:
                self._send(HTTPStatus.CONFLICT, f"{error.line}\n".encode())
                return
            except OSError as error:
                note(f"{self.path}: {error}")
                self._send(HTTPStatus.INTERNAL_SERVER_ERROR, b"A file could not be read.\n")
                return
            if body is None:
                self._send(HTTPStatus.NOT_FOUND, b"There is no such page.\n")
            else:
                self._send(HTTPStatus.OK, body, "text/html")

        def do_HEAD(self) -> None:
            self.do_GET()

        def _hosts(self) -> set[str]:
            return {f"{name}:{server.server_port}" for name in (LOOPBACK, "localhost")}

        def _send(self, status: HTTPStatus, body: bytes, kind: str = "text/plain") -> None:
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Cache-Control", "no-store")
            self.send_header("Referrer-Policy", "no-referrer")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing about each request."""

    server = ThreadingHTTPServer((LOOPBACK, port), Handler)
    return server


def _find_body(path: str, runs: Path, baselines: Path) -> bytes | None:
    """The page at a path; None where there is none. Names are compared with those that exist, never made into paths."""
    if path in ("/", "/index.html"):
        return render_index(gather_index(runs, baselines), LINKS).encode()
    _, kind, *rest = path.split("/", 2)
    name = "".join(rest)
    if kind == "pages":
        page = find_page(name, runs)
        return page.read_bytes() if page else None
    if kind == "runs":
        run = next((run for run in runs_in(runs) if run.id == name), None)
        return render_runs([run.require_complete()]).encode() if run else None
    return None
