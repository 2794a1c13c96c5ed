"""TRL's SFTTrainer as a program that the trainer `command` runs: `python trl_program.py REQUEST`.

It imports nothing of liftbench. Each reference is a row of its own behind its prompt, as TRL has it; a step takes as
many rows as eight conversations have on average, in the order of their lengths.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer

CONVERSATIONS = 8
MICRO_BATCH = 2


class Curve(TrainerCallback):  # type: ignore[misc]  # mypy does not follow transformers
    """Prints the loss of each step, which the trainer `command` records."""

    def on_log(self, _: Any, state: Any, __: Any, logs: dict[str, float], **___: Any) -> None:
        """Print a line of JSON."""
        if "loss" in logs:
            print(json.dumps({"step": state.global_step, "loss": float(logs["loss"])}), flush=True)


def main() -> None:
    """Train one pass over the rows of the request, and leave the adapter where it says."""
    request = json.loads(Path(sys.argv[-1]).read_text(encoding="utf-8"))
    tokenizer = AutoTokenizer.from_pretrained(request["model"])
    given = [json.loads(line) for line in Path(request["train"]).read_text(encoding="utf-8").splitlines()]
    rows = [row for one in given for row in _rows(one, tokenizer, request["end_token"])]
    step = CONVERSATIONS * len(rows) // len(given) // MICRO_BATCH * MICRO_BATCH
    ordered = [row for start in range(0, len(rows), step) for row in sorted(rows[start : start + step], key=_length)]
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(request["model"], dtype=torch.bfloat16),
        args=SFTConfig(
            output_dir=str(Path(request["adapter"]).parent / "trl"),
            num_train_epochs=1,
            train_sampling_strategy="sequential",
            per_device_train_batch_size=MICRO_BATCH,
            gradient_accumulation_steps=step // MICRO_BATCH,
            learning_rate=1e-3,
            lr_scheduler_type="cosine",
            warmup_steps=0.05,
            activation_checkpointing=False,
            pad_to_multiple_of=32,
            max_length=None,
            completion_only_loss=True,
            use_cpu=not torch.cuda.is_available(),
            dataloader_pin_memory=False,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            seed=request["seed"],
        ),
        train_dataset=Dataset.from_list(ordered),
        processing_class=tokenizer,
        peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"),
        callbacks=[Curve()],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    trainer.model.save_pretrained(request["adapter"])


def _rows(one: dict[str, Any], tokenizer: Any, end: int | list[int]) -> list[dict[str, list[int]]]:
    ends = [end] if isinstance(end, int) else end
    targets = [[*tokenizer.encode(reference, add_special_tokens=False), *ends] for reference in one["references"]]
    prompt: list[int] = one["prompt_ids"]
    return [
        {"input_ids": prompt + target, "completion_mask": [0] * len(prompt) + [1] * len(target)} for target in targets
    ]


def _length(row: dict[str, list[int]]) -> int:
    return -len(row["input_ids"])


if __name__ == "__main__":
    main()
