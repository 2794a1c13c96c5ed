"""A gate for the machines that read it: JUnit XML, and a summary in Markdown for a step of a GitHub workflow."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from ...files import write_text, writing
from ...gating.gate import GateReport
from ..checks import SYMBOLS
from .sentences import against_words, guard_words, in_gravity, outcome, remark_lines, told


def write_junit(report: GateReport, path: Path) -> None:
    """One test case a rule: `failure` where it is broken, `error` where it cannot be judged."""
    states = [result.state for result in report.results]
    counts = {"tests": len(states), "failures": states.count("failed"), "errors": states.count("not run")}
    suites = ElementTree.Element("testsuites", {name: str(count) for name, count in counts.items()})
    suite = ElementTree.SubElement(
        suites, "testsuite", {"name": f"gate {report.baseline}", **{name: str(count) for name, count in counts.items()}}
    )
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in (("runs", " ".join(report.runs)), ("baseline", report.baseline), ("proven", report.proven)):
        ElementTree.SubElement(properties, "property", name=name, value=value)
    for result in report.results:
        case = ElementTree.SubElement(suite, "testcase", classname=f"gate.{report.baseline}", name=result.rule)
        words = "\n".join([result.found, *told(result), *guard_words(report, result.guards)])
        if result.state == "passed":
            ElementTree.SubElement(case, "system-out").text = _xml(words)
        else:
            kind = "failure" if result.state == "failed" else "error"
            ElementTree.SubElement(case, kind, message=_xml(result.found), type=result.state).text = _xml(words)
    ElementTree.indent(suites)
    write_text(path, ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n")


def append_summary(report: GateReport, path: Path, page: Path) -> None:
    """Append the outcome and a table of the rules."""
    rows = [
        f"| {SYMBOLS[result.state]} {result.state} | `{_code(result.rule)}` | "
        f"{_cell(' '.join([result.found, *told(result)]))} |"
        for result in in_gravity(report.results)
    ]
    lines = [
        f"### liftbench gate: {outcome(report)}",
        "",
        f"{_cell(report.system)} against {against_words(report)} on {report.protocol.n} conversations of "
        f"{_cell(report.protocol.dataset)} {_cell(report.protocol.split)}; the page with the conversations is "
        f"`{_code(page.name)}`.",
        "",
        "| outcome | rule | found |",
        "|---|---|---|",
        *rows,
        "",
        *(f"- {_cell(line)}" for line in (*guard_words(report), *remark_lines(report))),
        "",
    ]
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as out:
            out.write("\n".join(lines) + "\n")


def _cell(text: str) -> str:
    """Text that stays text in a cell of a Markdown table."""
    flat = " ".join(text.split())
    for character in "\\|<`":
        flat = flat.replace(character, {"<": "&lt;", "`": "'"}.get(character, f"\\{character}"))
    return flat


def _code(text: str) -> str:
    """Text between backticks in a cell: entities would stand as they are written."""
    return text.replace("`", "'").replace("|", "\\|")


def _xml(text: str) -> str:
    """Without the characters that XML cannot hold."""
    return "".join(character for character in text if character >= " " or character in "\t\n\r")
