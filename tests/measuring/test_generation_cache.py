"""The cache of generations: what is served from it, and what is not."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from liftbench.measuring import generation_cache
from liftbench.measuring.backend import Backend, BackendRequest, Generation
from liftbench.measuring.generation_cache import Entry, GenerationCache, batch_key, machine, parts
from liftbench.prompts.spec import Prompt, prompt_spec
from liftbench.records.run import DecodingRules
from liftbench.records.system import AdapterRecord, ModelRecord, PromptSpec, System

KEY = "a" * 64
SPEC = prompt_spec("Summarize: {conversation}", "", "plain")
SYSTEM = System(
    kind="model",
    name="one",
    model=ModelRecord(reference="alias", sha256="m", source="folder", settings_sha256="s"),
    adapter=AdapterRecord(sha256="a"),
    precision="bfloat16",
    backend="transformers",
    prompt=SPEC,
)
REQUEST = BackendRequest(model=Path("model"), adapter=Path("adapter"), precision="bfloat16", prompt=SPEC)

DECIDED = {
    System: "adapter backend file_sha256 generation_verified kind model name precision prompt",
    ModelRecord: "reference served settings_sha256 sha256 source",
    AdapterRecord: "base_sha256 chat_template_sha256 exported family precision rows rows_sha256 run seed sha256 "
    "tokenizer_sha256 trainer trials whole_model",
    BackendRequest: "adapter model positions precision prompt rules tokenizer",
    DecodingRules: "min_words no_repeat_ngram repetition_stop",
    PromptSpec: "max_words prefill sha256 shots stop style system template template_arguments",
    Prompt: "sha256 text token_ids turns_dropped",
}


def entry(text: str = "a text", key: str = KEY) -> Entry:
    return Entry(key=key, device="cpu", generations=[Generation(text=text, new_tokens=2, finish_reason="stop")])


@pytest.fixture
def cache(tmp_path: Path) -> GenerationCache:
    return GenerationCache(folder=tmp_path / "generations", limit=10_000)


@pytest.mark.parametrize("record", DECIDED, ids=lambda record: record.__name__)
def test_a_new_field_asks_for_a_decision(record: Any) -> None:
    """It is in the key by itself; whether it belongs there is decided here, and in `NOT_IN_KEY`."""
    assert sorted(record.__struct_fields__) == DECIDED[record].split()


@pytest.mark.parametrize(
    "change",
    [
        lambda one: replace(one, model=replace(one.model, sha256="other")),
        lambda one: replace(one, model=replace(one.model, settings_sha256="other")),
        lambda one: replace(one, model=replace(one.model, source="other")),
        lambda one: replace(one, adapter=replace(one.adapter, sha256="other")),
        lambda one: replace(one, adapter=replace(one.adapter, tokenizer_sha256="other")),
        lambda one: replace(one, adapter=replace(one.adapter, chat_template_sha256="other")),
        lambda one: replace(one, adapter=None),
        lambda one: replace(one, precision="nf4"),
        lambda one: replace(one, backend="vllm"),
        lambda one: replace(one, prompt=replace(SPEC, stop=("end",))),
        lambda one: replace(one, prompt=replace(SPEC, max_words=9)),
        lambda one: replace(one, prompt=replace(SPEC, sha256="other")),
    ],
)
def test_another_system_is_another_key(change: Callable[[System], System]) -> None:
    assert parts(change(SYSTEM)) != parts(SYSTEM)


@pytest.mark.parametrize("name", DecodingRules.__struct_fields__)
def test_another_rule_is_another_key(name: str) -> None:
    assert parts(replace(REQUEST, rules=DecodingRules(**{name: 3}))) != parts(REQUEST)


def test_labels_and_folders_are_not_in_the_key() -> None:
    assert SYSTEM.model is not None
    assert parts(replace(SYSTEM, name="two", model=replace(SYSTEM.model, reference="folder"))) == parts(SYSTEM)
    assert parts(replace(REQUEST, model=Path("elsewhere"))) == parts(REQUEST)


def test_another_batch_is_another_key() -> None:
    one, two, other = (
        Prompt(text=text, sha256=text, token_ids=[len(text)], turns_dropped=0) for text in ("a", "bb", "c")
    )
    keys = [batch_key({}, prompts) for prompts in ([one], [one, two], [two, one], [one, other])]
    keys += [batch_key({}, [replace(one, token_ids=[7])]), batch_key({"input": 1}, [one])]
    assert len(set(keys)) == len(keys)


def test_another_machine_is_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    found = [machine()]
    changes: dict[str, Any] = {
        "liftbench.measuring.generation_cache.versions": {"torch": "0"},
        "liftbench.measuring.generation_cache.processor_name": "another",
        "torch.get_num_threads": 77,
        "torch.backends.cpu.get_cpu_capability": "another",
    }
    for name, value in changes.items():
        with monkeypatch.context() as patch:
            patch.setattr(name, lambda value=value: value)
            found.append(machine())
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    found.append(machine())
    assert torch is not None
    assert all(one not in found[:place] for place, one in enumerate(found))


def test_an_entry_comes_back(cache: GenerationCache) -> None:
    cache.write(entry())
    assert cache.read(KEY, 1) == entry()
    assert (cache.folder / f"{KEY}.entry").stat().st_mode & 0o777 == 0o600
    assert cache.read("b" * 64, 1) is None
    assert cache.read(KEY, 2) is None


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-5], lambda data: data.replace(b"a text", b"b text"), bytes.upper]
)
def test_a_damaged_entry_is_removed(cache: GenerationCache, damage: Callable[[bytes], bytes]) -> None:
    cache.write(entry())
    path = cache.folder / f"{KEY}.entry"
    path.write_bytes(damage(path.read_bytes()))
    assert cache.read(KEY, 1) is None
    assert not path.exists()


def test_an_entry_under_another_name_is_not_served(cache: GenerationCache) -> None:
    cache.write(entry())
    shutil.copy(cache.folder / f"{KEY}.entry", cache.folder / f"{'b' * 64}.entry")
    assert cache.read("b" * 64, 1) is None


def test_the_least_recently_used_go_first(cache: GenerationCache) -> None:
    keys = ["a" * 64, "b" * 64, "c" * 64]
    for number, key in enumerate(keys[:2]):
        cache.write(entry("x" * 4000, key))
        os.utime(cache.folder / f"{key}.entry", (number, number))
    cache.read(keys[0], 1)
    cache.write(entry("x" * 4000, keys[2]))
    assert [cache.read(key, 1) is not None for key in keys] == [True, False, True]
    assert cache.size() <= cache.limit


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = GenerationCache(folder=tmp_path / "file" / "generations", limit=10)
    cache.write(entry())
    assert cache.read(KEY, 1) is None


def test_a_fresh_run_of_the_same_system_loads_no_model(
    tiny_command_line: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from liftbench_plugins.backends.transformers import TransformersBackend

    monkeypatch.setenv("LIFTBENCH_GENERATION_CACHE", "10")
    monkeypatch.setenv("LIFTBENCH_CACHE", str(tmp_path / "cache"))
    opened: list[BackendRequest] = []
    load = TransformersBackend.__init__

    def noted(backend: TransformersBackend, request: BackendRequest) -> None:
        opened.append(request)
        load(backend, request)

    monkeypatch.setattr(TransformersBackend, "__init__", noted)
    for folder, budget in (("one", 5), ("two", 5), ("three", 6)):
        outcome = tiny_command_line("baseline", "--set", f"generation.max_new_tokens={budget}", "--runs", folder)
        assert outcome.code == 0, outcome.err
        assert len(opened) == {"one": 1, "two": 1, "three": 2}[folder]
    texts = [
        [line.partition('"prompt_sha256"')[0] for line in next(Path(folder).glob("*/predictions.jsonl")).open()]
        for folder in ("one", "two")
    ]
    assert sorted(texts[0]) == sorted(texts[1])
    summary, manifest = (next(Path("two").glob(f"*/{name}.json")).read_text() for name in ("summary", "manifest"))
    assert '"seconds": null' in summary.replace(":null", ": null")
    assert "4 texts came from the cache" in manifest


def test_no_cache_generates_anew(
    tiny_command_line: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LIFTBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LIFTBENCH_GENERATION_CACHE", "10")
    command = ("baseline", "--set", "generation.max_new_tokens=5")
    assert tiny_command_line(*command, "--no-cache", "--runs", "one").code == 0
    assert not (tmp_path / "cache" / "generations").exists()


def test_config_shows_the_cache(
    command_line: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LIFTBENCH_CACHE", str(tmp_path / "cache"))
    GenerationCache(folder=tmp_path / "cache" / "generations", limit=10_000).write(entry())
    found = json.loads(command_line("config", "--json").out)
    assert found["places"]["generations"]["exists"]
    assert 0 < found["generations_bytes"] < 1000


def test_off_and_backends_that_did_not_ask_for_it_have_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    class Plain(Backend):
        """Says nothing about caching."""

    class Cached(Plain):
        cached = True

    class Telling(Cached):
        def notes(self) -> list[str]:
            return ["told"]

    monkeypatch.delenv("LIFTBENCH_GENERATION_CACHE")
    kinds: list[Any] = [Plain, Cached, Telling]
    assert [generation_cache.open_cache(one) is not None for one in kinds] == [False, True, False]
    monkeypatch.setenv("LIFTBENCH_GENERATION_CACHE", "off")
    assert generation_cache.open_cache(kinds[1]) is None
