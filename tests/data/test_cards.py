from __future__ import annotations

from pathlib import Path

import pytest

from liftbench.data.cards import CardEntry, read_card, write_card
from liftbench.errors import UsageError

HISTORY = [
    CardEntry("Imported on 2026-11-23", ("from tickets.csv, sha256 abc", "120 conversations, 3 without references")),
    CardEntry("Split on 2026-11-24", ("seed 0", "train 96, validation 12, test 12")),
]


def test_a_card_tells_what_was_written(tmp_path: Path) -> None:
    write_card(tmp_path, "tickets", HISTORY)
    assert read_card(tmp_path) == HISTORY
    text = (tmp_path / "card.md").read_text()
    assert text.startswith("# tickets\n")
    assert "\n## Split on 2026-11-24\n\n- seed 0\n" in text


def test_a_step_can_be_added_to_what_people_wrote(tmp_path: Path) -> None:
    (tmp_path / "card.md").write_text("# ours\n\nAsk Kim.\n\n## Licence\n\nInternal only.\n\n- until 2027\n")
    write_card(tmp_path, "ours", [*read_card(tmp_path), HISTORY[1]])
    assert read_card(tmp_path) == [CardEntry("Licence", ("Internal only.", "until 2027")), HISTORY[1]]


def test_a_line_that_looks_like_a_heading_stays_a_line(tmp_path: Path) -> None:
    entry = CardEntry("Imported", ("from a file named\n## odd",))
    write_card(tmp_path, "x", [entry])
    assert read_card(tmp_path) == [CardEntry("Imported", ("from a file named ## odd",))]


def test_no_card_is_no_history_and_a_damaged_one_is_an_error(tmp_path: Path) -> None:
    assert read_card(tmp_path) == []
    (tmp_path / "card.md").write_bytes(b"# \xff")
    with pytest.raises(UsageError, match=r"cannot read the data card .*card\.md"):
        read_card(tmp_path)
