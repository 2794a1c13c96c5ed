from __future__ import annotations

import csv
import gzip
import io
import json
import tracemalloc
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from liftbench.data.intake.tables import ARRAY_BYTES, open_table
from liftbench.errors import UsageError


def write(path: Path, data: str | bytes) -> Path:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def values(path: Path) -> list[dict[str, Any]]:
    return [row.values for row in open_table(path).rows()]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends_are_found_out(delimiter: str, newline: str, tmp_path: Path) -> None:
    lines = [["id", "text", "who"], ["1", f'"a, b; c | d\t{newline}e"', "x"], ["2", '"say ""hi"""', ""]]
    path = write(tmp_path / "x.csv", newline.join(delimiter.join(line) for line in lines) + newline)
    assert values(path) == [
        {"id": "1", "text": f"a, b; c | d\t{newline}e", "who": "x"},
        {"id": "2", "text": 'say "hi"', "who": ""},
    ]


def test_rows_know_the_line_that_they_begin_on_and_their_file(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", 'a,b\n1,"two\nlines"\n\n3,4\n')
    assert [(row.number, row.place) for row in open_table(path).rows()] == [(2, "x.csv:2"), (5, "x.csv:5")]
    assert [row.read for row in open_table(path).rows()] == [path.stat().st_size] * 2


def test_ragged_rows_are_rows_with_a_fault(tmp_path: Path) -> None:
    rows = list(open_table(write(tmp_path / "x.csv", "a,b\n1,2\n1\n1,2,3\n4,5\n")).rows())
    assert [(row.number, row.fault) for row in rows if row.fault] == [
        (3, "fewer fields than the header names"),
        (4, "more fields than the header names"),
    ]
    assert [row.values for row in rows if not row.fault] == [{"a": "1", "b": "2"}, {"a": "4", "b": "5"}]


@pytest.mark.parametrize(
    ("data", "text", "note"),
    [
        ("a,b\n1,Größe\n".encode(), "Größe", None),
        ("a,b\n1,Größe\n".encode("utf-8-sig"), "Größe", None),
        ("a\tb\n1\tGröße\n".encode("utf-16"), "Größe", None),
        ("a,b\n1,Größe – “gut” €\n".encode("cp1252"), "Größe – “gut” €", "cp1252"),
        ("a,b\n1,Größe – “gut”".encode() + b"\xff\n", "Größe – “gut”\ufffd", "broken"),
        (b"a,b\n" + b"1,x\n" * 300_000 + b"1,\xfc\n", "ü", "cp1252"),
    ],
)
def test_encodings(data: bytes, text: str, note: str | None, tmp_path: Path) -> None:
    table = open_table(write(tmp_path / "x.csv", data))
    assert [row.values["b"] for row in table.rows()][-1] == text
    assert len(table.notes) == (note is not None)
    assert all(note is not None and note in line for line in table.notes)


def test_the_line_with_which_excel_tells_the_delimiter(tmp_path: Path) -> None:
    assert values(write(tmp_path / "x.csv", "sep=;\na;b\n1,5;2\n")) == [{"a": "1,5", "b": "2"}]


def test_one_column(tmp_path: Path) -> None:
    assert values(write(tmp_path / "x.csv", "transcript\nhello\n")) == [{"transcript": "hello"}]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("x.csv", "", "empty"),
        ("x.csv", "a,b,a\n1,2,3\n", "two columns are called 'a'"),
        ("x.csv", "a, ,c\n1,2,3\n", "line 1: column 2 has no name"),
        ("x.csv", 'a,b\n1,2\n3,"four\nfive, six, seven\n\n', "line 3: a quotation mark is never closed"),
        ("x.csv.gz", "a,b\n1,2\n", "cannot read"),
        ("x.csv.gz", gzip.compress(b"a,b\n" + bytes(range(256)) * 99)[:-20], "cannot read"),
        ("x.jsonl", "", "empty"),
        ("x.json", "[1, 2", "truncated"),
        ("x.json", b"[" + b" " * ARRAY_BYTES + b"]", "jq"),
        ("x.parquet", "PAR1", "not a readable Parquet file"),
        ("x.xlsx", "", "save a spreadsheet as CSV"),
        ("x", "", "could not detect the file's format\nUse .csv, .tsv"),
    ],
)
def test_a_file_that_cannot_be_read(name: str, data: str | bytes, reason: str, tmp_path: Path) -> None:
    path = write(tmp_path / name, data)
    with pytest.raises(UsageError) as caught:
        list(open_table(path).rows())
    assert str(path) in str(caught.value)
    assert reason in str(caught.value)


@pytest.mark.parametrize("name", ["x.csv", "x.jsonl", "x.parquet"])
def test_a_file_that_is_not_there(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*No such file"):
        open_table(tmp_path / name).rows()


@pytest.mark.parametrize("name", ["x.jsonl", "x.ndjson", "x.json", "x.jsonl.gz"])
def test_json_lines(name: str, tmp_path: Path) -> None:
    data = '\ufeff{"a": 1, "b": [{"c": "ü"}]}\n\n[1]\n{"a"\n{"d": null}'.encode()
    rows = list(open_table(write(tmp_path / name, gzip.compress(data) if name.endswith(".gz") else data)).rows())
    assert [(row.number, row.values, row.fault) for row in rows] == [
        (1, {"a": 1, "b": [{"c": "ü"}]}, None),
        (3, {}, "not a JSON object"),
        (4, {}, "not a JSON object: truncated, it ends in the middle of a value"),
        (5, {"d": None}, None),
    ]


def test_a_json_array_is_read_and_said_to_be_one(tmp_path: Path) -> None:
    table = open_table(write(tmp_path / "x.json", ' \n[{"a": 1},\n {"a": 2}, 3]'))
    assert [(row.number, row.values) for row in table.rows()] == [(1, {"a": 1}), (2, {"a": 2}), (3, {})]
    assert "array" in table.notes[0]


def test_parquet_with_nested_messages(tmp_path: Path) -> None:
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    rows = [{"id": number, "messages": messages, "score": None, "price": Decimal("1.50")} for number in range(3000)]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "x.parquet", row_group_size=1000)
    read = list(open_table(tmp_path / "x.parquet").rows())
    assert [row.values for row in read] == rows
    assert (read[0].number, read[-1].number, read[-1].read) == (1, 3000, (tmp_path / "x.parquet").stat().st_size)


def test_real_tweets(tweetsumm: Path) -> None:
    rows = values(tweetsumm / "original" / "twcs_sample.csv")
    assert len(rows) > 300
    assert {row["inbound"] for row in rows} == {"True", "False"}
    assert any("\n" in row["text"] for row in rows)


_cell = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(_cell, _cell, _cell).filter(any), min_size=1, max_size=6),
    delimiter=st.sampled_from(",;\t|"),
    newline=st.sampled_from(["\n", "\r\n"]),
)
def test_what_csv_writes_is_read_back(
    rows: list[tuple[str, str, str]], delimiter: str, newline: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=newline, quoting=csv.QUOTE_ALL)
    writer.writerows([("id", "speaker", "text"), *rows])
    path = write(tmp_path_factory.mktemp("csv") / "x.csv", text.getvalue())
    assert [tuple(row.values()) for row in values(path)] == rows


@pytest.mark.parametrize("name", ["x.csv", "x.jsonl", "x.csv.gz", "x.parquet"])
def test_memory_is_flat(name: str, tmp_path: Path) -> None:
    def peak(count: int) -> int:
        path = tmp_path / f"{count}-{name}"
        rows = [{"id": str(number), "text": f"number {number} " * 20} for number in range(count)]
        if name == "x.jsonl":
            write(path, "".join(json.dumps(row) + "\n" for row in rows))
        elif name == "x.parquet":
            parquet.write_table(pyarrow.Table.from_pylist(rows), path)
        else:
            text = "id,text\n" + "".join(f"{row['id']},{row['text']}\n" for row in rows)
            write(path, gzip.compress(text.encode()) if name.endswith(".gz") else text)
        del rows
        tracemalloc.start()
        try:
            assert sum(1 for _ in open_table(path).rows()) == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(2000)  # what is imported on the way counts once
    assert peak(20_000) < 2 * peak(2000)


def test_a_cell_longer_than_csvs_own_limit_is_read(tmp_path: Path) -> None:
    long = "word " * 40_000
    [row] = open_table(write(tmp_path / "x.csv", f"id;text\n1;{long}\n")).rows()
    assert row.values["text"].strip() == long.strip()
