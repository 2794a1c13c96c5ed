"""`make performance`: rivals side by side in one run, on the real default model and TweetSumm validation.

Prints a line of JSON for each: what, the figure of each rival, and the ratio. Not a test: machines are noisy.
Names of parts (`decoding`, `training`, `rouge`, `lift`) run these alone; the last two need no model.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bitsandbytes.nn import Linear4bit
from peft import LoraConfig, get_peft_model
from rouge_score.rouge_scorer import RougeScorer

from liftbench.data.jsonl import read_jsonl
from liftbench.measuring.backend import BackendRequest
from liftbench.measuring.plan import batch_plan
from liftbench.metrics import rouge as rouge_module
from liftbench.metrics.rouge import Name, Rouge, all_pairs, f1
from liftbench.models.references import resolve
from liftbench.prompts.render import render
from liftbench.prompts.spec import prompt_spec
from liftbench.recipe.sections import DEFAULT_TEMPLATE
from liftbench.records.conversation import Conversation
from liftbench.statistics.bootstrap import Bootstrap
from liftbench.text import rouge_words as tokens_module
from liftbench_plugins.backends import transformers as backend_module
from liftbench_plugins.backends.transformers import TransformersBackend
from liftbench_plugins.library_output import quiet
from liftbench_plugins.loading import device, load_model
from liftbench_plugins.trainers.fused_lora import fuse
from liftbench_plugins.trainers.rows import Encoder
from liftbench_plugins.trainers.sft import base_for_training
from liftbench_plugins.trainers.shared_prefix import collate, target_loss

ROUNDS = 3
DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "tweetsumm" / "validation.jsonl"
PROMPT = prompt_spec(DEFAULT_TEMPLATE, "", "chat")
ROUGE: tuple[Name, ...] = ("rouge1", "rouge2", "rougeL")


def report(what: str, unit: str, figures: dict[str, float], **more: float) -> None:
    first, second = figures.values()
    row = {"what": what, "unit": unit, **{name: round(value, 2) for name, value in figures.items()}}
    row |= {"ratio": round(first / second, 2), "threads": torch.get_num_threads(), **more}
    print(json.dumps(row), flush=True)


def best(work: dict[str, Callable[[], float]]) -> dict[str, float]:
    """The best rate of each rival, in turns, so that a busy moment hits all."""
    rates: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(ROUNDS):
        for name, run in work.items():
            rates[name].append(run())
    return {name: max(found) for name, found in rates.items()}


def batch_of_16(conversations: list[Conversation]) -> list[Conversation]:
    by_id = {conversation.id: conversation for conversation in conversations}
    return [by_id[id_] for id_ in batch_plan(conversations, 16)[0]]


def decoding(conversations: list[Conversation]) -> None:
    """New tokens per second of a batch of 16 in NF4: weights unpacked once against in every step."""
    model = resolve("smollm2-135m").path
    request = BackendRequest(model=model, adapter=None, precision="nf4", prompt=PROMPT)
    unpacked = TransformersBackend(request)
    keep = backend_module.unpack_nf4
    backend_module.unpack_nf4 = lambda model: None  # noqa: ARG005 - called by name or by place
    try:
        packed = TransformersBackend(request)
    finally:
        backend_module.unpack_nf4 = keep
    assert any(isinstance(module, Linear4bit) for module in packed._model.modules())
    prompts = [render(PROMPT, conversation, unpacked.tokenizer, 1024) for conversation in batch_of_16(conversations)]

    def rate(backend: TransformersBackend) -> Callable[[], float]:
        def run() -> float:
            started = time.perf_counter()
            made = backend.generate(prompts, 24)
            return sum(each.new_tokens for each in made) / (time.perf_counter() - started)

        return run

    report("decode in NF4", "new tokens/s", best({"unpacked once": rate(unpacked), "packed": rate(packed)}))


def training(conversations: list[Conversation]) -> None:
    """Supervised tokens per second of forward and backward in NF4: our sequences against a row for each reference."""
    model = resolve("smollm2-135m").path
    tokenizer = TransformersBackend.open_tokenizer(model)
    encoder = Encoder(conversations, PROMPT, tokenizer, max_input_tokens=1024, context=2048)
    rows: list[dict[str, Any]] = []
    for index in range(4):
        row, _ = encoder.row([(index, number) for number in range(len(conversations[index].references))])
        assert row is not None
        rows.append({"prompt_ids": row.prompt_ids, "targets": row.targets})
    supervised: int = sum(len(target) for row in rows for target in row["targets"])
    options = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")

    ours = get_peft_model(base_for_training(model, "nf4"), options).train()
    if device() == "cpu":
        fuse(ours)
    packed = get_peft_model(load_model(model, "nf4"), options).train()

    def rate(work: Callable[[dict[str, Any]], None]) -> Callable[[], float]:
        def run() -> float:
            started = time.perf_counter()
            for row in rows:
                work(row)
            return supervised / (time.perf_counter() - started)

        return run

    def together(row: dict[str, Any]) -> None:
        inputs = {
            name: each.to(device()) if isinstance(each, torch.Tensor) else each
            for name, each in collate([row], 0).items()
        }
        with torch.autocast(device().partition(":")[0], torch.bfloat16, enabled=device() != "cpu"):
            loss, _ = target_loss(ours, inputs)
        loss.backward()

    def separate(row: dict[str, Any]) -> None:
        for target in row["targets"]:
            ids = torch.tensor([row["prompt_ids"] + target], device=device())
            labels = ids.clone()
            labels[:, : len(row["prompt_ids"])] = -100
            with torch.autocast(device().partition(":")[0], torch.bfloat16):
                loss = packed(input_ids=ids, labels=labels, use_cache=False).loss
            loss.backward()

    rivals = {"references together": rate(together), "a row each, PEFT": rate(separate)}
    report("train in NF4", "supervised tokens/s", best(rivals))


def against_rouge_score(what: str, pairs: list[tuple[str, str]], ours: Callable[[], Any]) -> None:
    """Pairs per second of ROUGE-1, 2 and L together, nothing stemmed beforehand, and how far the values are apart."""
    package = RougeScorer(ROUGE, use_stemmer=True)
    values = {}

    def theirs() -> list[list[float]]:
        scores = (package.score(reference, text) for text, reference in pairs)
        return [[score[name].fmeasure for name in ROUGE] for score in scores]

    def rate(name: str, work: Callable[[], Any]) -> Callable[[], float]:
        def run() -> float:
            tokens_module._stems_of_words.clear()
            for cached in (tokens_module.stems, rouge_module._ngrams):
                cached.cache_clear()
            started = time.perf_counter()
            values[name] = work()
            return len(pairs) / (time.perf_counter() - started)

        return run

    rates = best({"liftbench": rate("liftbench", ours), "rouge-score": rate("rouge-score", theirs)})
    difference = float(np.abs(np.subtract(values["liftbench"], values["rouge-score"])).max())
    report(what, "pairs/s", rates, pairs=len(pairs), largest_difference=difference)


def rouge(conversations: list[Conversation]) -> None:
    """What human ceiling, oracle and constants ask for: pairs within conversations, and all against all."""
    near = [
        (text, reference)
        for one in conversations
        for text in (*one.references, *(turn.text for turn in one.turns))
        for reference in one.references
        if text is not reference
    ]
    against_rouge_score("ROUGE-1, 2, L: one pass", near, lambda: [[f1(name, *pair) for name in ROUGE] for pair in near])
    references = [reference for one in conversations for reference in one.references]
    texts = references[::8]
    against_rouge_score(
        "ROUGE-1, 2, L: all against all",
        list(product(texts, references)),
        lambda: np.stack([all_pairs(name, texts, references).ravel() for name in ROUGE], axis=1),
    )
    known = [reference for one in read_jsonl(DATA.with_name("train.jsonl")) for reference in one.references]
    for name in ROUGE:
        started = time.perf_counter()
        pairs = all_pairs(name, known, known).size
        row = {"what": f"{name}, training references", "pairs": pairs}
        print(json.dumps({**row, "seconds": round(time.perf_counter() - started, 3)}), flush=True)


def lift(conversations: list[Conversation]) -> None:
    """Seconds of scoring a split and of one interval."""
    started = time.perf_counter()
    values = Rouge("rougeL").score([c.references[0] for c in conversations], conversations)
    scored = time.perf_counter()
    Bootstrap(seed=0).lift(values, values, metric="rougeL", signature="", target=0.4)
    print(json.dumps({"what": "ROUGE-L", "seconds": round(scored - started, 3), "n": len(values)}))
    print(json.dumps({"what": "lift, 10,000 resamples", "seconds": round(time.perf_counter() - scored, 3)}))


PARTS = {"decoding": decoding, "training": training, "rouge": rouge, "lift": lift}


def main() -> None:
    if not DATA.is_file():
        sys.exit("the TweetSumm files are not beside this checkout (../shared/data/tweetsumm)")
    names = sys.argv[1:] or list(PARTS)
    if unknown := set(names) - set(PARTS):
        sys.exit(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    conversations = read_jsonl(DATA)
    for name in names:
        with quiet():
            PARTS[name](conversations)


if __name__ == "__main__":
    main()
