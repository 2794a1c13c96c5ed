"""A gate in words, the same in the terminal, on the page, for CI and in a failing test."""

from __future__ import annotations

from collections.abc import Sequence

from ...gating.context import RuleResult
from ...gating.gate import GateReport
from ...judging.guards import not_passed
from ...runs.differences import Difference
from ...text.phrases import join_words, metric_label
from ..outcomes import SYMBOLS

MACHINE = ("python", "processor", "threads", "GPU", "driver", "decoding device")


def describe_baselines(report: GateReport) -> str:
    """The names of the promoted baselines; `proven` means no more than the rules ask."""
    waived = f" (with {join_words(report.waived)} waived)" if report.waived else ""
    proven = f", proven {report.proven}{waived}" if report.proven else ""
    return f"baseline {report.baseline}{proven}"


def list_details(result: RuleResult) -> list[str]:
    """Details of a rule that did not pass: the conversations that lost most, and how to fix it."""
    lines = []
    if result.losses:
        shown = [f"{loss.id} {loss.before:.3f} to {loss.after:.3f}" for loss in result.losses]
        metric, system = metric_label(result.metric), compared_system(result)
        lines.append(f"Largest losses on {metric} compared with {system}: {join_words(shown)}.")
    return [*lines, f"How to fix it: {result.fix}"] if result.fix else lines


def compared_system(result: RuleResult) -> str:
    """The system that a rule's losses are compared with."""
    return result.over if result.over not in ("", "references") else "baseline"


def describe_machine_changes(report: GateReport) -> str:
    """How the machine and the packages differ from the baseline's, in one line."""
    shown = [f"{one.key} {one.candidate} (baseline: {one.baseline})" for one in find_machine_changes(report)]
    return f"Not measured in the environment of the baseline: {'; '.join(shown)}" if shown else ""


def describe_guards(report: GateReport, names: Sequence[str] | None = None) -> list[str]:
    """The guards that did not pass, what they found and how to fix it, a line each; only those in `names`, if given."""
    lines = []
    for guard in not_passed(report.guards):
        if names is None or guard.name in names:
            excluded = ", waived" if guard.name in report.waived else ""
            fix = f" How to fix it: {guard.fix}" if guard.fix else ""
            lines.append(f"{guard.title}, {guard.state}{excluded}: {guard.words}{fix}")
    return lines


def explain_failure(report: GateReport) -> str:
    """Explain in plain text why a gate did not pass: each broken rule, what it found, and how to fix it."""
    lines = [f"{report.sentence} {report.system} ({', '.join(report.runs)}) against {describe_baselines(report)}"]
    for result in report.results:
        if result.state != "passed":
            lines += [
                "",
                f"{SYMBOLS[result.state]} {result.rule}",
                *(f"  {line}" for line in [result.found, *list_details(result)]),
            ]
    if guards := describe_guards(report):
        lines += ["", "Guards that did not pass", *(f"  {line}" for line in guards)]
    return "\n".join([*lines, *(["", *remarks] if (remarks := list_remarks(report)) else [])])


def list_remarks(report: GateReport) -> list[str]:
    """Other remarks for the reader, a line each."""
    machine = describe_machine_changes(report)
    return [*report.notes, *([machine] if machine else [])]


def find_machine_changes(report: GateReport) -> list[Difference]:
    """How the machine and the packages differ from the baseline's."""
    return [one for one in report.differences if one.key in MACHINE or one.key.startswith("package ")]


def sort_results(results: Sequence[RuleResult]) -> list[RuleResult]:
    """The results in their order, but those that did not pass first."""
    return sorted(results, key=lambda result: result.state == "passed")
