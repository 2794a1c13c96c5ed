"""Encodings of exports are found, else told with the option that helps; so is text that was decoded wrongly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from liftbench.data.intake.json_text import NotJson, decode_json
from liftbench.data.intake.mojibake import mojibake
from liftbench.data.intake.tables import open_table
from liftbench.data.intake.tally import Tally
from liftbench.errors import UsageError
from liftbench.plugin_api import Columns, Conversation, conversations
from liftbench.records.conversation import Turn

GERMAN = "Müller's Gerät für 30 € geht nicht, „kaputt“ – schade"
LINES = '{"id": "1", "text": "Grüße – 30 €"}\r\n{"id": "2", "text": "ok"}\r\n'


def save(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("encoding", "text", "note"),
    [
        ("utf-8", GERMAN, None),
        ("utf-8-sig", GERMAN, None),
        ("utf-16", GERMAN, None),
        ("utf-32", GERMAN, None),
        ("utf-16-le", GERMAN, "UTF-16-LE"),
        ("utf-16-be", "我的水龙头漏水了", "UTF-16-BE"),
        ("utf-16-le", "Привет, мой заказ не пришёл", "UTF-16-LE"),
        ("utf-32-le", GERMAN, "UTF-32-LE"),
        ("cp1252", GERMAN, "cp1252"),
        ("cp1252", "It’s fine", "cp1252"),
        ("cp1252", "It works—thanks", "cp1252"),
        ("cp1252", "¿Qué pasó, señor?", "cp1252"),
        ("mac_roman", GERMAN, "mac_roman"),
        ("mac_roman", "It’s the customer’s “new” café", "mac_roman"),
        ("mac_roman", "Ça va? Le café est prêt à être livré", "mac_roman"),
        ("cp850", "Größe für Müller ist nicht da", "cp850"),
        ("cp1250", "Žádný proud, prosím pomozte. Už čekám dva týdny", "cp1250"),
        ("iso8859-2", "Zamówienie nie dotarło, żądam zwrotu, dość", "iso8859-2"),
        ("cp1251", "Здравствуйте, мой заказ не пришёл", "cp1251"),
        ("koi8-u", "Здравствуйте, мой заказ не пришёл", "koi8-u"),
        ("cp1253", "Καλημέρα, η παραγγελία μου δεν ήρθε", "cp1253"),
        ("cp1254", "Merhaba, siparişim hâlâ gelmedi, lütfen yardım edin", "cp1254"),
        ("cp932", "こんにちは、注文がまだ届きません", "cp932"),
        ("gb18030", "你好，我的订单还没有到", "gb18030"),
        ("cp949", "안녕하세요 주문이 아직 도착하지 않았습니다", "cp949"),
    ],
)
def test_the_encoding_is_found(encoding: str, text: str, note: str | None, tmp_path: Path) -> None:
    table = open_table(save(tmp_path / "x.csv", f"id;text\n1;{text}\n2;ok\n".encode(encoding)))
    assert [row.values["text"] for row in table.rows()] == [text, "ok"]
    assert len(table.notes) == (note is not None)
    assert all(note is not None and note in line and "--encoding" in line for line in table.notes)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
@pytest.mark.parametrize("array", [False, True])
def test_json_in_any_encoding(encoding: str, array: bool, tmp_path: Path) -> None:
    text = "[" + LINES.strip().replace("\r\n", ",") + "]" if array else LINES
    rows = list(open_table(save(tmp_path / "x.json", text.encode(encoding))).rows())
    assert [row.values for row in rows] == [{"id": "1", "text": "Grüße – 30 €"}, {"id": "2", "text": "ok"}]


def test_an_encoding_that_is_given_counts(tmp_path: Path) -> None:
    path = save(tmp_path / "x.csv", "id,text\n1,Dzień dobry\n".encode("cp1250"))
    table = open_table(path, "windows-1250")
    assert (next(table.rows()).values["text"], table.notes) == ("Dzień dobry", ())
    marked = save(tmp_path / "y.csv", "id,text\n1,ü\n".encode("utf-8-sig"))
    assert list(next(open_table(marked, "UTF-8").rows()).values) == ["id", "text"]
    wide = save(tmp_path / "z.csv", "id,text\n1,ü\n".encode("utf-16-be"))
    assert next(open_table(wide, "utf-16").rows()).values["text"] == "ü"


@pytest.mark.parametrize(
    ("encoding", "data", "reason"),
    [
        ("klingon", b"id,text\n1,a\n", "there is no such encoding"),
        ("base64", b"id,text\n1,a\n", "there is no such encoding"),
        ("utf-8", b"id,text\n1,a\n2,\xfc\n", "is not utf-8: line 3, invalid start byte"),
        ("ascii", "id,text\n1,ü\n".encode(), "is not ascii: line 2, ordinal not in range"),
        ("utf-16", b"id,text\n1,a\n", "neither a byte order mark nor zero bytes"),
        ("cp1252", "id,text\n1,a\n".encode("utf-16"), "begins with the byte order mark of UTF-16"),
    ],
)
def test_an_encoding_that_does_not_fit_is_an_error(encoding: str, data: bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        open_table(save(tmp_path / "x.csv", data), encoding)
    assert reason in str(caught.value)
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"PK\x03\x04\x14", "an Excel workbook or a zip archive"),
        (b"\xd0\xcf\x11\xe0\xa1", "an Excel workbook of the old kind"),
        (b"\x1f\x8b\x08", "compressed by gzip"),
        (b"%PDF-1.7", "a PDF document"),
        (b"  <!DOCTYPE html><html>", "an HTML page"),
    ],
)
@pytest.mark.parametrize("name", ["x.csv", "x.jsonl"])
def test_a_file_that_is_no_text_is_named(name: str, data: bytes, what: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=what):
        open_table(save(tmp_path / name, data))


def test_broken_bytes_are_counted(tmp_path: Path) -> None:
    data = "id,text\n1,Grüße äöü\n".encode() + b"2,caf\xe9\n3,\xfc\n"
    table = open_table(save(tmp_path / "x.csv", data))
    assert "UTF-8 with broken bytes, which were replaced by \ufffd: 2" in table.notes[0]
    assert [row.values["text"] for row in table.rows()] == ["Grüße äöü", "caf\ufffd", "\ufffd"]


# ------------------------------------------------------------------------------------------------------------- JSON


@pytest.mark.parametrize(
    ("text", "value", "odd"),
    [
        ('{"a": NaN, "b": [Infinity, -Infinity]}', {"a": None, "b": [None, None]}, "NaN or Infinity"),
        ('{"a": 1},', {"a": 1}, "end with a comma"),
        ('{"a": 1, "b": {"c": 1, "c": 2}}', {"a": 1, "b": {"c": 2}}, "keys that occur twice in one JSON object"),
        ('{"a": "x\ty"}', {"a": "x\ty"}, "control characters"),
        ('{"a": "\\ud83d"}', {"a": "\ufffd"}, "halves of characters"),
        ('{"a:\\\\": 1, "b": "\\": c", "d": "\\\\"}', {"a:\\": 1, "b": '": c', "d": "\\"}, None),
    ],
)
def test_json_that_is_odd_is_read_and_told(text: str, value: Any, odd: str | None) -> None:
    read, told = decode_json(text.encode())
    assert read == value
    assert odd in told if odd and told else told is odd


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": 1,}', "a trailing comma"),
        ('{"a": [1, 2,]}', "a trailing comma"),
        ("{'a': 1}", "single quotation marks, where JSON has double ones"),
        ('{"a": "x', "truncated, it ends in the middle of a value"),
        ('{"a": 1}, {"b": 2}', "a second JSON value after the first"),
        ('{"a": 1}{"b": 2}', "a second JSON value after the first"),
        ('{"a" 1}', "expecting ':' delimiter"),
    ],
)
def test_a_line_that_is_not_json_is_told_with_its_reason(text: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(NotJson) as caught:
        decode_json(text.encode())
    assert caught.value.reason == reason
    [_, row] = open_table(save(tmp_path / "x.jsonl", f'{{"a": 1}}\n{text}\n'.encode())).rows()
    assert (row.place, row.fault) == ("x.jsonl:2", f"not a JSON object: {reason}")


def test_a_rating_that_is_missing_costs_no_conversation(tmp_path: Path) -> None:
    chat = json.dumps([{"role": "user", "content": "Hi"}, {"role": "agent", "content": "Yo"}])
    lines = f'{{"id": "a", "csat": NaN, "messages": {chat}}}\n{{"id": "b", "csat": 4.0, "messages": {chat}}}\n'
    tally = Tally()
    rows = open_table(save(tmp_path / "x.jsonl", lines.encode())).rows()
    found = list(conversations(rows, Columns(id="id", messages="messages"), tally))
    assert [(conversation.id, conversation.metadata) for conversation in found] == [("a", {}), ("b", {"csat": 4.0})]
    assert "NaN or Infinity in JSON, read as a missing value: 1 (x.jsonl:1)" in tally.report().notes


# ---------------------------------------------------------------------------------------------- text decoded wrongly


@pytest.mark.parametrize("codec", ["cp1252", "cp1250", "mac_roman", "cp850"])
@pytest.mark.parametrize("word", ["Müller", "don’t", "„gut“", "30 €", "Größe"])
def test_text_that_was_decoded_wrongly_is_seen(word: str, codec: str) -> None:
    garbled = word.encode().decode(codec, "replace")
    assert mojibake(f"Hello {garbled}") is not None


@pytest.mark.parametrize(
    ("text", "was", "taken_for"),
    [
        ("Где мой заказ?", "utf-8", "cp1251"),
        ("Де моє замовлення?", "utf-8", "cp1251"),
        ("Můj účet nefunguje", "utf-8", "cp1250"),
        ("Где мой заказ?", "cp1251", "cp1252"),
        ("Πού είναι το δέμα;", "cp1253", "cp1252"),
    ],
)
def test_other_letters_that_were_decoded_wrongly_are_seen(text: str, was: str, taken_for: str) -> None:
    assert mojibake(text.encode(was).decode(taken_for, "replace")) is not None


@pytest.mark.parametrize(
    "text",
    [
        "СССР, РФ: Рівне, Січень, Рік і Сім'я",
        "Îşi ia. Îşi dă. ROMÂNĂ»",
        "Müller’s «CAFÉ» – “Größe” für 30 € … ÄÖÜ, À bientôt, NÃO, São Paulo, Ångström",
        "IRMÃ’ MANHÃ” Å»",
        "Здравствуйте, ДА; Ελληνικά; 你好; שלום",
        "100 °C, ½ ©, √2 ± 3, ┌─┐",
    ],
)
def test_ordinary_text_is_not_taken_for_wrongly_decoded(text: str) -> None:
    assert mojibake(text) is None


def test_wrongly_decoded_text_is_told_with_an_example_and_not_repaired() -> None:
    tally = Tally()
    turns = (Turn(role="customer", text="Herr MÃ¼ller donâ€™t"), Turn(role="agent", text="Gr\ufffd\ufffde"))
    tally.count_conversation(Conversation(id="7", turns=turns))
    notes = tally.report().notes
    assert "conversations with text that was decoded wrongly before it was exported: 1 (7: MÃ¼ller for Müller)" in notes
    assert "conversations with \ufffd, where characters were lost: 1 (7)" in notes
