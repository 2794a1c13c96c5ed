"""`bench gate`: checks a run against rules and promoted baselines."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from ..errors import LiftbenchError
from ..gating.explain import describe_rule
from ..gating.gate import explain_rule
from ..workflow.gate import plan_gate, run_gate
from . import complete
from .next_steps import after_gate
from .options import baselines_option, json_option, recipe_argument, runs_option
from .output import console, echo
from .progress import progress_bar
from .show import print_json, say


@click.command("gate")
@recipe_argument
@click.option(
    "--run",
    "run_name",
    metavar="RUN",
    help="The run to gate (default: the newest comparable one).",
    shell_complete=complete.runs,
)
@click.option("--baseline", metavar="NAME", help="The promoted baseline (default: the recipe's gates.baseline).")
@click.option(
    "--proven",
    metavar="NAME",
    help="The promoted adapter that the run must not fall behind (default: the recipe's gates.proven).",
)
@click.option("--rule", "rules", multiple=True, metavar="RULE", help="A rule, instead of the recipe's; repeatable.")
@click.option("--explain", metavar="RULE", help="Explain a rule in a sentence, with the figures of the run.")
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
) -> int:
    """Check a run against RECIPE's rules (section [gates]) and promoted baselines.

    Nothing is trained or generated, and no data set is read. The exit code is 0 only if every rule passed. A rule that
    cannot be judged (a missing metric, a score that is not a number, another protocol) has not passed.
    """
    plan = plan_gate(recipe, [explain] if explain is not None else rules, baseline, proven)
    if explain is not None:
        [rule] = plan.rules
        try:
            echo(explain_rule(rule, run_gate(plan, run_name, runs, baselines).report))
        except LiftbenchError as error:
            echo(describe_rule(rule))
            say(f"without the figures of a run: {error.line}")
        return 0
    with progress_bar("") as progress:
        progress(0, 0, "checking the rules")
        found = run_gate(plan, run_name, runs, baselines)
    # Imported late: it loads charts and templates, which `--explain` does not need.
    from ..report.pages import write_gate_page

    page = write_gate_page(found.report, found.runs, found.against, runs, html)
    if junit or summary:
        from ..report.gate.junit import write_junit
        from ..report.gate.step_summary import append_summary

        if junit:
            write_junit(found.report, junit)
        if summary:
            append_summary(found.report, summary, page)
    if as_json:
        report = found.report
        print_json(msgspec.structs.asdict(report) | {"state": report.state, "sentence": report.sentence})
    else:
        from ..report.gate.terminal import gate_table

        console().print(gate_table(found.report))
    say(f"report: {page}")
    if not as_json:
        after_gate(found.runs[0], runs, passed=found.report.passed)
    return 0 if found.report.passed else 1
