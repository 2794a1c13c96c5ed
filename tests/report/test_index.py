"""`bench view`: the index of runs, pages and promoted baselines, written and served."""

from __future__ import annotations

import functools
import http.client
import json
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from liftbench.files import write_text
from liftbench.report.html.index import Links, render_index
from liftbench.report.pages import write_index_page, write_runs_page
from liftbench.report.serve import make_server
from liftbench.runs.directory import Run
from liftbench.workflow.index import Index, find_page, gather_index

from ..conftest import Outcome
from ..support.build import write_run

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """`runs` with two measurements of one system, an unfinished one, a damaged one and an unreadable one; two pages."""
    runs = tmp_path / "runs"
    first = write_run(runs)
    write_run(runs, created="2026-01-07T10:00:00Z", name=HOSTILE, status="trained", command="train")
    write_run(runs, created="2026-02-05T10:00:00Z")
    damaged = write_run(runs, created="2026-03-05T10:00:00Z", command="score")
    (damaged.folder / "scores.jsonl").write_text("")
    write_text(runs / "20260401T000000Z-broken" / "manifest.json", '{"schema":3')
    write_runs_page([first], runs)
    write_text(tmp_path / "gate-0a.html", f"<title>{HOSTILE.replace('<', '&lt;')} · liftbench</title>")
    write_text(tmp_path / "notes.html", "not ours")
    write_text(tmp_path / "secret.txt", "secret")
    return tmp_path


@pytest.fixture
def index(place: Path) -> Index:
    return gather_index(place / "runs", place / "baselines")


def first_run(place: Path) -> Run:
    return Run(min((place / "runs").glob("20260105*")))


def test_everything_is_listed_and_what_is_damaged_is_called_so(index: Index, place: Path) -> None:
    assert [run.status for run in index.runs] == ["damaged", "complete", "trained", "complete"]
    assert "scores.jsonl" in index.runs[0].problem
    assert index.runs[0].means == {}
    assert [one.name for one in index.damaged] == ["20260401T000000Z-broken"]
    assert {page.kind for page in index.pages} == {"report", "gate"}
    first = index.runs[-1]
    assert first.id == first_run(place).id
    assert [name.partition("-")[0] for name in first.pages] == ["report"]
    assert first.means["rougeL"].mean is not None


def test_the_page_is_escaped_has_the_trend_and_the_same_bytes_each_time(index: Index) -> None:
    text = render_index(index, Links(page=lambda name: name))
    assert HOSTILE not in text
    assert text == render_index(index, Links(page=lambda name: name))
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text
    assert '<h2 id="trend-title">' in text
    assert "2026-02-05 10:00" in text
    assert "20260401T000000Z-broken" in text


def test_links_lead_from_the_index_to_the_pages(index: Index, place: Path) -> None:
    runs = place / "runs"
    assert write_index_page(index, runs) == place / "index.html"
    assert 'href="gate-0a.html"' in (place / "index.html").read_text()
    elsewhere = write_index_page(index, runs, place / "deep" / "er" / "all.html")
    assert 'href="../../gate-0a.html"' in elsewhere.read_text()


def test_an_empty_folder_has_an_index(tmp_path: Path) -> None:
    text = render_index(gather_index(tmp_path / "none", tmp_path), Links(page=str))
    assert "bench baseline" in text
    assert 'id="trend"' not in text


def test_only_pages_of_ours_are_found(place: Path) -> None:
    runs = place / "runs"
    (place / "compare-link.html").symlink_to(place / "secret.txt")
    assert find_page("gate-0a.html", runs) == place / "gate-0a.html"
    for name in ("secret.txt", "notes.html", "compare-link.html", "../runs/gate-0a.html", "gate-..", "index.html", ""):
        assert find_page(name, runs) is None


# -------------------------------------------------------------------------------------------------------------- server


Get = Callable[..., tuple[int, str]]


@pytest.fixture
def get(place: Path) -> Iterator[Get]:
    server = make_server(place / "runs", place / "baselines")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    def fetch(path: str, method: str = "GET", host: str = "") -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1])
        connection.putrequest(method, path, skip_host=bool(host))
        if host:
            connection.putheader("Host", host)
        connection.endheaders()
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    yield fetch
    server.shutdown()
    server.server_close()


def test_the_server_has_the_index_its_pages_and_a_page_for_each_run(get: Get, place: Path) -> None:
    status, text = get("/")
    first = first_run(place)
    assert (status, f'href="/runs/{first.id}"' in text, 'href="/pages/gate-0a.html"' in text) == (200, True, True)
    assert get("/pages/gate-0a.html")[0] == 200
    status, page = get(f"/runs/{first.id}")
    assert (status, first.id in page) == (200, True)
    assert get("/", method="HEAD") == (200, "")


@pytest.mark.parametrize(
    "path",
    [
        "/pages/../secret.txt",
        "/pages/..%2Fsecret.txt",
        "/pages/%2e%2e/secret.txt",
        "/secret.txt",
        "/runs/../secret.txt",
        "/runs/..%2f..%2fsecret.txt",
        "//etc/passwd",
        "/pages/",
        "/runs",
    ],
)
def test_the_server_has_nothing_else(get: Get, path: str) -> None:
    status, text = get(path)
    assert (status, "secret" in text) == (404, False)


def test_the_server_changes_nothing_and_answers_to_its_own_name_only(get: Get) -> None:
    assert get("/", method="POST")[0] == 501
    assert get("/", method="DELETE")[0] == 501
    assert get("/", host="evil.example")[0] == 421


def test_a_run_that_is_not_finished_or_damaged_is_refused_with_the_reason(get: Get, index: Index) -> None:
    damaged, _, trained, _ = index.runs
    assert get(f"/runs/{trained.id.replace('<', '%3C').replace('>', '%3E').replace(' ', '%20')}")[0] == 409
    status, text = get(f"/runs/{damaged.id}")
    assert (status, "scores.jsonl" in text) == (409, True)


# ------------------------------------------------------------------------------------------------------------- command


def test_the_command_writes_the_index_and_prints_it_as_json(place: Path, command_line: Callable[..., Outcome]) -> None:
    options = ("--runs", str(place / "runs"), "--baselines", str(place / "baselines"))
    done = command_line("view", *options)
    assert done.code == 0, done.err
    assert str(place / "index.html") in done.err
    assert (place / "index.html").is_file()
    listed = json.loads(command_line("view", "--json", *options).out)
    assert [run["status"] for run in listed["runs"]] == ["damaged", "complete", "trained", "complete"]


def test_the_command_serves_until_it_is_interrupted(place: Path) -> None:
    options = ("--runs", str(place / "runs"), "--baselines", str(place / "baselines"))
    command = [sys.executable, "-m", "liftbench", "view", "--serve", *options]
    # A shell's background jobs ignore SIGINT, and so would what they start.
    heard = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heard
    ) as process:
        assert process.stdout is not None
        try:
            address = process.stdout.readline().strip()
            with urllib.request.urlopen(address) as answer:
                assert first_run(place).id in answer.read().decode()
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, "ended" in said, "Traceback" in said) == (0, True, False)
    assert not (place / "index.html").exists()
