"""Records are found in JSON objects over several lines, and in objects that wrap them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from liftbench.data.intake.records import open_records
from liftbench.data.intake.tables import open_table
from liftbench.errors import UsageError


def record(id_: int) -> dict[str, Any]:
    return {"id": id_, "comments": [{"role": "user", "body": "Hi"}, {"role": "agent", "body": "Yo"}]}


RECORDS = [record(1), record(2)]


def read(path: Path, text: str) -> tuple[list[dict[str, Any]], str]:
    path.write_text(text, "utf-8")
    table = open_records(open_table(path))
    return [row.values for row in table.rows()], " ".join(table.notes)


@pytest.mark.parametrize(
    ("value", "wrapper"),
    [
        ({"tickets": RECORDS, "next_page": None, "count": 2}, "tickets"),
        ({"data": {"conversations": RECORDS}, "meta": {"total": 2}}, "data.conversations"),
        ({"tickets": RECORDS, "users": [{"id": 1, "name": "x", "role": "agent"}]}, "tickets"),
        ({"rows": [{"ticket_id": n // 2, "role": "user", "text": str(n)} for n in range(4)]}, "rows"),
        ({"rows": [{"conversation": {"id": n // 2}, "role": "user", "text": str(n)} for n in range(4)]}, "rows"),
        ({"rows": [{"case": n, "q": "a", "a": "b"} for n in range(2)], "count": 2}, "rows"),
        ({"dialogs": [{"id": 1, "transcript": "A: hi"}, {"id": 2, "transcript": "A: hi"}]}, "dialogs"),
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_wrapped_records(value: dict[str, Any], wrapper: str, indent: int | None, tmp_path: Path) -> None:
    found, notes = read(tmp_path / "x.json", json.dumps(value, indent=indent))
    inner: Any = value
    for key in wrapper.split("."):
        inner = inner[key]
    assert found == inner
    assert f"x.json: the records are read from {wrapper}" in notes
    assert ("over several lines" in notes) == (indent is not None)


@pytest.mark.parametrize(
    "value",
    [
        record(1),
        {"id": 1, "messages": [{"conversation_id": 5, "role": "user", "text": "a"}] * 2},
        {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Yo"}]},
        {"id": 1, "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}, {"role": "x"}]},
        {"id": 1, "comments": [{"author": "a", "text": "b", "replies": [{"author": "c", "text": "d"}]}]},
        {**record(1), "related": [record(2)]},
        {"id": 1, "parts": {"total": 1, "parts": [{"role": "user", "body": "Hi"}]}, "source": {"body": "x"}},
        {"chat": [{"x": "a", "y": "b"}]},
        {"id": 1, "chat": [{"id": 1, "y": "b"}]},
    ],
)
@pytest.mark.parametrize("indent", [None, 1])
def test_a_conversation_is_no_wrapper(value: dict[str, Any], indent: int | None, tmp_path: Path) -> None:
    found, notes = read(tmp_path / "x.json", json.dumps(value, indent=indent))
    assert (found, "records are read" in notes) == ([value], False)


@pytest.mark.parametrize("outer", [{}, {"_index": "t", "_type": "doc"}])
def test_a_record_within_an_object_of_each_line(outer: dict[str, Any], tmp_path: Path) -> None:
    text = "".join(json.dumps({**outer, "ticket": item}) + "\n" for item in RECORDS)
    found, notes = read(tmp_path / "x.jsonl", text)
    assert found == [{**outer, **item} for item in RECORDS]
    assert "records are read from ticket" in notes


@pytest.mark.parametrize("inner", [record(1), record(1)["comments"]])
def test_conversations_by_their_ids_in_one_object(inner: Any, tmp_path: Path) -> None:
    found, notes = read(tmp_path / "x.json", json.dumps({"a": inner, "b": inner}))
    assert [{**values}.get("id") for values in found] == ([1, 1] if isinstance(inner, dict) else ["a", "b"])
    assert "one object, whose 2 keys are read as the ids of conversations" in notes
    # In several rows alike, the keys are columns (`chosen`, `rejected`).
    lines = json.dumps({"a": inner, "b": inner}) + "\n"
    assert len(read(tmp_path / "x.jsonl", lines * 2)[0]) == 2


def test_pages_of_records_are_read_on(tmp_path: Path) -> None:
    pages = "".join(json.dumps({"tickets": [record(n), record(n + 1)]}) + "\n" for n in (1, 3)) + '{"tickets": null}\n'
    (tmp_path / "x.jsonl").write_text(pages, "utf-8")
    found = list(open_records(open_table(tmp_path / "x.jsonl")).rows())
    assert [(row.number, row.values.get("id")) for row in found[:4]] == [(1, 1), (2, 2), (3, 3), (4, 4)]
    assert found[4].fault == "no list tickets"


def test_several_lists_of_records_are_an_error_that_says_how(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"open \(2\), closed \(1\)\n.*jq -c '.open\[\]' x.json"):
        read(tmp_path / "x.json", json.dumps({"open": RECORDS, "closed": RECORDS[:1]}))


@pytest.mark.parametrize("between", ["\n", "\n\n", ",\n", ""])
def test_objects_over_several_lines(between: str, tmp_path: Path) -> None:
    text = "\ufeff" + between.join(json.dumps(item, indent=1) for item in RECORDS)
    found, notes = read(tmp_path / "x.json", text)
    assert found == RECORDS
    assert "JSON objects over several lines, read into memory whole" in notes


def test_objects_over_several_lines_may_be_packed_and_broken_at_the_end(tmp_path: Path) -> None:
    text = "\n".join(json.dumps(item, indent=1) for item in RECORDS)[:-9]
    (tmp_path / "x.json.gz").write_bytes(gzip.compress(text.encode()))
    first, second = open_records(open_table(tmp_path / "x.json.gz")).rows()
    assert (first.values, first.number, second.number) == (RECORDS[0], 1, 14)
    assert str(second.fault).startswith("not JSON to its end")


def test_lines_stay_lines_where_the_first_is_broken(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"id": 1, "text": "a\n{"id": 2}\n', "utf-8")
    first, second = open_records(open_table(tmp_path / "x.jsonl")).rows()
    assert (first.fault is None, second.values) == (False, {"id": 2})
