"""`make performance-cuda`: training and generation on a GPU, on models of random weights; at most 8 minutes on an H200.

Nothing is downloaded: bases of the shapes of Llama 2 7B and Llama 3.1 8B begin on the meta device and are filled on the
GPU.
Measured for each, in NF4 and in bfloat16, against TRL's SFTTrainer (which loses nothing by equal lengths: no padding):

- `tweetsumm`: 8 conversations of 300 prompt tokens with 3 references of 45 tokens in a step (goal in NF4: 2 × TRL);
- `dense`: 2 rows of 2,048 tokens, all of them learned (goal: 1 × TRL), without recomputation: model FLOP utilization
  (goal: 40% in bfloat16, and NF4 at 70% of that);
- `dense, recomputed`: the same rows with activation checkpointing in NF4: peak memory (goal for the 8B: 9.6 GiB);
- generation in bfloat16 on Llama 3.2 1B's shape against vLLM, where that is installed.

    python -m tests.benchmarks.cuda [--small] [--minutes 8] [--out FILE]

Wheels: torch 2.13 (CUDA 12.8 or newer, with its triton), transformers 5.23, peft 0.21.2, trl 1.16, accelerate 1.15,
bitsandbytes 0.50.2, datasets 5.2; for TRL's best also flash-attn, for generation vllm 0.11 or newer. `--small` takes a
tiny shape and any device, for a test of this script. What does not fit into the minutes is left out and said.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AttentionInterface, AutoTokenizer, LlamaConfig, LlamaForCausalLM, PrinterCallback
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding
from trl import SFTConfig, SFTTrainer

from liftbench.measuring.backend import BackendRequest
from liftbench.plugin_api import Prompt
from liftbench.prompts.spec import prompt_spec
from liftbench.runs.environment import environment, git_state
from liftbench_plugins.backends.transformers import TransformersBackend, unpack_nf4
from liftbench_plugins.library_output import quiet
from liftbench_plugins.trainers.flex import choose_flex
from liftbench_plugins.trainers.shared_prefix import ATTENTION, attention, collate, padding_of
from liftbench_plugins.trainers.target_loss import TargetLossTrainer
from tests.support.tiny import build_tiny_llama

from .rivals.matrix_products import matrix_rate, separate_rows, shape_of, shared_prefix, total, training_flops
from .rivals.trl_training import Clock

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "baselines" / "performance" / "cuda.json"

DEVICE = "cuda:0" if torch.cuda.is_available() else "cpu"
RANK, ALPHA, RATE = 16, 32, 2e-4
WARM_UP, TIMED = 2, 4
"""Optimizer steps."""

NOMINAL = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "B200": 2250e12}
"""Part of a GPU's name → its dense bfloat16 operations per second, by its data sheet."""

LLAMA_2_7B = {
    "vocab_size": 32000,
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
}
LLAMA_31_8B = LLAMA_2_7B | {
    "vocab_size": 128256,
    "intermediate_size": 14336,
    "num_key_value_heads": 8,
    "rope_parameters": {"rope_type": "default", "rope_theta": 500000.0},
}
LLAMA_32_1B = LLAMA_31_8B | {
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 16,
    "head_dim": 64,
    "tie_word_embeddings": True,
}
TINY = {
    "vocab_size": 384,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


class Geometry(NamedTuple):
    """The rows of an optimizer step; all have the same lengths."""

    name: str
    prompt: int
    targets: tuple[int, ...]
    conversations: int

    @property
    def supervised(self) -> int:
        """Tokens that a step learns."""
        return self.conversations * sum(self.targets)


class Contender(NamedTuple):
    """Who trains, and how."""

    trainer: str = "liftbench"
    micro_batch: int = 0
    """TRL's rows per forward pass; liftbench has all of a step in one."""
    padding_free: bool = False
    recompute: bool = False


class Plan(NamedTuple):
    """What is measured, in sizes of the machine."""

    shapes: dict[str, dict[str, Any]]
    generation: dict[str, Any]
    tweetsumm: Geometry
    dense: Geometry
    new_tokens: int


FULL = Plan(
    {"Llama 3.1 8B": LLAMA_31_8B, "Llama 2 7B": LLAMA_2_7B},
    LLAMA_32_1B,
    Geometry("tweetsumm", 300, (45, 45, 45), 8),
    # The first token is predicted from nothing.
    Geometry("dense", 1, (2047,), 2),
    128,
)
SMALL = Plan({"tiny": TINY}, TINY, Geometry("tweetsumm", 30, (5, 5, 5), 2), Geometry("dense", 1, (63,), 2), 4)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--small", action="store_true", help="a tiny shape on any device: a test of this script")
    parser.add_argument("--minutes", type=float, default=8.0, help="no measurement begins after this time")
    parser.add_argument("--out", type=Path, help=f"where the figures go ({OUT.relative_to(ROOT)}; --small: nowhere)")
    asked = parser.parse_args(arguments)
    if DEVICE == "cpu" and not asked.small:
        sys.exit("there is no GPU here: CUDA is unmeasured (--small tests this script on any device)")
    end = time.monotonic() + 60 * asked.minutes
    out = asked.out or (None if asked.small else OUT)
    figures: dict[str, Any] = {
        "environment": msgspec.to_builtins(environment()),
        "git": msgspec.to_builtins(git_state(ROOT)),
        "flash_attn": importlib.util.find_spec("flash_attn") is not None,
        "measured": [],
    }
    plan = SMALL if asked.small else FULL
    with tempfile.TemporaryDirectory() as folder, quiet():
        for name, measure in measurements(plan, Path(folder)):
            found = measure() if time.monotonic() < end else {"left_out": f"after {asked.minutes:g} minutes"}
            figures["measured"].append({"what": name} | found)
            print(json.dumps(figures["measured"][-1]), flush=True)
            if out is not None:
                # After each, so that an interruption leaves what was measured before it.
                out.parent.mkdir(parents=True, exist_ok=True)
                out.write_text(json.dumps(figures, indent=2) + "\n")


def measurements(plan: Plan, work: Path) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """Name and work of each measurement, the ones with goals first."""
    for name, shape in plan.shapes.items():
        yield f"{name}: NF4, tweetsumm", partial(contest, shape, "nf4", plan.tweetsumm, work)
        yield (
            f"{name}: NF4, dense, recomputed",
            partial(train, Contender(recompute=True), shape, "nf4", plan.dense, work),
        )
        yield f"{name}: bfloat16, dense", partial(contest, shape, "bfloat16", plan.dense, work)
        yield f"{name}: NF4, dense", partial(contest, shape, "nf4", plan.dense, work)
    yield "generation", partial(generation, plan.generation, plan.tweetsumm.prompt, plan.new_tokens, work)


# ------------------------------------------------------------------------------------------------------------- training


def contest(shape: dict[str, Any], precision: str, geometry: Geometry, work: Path) -> dict[str, Any]:
    """Our training against TRL's in its best setting."""
    ours = train(Contender(), shape, precision, geometry, work)
    rows = geometry.conversations * len(geometry.targets)
    rivals = {"rows of a step at once": Contender("TRL", rows)}
    if rows % 8 == 0 and rows > 8:
        rivals["8 rows at once"] = Contender("TRL", 8)
    if importlib.util.find_spec("flash_attn") is not None and DEVICE != "cpu":
        rivals["padding-free, FlashAttention 2"] = Contender("TRL", rows, padding_free=True)
    theirs = {name: train(rival, shape, precision, geometry, work) for name, rival in rivals.items()}
    best = max(found["supervised_tokens_per_second"] for found in theirs.values())
    speed = round(ours["supervised_tokens_per_second"] / best, 2) if best else None
    return {"liftbench": ours, "TRL": theirs, "speed": speed}


def train(
    contender: Contender, shape: dict[str, Any], precision: str, geometry: Geometry, work: Path
) -> dict[str, Any]:
    """Train some optimizer steps on drawn tokens; an error of memory is a result, too."""
    try:
        return _train(contender, shape, precision, geometry, work)
    except torch.OutOfMemoryError as error:
        return {"supervised_tokens_per_second": 0.0, "error": str(error).partition(". ")[0]}
    finally:
        gc.collect()
        if DEVICE != "cpu":
            torch.cuda.empty_cache()


def _train(
    contender: Contender, shape: dict[str, Any], precision: str, geometry: Geometry, work: Path
) -> dict[str, Any]:
    own = contender.trainer == "liftbench"
    tokens, seconds = (4096, 1) if DEVICE != "cpu" else (64, 0)
    rate = matrix_rate(shape_of(shape), tokens, device=DEVICE, seconds=seconds)
    base = random_base(shape, precision)
    resident = torch.cuda.memory_allocated() if DEVICE != "cpu" else None
    tokenizer = AutoTokenizer.from_pretrained(_tokenizer(work))
    clock = Clock(torch.cuda.synchronize if DEVICE != "cpu" else lambda: None)
    rows = _rows(geometry, (WARM_UP + TIMED) * geometry.conversations, shape["vocab_size"])
    common: dict[str, Any] = {
        "processing_class": tokenizer,
        "peft_config": LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules="all-linear", task_type="CAUSAL_LM"),
        "callbacks": [clock.callback],
    }
    if own:
        _use_own_attention(base)
        trainer = TargetLossTrainer(
            model=base,
            args=_arguments(contender, work, geometry.conversations, 1),
            train_dataset=Dataset.from_list(rows),
            data_collator=partial(collate, pad=0, pad_to=padding_of(base)),
            **common,
        )
    else:
        base.set_attn_implementation("flash_attention_2" if contender.padding_free else "sdpa")
        accumulated = geometry.conversations * len(geometry.targets) // contender.micro_batch
        trainer = SFTTrainer(
            model=base,
            args=_arguments(contender, work, contender.micro_batch, accumulated),
            train_dataset=Dataset.from_list([row for each in rows for row in _separate(each)]),
            **common,
        )
    trainer.remove_callback(PrinterCallback)
    if DEVICE != "cpu":
        torch.cuda.reset_peak_memory_stats()
    trainer.train()
    timed = clock.seconds[WARM_UP:]
    count = shared_prefix if own else separate_rows
    work_of_a_step = total([count(geometry.prompt, geometry.targets)] * geometry.conversations)
    flops = training_flops(shape_of(shape), RANK, work_of_a_step) / (sum(timed) / len(timed))
    nominal = next((peak for part, peak in NOMINAL.items() if part in _gpu()), None)
    return {
        "supervised_tokens_per_second": round(geometry.supervised * len(timed) / sum(timed), 1),
        "step_seconds": [round(each, 4) for each in clock.seconds],
        "teraflops": round(flops / 1e12, 2),
        "matrix_teraflops": round(rate / 1e12, 2),
        "matrix_fraction": round(flops / rate, 3),
        "utilization": nominal and round(flops / nominal, 3),
        "attention": base.config._attn_implementation,
        "resident_gib": resident and round(resident / 2**30, 2),
        "peak_gib": round(torch.cuda.max_memory_allocated() / 2**30, 2) if DEVICE != "cpu" else None,
    }


def _gpu() -> str:
    return torch.cuda.get_device_name(0) if DEVICE != "cpu" else ""


def _arguments(contender: Contender, work: Path, micro_batch: int, accumulated: int) -> SFTConfig:
    """Equal for both but for the batches. The optimizer is each one's own: ours pages 8-bit states, TRL's is fused."""
    own = contender.trainer == "liftbench"
    optimizer = "adamw_torch" if DEVICE == "cpu" else "paged_adamw_8bit" if own else "adamw_torch_fused"
    arguments = SFTConfig(
        output_dir=str(work / "training"),
        num_train_epochs=1,
        train_sampling_strategy="sequential",
        per_device_train_batch_size=micro_batch,
        gradient_accumulation_steps=accumulated,
        learning_rate=RATE,
        optim=optimizer,
        bf16=DEVICE != "cpu",
        use_cpu=DEVICE == "cpu",
        activation_checkpointing=contender.recompute,
        padding_free=contender.padding_free,
        max_length=None,
        completion_only_loss=not own,
        dataset_kwargs={"skip_prepare_dataset": own},
        remove_unused_columns=not own,
        dataloader_pin_memory=DEVICE != "cpu",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    if DEVICE != "cpu":
        arguments._n_gpu = 1
    return arguments


def _rows(geometry: Geometry, count: int, vocabulary: int) -> list[dict[str, Any]]:
    generator = torch.Generator().manual_seed(0)

    def tokens(length: int) -> list[int]:
        drawn: list[int] = torch.randint(3, min(vocabulary, 300), (length,), generator=generator).tolist()
        return drawn

    return [
        {"prompt_ids": tokens(geometry.prompt), "targets": [tokens(size) for size in geometry.targets]}
        for _ in range(count)
    ]


def _separate(row: dict[str, Any]) -> list[dict[str, list[int]]]:
    prompt = row["prompt_ids"]
    return [
        {"input_ids": prompt + target, "completion_mask": [0] * len(prompt) + [1] * len(target)}
        for target in row["targets"]
    ]


def _tokenizer(work: Path) -> Path:
    folder = work / "tokenizer"
    return folder if folder.exists() else build_tiny_llama(folder)


def _use_own_attention(model: Any) -> None:
    # As `base_for_training` does with a base from a folder.
    if DEVICE == "cpu":
        unpack_nf4(model)
        AttentionInterface.register(ATTENTION, attention)
        model.set_attn_implementation(ATTENTION)
    else:
        choose_flex(model, DEVICE)


# --------------------------------------------------------------------------------------------------------------- models


def random_base(shape: dict[str, Any], precision: str) -> Any:
    """A LLaMA of random weights on the device, `bfloat16` or `nf4`; no more than one layer of it exists unpacked."""
    config = LlamaConfig(**shape, max_position_embeddings=4096, pad_token_id=0)
    with torch.device("meta"):
        model = LlamaForCausalLM._from_config(config, dtype=torch.bfloat16, attn_implementation="sdpa")
    generator = torch.Generator(DEVICE).manual_seed(0)
    head = model.get_output_embeddings()
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) is torch.nn.Linear and child is not head and precision == "nf4":
                setattr(module, name, _packed(child, generator))
    for module in model.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            if parameter.is_meta:
                made = torch.empty(parameter.shape, dtype=torch.bfloat16, device=DEVICE)
                made = made.normal_(0, 0.02, generator=generator) if made.dim() > 1 else made.fill_(1)
                setattr(module, name, torch.nn.Parameter(made, requires_grad=False))
    model.tie_weights()
    model.model.rotary_emb = LlamaRotaryEmbedding(config).to(DEVICE)
    model.is_loaded_in_4bit = precision == "nf4"
    return model


def _packed(layer: Any, generator: torch.Generator) -> Any:
    from bitsandbytes.nn import Linear4bit, Params4bit

    packed = Linear4bit(
        layer.in_features,
        layer.out_features,
        bias=False,
        compute_dtype=torch.bfloat16,
        compress_statistics=True,
        quant_type="nf4",
        device="meta",
    )
    weight = torch.empty(layer.weight.shape, dtype=torch.bfloat16, device=DEVICE)
    weight.normal_(0, 0.02, generator=generator)
    packed.weight = Params4bit(
        weight, requires_grad=False, compress_statistics=True, quant_type="nf4", module=packed
    ).to(DEVICE)
    if hasattr(packed, "support_avx512bf16_for_cpu"):
        packed.support_avx512bf16_for_cpu = False
    return packed


# ----------------------------------------------------------------------------------------------------------- generation


def generation(shape: dict[str, Any], prompt: int, new_tokens: int, work: Path) -> dict[str, Any]:
    """New tokens per second of 128 prompts (4 in a test) in bfloat16, without ends, by our backend and by vLLM."""
    folder = build_tiny_llama(work / "generation")
    model = random_base(shape, "bfloat16")
    model.generation_config.eos_token_id = None
    model.save_pretrained(folder)
    del model
    gc.collect()
    prompts = [row["prompt_ids"] for row in _rows(Geometry("", prompt, (), 1), 4 if DEVICE == "cpu" else 128, 300)]
    backend = TransformersBackend(
        BackendRequest(
            model=folder, adapter=None, precision="bfloat16", prompt=prompt_spec("{conversation}", "", "chat")
        )
    )
    # A random model ends by chance; rivals are to write equally much.
    backend._stops = set()
    given = [Prompt(text="", token_ids=ids, sha256="") for ids in prompts]
    backend.generate(given[:1], 2)
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        made = backend.generate(given, new_tokens)
        seconds.append(time.perf_counter() - started)
    backend.close()
    ours = sum(each.new_tokens for each in made) / min(seconds)
    return {"liftbench": round(ours, 1), "vllm": _vllm(folder, prompts, new_tokens)}


VLLM = """
import json, sys, time
from vllm import LLM, SamplingParams
folder, ids, count = json.load(sys.stdin)
llm = LLM(model=folder, dtype="bfloat16", max_model_len=1024, gpu_memory_utilization=0.6)
options = SamplingParams(temperature=0, max_tokens=count, ignore_eos=True)
prompts = [{"prompt_token_ids": each} for each in ids]
llm.generate(prompts[:1], options)
best = float("inf")
for _ in range(2):
    started = time.perf_counter()
    llm.generate(prompts, options)
    best = min(best, time.perf_counter() - started)
print("RATE", len(prompts) * count / best)
"""


def _vllm(folder: Path, prompts: list[list[int]], new_tokens: int) -> float | str:
    """vLLM's rate, or why there is none. In a process of its own, because it takes most of a GPU's memory."""
    if importlib.util.find_spec("vllm") is None:
        return "not installed"
    given = json.dumps([str(folder), prompts, new_tokens])
    try:
        done = subprocess.run(
            [sys.executable, "-c", VLLM],
            # Not an argument, whose length is limited.
            input=given,
            env=os.environ | {"HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "not ready after 150 s"
    rates = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("RATE ")]
    return round(float(rates[0]), 1) if rates and math.isfinite(float(rates[0])) else done.stderr[-300:]


if __name__ == "__main__":
    main()
