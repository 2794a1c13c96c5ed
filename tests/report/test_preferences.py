"""What judges prefer, in words: the same in the terminal and on a page, and never more than was judged."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace
from rich.console import Console, RenderableType

from liftbench.preferences.judgments import Vote
from liftbench.preferences.model_judge import model_preference
from liftbench.preferences.result import people_preference
from liftbench.records.preferences import Calibration, ModelAnswer, Preference
from liftbench.report.html.page import get_template
from liftbench.report.html.preferences import list_preferences
from liftbench.report.preferences import describe_pair, describe_weight, list_facts
from liftbench.report.terminal.preferences import preferences_table

from ..support.build import write_conversations
from ..support.sheets import build_sheet

_, KEY = build_sheet(write_conversations(10))
PEOPLE = people_preference(
    KEY,
    [
        Vote(judge="Ann", item=item, value=value, candidate=["yes"], other=["no" if value else "unsure"])
        for item, value in zip(KEY.items, (1, 1, 1, 1, 1, 1, 0.5, 0.5, 0, 0), strict=True)
    ],
)
MODEL = model_preference(
    KEY,
    [
        ModelAnswer(item=item.id, first=side, answer="first", text="1")
        for item in KEY.items
        for side in ("candidate", "other")
    ],
    "judge-7b",
    "localhost:8000",
    [],
)
assert MODEL.model is not None
CALIBRATED = replace(
    MODEL,
    model=replace(
        MODEL.model,
        calibration=Calibration(judges=("Ann", "Bob"), n=10, agreement=0.8, low=0.5, high=1.0, alpha=0.61),
    ),
)


def shown(renderable: RenderableType, width: int = 100) -> str:
    console = Console(width=width, force_terminal=False, color_system=None)
    with console.capture() as capture:
        console.print(renderable)
    return " ".join(capture.get().split())


def facts(preference: Preference) -> dict[str, str]:
    return {fact.name: f"{fact.figure} | {fact.note}" for fact in list_facts(preference)}


def test_the_facts_of_people_name_figures_and_what_they_are_of() -> None:
    found = facts(PEOPLE)
    assert found["candidate is better"].startswith("70% | 95% interval ")
    assert found["wins, ties, losses"] == "6 / 2 / 2 | of 10 conversations"
    assert found["agreement of the judges"] == "not defined | one judge"
    assert found["supported sentences, candidate"] == "100% | "
    assert found["difference"].startswith("+100 points | 95% interval +100 to +100 points; 10 conversations; 2 of 20")


def test_a_model_informs_and_says_how_far_it_is_from_people() -> None:
    found = facts(MODEL)
    assert found["first place preferred"].startswith("100% | ")
    assert found["order decides"].startswith("10 | ")
    assert found["answers not understood"].startswith("0 | of 20")
    assert "no people have judged these pairs" in describe_weight(MODEL)
    assert "same outcome in 80% (alpha 0.61)" in describe_weight(CALIBRATED)
    assert all(describe_weight(one).endswith("It decides nothing.") for one in (MODEL, CALIBRATED))
    assert describe_weight(PEOPLE) == ""


@pytest.mark.parametrize(
    ("against", "other", "words"),
    [
        ("baseline", "run-untuned", "Tuned against Plain"),
        ("humans", "humans", "Tuned against a human summary"),
        ("control", "slot-template", "Tuned against the control slot-template"),
    ],
)
def test_a_pair_is_named_by_its_systems(against: str, other: str, words: str) -> None:
    names = {"run-tuned": "Tuned", "run-untuned": "Plain"}
    assert describe_pair(replace(PEOPLE, against=against, other=other), names) == words


@pytest.mark.parametrize("preferences", [[PEOPLE], [PEOPLE, MODEL], [CALIBRATED]])
def test_page_and_terminal_say_the_same(preferences: Sequence[Preference]) -> None:
    out = shown(preferences_table(preferences), 200)
    template = get_template("macros/preferences.html.j2")
    page = str(template.module.show_preferences(list_preferences(preferences, {})))  # type: ignore[attr-defined]
    for preference in preferences:
        for fact in list_facts(preference):
            for words in (fact.name, fact.figure, fact.note):
                assert words in out
                assert words.replace("'", "&#39;") in page
        assert describe_weight(preference) in out
        assert describe_weight(preference) in page


def test_nothing_judged_is_unknown_and_not_zero() -> None:
    nothing = replace(MODEL, win_rate=None, low=None, high=None, n=0, ties=0)
    assert facts(nothing)["candidate is better"].startswith("unknown | no interval")
    missing = replace(PEOPLE, supported=None, metrics_missing="the data set changed")
    assert facts(missing)["supported sentences"] == "unknown | nobody judged sentences"
    assert facts(missing)["metrics"] == "unknown | the data set changed"
