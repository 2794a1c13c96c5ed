"""The comparison of generations runs from end to end, and all sides continue the same prompts alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")

from .rivals.matrix_products import Shape
from .scoring_rivals import main, roofline, tiny_job


@pytest.mark.slow
def test_both_sides_write_the_same_texts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--quick", "--rounds", "1", "--threads", "1", "--out", str(tmp_path / "figures.json")])
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["equal_texts"] == {"one by one": figures["prompts"]}
    assert figures["comparison"]["times_faster_than"]["one by one"] > 0
    assert "medians of the rounds" in capsys.readouterr().out


def test_the_roofline_counts_products_and_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = tiny_job(tmp_path)
    monkeypatch.setattr("tests.benchmarks.scoring_rivals.matrix_rate", lambda *_, **__: 1e9)
    monkeypatch.setattr("tests.benchmarks.scoring_rivals.read_rate", lambda: 1e30)
    bound_by_products = roofline(job)
    job["new_tokens"] = 1
    prompts_only = roofline(job)
    config = json.loads((Path(job["model"]) / "config.json").read_text())
    linear = 2 * 2 * sum(a * b for a, b in Shape(64, 128, 2, 4, 2, 16, config["vocab_size"]).linear)
    tokens = sum(map(len, job["token_ids"]))
    assert linear * tokens / 1e9 < prompts_only < bound_by_products
    monkeypatch.setattr("tests.benchmarks.scoring_rivals.read_rate", lambda: 1.0)
    job["new_tokens"] = 2
    assert roofline(job) > 2 * sum(map(len, job["token_ids"]))
