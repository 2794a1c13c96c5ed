"""The cache of generations: what is served from it, and what is not."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from liftbench.measuring import generation_cache
from liftbench.measuring.backend import Backend, BackendRequest, Generation
from liftbench.measuring.generate import backend_request
from liftbench.measuring.generation_cache import (
    COUNTED,
    ROWS,
    CachedBatches,
    Entry,
    GenerationCache,
    batch_key,
    parts,
    system_parts,
)
from liftbench.measuring.systems import Loadable
from liftbench.prompts.spec import Prompt, prompt_spec
from liftbench.recipe.sections import Recipe
from liftbench.records.conversation import Conversation
from liftbench.records.run import RULES, DecodingRules
from liftbench.records.system import AdapterRecord, Exported, ModelRecord, PromptSpec, ServedModel, Shot, System
from liftbench.runs.environment import PACKAGES, versions

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


def _with_version(name: str) -> dict[str, str]:
    return {**versions(), name: "0"}


def entry(text: str = "a text", key: str = KEY) -> Entry:
    return Entry(key=key, device="cpu", generations=[Generation(text=text, new_tokens=2, finish_reason="stop")])


@pytest.fixture
def cache(tmp_path: Path) -> GenerationCache:
    return GenerationCache(folder=tmp_path / "generations", limit=10_000)


@pytest.mark.parametrize("record", DECIDED, ids=lambda record: record.__name__)
def test_a_new_field_asks_for_a_decision(record: Any) -> None:
    """It is in the key by itself; whether it belongs there is decided here, and in `NOT_IN_KEY`."""
    assert sorted(record.__struct_fields__) == DECIDED[record].split()


class OneBackend(Backend):
    """A backend that is never opened."""


class OtherBackend(OneBackend):
    """Another one in the same module."""


ONE: Any = OneBackend

RECIPE = Recipe()
PROMPTS = [Prompt(text=text, sha256=text, token_ids=[len(text), 7], turns_dropped=0) for text in ("a", "bb")]


def key_of(
    system: System = SYSTEM, recipe: Recipe = RECIPE, kind: Any = ONE, prompts: Sequence[Prompt] = PROMPTS
) -> str:
    """The key of a batch, as a run makes it."""
    subject = Loadable(system=system, model=Path("model"), adapter=Path("adapter") if system.adapter else None)
    return batch_key(system_parts(subject, backend_request(subject, recipe), recipe, kind), prompts)


def with_model(**changes: Any) -> System:
    assert SYSTEM.model is not None
    return replace(SYSTEM, model=replace(SYSTEM.model, **changes))


def with_adapter(**changes: Any) -> System:
    assert SYSTEM.adapter is not None
    return replace(SYSTEM, adapter=replace(SYSTEM.adapter, **changes))


def with_prompt(**changes: Any) -> System:
    return replace(SYSTEM, prompt=replace(SPEC, **changes))


def generating(**changes: Any) -> Recipe:
    return replace(RECIPE, generation=replace(RECIPE.generation, **changes))


CHANGES: dict[str, Callable[[], str]] = {
    "model bytes": lambda: key_of(with_model(sha256="other")),
    "model settings": lambda: key_of(with_model(settings_sha256="other")),
    "model source": lambda: key_of(with_model(source="other")),
    "served model": lambda: key_of(with_model(served=ServedModel(name="n", url="u"))),
    "no model": lambda: key_of(replace(SYSTEM, model=None)),
    "no adapter": lambda: key_of(replace(SYSTEM, adapter=None)),
    "precision": lambda: key_of(replace(SYSTEM, precision="nf4")),
    "backend name": lambda: key_of(replace(SYSTEM, backend="vllm")),
    "backend class": lambda: key_of(kind=OtherBackend),
    "max_input_tokens": lambda: key_of(recipe=generating(max_input_tokens=1023)),
    "max_new_tokens": lambda: key_of(recipe=generating(max_new_tokens=81)),
    # The same sum, which is all that a backend learns of the two.
    "both budgets": lambda: key_of(recipe=generating(max_input_tokens=1023, max_new_tokens=81)),
    "another prompt": lambda: key_of(prompts=[PROMPTS[0], replace(PROMPTS[1], sha256="other")]),
    "other tokens": lambda: key_of(prompts=[PROMPTS[0], replace(PROMPTS[1], token_ids=[2, 8])]),
    "order": lambda: key_of(prompts=PROMPTS[::-1]),
    "smaller batch": lambda: key_of(prompts=PROMPTS[:1]),
    "larger batch": lambda: key_of(prompts=[*PROMPTS, PROMPTS[0]]),
    **{f"rule {name}": partial(lambda name: key_of(recipe=generating(**{name: 3})), name) for name in RULES},
    **{
        f"adapter {name}": partial(lambda name, value: key_of(with_adapter(**{name: value})), name, value)
        for name, value in {
            **dict.fromkeys(("sha256", "trainer", "base_sha256", "precision", "run", "family", "rows_sha256"), "other"),
            **dict.fromkeys(("tokenizer_sha256", "chat_template_sha256"), "other"),
            **dict.fromkeys(("seed", "rows", "trials"), 0),
            "whole_model": True,
            "exported": Exported(form="merged", dtype="bfloat16", of_sha256="a"),
        }.items()
    },
    **{
        f"prompt {name}": partial(lambda name, value: key_of(with_prompt(**{name: value})), name, value)
        for name, value in {
            **dict.fromkeys(("template", "system", "prefill", "sha256"), "other"),
            "style": "chat",
            "shots": (Shot(id="i", transcript="t", summary="s"),),
            "stop": ("end",),
            "max_words": 9,
            "template_arguments": {"enable_thinking": False},
        }.items()
    },
}
"""What is changed → the key after it."""

MACHINE: dict[str, tuple[str, Any]] = {
    "python": ("sys.version", "3.99"),
    "processor": ("liftbench.measuring.generation_cache.processor_name", lambda: "another"),
    "instructions": ("torch.backends.cpu.get_cpu_capability", lambda: "another"),
    "threads": ("torch.get_num_threads", lambda: 77),
    "products": ("torch.get_float32_matmul_precision", lambda: "medium"),
    "source": ("liftbench.measuring.generation_cache.code_sha256", lambda kind: f"edited {kind}"),
    **{
        f"package {name}": ("liftbench.measuring.generation_cache.versions", partial(_with_version, name))
        for name in PACKAGES
        if name != "liftbench"
    },
}
"""What of the machine is changed → the name to replace, and by what."""

VARIABLES = [
    *("ATEN_CPU_CAPABILITY", "CUBLAS_WORKSPACE_CONFIG", "CUDA_VISIBLE_DEVICES", "DNNL_MAX_CPU_ISA"),
    *("MKL_CBWR", "NVIDIA_TF32_OVERRIDE", "ONEDNN_MAX_CPU_ISA", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_what_texts_depend_on_is_not_served_after_a_change(cache: GenerationCache, change: str) -> None:
    cache.write(entry(key=key_of()))
    assert cache.read(key_of(), 1) is not None
    assert cache.read(CHANGES[change](), 1) is None


@pytest.mark.parametrize("change", MACHINE)
def test_another_machine_is_served_nothing(
    cache: GenerationCache, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    cache.write(entry(key=key_of()))
    name, value = MACHINE[change]
    monkeypatch.setattr(name, value)
    assert cache.read(key_of(), 1) is None
    monkeypatch.undo()
    assert cache.read(key_of(), 1) is not None


@pytest.mark.parametrize("name", VARIABLES)
def test_other_settings_are_served_nothing(cache: GenerationCache, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    cache.write(entry(key=key_of()))
    monkeypatch.setenv(name, "another")
    assert cache.read(key_of(), 1) is None


def test_a_gpu_its_model_and_its_cuda_are_in_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [key_of()]
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    for name, version in (("H200", "13.0"), ("H100", "13.0"), ("H100", "12.8")):
        monkeypatch.setattr("torch.cuda.get_device_name", lambda _index, name=name: name)
        monkeypatch.setattr("torch.version.cuda", version)
        keys.append(key_of())
    assert len(set(keys)) == len(keys)


def test_every_part_of_the_key_is_one_that_was_decided_on() -> None:
    """A part that is added asks for a change in the tables above."""
    subject = Loadable(system=SYSTEM, model=Path("model"))
    found = system_parts(subject, backend_request(subject, RECIPE), RECIPE, ONE)
    assert sorted(found) == ["backend", "budget", "code", "input", "machine", "request", "system"]
    parts_of_machine = "capability gpu packages processor products python settings threads"
    assert sorted(found["machine"]) == parts_of_machine.split()


def test_an_edited_a_new_and_a_removed_source_are_other_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "edited_backend"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "own.py").write_text("from liftbench.measuring.backend import Backend\nclass Own(Backend): pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    kind = importlib.import_module("edited_backend.own").Own
    hash_now = generation_cache.code_sha256.__wrapped__
    found = [hash_now(kind)]
    (folder / "own.py").write_text((folder / "own.py").read_text() + "# edited\n")
    found.append(hash_now(kind))
    (folder / "more.py").write_text("")
    found.append(hash_now(kind))
    (folder / "more.py").rename(folder / "renamed.py")
    found.append(hash_now(kind))
    assert len(set(found)) == 4
    (folder / "renamed.py").unlink()
    assert hash_now(kind) == found[1]
    monkeypatch.setattr(generation_cache, "__file__", str(folder / "own.py"))  # the harness is in the hash, too
    (tmp_path / "prompts").mkdir()
    assert hash_now(kind) not in found


def test_labels_and_folders_are_not_in_the_key() -> None:
    assert SYSTEM.model is not None
    assert parts(replace(SYSTEM, name="two", model=replace(SYSTEM.model, reference="folder"))) == parts(SYSTEM)
    assert parts(replace(REQUEST, model=Path("elsewhere"))) == parts(REQUEST)


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


WRITES = 120
WRITER = """
import sys, time
from pathlib import Path
from liftbench.measuring.backend import Generation
from liftbench.measuring.generation_cache import Entry, GenerationCache
name, folder, count, start = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
cache = GenerationCache(folder=folder, limit=10_000_000)
print("ready", flush=True)
while not start.exists():
    time.sleep(0.001)
for number in range(count):
    for key in (f"{name}-{number}", f"both-{number}"):
        made = Generation(text=f"text of {key} " * 200, new_tokens=1, finish_reason="stop")
        cache.write(Entry(key=key, device="cpu", generations=[made]))
"""


def test_two_processes_that_write_at_once_lose_nothing(cache: GenerationCache, tmp_path: Path) -> None:
    start = tmp_path / "start"
    command = [sys.executable, "-c", WRITER]
    arguments = [str(cache.folder), str(WRITES), str(start)]
    processes = [
        subprocess.Popen([*command, name, *arguments], stdout=subprocess.PIPE, text=True) for name in ("one", "two")
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    start.touch()
    assert [process.wait(120) for process in processes] == [0, 0]
    for process in processes:
        assert process.stdout is not None
        process.stdout.close()
    for name in ("one", "two", "both"):
        for number in range(WRITES):
            found = cache.read(f"{name}-{number}", 1)
            assert found is not None, (name, number)
            assert found.generations[0].text == f"text of {name}-{number} " * 200
    left = {path.name for path in cache.folder.iterdir() if not path.name.endswith(".entry")}
    assert left <= {".lock"}


def test_processes_that_write_at_once_exceed_the_limit_by_no_more_than_was_said(cache: GenerationCache) -> None:
    """What another one writes is counted after `COUNTED` writes at the latest."""
    other = GenerationCache(folder=cache.folder, limit=cache.limit)
    size = 500
    for number in range(3 * COUNTED):
        for which, one in (("a", cache), ("b", other)):
            one.write(entry("x" * size, f"{which}{number:03}"))
        assert cache.size() <= cache.limit + 2 * COUNTED * (size + 300)
    cache.write(entry("x" * size, "the last"))
    assert cache.read("the last", 1) is not None


class Recorded(GenerationCache):
    """A cache in memory that says what was asked of it."""

    asked: list[str]
    entries: dict[str, Entry]

    def read(self, key: str, rows: int) -> Entry | None:
        self.asked.append(key)
        found = self.entries.get(key)
        return found if found and len(found.generations) == rows else None

    def write(self, entry: Entry) -> None:
        self.entries[entry.key] = entry


def planned(cache: GenerationCache, conversations: int, size: int) -> tuple[CachedBatches, list[str], list[list[str]]]:
    """The cache for a plan of batches of one size, its ids and the plan."""
    ids = [f"c{number:05}" for number in range(conversations)]
    plan = [ids[start : start + size] for start in range(0, conversations, size)]
    rows = {id_: Conversation(id=id_, turns=(), references=()) for id_ in ids}
    measurement: Any = SimpleNamespace(conversations=rows, plan=plan)

    def render(one: Conversation) -> Prompt:
        return Prompt(text=one.id, sha256=one.id, token_ids=[1], turns_dropped=0)

    return CachedBatches(cache, {"system": 1}, None, measurement, render), ids, plan


def generation(id_: str) -> Generation:
    return Generation(text=f"of {id_}", new_tokens=1, finish_reason="stop")


def test_memory_does_not_grow_with_the_run(tmp_path: Path) -> None:
    """It holds `ROWS` conversations, and reads no further before they are taken; in writing, a batch."""
    cache = Recorded(folder=tmp_path, limit=0, asked=[], entries={})
    writing, ids, plan = planned(cache, 5000, 16)
    assert list(writing.read(set(ids))) == []
    for batch in plan:
        writing.add({id_: generation(id_) for id_ in batch[:9]}, "cpu")
        assert len(writing._made) <= 16
        writing.add({id_: generation(id_) for id_ in batch[9:]}, "cpu")
    assert (writing._made, writing._open, writing._keys) == ({}, {}, {})
    assert len(cache.entries) == len(plan)
    reading, _, _ = planned(cache, 5000, 16)
    cache.asked.clear()
    taken = 0
    for found in reading.read(set(ids)):
        assert len(found.conversations) == len(found.generations) == len(found.prompts) <= ROWS + 16
        assert [one.text for one in found.generations] == [f"of {one.id}" for one in found.conversations]
        taken += len(found.conversations)
        assert len(cache.asked) == -(-taken // 16)
    assert taken == 5000


def test_what_the_cache_lacks_is_written_when_its_batch_is_whole(tmp_path: Path) -> None:
    cache = Recorded(folder=tmp_path, limit=0, asked=[], entries={})
    first, ids, plan = planned(cache, 10, 4)
    assert list(first.read(set(ids))) == []
    first.add({id_: generation(id_) for id_ in plan[1]}, "cpu")
    second, _, _ = planned(cache, 10, 4)
    wanted = set(ids) - {plan[1][0]}
    (found,) = second.read(wanted)
    assert [one.id for one in found.conversations] == plan[1][1:]
    second.add({id_: generation(id_) for id_ in plan[0][:3]}, "cpu")
    assert len(cache.entries) == 1
    second.add({id_: generation(id_) for id_ in [plan[0][3], *plan[2]]}, "cpu")
    assert len(cache.entries) == 3


def test_texts_of_another_device_are_not_mixed_in(tmp_path: Path) -> None:
    cache = Recorded(folder=tmp_path, limit=0, asked=[], entries={})
    first, ids, plan = planned(cache, 8, 4)
    assert list(first.read(set(ids))) == []
    for batch, device in zip(plan, ("cuda:0", "cpu"), strict=True):
        first.add({id_: generation(id_) for id_ in batch}, device)
    second, _, _ = planned(cache, 8, 4)
    (found,) = second.read(set(ids))
    assert (found.device, [one.id for one in found.conversations]) == ("cuda:0", plan[0])


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
