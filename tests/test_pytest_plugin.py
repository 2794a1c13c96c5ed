"""The pytest plugin in projects of its own: what passes, fails, errs and is updated, alone and under xdist."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import liftbench.report.pages
import liftbench.workflow.gate
import liftbench.workflow.measure  # noqa: F401 - loaded here, once: a project in this process forgets what it loads
from liftbench.gating.baselines import read_promoted
from liftbench.runs.directory import runs_in

from .support.build import reseal
from .support.scripted import World, doctored, honest, untuned

Run = Callable[..., pytest.RunResult]

EXAMPLE = """
    import pytest

    @pytest.mark.lift(baseline="untuned", target="40%")
    def test_adapter_still_wins(lift): ...
"""


@pytest.fixture
def project(pytester: pytest.Pytester, world: World) -> Run:
    """Runs pytest in a project that has the promoted baselines and, as its runs, a good adapter's alone."""
    shutil.copytree(world.folder, pytester.path / "baselines")
    shutil.copytree(world.good.folder, pytester.path / "reports" / "runs" / world.good.id)

    def run(source: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(source)
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", "--strict-markers", *options)

    return run


def test_the_example_passes_on_a_good_adapter(project: Run) -> None:
    project(EXAMPLE).assert_outcomes(passed=1)


def test_the_example_fails_on_the_baseline_passed_off_as_an_adapter(project: Run, world: World) -> None:
    run = world.write(untuned())
    done = project(EXAMPLE, "--lift-run", str(run.folder))
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(
        [
            "*Failed: 2 of 3 rules did not pass.*",
            "*lift(rougeL) >= 40% verified",
            "*+0.0%*at least +40% is required, verified. Not verified: the guards effect (writes nothing of its own)*",
            "*How to fix it: *",
            "*writes nothing of its own (effect), failed: 104 of 104 texts are those of the baseline*",
            "report: *gate-*.html",
        ]
    )
    done.stdout.no_fnmatch_line("*Traceback*")
    page = next(line for line in done.stdout.lines if line.startswith("report: ")).removeprefix("report: ")
    assert "passed off" not in Path(page).read_text(encoding="utf-8")
    assert "character by character" in Path(page).read_text(encoding="utf-8")


def test_a_failure_names_the_conversations_that_got_worse(project: Run, world: World) -> None:
    texts = {id_: untuned()[id_] if at % 2 else text for at, (id_, text) in enumerate(honest().items())}
    run = world.write(texts)
    source = EXAMPLE.replace('target="40%"', 'proven="adapter", rules=["drop(rougeL) <= 2% significant"]')
    done = project(source, "--lift-run", str(run.folder))
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(
        ["*drop(rougeL) <= 2% significant", "*that of proven*", "*Largest losses on ROUGE-L compared with proven: *"]
    )


def test_without_the_baseline_it_is_an_error_that_says_how_to_make_one(project: Run) -> None:
    done = project(EXAMPLE.replace("untuned", "untuend"))
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(
        ["*there is no promoted baseline 'untuend' in /*baselines", "*Did you mean 'untuned'*`bench promote RUN*"]
    )
    done.stdout.no_fnmatch_line("*Traceback*")


def test_without_a_run_it_is_an_error(project: Run, pytester: pytest.Pytester) -> None:
    shutil.rmtree(pytester.path / "reports")
    done = project(EXAMPLE)
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*there is no measured run to gate", "*`bench train --plugin NAME`*"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("baseline='untuned', target='much'", "*rule, column *the bound of a lift is in percent*"),
        ("baseline='untuned', goal='40%'", "*unexpected keyword argument 'goal'*"),
        ("baseline='untuned', excepting='controls'", "*excepting must be a list of strings*"),
        ("baseline='untuned', rules=['rougeL => 1']", "*expected >= or <=*"),
        ("baseline='untuned', target='-400%'", "*the target must be above 0*"),
        ("baseline='untuned', target=None", "*there is no rule*"),
        ("baseline='untuned', target=None, excepting=['luck'], rules=['cut <= 1%']", "*there is no target*"),
        ("baseline='untuned', run=3", "*run must be a name, not 3*"),
        ("baseline='untuned', target=40", "*a target of 40 is 4000%; write '40%', or 0.4*"),
        ("target='40%'", "*there is no baseline to gate against*"),
        ("baseline='untuned', run='nowhere'", "*unknown run 'nowhere'*"),
        ("baseline='untuned', proven='gone'", "*no promoted baseline 'gone'*"),
    ],
)
def test_a_marker_that_is_not_right_is_an_error(project: Run, arguments: str, words: str) -> None:
    done = project(f"import pytest\n@pytest.mark.lift({arguments})\ndef test_it(lift): ...")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines([words])


def test_the_fixture_needs_the_marker(project: Run) -> None:
    done = project("def test_it(lift): ...")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*needs a marker: @pytest.mark.lift*"])


def test_the_body_sees_the_report_and_runs_only_after_the_gate(project: Run, world: World) -> None:
    source = """
        import pytest

        @pytest.mark.lift(baseline="untuned", target=0.4)
        def test_it(lift):
            assert lift.report.passed
            assert [result.metric for result in lift.report.results[1:]] == ["rougeL", "content-overlap"]
            assert lift.report.results[1].low >= 0.4
            raise KeyError("the body ran")
    """
    project(source).stdout.fnmatch_lines(["*KeyError: 'the body ran'*"])
    done = project(source, "--lift-run", str(world.write(untuned()).folder))
    done.assert_outcomes(failed=1)
    done.stdout.no_fnmatch_line("*KeyError*")


def test_a_marked_test_without_the_fixture_is_gated_too(project: Run, world: World) -> None:
    source = EXAMPLE.replace("(lift)", "()")
    project(source).assert_outcomes(passed=1)
    project(source, "--lift-run", str(world.write(untuned()).folder)).assert_outcomes(failed=1)


def test_guards_are_excepted_by_name_alone(project: Run, world: World) -> None:
    run = doctored(world.good, "no-rows")
    (run.folder / "training" / "rows.jsonl").unlink()
    reseal(run)
    project(EXAMPLE, "--lift-run", str(run.folder)).assert_outcomes(failed=1)
    source = EXAMPLE.replace('"40%"', '"40%", excepting=["leakage"]')
    project(source, "--lift-run", str(run.folder)).assert_outcomes(passed=1)


def test_a_guard_that_there_is_not_cannot_be_excepted(project: Run) -> None:
    done = project(EXAMPLE.replace('"40%"', '"40%", excepting=["luck"]'))
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*unknown guard 'luck'*"])


def test_rules_come_beside_the_target_and_not_in_its_place(project: Run, world: World) -> None:
    source = EXAMPLE.replace('target="40%"', 'rules=["rougeL >= 0.01"]')
    project(source, "--lift-run", str(world.write(untuned()).folder)).assert_outcomes(failed=1)
    project(source.replace("rules=", "target=None, rules=")).assert_outcomes(passed=1)


def test_every_marker_of_a_test_is_judged(project: Run) -> None:
    stacked = EXAMPLE.replace("    @pytest", '    @pytest.mark.lift(baseline="untuned", target="900%")\n    @pytest')
    project(stacked).assert_outcomes(failed=1)


def test_a_fixture_of_the_projects_own_switches_nothing_off(project: Run, pytester: pytest.Pytester) -> None:
    pytester.makeconftest("import pytest\n@pytest.fixture\ndef lift(): return 1")
    project(EXAMPLE.replace("40%", "900%")).assert_outcomes(failed=1)


def test_a_method_of_unittest_is_gated_too(project: Run) -> None:
    source = """
        import unittest

        import pytest

        class TestAdapter(unittest.TestCase):
            @pytest.mark.lift(baseline="untuned", target="TARGET")
            def test_it(self): ...
    """
    project(source.replace("TARGET", "900%")).assert_outcomes(failed=1)
    project(source.replace("TARGET", "40%")).assert_outcomes(passed=1)


def test_what_a_recipe_says_is_taken_from_it(project: Run, pytester: pytest.Pytester) -> None:
    (pytester.path / "mine.toml").write_text(
        '[gates]\nbaseline = "untuned"\nproven = "adapter"\nrules = ["drop(rougeL) <= 2%", "rougeL >= 0.9"]\n'
    )
    done = project("import pytest\n@pytest.mark.lift(recipe='mine.toml')\ndef test_it(): ...")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*1 of 3 rules did not pass*", "*rougeL >= 0.9"])
    done = project("import pytest\n@pytest.mark.lift(recipe='mine.toml', target='40%')\ndef test_it(): ...")
    done.stdout.fnmatch_lines(["*1 of 5 rules did not pass*", "*rougeL >= 0.9"])


def test_under_xdist_workers_come_to_the_same(project: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_more="""
        import pytest

        @pytest.mark.lift(baseline="untuned", target="900%")
        @pytest.mark.parametrize("number", range(4))
        def test_too_much(number): ...
    """
    )
    done = project(EXAMPLE, "-n", "2")
    done.assert_outcomes(passed=1, failed=4)
    found = {line for line in done.stdout.lines if "95% interval" in line}
    assert len(found) == 2  # One line a headline, whichever worker wrote it.


# ------------------------------------------------------------------------------------------------------------- updating

ONLY_A_DROP = 'baseline="untuned", target=None, proven="best", rules=["drop(rougeL) <= 0%", "rougeL >= best"]'


def test_update_needs_no_other_rule(project: Run) -> None:
    source = EXAMPLE.replace('baseline="untuned", target="40%"', ONLY_A_DROP)
    project(source, "--lift-update", "the first one").assert_outcomes(passed=1)
    project(source).assert_outcomes(passed=1)


UPDATED = EXAMPLE.replace('target="40%"', 'target="40%", proven="best", rules=["drop(rougeL) <= 0%"]')


def test_update_promotes_the_run_with_its_reason(project: Run, pytester: pytest.Pytester, world: World) -> None:
    project(UPDATED).assert_outcomes(errors=1)
    done = project(UPDATED, "--lift-update", "the first one")
    done.assert_outcomes(passed=1)
    done.stdout.fnmatch_lines(["lift: *best.json: new, version 1"])
    promoted = read_promoted("best", pytester.path / "baselines")
    assert [(one.run, one.why) for one in promoted.versions] == [(world.good.id, "the first one")]
    bytes_ = (pytester.path / "baselines" / "best.json").read_bytes()
    project(UPDATED).assert_outcomes(passed=1)
    project(UPDATED, "--lift-update", "again").assert_outcomes(passed=1)
    assert (pytester.path / "baselines" / "best.json").read_bytes() == bytes_


def test_update_promotes_nothing_that_breaks_another_rule(
    project: Run, pytester: pytest.Pytester, world: World
) -> None:
    done = project(UPDATED, "--lift-update", "why not", "--lift-run", str(world.write(untuned()).folder))
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*not promoted, because other rules did not pass*"])
    assert not (pytester.path / "baselines" / "best.json").exists()


@pytest.mark.parametrize("reason", ["", "baselines"])
def test_update_needs_a_reason_and_takes_no_path_for_one(project: Run, reason: str) -> None:
    done = project(UPDATED, "--lift-update", reason)
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*is not a reason*"])


def test_update_needs_a_name_to_promote_to(project: Run) -> None:
    done = project(EXAMPLE, "--lift-update", "why")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*the marker has no `proven`*"])


# -------------------------------------------------------------------------------------------------------------- scoring


def test_a_run_is_made_only_on_request_and_its_cost_is_told(
    pytester: pytest.Pytester, tiny_chat_model: Path, world: World
) -> None:
    shutil.copytree(world.folder, pytester.path / "baselines")
    pytester.makefile(
        ".toml",
        mine=f"""
        [model]
        reference = "{tiny_chat_model}"
        precision = "float32"
        [data]
        dataset = "{world.bench.folder}"
        split = "test"
        limit = 8
        [generation]
        max_new_tokens = 4
    """,
    )
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.lift(baseline="untuned", recipe="mine.toml", system="{tiny_chat_model}", rules=["rougeL >= 0.9"])
        def test_it(): ...
    """
    )
    done = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*there is no run of *", "*`pytest --lift-score` scores it (104 conversations*"])
    done = pytester.runpytest_inprocess("-p", "no:cacheprovider", "--lift-score")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["lift: systems without a run are scored (--lift-score)"])
    done.stdout.fnmatch_lines(["*lift: scoring * (104 conversations, 30 s for the baseline)*", "*n: 8 instead of 104*"])
    (run,) = runs_in(pytester.path / "reports" / "runs")
    assert run.manifest.command == "score"
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(failed=1)


# --------------------------------------------------------------------------------------------------------------- silent


def test_a_project_that_does_not_use_it_loads_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text(
        "import sys\n\ndef test_it():\n"
        "    loaded = [name for name in sys.modules if name.startswith('liftbench')]\n"
        "    assert loaded == ['liftbench', 'liftbench.pytest_plugin']\n"
        "    assert not {'torch', 'numpy', 'msgspec', 'rich'} & set(sys.modules)\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:hypothesispytest", "-p", "no:anyio", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "lift" not in done.stdout
