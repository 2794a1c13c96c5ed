"""The comparison of trainings counts what it says, and both sides train the same."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from liftbench.runs import environment  # noqa: E402

from ..support.tiny import build_tiny_llama  # noqa: E402
from .rivals import own_training, trl_training  # noqa: E402
from .rivals.jobs import Job, peak_memory  # noqa: E402
from .rivals.matrix_products import (  # noqa: E402
    Work,
    matrix_rate,
    separate_rows,
    shape_of,
    shared_prefix,
    total,
    training_flops,
)
from .rivals.processes import interpreter_without_liftbench  # noqa: E402
from .training_rivals import show, tiny_job  # noqa: E402


def test_the_operations_are_those_that_pytorch_counts(tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import AutoModelForCausalLM

    folder = build_tiny_llama(tmp_path)
    base = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager")
    options = LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(base, options)
    with FlopCounterMode(display=False) as counter:
        logits = model(input_ids=torch.arange(3, 53)[None], use_cache=False, logits_to_keep=7).logits
        logits.float().logsumexp(-1).sum().backward()
    shape = shape_of(json.loads((folder / "config.json").read_text()))
    # Eager attention computes what the causal mask hides, too.
    assert counter.get_total_flops() == training_flops(shape, 4, Work(tokens=50, pairs=50 * 50, targets=7))


def test_a_prompt_and_its_references_are_counted_once_or_once_for_each() -> None:
    assert shared_prefix(10, [4, 3]) == Work(tokens=15, pairs=55 + (30 + 6) + (20 + 3), targets=7)
    assert separate_rows(10, [4, 3]) == Work(tokens=27, pairs=105 + 91, targets=7)
    assert total([Work(1, 2, 3), Work(10, 20, 30)]) == Work(11, 22, 33)


def test_the_matrix_rate_is_a_rate() -> None:
    shape = shape_of(
        {"num_attention_heads": 4, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "vocab_size": 9}
    )
    assert matrix_rate(shape, 32, seconds=0) > 1e6


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, own_training.Texts]:
    return tiny_job(tmp_path_factory.mktemp("job"), torch.get_num_threads())


def test_both_sides_have_the_same_loss_after_the_same_rows(
    job: tuple[Job, own_training.Texts], capsys: pytest.CaptureFixture[str]
) -> None:
    rows, texts = job
    ours = own_training.train(rows, texts)
    tuned = trl_training.TUNED._replace(micro_batch=4)
    theirs = [trl_training.train(rows, setting) for setting in (trl_training.SHIPPED, tuned)]
    for report in theirs:
        assert len(report["step_seconds"]) == len(ours["step_seconds"]) == 2
        assert report["validation_loss"] == pytest.approx(ours["validation_loss"], rel=0.01)
    figures = show("ours", rows, ours, together=True)
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == figures
    assert figures["supervised_tokens_per_second"] > 0
    assert 0 < figures["matrix_fraction"] < 1


def test_padding_free_rows_are_tried_only_where_they_do_not_see_each_other(
    job: tuple[Job, own_training.Texts],
) -> None:
    assert trl_training._padding_free_error(job[0], job[0]["rows"]) < 0.01


@pytest.mark.parametrize(("padding_free", "changes"), [(7.0, {}), (3.0, {"padding_free": True})])
def test_the_fastest_setting_is_an_option_of_trl(
    job: tuple[Job, own_training.Texts],
    monkeypatch: pytest.MonkeyPatch,
    padding_free: float,
    changes: dict[str, Any],
) -> None:
    seconds = {(8, True): 9.0, (4, True): 5.0, (2, True): 5.1, (1, True): 8.0, (2, False): 4.0}

    def trainer(_job: Job, _rows: Any, setting: trl_training.Setting) -> Any:
        clock = trl_training.Clock()
        took = 1.0 if setting.unpack else seconds.get((setting.micro_batch, setting.autocast), 7.0)
        clock.seconds.append(padding_free if setting.padding_free and not setting.unpack else took)
        return type("Stand-in", (), {"train": lambda _: None})(), clock

    monkeypatch.setattr(trl_training, "_trainer", trainer)
    monkeypatch.setattr(trl_training, "_padding_free_error", lambda *_: 0.0)
    found = trl_training.tune(job[0])
    # 2 is as fast as 4, and takes less memory; without autocast it is faster still.
    assert found["best"] == trl_training.TUNED._replace(micro_batch=2, autocast=False, **changes)._asdict()
    assert [each["micro_batch"] for each in found["tried"]] == [8, 4, 2, 1, 2, 2, 4, 2]
    # Padding-free rows are tried in the faster precision.
    assert [each["autocast"] for each in found["tried"] if each["padding_free"]][:2] == [False, False]
    assert found["tried"][-1]["unpack"]


def test_the_other_interpreter_has_trl_and_not_liftbench(tmp_path: Path) -> None:
    python = interpreter_without_liftbench(tmp_path / "other")
    code = "import importlib.util as u; print([bool(u.find_spec(name)) for name in ('trl', 'peft', 'liftbench')])"
    done = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[True, True, False]"


def test_both_sides_count_memory_as_a_run_does() -> None:
    assert peak_memory() == pytest.approx(environment.peak_memory(), rel=0.01)
