"""What a card publishes says neither where things lie on a machine nor what looks like a secret."""

from __future__ import annotations

import pytest

from liftbench.exporting.hiding import hide, hide_command


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("the adapter /home/jane/runs/a does not fit", "the adapter a does not fit"),
        ("model=/data/acme/llama, split=test", "model=llama, split=test"),
        ("['python', '/srv/acme/train.py']", "['python', 'train.py']"),
        ("~/models/llama/ and ~jane/x", "llama and x"),
        ("/root", "root"),
        ("file:///home/jane/x.gguf", "x.gguf"),
        ("./runs/a ../data/b runs/a", "./runs/a ../data/b runs/a"),
        ("see https://example.com/a/b, hub:org/name", "see https://example.com/a/b, hub:org/name"),
        ("and/or 24/7, 3 / 4", "and/or 24/7, 3 / 4"),
        ("https://jane:secret@example.com/a", "https://example.com/a"),
        ("hf_token = abcdef123", "hf_token = …"),
        ("curl --api-key 123 'OPENAI_API_KEY=x y'", "curl --api-key … 'OPENAI_API_KEY=… y'"),
        ("it is hf_abcdefghijkl", "it is …"),
        (
            "max_input_tokens = 1024, tokens: 3, a token is 4 bytes",
            "max_input_tokens = 1024, tokens: 3, a token is 4 bytes",
        ),
    ],
)
def test_places_and_secrets_are_left_out_and_nothing_else(text: str, hidden: str) -> None:
    assert hide(text) == hidden
    assert hide(hidden) == hidden


def test_the_words_of_a_command_stay_words() -> None:
    words = [
        "bench",
        "train",
        "--model",
        "/home/jane doe/my model",
        "--set",
        "a=/x/y z",
        "--token",
        "abc",
        "--runs",
        "r",
    ]
    assert hide_command(words) == "bench train --model 'my model' --set 'a=y z' --token … --runs r"
