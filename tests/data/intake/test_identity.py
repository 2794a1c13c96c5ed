"""Ids of conversations: rounded ones, and one id in several files. Strangers do not become one conversation."""

from __future__ import annotations

from typing import Any

import pytest

from liftbench.data.intake.tally import Tally
from liftbench.plugin_api import Columns, Row, conversations

COLUMNS = Columns(id="id", speaker="who", text="text", time="at")
CHAT = [{"role": "user", "content": "Hi"}, {"role": "agent", "content": "Yo"}]


def rows(file: str, *said: tuple[Any, str, str]) -> list[Row]:
    return [
        Row(number=n, values={"id": id_, "who": "user", "text": text, "at": at}, source=file, file=f"in/{file}")
        for n, (id_, text, at) in enumerate(said, start=2)
    ]


def read(*tables: list[Row], join_files: bool = False) -> tuple[dict[str, str], Tally]:
    tally = Tally()
    found = conversations((row for table in tables for row in table), COLUMNS, tally, join_files=join_files)
    return {c.id: "".join(turn.text for turn in c.turns) for c in found}, tally


def notes(tally: Tally) -> str:
    return "\n".join([*tally.report().notes, *map(str, tally.report().left_out)])


@pytest.mark.parametrize("id_", ["9.25E+17", "9.2512E+17", "1E+15", "9,25E+17", "9.25e+17"])
def test_an_id_that_a_spreadsheet_rounded_is_left_out_with_what_to_do(id_: str) -> None:
    found, tally = read(rows("x.csv", (id_, "a", ""), (id_, "b", ""), ("12", "c", "")))
    assert found == {"12": "c"}
    assert "2 rows left out: an id that a spreadsheet has rounded" in notes(tally)
    assert "format the column as text there and export again (x.csv:2, x.csv:3)" in notes(tally)


@pytest.mark.parametrize("id_", ["5e10", "12E10", "1.5E+1", "E+17", "A9.25E+17"])
def test_an_id_that_only_looks_rounded_is_an_id(id_: str) -> None:
    assert read(rows("x.csv", (id_, "a", "")))[0] == {id_: "a"}


@pytest.mark.parametrize("id_", [9.25e17, float(2**53), "9.251234567890123e+17"])
def test_ids_that_are_large_floats_are_told(id_: Any) -> None:
    found, tally = read(rows("x.csv", (id_, "a", "")))
    assert len(found) == 1
    assert "ids that are floats beyond 2^53" in notes(tally)


@pytest.mark.parametrize("id_", [7.0, 2**60, "925123456789012345", "007"])
def test_exact_ids_raise_no_doubt(id_: Any) -> None:
    found, tally = read(rows("x.csv", (id_, "a", "")))
    assert list(found) == [str(int(id_)) if isinstance(id_, float) else str(id_)]
    assert "ids" not in notes(tally)


def test_long_ids_that_all_end_in_zeros_are_told() -> None:
    told = notes(read(rows("x.csv", ("925123456789012000", "a", ""), ("925123456789013000", "b", "")))[1])
    assert "ids of more than 15 digits that end in zeros, as spreadsheets round them" in told
    told = notes(read(rows("x.csv", ("925123456789012000", "a", ""), ("925123456789013547", "b", "")))[1])
    assert "zeros" not in told


def test_ids_that_differ_in_zeros_stay_apart_and_are_told() -> None:
    found, tally = read(rows("x.csv", ("007", "a", ""), ("7", "b", ""), ("7.0", "c", ""), ("70", "d", "")))
    assert found == {"007": "a", "7": "b", "7.0": "c", "70": "d"}
    assert "leading zeros or a final .0, kept apart: 2 (" in notes(tally)


JANUARY, FEBRUARY = "2025-01-05 10:0", "2025-02-05 10:0"


@pytest.mark.parametrize(
    ("first", "second", "expected", "note"),
    [
        # Numbers that each file begins again.
        (
            [("1", "a", f"{JANUARY}1"), ("1", "b", f"{JANUARY}2")],
            [("1", "c", f"{FEBRUARY}1"), ("1", "d", f"{FEBRUARY}2")],
            {"january:1": "ab", "february:1": "cd"},
            "kept apart as FILE:ID; --join-files joins them",
        ),
        (
            [("1", "a", ""), ("2", "b", "")],
            [("1", "c", "")],
            {"january:1": "a", "2": "b", "february:1": "c"},
            "--join-files",
        ),
        ([("1", "a", "1"), ("1", "b", "2")], [("1", "c", "1")], {"january:1": "ab", "february:1": "c"}, "--join-files"),
        # Long ids, the same row in both files, numbers that go on, and few common ids whose times go on.
        (
            [("4821300", "a", f"{JANUARY}1")],
            [("4821300", "b", f"{FEBRUARY}1")],
            {"4821300": "ab"},
            "joined: 1 (4821300)",
        ),
        (
            [("1", "a", f"{JANUARY}1"), ("1", "b", f"{JANUARY}2")],
            [("1", "b", f"{JANUARY}2"), ("1", "c", f"{JANUARY}3")],
            {"1": "abc"},
            "joined: 1 (1)",
        ),
        ([("1", "a", "1"), ("1", "b", "2")], [("1", "c", "3")], {"1": "abc"}, "joined: 1 (1)"),
        (
            [("8", "x", f"{JANUARY}1"), ("9", "a", f"{JANUARY}2"), ("7", "z", f"{JANUARY}3")],
            [("9", "b", f"{JANUARY}5"), ("10", "y", f"{JANUARY}6"), ("11", "z", f"{JANUARY}7")],
            {"8": "x", "9": "ab", "7": "z", "10": "y", "11": "z"},
            "joined: 1 (9)",
        ),
    ],
)
def test_one_id_in_two_files(
    first: list[tuple[Any, str, str]], second: list[tuple[Any, str, str]], expected: dict[str, str], note: str
) -> None:
    found, tally = read(rows("january.csv", *first), rows("february.csv", *second))
    assert found == expected
    assert note in notes(tally)


def test_three_files_are_compared_with_each_other() -> None:
    tables = (
        rows("a.csv", ("1", "a", f"{JANUARY}1")),
        rows("b.csv", ("1", "b", f"{FEBRUARY}1"), ("1", "c", f"{FEBRUARY}2")),
        rows("c.csv", ("1", "c", f"{FEBRUARY}2"), ("1", "d", f"{FEBRUARY}3")),
    )
    assert read(*tables)[0] == {"a:1": "a", "b:1": "bcd"}
    assert read(*tables, join_files=True)[0] == {"1": "abcd"}


def test_files_are_joined_where_the_user_says_so() -> None:
    tables = rows("january.csv", ("1", "a", f"{JANUARY}1")), rows("february.csv", ("1", "b", f"{FEBRUARY}1"))
    assert read(*tables, join_files=True)[0] == {"1": "ab"}


def test_files_of_one_name_are_told_apart_by_their_paths() -> None:
    def row(folder: str, text: str) -> Row:
        return Row(number=2, values={"id": "1", "who": "user", "text": text, "at": ""}, file=f"{folder}/x.csv")

    assert read([row("a", "one")], [row("b", "two")])[0] == {"a/x.csv:1": "one", "b/x.csv:1": "two"}


def test_rows_that_are_conversations_stay_apart_in_two_files() -> None:
    tally = Tally()
    table = [
        Row(number=n, values={"id": id_, "messages": CHAT}, source=file, file=file)
        for n, (id_, file) in enumerate(
            [("1", "a.jsonl"), ("1", "a.jsonl"), ("1", "b.jsonl"), ("9.25E+17", "b.jsonl"), ("9.25E+17", "b.jsonl")],
            start=1,
        )
    ]
    found = [c.id for c in conversations(table, Columns(id="id", messages="messages"), tally)]
    assert found == ["1", "b:1", "9.25E+17-row-4", "9.25E+17-row-5"]
    assert "ids that an earlier file has, used as FILE:ID: 1 (1)" in notes(tally)
    assert "1 row left out: an id that an earlier row has (a.jsonl:2)" in notes(tally)


@pytest.mark.parametrize("id_", ["nan", "NULL", "None", "#REF!", "########", "\\N", "#N/A"])
def test_what_stands_for_a_missing_id_joins_no_strangers(id_: str) -> None:
    found, tally = read(rows("x.csv", (id_, "a", ""), (id_, "b", ""), ("NA-1", "c", "")))
    assert found == {"NA-1": "c"}
    assert f"2 rows left out: no conversation id ({id_} stands for a missing one) (x.csv:2, x.csv:3)" in notes(tally)


def test_rows_that_are_conversations_are_kept_without_an_id() -> None:
    table = [Row(number=n, values={"id": "nan", "messages": CHAT}) for n in (1, 2)]
    found = list(conversations(table, Columns(id="id", messages="messages"), Tally()))
    assert [conversation.id for conversation in found] == ["row-1", "row-2"]


def test_rows_with_a_missing_time_that_are_turned_are_told() -> None:
    found, tally = read(rows("x.csv", ("1", "c", "2025-03-03 10:02"), ("1", "b", "2025-03-03 10:01"), ("1", "a", "")))
    assert found == {"1": "abc"}
    assert "order of the rows, turned so that the newest come last: 1 (x.csv:4)" in notes(tally)
