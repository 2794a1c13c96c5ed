"""A gate as JUnit XML, for CI systems."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from ...files import write_text
from ...gating.gate import GateReport
from .sentences import describe_guards, list_details


def write_junit(report: GateReport, path: Path) -> None:
    """Write one test case for each rule: `failure` where it is broken, `error` where it cannot be judged."""
    states = [result.state for result in report.results]
    counts = {"tests": len(states), "failures": states.count("failed"), "errors": states.count("not run")}
    suites = ElementTree.Element("testsuites", {name: str(count) for name, count in counts.items()})
    suite = ElementTree.SubElement(
        suites, "testsuite", {"name": f"gate {report.baseline}", **{name: str(count) for name, count in counts.items()}}
    )
    properties = ElementTree.SubElement(suite, "properties")
    values = {
        "state": report.state,
        "outcome": report.sentence,
        "waived": ", ".join(report.waived),
        "runs": " ".join(report.runs),
        "baseline": report.baseline,
        "proven": report.proven,
    }
    for name, value in values.items():
        ElementTree.SubElement(properties, "property", name=name, value=value)
    for result in report.results:
        case = ElementTree.SubElement(suite, "testcase", classname=f"gate.{report.baseline}", name=result.rule)
        guards = describe_guards(report, [*result.guards, *result.waived])
        words = "\n".join([result.found, *list_details(result), *guards])
        if result.state == "passed":
            ElementTree.SubElement(case, "system-out").text = _xml(words)
        else:
            kind = "failure" if result.state == "failed" else "error"
            ElementTree.SubElement(case, kind, message=_xml(result.found), type=result.state).text = _xml(words)
    if report.waived:
        ElementTree.SubElement(suite, "system-out").text = _xml(report.sentence)
    ElementTree.indent(suites)
    write_text(path, ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n")


def _xml(text: str) -> str:
    """The text without the characters that XML cannot hold."""
    return "".join(character for character in text if character >= " " or character in "\t\n\r")
