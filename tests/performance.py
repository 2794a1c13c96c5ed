"""`make performance`: rivals side by side in one run, on the real default model and TweetSumm validation.

Prints a line of JSON for each: what, the figure of each rival, and the ratio. Not a test: machines are noisy.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from bitsandbytes.nn import Linear4bit
from peft import LoraConfig, get_peft_model

from liftbench import stats
from liftbench.config import DEFAULT_TEMPLATE
from liftbench.contracts import BackendRequest
from liftbench.data.jsonl import read_jsonl
from liftbench.measurement import batch_plan
from liftbench.metrics.rouge import Rouge
from liftbench.models.references import resolve
from liftbench.prompts import completion_ids, end_token, prompt_spec, render
from liftbench_plugins.backends import transformers as backend_module
from liftbench_plugins.backends.transformers import TransformersBackend
from liftbench_plugins.loading import device, load_model
from liftbench_plugins.noise import quiet
from liftbench_plugins.trainers.rows import NOT_TRAINED
from liftbench_plugins.trainers.target_loss import target_loss

ROUNDS = 3
DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "tweetsumm" / "validation.jsonl"
PROMPT = prompt_spec(DEFAULT_TEMPLATE, "", "chat")


def report(what: str, unit: str, figures: dict[str, float]) -> None:
    first, second = figures.values()
    row = {"what": what, "unit": unit, **{name: round(value, 2) for name, value in figures.items()}}
    print(json.dumps({**row, "ratio": round(first / second, 2), "threads": torch.get_num_threads()}), flush=True)


def best(work: dict[str, Callable[[], float]]) -> dict[str, float]:
    """The best rate of each rival, in turns, so that a busy moment hits all."""
    rates: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(ROUNDS):
        for name, run in work.items():
            rates[name].append(run())
    return {name: max(found) for name, found in rates.items()}


def decoding(batch: list[Any], model: Path) -> None:
    """New tokens per second of a batch of 16 in NF4: weights unpacked once against in every step."""
    request = BackendRequest(model=model, adapter=None, precision="nf4", prompt=PROMPT)
    unpacked = TransformersBackend(request)
    keep = backend_module.unpack_nf4
    backend_module.unpack_nf4 = lambda _: None
    try:
        packed = TransformersBackend(request)
    finally:
        backend_module.unpack_nf4 = keep
    assert any(isinstance(module, Linear4bit) for module in packed._model.modules())
    prompts = [render(PROMPT, conversation, unpacked.tokenizer, 1024) for conversation in batch]

    def rate(backend: TransformersBackend) -> Callable[[], float]:
        def run() -> float:
            started = time.perf_counter()
            made = backend.generate(prompts, 24)
            return sum(each.new_tokens for each in made) / (time.perf_counter() - started)

        return run

    report("decode in NF4", "new tokens/s", best({"unpacked once": rate(unpacked), "packed": rate(packed)}))


def training(batch: list[Any], model: Path) -> None:
    """Tokens per second of forward and backward in NF4: LM head at target positions against at all."""
    base = load_model(model, "nf4")
    adapted = get_peft_model(
        base, LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    ).train()
    tokenizer = TransformersBackend.open_tokenizer(model)
    end = end_token(PROMPT, tokenizer)
    inputs = []
    for conversation in batch[:4]:
        prompt = render(PROMPT, conversation, tokenizer, 1024).token_ids
        target = completion_ids(conversation.references[0], end, tokenizer)
        ids = torch.tensor([prompt + target], device=device())
        labels = torch.tensor([[NOT_TRAINED] * len(prompt) + target], device=device())
        inputs.append({"input_ids": ids, "labels": labels, "attention_mask": torch.ones_like(ids)})
    tokens = sum(each["input_ids"].numel() for each in inputs)

    def rate(loss_of: Callable[[dict[str, Any]], Any]) -> Callable[[], float]:
        def run() -> float:
            started = time.perf_counter()
            for each in inputs:
                with torch.autocast(device().partition(":")[0], torch.bfloat16):
                    loss = loss_of(each)
                loss.backward()
            return tokens / (time.perf_counter() - started)

        return run

    rivals = {
        "targets only": rate(lambda each: target_loss(adapted, each)[0]),
        "every position": rate(lambda each: adapted(**each, use_cache=False).loss),
    }
    report("train in NF4", "tokens/s", best(rivals))


def main() -> None:
    if not DATA.is_file():
        sys.exit("the TweetSumm files are not beside this checkout (../shared/data/tweetsumm)")
    conversations = read_jsonl(DATA)
    by_id = {conversation.id: conversation for conversation in conversations}
    model = resolve("smollm2-135m").path
    batch = [by_id[id_] for id_ in batch_plan(conversations, 16)[0]]
    with quiet():
        decoding(batch, model)
        training(batch, model)
    started = time.perf_counter()
    texts, references = [c.references[0] for c in conversations], [c.references for c in conversations]
    values = Rouge("rougeL").score(texts, references)
    scored = time.perf_counter()
    stats.lift(values, values, metric="rougeL", signature="", seed=0)
    print(json.dumps({"what": "ROUGE-L", "seconds": round(scored - started, 3), "n": len(texts)}))
    print(json.dumps({"what": "lift, 10,000 resamples", "seconds": round(time.perf_counter() - scored, 3)}))


if __name__ == "__main__":
    main()
