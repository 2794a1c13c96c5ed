"""Stems: those of rouge-score's tokenizer, on odd words, real conversations and made-up text."""

from __future__ import annotations

import string
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.tokenizers import DefaultTokenizer

from liftbench.data.jsonl import read_jsonl
from liftbench.text.rouge_words import stems

TOKENIZER = DefaultTokenizer(use_stemmer=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        (" \n…👍", ()),
        ("Customers' complaining customer complains", ("custom", "complain", "custom", "complain")),
        # Three letters and fewer are not stemmed: Porter would make "wa" and "hi" of these.
        ("was his", ("was", "his")),
        ("dying skies news", ("die", "sky", "news")),
        # Other scripts and marks separate words, and an accented letter cuts one.
        ("café naïve Straße", ("caf", "na", "ve", "stra", "e")),
        ("1.0.64 $3.50 iOS11 <LINK>", ("1", "0", "64", "3", "50", "ios11", "link")),
        # Lower case comes first: the sign of Kelvin becomes a k, the dotted capital an i and a dot.
        ("5\u212aelvin \u0130stanbul", ("5kelvin", "i", "stanbul")),
        # A stem of no letters would be dropped; a long run of vowels must not take for ever.
        ("y" * 5000, ("y" * 4999 + "i",)),
    ],
)
def test_stems(text: str, expected: tuple[str, ...]) -> None:
    assert stems(text) == expected
    assert tuple(TOKENIZER.tokenize(text)) == expected


def test_real_texts_have_the_stems_of_the_package(tweetsumm: Path) -> None:
    for conversation in read_jsonl(tweetsumm / "validation.jsonl"):
        for text in (*conversation.references, *(turn.text for turn in conversation.turns)):
            assert stems(text) == tuple(TOKENIZER.tokenize(text))


endings = st.sampled_from(["s", "es", "ied", "ing", "eed", "ational", "fulness", "ization", "ly", "yy", "sses", "'s"])
made_up = st.lists(st.tuples(st.text(string.ascii_letters + "yes", max_size=6), endings).map("".join)).map(" ".join)


@given(made_up | st.text() | st.text(string.printable))
@settings(max_examples=200)
def test_made_up_texts_have_the_stems_of_the_package(text: str) -> None:
    assert stems(text) == tuple(TOKENIZER.tokenize(text))


def test_stemming_imports_no_statistics_and_leaves_them_importable() -> None:
    """`scipy.stats` takes longer to import than everything else that scoring needs."""
    lines = [
        "import sys",
        "from liftbench.text.rouge_words import stems",
        "assert stems('parcels delayed') == ('parcel', 'delay')",
        "assert 'scipy.stats' not in sys.modules",
        "import scipy.stats",
        "assert scipy.stats.norm.cdf(0) == 0.5",
    ]
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True)
