"""Logs of other programs as texts: recognized, matched with the split's conversations, or refused with the reason."""

from __future__ import annotations

import csv
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import liftbench
from liftbench.errors import UsageError
from liftbench.files import write_lines
from liftbench.measuring import logs
from liftbench.measuring.logs import ReadLog, mapping_names, read_log, read_mapping
from liftbench.measuring.transcripts import TranscriptIndex, squeeze
from liftbench.records.conversation import Conversation, Turn
from liftbench.text.transcript import transcript

from ..conftest import Outcome

Write = Callable[..., Path]


def text_of(one: Conversation) -> str:
    return f"Summary of {one.id}."


def lm_eval(conversations: list[Conversation], *, ids: bool = True, filters: tuple[str, ...] = ("none",)) -> list[Any]:
    """As `--log_samples` writes it."""
    return [
        {
            "doc_id": number,
            "doc": {"dialogue": transcript(one.turns), **({"id": one.id} if ids else {})},
            "target": one.references[0],
            "arguments": {"gen_args_0": {"arg_0": f"Summarize:\n{transcript(one.turns)}\n", "arg_1": {"until": []}}},
            "resps": [[text_of(one)]],
            "filtered_resps": [text_of(one) if name == "none" else f"{name} {text_of(one)}"],
            "filter": name,
            "doc_hash": "ab",
        }
        for number, one in enumerate(conversations)
        for name in filters
    ]


def inspect(conversations: list[Conversation], *, epochs: int = 1, ids: bool = True) -> dict[str, Any]:
    """As `inspect log convert --to json` writes it."""
    return {
        "version": 2,
        "status": "success",
        "eval": {"task": "summaries", "model": "openai/gpt-x", "packages": {"inspect_ai": "0.3.9"}},
        "samples": [
            {
                "id": one.id if ids else number,
                "epoch": epoch,
                "input": f"Summarize: {transcript(one.turns)}",
                "target": "",
                "output": {
                    "model": "gpt-x",
                    "choices": [{"message": {"role": "assistant", "content": text_of(one)}, "stop_reason": "stop"}],
                    "completion": text_of(one) if epoch == 1 else f"{epoch} {text_of(one)}",
                },
            }
            for number, one in enumerate(conversations, start=1)
            for epoch in range(1, epochs + 1)
        ],
    }


def promptfoo(conversations: list[Conversation], *providers: str) -> list[Any]:
    """The results of `promptfoo eval`."""
    return [
        {
            "promptIdx": 0,
            "testIdx": number,
            "vars": {"id": one.id, "conversation": transcript(one.turns)},
            "prompt": {"raw": f"Summarize {transcript(one.turns)}", "label": "p"},
            "provider": {"id": provider, "label": ""},
            "response": {"output": text_of(one) if provider == "a" else f"{provider} {text_of(one)}"},
            "success": True,
        }
        for number, one in enumerate(conversations)
        for provider in providers or ("a",)
    ]


def foo_document(results: list[Any]) -> dict[str, Any]:
    return {"evalId": "eval-1", "results": {"version": 3, "results": results}, "metadata": {"promptfooVersion": "0.99"}}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(name: str, content: Any) -> Path:
        path = tmp_path / name
        if name.endswith(".jsonl"):
            path.write_text("".join(json.dumps(row) + "\n" for row in content))
        elif name.endswith(".csv"):
            with path.open("w", newline="") as file:
                writer = csv.DictWriter(file, content[0])
                writer.writeheader()
                writer.writerows(content)
        else:
            path.write_text(json.dumps(content))
        return path

    return write_file


def read(path: Path, conversations: list[Conversation], **options: Any) -> ReadLog:
    return read_log(path, {one.id: one for one in conversations}, [one.id for one in conversations], **options)


@pytest.mark.parametrize(
    ("name", "make", "title"),
    [
        ("samples_task.jsonl", lm_eval, "lm-evaluation-harness"),
        ("samples_task.jsonl", lambda all_: lm_eval(all_, ids=False), "lm-evaluation-harness"),
        ("log.json", inspect, "Inspect, model openai/gpt-x, task summaries, version 0.3.9"),
        ("log.json", lambda all_: inspect(all_, ids=False), "Inspect"),
        ("results.json", lambda all_: foo_document(promptfoo(all_)), "promptfoo, version 0.99, run eval-1"),
        ("results.jsonl", promptfoo, "promptfoo"),
        ("t.csv", lambda all_: [{"conversation_id": c.id, "summary": text_of(c), "x": 1} for c in all_], "a table"),
        ("t.jsonl", lambda all_: [{"dialog_id": c.id, "generated_text": text_of(c)} for c in all_], "a table"),
        ("t.json", lambda all_: {"predictions": [{"id": c.id, "prediction": text_of(c)} for c in all_]}, "a table"),
        ("t.json", lambda all_: [{"id": c.id, "output": text_of(c)} for c in all_], "a table"),
    ],
)
def test_a_log_is_recognized_and_every_text_finds_its_conversation(
    name: str, make: Any, title: str, conversations: list[Conversation], write: Write
) -> None:
    content = make(conversations)
    if isinstance(content, list):
        random.Random(0).shuffle(content)
    found = read(write(name, content), conversations)
    assert found.texts == {one.id: text_of(one) for one in conversations}
    assert found.notes[0].startswith(f"the texts are from {title}")


@pytest.mark.parametrize(
    ("name", "make", "several", "key", "values"),
    [
        ("s.jsonl", lambda all_: lm_eval(all_, filters=("none", "strict")), "filter=", "filter", ("none", "strict")),
        ("log.json", lambda all_: inspect(all_, epochs=3), "epoch=1", "epoch", ("1", "3")),
        ("r.jsonl", lambda all_: promptfoo(all_, "a", "b"), "provider=a", "provider", ("a", "b")),
    ],
)
def test_several_texts_of_a_conversation_must_be_chosen_from(
    name: str,
    make: Any,
    several: str,
    key: str,
    values: tuple[str, str],
    conversations: list[Conversation],
    write: Write,
) -> None:
    path = write(name, make(conversations))
    with pytest.raises(UsageError, match="12 conversations have several records") as caught:
        read(path, conversations)
    assert f"--pick {several}" in (caught.value.fix or "")
    plain, other = (read(path, conversations, picked={key: value}) for value in values)
    assert plain.texts == {one.id: text_of(one) for one in conversations}
    assert other.texts == {one.id: f"{values[1]} {text_of(one)}" for one in conversations}
    assert plain.sha256 != other.sha256
    with pytest.raises(UsageError, match="no record has the picked values"):
        read(path, conversations, picked={key: "absent"})
    with pytest.raises(UsageError, match="unknown key of --pick"):
        read(path, conversations, picked={"wrong": "1"})


def test_what_does_not_fit_the_split_is_named(conversations: list[Conversation], write: Write) -> None:
    rows = lm_eval(conversations)
    with pytest.raises(UsageError, match="lacks 2 of 12"):
        read(write("a.jsonl", rows[:-2]), conversations)
    foreign = lm_eval([Conversation(id="zz", turns=conversations[0].turns[:1], references=("x",))])
    foreign[0]["doc"]["dialogue"] = foreign[0]["arguments"]["gen_args_0"]["arg_0"] = "Something else."
    with pytest.raises(UsageError, match=r"1 record of 13 belong to no conversation of the split \(zz"):
        read(write("b.jsonl", [*rows, *foreign]), conversations)


def test_a_text_that_two_conversations_share_is_not_guessed(conversations: list[Conversation], write: Write) -> None:
    both = [*conversations, Conversation(id="twin", turns=conversations[0].turns, references=("x",))]
    with pytest.raises(UsageError, match="belong to no conversation"):
        read(write("a.jsonl", lm_eval(both, ids=False)), both)


def test_an_id_that_belongs_to_another_transcript_is_refused(conversations: list[Conversation], write: Write) -> None:
    log = inspect(conversations)
    first, second = log["samples"][:2]
    first["id"], second["id"] = second["id"], first["id"]
    with pytest.raises(UsageError, match="2 records of 12 have the id of one conversation and the transcript"):
        read(write("log.json", log), conversations)


@pytest.mark.parametrize(("column", "words"), [("summary", "summary and prediction"), ("output", "prediction and out")])
def test_which_of_two_columns_the_model_wrote_is_not_guessed(
    column: str, words: str, conversations: list[Conversation], write: Write
) -> None:
    rows = [{"id": one.id, column: one.references[0], "prediction": text_of(one)} for one in conversations]
    with pytest.raises(UsageError, match=words):
        read(write("t.csv", rows), conversations)


def test_an_empty_answer_stays_empty_and_a_missing_one_is_refused(
    conversations: list[Conversation], write: Write
) -> None:
    rows = lm_eval(conversations)
    rows[0]["filtered_resps"] = [""]
    assert read(write("a.jsonl", rows), conversations).texts[conversations[0].id] == ""
    bare = [{"id": one.id, "prediction": text_of(one)} for one in conversations]
    del bare[1]["prediction"]
    with pytest.raises(UsageError, match=rf"1 conversation have a record without a text \({conversations[1].id}"):
        read(write("b.jsonl", bare), conversations)


def test_several_texts_in_one_record_are_refused(conversations: list[Conversation], write: Write) -> None:
    rows = lm_eval(conversations)
    for row in rows:
        row["filtered_resps"] = [["one", "two"]]
    with pytest.raises(UsageError, match="12 conversations have several texts in one record"):
        read(write("a.jsonl", rows), conversations)


def test_a_request_that_failed_is_no_empty_summary(conversations: list[Conversation], write: Write) -> None:
    rows = promptfoo(conversations)
    rows[3] |= {"response": {}, "error": "API error: 429"}
    with pytest.raises(UsageError, match=rf"failed on 1 conversation \({conversations[3].id}"):
        read(write("r.jsonl", rows), conversations)


def test_a_mapping_of_ones_own_reads_any_log(conversations: list[Conversation], write: Write, tmp_path: Path) -> None:
    own = tmp_path / "mine.toml"
    own.write_text('title = "ours"\nrecords = "deep.rows"\nid = "who"\ntext = "said.last"\n')
    document = {"deep": {"rows": [{"who": one.id, "said": {"last": text_of(one)}} for one in conversations]}}
    path = write("log.json", document)
    with pytest.raises(UsageError, match="was not recognized"):
        read(path, conversations)
    assert read(path, conversations, form=str(own)).texts == {one.id: text_of(one) for one in conversations}
    own.write_text('title = "ours"\nid = "who"\ntext = "said"\ntypo = "x"\n')
    with pytest.raises(UsageError, match="typo"):
        read(path, conversations, form=str(own))
    with pytest.raises(UsageError, match="unknown format 'inspct'"):
        read(path, conversations, form="inspct")


def test_every_shipped_mapping_is_whole() -> None:
    assert mapping_names() == ["inspect", "lm-eval", "promptfoo", "table"]
    for name in mapping_names():
        mapping = read_mapping(name)
        assert mapping.signature
        assert mapping.source
        assert mapping.what


def test_the_mapping_in_the_documentation_is_one(tmp_path: Path) -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "foreign-predictions.md"
    (tmp_path / "mine.toml").write_text(page.read_text().partition("```text\n")[2].partition("```")[0])
    mapping = read_mapping(str(tmp_path / "mine.toml"))
    assert (mapping.title, mapping.pick) == ("our pipeline", {"model": "model"})


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b"nonsense", b"[" * 100_000, b"\xff\xfe{", b'{"samples": 3}', b"[1, 2]", b"null"]
)
@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.csv"])
def test_damaged_files_are_errors(data: bytes, name: str, conversations: list[Conversation], tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UsageError):
        read(tmp_path / name, conversations)


KEYS = st.sampled_from(["samples", "id", "text", "doc", "epoch", "output", "vars", "results", "doc_id", "testIdx"])
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.text() | st.integers(),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner),
    max_leaves=20,
)


@given(document=DOCUMENTS)
def test_any_document_is_refused_in_words(tmp_path_factory: pytest.TempPathFactory, document: Any) -> None:
    path = tmp_path_factory.mktemp("logs") / "log.json"
    path.write_text(json.dumps(document))
    with pytest.raises(UsageError):
        read_log(path, {}, ["c1"])


def test_a_file_that_is_too_large_is_not_read(
    conversations: list[Conversation], write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LARGEST", 10)
    with pytest.raises(UsageError, match="is larger than"):
        read(write("a.json", inspect(conversations)), conversations)


def test_a_log_is_scored_on_the_command_line(
    command_line: Callable[..., Outcome], conversations: list[Conversation], write: Write, tmp_path: Path
) -> None:
    folder = tmp_path / "support"
    folder.mkdir()
    write_lines(folder / "validation.jsonl", conversations)
    options = ("--dataset", str(folder), "--runs", str(tmp_path / "runs"))
    path = write("log.json", inspect(conversations, epochs=2))
    told = command_line("score", "--predictions", str(path), *options)
    assert (told.code, "--pick epoch=1" in told.err) == (2, True)
    done = command_line("score", "--predictions", str(path), "--pick", "epoch=2", "--name", "gpt-x", *options)
    assert done.code == 0, done.err
    [run] = map(liftbench.load_run, (tmp_path / "runs").glob("2*"))
    assert {id_: one.text for id_, one in run.predictions.items()} == {
        one.id: f"2 {text_of(one)}" for one in conversations
    }
    assert "picked: epoch 2" in run.manifest.notes
    wrong = command_line("score", "smollm2-135m", "--pick", "epoch=2", *options)
    assert (wrong.code, "are for --predictions" in wrong.err) == (2, True)


# ------------------------------------------------------------------------------------------------- archives of Inspect


def archive(path: Path, document: dict[str, Any], *, zstandard: bool = False, apart: bool = False) -> Path:
    """As Inspect writes it: a file for each sample, and with `apart` the layout of very large samples."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name in ("start.json", "header.json"):
            made.writestr(name, json.dumps({key: document[key] for key in ("version", "status", "eval")}))
        for sample in document["samples"]:
            name = f"samples/{sample['id']}_epoch_{sample['epoch']}"
            events = {"events": [{"event": "model", "output": {"completion": "an earlier try"}}] * 3}
            if apart:
                made.writestr(f"{name}/sample.json", json.dumps(sample))
                made.writestr(f"{name}/metadata.json", json.dumps({"conversation_id": sample["id"]}))
                made.writestr(f"{name}/events/0.json", json.dumps(events["events"]))
            else:
                made.writestr(f"{name}.json", json.dumps(sample | events))
        made.writestr("summaries.json", "[]")
    return pack_again(path) if zstandard else path


def pack_again(path: Path) -> Path:
    """The same archive compressed with Zstandard, in two frames each: the bytes of APPNOTE.TXT, 4.3.7 and 4.3.12."""
    pyarrow = pytest.importorskip("pyarrow")
    codec = pyarrow.Codec("zstd")
    with zipfile.ZipFile(path) as old:
        members = [(info.filename, old.read(info)) for info in old.infolist()]
    local, central = b"", b""
    for name, data in members:
        half = len(data) // 2
        packed = codec.compress(data[:half], asbytes=True) + codec.compress(data[half:], asbytes=True)
        common = struct.pack("<HHHHHIIIHH", 63, 0, 93, 0, 33, zlib.crc32(data), len(packed), len(data), len(name), 0)
        central += b"PK\1\2" + struct.pack("<H", 63) + common
        central += struct.pack("<HHHII", 0, 0, 0, 0, len(local)) + name.encode()
        local += b"PK\3\4" + common + name.encode() + packed
    end = struct.pack("<HHHHIIH", 0, 0, len(members), len(members), len(central), len(local), 0)
    path.write_bytes(local + central + b"PK\5\6" + end)
    return path


@pytest.mark.parametrize("how", [{}, {"zstandard": True}, {"apart": True}, {"zstandard": True, "apart": True}])
@pytest.mark.parametrize("ids", [True, False])
def test_an_archive_of_inspect_is_read_as_its_json_is(
    how: dict[str, bool], ids: bool, conversations: list[Conversation], tmp_path: Path
) -> None:
    path = archive(tmp_path / "log.eval", inspect(conversations, ids=ids), **how)
    found = read(path, conversations)
    assert found.texts == {one.id: text_of(one) for one in conversations}
    assert found.notes[0] == "the texts are from Inspect, model openai/gpt-x, task summaries, version 0.3.9"


def test_an_archive_is_scored_on_the_command_line(
    command_line: Callable[..., Outcome], conversations: list[Conversation], tmp_path: Path
) -> None:
    write_lines(tmp_path / "support" / "validation.jsonl", conversations)
    path = archive(tmp_path / "log.eval", inspect(conversations))
    options = ("--dataset", str(tmp_path / "support"), "--runs", str(tmp_path / "runs"))
    done = command_line("score", "--predictions", str(path), *options)
    assert done.code == 0, done.err


@pytest.mark.parametrize("zstandard", [False, True])
def test_an_archive_is_unpacked_within_bounds_only(
    zstandard: bool, conversations: list[Conversation], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = inspect(conversations)
    document["samples"][0]["metadata"] = {"much": "0" * 2**20}
    path = archive(tmp_path / "log.eval", document, zstandard=zstandard)
    assert path.stat().st_size < 2**17
    monkeypatch.setattr(logs, "LARGEST", 2**17)
    with pytest.raises(UsageError, match="when it is unpacked"):
        read(path, conversations)


@pytest.mark.parametrize("zstandard", [False, True])
def test_an_archive_that_hides_how_large_it_is_is_refused(
    zstandard: bool, conversations: list[Conversation], tmp_path: Path
) -> None:
    path = archive(tmp_path / "log.eval", inspect(conversations), zstandard=zstandard)
    with zipfile.ZipFile(path) as old:
        size = max(info.file_size for info in old.infolist())
    path.write_bytes(path.read_bytes().replace(struct.pack("<I", size), struct.pack("<I", 20)))
    with pytest.raises(UsageError, match=r"cannot read the log|Convert"):
        read(path, conversations)


@pytest.mark.parametrize("data", [b"", b"PK\5\6" + bytes(18), b"no archive", b"PK\3\4" + bytes(60)])
def test_what_is_no_archive_is_refused(data: bytes, conversations: list[Conversation], tmp_path: Path) -> None:
    (tmp_path / "log.eval").write_bytes(data)
    with pytest.raises(UsageError, match=r"log\.eval"):
        read(tmp_path / "log.eval", conversations)


@given(damage=st.integers(0, 10**6), value=st.integers(0, 255), zstandard=st.booleans())
@settings(max_examples=60)
def test_a_damaged_archive_is_refused_or_reads_the_same(
    damage: int, value: int, zstandard: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    talks = [
        Conversation(id=f"c{number}", turns=(Turn(role="customer", text=f"number {number}"),)) for number in range(3)
    ]
    path = archive(tmp_path_factory.mktemp("eval") / "log.eval", inspect(talks), zstandard=zstandard)
    data = bytearray(path.read_bytes())
    data[damage % len(data)] = value
    path.write_bytes(data)
    try:
        found = read(path, talks)
    except UsageError:
        return
    assert found.texts == {one.id: text_of(one) for one in talks}


# ----------------------------------------------------------------------------------------------------- failed requests


def test_a_sample_that_ended_with_an_error_is_refused_even_with_a_text(
    conversations: list[Conversation], write: Write, tmp_path: Path
) -> None:
    document = inspect(conversations)
    document["samples"][3]["error"] = {"message": "the sandbox is gone", "traceback": "", "traceback_ansi": ""}
    words = f"Inspect failed on 1 conversation \\({conversations[3].id}\\)"
    for path in (write("log.json", document), archive(tmp_path / "log.eval", document)):
        with pytest.raises(UsageError, match=words):
            read(path, conversations)


def test_an_assertion_of_promptfoo_that_failed_is_no_failed_request(
    conversations: list[Conversation], write: Write
) -> None:
    rows = promptfoo(conversations)
    for row in rows[:2]:
        row |= {"error": "Expected output to contain 'refund'", "failureReason": 1, "success": False}
    assert read(write("r.jsonl", rows), conversations).texts == {one.id: text_of(one) for one in conversations}
    rows[4] |= {"error": "429", "failureReason": 2, "success": False}
    with pytest.raises(UsageError, match="promptfoo failed on 1 conversation"):
        read(write("r.jsonl", rows), conversations)


# ------------------------------------------------------------------------------------------ whose transcript it is


def test_a_chat_is_searched_as_a_whole(conversations: list[Conversation], write: Write) -> None:
    document = inspect(conversations, ids=False)
    for sample in document["samples"]:
        sample["input"] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": sample["input"]}]
    assert read(write("log.json", document), conversations).texts == {c.id: text_of(c) for c in conversations}
    rows = promptfoo(conversations)
    for row in rows:
        chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": row["prompt"]["raw"]}]
        row["prompt"]["raw"] = json.dumps(chat)
        row["vars"] = {"topic": "x"}
    assert read(write("r.jsonl", rows), conversations).texts == {c.id: text_of(c) for c in conversations}


@given(
    st.lists(st.text("ab ", max_size=60), max_size=6, unique=True),
    st.lists(st.integers(0, 6), max_size=4),
    st.text("ab ", max_size=9),
)
def test_the_index_finds_what_looking_at_all_transcripts_finds(
    texts: list[str], shown: list[int], between: str
) -> None:
    talks = [
        Conversation(id=str(number), turns=(Turn(role="customer", text=text),)) for number, text in enumerate(texts)
    ]
    index = TranscriptIndex(talks)
    given_text = squeeze(between.join(transcript(talks[number].turns) for number in shown if number < len(talks)))
    there = [one.id for one in talks if squeeze(transcript(one.turns)) in given_text]
    assert index.only_one_in(given_text) == (there[0] if len(there) == 1 else None)


def test_rows_with_id_and_text_that_a_program_logged_are_read_as_its_log(
    command_line: Callable[..., Outcome], conversations: list[Conversation], write: Write, tmp_path: Path
) -> None:
    """`id` is the result's own here, and `text` something else than what the model wrote."""
    write_lines(tmp_path / "support" / "validation.jsonl", conversations)
    options = ("--dataset", str(tmp_path / "support"), "--runs", str(tmp_path / "runs"))
    rows = [row | {"id": f"result-{number}", "text": "no"} for number, row in enumerate(promptfoo(conversations))]
    done = command_line("score", "--predictions", str(write("rows.jsonl", rows)), *options)
    assert done.code == 0, done.err
    plain = [{"id": one.id, "text": text_of(one), "model": "m", "doc": 1} for one in conversations]
    done = command_line("score", "--predictions", str(write("plain.jsonl", plain)), *options)
    assert done.code == 0, done.err
    for run in map(liftbench.load_run, (tmp_path / "runs").glob("2*")):
        assert {id_: one.text for id_, one in run.predictions.items()} == {c.id: text_of(c) for c in conversations}
