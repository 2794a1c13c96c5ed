"""The page of a gate: all that it needs is in it, hostile texts stay texts, and the trend tells versions apart."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from msgspec.structs import replace
from rich.console import Console

from liftbench.gating.baselines import Promoted
from liftbench.gating.gate import Against, gate
from liftbench.gating.promote import promote
from liftbench.recipe.rules import parse
from liftbench.report.gate.junit import write_junit
from liftbench.report.gate.page import render_gate
from liftbench.report.gate.step_summary import append_summary
from liftbench.report.gate.terminal import gate_table
from liftbench.runs.directory import Run

from ...support.inert import read_lists
from ...support.scripted import World, doctored, honest, untuned


def rendered(world: World, run: Run | None, rule: str, against: Against | None = None) -> str:
    runs = [run or world.good]
    held = against or world.against
    return render_gate(gate(runs, [parse(rule)], held), runs, held)


@pytest.fixture(scope="module")
def broken(world: World) -> str:
    texts = {id_: untuned()[id_] if at % 2 else text for at, (id_, text) in enumerate(honest().items())}
    return rendered(world, world.write(texts), "drop(rougeL) <= 2% significant")


def test_the_page_loads_nothing_and_is_the_same_again(world: World) -> None:
    page = rendered(world, None, "rougeL >= 0.33")
    assert page == rendered(world, None, "rougeL >= 0.33")
    assert not re.search(r"""(?:src|href)=["'](?!#)""", page)
    assert "default-src 'none'" in page


def test_a_broken_rule_shows_the_conversations_that_got_worse(broken: str) -> None:
    assert "<strong>Failed</strong>" in broken
    assert "1 of 2 rules did not pass." in broken
    assert "What got worse" in broken
    [data] = read_lists(broken)
    assert len(data["rows"]) == 3
    linked = set(re.findall(f'href="#({data["prefix"]}[0-9]+)"', broken))
    assert {f"{data['prefix']}{row['place'] + 1}" for row in data["rows"]} == linked
    for row in data["rows"]:
        promoted, gated = row["texts"]
        assert promoted["text"] is None
        assert gated["text"].startswith("Here is a summary of the conversation")


def test_every_version_stands_in_the_trend_with_its_reason(world: World, tmp_path: Path) -> None:
    promote(world.baseline, "plain", tmp_path)
    promoted: Promoted = promote(
        doctored(world.baseline, "again"), "plain", tmp_path, why="a <newer> transformers"
    ).promoted
    page = rendered(world, None, "rougeL >= 0.33", Against(baseline=promoted))
    assert "a &lt;newer&gt; transformers" in page
    assert page.count('aria-label="ROUGE-L of plain: version 1') == 2  # Drawn wide and narrow.
    assert "this run 0.511" in page
    # What was measured otherwise is no trend.
    older = replace(promoted.versions[0], protocol="0" * 64)
    page = rendered(
        world, None, "rougeL >= 0.33", Against(baseline=replace(promoted, versions=[older, promoted.versions[1]]))
    )
    assert "of plain: version 2" in page


def test_waivers_are_named_alike_wherever_the_gate_is_shown(world: World, tmp_path: Path) -> None:
    run = world.write(
        {id_: f"{text} The order number is 4821{7000 + at}." for at, (id_, text) in enumerate(honest().items())}
    )
    report = gate([run], [parse("lift(rougeL) >= 1% verified except facts, endings")], world.against)
    reason = (
        "all 2 rules hold, but the run does not pass the waived guard facts (invented details), so its lift is not "
        "proven; the rules also waive endings."
    )
    assert (report.state, report.sentence) == ("passed with waivers", f"Passed with waivers: {reason}")
    assert report.results[1].waived == ["facts"]
    words = next(guard.words for guard in report.guards if guard.name == "facts")
    found = f"invented details (facts), failed, waived: {words}"

    page = render_gate(report, [run], world.against)
    assert '<article class="answer passed-with-waivers">' in page
    assert "<strong>Passed with waivers</strong>" in page
    assert f"A{reason[1:]}" in page
    waived = page[page.index("Waived guards") :]
    assert (
        waived.index("<strong>invented details (facts)</strong>")
        < waived.index("<strong>summaries complete (endings)</strong>")
        < waived.index("passed</h3>")
    )
    # The waived guard leads to its conversations, and the run to its record.
    [data] = read_lists(page)
    assert {row["id"] for row in data["rows"]} == {
        id_ for guard in report.guards if guard.state != "passed" for id_ in guard.ids
    }
    assert 'href="#evidence">See conversations' in waived[: waived.index("<strong>summaries complete")]
    assert f'href="#run-{run.id}"' in page
    assert f'id="run-{run.id}"' in page

    console = Console(width=400, force_terminal=False, color_system=None)
    with console.capture() as capture:
        console.print(gate_table(report))
    lines = [line.strip() for line in capture.get().splitlines()]
    assert lines[0] == f"! {report.sentence}"
    assert any(line.startswith("! lift(rougeL) >= 1% verified except facts, endings") for line in lines)
    assert any(found in line for line in lines)
    write_junit(report, tmp_path / "gate.xml")
    suite = ElementTree.parse(tmp_path / "gate.xml").getroot()[0]
    properties = {one.attrib["name"]: one.attrib["value"] for one in suite.iter("property")}
    assert properties["state"] == "passed with waivers"
    assert (properties["outcome"], properties["waived"]) == (report.sentence, "endings, facts")
    assert suite.findtext("system-out") == report.sentence
    assert found in suite.findall("testcase")[1].findtext("system-out", "")
    append_summary(report, tmp_path / "step.md", tmp_path / "gate.html")
    summary = (tmp_path / "step.md").read_text(encoding="utf-8")
    assert summary.startswith(f"### ! liftbench gate: {report.sentence}\n")
    assert "| ! passed with waivers | `lift(rougeL) >= 1% verified except facts, endings` |" in summary


def test_names_from_files_stay_text(world: World, tmp_path: Path) -> None:
    name = "<script>alert(1)</script>|`x`\x07"
    hostile = replace(world.good.manifest.system, name=name)
    run = doctored(world.good, "hostile", system=hostile)
    page = rendered(world, run, "rougeL >= 0.9")
    assert "<script>alert" not in page
    report = gate([run], [parse("rougeL >= 0.9")], world.against)
    write_junit(report, tmp_path / "gate.xml")
    append_summary(report, tmp_path / "step.md", tmp_path / "gate.html")
    text = (tmp_path / "step.md").read_text(encoding="utf-8")
    assert "<script" not in text
    assert all(line.replace("\\|", "").count("|") == 4 for line in text.splitlines() if line.startswith("|"))
