"""Standard output and error in other encodings, narrow terminals, closed pipes, and with plugins that print."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import liftbench.cli
from liftbench.cli.output import REPLACEMENTS
from liftbench.files import write_lines
from liftbench.runs.directory import Run

from ..support.build import write_conversations

SILENT = {"COLUMNS", "NO_COLOR", "FORCE_COLOR", "PYTHONIOENCODING", "PYTHONUTF8", "LC_ALL", "LANG", "TERM"}

SEVERAL = """
import json, sys
from liftbench.cli.main import main
codes = []
for sys.argv in json.loads(sys.argv[1]):
    try:
        main()
    except SystemExit as ended:
        codes.append(ended.code)
with open("codes.json", "w") as out:
    json.dump(codes, out)
"""


COMPARE = ["compare", "weak-support", "mod-le", "--html", "compare.html"]
NAME = "modèle → 客户 “x”"
SCORE = [
    "score",
    "--dataset",
    "support",
    "--split",
    "validation",
    "--set",
    "metrics.names=['rougeL', 'words']",
    "--set",
    "metrics.headlines=['rougeL']",
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two runs of texts, in the usual place."""
    folder = tmp_path_factory.mktemp("project")
    rows = write_conversations(8)
    for split in ("train", "validation"):
        write_lines(folder / "support" / f"{split}.jsonl", rows)
    write_lines(folder / "weak.jsonl", [{"id": one.id, "text": one.turns[0].text} for one in rows])
    write_lines(folder / "good.jsonl", [{"id": one.id, "text": one.references[0]} for one in rows])
    files = [["--predictions", "weak.jsonl"], ["--predictions", "good.jsonl", "--name", NAME]]
    codes, _, err = several(folder, [[*SCORE, *one] for one in files])
    assert codes == [0, 0], err
    return folder


def environment(**changes: str) -> dict[str, str]:
    return {**{key: value for key, value in os.environ.items() if key not in SILENT}, **changes}


def bench(project: Path, *arguments: str, **changes: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "liftbench", *arguments]
    return subprocess.run(command, cwd=project, env=environment(**changes), capture_output=True, check=False)


def several(project: Path, commands: list[list[str]], **changes: str) -> tuple[list[int], bytes, bytes]:
    """Several commands in one process, which starts once: their exit codes, and what they print."""
    line = json.dumps([["bench", *command] for command in commands])
    done = subprocess.run(
        [sys.executable, "-c", SEVERAL, line], cwd=project, env=environment(**changes), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads((project / "codes.json").read_text()), done.stdout, done.stderr


COMMANDS: dict[str, tuple[list[str], int]] = {
    "help": (["--help"], 0),
    "help of score": (["score", "--help"], 0),
    "runs": (["runs"], 0),
    "recipes": (["recipes"], 0),
    "plugins": (["plugins"], 0),
    "compare": ([*COMPARE, "--verbose"], 1),
    "report": (["report", "mod-le", "--html", "report.html"], 0),
    "mistake": (["runs", "--nothing"], 2),
    "explain": (["gate", "--explain", "lift(rougeL) >= 40% verified"], 0),
}


# ----------------------------------------------------------------------------------------------------------- encodings


@pytest.mark.parametrize(
    "changes",
    [
        {"PYTHONIOENCODING": "ascii", "COLUMNS": "40"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "COLUMNS": "20"},
        {"PYTHONIOENCODING": "cp1252"},
    ],
    ids=["ascii", "C", "cp1252"],
)
def test_every_command_prints_where_characters_are_lacking(changes: dict[str, str], project: Path) -> None:
    codes, out, err = several(project, [arguments for arguments, _ in COMMANDS.values()], **changes)
    assert codes == [code for _, code in COMMANDS.values()], err
    assert b"Traceback" not in err
    encoding = changes.get("PYTHONIOENCODING", "ascii")
    text = out.decode(encoding) + err.decode(encoding)  # A byte of another encoding would raise.
    if encoding == "ascii":
        assert 'mod?le -> ?? "x"' in " ".join(text.split())
        assert "x failed, o not run" in " ".join(text.split())
    page = (project / "compare.html").read_text(encoding="utf-8")
    assert "modèle → 客户" in page


def test_an_argument_that_the_locale_cannot_read_is_a_mistake(project: Path) -> None:
    changes = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = bench(project, *SCORE, "--predictions", "good.jsonl", "--name", "příklad", **changes)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode("ascii").splitlines() == [
        "error: the argument p????klad is not in ascii, the encoding of this locale",
        "Set LC_ALL=C.UTF-8 or PYTHONUTF8=1.",
    ]


def test_json_is_whole_in_any_encoding(project: Path) -> None:
    texts = [bench(project, *COMPARE, "--json", PYTHONIOENCODING=encoding) for encoding in ("ascii", "utf-8")]
    assert [done.returncode for done in texts] == [1, 1]
    assert texts[0].stdout.isascii()
    first, second = (json.loads(done.stdout) for done in texts)
    assert first == second
    assert "modèle → 客户" in texts[1].stdout.decode()


def test_every_character_of_the_tables_has_a_stand_in() -> None:
    from liftbench.report.outcomes import SYMBOLS

    assert all(symbol.isascii() or symbol in REPLACEMENTS for symbol in SYMBOLS.values())
    assert all(stand_in.isascii() for stand_in in REPLACEMENTS.values())


def test_commands_print_through_their_own_streams() -> None:
    """Else a result would go to standard error, and a table would lose words in a narrow terminal."""
    for path in Path(liftbench.cli.__file__).parent.glob("*.py"):
        if path.name not in ("output.py", "main.py"):
            assert not re.search(r"click\.echo|\bConsole\(|from rich.table import .*\bTable", path.read_text()), (
                path.name
            )


# -------------------------------------------------------------------------------------------------------- closed pipes


@pytest.mark.parametrize("arguments", [["plugins"], ["plugins", "--json"], ["--help"], COMPARE], ids="-".join)
def test_a_reader_that_is_gone_is_neither_success_nor_unverified(arguments: list[str], project: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as out:
        done = subprocess.run(
            [sys.executable, "-m", "liftbench", *arguments],
            cwd=project,
            env=environment(),
            stdout=out,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 128 + signal.SIGPIPE
    assert b"Error" not in done.stderr
    assert b"Exception ignored" not in done.stderr


def test_a_reader_of_messages_that_is_gone_ends_the_command_too(project: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as err:
        command = [sys.executable, "-m", "liftbench", "nothing"]
        assert subprocess.run(command, cwd=project, env=environment(), stderr=err, check=False).returncode == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_said(project: Path) -> None:
    with Path("/dev/full").open("wb") as out:
        command = [sys.executable, "-m", "liftbench", "recipes"]
        done = subprocess.run(command, cwd=project, env=environment(), stdout=out, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 4
    assert done.stderr.decode().splitlines() == ["error: [Errno 28] No space left on device"]


def test_closed_standard_streams_are_no_failure(project: Path) -> None:
    line = f"{sys.executable} -m liftbench runs --json >&- 2>&-"
    assert subprocess.run(line, shell=True, cwd=project, env=environment(), check=False).returncode == 0


# --------------------------------------------------------------------------------------------------------------- width


def at_terminal(project: Path, *arguments: str, **changes: str) -> str:
    """What a command prints on a terminal."""
    ours, theirs = pty.openpty()
    attributes = termios.tcgetattr(theirs)
    attributes[1] &= ~termios.OPOST
    termios.tcsetattr(theirs, termios.TCSANOW, attributes)
    command = [sys.executable, "-m", "liftbench", *arguments]
    with subprocess.Popen(
        command, cwd=project, env=environment(**changes), stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        printed = b""
        with suppress(OSError):  # the other end is closed
            while block := os.read(ours, 1 << 16):
                printed += block
        os.close(ours)
    assert process.returncode == 0, printed
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", printed.decode())


@pytest.mark.parametrize("columns", ["5", "20", "40"])
def test_nothing_is_lost_in_a_narrow_terminal(columns: str, project: Path) -> None:
    text = "".join(at_terminal(project, name, COLUMNS=columns, TERM="xterm") for name in ("runs", "recipes"))
    joined = "".join(text.split())
    for words in ("ROUGE-L", "madeby", "hub:meta-llama/Llama-3.1-8B-Instruct"):
        assert words in joined
    assert "…" not in text
    if columns != "40":  # There the ids are folded beside the other columns.
        assert all(run.name in joined for run in (project / "reports" / "runs").glob("2*"))
    lines = [line for line in text.splitlines() if not line.startswith("next: ")]  # which is copied as one
    assert max(map(len, lines)) <= max(20, int(columns))


def test_the_report_and_the_next_command_are_whole_however_narrow_the_terminal_is(project: Path) -> None:
    page = project / "a folder with a long name" / "compare.html"
    lines = bench(project, *COMPARE[:-1], str(page), COLUMNS="20").stdout.decode().splitlines()
    assert f"report: {page}" in lines
    wide = bench(project, *COMPARE[:-1], str(page), COLUMNS="200").stdout.decode().splitlines()
    assert lines[-1] == wide[-1]
    assert lines[-1].strip().startswith(("next:", "bench "))
    assert "bench show " in lines[-1]


def test_results_and_messages_in_one_file_are_in_their_order(project: Path) -> None:
    line = [sys.executable, "-m", "liftbench", "runs"]
    done = subprocess.run(line, cwd=project, env=environment(), stdout=-1, stderr=subprocess.STDOUT, check=False)
    printed = done.stdout.decode().splitlines()
    assert printed[0].startswith("run ")
    assert printed[-1].startswith("next: ")


@pytest.mark.parametrize("columns", ["5", "80"])
@pytest.mark.parametrize(
    "arguments", [["runs"], ["recipes"], ["plugins"], ["plugins", "--kind", "metric"]], ids="-".join
)
def test_piped_lists_are_plain_columns_whatever_the_width(arguments: list[str], columns: str, project: Path) -> None:
    lines = bench(project, *arguments, COLUMNS=columns, FORCE_COLOR="1").stdout.decode().splitlines()
    rows = [re.split(r"  +", line.strip()) for line in lines]
    assert len({len(row) for row in rows}) == 1, "every row has every column"
    whole = json.loads(bench(project, *arguments, "--json").stdout)
    names = {
        "runs": lambda: [run["manifest"]["id"] for run in whole],
        "recipes": lambda: list(whole),
        "plugins": lambda: [spec["name"] for spec in whole["specs"]],
    }[arguments[0]]()
    assert len(rows) == len(names) + 1
    cells = [cell.removesuffix(" (default)") for row in rows for cell in row]
    assert set(names) <= set(cells)
    assert not {"…", "│", "\x1b"} & set("".join(lines))


# -------------------------------------------------------------------------------------------------------------- colours


def test_colours_are_as_the_environment_asks(project: Path) -> None:
    forced = {"FORCE_COLOR": "1", "TERM": "xterm-256color"}
    _, out, err = several(project, [COMPARE], **forced)
    assert b"\x1b[1;35m" in out
    assert b"\x1b[2K" not in err  # No bar is drawn into a file.
    _, out, _ = several(project, [COMPARE], **forced, NO_COLOR="1")
    assert b"\x1b[1m" in out
    assert b"35m" not in out
    for changes in ({}, {"TERM": "dumb"}):
        assert b"\x1b" not in several(project, [["runs"], ["recipes"]], **changes)[1]


# ------------------------------------------------------------------------------------------------- plugins that print

PRINTING = """
import atexit
import os
import subprocess
import sys

import datasets
import evaluate

print("imported")
atexit.register(print, "at the end")


class Loud(evaluate.Metric):
    def _info(self):
        features = datasets.Features({"predictions": datasets.Value("string"), "references": datasets.Value("string")})
        return evaluate.MetricInfo(description="", citation="", features=features)

    def _compute(self, predictions, references):
        print("python: computing")
        os.write(1, b"C: computing\\n")
        subprocess.run([sys.executable, "-c", "print('child: computing')"])
        return {"loud": float(len(predictions[0]))}
"""


def test_what_a_metric_prints_does_not_stand_in_the_json(tmp_path: Path, conversations: list[Any]) -> None:
    rows = conversations[:2]
    (tmp_path / "loud.py").write_text(PRINTING)
    for split in ("train", "validation"):
        write_lines(tmp_path / "support" / f"{split}.jsonl", rows)
    write_lines(tmp_path / "texts.jsonl", [{"id": one.id, "text": one.references[0]} for one in rows])
    command = ["score", "--dataset", "support", "--split", "validation", "--predictions", "texts.jsonl", "--json"]
    names = ["--set", "metrics.names=['rougeL', 'evaluate:loud.py']", "--set", "metrics.headlines=['rougeL']"]
    done = bench(tmp_path, *command, *names, HF_MODULES_CACHE=str(tmp_path / "modules"), HF_HOME=str(tmp_path / "hf"))
    assert done.returncode == 0, done.stderr
    run = Run(tmp_path / json.loads(done.stdout)["folder"])
    assert run.summary.metrics[1].name == "evaluate:loud.py"
    for said in (b"imported", b"at the end", b"python: computing", b"C: computing", b"child: computing"):
        assert said in done.stderr
