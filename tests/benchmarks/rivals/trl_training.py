"""TRL's side of `training_rivals.py`: its SFTTrainer on given token ids, in an interpreter without liftbench.

Settings are what a user of TRL writes without changing a library: options of `SFTConfig`, of the base's quantization,
and the order of rows within an optimizer step.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from .jobs import Job, Report, TokenRow, peak_memory, read_job, write
from .matrix_products import matrix_rate, shape_of

PACKAGES = ("accelerate", "bitsandbytes", "peft", "torch", "transformers", "trl")
MATRIX_TOKENS = 576


class Setting(NamedTuple):
    """How TRL is told to train."""

    micro_batch: int = 8
    """Rows per forward pass; SFTConfig's default."""
    by_length: bool = False
    """Rows of an optimizer step in the order of their lengths, so that little is padded."""
    pad_to: int | None = None
    """Lengths are padded to a multiple: oneDNN keeps kernels for each shape."""
    autocast: bool = True
    """SFTConfig's default. Without it, a base and an adapter in bfloat16 compute in bfloat16 all the same."""
    padding_free: bool = False
    """The rows of a forward pass as one sequence."""
    unpack: bool = False
    """Call transformers' `dequantize()` on the base: the numbers of NF4, kept in bfloat16. No option of TRL, but one
    line of a user's script."""


SHIPPED = Setting()

TUNED = Setting(by_length=True, pad_to=32)


def main() -> None:
    """Do what the arguments say: `train JOB REPORT SETTING`, or `tune JOB REPORT`, with files of JSON."""
    if importlib.util.find_spec("liftbench") is not None:
        sys.exit("liftbench is importable here: this side needs an interpreter without it")
    task, job, report = sys.argv[1], read_job(Path(sys.argv[2])), Path(sys.argv[3])
    if task == "tune":
        write(report, tune(job))
    else:
        write(report, train(job, Setting(**json.loads(sys.argv[4]))))


def train(job: Job, setting: Setting) -> Report:
    """Train all rows, then measure the validation loss."""
    import torch

    torch.set_num_threads(job["threads"])
    config = json.loads((Path(job["model"]) / "config.json").read_text())
    rate = matrix_rate(shape_of(config), MATRIX_TOKENS)
    trainer, clock = _trainer(job, job["rows"], setting)
    trainer.train()
    # Before the validation, which holds less, but is not what is compared.
    peak = peak_memory()
    return Report(
        step_seconds=clock.seconds,
        validation_loss=_validation_loss(trainer, job["validation"]),
        peak_memory=peak,
        matrix_rate=rate,
        packages={name: metadata.version(name) for name in PACKAGES},
    )


def tune(job: Job) -> dict[str, Any]:
    """Seconds of eight rows under each setting, and the best of those that are options of TRL.

    The rows are two references of each of the four conversations in the middle of the first step's, by length, about as
    unlike as neighbours of a whole step are. A smaller micro-batch that is as fast as a larger one (3%) is the better
    one, because it takes less memory.
    """
    import torch

    torch.set_num_threads(job["threads"])
    step = sorted(job["rows"][: job["batch"]], key=lambda row: len(row["prompt_ids"]))
    middle = step[max(0, len(step) // 2 - 2) :][:4]
    rows = [TokenRow(prompt_ids=row["prompt_ids"], targets=row["targets"][:2]) for row in middle]
    tried: dict[Setting, float] = {}

    def seconds(setting: Setting) -> float:
        if setting not in tried:
            trainer, clock = _trainer(job, rows, setting)
            trainer.train()
            tried[setting] = sum(clock.seconds)
        return tried[setting]

    # The first products build oneDNN's kernels; nobody's time.
    _trainer(job, rows[:1], TUNED._replace(micro_batch=1))[0].train()
    count = sum(len(row["targets"]) for row in rows)
    best = TUNED
    for size in (size for size in (8, 4, 2, 1) if count % size == 0):
        smaller = TUNED._replace(micro_batch=size)
        if seconds(smaller) > 1.03 * min(tried.values()):
            break
        best = smaller
    if seconds(best._replace(autocast=False)) < tried[best]:
        best = best._replace(autocast=False)
    wrong = _padding_free_error(job, rows)
    if wrong < 0.01:
        # Few rows, because attention computes all pairs of a sequence; with or without autocast, as it was faster.
        sizes = [size for size in (2, 4) if count % size == 0]
        best = min((best, *(best._replace(padding_free=True, micro_batch=size) for size in sizes)), key=seconds)
    seconds(best._replace(unpack=True))
    return {
        "best": best._asdict(),
        "padding_free_error": wrong,
        "tried": [{**setting._asdict(), "seconds": round(took, 2)} for setting, took in tried.items()],
    }


class Clock:
    """Seconds of each optimizer step, as a callback."""

    def __init__(self, finish: Callable[[], None] = lambda: None) -> None:
        """`finish` waits for what a device still computes."""
        from transformers import TrainerCallback

        self.seconds: list[float] = []
        clock = self

        class Callback(TrainerCallback):  # type: ignore[misc]  # mypy does not follow transformers
            def on_train_begin(self, *_: Any, **__: Any) -> None:
                finish()
                clock._last = time.perf_counter()

            def on_step_end(self, *_: Any, **__: Any) -> None:
                finish()
                now = time.perf_counter()
                clock.seconds.append(now - clock._last)
                clock._last = now

        self.callback = Callback()
        self._last = time.perf_counter()


def _trainer(job: Job, rows: list[TokenRow], setting: Setting) -> tuple[Any, Clock]:
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoTokenizer, PrinterCallback
    from trl import SFTConfig, SFTTrainer

    batch = min(job["batch"], len(rows))
    steps = [rows[start : start + batch] for start in range(0, len(rows), batch)]
    flat = [_flatten(step, setting) for step in steps]
    in_a_step = len(flat[0])
    if any(len(step) != in_a_step for step in flat) or in_a_step % setting.micro_batch:
        raise ValueError(f"steps of {[len(step) for step in flat]} rows, but micro-batches of {setting.micro_batch}")
    clock = Clock()
    trainer = SFTTrainer(
        model=_base(Path(job["model"]), setting),
        args=SFTConfig(
            output_dir=job["work"],
            num_train_epochs=1,
            train_sampling_strategy="sequential",
            per_device_train_batch_size=setting.micro_batch,
            gradient_accumulation_steps=in_a_step // setting.micro_batch,
            learning_rate=job["learning_rate"],
            lr_scheduler_type="cosine",
            bf16=setting.autocast,
            # On by default; off, as on the other side.
            activation_checkpointing=False,
            padding_free=setting.padding_free,
            pad_to_multiple_of=setting.pad_to,
            # The default would cut the target of long rows off.
            max_length=None,
            completion_only_loss=True,
            use_cpu=True,
            dataloader_pin_memory=False,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            seed=job["seed"],
        ),
        train_dataset=Dataset.from_list([row for step in flat for row in step]),
        processing_class=AutoTokenizer.from_pretrained(job["model"]),
        peft_config=LoraConfig(
            r=job["rank"], lora_alpha=job["alpha"], target_modules="all-linear", task_type="CAUSAL_LM"
        ),
        callbacks=[clock.callback],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer, clock


def _flatten(step: list[TokenRow], setting: Setting) -> list[dict[str, list[int]]]:
    rows = [
        {
            "input_ids": row["prompt_ids"] + target,
            "completion_mask": [0] * len(row["prompt_ids"]) + [1] * len(target),
        }
        for row in step
        for target in row["targets"]
    ]
    return sorted(rows, key=lambda row: -len(row["input_ids"])) if setting.by_length else rows


def _base(folder: Path, setting: Setting) -> Any:
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    model = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=torch.bfloat16,
        device_map={"": "cpu"},
        attn_implementation="sdpa",
        quantization_config=BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        ),
    )
    if setting.unpack:
        model = model.dequantize(dtype=torch.bfloat16)
    return model


def _validation_loss(trainer: Any, rows: list[TokenRow]) -> float:
    """Per target token. `evaluate()` averages batches, in which the tokens of short references have more weight."""
    import torch

    model = trainer.model.eval()
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            # Else bitsandbytes repacks the weights in evaluation and computes with other kernels than the training did.
            module.support_avx512bf16_for_cpu = False
    total, count = 0.0, 0
    for row in _flatten(rows, Setting()):
        prompt = row["completion_mask"].count(0)
        ids = torch.tensor([row["input_ids"]])
        with torch.no_grad(), trainer.compute_loss_context_manager():
            logits = model(input_ids=ids, use_cache=False).logits[0, prompt - 1 : -1].float()
        total += torch.nn.functional.cross_entropy(logits, ids[0, prompt:], reduction="sum").item()
        count += ids.shape[1] - prompt
    return total / count


def _padding_free_error(job: Job, rows: list[TokenRow]) -> float:
    """The relative difference of the loss of two rows as one sequence to that of a padded batch; 1 if it fails.

    TRL supports padding-free training with FlashAttention alone, which CPUs do not have.
    """
    import torch

    losses: list[float] = []
    for padding_free in (False, True):
        setting = TUNED._replace(padding_free=padding_free, micro_batch=1)
        try:
            trainer, _ = _trainer(job, rows[:1], setting)
        except ValueError:
            return 1.0
        examples = [trainer.train_dataset[index] for index in (0, 1)] if len(trainer.train_dataset) > 1 else None
        if examples is None:
            return 1.0
        inputs = trainer.data_collator(examples)
        with torch.no_grad(), trainer.compute_loss_context_manager():
            losses.append(trainer.compute_loss(trainer.model.eval(), inputs).item())
    return abs(losses[1] / losses[0] - 1)
