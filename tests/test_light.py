"""The light installation: what works with no more than the core's requirements, and what the other commands answer.

Only what the requirements in `[project] dependencies` bring, directly or not, can be imported in these processes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from liftbench.data.helpdesk import Helpdesk
from liftbench.extension.loader import load_plugins
from liftbench.files import write_lines

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

HIDE = """
import contextlib, io, json, sys
from importlib.machinery import PathFinder

class Light(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in hidden else super().find_spec(name, path, target)

hidden, commands = json.load(sys.stdin)
sys.meta_path[sys.meta_path.index(PathFinder)] = Light
"""
"""Reads from standard input which packages cannot be imported, and what the code after it is to run."""

RUN_ALL = """
from liftbench.cli.main import main

for arguments in commands:
    sys.argv = ["bench", *arguments]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
    print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)
"""

MISSING = {
    "baseline helpdesk": ("gguf, torch, transformers", "models"),
    "score smollm2-135m helpdesk": ("gguf, torch, transformers", "models"),
    "score hub:org/model helpdesk": ("hub:org/model needs huggingface_hub", "models"),
    "baseline helpdesk --launcher ray": ("the launcher 'ray' needs ray, which is not installed", "ray"),
    "baseline helpdesk --launcher submitit": ("the launcher 'submitit' needs submitit", "slurm"),
    "summarize chat.txt": ("gguf, torch, transformers", "models"),
    "train --plugin qlora helpdesk": ("the trainer 'qlora' needs torch, transformers, peft, trl, bits", "train"),
    "sweep helpdesk": ("a sweep needs optuna, tomlkit, which are not installed", "train"),
    "demo": ("the trainer 'qlora' needs", "train"),
    "data import chats.parquet --to chats": ("the Parquet file chats.parquet needs pyarrow", "data"),
    "data check data --redact": ("the search for personal data needs phonenumbers, stdnum", "data"),
    "score --predictions texts.jsonl --dataset datasets": ("the dataset 'datasets' needs datasets", "data"),
    "score --predictions texts.jsonl --dataset tweetsumm": ("dialogstudio needs huggingface_hub", "data"),
    "score --predictions texts.jsonl --dataset data --metric bertscore": ("needs torch, bert_score", "metrics"),
    "score --predictions texts.jsonl --dataset data --metric embedding": ("needs torch, transformers", "metrics"),
    "score --predictions texts.jsonl --dataset data --metric evaluate:x": ("needs evaluate", "metrics"),
}
"""Command → what its message holds, and the extra that it names."""

WORKING = {
    "--help": 0,
    "recipes": 0,
    "plugins": 0,
    "selfcheck": 0,
    "doctor": 0,
    "config": 0,
    "completion bash": 0,
    "init data": 0,
    "check data.toml": 2,
    "data check data --json": 0,
    "score --predictions weak.jsonl --dataset data": 0,
    "score --predictions texts.jsonl --dataset data": 0,
    "runs": 0,
    "controls --dataset data": 0,
    "validate-metrics --dataset data": 0,
    "compare weak texts": 1,
    "report weak texts": 0,
    "judge export texts --baseline weak": 0,
    "judge --model m --base-url http://127.0.0.1:9/v1 --baseline weak texts": 3,
    "promote weak base": 0,
    "gate smollm2-135m --run texts --baseline base --rule rougeL>=0.6": 0,
    "gate smollm2-135m --run texts --baseline base --rule rougeL>=0.99": 1,
}
"""Command → its exit code; each builds upon those before."""

Outcomes = dict[str, tuple[int, str, str]]


def core(*more: str) -> set[str]:
    """The distributions that the core's requirements bring, and `more` requirements beside them."""
    found: set[str] = set()
    left = [Requirement(line) for line in (*PROJECT["dependencies"], *more)]
    while left:
        requirement = left.pop()
        name = canonicalize_name(requirement.name)
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        left += map(Requirement, metadata.requires(name) or [])
    return found


def run_light(folder: Path, commands: list[str]) -> Outcomes:
    """Each command's exit code, output and errors, where nothing but the core is installed."""
    done = run_code(folder, RUN_ALL, [command.split() for command in commands])
    assert done.returncode == 0, done.stderr
    return dict(zip(commands, map(json.loads, done.stdout.splitlines()), strict=True))


def run_code(folder: Path, code: str, commands: object = None, *more: str) -> subprocess.CompletedProcess[str]:
    """Run code, which finds `commands` under that name, where nothing but the core and `more` is installed."""
    light = core(*more) | {"liftbench"}
    hidden = [
        name
        for name, distributions in metadata.packages_distributions().items()
        if light.isdisjoint(map(canonicalize_name, distributions))
    ]
    assert {"torch", "transformers", "datasets", "pyarrow", "scipy", "faker", "phonenumbers"} <= {*hidden}
    return subprocess.run(
        [sys.executable, "-c", HIDE + code],
        input=json.dumps([hidden, commands]),
        cwd=folder,
        env={
            "PATH": "",
            "COLUMNS": "200",
            "HF_HUB_OFFLINE": "1",
            "LIFTBENCH_CACHE": str(folder / "cache"),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONPATH": ":".join(sys.path),
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a data set and texts for it."""
    folder = tmp_path_factory.mktemp("light")
    helpdesk = Helpdesk(None)
    scored = helpdesk.read("test")[:24]
    write_lines(folder / "data" / "validation.jsonl", scored)
    write_lines(folder / "data" / "train.jsonl", helpdesk.read("train")[:24])
    write_lines(folder / "texts.jsonl", [{"id": one.id, "text": one.references[0]} for one in scored])
    write_lines(folder / "weak.jsonl", [{"id": one.id, "text": one.turns[0].text} for one in scored])
    (folder / "chats.parquet").write_bytes(b"PAR1")
    (folder / "chat.txt").write_text("customer: Where is my parcel?\nagent: It arrives today.\n")
    return folder


@pytest.fixture(scope="module")
def missing(folder: Path) -> Outcomes:
    """What the commands of `MISSING` left behind."""
    return run_light(folder, [*MISSING])


@pytest.fixture(scope="module")
def working(folder: Path) -> Outcomes:
    """What the commands of `WORKING` left behind."""
    return run_light(folder, [*WORKING])


@pytest.mark.parametrize("command", MISSING)
def test_a_command_that_needs_an_extra_names_it(missing: Outcomes, command: str) -> None:
    code, _, err = missing[command]
    words, extra = MISSING[command]
    error = err[err.index("error: ") :].splitlines()
    assert (code, len(error)) == (3, 2), err
    assert words in error[0]
    assert error[1] == f"Run: pip install 'liftbench[{extra}]'"


@pytest.mark.parametrize("command", WORKING)
def test_a_light_command_works(working: Outcomes, command: str) -> None:
    code, out, err = working[command]
    assert code == WORKING[command], out + err


def test_a_light_check_of_data_says_that_personal_data_is_not_searched_for(working: Outcomes) -> None:
    _, out, err = working["data check data --json"]
    report = json.loads(out)
    assert not report["personal_data"]
    assert [split["conversations"] for split in report["splits"]] == [24, 24]
    assert not any(finding["kind"].startswith("personal data") for finding in report["findings"])
    assert "personal data is not searched for: " in err
    assert "Run: pip install 'liftbench[data]'" in err


def test_judging_by_a_model_names_the_extra(working: Outcomes) -> None:
    [(code, _, err)] = [outcome for command, outcome in working.items() if command.startswith("judge --model")]
    assert code == 3
    assert "judging by a language model needs openai, which is not installed" in err
    assert err.rstrip().endswith("Run: pip install 'liftbench[judge]'")


def test_the_agreement_of_several_judges_names_the_extra(folder: Path) -> None:
    code = """
from liftbench.errors import PrerequisiteError
from liftbench.preferences.agreement import nominal_alpha

print(nominal_alpha([[1, 0]]).missing)
try:
    nominal_alpha([[1, 0], [0, 0]])
except PrerequisiteError as error:
    print(error.fix)
"""
    assert run_code(folder, code).stdout.splitlines() == ["one judge", "Run: pip install 'liftbench[judge]'"]


def test_functions_of_the_python_api_name_the_extra(folder: Path) -> None:
    code = """
import liftbench

for call in (liftbench.baseline, liftbench.train):
    try:
        call("helpdesk")
    except liftbench.PrerequisiteError as error:
        print(error.fix)
"""
    done = run_code(folder, code)
    assert done.stdout.splitlines() == [f"Run: pip install 'liftbench[{extra}]'" for extra in ("models", "train")]


@pytest.mark.usefixtures("working")
def test_the_pytest_plugin_gates_and_names_the_extra_for_what_it_would_score(folder: Path) -> None:
    (folder / "test_lift.py").write_text("""
import pytest

@pytest.mark.lift(baseline="base", target=None, rules=["rougeL >= 0.6"], run="texts")
def test_good_enough(lift):
    assert lift.report.passed

@pytest.mark.lift(baseline="base", target=None, rules=["rougeL >= 0.99"], run="texts")
def test_too_much(lift): ...

@pytest.mark.lift(baseline="base", system="smollm2-135m", recipe="helpdesk")
def test_a_system_without_a_run(lift): ...
""")
    options = ["-p", "liftbench.pytest_plugin", "-p", "no:cacheprovider", "--lift-score", "--tb", "short", "-q", "."]
    done = run_code(folder, "import pytest; sys.exit(pytest.main(commands))", options, "pytest")
    assert "1 failed, 1 passed, 1 error" in done.stdout, done.stdout + done.stderr
    assert "FAILED test_lift.py::test_too_much" in done.stdout
    assert "gguf, torch, transformers, which are not installed\nRun: pip install 'liftbench[models]'" in done.stdout


def test_the_light_installation_takes_at_most_250_megabytes() -> None:
    """By what pip recorded of each distribution; the suite itself takes 7 MB more."""
    sizes = {}
    for name in core():
        files = [Path(str(file.locate())) for file in metadata.files(name) or []]
        sizes[name] = sum(file.stat().st_size for file in files if file.is_file())
    assert len(sizes) > 20
    assert sum(sizes.values()) <= 243_000_000, sorted(sizes.items(), key=lambda item: -item[1])[:10]


def test_every_requirement_of_a_plugin_is_in_the_extra_that_it_names() -> None:
    extras = PROJECT["optional-dependencies"]
    distributions = metadata.packages_distributions()
    for spec in load_plugins().specs:
        if spec.install is None:
            assert not spec.requires, spec.name
            continue
        names = _listed(extras, Requirement(spec.install).extras)
        for package in spec.requires:
            # A package that is not installed here is called like its distribution.
            assert names & set(map(canonicalize_name, distributions.get(package, [package]))), f"{spec.name}: {package}"


def test_the_extra_all_has_all_others_but_dev_ray_and_vllm() -> None:
    extras = PROJECT["optional-dependencies"]
    assert _listed(extras, {"all"}) == _listed(extras, extras.keys() - {"all", "dev", "ray", "vllm"})


def _listed(extras: dict[str, list[str]], wanted: Iterable[str]) -> set[str]:
    """The distributions that some extras list, themselves or through other extras."""
    found = set()
    for line in [line for extra in wanted for line in extras[extra]]:
        requirement = Requirement(line)
        if requirement.name == PROJECT["name"]:
            found |= _listed(extras, requirement.extras)
        else:
            found.add(canonicalize_name(requirement.name))
    return found
