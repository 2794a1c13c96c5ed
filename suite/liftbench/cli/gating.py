"""What `bench gate` and the pytest plugin do alike: find the run and what it is gated against, judge it, and write the
page.

Apart from `acts`, because it loads charts and templates.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import PrerequisiteError, UsageError
from ..files import digest, write_text
from ..gating.baselines import promoted_in, read_promoted
from ..gating.context import RESERVED, over
from ..gating.gate import Against, GateReport, gate
from ..recipe.rules import Rule
from ..runs.directory import Run, find_run, runs_in
from ..runs.seed_groups import other_seeds, seed_of, unscored_seeds
from ..runs.selection import newest_like
from ..text.phrases import listed


class Gated(NamedTuple):
    """A gate's outcome, with the runs that were gated and what they were gated against."""

    report: GateReport
    runs: list[Run]
    against: Against


def gated(rules: Sequence[Rule], against: Against, run: Run, notes: Sequence[str] = ()) -> Gated:
    """Hold a run to rules, together with the other seeds of its training that lie beside it."""
    there = runs_in(run.folder.parent)
    runs = sorted([run, *other_seeds(run, there)], key=seed_of)
    left_out = listed([f"seed {seed_of(one)} ({one.id})" for one in unscored_seeds(run, there)])
    return Gated(gate(runs, rules, against, unjudged=left_out, notes=notes), runs, against)


def run_to_gate(name: str | None, against: Against, runs: Path) -> tuple[Run, list[str]]:
    """The run that is named, or the newest that was measured as the baseline was, and what to say of newer ones."""
    if name:
        return find_run(name, runs), []
    run, passed_over = newest_like(against.baseline.measured.manifest.protocol, runs_in(runs))
    return run, [f"{words[0].upper()}{words[1:]}." for words in passed_over]


def against_promoted(baseline: str, proven: str, rules: Sequence[Rule], folder: Path) -> Against:
    """The promoted baselines by name, those included that rules name.

    Raises `PrerequisiteError` where the baseline or the proven adapter is not there; what only a rule names fails that
    rule alone.
    """
    if not baseline:
        names = promoted_in(folder)
        raise UsageError(
            "there is no baseline to gate against: name one (--baseline, [gates] baseline, or the marker's)"
            + (f" ({folder} holds {listed(names)})" if names else "")
        )
    others = {}
    missing = {}
    for name in sorted({over(rule) for rule in rules} - {"", baseline, proven, *RESERVED}):
        try:
            others[name] = read_promoted(name, folder)
        except PrerequisiteError as error:
            words, _, mend = str(error).partition("\n")
            missing[name] = f"{words[0].upper()}{words[1:]}", mend
    return Against(
        baseline=read_promoted(baseline, folder),
        proven=read_promoted(proven, folder) if proven else None,
        others=others,
        missing=missing,
    )


def write_page(found: Gated, runs: Path, html: Path | None = None) -> Path:
    """The HTML report of a gate: to `html`, else beside the folder `runs`, under a name of its own."""
    from ..report.gate_page import render_gate

    report = found.report
    key = digest(report.baseline, report.proven, report.runs, [result.rule for result in report.results])
    page = html or runs.parent / f"gate-{key[:8]}.html"
    write_text(page, render_gate(report, found.runs, found.against))
    return page
