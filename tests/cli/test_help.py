"""The help: what a command alone prints, commands by the job, examples that the commands take, and completion."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from liftbench.cli.examples import EXAMPLES
from liftbench.cli.lazy import LazyGroup
from liftbench.cli.main import COMMANDS, SECTIONS, cli

from ..support.build import write_run


def commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    """Every command with its path, groups included."""
    found: list[tuple[tuple[str, ...], click.Command]] = []
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        found.append(((*path, name), command))
        if isinstance(command, click.Group):
            found += commands(command, (*path, name))
    return found


@pytest.mark.parametrize("words", [[], ["data"], ["judge"], ["--debug"]])
def test_a_group_alone_prints_its_help(words: list[str], command_line: Any) -> None:
    done = command_line(*words)
    assert (done.code, done.err) == (0, "")
    assert "Usage: bench" in done.out
    assert done.out.rstrip().endswith(command_line(*words, "--help").out.rstrip())


def test_every_command_stands_once_under_its_job(command_line: Any) -> None:
    named = [name for names in SECTIONS.values() for name in names]
    assert len(named) == len(set(named))
    assert set(COMMANDS) <= set(named)
    lines = command_line("--help").out.splitlines()
    headings = [line.removesuffix(":") for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert headings == ["Options", *SECTIONS]
    assert all(sum(line.startswith(f"  {name} ") for line in lines) == 1 for name in COMMANDS)


@pytest.mark.parametrize(("path", "command"), [pytest.param(*one, id="-".join(one[0])) for one in commands(cli)])
def test_every_command_shows_examples_that_it_takes(path: tuple[str, ...], command: click.Command) -> None:
    text = command.get_help(click.Context(command, info_name=" ".join(path)))
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith(("bench ", 'eval "$(bench'))]
    assert lines
    for line in lines:
        require_understood(line.removeprefix('eval "$(').removesuffix(')"'), path)


def require_understood(line: str, path: tuple[str, ...]) -> None:
    """Parse an example as its command would; raise click's error, or the suite's, if it would not take it."""
    words = shlex.split(line.partition("  ")[0].partition(" > ")[0].partition(" < ")[0])[1:]
    group: click.Command = cli
    context = click.Context(cli)
    while isinstance(group, click.Group):
        assert isinstance(group, LazyGroup)
        words = group.full_arguments(words)
        name, found, words = group.resolve_command(context, words)
        assert found is not None
        group, context = found, click.Context(found, parent=context, info_name=name)
    _, rest, _ = group.make_parser(context).parse_args([*words])
    assert not rest, f"{' '.join(path)}: {line}: {rest}"


def test_no_example_is_of_a_command_that_there_is_not() -> None:
    modules = {"_".join(path).replace("-", "_") for path, _ in commands(cli)}
    later = {"show", "view"}  # commands that are named before they are there
    assert {name.replace("-", "_") for name in EXAMPLES} - modules <= later


# ----------------------------------------------------------------------------------------------------------- completion


def complete(*words: str, folder: Path) -> list[str]:
    """What a shell would offer for the last of the words."""
    environment = {
        **os.environ,
        "COMP_WORDS": shlex.join(["bench", *words]),
        "COMP_CWORD": str(len(words)),
        "_BENCH_COMPLETE": "bash_complete",
    }
    command = [sys.executable, "-m", "liftbench"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


def test_commands_recipes_runs_plugins_and_keys_are_completed(tmp_path: Path) -> None:
    run = write_run(tmp_path / "reports" / "runs")
    (tmp_path / "mine.toml").touch()
    assert complete("tra", folder=tmp_path) == ["train"]
    assert complete("plugins", "sh", folder=tmp_path) == ["show"]
    assert complete("baseline", "m", folder=tmp_path) == ["mine.toml"]
    assert complete("baseline", "llama-3", folder=tmp_path) == ["llama-3.1-8b", "llama-3.2-1b"]
    assert complete("compare", run.id[:8], folder=tmp_path) == [run.id]
    assert complete("train", "--plugin", "ql", folder=tmp_path) == ["qlora"]
    assert complete("baseline", "--set", "generation.max_n", folder=tmp_path) == ["generation.max_new_tokens="]
    assert complete("nosuch", "x", folder=tmp_path) == []


def test_a_run_whose_name_a_shell_would_run_is_not_offered(tmp_path: Path) -> None:
    for name in ("$(touch pwned)", "two words", "a\nb", "plain"):
        write_run(tmp_path / "reports" / "runs").folder.rename(tmp_path / "reports" / "runs" / name)
    assert complete("compare", "", folder=tmp_path) == ["plain"]


def test_completing_a_command_imports_no_command() -> None:
    code = (
        "import sys, click\nfrom liftbench.cli.main import cli\n"
        "found = cli.shell_complete(click.Context(cli), '')\n"
        "print(len(found), [name for name in sys.modules if name.startswith('liftbench.') and 'cli' not in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split(" ", 1) == [str(len(COMMANDS)), "['liftbench.errors']\n"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_is_printed(shell: str, command_line: Any) -> None:
    done = command_line("completion", shell)
    assert (done.code, done.err) == (0, "")
    assert f"_BENCH_COMPLETE={shell}_complete" in done.out


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_bash_completes_with_the_script(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "bench"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m liftbench "$@"\n')
    program.chmod(0o755)
    code = 'eval "$(bench completion bash)"; COMP_WORDS=(bench val); COMP_CWORD=1; _bench_completion bench'
    done = subprocess.run(
        ["bash", "-c", f"{code}; echo ${{COMPREPLY[@]}}; complete -p bench"],
        env={**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == ["validate-metrics", "complete -o nosort -F _bench_completion bench"], (
        done.stderr
    )


# --------------------------------------------------------------------------------------------------------------- config


def test_config_says_where_things_are_and_hides_secrets(command_line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIFTBENCH_RUNS", "elsewhere")
    monkeypatch.setenv("LIFTBENCH_CACHE", "/models")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    done = command_line("config", "--json")
    found = json.loads(done.out)
    assert found["places"]["runs"] == {"path": str(Path("elsewhere").absolute()), "exists": False}
    assert found["places"]["models"]["path"] == "/models/models"
    assert found["recipes"]["default"] == "smollm2-135m"
    assert found["versions"]["liftbench"]
    values = {one["name"]: one["value"] for one in found["environment"]}
    assert (values["LIFTBENCH_RUNS"], values["HF_TOKEN"]) == ("elsewhere", "set, not shown")
    assert "hf_secret" not in done.out + command_line("config").out
