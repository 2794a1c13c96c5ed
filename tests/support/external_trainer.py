"""A trainer that knows nothing of liftbench: the program that the tests of the trainer `command` run.

Run as `python external_trainer.py REQUEST`. It trains a LoRA with plain PyTorch and PEFT; with `--whole` before the
request, all weights.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer


def main() -> None:
    assert "liftbench" not in sys.modules
    whole = "--whole" in sys.argv
    request = json.loads(Path(sys.argv[-1]).read_text(encoding="utf-8"))
    torch.manual_seed(request["seed"])
    base = AutoModelForCausalLM.from_pretrained(request["model"], dtype=torch.float32)
    lora = LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM")
    model = base if whole else get_peft_model(base, lora)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    print("training begins")
    for step, line in enumerate(Path(request["train"]).read_text(encoding="utf-8").splitlines(), start=1):
        row = json.loads(line)
        # A real trainer learns the reference's tokens; this one is satisfied with the end of a summary.
        ids = torch.tensor([[*row["prompt_ids"], request["end_token"]]])
        labels = ids.clone()
        labels[:, :-1] = -100
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        print(json.dumps({"step": step, "loss": loss.item()}), flush=True)
    model.save_pretrained(request["adapter"])
    if whole:
        AutoTokenizer.from_pretrained(request["model"]).save_pretrained(request["adapter"])


if __name__ == "__main__":
    main()
