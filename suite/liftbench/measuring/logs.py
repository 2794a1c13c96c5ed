"""Reads the logs of other programs as texts to score, by declared mappings: lm-eval, Inspect, promptfoo, plain tables.

A mapping is TOML (`liftbench/logs/*.toml`, or a user's own): where the records are, and the paths of id, text and more
(`a.b|c`: keys and their fallbacks; a list stands for its first item). A record belongs to the conversation of its id.
Where that is none of the split's, it belongs to the one conversation whose transcript stands in what the model was
given.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from ..data.intake.columns import plain_name
from ..data.intake.json_text import NotJson, decode_json
from ..data.intake.tables import open_table
from ..data.intake.values import words
from ..errors import UsageError, unknown
from ..files import digest, file_sha256
from ..records.conversation import Conversation
from ..text.phrases import join_words, pluralize
from .inspect_archive import read_archive
from .transcripts import TranscriptIndex, squeeze

LARGEST = 2**30
"""The largest file that is read, because a document has to be in memory as a whole."""

LINES = (".jsonl", ".ndjson")
TABLES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet", ".pq")

ARCHIVES = (".eval",)

SHOWN = 3
"""Names in an error."""


class LogMapping(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a program's log has what is needed; all values are paths with fallbacks (`a.b|c`)."""

    title: str
    what: str = ""
    source: str = ""
    """Where the format is documented."""
    records: str = ""
    """The list of records in a document; each line of JSON Lines, and each row of a table, is one."""
    signature: tuple[str, ...] = ()
    """Paths that every record of this format has."""
    id: str
    text: str
    one_of: bool = False
    """A record may have one of the keys of `text` only: which of two columns the model wrote is not known."""
    input: str = ""
    """What the model was given: it finds the conversation where the id is none of the split's, and checks it."""
    problem: str = ""
    """An error that the program met: a record with one and without a text has failed."""
    failed: str = ""
    """Path, or `path=value`: a record with it has failed, even where it has a text."""
    pick: dict[str, str] = {}
    """What tells several records of a conversation apart: name → path."""
    about: dict[str, str] = {}
    """What the document says about all records: name → path."""


class ReadLog(Struct, frozen=True, kw_only=True):
    """The texts of a log."""

    texts: dict[str, str]
    """Conversation → text."""
    sha256: str
    """Hash of the file and of how it was read."""
    notes: tuple[str, ...]
    """What readers of the run must know."""


def mapping_names() -> list[str]:
    """The formats that are known."""
    folder = resources.files("liftbench") / "logs"
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))


def read_mapping(name: str) -> LogMapping:
    """A mapping by its name, or by the path of a TOML file. Raises `UsageError` if there is none or it is wrong."""
    if name in mapping_names():
        text = (resources.files("liftbench") / "logs" / f"{name}.toml").read_bytes()
    elif name.endswith(".toml"):
        try:
            text = Path(name).read_bytes()
        except OSError as error:
            raise UsageError(f"cannot read the mapping {name}: {error.strerror}") from error
    else:
        raise unknown("format", name, mapping_names())
    try:
        return msgspec.toml.decode(text, type=LogMapping)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"the mapping {name}: {error}", "See docs/foreign-predictions.md for its keys.") from error


def read_log(
    path: Path,
    conversations: Mapping[str, Conversation],
    scored: Sequence[str],
    *,
    form: str = "",
    picked: Mapping[str, str] | None = None,
) -> ReadLog:
    """The texts of a log for all scored conversations.

    `form` names the format or a file with a mapping; without it, the format is recognized by its records. `picked`
    chooses among several records of a conversation. Raises `UsageError` where the file cannot be read or its format is
    not recognized, for records of no conversation or several of one, and where a scored conversation has none.
    """
    document, records, sha256 = _read(path)
    name, mapping = _recognize(path, form, document, records)
    records = _objects(document, mapping.records) or records
    chosen = _choose(path, mapping, records, picked or {})
    found = _assign(path, mapping, chosen, conversations)
    texts = {id_: _answer(record, mapping) for id_, record in found.items()}
    if failed := [id_ for id_, record in found.items() if _has_failed(record, mapping, texts[id_])]:
        raise UsageError(
            f"{path}: {mapping.title} failed on {pluralize(len(failed), 'conversation')} ({_some(failed)})",
            "Let it run again for them; a failed request is no summary.",
        )
    _require_answers(path, mapping, found, texts)
    missing = [id_ for id_ in scored if id_ not in found]
    if missing:
        raise UsageError(
            f"{path} lacks {len(missing)} of {len(scored)} conversations ({_some(missing)})",
            "Add a text for each, even an empty one, or score fewer (--limit).",
        )
    about = {key: text for key, at in mapping.about.items() if (text := _text(document, at))}
    notes = [f"the texts are from {mapping.title}" + "".join(f", {key} {text}" for key, text in about.items())]
    notes += [f"picked: {', '.join(f'{key} {value}' for key, value in picked.items())}"] if picked else []
    notes.append("which weights, precision, prompt and decoding made them is what the log says, and was not checked")
    return ReadLog(
        texts={id_: text or "" for id_, text in texts.items()},
        sha256=digest(sha256, name, mapping, dict(picked or {})),
        notes=tuple(notes),
    )


def _has_failed(record: Mapping[str, Any], mapping: LogMapping, text: str | None) -> bool:
    if mapping.failed:
        at, equals, value = mapping.failed.partition("=")
        if _text(record, at) == value if equals else _is_there(record, at):
            return True
    return not text and bool(mapping.problem and _text(record, mapping.problem))


def _answer(record: Mapping[str, Any], mapping: LogMapping) -> str | None:
    """The text behind the first key that is there, even an empty one; None where no key is there."""
    there = [keys for keys in mapping.text.split("|") if _is_there(record, keys)]
    return words(_at(record, there[0].split("."))) or "" if there else None


def _require_answers(
    path: Path, mapping: LogMapping, found: Mapping[str, Mapping[str, Any]], texts: Mapping[str, str | None]
) -> None:
    """Raises `UsageError` for records without a text, or with several of which nothing says which one counts."""
    if bare := [id_ for id_, text in texts.items() if text is None]:
        raise UsageError(
            f"{path}: {pluralize(len(bare), 'conversation')} have a record without a text ({_some(bare)})",
            "Write an empty text where the program answered nothing.",
        )
    keys = mapping.text.split("|")
    columns = {id_: [key for key in keys if _is_there(record, key)] for id_, record in found.items()}
    if mapping.one_of and (both := next((there for there in columns.values() if len(there) > 1), None)):
        raise UsageError(
            f"{path}: {join_words(both)} could each be the text to score",
            "Leave one of them, or name it in a mapping of your own: --format my-mapping.toml.",
        )
    several = [id_ for id_, record in found.items() if _has_several(record, columns[id_][0].split("."))]
    if several:
        raise UsageError(
            f"{path}: {pluralize(len(several), 'conversation')} have several texts in one record ({_some(several)})",
            "Let the program keep one text, as by its filter, or write one record for each.",
        )


def _has_several(value: Any, keys: Sequence[str]) -> bool:
    """Whether a list with more than one item lies on the way to a value, or is it."""
    for key in (*keys, None):
        while isinstance(value, list):
            if len(value) > 1:
                return True
            value = value[0] if value else None
        if key is not None:
            value = value.get(key) if isinstance(value, Mapping) else None
    return False


def _read(path: Path) -> tuple[Any, list[Mapping[str, Any]], str]:
    """The document (None for lines and tables), the records, and the file's hash."""
    name = path.name.lower()
    try:
        if path.stat().st_size > LARGEST:
            raise UsageError(f"{path} is larger than {LARGEST // 2**30} GiB", "Split it, or write JSON Lines of texts.")
        data = b"" if name.endswith(ARCHIVES) else path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read the predictions {path}: {error.strerror}") from error
    if name.endswith(ARCHIVES):
        return read_archive(path, LARGEST), [], file_sha256(path)
    sha256 = hashlib.sha256(data).hexdigest()
    if name.endswith(TABLES):
        return None, _rows(path), sha256
    if name.endswith(LINES):
        return None, list(_lines(path, data)), sha256
    document = _decode(data, str(path))
    records = document if isinstance(document, list) else []
    return document, [record for record in records if isinstance(record, Mapping)], sha256


def _rows(path: Path) -> list[Mapping[str, Any]]:
    rows: list[Mapping[str, Any]] = []
    for row in open_table(path).rows():
        if row.fault:
            raise UsageError(f"{path}, row {row.number}: {row.fault}")
        rows.append(row.values)
    return rows


def _lines(path: Path, data: bytes) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(data.splitlines(), start=1):
        if line.strip():
            value = _decode(line, f"{path}, line {number}")
            if not isinstance(value, Mapping):
                raise UsageError(f"{path}, line {number}: it is no object", "Write each line as one JSON object.")
            yield value


def _decode(data: bytes, place: str) -> Any:
    try:
        return decode_json(data.removeprefix(b"\xef\xbb\xbf"))[0]
    except (NotJson, RecursionError) as error:
        raise UsageError(f"{place}: {error or 'nested too deeply'}") from error


def is_logged(row: Mapping[str, Any]) -> bool:
    """Whether a line of JSON Lines is a record of a program's log, and not one of a table."""
    return any(
        all(_is_there(row, at) for at in read_mapping(name).signature) for name in mapping_names() if name != "table"
    )


def _recognize(path: Path, form: str, document: Any, records: list[Mapping[str, Any]]) -> tuple[str, LogMapping]:
    if form:
        return form, read_mapping(form)
    for name in sorted(mapping_names(), key=lambda each: each == "table"):
        mapping = read_mapping(name)
        own = _objects(document, mapping.records) or records
        named = f"{mapping.id}|{mapping.input}" if mapping.input else mapping.id
        if own and all(_is_there(own[0], at) for at in (*mapping.signature, named)):
            return name, mapping
    known = join_words([f"{name} ({read_mapping(name).what})" for name in mapping_names()])
    raise UsageError(
        f"{path}: the format of these predictions was not recognized",
        f"Known: {known}. Or say where id and text are, in a mapping of your own: --format my-mapping.toml.",
    )


def _choose(
    path: Path, mapping: LogMapping, records: Sequence[Mapping[str, Any]], picked: Mapping[str, str]
) -> list[Mapping[str, Any]]:
    """The records with the picked values."""
    for key in picked:
        if key not in mapping.pick:
            raise unknown("key of --pick", key, mapping.pick)
    wanted = [(mapping.pick[key], value) for key, value in picked.items()]
    chosen = [record for record in records if all(_text(record, at) == value for at, value in wanted)]
    if records and not chosen:
        there = {key: sorted({_text(record, mapping.pick[key]) for record in records}) for key in picked}
        values = "; ".join(f"{key}: {_some(values, '; ')}" for key, values in there.items())
        raise UsageError(f"{path}: no record has the picked values", f"It has {values}.")
    return chosen


def _assign(
    path: Path, mapping: LogMapping, records: Sequence[Mapping[str, Any]], conversations: Mapping[str, Conversation]
) -> dict[str, Mapping[str, Any]]:
    """Conversation → its record."""
    found: dict[str, Mapping[str, Any]] = {}
    twice: dict[str, Mapping[str, Any]] = {}
    strangers = []
    crossed = []
    index = TranscriptIndex(conversations.values()) if mapping.input else None
    for number, record in enumerate(records, start=1):
        id_ = _text(record, mapping.id)
        given = squeeze(_everything(record, mapping.input)) if index else ""
        if index and given and (id_ not in conversations or index.transcripts[id_] not in given):
            whose = index.only_one_in(given)
            if whose and id_ in conversations:
                crossed.append(f"{id_} is {whose}")
            id_ = id_ if id_ in conversations else whose or id_
        if id_ not in conversations:
            strangers.append(id_ or f"record {number}")
        elif id_ in found:
            twice[id_] = record
        else:
            found[id_] = record
    if crossed:
        raise UsageError(
            f"{path}: {pluralize(len(crossed), 'record')} of {len(records)} have the id of one conversation and the "
            f"transcript of another ({_some(crossed)})",
            "Numbers that the program gave are no ids: let each record carry the conversation's own.",
        )
    if strangers:
        first = ", ".join(list(conversations)[:2])
        raise UsageError(
            f"{path}: {pluralize(len(strangers), 'record')} of {len(records)} belong to no conversation of the split "
            f"({_some(strangers)}; its first ids: {first})",
            "Let each record carry the conversation's id, or the whole conversation in its input.",
        )
    if twice:
        differing = [
            key
            for key, at in mapping.pick.items()
            if any(_text(record, at) != _text(found[id_], at) for id_, record in twice.items())
        ]
        values = {key: Counter(_text(record, mapping.pick[key]) for record in records) for key in differing}
        shown = " ".join(f"--pick {key}={next(iter(each))}" for key, each in values.items())
        raise UsageError(
            f"{path}: {pluralize(len(twice), 'conversation')} have several records ({_some(list(twice))})",
            f"Choose one, for example: {shown}" if shown else "Leave one record for each.",
        )
    return found


def _objects(document: Any, path: str) -> list[Mapping[str, Any]]:
    """The objects in the list at a path; empty if there is no such list."""
    for keys in path.split("|"):
        found = _at(document, keys.split("."), whole=True)
        if isinstance(found, list) and found:
            return [item for item in found if isinstance(item, Mapping)]
    return []


def _text(record: Any, path: str) -> str:
    """The first text or number at a path; else the empty text."""
    return next(filter(None, (words(_at(record, keys.split("."))) for keys in path.split("|"))), "")


def _everything(record: Any, path: str) -> str:
    """All texts at a path and its fallbacks: the messages of a chat, too, also where they are JSON in a text."""
    found: list[str] = []
    left = [_at(record, keys.split("."), whole=True) for keys in reversed(path.split("|"))]
    while left:
        value = left.pop()
        if isinstance(value, str):
            messages = _messages(value)
            found += [value] if messages is None else []
            left += messages or []
        elif isinstance(value, Mapping):
            left += reversed(list(value.values()))
        elif isinstance(value, list):
            left += reversed(value)
    return "\n".join(dict.fromkeys(found))


def _messages(text: str) -> list[Any] | None:
    """The messages in a text that is a chat in JSON, as promptfoo writes it; None for any other text."""
    if not text.lstrip().startswith(("[{", "[ {", "[\n")):
        return None
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    return value if isinstance(value, list) and all(isinstance(one, Mapping) for one in value) else None


def _is_there(record: Any, path: str) -> bool:
    return any(_at(record, keys.split(".")) is not None for keys in path.split("|"))


def _at(value: Any, keys: Sequence[str], *, whole: bool = False) -> Any:
    """The value behind some keys, None if there is none; a list at its end is its first item, unless it is wanted
    `whole`. The name of a column may be written otherwise (`Conversation ID`), that of an inner key may not: lm-eval's
    `doc_id` is not `doc.id`."""
    single = len(keys) == 1
    for key in keys:
        while isinstance(value, list):
            value = value[0] if value else None
        if not isinstance(value, Mapping):
            return None
        if key not in value and single:
            key = next((name for name in value if plain_name(name) == plain_name(key)), key)
        value = value.get(key)
    while isinstance(value, list) and not whole:
        value = value[0] if value else ""
    return value


def _some(names: Sequence[str], separator: str = ", ") -> str:
    more = f"{separator}…" if len(names) > SHOWN else ""
    return separator.join(name[:60] for name in names[:SHOWN]) + more
