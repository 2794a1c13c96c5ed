"""TweetSumm in each form in which it goes around: the real files, what is wrong with files, and the hub."""

from __future__ import annotations

import csv
import json
import re
import socket
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liftbench.data.cleaning import clean
from liftbench.errors import PrerequisiteError, UsageError
from liftbench.records.conversation import Conversation, Turn
from liftbench_plugins.datasets import tweetsumm_dialogstudio, tweetsumm_original
from liftbench_plugins.datasets.tweetsumm import TweetSumm

from ..support.hub_stand_in import NOWHERE, Asked, Hub, ask

LOAD = """
import json, sys
import msgspec
from liftbench.models import hub
from liftbench.errors import LiftbenchError
from liftbench_plugins.datasets.tweetsumm import TweetSumm
hub.SECONDS_TO_ANSWER = 3.0
data = TweetSumm(sys.argv[1] if len(sys.argv) > 1 else None)
try:
    for split in data.splits():
        print(split, *(conversation.id for conversation in data.read(split)))
except LiftbenchError as error:
    print(error)
    sys.exit(error.exit_code)
"""


def suite_row(id_: str = "a") -> dict[str, Any]:
    return {"id": id_, "turns": [{"role": "customer", "text": "Hello"}], "references": ["Greets."]}


def dialog(id_: str = "d1", **changes: Any) -> dict[str, Any]:
    return {
        "original dialog id": id_,
        "original dialog info": {
            "summaries": {
                "extractive_summaries": [[{"is_agent": False, "sentences": ["It is late.", "Where is it?"]}], None],
                "abstractive_summaries": [["A parcel is late.", "The agent looks."], None, ["Late."]],
            }
        },
        "log": [
            {"user utterance": "", "system response": "Hi!"},
            {"user utterance": "It is late. Where is it?", "system response": "We look."},
        ],
        **changes,
    }


def original_row(id_: str = "o1", **changes: Any) -> dict[str, Any]:
    return {
        "conversation_id": id_,
        "tweet_ids_sentence_offset": [
            {"tweet_id": 11, "sentence_offsets": ["[0, 14]", "[13, 14]", "[15, 27]"]},
            {"tweet_id": 9, "sentence_offsets": ["[0, 11]"]},
        ],
        "annotations": [
            {"extractive": [{"tweet_id": 11, "sentence_offset": "[15, 27]"}], "abstractive": ["Late.", "We look."]},
            {"extractive": None, "abstractive": ["A late parcel."]},
            {"extractive": [{"tweet_id": 9, "sentence_offset": "[3, 11]"}], "abstractive": None},
        ],
        **changes,
    }


TWEETS = [
    ["tweet_id", "author_id", "inbound", "created_at", "text"],
    ["9", "Acme", "False", "now", "@7 We look."],
    ["10", "7", "True", "now", 'Not\n"needed"'],
    ["11", "7", "True", "now", "@Acme Is late! Where is it?"],
]


def write_lines(path: Path, *rows: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), "utf-8")
    return path


def write_json(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value, indent=2), "utf-8")
    return path


def write_table(path: Path, rows: list[list[str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def write_zip(path: Path, members: dict[str, str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def letters(text: str) -> str:
    """What a third party's stripping left of a text: no punctuation, no anonymous handle, no link."""
    return re.sub(r"[\W_]+", "", re.sub(r"<(USER|LINK)>", "", text)).casefold()


# ------------------------------------------------------------------------------------------------- the real files


def test_a_real_conversation_in_dialogstudios_form(tweetsumm: Path) -> None:
    conversations = TweetSumm(str(tweetsumm / "dialogstudio")).read("train")
    assert len(conversations) == 5
    assert conversations[1] == Conversation(
        id="1e1d8fd4f95c984fb78687c9e946dc97",
        turns=tuple(
            Turn(role=role, text=text)
            for role, text in [
                (
                    "customer",
                    "@115850 hi team! i m planning to get Apple AirPods ! it shows on the website it has 10 days "
                    "replacement warranty, can u explain me what is it ?",
                ),
                (
                    "agent",
                    "@264322 We've a 10days replacement policy if the item you received is damaged or defective. ^SH",
                ),
                ("customer", "@AmazonHelp Ok ! But what if i didn’t like the product and want to return it"),
                (
                    "agent",
                    "@264322 We wouldn't be able to accept the remorse returns. For more information on mobile returns "
                    "policy. Kindly click on the link shared here: https://t.co/gYYDFKUNPY. Appreciate your "
                    "understanding.",
                ),
                (
                    "customer",
                    "@AmazonHelp Ok thanks ! But these are earphones so does it mean same policy apply for these as "
                    "well",
                ),
                (
                    "agent",
                    "@264322 Yes, headsets/ earphones are not eligible for remorse returns. In case of any damage/ "
                    "defect you can reach out to us, we'll check and help you accordingly. ^VN",
                ),
                ("customer", "@AmazonHelp Oh ok ! Thanks for the help ! Much appreciated :)"),
                (
                    "agent",
                    "@264322 Thanks to you too for understanding. Do keep us posted for any further concerns. We'll be "
                    "happy to help. 😊 ^VN",
                ),
            ]
        ),
        references=(
            "Customer is eager to know about the replacement policy on the earphones he wishes to buy. Agent stated "
            "that it only applies if the received item is defective or damaged.",
            "Wants to know about the 10 day return policy for Apple AirPods. Explains earphones are excluded from "
            "remorse returns and accept returns are only for damaged items.",
        ),
        metadata={"source": "DialogStudio"},
        extracts=conversations[1].extracts,
    )
    assert len(conversations[1].extracts) == 3
    assert conversations[1].extracts[0].startswith("it shows on the website it has 10 days replacement warranty")


def test_a_real_conversation_joined_with_its_tweets(tweetsumm: Path) -> None:
    data = TweetSumm(str(tweetsumm / "original"))
    assert data.splits() == ["tweetsumm_4_dialogs"]
    conversations = data.read("tweetsumm_4_dialogs")
    assert [(c.metadata["company"], c.metadata["cluster"], len(c.turns)) for c in conversations] == [
        ("SouthwestAir", "116817", 10),
        ("AskeBay", "116025", 20),
        ("GWRHelp", "116971", 14),
        ("BofA_Help", "116537", 11),
    ]
    first = conversations[0]
    assert first.id == "05d3e9cc1d382bdbd79d8dc03746dd48"
    assert first.turns[:2] == (
        Turn(role="customer", text="@SouthwestAir Are children allowed to sign up for Rapid Rewards?"),
        Turn(
            role="agent",
            text="@116817 Hi, Lorenzo! Yes, children are able to sign up for Rapid Reward accounts. ^JB",
        ),
    )
    assert len(first.references) == 3
    assert first.references[0] == (
        "Customer is asking that are children allowed to sign up for rapid rewards. Agent updated that several "
        "families have the same address associated with multiple accounts."
    )
    assert first.extracts[2] == (
        "@SouthwestAir Are children allowed to sign up for Rapid Rewards? Yes, children are able to sign up for Rapid "
        "Reward accounts. @116817 Please know one email address can be associated with multiple accounts. Several "
        "families have the same address associated with multiple accounts."
    )


@pytest.mark.parametrize(("form", "shared"), [("original", 4), ("dialogstudio", 4)])
def test_the_forms_agree_on_references_speakers_and_letters(tweetsumm: Path, form: str, shared: int) -> None:
    lines = {c.id: clean(c) for c in TweetSumm(str(tweetsumm)).read("train")}
    data = TweetSumm(str(tweetsumm / form))
    both = [(clean(c), lines[c.id]) for c in data.read(data.splits()[0]) if c.id in lines]
    assert len(both) == shared
    for here, there in both:
        assert here.references == there.references
        assert [turn.role for turn in here.turns] == [turn.role for turn in there.turns]
        for turn, stripped in zip(here.turns, there.turns, strict=True):
            # The JSON Lines were cleaned by others: `&amp;` became the word "amp", and some emoticons went whole.
            assert letters(turn.text) == letters(re.sub(r"\bamp\b", "", stripped.text))


@pytest.mark.parametrize("below", ["", "tweetsumm"])
def test_the_real_json_lines_are_found(tweetsumm: Path, below: str) -> None:
    data = TweetSumm(str(tweetsumm.parent / below))
    assert data.splits() == ["train", "validation"]
    assert len(data.read("validation")) == 108


# ------------------------------------------------------------------------------------------------ made-up folders


def test_a_conversation_of_ibms_form_in_full(tmp_path: Path) -> None:
    write_lines(tmp_path / "final_valid_tweetsum.jsonl", original_row(), original_row("o2", annotations=[]))
    write_table(tmp_path / "twcs.csv", TWEETS)
    write_table(tmp_path / "other.csv", [["tweet", "mood"], ["9", "good"]])
    data = TweetSumm(str(tmp_path))
    assert data.splits() == ["validation"]
    assert data.read("validation") == [
        Conversation(
            id="o1",
            turns=(
                Turn(role="customer", text="@Acme Is late! Where is it?"),
                Turn(role="agent", text="@7 We look."),
            ),
            references=("Late. We look.", "A late parcel."),
            metadata={"source": "IBM", "company": "Acme", "cluster": "7"},
            extracts=("Where is it?", "We look."),
        )
    ]


def test_a_conversation_of_dialogstudios_form_in_full(tmp_path: Path) -> None:
    unsummarized: dict[str, Any] = {"summaries": {"abstractive_summaries": [None, []]}}
    rows = {
        "TweetSumm--val--2": dialog("d2"),
        "TweetSumm--val--1": dialog(),
        "TweetSumm--val--3": dialog("d3", **{"original dialog info": unsummarized}),
        "TweetSumm--train--1": dialog("d0"),
    }
    write_json(tmp_path / "whatever.json", rows)
    write_json(tmp_path / "examples.json", {"TweetSumm--train--1": dialog("d0")})
    data = TweetSumm(str(tmp_path))
    assert data.splits() == ["train", "validation"]
    assert [conversation.id for conversation in data.read("train")] == ["d0"]
    first, second = data.read("validation")
    assert second.id == "d2"
    assert first == Conversation(
        id="d1",
        turns=(
            Turn(role="agent", text="Hi!"),
            Turn(role="customer", text="It is late. Where is it?"),
            Turn(role="agent", text="We look."),
        ),
        references=("A parcel is late. The agent looks.", "Late."),
        metadata={"source": "DialogStudio"},
        extracts=("It is late. Where is it?",),
    )


@pytest.mark.parametrize("form", ["jsonl", "parquet", "folder", "split folder", "columns"])
def test_dialogstudios_rows_as_the_datasets_library_saves_them(tmp_path: Path, form: str) -> None:
    import datasets

    rows = [{**dialog(id_), "new dialog id": f"TweetSumm--train--{n}"} for n, id_ in enumerate(("d1", "d2"), start=1)]
    for row in rows:
        row["original dialog info"] = json.dumps(row["original dialog info"])
    if form == "columns":
        for row in rows:
            names = list(dict.fromkeys(name for exchange in row["log"] for name in exchange))
            row["log"] = {name: [exchange.get(name) for exchange in row["log"]] for name in names}
    table = datasets.Dataset.from_list(rows)
    if form == "jsonl":
        table.to_json(tmp_path / "train.jsonl")
    elif form == "folder":
        datasets.DatasetDict(train=table, validation=table.select([1])).save_to_disk(tmp_path)
    elif form == "split folder":
        table.save_to_disk(tmp_path)
    else:
        table.to_parquet(tmp_path / "train-00000-of-00001.parquet")
    data = TweetSumm(str(tmp_path))
    assert data.splits() == (["train", "validation"] if form == "folder" else ["train"])
    write_json(
        tmp_path / "whole" / "x.json", {"TweetSumm--train--1": dialog("d1"), "TweetSumm--train--2": dialog("d2")}
    )
    assert data.read("train") == TweetSumm(str(tmp_path / "whole")).read("train")


def test_a_saved_row_that_is_malformed_is_told_with_its_place(tmp_path: Path) -> None:
    write_lines(tmp_path / "train.jsonl", {"original dialog id": "d1", "original dialog info": "{", "log": []})
    with pytest.raises(UsageError, match=r"train\.jsonl, line 1: "):
        TweetSumm(str(tmp_path)).read("train")


@pytest.mark.parametrize("below", [".", "tweetsumm", "TweetSumm", "original", "DialogStudio", "tweetsumm/original"])
@pytest.mark.parametrize(("name", "split"), [("train", "train"), ("val", "validation"), ("VALID", "validation")])
def test_files_are_found_below_the_data_folder_in_any_case(tmp_path: Path, below: str, name: str, split: str) -> None:
    write_lines(tmp_path / below / f"{name}.jsonl", suite_row())
    write_lines(tmp_path / below / "predictions.jsonl", {"id": "a", "text": "no conversation"})
    assert TweetSumm(str(tmp_path)).splits() == [split]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("final_train_tweetsum", "train"),
        ("final_valid_tweetsum", "validation"),
        ("final_test_tweetsum", "test"),
        ("Dev-part", "validation"),
        ("my_dialogs", "my_dialogs"),
    ],
)
def test_the_split_of_ibms_files_is_in_their_names(name: str, split: str) -> None:
    assert tweetsumm_original.original_split(Path(f"{name}.jsonl")) == split


def test_reading_the_tweets_ends_with_the_last_one_needed(tmp_path: Path) -> None:
    table = write_table(tmp_path / "twcs.csv", [*TWEETS, ["12", "x"]])
    assert set(tweetsumm_original.find_tweets({"9", "11"}, [table])) == {"9", "11"}
    assert tweetsumm_original.find_tweets({"10"}, [table])["10"].text == 'Not\n"needed"'


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(alphabet="aé😊.& \n\",'", min_size=1).filter(str.strip), min_size=1, max_size=4))
def test_any_sentences_survive_the_table_and_their_offsets(
    tmp_path_factory: pytest.TempPathFactory, sentences: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("tweets")
    text, offsets = "", []
    for sentence in sentences:
        offsets.append(f"[{len(text)}, {len(text) + len(sentence)}]")
        text += sentence + "\n"
    tweets = [{"tweet_id": "1", "sentence_offsets": offsets}]
    write_lines(
        folder / "train.jsonl",
        original_row(tweet_ids_sentence_offset=tweets, annotations=[{"abstractive": ["A summary."]}]),
    )
    write_table(folder / "twcs.csv", [TWEETS[0], ["1", "Acme", "False", "now", text]])
    [conversation] = TweetSumm(str(folder)).read("train")
    assert conversation.turns == (Turn(role="agent", text=" ".join(sentences)),)


# --------------------------------------------------------------------------------------------- what can be wrong


def no_folder(folder: Path) -> None:
    folder.rmdir()


def other_files(folder: Path) -> None:
    write_json(folder / "train.json", [{"id": 1}])
    write_lines(folder / "texts.jsonl", {"id": "a", "text": "b"})
    (folder / "empty.jsonl").touch()


def two_forms(folder: Path) -> None:
    write_lines(folder / "train.jsonl", suite_row())
    write_json(folder / "train.json", {"TweetSumm--train--1": dialog()})


def two_files_of_a_split(folder: Path) -> None:
    write_lines(folder / "val.jsonl", suite_row())
    write_lines(folder / "validation.jsonl", suite_row())


def cut_json(folder: Path) -> None:
    write_json(folder / "train.json", json.dumps({"TweetSumm--train--1": dialog()})[:-9])


def broken_json(folder: Path) -> None:
    write_json(folder / "train.json", '{"TweetSumm--train--1": {"log": ]}')


def foreign_key(folder: Path) -> None:
    write_json(folder / "train.json", {"TweetSumm--train--1": dialog(), "one": dialog()})


def no_summaries(folder: Path) -> None:
    write_json(folder / "train.json", {"TweetSumm--train--7": dialog() | {"original dialog info": {}}})


def two_of_a_name(folder: Path) -> None:
    write_json(folder / "a.json", {"TweetSumm--train--1": dialog()})
    write_json(folder / "b.json", {"TweetSumm--train--1": dialog("another")})


def no_archive(folder: Path) -> None:
    (folder / "TweetSumm.zip").write_bytes(b"PK\x03\x04 not really")


def damaged_archive(folder: Path) -> None:
    path = write_zip(folder / "TweetSumm.zip", {"train.json": json.dumps({"TweetSumm--train--1": dialog()})})
    data = bytearray(path.read_bytes())
    data[60:90] = bytes(30)
    path.write_bytes(data)


def broken_lines(folder: Path) -> None:
    write_lines(folder / "train.jsonl", '{"turns": [}')


def broken_second_line(folder: Path) -> None:
    write_lines(folder / "final_train_tweetsum.jsonl", original_row(), "", '{"conversation_id": 3}')
    write_table(folder / "twcs.csv", TWEETS)


def an_id_twice(folder: Path) -> None:
    write_lines(folder / "final_train_tweetsum.jsonl", original_row(), original_row())
    write_table(folder / "twcs.csv", TWEETS)


def no_table(folder: Path) -> None:
    write_lines(folder / "final_train_tweetsum.jsonl", original_row())
    write_table(folder / "other.csv", [["id", "text"]])


def missing_tweets(folder: Path) -> None:
    write_lines(folder / "final_train_tweetsum.jsonl", original_row())
    write_table(folder / "twcs.csv", TWEETS[:3])


def a_bad_offset(folder: Path) -> None:
    row = original_row(tweet_ids_sentence_offset=[{"tweet_id": 9, "sentence_offsets": ["0-11"]}])
    write_lines(folder / "final_train_tweetsum.jsonl", row)
    write_table(folder / "twcs.csv", TWEETS)


def changed_tweets(folder: Path) -> None:
    write_lines(folder / "final_train_tweetsum.jsonl", original_row())
    write_table(folder / "twcs.csv", [*TWEETS[:3], ["11", "7", "True", "now", "shortened"]])


def an_unclear_direction(folder: Path) -> None:
    write_lines(folder / "final_train_tweetsum.jsonl", original_row())
    write_table(folder / "twcs.csv", [*TWEETS[:3], ["11", "7", "perhaps", "now", "text"]])


def a_short_row(folder: Path) -> None:
    write_lines(folder / "final_train_tweetsum.jsonl", original_row())
    write_table(folder / "twcs.csv", [*TWEETS[:2], ["11", "7"]])


def bytes_in_the_table(folder: Path) -> None:
    write_lines(folder / "final_train_tweetsum.jsonl", original_row())
    write_table(folder / "twcs.csv", TWEETS[:2])
    with (folder / "twcs.csv").open("ab") as file:
        file.write(b"\xff\xfe\n")


@pytest.mark.parametrize(
    ("prepare", "kind", "words"),
    [
        (no_folder, PrerequisiteError, ["the folder does not exist", "--data-dir DIR"]),
        (Path.exists, PrerequisiteError, ["has no TweetSumm files", "--data-dir DIR"]),
        (other_files, PrerequisiteError, ["(it has empty.jsonl, texts.jsonl, train.json)"]),
        (two_forms, UsageError, ["the suite's JSON Lines (train.jsonl) and as DialogStudio's JSON (train.json)"]),
        (two_files_of_a_split, UsageError, ["val.jsonl and validation.jsonl both hold the split 'validation'"]),
        (cut_json, UsageError, ["train.json: Input data was truncated"]),
        (broken_json, UsageError, ["train.json: JSON is malformed", "byte 32"]),
        (foreign_key, UsageError, ["train.json, one: ", "TweetSumm--train--1"]),
        (no_summaries, UsageError, ["train.json, TweetSumm--train--7: ", "summaries"]),
        (two_of_a_name, UsageError, ["b.json, TweetSumm--train--1: another"]),
        (no_archive, UsageError, ["TweetSumm.zip: the archive cannot be read"]),
        (damaged_archive, UsageError, ["train.json in ", "TweetSumm.zip: the archive cannot be read"]),
        (broken_lines, UsageError, ["train.jsonl, line 1: JSON is malformed", "byte 11"]),
        (broken_second_line, UsageError, ["final_train_tweetsum.jsonl, line 3: ", "conversation_id"]),
        (an_id_twice, UsageError, ["line 2: id 'o1' occurs twice", "line 1"]),
        (no_table, PrerequisiteError, ["2 tweets are not in a CSV file beside it", "twcs.csv"]),
        (missing_tweets, PrerequisiteError, ["1 tweets are not in twcs.csv (the first: 11, of conversation o1)"]),
        (a_bad_offset, UsageError, ["line 1: the sentence offset '0-11'"]),
        (
            changed_tweets,
            UsageError,
            ["line 1: a sentence goes from character", "tweet 11, which has 9 characters", "unchanged"],
        ),
        (an_unclear_direction, UsageError, ["twcs.csv, line 5: inbound is 'perhaps'"]),
        (a_short_row, UsageError, ["twcs.csv, line 3: the row has too few columns"]),
        (bytes_in_the_table, UsageError, ["twcs.csv, after line ", "codec can't decode"]),
    ],
)
def test_what_is_wrong_is_told_with_its_place(
    prepare: Callable[[Path], Any], kind: type[Exception], words: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    prepare(folder)
    with pytest.raises(kind) as caught:
        TweetSumm(str(folder)).read("train")
    assert len(str(caught.value).splitlines()) <= 3
    for some in words:
        assert some in str(caught.value)


def test_an_archive_that_would_unpack_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tweetsumm_dialogstudio, "LARGEST_BYTES", 2 << 20)
    write_zip(tmp_path / "TweetSumm.zip", {"train.json": " " * (3 << 20)})
    with pytest.raises(UsageError, match="larger than the limit of 2 MiB"):
        TweetSumm(str(tmp_path)).splits()


def test_an_unknown_split_is_told_with_the_nearest(tmp_path: Path) -> None:
    write_json(tmp_path / "train.json", {"TweetSumm--train--1": dialog()})
    with pytest.raises(UsageError, match="Did you mean 'train'"):
        TweetSumm(str(tmp_path)).read("trian")


# -------------------------------------------------------------------------------------------------------- the hub


def entries(split: str, *ids: str) -> str:
    return json.dumps({f"TweetSumm--{split}--{n}": dialog(id_) for n, id_ in enumerate(ids, start=1)})


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """Data set repositories with TweetSumm in unlike places, without it, and as the suite's JSON Lines."""
    root = tmp_path / "repositories"
    zipped = root / "zipped"
    members = {
        "TweetSumm/train.json": entries("train", "t1", "t2"),
        "TweetSumm/val.json": entries("val", "v1"),
        "TweetSumm/original_examples.json": "[]",
        "__MACOSX/TweetSumm/._train.json": "\0",
        "../outside.json": entries("test", "x1"),
    }
    write_zip(zipped / "dialogue_summarization" / "TweetSumm.zip", members)
    write_json(zipped / "dialogue_summarization" / "TweetSumm" / "converted_examples.json", entries("train", "t1"))
    write_json(zipped / "dialogue_summarization" / "SAMSum" / "train.json", {"SAMSum--train--1": dialog("s1")})
    plain = root / "plain"
    write_json(plain / "data" / "tweetsum_TRAIN.json", entries("train", "t1"))
    write_json(plain / "data" / "TWEETSUMM" / "deep" / "dev.JSON", entries("dev", "v1"))
    lines = root / "lines"
    write_lines(lines / "data" / "train.jsonl", suite_row("j1"))
    none = root / "none"
    write_json(none / "SAMSum" / "train.json", {"SAMSum--train--1": dialog("s1")})
    datasets = {
        "Salesforce/dialogstudio": zipped,
        "org/plain": plain,
        "org/my-tweetsumm": lines,
        "org/none": none,
        "org/gated": zipped,
    }
    hub = Hub(datasets=datasets)
    yield hub
    hub.close()


def load(endpoint: str, home: Path, *place: str, **environment: str) -> Asked:
    return ask(LOAD, *place, endpoint=endpoint, home=home, **environment)


@pytest.mark.parametrize(
    ("place", "lines"),
    [
        ([], ["train t1 t2", "validation v1", "test x1"]),
        (["hub:Salesforce/dialogstudio@main"], ["train t1 t2", "validation v1", "test x1"]),
        (["hub:org/plain"], ["train t1", "validation v1"]),
        (["hub:org/my-tweetsumm"], ["train j1"]),
    ],
)
def test_the_hub_is_read_wherever_the_files_are(hub: Hub, tmp_path: Path, place: list[str], lines: list[str]) -> None:
    home = tmp_path / "home"
    online = load(hub.url, home, *place)
    assert (online.code, online.lines) == (0, lines), online.errors
    assert not any("SAMSum" in path for path in hub.asked)
    offline = load(NOWHERE, home, *place)
    assert (offline.code, offline.lines) == (0, lines)
    # Nothing of the archive was unpacked.
    assert not list(tmp_path.rglob("outside.json"))


@pytest.mark.parametrize(
    ("place", "code", "words"),
    [
        ("hub:org/none", 2, "hub:org/none has no JSON file or zip archive of TweetSumm"),
        ("hub:org/absent", 2, "the hub has no dataset 'org/absent'"),
        ("hub:org/plain@v9", 2, "org/plain has no revision 'v9'"),
        ("hub:plain", 2, "Write hub:org/name"),
        ("hub:org/gated", 3, "name it with --data-dir DIR"),
        ("hub:org/down", 3, "the hub cannot be reached"),
    ],
)
def test_what_the_hub_cannot_give_is_explained(hub: Hub, tmp_path: Path, place: str, code: int, words: str) -> None:
    done = load(hub.url, tmp_path / "home", place)
    assert done.code == code, done.errors
    assert words in "\n".join(done.lines)


@pytest.mark.parametrize("place", ["refused", "unknown", "silent"])
def test_without_the_hub_the_way_to_local_files_is_told(tmp_path: Path, place: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = {
            "refused": NOWHERE,
            "unknown": "http://hub.invalid",
            "silent": f"http://127.0.0.1:{silent.getsockname()[1]}",
        }[place]
        done = load(url, tmp_path)
    assert done.code == 3
    assert done.lines[0].startswith("the hub cannot be reached (")
    assert "--data-dir DIR" in done.lines[1]


# -------------------------------------------------------------------------------------------- the command line's end


@pytest.mark.parametrize("form", ["original", "dialogstudio"])
def test_a_dry_run_shows_a_prompt_from_either_form(
    form: str, tmp_path: Path, tiny_chat_model: Path, command_line: Any
) -> None:
    if form == "original":
        write_lines(tmp_path / "final_valid_tweetsum.jsonl", original_row())
        write_table(tmp_path / "twcs.csv", TWEETS)
    else:
        write_json(tmp_path / "val.json", entries("val", "d1"))
    arguments = ["baseline", "--dataset", "tweetsumm", "--data-dir", str(tmp_path), "--model", str(tiny_chat_model)]
    done = command_line(*arguments, "--dry-run", "--json")
    assert done.code == 0, done.err
    shown = json.loads(done.out)
    assert shown["counts"] == {"split": 1, "scored": 1, "references": 2}
    text = next(value for name, value in shown["prompt"].items() if name.startswith("prompt of"))
    assert "Where is it?" in text
    assert "We look." in text
