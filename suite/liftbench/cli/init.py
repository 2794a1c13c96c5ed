"""`bench init`: a recipe for one's own conversations."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from ..data.folders import count_lines
from ..data.jsonl import each_in_lines
from ..errors import UsageError
from ..files import write_text, writing
from ..recipe.sections import DEFAULT_RECIPE
from ..workflow.new_recipe import compose, survey
from . import complete
from .next_steps import STEP, after_init
from .output import echo
from .show import say

FEW = 600
"""With fewer conversations, a tenth is too little to score: three tenths are, and no test split is kept."""


@click.command("init")
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="The recipe to write.  [default: NAME.toml]"
)
@click.option(
    "--model",
    default=DEFAULT_RECIPE,
    show_default=True,
    help="Alias, folder, GGUF file or hub:org/name.",
    shell_complete=complete.models,
)
@click.pass_context
def command(ctx: click.Context, source: Path, out: Path | None, model: str) -> None:
    """Write a recipe, with comments, for the conversations in SOURCE.

    SOURCE is a folder with train.jsonl and validation.jsonl (or test.jsonl). A folder that is not split yet is split,
    and a file (CSV, JSON Lines, …) is imported first, as `bench data` does. The recipe proposes slices by metadata
    fields with few values, budgets by the lengths, and gates. An existing file is never replaced.
    """
    name = (source.resolve().name if source.is_dir() else source.stem).removesuffix("-split")
    out = out or Path(f"{name}.toml")
    if out.exists():
        raise UsageError(f"{out} is there already", "Name another file with --out, or remove it.")
    if not source.exists():
        raise UsageError(f"there is no folder and no file {source}", "Name your conversations: a folder, or an export.")
    ctx.meta[STEP] = True
    folder = _split(ctx, source if source.is_dir() else _import(ctx, source))
    text = compose(survey(folder), model)
    with writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        write_text(out, text)
    echo(out)
    after_init(out)


def _import(ctx: click.Context, file: Path) -> Path:
    """Import an export into a folder of its name, here."""
    from .data_import import command as import_

    folder = Path(file.stem)
    _require_new(folder)
    say(f"importing {file} to {folder}")
    ctx.invoke(import_, files=(file,), to=folder)
    return folder


def _split(ctx: click.Context, folder: Path) -> Path:
    """The folder, or the one with its splits where it was imported only."""
    from ..data.jsonl import IMPORTED
    from .data_split import command as split

    if [path.stem for path in folder.glob("*.jsonl")] != [IMPORTED]:
        return folder
    if not _has_references(folder):
        raise UsageError(
            f"no conversation in {folder} has a human summary, so nothing can be scored",
            "Name their column: bench data import FILE --to "
            f"{shlex.quote(str(folder))} --reference COLUMN --force; then: bench init {shlex.quote(str(folder))}",
        )
    target = folder.with_name(f"{folder.resolve().name}-split")
    _require_new(target)
    say(f"splitting {folder} to {target}")
    few = count_lines(folder.glob("*.jsonl")) < FEW
    shares = {"train": 0.7, "validation": 0.3, "test": 0.0} if few else {}
    ctx.invoke(split, folder=folder, target=target, **shares)
    return target


def _has_references(folder: Path) -> bool:
    for path in folder.glob("*.jsonl"):
        with path.open("rb") as lines:
            if any(one.references for one in each_in_lines(lines, str(path))):
                return True
    return False


def _require_new(folder: Path) -> None:
    if folder.exists():
        raise UsageError(f"{folder} is there already", f"Run: bench init {shlex.quote(str(folder))}")
