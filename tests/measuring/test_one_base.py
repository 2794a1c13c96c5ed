"""Systems that are measured one after the other on a base that is loaded once, as a user meets it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from liftbench.errors import UsageError
from liftbench.measuring import one_base as module
from liftbench.measuring.backend import Backend, BackendRequest
from liftbench.measuring.one_base import one_base, opened, release
from liftbench.prompts.spec import prompt_spec
from liftbench_plugins.backends import transformers as backend_module
from liftbench_plugins.loading import load_model

from ..conftest import Outcome
from ..plugins.test_peft_adapters import lora, make_adapter

Bench = Callable[..., Outcome]

SMALL = [
    *("--set", "generation.max_new_tokens=4"),
    *("--set", 'metrics.names=["rouge1", "rougeL"]'),
    *("--set", 'metrics.headlines=["rougeL"]'),
]


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The models that the backend loaded, in order."""
    found: list[Path] = []

    def counted(model: Path, precision: str) -> object:
        found.append(model)
        return load_model(model, precision)

    monkeypatch.setattr(backend_module, "load_model", counted)
    return found


def test_adapters_share_a_base_and_their_texts_are_those_of_runs_alone(
    tiny_command_line: Bench, tmp_path: Path, tiny_chat_model: Path, loaded: list[Path]
) -> None:
    adapters = [str(make_adapter(tiny_chat_model, tmp_path / f"rank-{rank}", lora(r=rank))) for rank in (2, 4)]
    given = [*SMALL, "--precision", "float32", "--no-cache", "--json"]
    done = tiny_command_line("score", adapters[0], "--also", adapters[1], "--also", str(tiny_chat_model), *given)
    assert done.code == 0, done.err
    assert len(loaded) == 1
    together = json.loads(done.out)
    assert len({run["folder"] for run in together}) == 3
    for run, system in zip(together, [*adapters, str(tiny_chat_model)], strict=True):
        alone = tiny_command_line("score", system, *given, "--runs", str(tmp_path / "alone"))
        assert alone.code == 0, alone.err
        name = "predictions.jsonl"
        texts, of_its_own = (
            {row["id"]: row["text"] for row in map(json.loads, (Path(folder) / name).read_text().splitlines())}
            for folder in (run["folder"], json.loads(alone.out)["folder"])
        )
        assert texts == of_its_own


def test_a_search_for_prompts_and_the_score_of_the_best_load_the_model_once(
    tiny_command_line: Bench, loaded: list[Path]
) -> None:
    few = [*("--set", "tune.conversations=3"), *("--set", "tune.shots=[0]"), *("--set", "model.precision=float32")]
    done = tiny_command_line("baseline", "--tune", *SMALL, *few)
    assert done.code == 0, done.err
    assert len(loaded) == 1


def test_several_systems_are_refused_where_one_is_meant(tiny_command_line: Bench) -> None:
    assert "--also" in tiny_command_line("score", "a", "--also", "b", "--dry-run").err
    assert "--also" in tiny_command_line("score", "a", "--also", "b", "--shard", "1/2").err


class Fake(Backend):
    """A backend that counts how often it is closed."""

    def __init__(self, request: BackendRequest) -> None:
        self.request, self.closed = request, 0

    @classmethod
    def open_tokenizer(cls, model: Path) -> object:
        return model

    def generate(self, prompts: object, max_new_tokens: int) -> list[object]:  # type: ignore[override]
        del prompts, max_new_tokens
        return []

    def take(self, request: BackendRequest) -> bool:
        if request.precision == "damaged":
            raise UsageError("the adapter is damaged")
        return request.precision == self.request.precision

    def close(self) -> None:
        self.closed += 1


def asked(precision: str) -> BackendRequest:
    return BackendRequest(
        model=Path(), adapter=None, precision=precision, prompt=prompt_spec("{conversation}", "", "plain")
    )


def fake(backend: Backend) -> Fake:
    assert isinstance(backend, Fake)
    return backend


def test_a_backend_is_closed_once_whatever_comes_after_it() -> None:
    alone = fake(opened(Fake, asked("nf4")))
    release(alone)
    assert alone.closed == 1
    with one_base():
        first = fake(opened(Fake, asked("nf4")))
        release(first)
        assert opened(Fake, asked("nf4")) is first
        release(first)
        other = fake(opened(Fake, asked("float32")))
        assert (first.closed, other.closed) == (1, 0)
        release(other)
        with pytest.raises(UsageError, match="damaged"):
            opened(Fake, asked("damaged"))
        assert other.closed == 1
        last = fake(opened(Fake, asked("nf4")))
        release(last)
    assert (first.closed, other.closed, last.closed) == (1, 1, 1)
    assert module._KEPT.get() is None
