"""The order of messages: by time, however times are written, and by row where times are equal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from liftbench.data.intake.clocks import Clock, clock_for
from liftbench.data.intake.tally import Tally
from liftbench.plugin_api import Columns, Row, conversations

COLUMNS = Columns(id="id", speaker="who", text="text", time="at")


def order(times: Sequence[str], *, texts: Sequence[str] = (), files: Sequence[str] = ()) -> tuple[list[str], Tally]:
    """The texts of a conversation, which are the numbers of the rows, and the tally."""
    tally = Tally()
    rows = [
        Row(
            number=number,
            values={
                "id": "a",
                "who": ("user", "agent")[number % 2],
                "text": (texts or "0123456789")[number],
                "at": time,
            },
            file=files[number] if files else "",
        )
        for number, time in enumerate(times)
    ]
    [conversation] = conversations(rows, COLUMNS, tally, join_files=True)
    return [turn.text for turn in conversation.turns], tally


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        # Newest first, some within one minute.
        (["14:03", "14:02", "14:02", "14:02", "14:01"], "43210"),
        (["14:01", "14:02", "14:02", "14:02", "14:03"], "01234"),
        (["14:02", "14:02", "14:03", "14:01"], "3012"),
    ],
)
def test_equal_times_follow_the_direction_of_the_rows(times: list[str], expected: str) -> None:
    read, tally = order([f"2025-05-02 {time}" for time in times])
    assert "".join(read) == expected
    told = any("newest rows come first" in note for note in tally.report().notes)
    assert told == (expected == "43210")


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (["10:05", "10:04", "10:03"], "210"),
        (["10:03", "10:05", "10:04"], "021"),
        (["9:59 AM", "10:01 AM", "1:00 PM"], "012"),
        (["23:58", "23:59", "00:01", "00:02"], "0123"),
        (["10:05", "2025-01-05 10:00", "2025-01-05 10:01"], "012"),
    ],
)
def test_times_without_a_date(times: list[str], expected: str) -> None:
    read, tally = order(times)
    assert "".join(read) == expected
    assert any("missing or unreadable" in note for note in tally.report().notes) == (len(times[1]) > 9)


def test_a_conversation_within_one_minute_follows_the_direction_of_its_file() -> None:
    def rows(newest_first: bool) -> list[Row]:
        said = [("a", "x", "10:05"), ("a", "y", "10:05"), ("b", "1", "10:03"), ("b", "2", "10:02"), ("b", "3", "10:01")]
        said = said if newest_first else said[::-1]
        values = ({"id": id_, "who": "user", "text": text, "at": f"2025-01-05 {at}"} for id_, text, at in said)
        return [Row(number=number, values=value) for number, value in enumerate(values)]

    for newest_first in (True, False):
        found = {c.id: [turn.text for turn in c.turns] for c in conversations(rows(newest_first), COLUMNS)}
        assert found == {"a": ["y", "x"], "b": ["3", "2", "1"]}


def test_a_missing_time_in_a_file_with_the_newest_first() -> None:
    read, tally = order(["2025-05-02 14:03", "", "2025-05-02 14:01"])
    assert read == ["2", "1", "0"]
    assert any("missing or unreadable time" in note for note in tally.report().notes)


@pytest.mark.parametrize(
    ("times", "doubt"),
    [
        (["2025-01-05T10:00:00Z", "05/01/2025 10:10", "2025-01-05T10:05:00Z"], "times in several formats"),
        (["1736071200", "1736071320000", "1736071260"], "seconds since 1970, milliseconds since 1970"),
        (["1736071200000000", "1736071320000000000", "1736071260"], "microseconds since 1970"),
        (["45662.5", "2025-01-05 13:00", "45662.51"], "Excel's day numbers"),
        (["2025-01-05 10:00 EST", "2025-01-05 17:00 CET", "2025-01-05 15:30 UTC"], None),
        (["2025-01-05 10:00 AM", "2025-01-05 1:00 PM", "2025-01-05 12:05 PM"], None),
        (["1/13/25, 9:59\u202fAM", "1/13/25, 1:00\u202fPM", "1/13/25, 12:05\u202fPM"], None),
        (
            [
                "Sunday, January 5, 2025 at 9:05 AM",
                "Monday, January 6, 2025 at 9:05 AM",
                "Sunday, January 5, 2025 at 10:05 PM",
            ],
            None,
        ),
        (
            [
                "Sun Jan 05 2025 10:00:00 GMT+0100 (CET)",
                "Sun Jan 05 2025 10:30:00 GMT+0000 (GMT)",
                "Sun Jan 05 2025 11:15:00 GMT+0100 (CET)",
            ],
            None,
        ),
        (["45662.41", "45662.43", "45662.42"], None),
        (["925123456789012344", "925123456789012346", "925123456789012345"], None),
        (["20250105", "20250107", "20250106"], None),
        (["05-Jan-25 09:00", "05-Jan-25 11:00", "05-Jan-25 10:00"], None),
    ],
)
def test_times_in_any_format_or_several(times: list[str], doubt: str | None) -> None:
    read, tally = order(times)
    assert read == ["0", "2", "1"]
    told = " ".join(tally.report().notes)
    assert doubt in told if doubt else "format" not in told


@pytest.mark.parametrize(
    ("times", "doubt"),
    [
        (["2025-01-05 10:00:00", "2025-01-05T10:00:00Z"], "those without one were read as UTC"),
        (["13/01/2025", "01/13/2025"], "with the day first and with the month first"),
        (["1/5/24 9:59 PM"], "month/day"),
        (["05/05/2025"], None),
        (["soon", "later"], None),
    ],
)
def test_what_times_leave_open_is_told(times: list[str], doubt: str | None) -> None:
    said = clock_for(times)[1]
    assert (doubt in said) if said and doubt else said is doubt


@pytest.mark.parametrize(
    ("written", "order_said"), [("05/01/2025 10:10", "day/month"), ("01/05/2025 10:10", "month/day")]
)
def test_day_and_month_are_told_by_the_other_times(written: str, order_said: str) -> None:
    clock, doubt = clock_for(["2025-01-05T10:00:00", written, "2025-01-06T10:05:00"])
    assert clock(written) == clock("2025-01-05T10:10:00")
    assert doubt is not None
    assert order_said in doubt


def test_a_format_that_no_sample_shows_is_told() -> None:
    tally = Tally()
    times = ["2025-01-05 10:00:00"] * 1001
    times[2] = "05.01.2025 09:00:00"
    read = [Row(number=n, values={"id": str(n), "who": "user", "text": "x", "at": at}) for n, at in enumerate(times)]
    assert len(list(conversations(read, COLUMNS, tally))) == 1001
    assert "times in several formats, each read as it is written: ISO 8601, day.month.year" in tally.report().notes


def test_numbers_of_messages_are_not_taken_for_times() -> None:
    clock = Clock(["1", "2", "10"])
    assert clock.counts
    assert [clock(time) for time in ("2", "10", "soon", "nan")] == [2, 10, None, None]


@pytest.mark.parametrize(
    ("times", "texts", "expected", "note"),
    [
        # Dates without a clock, also where they are written as midnight.
        (["2025-01-05"] * 3, "HmH", "HmH", "the dates have no clock: 1"),
        (["2025-01-05 00:00:00"] * 3, "HmH", "HmH", "the dates have no clock: 1"),
        (["05.01.2025"] * 3, "HmH", "HmH", "the dates have no clock: 1"),
        (["45662"] * 3, "HmH", "HmH", "the dates have no clock: 1"),
        # Minutes: said again after an answer.
        (["2025-01-05 10:00"] * 3, "HmH", "HmH", "the times have no seconds"),
        # Seconds: a row that was exported twice.
        (["2025-01-05 10:00:01"] * 3, "HmH", "Hm", None),
        (["1736071201"] * 3, "HmH", "Hm", None),
        (["7"] * 3, "HmH", "Hm", None),
    ],
)
def test_a_repeat_is_only_one_where_the_time_is_exact(
    times: list[str], texts: str, expected: str, note: str | None
) -> None:
    read, tally = order(times, texts=texts)
    assert "".join(read) == expected
    notes = [line for line in tally.report().notes if "kept because" in line]
    assert len(notes) == (note is not None)
    assert all(note is not None and note in line for line in notes)
    assert bool(tally.report().left_out) == (note is None)


def test_a_row_that_directly_follows_itself_within_a_minute_is_a_repeat() -> None:
    rows = [Row(number=n, values={"id": "a", "who": "user", "text": "ok", "at": "2025-01-05 10:00"}) for n in (1, 2)]
    [conversation] = conversations(rows, COLUMNS)
    assert len(conversation.turns) == 1


def test_numbers_that_begin_again_in_each_file() -> None:
    files = ["a.csv", "a.csv", "b.csv", "b.csv"]
    assert order(["1", "2", "1", "2"], files=files)[0] == ["0", "1", "2", "3"]
    assert order(["3", "4", "1", "2"], files=files)[0] == ["2", "3", "0", "1"]


# ------------------------------------------------------------------------------------------------ lists of messages


def said(*messages: dict[str, Any]) -> tuple[list[str], Tally]:
    tally = Tally()
    listed = [{"role": "user", "content": str(number), **message} for number, message in enumerate(messages)]
    [conversation] = conversations([Row(number=1, values={"m": listed})], Columns(messages="m"), tally)
    return [turn.text for turn in conversation.turns], tally


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([{"created_at": f"2025-01-01T10:0{n}:00Z"} for n in (3, 2, 1)], "210"),
        ([{"createdAt": f"2025-01-01T10:0{n}:00Z"} for n in (1, 3, 2)], "021"),
        ([{"ts": "1736071320.0002"}, {"ts": "1736071320.0001"}], "10"),
        ([{"timestamp": 1736071260000}, {"timestamp": 1736071200}], "10"),
        ([{"date": "2025-01-05 10:00"}, {"date": "2025-01-05 10:00"}, {"date": "2025-01-05 09:59"}], "210"),
        ([{"Timestamp": {"$date": f"2025-01-01T10:0{n}:00Z"}} for n in (2, 1)], "10"),
        ([{"index": 1}, {"index": 0}], "10"),
        ([{"created_at": "2025-01-01T10:00:00Z"}] * 2, "01"),
        ([{"created_at": "2025-01-01T10:02:00Z"}, {}, {"created_at": "2025-01-01T10:01:00Z"}], "210"),
        ([{"time": "10:05"}, {"time": "10:04"}], "10"),
        ([{"time": "23:59"}, {"time": "00:01"}, {"time": "00:02"}], "012"),
        ([{"time": "soon"}, {"time": "now"}], "01"),
        ([{}, {}], "01"),
    ],
)
def test_lists_are_sorted_by_their_own_times(messages: list[dict[str, Any]], expected: str) -> None:
    read, tally = said(*messages)
    assert "".join(read) == expected
    assert any("sorted by them" in note for note in tally.report().notes) == (expected[0] != "0" or expected == "021")
