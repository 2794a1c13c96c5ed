"""`bench data check`: what a data set is like, what is wrong with it, and a copy without personal data."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click
from msgspec.structs import replace
from rich.text import Text

from ..curation.findings import DataFinding
from ..curation.inspection import Inspection, Search, TokenCounter, inspect
from ..curation.split_report import Spread
from ..data.cards import CardEntry, card_entry, read_card, write_card
from ..data.folders import jsonl_files, new_folder, require_free, sibling
from ..errors import PrerequisiteError, UsageError
from ..extension.loader import Plugins, load_plugins
from ..measuring.plan import load_metrics
from ..measuring.systems import prompt_for, recipe_shots
from ..models.references import context_length, resolve
from ..privacy.identifiers import require_verifiers
from ..privacy.personal import NOT_SOUGHT, find
from ..privacy.redaction import private_file, table_path, write_redacted
from ..prompts.render import render
from ..recipe.resolve import ResolvedRecipe
from ..recipe.sections import MetricsSection
from ..report.terminal.tables import Table
from ..statistics.lift import FEWEST
from ..text.phrases import pluralize
from ..workflow.setup import resolve_recipe
from .data_split import boilerplate_note
from .next_steps import after_check
from .options import json_option
from .output import console
from .progress import progress_bar
from .show import print_json, say

MANY_REFERENCES = 4
MOST_SHOWN = 5
"""Number of scripts and languages that are named."""


@click.command("check")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--model", help="The model whose tokens are counted (default: the recipe's). [env: LIFTBENCH_MODEL]")
@click.option("--no-tokens", is_flag=True, help="Do not count tokens; no model is required then.")
@click.option("--recipe", help="Name of a recipe, or a TOML file, whose prompt, budgets and metrics are used.")
@click.option("--redact", is_flag=True, help="Also write a copy in which personal data is replaced.")
@click.option(
    "--to", "target", type=click.Path(path_type=Path), help="Where the redacted copy goes.  [default: FOLDER-redacted]"
)
@click.option("--force", is_flag=True, help="Replace an existing data set.")
@json_option
def command(
    folder: Path,
    model: str | None,
    no_tokens: bool,
    recipe: str | None,
    redact: bool,
    target: Path | None,
    force: bool,
    as_json: bool,
) -> int:
    """Report what is in FOLDER and what is wrong with it.

    It reports counts, lengths in the model's tokens, duplicates and near-duplicates, leaks between splits, suspicious
    references, scripts and languages, and personal data. The exit code is 2 if a run on these conversations would stop
    with an error.
    """
    if redact:
        require_verifiers()
    files = jsonl_files(folder)
    if target is not None and not redact:
        raise UsageError("--to says where the redacted copy goes; it needs --redact")
    target = target or sibling(folder, "-redacted")
    if redact:
        _require_free(target, folder, replace=force)
    resolved = resolve_recipe(recipe, {"model": model}, [], [])
    plugins = load_plugins()
    # The metrics only say which references they can see; they learn nothing.
    metrics, _ = load_metrics(MetricsSection(names=resolved.recipe.metrics.names), (), "none", plugins)
    tokens = None if no_tokens else _token_counter(resolved, plugins)
    search = _personal_data_search()
    with progress_bar("conversations") as progress:
        inspection = inspect(folder, files, metrics, tokens, search, progress)
    if redact:
        inspection = replace(inspection, findings=[*map(_note_redaction, inspection.findings)])
    if as_json:
        print_json(inspection)
    else:
        _show(inspection)
    if redact:
        _write_redacted(folder, files, target)
    if not as_json and (redact or not inspection.faulty):
        personal = any(map(_is_personal, inspection.findings))
        splits = [split.name for split in inspection.splits]
        after_check(folder, splits, target if redact else None, personal=personal)
    return UsageError.exit_code if inspection.faulty else 0


def _token_counter(resolved: ResolvedRecipe, plugins: Plugins) -> TokenCounter | None:
    """Count the tokens of prompts as the harness makes them, except that nothing is shortened.

    Returns None, and says why, if the recipe's model is not available; a model that the user named must be available.
    """
    recipe = resolved.recipe
    try:
        backend = plugins.load(plugins.find("backend", recipe.model.backend))
        model = resolve(recipe.model.reference, say)
    except PrerequisiteError as error:
        if resolved.origins["model.reference"].startswith(("command line", "environment")):
            raise
        say(f"tokens are not counted, because {recipe.model.reference} is not available: {error.line}")
        return None
    prompt = prompt_for(recipe, model, recipe_shots(recipe, plugins))
    tokenizer = backend.open_tokenizer(model.path)
    return TokenCounter(
        model=model.name,
        budget=recipe.generation.max_input_tokens,
        context=max(0, context_length(model.path) - recipe.generation.max_new_tokens),
        count=lambda conversation: len(render(prompt, conversation, tokenizer, sys.maxsize).token_ids),
    )


def _note_redaction(finding: DataFinding) -> DataFinding:
    """A finding of a check that redacts: it does not advise what it does itself."""
    return replace(finding, advice="the redacted copy has placeholders instead") if _is_personal(finding) else finding


def _is_personal(finding: DataFinding) -> bool:
    return finding.kind.startswith("personal data")


def _personal_data_search() -> Search | None:
    """The search for personal data; returns None, and says why, without the packages that it needs."""
    try:
        require_verifiers()
    except PrerequisiteError as error:
        say(f"personal data is not searched for: {error.line}")
        return None
    return find


# -------------------------------------------------------------------------------------------------------- redacting


def _require_free(target: Path, folder: Path, *, replace: bool) -> None:
    require_free(target, folder, replace=replace)
    table = table_path(target)
    if table.exists() and not replace:
        raise UsageError(f"{table}, of an earlier redaction, is there; --force replaces it, --to names another folder")


def _write_redacted(folder: Path, files: Sequence[Path], target: Path) -> None:
    table = table_path(target)
    # The folder is replaced first: if that fails, the old table still belongs to the old folder.
    with progress_bar("conversations") as progress, private_file(table) as replaced, new_folder(target) as new:
        counts = write_redacted(files, new, replaced, progress)
        entry = card_entry(
            "Redacted",
            files,
            (
                "replaced by placeholders: "
                + (", ".join(f"{kind} {count}" for kind, count in sorted(counts.items())) or "nothing"),
                f"not looked for: {', '.join(NOT_SOUGHT)}",
                "what was replaced is kept apart from this folder, with the key of the digests that stand for "
                "customers and ids; under another redaction's key, the digests differ",
                "only the hashes of earlier steps are kept; the rest of their lines may name people, and is in the "
                "card of the data that was redacted",
            ),
            within=f"{folder.resolve().name}/",
        )
        write_card(new, target.resolve().name, [*map(_without_names, read_card(folder)), entry])
    say(
        f"redacted copy: {target} ({pluralize(counts.total(), 'replacement')})\n"
        f"what was replaced: {table}, which only you can read; keep it apart, or delete it\n"
        f"not looked for: {', '.join(NOT_SOUGHT)}; read a sample before you publish"
    )


def _without_names(entry: CardEntry) -> CardEntry:
    """The hashes of an earlier step: its options, file names and free text may name customers and agents."""
    known = re.fullmatch(r"(?:Imported|Redacted|Split) on \d{4}-\d{2}-\d{2}", entry.heading)
    hashes = re.findall(r"\bsha256 [0-9a-f]{64}\b", "\n".join(entry.lines))
    return CardEntry(
        entry.heading if known else "An earlier step", tuple(f"from a file with {each}" for each in hashes)
    )


# ---------------------------------------------------------------------------------------------------------- showing


def _show(inspection: Inspection) -> None:
    out = console()
    out.print(_split_table(inspection))
    for line in _facts(inspection):
        out.print(line, highlight=False, markup=False)
    if not inspection.findings:
        out.print("no problems were found")
        return
    for finding, following in zip(inspection.findings, (*inspection.findings[1:], None), strict=True):
        # The advice that several findings share (kinds of personal data) is given once.
        out.print(_finding_text(finding, None if following and following.advice == finding.advice else finding.advice))


def _split_table(inspection: Inspection) -> Table:
    """A column for each split."""
    table = Table(title=inspection.folder, caption="lengths of cleaned texts: median / 95th percentile / longest")
    table.add_column("")
    for split in inspection.splits:
        table.add_column(split.name, justify="right")
    splits = inspection.splits
    table.add_row("conversations", *(f"{split.conversations:,}" for split in splits))
    table.add_row("turns", *(_lengths(split.turns) for split in splits))
    table.add_row("words", *(_lengths(split.words) for split in splits))
    if inspection.model:
        table.add_row("tokens of the prompt", *(_lengths(split.tokens) for split in splits))
    table.add_row("words of a reference", *(_lengths(split.reference_words) for split in splits))
    for number in range(MANY_REFERENCES):
        if any(number in split.references for split in splits):
            name = "1 reference" if number == 1 else f"{number or 'no'} references"
            table.add_row(name, *(f"{split.references.get(number, 0):,}" for split in splits))
    many = [sum(n for number, n in split.references.items() if number >= MANY_REFERENCES) for split in splits]
    if any(many):
        table.add_row(f"{MANY_REFERENCES} references or more", *(f"{count:,}" for count in many))
    for role in ("customer", "agent"):
        table.add_row(f"turns of {role}", *(f"{split.roles.get(role, 0):,}" for split in splits))
    others = [sum(n for role, n in split.roles.items() if role not in ("customer", "agent")) for split in splits]
    if any(others):
        table.add_row("turns of others", *(f"{count:,}" for count in others))
    table.add_row("changed by cleaning", *(f"{split.cleaned:,}" for split in splits))
    return table


def _lengths(spread: Spread | None) -> str:
    return "–" if spread is None else f"{spread.p50} / {spread.p95} / {spread.max}"


def _facts(inspection: Inspection) -> Iterator[str]:
    if inspection.model:
        yield f"tokens are those of {inspection.model}"
    yield f"scripts: {_shares(inspection.scripts)}"
    guessed = sum(inspection.languages.values())
    sampled = f"guessed from {guessed:,} of {inspection.languages_sampled:,} conversations looked at"
    short = "; the others are too short" if guessed < inspection.languages_sampled else ""
    yield f"languages: {_shares(inspection.languages)} ({sampled}{short})"
    if inspection.boilerplate:
        yield boilerplate_note(inspection.boilerplate)
    for split in inspection.splits:
        if split.name != "train" and split.second_references < FEWEST:
            yield (
                f"second references: {split.second_references} of the {split.conversations:,} conversations in "
                f"{split.name} have one; {FEWEST} are enough to say which headline tells people from a template"
            )


def _shares(counts: Mapping[str, int]) -> str:
    shown = list(counts.items())[:MOST_SHOWN]
    total = sum(counts.values())
    rest = total - sum(count for _, count in shown)
    named = [f"{name} {count / total:.1%}" for name, count in shown]
    return ", ".join(named + ([f"others {rest / total:.1%}"] if rest else [])) or "none"


def _finding_text(finding: DataFinding, advice: str | None) -> Text:
    style = "bold red" if finding.severity == "error" else "yellow"
    text = Text.assemble((finding.severity, style), f": {finding.what}: {finding.count:,}")
    if len(finding.splits) > 1:
        text.append(f" ({', '.join(f'{split} {count:,}' for split, count in finding.splits.items())})")
    more = ", …" if finding.count > len(finding.examples) else ""
    text.append(f"\n  {', '.join(finding.examples)}{more}", style="dim")
    return text.append(f"\n  → {advice}") if advice else text
