"""`bench gate`: rules that a run must hold against promoted baselines."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from msgspec import to_builtins

from ..errors import LiftbenchError
from ..gating.baselines import Promoted
from ..gating.explain import meaning
from ..gating.gate import explained
from ..recipe.resolve import ResolvedRecipe, flatten
from ..recipe.rules import parse
from ..recipe.sections import GatesSection
from .acts import say
from .gating import against_promoted, gated, run_to_gate, write_page
from .job import baselines_option, json_option, print_json, resolve_recipe, runs_option


def unlike_recipe(resolved: ResolvedRecipe, baseline: Promoted) -> list[str]:
    """What a recipe itself says otherwise than the one that the baseline was measured with, which counts."""
    said = dict(flatten(to_builtins(resolved.recipe)))
    then = dict(flatten(baseline.measured.manifest.recipe))
    sections = ("model.", "data.", "generation.", "metrics.", "guards.")
    return [
        f"The recipe says {key} = {said[key]!r}, and the baseline was measured with {then[key]!r}, which counts."
        for key, origin in resolved.origins.items()
        if key.startswith(sections)
        and origin.startswith("recipe ")
        and key not in ("data.data_dir", "data.dataset", "model.reference")
        and key in then
        and said[key] != then[key]
    ]


@click.command("gate")
@click.argument("recipe", required=False)
@click.option("--run", "run_name", metavar="RUN", help="The run to gate (default: the newest comparable one).")
@click.option("--baseline", metavar="NAME", help="The promoted baseline (default: the recipe's gates.baseline).")
@click.option("--proven", metavar="NAME", help="The promoted adapter it must not fall behind (gates.proven).")
@click.option("--rule", "rules", multiple=True, metavar="RULE", help="A rule, instead of the recipe's; repeatable.")
@click.option("--explain", metavar="RULE", help="Say in a sentence what a rule means, with today's figures.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Also write JUnit XML.")
@click.option(
    "--summary",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="GITHUB_STEP_SUMMARY",
    show_envvar=True,
    help="Append a summary in Markdown to this file.",
)
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Where to write the HTML report.")
@baselines_option
@json_option
@runs_option
def command(
    recipe: str | None,
    run_name: str | None,
    baseline: str | None,
    proven: str | None,
    rules: tuple[str, ...],
    explain: str | None,
    junit: Path | None,
    summary: Path | None,
    html: Path | None,
    baselines: Path,
    as_json: bool,
    runs: Path,
) -> None:
    """Hold a run to RECIPE's rules (section [gates]) against promoted baselines.

    Nothing is trained or generated, and no data set is read. Exits with 0 only if every rule passed; a rule that cannot
    be judged (a metric that vanished, a score that is no number, another protocol) has not passed.
    """
    # What is named on the command line stands by itself, unless a recipe is named, too.
    resolved = None if baseline and not recipe else resolve_recipe(recipe, {}, [], [])
    section = resolved.recipe.gates if resolved else GatesSection()
    told = baseline or section.baseline
    held = proven or (section.proven if told == section.baseline else "")
    if explain is not None:
        rule = parse(explain)
        try:
            against = against_promoted(told, held, [rule], baselines)
            run, notes = run_to_gate(run_name, against, runs)
            click.echo(explained(rule, gated([rule], against, run, notes).report))
        except LiftbenchError as error:
            click.echo(meaning(rule))
            say(f"without today's figures: {error}")
        return
    parsed = [parse(text) for text in rules or section.rules]
    against = against_promoted(told, held, parsed, baselines)
    run, notes = run_to_gate(run_name, against, runs)
    found = gated(parsed, against, run, [*notes, *(unlike_recipe(resolved, against.baseline) if resolved else [])])
    page = write_page(found, runs, html)
    if junit or summary:
        from ..report.ci import append_summary, write_junit

        if junit:
            write_junit(found.report, junit)
        if summary:
            append_summary(found.report, summary, page)
    if as_json:
        print_json(found.report)
    else:
        from rich.console import Console

        from ..report.gate_terminal import gate_table

        Console().print(gate_table(found.report))
    say(f"report: {page}")
    sys.exit(0 if found.report.passed else 1)
