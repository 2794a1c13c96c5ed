"""The gazetteer's file, against the installed faker."""

from __future__ import annotations

import json

from liftbench.text.names import gazetteer
from tests.support.faker_names import FILE, faker_names


def test_the_shipped_names_are_fakers() -> None:
    assert json.loads(FILE.read_text(encoding="utf-8")) == faker_names()


def test_the_gazetteer_knows_names_in_latin_script_folded() -> None:
    names = gazetteer()
    assert names.is_first("siobhan")
    assert names.is_last("garcia")
    assert not names.is_first("parcel")
    assert names.is_ordinary("parcel")
