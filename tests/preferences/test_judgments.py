"""Judges' files: what is refused and how it is said, and whose the votes are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from liftbench.errors import LiftbenchError, PrerequisiteError, UsageError
from liftbench.preferences.judgments import find_sheet, read_judgments, unblind
from liftbench.records.preferences import Judgments, SheetKey

from ..support.sheets import build_sheet, fill_in

SHEET, KEY = build_sheet()


def write(folder: Path, name: str, value: object) -> Path:
    path = folder / name
    path.write_bytes(msgspec.json.encode(value))
    return path


def whole() -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(fill_in(KEY, lambda _: "candidate", candidate="yes", other="no"))
    return found


def without_last(file: dict[str, Any]) -> None:
    file["pairs"].pop()


def twice(file: dict[str, Any]) -> None:
    file["pairs"].append(file["pairs"][0])


def stranger(file: dict[str, Any]) -> None:
    file["pairs"][0]["id"] = "0123456789ab"


def open_preference(file: dict[str, Any]) -> None:
    file["pairs"][2]["better"] = None


def open_sentence(file: dict[str, Any]) -> None:
    file["pairs"][4]["left"][0] = None


def sentence_too_many(file: dict[str, Any]) -> None:
    file["pairs"][1]["right"].append("yes")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (without_last, "incomplete: 1 of 8 pairs have open questions (pair 8 of the page)"),
        (open_preference, "pair 3 of the page"),
        (open_sentence, "pair 5 of the page"),
        (twice, "is there 2 times"),
        (stranger, f"1 pair not on sheet {KEY.sheet}, such as '0123456789ab'"),
        (sentence_too_many, "on the right, and there"),
    ],
)
def test_a_file_that_does_not_fit_its_sheet_is_refused(
    spoil: Callable[[dict[str, Any]], None], words: str, tmp_path: Path
) -> None:
    file = whole()
    spoil(file)
    path = write(tmp_path, "a.json", file)
    with pytest.raises(UsageError) as caught:
        unblind(path, read_judgments(path), KEY)
    assert str(path) in caught.value.what
    assert words in caught.value.what
    assert caught.value.fix


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (
            {"pairs": [{"id": "x", "better": "both", "left": [], "right": []}]},
            UsageError,
            "pairs[0].better: Invalid enum",
        ),
        ({"pairs": {}}, UsageError, "pairs: Expected `array`"),
        ({"judge": "  "}, UsageError, "does not say who judged"),
        ({"schema": 99}, PrerequisiteError, "newer liftbench"),
        ({"more": 1}, UsageError, "unknown field `more`"),
    ],
)
def test_a_file_of_another_form_is_refused(
    change: dict[str, object], kind: type[LiftbenchError], words: str, tmp_path: Path
) -> None:
    path = write(tmp_path, "a.json", whole() | change)
    with pytest.raises(kind) as caught:
        read_judgments(path)
    assert words in caught.value.what


def test_a_file_that_is_no_json_or_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("<html>")
    for name in ("a.json", "absent.json"):
        with pytest.raises(UsageError, match=name):
            read_judgments(tmp_path / name)


def test_files_are_of_one_sheet_and_of_different_judges() -> None:
    paths = [Path("a.json"), Path("b.json")]
    ann, bob = (fill_in(KEY, lambda _: "tie", judge) for judge in ("Ann", "Bob"))
    assert find_sheet(paths, [ann, bob]) == KEY.sheet
    with pytest.raises(UsageError, match=r"b\.json is about sheet other"):
        find_sheet(paths, [ann, replace(bob, sheet="other")])
    with pytest.raises(UsageError, match=r"b\.json and a\.json are both by ' ann '"):
        find_sheet(paths, [ann, replace(bob, judge=" ann ")])


def test_question_2_may_be_left_out_as_a_whole() -> None:
    votes = unblind(Path("a.json"), fill_in(KEY, lambda _: "tie"), KEY)
    assert len(votes) == len(KEY.items)
    assert all(vote.candidate == vote.other == [] for vote in votes)


@pytest.mark.parametrize(("choice", "value"), [("candidate", 1.0), ("tie", 0.5), ("other", 0.0)])
def test_votes_are_for_systems_whatever_their_side(choice: Any, value: float) -> None:
    assert {item.left for item in KEY.items} == {"candidate", "other"}
    votes = unblind(Path("a.json"), fill_in(KEY, lambda _: choice, candidate="yes", other="unsure"), KEY)
    assert [vote.value for vote in votes] == [value] * len(KEY.items)
    assert all(set(vote.candidate) == {"yes"} and set(vote.other) == {"unsure"} for vote in votes)


def test_the_order_of_a_file_does_not_matter() -> None:
    def choose(item: Any) -> Any:
        return "candidate" if item.conversation > "c003" else "other"

    file: Judgments = fill_in(KEY, choose, candidate="yes", other="no")
    turned = replace(file, pairs=file.pairs[::-1])
    key: SheetKey = KEY
    assert unblind(Path("a.json"), turned, key) == unblind(Path("a.json"), file, key)
