"""The script for GPUs runs from end to end on a tiny shape on any device, so that it cannot rot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from . import cuda  # noqa: E402


def test_the_whole_script_on_a_tiny_shape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "WARM_UP", 1)
    monkeypatch.setattr(cuda, "TIMED", 1)
    out = tmp_path / "figures" / "cuda.json"
    cuda.main(["--small", "--out", str(out)])
    figures = json.loads(out.read_text())
    found = {each.pop("what"): each for each in figures["measured"]}
    assert figures["environment"]["packages"]["trl"]
    assert list(found) == [
        "tiny: NF4, tweetsumm",
        "tiny: NF4, dense, recomputed",
        "tiny: bfloat16, dense",
        "tiny: NF4, dense",
        "generation",
    ]
    for name in ("tiny: NF4, tweetsumm", "tiny: bfloat16, dense", "tiny: NF4, dense"):
        ours, theirs = found[name]["liftbench"], found[name]["TRL"]["rows of a step at once"]
        assert ours["supervised_tokens_per_second"] > 0
        assert theirs["matrix_fraction"] > 0
        assert found[name]["speed"] > 0
    assert found["tiny: NF4, dense, recomputed"]["supervised_tokens_per_second"] > 0
    assert found["generation"]["liftbench"] > 0


def test_measurements_after_the_time_are_left_out_and_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda, "random_base", lambda *_: pytest.fail("this is measured all the same"))
    cuda.main(["--small", "--minutes", "0"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 5
    assert all(line["left_out"] == "after 0 minutes" for line in lines)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_nothing_is_claimed(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="CUDA is unmeasured"):
        cuda.main(["--out", str(tmp_path / "cuda.json")])
    assert not (tmp_path / "cuda.json").exists()


@pytest.mark.parametrize(
    ("shape", "billions"), [(cuda.LLAMA_2_7B, 6.74), (cuda.LLAMA_31_8B, 8.03), (cuda.LLAMA_32_1B, 1.24)]
)
def test_the_shapes_are_those_of_the_models(shape: dict[str, int], billions: float) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    with torch.device("meta"):
        model = LlamaForCausalLM(LlamaConfig(**shape))
    assert sum(each.numel() for each in model.parameters()) / 1e9 == pytest.approx(billions, abs=0.005)
