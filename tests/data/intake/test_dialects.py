"""Quotation marks, escapes, headers and empty columns of delimited files: no row is swallowed in silence."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from liftbench.data.helpdesk import Helpdesk
from liftbench.data.intake.tables import Row, Table, open_table
from liftbench.errors import UsageError

HEADER = "ticket,sender,message\n"


def table(tmp_path: Path, text: str, name: str = "x.csv") -> Table:
    path = tmp_path / name
    path.write_bytes(text.encode())
    return open_table(path)


def cells(rows: list[Row]) -> list[tuple[str, ...]]:
    return [tuple(row.values.values()) for row in rows if not row.fault]


@pytest.mark.parametrize(
    ("name", "text", "messages", "note"),
    [
        # Marks as ordinary characters, as exports without quoting write them.
        (
            "x.tsv",
            'ticket\tsender\tmessage\n1\tcustomer\t"urgent, it is warm\n1\tagent\tIs it shut?\n2\tcustomer\t"again\n',
            ['"urgent, it is warm', "Is it shut?", '"again'],
            "quotation marks are read as ordinary characters",
        ),
        (
            "x.tsv",
            'ticket\tsender\tmessage\n1\tcustomer\t"only one mark\n1\tagent\tok\n',
            ['"only one mark', "ok"],
            "quotation marks are read as ordinary characters",
        ),
        # One mark too many beside cells that are quoted rightly.
        (
            "x.csv",
            HEADER + '1,customer,"my fridge is warm\n1,agent,how big?\n1,customer,it is 15"\n2,agent,"Hello, you"\n',
            ['"my fridge is warm', "how big?", 'it is 15"', "Hello, you"],
            "1 (line 2 with 2 rows)",
        ),
        (
            "x.csv",
            '"ticket","sender","message"\n"1","customer","urgent\n"1","agent","ok"\n"2","customer","yes, it is"\n',
            ['"urgent', "ok", "yes, it is"],
            "1 (line 2 with 1 row)",
        ),
        # Escapes.
        (
            "x.csv",
            HEADER + '1,customer,"It says \\"no stock\\", so"\n1,agent,"ok, C:\\temp"\n',
            ['It says "no stock", so', "ok, C:\\temp"],
            "the backslash is read as the escape character",
        ),
        (
            "x.csv",
            HEADER + "1,customer,Hello\\, you\n1,agent,ok\n",
            ["Hello, you", "ok"],
            "the backslash is read as the escape character",
        ),
        (
            "x.csv",
            HEADER + '1,customer,"C:\\dir\\"\n1,agent,"the ""new"" one, yes"\n',
            ["C:\\dir\\", 'the "new" one, yes'],
            None,
        ),
        (
            "x.csv",
            HEADER + '1,customer,It says \\"no stock\\"\n1,agent,ok\n',
            ['It says "no stock"', "ok"],
            "the backslash is read as the escape character",
        ),
        # Single quotation marks.
        (
            "x.csv",
            "'ticket','sender','message'\n'1','customer','It''s late, very'\n'1','agent','ok'\n",
            ["It's late, very", "ok"],
            "single quotation marks",
        ),
        # Marks inside of cells.
        ("x.csv", HEADER + '1,customer,a 5" screen\n1,agent,the 7" one?\n', ['a 5" screen', 'the 7" one?'], None),
        (
            "x.csv",
            HEADER + '1,customer,"he said "hi" to me"\n1,agent,"Dear all\nthe "new" one, yes\nbye"\n',
            ['he said "hi" to me', 'Dear all\nthe "new" one, yes\nbye'],
            "2 (line 2, line 3)",
        ),
        (
            "x.csv",
            HEADER + '1,customer,"urgent" please\n1,agent,"ok, fine"\n',
            ['"urgent" please', "ok, fine"],
            "text after the closing quotation mark: 1 (line 2)",
        ),
    ],
)
def test_the_reading_that_fits_is_found_and_told(
    name: str, text: str, messages: list[str], note: str | None, tmp_path: Path
) -> None:
    read = table(tmp_path, text, name)
    assert [row[-1] for row in cells(list(read.rows()))] == messages
    assert len(read.notes) == (note is not None)
    assert all(note is not None and note in line for line in read.notes)


def test_a_row_that_swallows_others_and_cannot_be_read_is_left_out_and_they_are_not(tmp_path: Path) -> None:
    text = HEADER + '1,customer,"a, b"\n1,agent,"urgent, please\n1,customer,ok\n2,agent,"Hello, you"\n'
    read = table(tmp_path, text)
    rows = list(read.rows())
    assert cells(rows) == [("1", "customer", "a, b"), ("1", "customer", "ok"), ("2", "agent", "Hello, you")]
    assert [(row.number, row.fault) for row in rows if row.fault] == [
        (3, "a row with a quotation mark that is never closed")
    ]
    assert "1 (line 3 with 2 rows)" in read.notes[0]


@pytest.mark.parametrize(
    "message",
    [
        "Dear team, hello\nI ordered a pen, a cup, a hat\n\nBye, Ann, your friend",
        "I ordered:\n1, pens, blue\n2, cups, red",
        "first, second\nthird, fourth",
        'She said "no", twice,\nthen "yes", once,\nok?',
        "Hello,\n\n\nBye",
        "a;b;c\nd;e;f",
    ],
)
@pytest.mark.parametrize(
    "columns", [("ticket", "message"), ("ticket", "sender", "message"), ("id", "by", "at", "message")]
)
def test_a_letter_in_a_cell_is_an_ordinary_cell(message: str, columns: tuple[str, ...], tmp_path: Path) -> None:
    rows = [
        [*("7", "customer", "2025-01-05 10:00")[: len(columns) - 1], message],
        [*("8", "agent", "2025-01-06")[: len(columns) - 1], "ok"],
    ]
    text = io.StringIO(newline="")
    csv.writer(text).writerows([columns, *rows])
    read = table(tmp_path, text.getvalue())
    assert cells(list(read.rows())) == list(map(tuple, rows))
    assert read.notes == ()


@pytest.mark.parametrize("columns", [1, 2])
def test_transcripts_in_cells_are_ordinary_cells(columns: int, tmp_path: Path) -> None:
    chats = ["[10:15] Customer: hi", "[10:15] Customer: hi\n[10:16] Agent: yes,ok\n[10:17] Customer: no,no", "7,8\n7,8"]
    rows = [(chat, "A call.")[:columns] for chat in chats]
    text = io.StringIO(newline="")
    csv.writer(text).writerows([("transcript", "summary")[:columns], *rows])
    read = table(tmp_path, text.getvalue())
    assert cells(list(read.rows())) == rows
    assert read.notes == ()


def test_real_conversations_in_cells_are_ordinary_cells(tmp_path: Path) -> None:
    rows = [
        (conversation.id, turn.role, "\n".join([turn.text, *(other.text for other in conversation.turns)]))
        for conversation in Helpdesk(None).read("test")
        for turn in conversation.turns[:3]
    ]
    text = io.StringIO(newline="")
    csv.writer(text).writerows([("id", "who", "text"), *rows])
    read = table(tmp_path, text.getvalue())
    assert cells(list(read.rows())) == rows
    assert read.notes == ()


@pytest.mark.parametrize(
    ("text", "rows", "faults"),
    [
        (HEADER + "1,a,x\nticket,sender,message\n2,b,y\n", [("1", "a", "x"), ("2", "b", "y")], ["the header again"]),
        (
            HEADER + "1,a,x\n\ufeffticket,sender,message\n2,b,y\n",
            [("1", "a", "x"), ("2", "b", "y")],
            ["the header again"],
        ),
        (
            "sep=,\n" + HEADER + "1,a,x\nsep=,\n" + HEADER + "2,b,y\n",
            [("1", "a", "x"), ("2", "b", "y")],
            ["the header again"] * 2,
        ),
        ("\ufeffsep=;\nticket;sender\n1;a\n", [("1", "a")], []),
        ("ticket,sender,,\n1,a,,\n2,b,,\n", [("1", "a"), ("2", "b")], []),
        ("ticket,sender,,\n1,a,,\n2,b,stray,\n", [("1", "a")], ["more fields than the header names"]),
        ("ticket,sender\n1,a,\n2,b,\n", [("1", "a"), ("2", "b")], []),
        ("ticket,sender\n1,a,\n2,b\n", [("2", "b")], ["more fields than the header names"]),
        (HEADER + "1,a,x\nTotal: 1 row\n", [("1", "a", "x")], ["fewer fields than the header names"]),
    ],
)
def test_headers_totals_and_empty_columns(
    text: str, rows: list[tuple[str, ...]], faults: list[str], tmp_path: Path
) -> None:
    read = list(table(tmp_path, text).rows())
    assert cells(read) == rows
    assert [row.fault for row in read if row.fault] == faults


def test_a_header_in_another_order_names_the_rows_below_it(tmp_path: Path) -> None:
    read = [
        row.values for row in table(tmp_path, HEADER + "1,a,x\nmessage,ticket,sender\ny,2,b\n").rows() if not row.fault
    ]
    assert read == [{"ticket": "1", "sender": "a", "message": "x"}, {"message": "y", "ticket": "2", "sender": "b"}]


def test_a_header_in_other_case_and_with_another_column(tmp_path: Path) -> None:
    text = HEADER + "1,a,x\nTicket,Channel,Sender,Message\n2,chat,b,y\n"
    read = [row.values for row in table(tmp_path, text).rows() if not row.fault]
    assert read[1] == {"ticket": "2", "Channel": "chat", "sender": "b", "message": "y"}


def test_zero_characters_are_left_out_and_told(tmp_path: Path) -> None:
    read = table(tmp_path, HEADER + "1,a,x\0y\n2,b,z\0\0\n")
    assert cells(list(read.rows())) == [("1", "a", "xy"), ("2", "b", "z")]
    assert read.notes == ("x.csv: characters with the code zero, left out: 3",)


def test_a_mark_that_is_never_closed_is_an_error_where_no_reading_fits(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="line 3: a quotation mark is never closed"):
        table(tmp_path, HEADER + '1,a,"b, c"\n2,b,"Dear all, hello\nno more, no less, no\n\nbye, bye\n')
