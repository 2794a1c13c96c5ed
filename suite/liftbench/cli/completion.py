"""`bench completion`: the script by which a shell completes commands, options, recipes, runs and plugins."""

from __future__ import annotations

import click
from click.shell_completion import ShellComplete, get_completion_class

from .output import echo

SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print the completion script of SHELL.

    \b
    bash  bench completion bash > ~/.local/share/bash-completion/completions/bench
    zsh   bench completion zsh > ~/.zfunc/_bench, with ~/.zfunc in fpath before compinit
    fish  bench completion fish > ~/.config/fish/completions/bench.fish

    Commands, options, recipes, runs, plugins and files are completed. `eval "$(bench completion bash)"` is enough to
    try it.
    """
    kind = get_completion_class(shell)
    assert kind is not None
    made = kind(click.Command("bench"), {}, "bench", "_BENCH_COMPLETE")
    # Bash's own `source` would start bash to see its version.
    echo(ShellComplete.source(made).rstrip())
