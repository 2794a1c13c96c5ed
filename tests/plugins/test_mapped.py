"""Data sets that the `datasets` library loads: from files, folders and the hub, their columns mapped by a recipe."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from liftbench.errors import UsageError
from liftbench.plugin_api import Columns
from liftbench.records.conversation import Conversation, Turn
from liftbench_plugins.datasets.mapped import MappedDataset, MappedOptions

from ..support.hub_stand_in import NOWHERE, Hub, ask

LOAD = """
import json, sys
from pathlib import Path
import msgspec
from liftbench.models import hub
from liftbench.errors import LiftbenchError
from liftbench_plugins.datasets.mapped import MappedDataset, MappedOptions
hub.SECONDS_TO_ANSWER = 3.0
data = MappedDataset(None, msgspec.json.decode(sys.argv[1], type=MappedOptions))
try:
    for split in data.splits():
        print(split, *(conversation.id for conversation in data.read(split)))
except LiftbenchError as error:
    print(error)
    sys.exit(error.exit_code)
"""

CALLS = [
    {"call": "c1", "dialogue": "Customer: It is late.\nAgent: We look.", "gist": "Late parcel.", "shop": "Acme"},
    {"call": "c2", "dialogue": "Customer: Broken.\nAgent: Sorry.", "gist": "Broken thing.", "shop": "Bolt"},
]

COLUMNS = {"id": "call", "transcript": "dialogue", "references": ["gist"]}


def write_lines(path: Path, *rows: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), "utf-8")
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's cache of prepared tables, apart from the user's own."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def mapped(data_dir: Path | None = None, **options: Any) -> MappedDataset:
    given = msgspec.convert({"columns": COLUMNS, **options}, MappedOptions)
    return MappedDataset(str(data_dir) if data_dir else None, given)


# ------------------------------------------------------------------------------------------------ files and folders


@pytest.mark.parametrize("form", ["json", "csv", "parquet"])
def test_files_of_each_builder_give_the_same_conversations(tmp_path: Path, form: str) -> None:
    import pyarrow
    from pyarrow import csv, parquet

    table = pyarrow.Table.from_pylist(CALLS)
    path = tmp_path / f"calls.{form}"
    if form == "csv":
        csv.write_csv(table, path)
    elif form == "parquet":
        parquet.write_table(table, path)
    else:
        write_lines(path, *CALLS)
    for data_dir, name in ((None, str(path)), (tmp_path, path.name)):
        data = mapped(data_dir, path=form, data_files={"validation": name})
        assert data.splits() == ["validation"]
        first, _ = data.read("validation")
        assert first == Conversation(
            id="c1",
            turns=(Turn(role="customer", text="It is late."), Turn(role="agent", text="We look.")),
            references=("Late parcel.",),
            metadata={"shop": "Acme"},
        )


def test_a_folder_with_renamed_splits(tmp_path: Path) -> None:
    for name in ("train", "test"):
        write_lines(tmp_path / "calls" / f"{name}.jsonl", CALLS[0], {**CALLS[1], "call": name})
    data = mapped(tmp_path, path="calls", splits={"validation": "test"})
    assert data.splits() == ["train", "validation"]
    assert [conversation.id for conversation in data.read("validation")] == ["c1", "test"]
    assert [conversation.id for conversation in data.read("train")] == ["c1", "train"]
    with pytest.raises(UsageError, match="unknown split 'test'"):
        data.read("test")


@pytest.mark.parametrize("form", ["csv", "tsv in a folder", "json"])
def test_a_text_stays_the_text_that_it_is(tmp_path: Path, form: str) -> None:
    said = [("007", "NA"), ("007", "null"), ("7", "None"), ("7", "nan"), ("1e5", "N/A"), ("1e5", "1.50")]
    rows = [[id_, ("customer", "agent")[n % 2], text, "What is it about?"] for n, (id_, text) in enumerate(said)]
    names = ["ticket", "sender", "message", "gist"]
    columns = {"id": "ticket", "speaker": "sender", "text": "message", "references": ["gist"]}
    delimiter = "\t" if form.startswith("tsv") else ","
    table = "".join(delimiter.join(row) + "\n" for row in [names, *rows])
    if form == "csv":
        (tmp_path / "train.csv").write_text(table)
        data = mapped(tmp_path, path="csv", data_files="train.csv", columns=columns)
    elif form == "json":
        write_lines(tmp_path / "train.jsonl", *(dict(zip(names, row, strict=True)) for row in rows))
        data = mapped(tmp_path, path="json", data_files="train.jsonl", columns=columns)
    else:
        (tmp_path / "calls").mkdir()
        (tmp_path / "calls" / "train.tsv").write_text(table)
        data = mapped(tmp_path, path="calls", columns=columns)
    read = data.read("train")
    assert [one.id for one in read] == ["007", "7", "1e5"]
    assert [turn.text for one in read for turn in one.turns] == [text for _, text in said]


def test_a_column_of_json_may_mix_types(tmp_path: Path) -> None:
    rows = [{**CALLS[0], "call": "007"}, {**CALLS[1], "call": 7}, {**CALLS[1], "call": "8", "shop": ["Bolt"]}]
    write_lines(tmp_path / "train.jsonl", *rows)
    data = mapped(tmp_path, path="json", data_files="train.jsonl")
    assert [one.id for one in data.read("train")] == ["007", "7", "8"]


def test_speakers_keep_their_names_where_the_recipe_says_so(tmp_path: Path) -> None:
    write_lines(tmp_path / "train.jsonl", {**CALLS[0], "dialogue": "Amanda: Where are you?\nJerry: Late.\nAmanda: Hm."})
    data = mapped(tmp_path, path="json", data_files="train.jsonl", columns={**COLUMNS, "others": "names"})
    [conversation] = data.read("train")
    assert [turn.role for turn in conversation.turns] == ["Amanda", "Jerry", "Amanda"]


def test_nested_messages_and_several_references(tmp_path: Path) -> None:
    row = {
        "messages": [
            {"role": "system", "content": "You are helpful."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello"},
        ],
        "short": "Greets.",
        "long": ["A greeting.", "Someone greets."],
        "score": 3,
    }
    write_lines(tmp_path / "train.jsonl", row)
    columns = {"messages": "messages", "references": ["short", "long"], "keep": ["score"]}
    data = mapped(tmp_path, path="json", data_files="train.jsonl", columns=columns)
    [conversation] = data.read("train")
    assert [(turn.role, turn.text) for turn in conversation.turns] == [("customer", "Hi"), ("agent", "Hello")]
    assert conversation.references == ("Greets.", "A greeting.", "Someone greets.")
    assert conversation.metadata == {"score": 3}


def test_rows_of_messages(tmp_path: Path) -> None:
    rows = [
        {"ticket": 7, "inbound": True, "body": "It is late.", "sum": None},
        {"ticket": 7, "inbound": False, "body": "We look.", "sum": "Late parcel."},
    ]
    write_lines(tmp_path / "train.jsonl", *rows)
    columns = {"id": "ticket", "speaker": "inbound", "text": "body", "references": ["sum"]}
    [conversation] = mapped(tmp_path, path="json", data_files="train.jsonl", columns=columns).read("train")
    assert [turn.role for turn in conversation.turns] == ["customer", "agent"]
    assert (conversation.id, conversation.references) == ("7", ("Late parcel.",))


def test_the_real_dialogsum_through_the_library(tweetsumm: Path) -> None:
    path = tweetsumm.parent / "dialogsum" / "dialogsum.dev.jsonl"
    if not path.is_file():
        pytest.skip("the DialogSum files are not beside this checkout (../shared/data/dialogsum)")
    columns = {
        "id": "fname",
        "transcript": "dialogue",
        "references": ["summary"],
        "roles": {"#Person1#": "agent", "#Person2#": "customer"},
        "others": "customer",
    }
    data = mapped(path="json", data_files={"dev": str(path)}, splits={"validation": "dev"}, columns=columns)
    conversations = data.read("validation")
    assert len(conversations) == 500
    assert conversations[0].turns[1] == Turn(role="customer", text="I ' Ve been having trouble breathing lately.")
    assert conversations[0].metadata == {"topic": "see a doctor"}


# ---------------------------------------------------------------------------------------------- what can be wrong


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"data_files": None}, "data.options.data_files is not set\nName its files."),
        ({"path": "jsn"}, "unknown builder 'jsn'\nDid you mean 'json'"),
        ({"path": "a/b/c"}, "A folder or org/name on the hub works, too."),
        ({"path": "json", "data_files": "absent.jsonl"}, "json cannot be loaded: Unable to find"),
        ({"path": "json", "data_files": "https://example.org/x.jsonl"}, "is not a local file"),
        ({"path": "json", "data_files": "broken.jsonl"}, "ends in the middle of a value (broken.jsonl:2)"),
        ({"path": "parquet", "data_files": "train.jsonl"}, "parquet cannot be loaded: Parquet magic bytes"),
        ({"path": "nothing", "data_files": None}, "nothing cannot be loaded: The directory"),
        ({"path": "script", "data_files": None}, "script cannot be loaded: Dataset scripts are no longer supported"),
        ({"splits": {"train": "tran"}}, "unknown split 'tran'\nDid you mean 'train'"),
        ({"columns": {**COLUMNS, "transcript": "dialog"}}, "unknown column 'dialog'\nDid you mean 'dialogue'"),
        ({"columns": {"transcript": "dialogue"}}, "columns.references is not set\nSet it to the columns"),
        ({"columns": {"references": ["gist"]}}, "text, speaker, id not given"),
        ({"data_files": "unclear.jsonl"}, "'Bo' (1)"),
        ({"data_files": "empty.jsonl"}, "2 rows left out: no transcript (empty.jsonl:2, empty.jsonl:3)"),
        ({"data_files": "unsummarized.jsonl"}, "1 conversation left out: no reference (c2)"),
        ({"data_files": "empty.jsonl", "columns": COLUMNS, "unusable": "leave out"}, ""),
        ({"data_files": "unsummarized.jsonl", "unusable": "leave out"}, ""),
        ({"data_files": "useless.jsonl", "unusable": "leave out"}, "the split has no conversations"),
    ],
)
def test_what_is_wrong_is_told_in_a_few_lines(options: dict[str, Any], words: str, tmp_path: Path) -> None:
    empty = {**CALLS[1], "call": "c3", "dialogue": None}
    write_lines(tmp_path / "train.jsonl", *CALLS)
    write_lines(tmp_path / "broken.jsonl", json.dumps(CALLS[0]), '{"call"')
    write_lines(tmp_path / "unclear.jsonl", {**CALLS[0], "dialogue": "Al: It is late.\nBo: We look."})
    write_lines(tmp_path / "empty.jsonl", CALLS[0], empty, {**empty, "call": "c4"})
    write_lines(tmp_path / "unsummarized.jsonl", CALLS[0], {**CALLS[1], "gist": ""})
    write_lines(tmp_path / "useless.jsonl", {**CALLS[0], "gist": None})
    (tmp_path / "nothing").mkdir()
    (tmp_path / "script").mkdir()
    (tmp_path / "script" / "script.py").write_text("raise SystemExit('code of a data set was run')")
    data = mapped(tmp_path, **{"path": "json", "data_files": "train.jsonl", **options})
    if not words:
        assert [conversation.id for conversation in data.read("train")] == ["c1"]
        return
    with pytest.raises(UsageError) as caught:
        data.read("train")
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 3


# -------------------------------------------------------------------------------------------------------- the hub


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    folder = tmp_path / "repository"
    write_lines(folder / "data" / "calls-train.jsonl", *CALLS)
    write_lines(folder / "data" / "calls-dev.jsonl", CALLS[1])
    write_lines(folder / "large" / "audio.jsonl", {"unlike": 1})
    (folder / "calls.py").write_text("raise SystemExit('code of a data set was run')")
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/*-train.jsonl\n"
        "  - split: dev\n    path: data/*-dev.jsonl\n- config_name: other\n  data_files: large/*.jsonl\n---\n"
    )
    hub = Hub(datasets={"org/calls": folder, "org/gated": folder})
    yield hub
    hub.close()


def options(**given: Any) -> str:
    return json.dumps({"path": "org/calls", "columns": COLUMNS, **given})


def test_a_data_set_of_the_hub_and_then_without_the_hub(hub: Hub, tmp_path: Path) -> None:
    given = options(splits={"validation": "dev"})
    online = ask(LOAD, given, endpoint=hub.url, home=tmp_path / "home")
    assert (online.code, online.lines) == (0, ["train c1 c2", "validation c2"]), online.errors
    assert not any(path.endswith(".py") for path in hub.asked)
    offline = ask(LOAD, given, endpoint=NOWHERE, home=tmp_path / "home")
    assert (offline.code, offline.lines) == (0, online.lines), offline.errors


def test_only_the_files_named_are_downloaded(hub: Hub, tmp_path: Path) -> None:
    given = options(path="hub:org/calls@main", data_files={"train": "data/*-train.jsonl"})
    done = ask(LOAD, given, endpoint=hub.url, home=tmp_path / "home")
    assert (done.code, done.lines) == (0, ["train c1 c2"]), done.errors
    assert not any("audio" in path or "dev" in path for path in hub.asked)


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        ({"path": "org/absent"}, 2, "the hub has no dataset 'org/absent'"),
        ({"revision": "v9"}, 2, "org/calls has no revision 'v9'"),
        ({"name": "others"}, 2, "BuilderConfig 'others' not found. Available: ['default', 'other']"),
        ({"path": "org/gated"}, 3, "org/gated is gated"),
        ({"path": "org/down"}, 3, "the hub cannot be reached"),
    ],
)
def test_what_the_hub_cannot_give_is_explained(
    hub: Hub, tmp_path: Path, given: dict[str, Any], code: int, words: str
) -> None:
    done = ask(LOAD, options(**given), endpoint=hub.url, home=tmp_path / "home")
    assert done.code == code, done.errors
    assert words in done.lines[0]


@pytest.mark.parametrize("place", ["refused", "silent"])
def test_without_the_hub_the_way_to_local_files_is_told(tmp_path: Path, place: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = NOWHERE if place == "refused" else f"http://127.0.0.1:{silent.getsockname()[1]}"
        done = ask(LOAD, options(), endpoint=url, home=tmp_path)
    assert done.code == 3, done.errors
    assert done.lines[0].startswith("the hub cannot be reached (")
    assert "data.options.data_files" in done.lines[1]


# -------------------------------------------------------------------------------------------- the command line's end


RECIPE = """
[data]
dataset = "datasets"
split = "validation"
[data.options]
path = "json"
data_files = { train = "train.jsonl", dev = "dev.jsonl" }
splits = { validation = "dev" }
[data.options.columns]
id = "call"
transcript = "dialogue"
references = ["gist"]
"""


@pytest.fixture
def bench(command_line: Any, tmp_path: Path, tiny_chat_model: Path) -> Any:
    """Runs `bench baseline` with a recipe of mapped columns, and shows what it would do."""
    write_lines(tmp_path / "train.jsonl", *CALLS)
    write_lines(tmp_path / "dev.jsonl", *CALLS)
    (tmp_path / "mine.toml").write_text(RECIPE)
    return partial(command_line, "baseline", "mine.toml", "--model", str(tiny_chat_model), "--dry-run", "--json")


def test_a_dry_run_of_a_recipe_with_columns(bench: Any) -> None:
    code, out, err = bench()
    assert (code, err) == (0, "")
    shown = json.loads(out)
    assert shown["counts"] == {"split": 2, "scored": 2, "references": 2}
    text = next(value for name, value in shown["prompt"].items() if name.startswith("prompt of"))
    assert "Customer: " in text


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("data.options.pth=x", "Did you mean 'path'"),
        ("data.options.unusable=ignore", "data.options.unusable: Invalid enum value 'ignore'"),
        ("data.options.columns.transcrip=x", "transcrip"),
        ("data.options.columns.references=gist", "data.options.columns.references: must be a list"),
        ("data.options.columns.transcript=dialog", "Did you mean 'dialogue'"),
        ("data.split=validaton", "Did you mean 'validation'"),
    ],
)
def test_a_mistake_in_the_options_is_answered_in_a_few_lines(bench: Any, setting: str, words: str) -> None:
    code, out, err = bench("--set", setting)
    assert (code, out) == (2, "")
    assert words in err
    assert len(err.strip().splitlines()) <= 3


def test_options_are_of_the_type_that_the_data_set_names() -> None:
    assert MappedOptions(path="x").columns == Columns()
