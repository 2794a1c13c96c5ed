"""`bench data check` and `bench data split` as a user meets them: what is printed, written and refused."""

from __future__ import annotations

import json
import stat
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from liftbench.data.cards import CardEntry, read_card, write_card
from liftbench.data.jsonl import read_jsonl
from liftbench.errors import PrerequisiteError
from liftbench.files import write_lines
from liftbench.records.conversation import Conversation, Turn

pytestmark = pytest.mark.usefixtures("data")


@pytest.fixture
def bench(command_line: Any, monkeypatch: pytest.MonkeyPatch, tiny_chat_model: Path) -> Any:
    """Runs `bench data …` with the tiny model, 80 columns wide."""
    monkeypatch.setenv("LIFTBENCH_MODEL", str(tiny_chat_model))
    monkeypatch.setenv("COLUMNS", "80")
    return partial(command_line, "data")


def conversation(number: int, **metadata: str) -> Conversation:
    words = [f"w{number}x{place}" for place in range(30)]
    return Conversation(
        id=f"c{number}",
        turns=(
            Turn(role="customer", text=f"My order is late. {' '.join(words)}. Write to jane{number}@example.com."),
            Turn(role="agent", text="Sorry for that! It comes tomorrow."),
        ),
        references=(f"Customer misses order {number}. Agent says that it comes tomorrow.",),
        metadata={**metadata},
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder as `bench data import` leaves it, with one conversation that has no references."""
    folder = tmp_path / "tickets"
    folder.mkdir()
    rows = [conversation(number, cluster=f"customer {number // 2}") for number in range(40)]
    bare = Conversation(id="bare", turns=rows[0].turns)
    write_lines(folder / "conversations.jsonl", [*rows, bare])
    write_card(folder, "tickets", [CardEntry("Imported on 2026-01-01", ("from tickets.csv",))])
    return folder


# ------------------------------------------------------------------------------------------------------------- split


def test_a_split_is_a_data_set_with_a_card(bench: Any, data: Path, tmp_path: Path) -> None:
    done = bench("split", "tickets")
    assert done.code == 0
    target = tmp_path / "tickets-split"
    sizes = {path.stem: len(read_jsonl(path)) for path in target.glob("*.jsonl")}
    assert sizes == {"train": 32, "validation": 4, "test": 4}
    assert "left out: 1 without references" in done.out
    assert "20 clusters" in done.out
    assert "bench baseline --dataset tickets-split" in done.err
    assert max(map(len, done.out.splitlines())) <= 80
    imported, split = read_card(target)
    assert imported == read_card(data)[0]
    assert split.heading.startswith("Split on ")
    assert any("tickets/conversations.jsonl, sha256" in line for line in split.lines)


def test_a_dry_run_writes_nothing_and_json_is_json(bench: Any, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    done = bench("split", "tickets", "--dry-run", "--json", "--train", "0.5", "--validation", "0.5", "--test", "0")
    assert sorted(tmp_path.rglob("*")) == before
    printed = json.loads(done.out)
    assert printed["folder"] is None
    assert [part["conversations"] for part in printed["partition"]["parts"]] == [20, 20]


def test_a_split_replaces_another_only_when_told(bench: Any, tmp_path: Path) -> None:
    target = tmp_path / "tickets-split"
    target.mkdir()
    (target / "old.jsonl").write_text("")
    assert "--force" in bench("split", "tickets").err
    assert bench("split", "tickets", "--force").code == 0
    assert not (target / "old.jsonl").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tickets", "tickets-split"]


def test_a_split_that_fails_leaves_what_was_there(bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "tickets-split"
    target.mkdir()
    (target / "old.jsonl").write_text("kept")

    def full(*_arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("liftbench.cli.data_split.write_card", full)
    done = bench("split", "tickets", "--force")
    assert (done.code, "No space left" in done.err) == (4, True)
    assert [path.name for path in target.iterdir()] == ["old.jsonl"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tickets", "tickets-split"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["split", "absent"], "cannot read conversations from absent: the folder does not exist"),
        (["split", "tickets", "--to", "tickets"], "overlaps its source"),
        (["split", "tickets", "--to", "tickets/inside"], "overlaps its source"),
        (["split", "tickets", "--to", ".", "--force"], "overlaps its source"),
        (["split", "tickets", "--to", "other", "--force"], "has files that are not part of a data set"),
        (["split", "tickets", "--to", "file"], "is a file"),
        (["split", "other"], "bench data import"),
        (["split", "tickets", "--train", "0.7"], "must add up to 1"),
        (["split", "tickets", "--cluster", "clustr"], "Did you mean 'cluster'"),
        (["split", "broken"], "conversations.jsonl, line 1: "),
        (["check", "absent"], "cannot read conversations from absent: the folder does not exist"),
        (["check", "broken"], "conversations.jsonl, line 1: "),
        (["check", "tickets", "--to", "x"], "--redact"),
        (["check", "tickets", "--model", "smolm2"], "Did you mean 'smollm2-135m'"),
        (["check", "tickets", "--redact", "--to", "tickets"], "overlaps its source"),
    ],
)
def test_a_mistake_is_answered_in_a_few_lines_and_writes_nothing(
    arguments: list[str], words: str, bench: Any, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    for name, content in (("other/notes.txt", "mine"), ("broken/conversations.jsonl", "{}")):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(content)
    before = sorted(tmp_path.rglob("*"))
    done = bench(*arguments)
    assert done.code == 2
    assert words in done.err
    assert "Traceback" not in done.err
    assert sorted(tmp_path.rglob("*")) == before


# ------------------------------------------------------------------------------------------------------------- check


def test_a_check_reads_well_at_80_columns_and_says_what_to_do(bench: Any) -> None:
    done = bench("check", "tickets")
    assert done.code == 0
    assert max(map(len, done.out.splitlines())) <= 80
    for words in (
        "tokens of the prompt",
        "no references",
        "scripts: Latin 100.0%",
        "languages: ",
        "second references: ",
        "j***@e***.com",
    ):
        assert words in done.out
    assert "jane0@example.com" not in done.out
    assert done.out.count("→") >= 2


def test_errors_are_shown_and_end_with_exit_code_2(bench: Any, data: Path) -> None:
    (data / "conversations.jsonl").rename(data / "train.jsonl")
    done = bench("check", "tickets", "--no-tokens")
    assert done.code == 2
    assert "error: conversations without a reference: 1" in done.out
    assert "tokens" not in done.out


def test_tokens_are_those_of_the_whole_prompt(bench: Any, tiny_chat_model: Path) -> None:
    from liftbench_plugins.backends.transformers import TransformersBackend

    tokenizer = TransformersBackend.open_tokenizer(tiny_chat_model)
    text = "\n".join(turn.text for turn in conversation(0).turns)
    alone = len(tokenizer(text)["input_ids"])
    report = json.loads(bench("check", "tickets", "--json").out)
    assert report["model"] == tiny_chat_model.name
    assert report["splits"][0]["tokens"]["p50"] > alone


def test_without_the_default_model_the_rest_is_reported(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_arguments: Any) -> None:
        raise PrerequisiteError("no network")

    monkeypatch.setattr("liftbench.cli.data_check.resolve", unreachable)
    assert bench("check", "tickets").code == 3, "the environment names a model"
    monkeypatch.delenv("LIFTBENCH_MODEL")
    done = bench("check", "tickets")
    assert done.code == 0
    assert "no network" in done.err
    assert "conversations" in done.out


def test_a_redacted_copy_with_its_table_beside_it(bench: Any, tmp_path: Path) -> None:
    done = bench("check", "tickets", "--redact", "--no-tokens")
    assert done.code == 0
    target, table = tmp_path / "tickets-redacted", tmp_path / "tickets-redacted.replaced.jsonl"
    assert "example.com" not in (target / "conversations.jsonl").read_text()
    assert "<EMAIL_1>" in (target / "conversations.jsonl").read_text()
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    key, *replaced = rows
    assert len(bytes.fromhex(key["key"])) == 32
    assert {"conversation": "c3", "kind": "EMAIL", "value": "jane3@example.com"}.items() <= next(
        row for row in replaced if row["conversation"] == "c3" and row["kind"] == "EMAIL"
    ).items()
    assert stat.S_IMODE(table.stat().st_mode) == 0o600
    assert "tickets-redacted.replaced.jsonl" in done.err
    assert "the redacted copy has placeholders instead" in done.out
    assert "--redact" not in done.out  # It does not advise what it has just done.
    assert [entry.heading.split(" on ")[0] for entry in read_card(target)] == ["Imported", "Redacted"]
    assert "example.com" not in (target / "card.md").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "tickets",
        "tickets-redacted",
        "tickets-redacted.replaced.jsonl",
    ]
    assert bench("check", "tickets-redacted", "--no-tokens").out.count("e-mail") == 0


def test_the_card_of_a_redacted_copy_keeps_of_earlier_steps_what_names_nobody(
    bench: Any, data: Path, tmp_path: Path
) -> None:
    imported = CardEntry(
        "Imported on 2026-01-01", (f"from ann-lee.csv, sha256 {'0f' * 32}", "columns: roles = Ann Lee=agent")
    )
    write_card(data, "tickets", [imported, CardEntry("Ann Lee looked at it", ("and found it good",))])
    assert bench("check", "tickets", "--redact", "--no-tokens").code == 0
    first, second, redacted = read_card(tmp_path / "tickets-redacted")
    assert first == CardEntry("Imported on 2026-01-01", (f"from a file with sha256 {'0f' * 32}",))
    assert second == CardEntry("An earlier step", ())
    assert any("another redaction's key" in line for line in redacted.lines)


def test_a_redacted_copy_can_take_the_place_of_the_folder_one_is_in(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    done = bench("check", "../tickets", "--redact", "--to", ".", "--no-tokens")
    assert (done.code, "Traceback" in done.err) == (0, False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here", "here.replaced.jsonl", "tickets"]
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == ["card.md", "conversations.jsonl"]


def test_where_the_folder_cannot_be_replaced_its_table_stays(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bench("check", "tickets", "--redact", "--no-tokens").code == 0
    table = tmp_path / "tickets-redacted.replaced.jsonl"
    before = table.read_bytes()
    rename = Path.rename

    def refuse(path: Path, target: Path) -> Path:
        if target.name == "tickets-redacted" and not path.name.endswith(".old"):
            raise OSError(16, "Device or resource busy")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    assert bench("check", "tickets", "--redact", "--no-tokens", "--force").code == 4
    assert table.read_bytes() == before
    assert (tmp_path / "tickets-redacted" / "conversations.jsonl").exists()


def test_a_table_of_replacements_is_not_overwritten_unasked(bench: Any, tmp_path: Path) -> None:
    table = tmp_path / "tickets-redacted.replaced.jsonl"
    table.write_text("precious")
    done = bench("check", "tickets", "--redact", "--no-tokens")
    assert (done.code, table.read_text()) == (2, "precious")
    assert bench("check", "tickets", "--redact", "--no-tokens", "--force").code == 0


def test_from_check_over_redaction_to_a_split_without_leaks(bench: Any, tmp_path: Path) -> None:
    assert bench("check", "tickets", "--redact", "--no-tokens").code == 0
    assert bench("split", "tickets-redacted").code == 0
    report = json.loads(bench("check", "tickets-redacted-split", "--no-tokens", "--json").out)
    assert not [finding for finding in report["findings"] if "across" in finding["kind"]]
    assert len(read_card(tmp_path / "tickets-redacted-split")) == 3
