"""What models of metrics said about texts, kept between runs."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from liftbench.plugin_api import Conversation, Metric, MetricRequest, Turn
from liftbench_plugins.metrics import known as module
from liftbench_plugins.metrics.bertscore import BertScore
from liftbench_plugins.metrics.embedding import Embedding
from liftbench_plugins.metrics.encoding import Reader
from liftbench_plugins.metrics.known import Known

from ..support.tiny_bert import build_tiny_bert

ORDER = Conversation(id="c", turns=(Turn(role="customer", text="late"),), references=("order late", "sorry , refund"))
TEXTS = ["the parcel is late", "refund", "order late"]


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file of a cache of its own."""
    monkeypatch.setenv("LIFTBENCH_GENERATION_CACHE", "")
    monkeypatch.setenv("LIFTBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "encodings.sqlite"


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_bert(tmp_path_factory.mktemp("tiny-bert"))


def refuse(*_: Any) -> Any:
    raise AssertionError("the model is asked again")


def made(metric: Callable[[MetricRequest], Metric], bert: Path) -> Metric:
    return metric(MetricRequest(argument=str(bert)))


@pytest.mark.parametrize(("metric", "asks"), [(Embedding, "_embed"), (BertScore, "_f1")])
def test_a_later_run_asks_the_model_nothing_and_gets_the_same_numbers(
    metric: Callable[[MetricRequest], Metric], asks: str, bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = made(metric, bert).score(TEXTS, [ORDER] * 3)
    monkeypatch.setattr(metric, asks, refuse)
    assert made(metric, bert).score(TEXTS, [ORDER] * 3) == first
    with pytest.raises(AssertionError, match="asked again"):
        made(metric, bert).score(["another text"], [ORDER])


def test_another_models_values_are_not_taken(bert: Path, tmp_path: Path) -> None:
    other = build_tiny_bert(tmp_path / "other", seed=1)
    first = made(Embedding, bert).score(TEXTS, [ORDER] * 3)
    assert made(Embedding, other).score(TEXTS, [ORDER] * 3) != first


@pytest.mark.parametrize("name", ["signature", "_weights", "limit"])
def test_everything_that_a_value_depends_on_is_in_its_key(
    name: str, bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metric = Embedding(MetricRequest(argument=str(bert)))
    metric.score(TEXTS, [ORDER] * 3)
    inputs = [(text,) for text in TEXTS]
    assert metric._reader.known(metric.signature).missing(inputs) == []
    if name == "signature":
        assert metric._reader.known("another").missing(inputs) == inputs
        return
    monkeypatch.setattr(metric._reader, name, "another")
    assert metric._reader.known(metric.signature).missing(inputs) == inputs


def test_each_distinct_text_is_embedded_once(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, seen = Reader.read, []

    def counted(self: Reader, inputs: Any, forward: Any) -> list[Any]:
        seen.extend(inputs)
        return read(self, inputs, forward)

    monkeypatch.setattr(Reader, "read", counted)
    metric = made(Embedding, bert)
    metric.score([*TEXTS, *TEXTS], [ORDER] * 6)
    metric.score(TEXTS, [ORDER] * 3)
    assert sorted(seen) == sorted({(text,) for text in [*TEXTS, *ORDER.references]})


def test_pairs_are_not_confused_with_other_pairs_or_texts() -> None:
    known = Known("about")
    known.add([("a", "b"), ("ab", "")], [b"1", b"2"])
    again = Known("about")
    assert again.missing([("a", "b"), ("ab", ""), ("ab",), ("", "ab"), ("b", "a")]) == [("ab",), ("", "ab"), ("b", "a")]
    assert (again["a", "b"], again["ab", ""]) == (b"1", b"2")
    assert Known("about", "").missing([("a", "b")]) == [("a", "b")]


def test_the_file_is_private_and_has_no_text(cache: Path) -> None:
    Known("about").add([("a customer's secret",)], [b"value"])
    assert stat.S_IMODE(cache.stat().st_mode) == 0o600
    assert b"secret" not in cache.read_bytes()


def test_the_least_recently_used_half_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT", 100)
    clock = iter(range(100))
    monkeypatch.setattr(time, "time", lambda: next(clock))
    known = Known("about")
    for number in range(11):
        known.add([(str(number),)], [b"x" * 10])
    # The eleventh was too much: of eleven, the five that were used first are gone.
    assert Known("about").missing([(str(number),) for number in range(11)]) == [(str(number),) for number in range(5)]


@pytest.mark.parametrize("damage", [b"no database at all, but long enough for a header" * 100, b""])
def test_a_damaged_file_is_begun_anew(cache: Path, damage: bytes) -> None:
    Known("about").add([("a",)], [b"1"])
    cache.write_bytes(damage)
    first = Known("about")
    assert first.missing([("a",)]) == [("a",)]
    first.add([("a",)], [b"1"])
    second = Known("about")
    second.missing([("a",)])
    second.add([("a",)], [b"1"])
    assert Known("about").missing([("a",)]) == []


def test_a_folder_that_cannot_be_written_costs_no_run(cache: Path) -> None:
    cache.parent.parent.mkdir(exist_ok=True)
    cache.parent.write_text("a file where a folder should be")
    known = Known("about")
    known.add([("a",)], [b"1"])
    assert known.missing([("a",), ("b",)]) == [("b",)]


def test_a_switched_off_cache_writes_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIFTBENCH_GENERATION_CACHE", "off")
    Known("about").add([("a",)], [b"1"])
    assert not cache.exists()


def test_two_processes_lose_nothing(cache: Path) -> None:
    program = (
        "import sys; from liftbench_plugins.metrics.known import Known\n"
        "for number in range(50): Known('about').add([(sys.argv[1], str(number))], [b'x'])"
    )
    both = [subprocess.Popen([sys.executable, "-c", program, name]) for name in "ab"]
    assert [one.wait(timeout=120) for one in both] == [0, 0]
    with sqlite3.connect(cache) as file:
        assert file.execute("SELECT count(*) FROM known").fetchall() == [(100,)]
    assert Known("about").missing([(name, str(number)) for name in "ab" for number in range(50)]) == []
