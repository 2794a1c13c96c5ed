"""Where keys and results are kept, and how they are found again."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from liftbench.errors import PrerequisiteError, UsageError
from liftbench.files import write_atomic
from liftbench.preferences.folder import find_preferences, model_path, read_key, result_path, write_key
from liftbench.preferences.judgments import unblind
from liftbench.preferences.result import people_preference
from liftbench.records.preferences import Preference

from ..support.build import write_conversations
from ..support.sheets import build_sheet, fill_in

_, KEY = build_sheet(write_conversations(4))
PEOPLE: Preference = people_preference(KEY, unblind(Path("x"), fill_in(KEY, lambda _: "candidate"), KEY))


def test_a_key_is_read_back(tmp_path: Path) -> None:
    assert write_key(tmp_path, KEY).is_relative_to(tmp_path / "judging" / KEY.sheet)
    assert read_key(tmp_path, KEY.sheet) == KEY


@pytest.mark.parametrize("sheet", ["unknown", "../judging", ""])
def test_a_sheet_without_a_key_is_unknown(sheet: str, tmp_path: Path) -> None:
    write_key(tmp_path, KEY)
    with pytest.raises(UsageError, match="unknown sheet") as caught:
        read_key(tmp_path, sheet)
    assert KEY.sheet in caught.value.fix


def test_results_are_found_by_candidate_people_first(tmp_path: Path) -> None:
    assert find_preferences(tmp_path, KEY.candidate) == []
    by_model = replace(PEOPLE, kind="model", judges=("m",))
    elsewhere = replace(PEOPLE, sheet="another", candidate="another run")
    humans = replace(PEOPLE, sheet="third", against="humans", other="humans")
    write_atomic(model_path(tmp_path, KEY.sheet, "m", "http://x/v1", "0"), by_model)
    for one in (PEOPLE, elsewhere, humans):
        write_atomic(result_path(tmp_path, one.sheet), one)
    assert find_preferences(tmp_path, KEY.candidate) == [PEOPLE, humans, by_model]
    assert find_preferences(tmp_path, "another run") == [elsewhere]


def test_a_result_that_cannot_be_read_is_not_passed_over(tmp_path: Path) -> None:
    path = result_path(tmp_path, KEY.sheet)
    write_atomic(path, replace(PEOPLE, schema=99))
    with pytest.raises(PrerequisiteError, match="newer liftbench"):
        find_preferences(tmp_path, KEY.candidate)
    path.write_text("{")
    with pytest.raises(UsageError, match="damaged"):
        find_preferences(tmp_path, KEY.candidate)
