"""What a word is: the same as ever where spaces part them, and a character where nothing does."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liftbench.data.sources import open_dataset, read_split
from liftbench.extension.loader import load_plugins
from liftbench.recipe.sections import DataSection
from liftbench.text.words import words


def spaced(text: str) -> list[str]:
    """Words of a script that parts them."""
    return re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("洗衣机坏了。", ["洗", "衣", "机", "坏", "了"]),
        ("𠮷野家、時々〆切", ["𠮷", "野", "家", "時", "々", "〆", "切"]),
        ("ありがとう", ["あ", "り", "が", "と", "う"]),
        ("ルーター・ﾙｰﾀｰ", ["ル", "ー", "タ", "ー", "ル", "ー", "タ", "ー"]),
        ("กาแฟ ฿50", ["ก", "า", "แ", "ฟ", "50"]),
        ("ຂອບ", ["ຂ", "ອ", "ບ"]),
        ("ကခ၊", ["က", "ခ"]),
        ("កខ។", ["ក", "ខ"]),
        ("iPhone14が3台、Wi-Fi", ["iphone14", "が", "3", "台", "wi", "fi"]),
        ("배송이 늦어요", ["배송이", "늦어요"]),
        ("Straße ÉTÉ ﬁn ½ a_b", ["strasse", "été", "fin", "1", "2", "a_b"]),
        ("Где мой заказ? αβγ مرحبا", ["где", "мой", "заказ", "αβγ", "مرحبا"]),
        ("、。・!？ 👍", []),
        ("", []),
    ],
    ids=[
        "han", "rare han and marks", "hiragana", "katakana", "thai", "lao", "myanmar", "khmer", "mixed", "hangul",
        "latin", "cyrillic, greek, arabic", "punctuation", "empty",
    ],
)  # fmt: skip
def test_words_by_hand(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@given(st.text(st.characters(max_codepoint=0x0DFF) | st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3)))
def test_scripts_that_part_words_have_the_words_that_they_always_had(text: str) -> None:
    assert words(text) == spaced(text)


@given(st.text())
def test_the_same_letters_are_counted_in_every_script(text: str) -> None:
    assert "".join(words(text)) == "".join(spaced(text))


def test_the_words_of_real_conversations_are_those_that_they_always_had(tweetsumm: Path) -> None:
    for section, splits in (
        (DataSection(dataset="tweetsumm", data_dir=str(tweetsumm)), ("train", "validation")),
        (DataSection(dataset="helpdesk"), ("train", "validation", "test")),
    ):
        dataset = open_dataset(section, load_plugins())
        for one in (one for split in splits for one in read_split(dataset, section, split)):
            for text in (*(turn.text for turn in one.turns), *one.references):
                assert words(text) == spaced(text)
