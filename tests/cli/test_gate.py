"""`bench promote` and `bench gate`: from runs to an exit code, a page, JUnit XML and a step summary."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from liftbench.gating.baselines import read_promoted

from ..support.scripted import World, doctored, untuned

Bench = Callable[..., Any]

RULE = "lift(rougeL) >= 40% verified"


@pytest.fixture
def bench(project_line: Bench) -> Bench:
    return project_line


def gate(bench: Bench, *arguments: str) -> Any:
    return bench("gate", "--baseline", "untuned", *arguments)


def test_every_rule_passed_is_exit_code_0(bench: Bench) -> None:
    done = gate(bench, "--rule", RULE, "--rule", "rougeL >= 0.33")
    assert (done.code, done.err.startswith("report: reports/gate-")) == (0, True)
    assert "Passed: all 3 rules hold." in done.out
    page = Path(done.err.split()[1]).read_text(encoding="utf-8")
    assert "rougeL &gt;= 0.33" in page


def test_a_broken_rule_is_exit_code_1_and_is_explained(bench: Bench, world: World) -> None:
    run = world.write(untuned())
    done = gate(bench, "--run", str(run.folder), "--rule", RULE, "--rule", "cut <= 2%")
    assert done.code == 1
    assert "Failed: 1 of 3 rules did not pass." in done.out
    assert "writes nothing of its own (effect), failed" in " ".join(done.out.split())
    assert "How to fix it: " in done.out
    assert done.out.index(RULE) < done.out.index("cut <= 2%")


def test_json_is_the_report(bench: Bench, world: World) -> None:
    done = gate(bench, "--proven", "adapter", "--rule", "drop(rougeL) <= 2%", "--json")
    report = json.loads(done.out)
    assert (done.code, report["passed"], report["runs"]) == (0, True, [world.good.id])
    assert (report["state"], report["sentence"]) == ("passed", "Passed: all 2 rules hold.")
    assert [result["state"] for result in report["results"]] == ["passed", "passed"]
    assert report["results"][1]["value"] == 0
    assert sorted(report["trend"]) == ["adapter", "untuned"]


def test_rules_come_from_a_recipe(bench: Bench, tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text('[gates]\nbaseline = "untuned"\nproven = "adapter"\nrules = ["drop(rougeL) <= 2% significant"]\n')
    assert bench("gate", "mine.toml").code == 0
    recipe.write_text('[gates]\nbaseline = "untuned"\nrules = ["drop(rougeL) =< 2%"]\n')
    done = bench("gate", "mine.toml")
    assert (done.code, "recipe mine.toml, gates.rules, 1: rule, column 14: expected <=" in done.err) == (2, True)
    recipe.write_text("[gates]\nbaseline = 'untuned'\n")
    done = bench("gate", "mine.toml")
    assert (done.code, "there is no rule" in done.err) == (2, True)


def test_the_recipes_proven_adapter_goes_with_its_baseline_and_its_rules_with_the_recipe(
    bench: Bench, tmp_path: Path
) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text('[gates]\nbaseline = "untuned"\nproven = "adapter"\nrules = ["drop(rougeL) <= 2%"]\n')
    assert json.loads(bench("gate", "mine.toml", "--baseline", "untuned", "--json").out)["proven"] == "adapter"
    shutil.copy(tmp_path / "baselines" / "untuned.json", tmp_path / "baselines" / "other.json")
    text = (tmp_path / "baselines" / "other.json").read_text("utf-8").replace('"name": "untuned"', '"name": "other"')
    (tmp_path / "baselines" / "other.json").write_text(text, encoding="utf-8")
    done = bench("gate", "mine.toml", "--baseline", "other")
    assert (done.code, "No proven adapter is named." in done.out) == (1, True)
    # Without a recipe, the default one's rules are nobody's.
    done = bench("gate", "--baseline", "untuned")
    assert (done.code, "there is no rule" in done.err) == (2, True)


def test_what_a_recipe_says_beside_its_gates_is_not_taken_for_what_was_measured(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        '[guards]\nfaults = 0.5\nslices = ["turns", "length", "references"]\n'
        "[generation]\nmax_new_tokens = 10\nmin_words = 9\n[metrics]\nextra = []\n"
        '[gates]\nbaseline = "untuned"\nrules = ["rougeL >= 0.1"]\n'
    )
    # The baseline is from before there were decoding rules.
    path = tmp_path / "baselines" / "untuned.json"
    text = path.read_text("utf-8")
    # And from before there were extra metrics and slices, whose defaults are tuples, and lists in a file.
    slices = r'\s*"slices": \[\s*"turns",\s*"length",\s*"references"\s*\],?'
    for younger in (r'\s*"min_words": 0,?', r'\s*"extra": \[\],?', slices):
        found = re.search(younger, text)
        assert found, "the baseline has the recipe's keys"
        text = text.replace(found[0], "")
    path.write_text(re.sub(r",(\s*})", r"\1", text), encoding="utf-8")
    assert sorted(json.loads(bench("gate", "mine.toml", "--json").out)["notes"]) == [
        "The recipe says generation.max_new_tokens = 10, but the baseline was measured with 80, which is used.",
        "The recipe says generation.min_words = 9, but the baseline was measured with 0, which is used.",
        "The recipe says guards.faults = 0.5, but the baseline was measured with 0.02, which is used.",
    ]


def test_newer_runs_that_are_passed_over_are_named(bench: Bench, world: World, tmp_path: Path) -> None:
    later: dict[str, Any] = {"created": "2099-01-01T00:00:00Z"}
    other = doctored(world.good, "later", protocol={"max_new_tokens": 7}, **later)
    unscored = doctored(world.good, "unscored", status="trained", **later)
    for run in (other, unscored):
        shutil.copytree(run.folder, tmp_path / "reports" / "runs" / run.id)
    done = gate(bench, "--rule", "rougeL >= 0.33", "--json")
    assert json.loads(done.out)["notes"] == [
        "Newer run unscored was not gated: it is not finished.",
        "Newer run later was not gated: it differs from the baseline in max_new_tokens.",
    ]
    assert "Newer run later" in gate(bench, "--rule", "rougeL >= 0.33").out


def test_junit_has_a_case_a_rule(bench: Bench, tmp_path: Path) -> None:
    rules = (RULE, "rougeL >= 0.9", "rougeX >= 0.1", "cut <= 2%")
    assert gate(bench, *(part for rule in rules for part in ("--rule", rule)), "--junit", "out/gate.xml").code == 1
    root = ElementTree.parse(tmp_path / "out" / "gate.xml").getroot()
    assert root.attrib == {"tests": "5", "failures": "1", "errors": "1"}
    found = {case.attrib["name"]: [child.tag for child in case] for case in root.iter("testcase")}
    assert found == {
        "measured alike": ["system-out"],
        RULE: ["system-out"],
        "rougeL >= 0.9": ["failure"],
        "rougeX >= 0.1": ["error"],
        "cut <= 2%": ["system-out"],
    }
    (failure,) = root.iter("failure")
    assert failure.attrib["message"].startswith("ROUGE-L 0.51")
    assert "How to fix it: " in (failure.text or "")


def test_a_step_summary_is_appended(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    summary = tmp_path / "step.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    assert gate(bench, "--rule", "rougeL >= 0.9").code == 1
    text = summary.read_text(encoding="utf-8")
    assert text.startswith("before\n### ✗ liftbench gate: Failed: 1 of 2 rules did not pass.\n")
    assert "| ✗ failed | `rougeL >= 0.9` | ROUGE-L 0.51" in text


def test_a_rule_is_explained_with_and_without_a_run(bench: Bench) -> None:
    done = gate(bench, "--explain", RULE)
    assert done.code == 0
    assert "at least 40% higher than that of baseline" in done.out
    assert "So it passes." in done.out
    done = gate(bench, "--runs", "elsewhere", "--explain", "cut <= 2%")
    assert (done.code, done.out) == (0, "The run's cut must be at most 2%, as measured.\n")
    assert "without the figures of a run: there is no measured run to gate" in done.err
    done = bench("gate", "--baselines", "elsewhere", "--explain", "drop(rougeL) <= 2%")
    assert (done.code, "at most 2% worse than that of proven" in done.out) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--baseline", "untunde"], 3, "Did you mean 'untuned'"),
        (["--baseline", "untuned", "--proven", "gone"], 3, "`bench promote RUN gone`"),
        (["--baseline", "untuned", "--run", "nowhere"], 2, "unknown run 'nowhere'"),
        (["--baseline", "untuned", "--rule", "rougeL >= "], 2, "expected a number"),
        (["--baseline", "untuned", "--runs", "elsewhere"], 3, "there is no measured run to gate"),
    ],
)
def test_what_is_missing_says_how_to_fix_it(bench: Bench, arguments: list[str], code: int, words: str) -> None:
    rule = [] if "--rule" in arguments else ["--rule", RULE]
    done = bench("gate", *rule, *arguments)
    assert (done.code, words in done.err) == (code, True), done.err
    assert "Traceback" not in done.err


def test_promote_measures_the_controls_and_keeps_the_best_prompt(bench: Bench, world: World, tmp_path: Path) -> None:
    done = bench("promote", world.baseline.id, "mine")
    assert done.code == 0, done.err
    assert "baselines/mine.json: version 1" in done.out
    assert "104 conversations, with controls and human summaries" in done.out
    shutil.copytree(world.prompted.folder, tmp_path / "reports" / "runs" / "prompted")
    done = bench("promote", world.baseline.id, "mine")
    words = "promoting would change the best prompt and the scores of conversations\nSay why: --why"
    assert (done.code, words in done.err) == (2, True)
    done = bench("promote", world.baseline.id, "mine", "--why", "the best prompt is known now", "--json")
    told = json.loads(done.out)
    assert (told["change"], [one["why"] for one in told["versions"]][1:]) == (
        "changed",
        ["the best prompt is known now"],
    )
    promoted = read_promoted("mine", tmp_path / "baselines")
    assert promoted.best_prompted is not None
    assert promoted.best_prompted.manifest.id == "prompted"
    assert len(promoted.floors) >= 7
    assert "unchanged, version 2" in bench("promote", world.baseline.id, "mine").out


def test_promote_keeps_texts_only_when_asked(bench: Bench, world: World, tmp_path: Path) -> None:
    assert bench("promote", world.good.id, "quiet").code == 0
    assert bench("promote", world.good.id, "loud", "--texts").code == 0
    text = next(iter(world.good.predictions.values())).text
    quiet, loud = ((tmp_path / "baselines" / f"{name}.json").read_text("utf-8") for name in ("quiet", "loud"))
    assert (text in quiet, text in loud) == (False, True)
