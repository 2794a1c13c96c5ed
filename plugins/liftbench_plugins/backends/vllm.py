"""The `vllm` backend: greedy decoding by vLLM's offline engine in this process, with or without a LoRA adapter.

The harness hands over token ids, so prompts are those of every other backend. Importing this module imports neither
torch nor vLLM.
"""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from liftbench.plugin_api import (
    Backend,
    BackendRequest,
    Generation,
    LiftbenchError,
    PrerequisiteError,
    Prompt,
    RunFailed,
    UsageError,
    ending,
    first_line,
    unknown,
)
from liftbench_plugins.library_output import quiet
from liftbench_plugins.loading import context_of, load_config, load_tokenizer

from .decoding_rules import RuleKeeper
from .transformers import stop_tokens
from .vllm_adapters import changes_anything, check_adapter

PRECISIONS = ("float32", "bfloat16", "float16")

MEMORY = "LIFTBENCH_VLLM_MEMORY"
USUAL_MEMORY = 0.9
INVARIANT = "VLLM_BATCH_INVARIANT"
"""vLLM's own switch: its kernels then give a text the same bits in every batch."""

SETTINGS = {
    # The engine in this process schedules the same requests the same way every time.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
}
"""Environment variables of vLLM that are set where the user has not set them."""

ROWS = 1024
"""Prompts handed over at once where texts do not depend on their batch; the engine makes batches of them."""

ELSEWHERE = "Use --backend transformers."


class VLLMBackend(Backend):
    """Fast on a GPU; serves plain LoRA adapters on a base in float32, bfloat16 or float16."""

    # A repeat ends a text, which is cut afterwards. The other rules change what is chosen, and vLLM's own options mean
    # something else: its min_tokens counts tokens, and it has no n-gram rule.
    rules = frozenset({"repetition_stop"})
    cannot_reproduce = (
        "the texts of the backend transformers (`bench parity` says how many are equal)",
        "its own texts on another GPU or with another version of vLLM",
    )

    def __init__(self, request: BackendRequest) -> None:
        self.check(request)
        self._settle(request)
        self._rank = _rank_of(request)
        memory = memory_share()
        for name, value in SETTINGS.items():
            os.environ.setdefault(name, value)
        self._vllm = _import_engine()
        self.device = _device()
        self.independent = os.environ.get(INVARIANT) == "1"
        self.most_rows = ROWS
        self._engine = self._load(request, self._rank, memory)
        self._adapters = 0
        self._put_on(request.adapter)

    @classmethod
    def check(cls, request: BackendRequest) -> None:
        cls.check_precision(request.precision)
        _rank_of(request)
        memory_share()

    def take(self, request: BackendRequest) -> bool:
        """Another adapter of the same limit: the engine computes each limit by kernels of its own."""
        own = self._request
        same = all(
            getattr(request, name) == getattr(own, name) for name in ("model", "precision", "tokenizer", "positions")
        )
        if not same or self._rank is None or _rank_of(request) != self._rank:
            return False
        self._settle(request)
        self._put_on(request.adapter)
        return True

    def _settle(self, request: BackendRequest) -> None:
        """Find out how texts are read and how they end for a request."""
        self._request = request
        with quiet():
            self.tokenizer = self.open_tokenizer(request.tokenizer or request.model)
            config = load_config(request.model)
        self.context_length = context_of(config)
        self._ending = ending(request.prompt, self.tokenizer)
        self._stops = stop_tokens(_generation_config(request.model, config), self.tokenizer) | set(self._ending.tokens)
        self._rules = RuleKeeper(request.rules, self._stops, self._ending, self.tokenizer)

    def _put_on(self, adapter: Path | None) -> None:
        """Name the adapter that texts are generated with, if there is one."""
        self._lora = None
        if adapter is not None:
            from vllm.lora.request import LoRARequest

            # By its number the engine tells one adapter from another.
            self._adapters += 1
            self._lora = LoRARequest(f"adapter-{self._adapters}", self._adapters, str(adapter.resolve()))
            self._check_effect(adapter)

    @classmethod
    def open_tokenizer(cls, model: Path) -> Any:
        return load_tokenizer(model)

    @classmethod
    def check_precision(cls, precision: str) -> None:
        if precision == "nf4":
            raise UsageError(
                "the backend vllm does not compute nf4: its 4-bit weights have no double quantization, so they are "
                "other weights",
                "Use --backend transformers; or `bench export RUN --as merged --to FOLDER` and score FOLDER; or "
                "--precision bfloat16 (an adapter trained in nf4 also needs --allow-mismatch).",
            )
        if precision not in PRECISIONS:
            raise unknown("precision", precision, PRECISIONS)

    def generate(self, prompts: Sequence[Prompt], max_new_tokens: int) -> list[Generation]:
        made = self._ask(
            [prompt.token_ids for prompt in prompts],
            max_tokens=max_new_tokens,
            # All ends are given here, so that none depends on what vLLM reads from the model's folder.
            ignore_eos=True,
            stop_token_ids=sorted(self._stops),
            stop=list(self._ending.texts) or None,
            detokenize=bool(self._ending.texts),
        )
        return [
            self._rules.generation(prompt.token_ids, self._before_repeat(one))
            for prompt, one in zip(prompts, made, strict=True)
        ]

    def notes(self) -> list[str]:
        lora = f", LoRA up to rank {self._rank}" if self._rank else ""
        kernels = "on" if self.independent else "off"
        version = self._vllm.__version__
        return [f"generated by vLLM {version} in {self._request.precision}{lora}, batch-invariant kernels {kernels}"]

    def close(self) -> None:
        # The engine in this process has no public end; where a version lacks this one, collecting has to do.
        with contextlib.suppress(AttributeError):
            self._engine.llm_engine.engine_core.shutdown()
        del self._engine
        gc.collect()
        import torch

        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _load(self, request: BackendRequest, rank: int | None, memory: float) -> Any:
        positions = min(filter(None, (request.positions, self.context_length)), default=None)
        lora = {} if rank is None else {"enable_lora": True, "max_loras": 1, "max_lora_rank": rank}
        try:
            with quiet():
                return self._vllm.LLM(
                    model=str(request.model.resolve()),
                    tokenizer=str((request.tokenizer or request.model).resolve()),
                    dtype=request.precision,
                    max_model_len=positions,
                    gpu_memory_utilization=memory,
                    seed=0,
                    trust_remote_code=False,
                    # A sampling default of the model's own would not be greedy.
                    generation_config="vllm",
                    # A prompt's beginning from an earlier request may differ in the last bit.
                    enable_prefix_caching=False,
                    disable_log_stats=True,
                    **lora,
                )
        except LiftbenchError:
            raise
        except Exception as error:  # vLLM raises many kinds, some from its own processes
            if "memory" in str(error).lower():
                raise RunFailed(
                    f"the model does not fit in the GPU's memory beside vLLM's cache: {_reason(error)}",
                    f"Lower generation.max_input_tokens, set {MEMORY} (now {memory:g}) to another share of the GPU's "
                    "memory, or use --backend transformers.",
                ) from error
            raise UsageError(f"vLLM cannot load {request.model}: {_reason(error)}", ELSEWHERE) from error

    def _ask(self, prompts: Sequence[list[int]], *, lora: bool = True, **options: Any) -> list[Any]:
        """The engine's greedy answer to each prompt, in order."""
        sampling = self._vllm.SamplingParams(temperature=0.0, **options)
        try:
            with quiet():
                answers = self._engine.generate(
                    [{"prompt_token_ids": list(prompt)} for prompt in prompts],
                    sampling,
                    use_tqdm=False,
                    lora_request=self._lora if lora else None,
                )
        except Exception as error:
            raise RunFailed(f"vLLM failed: {_reason(error)}", ELSEWHERE) from error
        found = [answer.outputs[0] for answer in answers]
        if odd := next((one for one in found if one.finish_reason not in ("stop", "length")), None):
            raise RunFailed(f"vLLM ended a text with {odd.finish_reason or 'no reason'!r}", ELSEWHERE)
        return found

    def _check_effect(self, adapter: Path) -> None:
        """Raise `UsageError` where the engine computes with the adapter exactly what it computes without.

        vLLM skips the modules that it has no place for, and would then score the untuned model as the adapter.
        """
        probe = [list(range(8))]
        with_it, without = (self._ask(probe, lora=lora, max_tokens=1, logprobs=5)[0] for lora in (True, False))
        if _logprobs(with_it) == _logprobs(without) and changes_anything(adapter):
            raise UsageError(
                f"the adapter {adapter} has no effect in vLLM {self._vllm.__version__}: it has no place for its "
                "modules",
                ELSEWHERE,
            )

    def _before_repeat(self, output: Any) -> list[int]:
        """The tokens up to the end of the first repeat; the engine goes on after it."""
        ids = list(output.token_ids)
        return ids[: next((end for end in range(1, len(ids) + 1) if self._rules.repeats(ids[:end])), None)]


def _rank_of(request: BackendRequest) -> int | None:
    """The `max_lora_rank` that a request needs; None without an adapter. Raises `UsageError` (see `check_adapter`)."""
    return check_adapter(request.adapter, request.model) if request.adapter else None


def memory_share() -> float:
    """The share of the GPU's memory that vLLM may take. Raises `UsageError` if the variable holds none."""
    given = os.environ.get(MEMORY, str(USUAL_MEMORY))
    try:
        share = float(given)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise UsageError(f"{MEMORY} must be a number above 0, up to 1, not {given!r}")
    return share


def _import_engine() -> Any:
    try:
        import vllm

        vllm.LLM, vllm.SamplingParams  # noqa: B018 - vLLM imports them now, and fails here where its build does not fit
    except Exception as error:  # missing libraries of CUDA, another version of torch, an operator that is not there
        raise PrerequisiteError(
            f"vLLM cannot be imported: {_reason(error)}",
            "Install it again, in an environment of its own: pip install 'liftbench[vllm]'; or use --backend "
            "transformers.",
        ) from error
    return vllm


def _device() -> str:
    """The device that vLLM's build computes on. Raises `PrerequisiteError` where it finds none."""
    from vllm.platforms import current_platform

    kind = str(getattr(current_platform, "device_type", "") or "")
    if not kind:
        raise PrerequisiteError(
            "vLLM finds no GPU, and this build of it does not compute on a CPU",
            "Use --backend transformers; or install vLLM's CPU build (https://docs.vllm.ai: installation, CPU).",
        )
    if kind != "cuda":
        return kind
    import torch

    return f"cuda:{torch.cuda.current_device()}"


def _generation_config(model: Path, config: Any) -> Any:
    from transformers import GenerationConfig

    if (model / "generation_config.json").is_file():
        return GenerationConfig.from_pretrained(model, local_files_only=True)
    return GenerationConfig.from_model_config(config)


def _logprobs(output: Any) -> list[dict[int, float]]:
    return [{token: one.logprob for token, one in row.items()} for row in output.logprobs]


def _reason(error: BaseException) -> str:
    return " ".join(first_line(error).split())[:200]
