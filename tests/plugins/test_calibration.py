"""The prediction of a training's time and memory from a few of its steps."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from liftbench.errors import RunFailed
from liftbench.plugin_api import Conversation, TrainRequest
from liftbench.progress import no_progress
from liftbench.training import estimate
from liftbench_plugins.loading import device
from liftbench_plugins.trainers import calibration
from liftbench_plugins.trainers.calibration import Measured, Pass, micro_batches, propose, seconds_of, spread, tokens_of
from liftbench_plugins.trainers.device_memory import MainMemory
from liftbench_plugins.trainers.low_rank import LoRATrainer
from liftbench_plugins.trainers.options import LoRAOptions
from liftbench_plugins.trainers.rows import Row

from ..support.trainings import train_request


@pytest.fixture
def request_for(
    tiny_chat_model: Path, conversations: list[Conversation], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., TrainRequest]:
    # No more steps than it takes.
    monkeypatch.setattr(calibration, "SECONDS", 0.0)

    def build(model: Path = tiny_chat_model, **options: Any) -> TrainRequest:
        given = msgspec.convert({"batch_size": 4, "rank": 4} | options, LoRAOptions)
        return train_request(model, conversations, tmp_path, given, record=estimate._drop)

    return build


def row(prompt: int, *targets: int) -> Row:
    return Row(pairs=(), prompt_ids=[1] * prompt, targets=[[1] * target for target in targets], shortened=False)


# ----------------------------------------------------------------------------------------------------------- end to end


@pytest.mark.parametrize(
    "options",
    [
        {"epochs": 1.5, "micro_batch": 2, "references": "one"},
        {"batch_size": 1, "max_steps": 3, "gradient_checkpointing": True},
    ],
)
def test_steps_and_tokens_are_those_of_the_training(
    request_for: Callable[..., TrainRequest], options: dict[str, Any]
) -> None:
    request = request_for(**options)
    told: list[tuple[int, int, str]] = []
    found = LoRATrainer().estimate(replace(request, progress=lambda *step: told.append(step)))
    assert [done for done, _, _ in told] == list(range(1, found.passes + 1))
    summary = LoRATrainer().train(replace(request, folder=request.folder / "real")).summary
    assert (found.steps, found.target_tokens, found.tokens) == (summary.steps, summary.target_tokens, summary.tokens)
    assert found.passes in (calibration.ENOUGH_PASSES, 2 * calibration.STEP_PASSES)
    assert found.peak_memory_bytes == found.peaks[request.options.micro_batch]
    assert 0 < found.weights_bytes < found.peak_memory_bytes < found.available_bytes
    assert found.seconds > 0
    assert found.evaluations > 0


def test_nothing_to_evaluate_and_a_batch_beyond_the_rows(request_for: Callable[..., TrainRequest]) -> None:
    found = LoRATrainer().estimate(replace(request_for(batch_size=16, micro_batch=16), validation=()))
    assert (found.evaluations, list(found.peaks)) == (0, [1, 2, 4, 8, 16])


def test_a_longest_row_that_would_not_fit_is_not_tried(
    request_for: Callable[..., TrainRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MainMemory, "room", lambda _: 10**6)
    found = LoRATrainer().estimate(request_for(batch_size=4))
    assert found.passes == 7, "the longest row would come eighth"
    assert found.proposed_micro_batch is None
    assert found.lower[0] == "train.options.gradient_checkpointing=true"
    assert found.lower[-1] == "generation.max_input_tokens"


def test_where_a_micro_batch_is_too_large_a_single_conversation_is_measured(
    request_for: Callable[..., TrainRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from liftbench_plugins.trainers import sft

    build, tried = sft._trainer, []

    def full(request: TrainRequest, *arguments: Any) -> Any:
        tried.append(request.options.micro_batch)
        if request.options.micro_batch > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return build(request, *arguments)

    monkeypatch.setattr(sft, "_trainer", full)
    found = LoRATrainer().estimate(request_for(micro_batch=4))
    assert tried == [4, 1]
    assert (found.micro_batch, list(found.peaks)) == (4, [1, 2, 4])


def test_without_a_usable_row_there_is_nothing_to_predict(request_for: Callable[..., TrainRequest]) -> None:
    empty = Conversation(id="e", turns=(), references=(" ",))
    with pytest.raises(RunFailed, match="nothing to train on"):
        LoRATrainer().estimate(replace(request_for(), train=(empty,)))


def _train(request: TrainRequest, sender: Any) -> None:
    sender.send(LoRATrainer().train(request).summary.peak_memory_bytes)


@pytest.mark.slow
@pytest.mark.skipif(device() != "cpu", reason="measures main memory")
def test_the_peak_is_that_of_a_training(
    request_for: Callable[..., TrainRequest], conversations: list[Conversation], tmp_path: Path
) -> None:
    long = tuple(replace(one, references=(" ".join(one.references) * 4,) * 3) for one in conversations[:8])
    request = replace(request_for(_wide_llama(tmp_path / "wide"), max_steps=2), train=long)
    found = estimate.ask(LoRATrainer(), request, no_progress)
    context = get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_train, args=(replace(request, folder=tmp_path / "real"), sender))
    process.start()
    peak = receiver.recv()
    process.join()
    assert found is not None
    # In so short a training the longest row may come before as much is held as in the end.
    assert found.peak_memory_bytes == pytest.approx(peak, rel=0.25)
    assert found.peaks[4] > 1.3 * found.peaks[1], "the activations count, not only the process"


def _wide_llama(folder: Path) -> Path:
    """Three million weights, whose activations take more than the process does."""
    from transformers import AutoConfig, LlamaForCausalLM

    from ..support.tiny import build_tiny_llama

    config = AutoConfig.from_pretrained(build_tiny_llama(folder))
    config.hidden_size, config.intermediate_size, config.num_hidden_layers = 192, 2048, 2
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


# ------------------------------------------------------------------------------------------------------------ the parts


def test_micro_batches_never_cross_a_batch() -> None:
    rows = [row(number, 1) for number in range(7)]
    assert [[len(one.prompt_ids) for one in batch] for batch in micro_batches(rows, 4, 3)] == [
        [0, 1, 2],
        [3],
        [4, 5, 6],
    ]
    assert micro_batches([], 4, 3) == []


def test_a_sample_has_the_longest_in_its_place_and_the_others_spread() -> None:
    batches = [[row(number, 1)] for number in range(64)]
    sample = spread(batches, 10, 7)
    assert tokens_of(sample[7]) == 64
    assert sorted(len(batch[0].prompt_ids) for batch in sample[1:7]) == [8, 16, 24, 32, 40, 48]
    assert len(sample) == 10
    assert [tokens_of(batch) for batch in spread(batches[:1], 4, 1)] == [1] * 4


def test_the_peak_of_other_micro_batches_is_linear_in_their_tokens_above_what_is_held() -> None:
    passes = [Pass(100, 1.0, 1_900), Pass(400, 1.0, 3_000)]
    measured = Measured(1, passes, before=1_000, other_peak=1_400)
    assert measured.peak_of(400) == 3_000
    assert measured.peak_of(800) == 5_000
    assert measured.peak_of(40) == 1_400, "loading took more"
    measured.after.append((2, 1_300))
    assert measured.peak_of(800) == 5_300, "the optimizer's state came later"
    assert measured.growth(50) == 0, "nobody knows yet"


def test_what_is_held_grows_with_the_lengths_to_come_until_kernels_are_replaced() -> None:
    measured = Measured(1, after=[(4, 1_000), (8, 1_200), (16, 1_600)])
    assert measured.growth(26) == 10 * 50
    assert measured.growth(10) == 0
    assert measured.growth(10_000) == (85 - 16) * 50
    assert Measured(1, after=[(4, 1_000), (8, 900)]).growth(100) == 0


def test_the_time_of_a_training_is_that_of_its_tokens_steps_evaluations_and_saves() -> None:
    passes = [Pass(100, 99.0, 0), Pass(100, 2.0, 0), Pass(300, 4.0, 0), Pass(900, 50.0, 0)]
    measured = Measured(1, passes, [0.5, 1.5], loading=10.0, evaluation=0.01, saving=3.0)
    # 6 s for 400 tokens: neither warming up nor the longest count.
    assert seconds_of(measured, 4_000, 5, 200, 2) == pytest.approx(10 + 60 + 5 + 2 * 2 + 3 * 3)
    assert seconds_of(measured, 400_000, 5, 0, 0) == pytest.approx(6_015 * (1 + 3 / 120)), "saved every two minutes"
    assert seconds_of(Measured(1, passes[:1], [1.0]), 100, 1, 100, 1) == pytest.approx(99 + 1 + 33)


@pytest.mark.parametrize(
    ("room", "wanted", "on_gpu", "proposed"),
    [
        (100, 1, False, 1),
        (100, 4, False, 4),
        (100, 8, False, 4),
        (100, 1, True, 4),
        (45, 4, True, 2),
        (42, 4, True, 1),
        (20, 1, True, None),
    ],
)
def test_the_largest_micro_batch_that_fits_is_proposed(
    room: int, wanted: int, on_gpu: bool, proposed: int | None
) -> None:
    assert propose({1: 20, 2: 40, 4: 80, 8: 160}, room, wanted, on_gpu=on_gpu) == proposed


def test_the_peak_of_main_memory_can_be_forgotten() -> None:
    memory = MainMemory()
    memory.forget_peak()
    before = memory.peak()
    taken = b"\1" * 300_000_000
    del taken
    assert memory.peak() > before + 250_000_000
    memory.forget_peak()
    assert memory.peak() < before + 150_000_000
    assert memory.room() > memory.held() > 0
