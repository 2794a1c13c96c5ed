"""Stands for vLLM in tests: `LLM` and `SamplingParams` with vLLM's names, computed by transformers and PEFT.

It takes no option that vLLM does not have, serves LoRA as vLLM's checks allow it, and writes down what it is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .lora.request import LoRARequest

__version__ = "0.33.0"

opened: list[dict[str, Any]] = []
"""The options of each engine."""
asked: list[tuple[list[list[int]], SamplingParams]] = []
"""The prompts and sampling of each call of `generate`."""
switches: dict[str, Any] = {}
"""`fails`: what `LLM` raises; `ends`: the reason that texts end with; `deaf`: adapters have no effect; `drifts`: the
third token behind a prompt with an odd sum is the second best."""


@dataclass
class SamplingParams:
    """The options that the suite uses, with vLLM's defaults."""

    temperature: float = 1.0
    max_tokens: int | None = 16
    ignore_eos: bool = False
    stop: list[str] | None = None
    stop_token_ids: list[int] | None = None
    detokenize: bool = True
    logprobs: int | None = None

    def __post_init__(self) -> None:
        if self.stop and not self.detokenize:
            raise ValueError("stop strings are only supported when detokenize is True")


@dataclass
class Logprob:
    """What the likelihood of one token is."""

    logprob: float


@dataclass
class CompletionOutput:
    """One text, as tokens."""

    token_ids: list[int]
    finish_reason: str | None
    logprobs: list[dict[int, Logprob]] = field(default_factory=list)


@dataclass
class RequestOutput:
    """The answer to one prompt."""

    outputs: list[CompletionOutput]


class LLM:
    """The engine."""

    def __init__(
        self,
        model: str,
        *,
        tokenizer: str | None = None,
        trust_remote_code: bool = False,
        dtype: str = "auto",
        seed: int = 0,
        gpu_memory_utilization: float = 0.9,
        max_model_len: int | None = None,
        generation_config: str = "auto",
        enable_prefix_caching: bool | None = None,
        disable_log_stats: bool = False,
        enable_lora: bool = False,
        max_loras: int = 1,
        max_lora_rank: int = 16,
    ) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        opened.append({name: value for name, value in locals().items() if isinstance(value, str | int | float)})
        if "fails" in switches:
            raise switches["fails"]
        if max_lora_rank not in (1, 8, 16, 32, 64, 128, 256, 320, 512):
            raise ValueError(f"max_lora_rank: {max_lora_rank}")
        assert not trust_remote_code
        self._model = AutoModelForCausalLM.from_pretrained(model, dtype=getattr(torch, dtype)).eval()
        self._tokenizer = AutoTokenizer.from_pretrained(tokenizer or model)
        self._longest, self._lora, self._rank = max_model_len, enable_lora, max_lora_rank
        self._tuned: Any = None

    def generate(
        self,
        prompts: Sequence[dict[str, list[int]]],
        sampling_params: SamplingParams,
        *,
        use_tqdm: bool = True,
        lora_request: LoRARequest | None = None,
    ) -> list[RequestOutput]:
        """Continuations of prompts of token ids, in their order."""
        import torch

        assert sampling_params.temperature == 0
        assert not use_tqdm
        ids = [one["prompt_token_ids"] for one in prompts]
        asked.append((ids, sampling_params))
        model = self._model if lora_request is None or switches.get("deaf") else self._with(lora_request)
        off = model.disable_adapter() if lora_request is None and model is self._tuned else torch.no_grad()
        with torch.no_grad(), off:
            return [RequestOutput([self._continue(model, prompt, sampling_params)]) for prompt in ids]

    def _with(self, request: LoRARequest) -> Any:
        from peft import PeftModel

        assert self._lora
        if self._tuned is None:
            import copy

            self._tuned = PeftModel.from_pretrained(copy.deepcopy(self._model), request.lora_path).eval()
            rank = self._tuned.peft_config["default"].r
            if rank > self._rank:
                raise ValueError(f"LoRA rank {rank} is greater than max_lora_rank {self._rank}.")
        return self._tuned

    def _continue(self, model: Any, prompt: list[int], how: SamplingParams) -> CompletionOutput:
        import torch

        made: list[int] = []
        rows: list[dict[int, Logprob]] = []
        stops = {*(how.stop_token_ids or ()), *(() if how.ignore_eos else (self._tokenizer.eos_token_id,))}
        assert how.max_tokens
        if self._longest and len(prompt) + how.max_tokens > self._longest:
            raise ValueError(f"the prompt and its continuation are longer than max_model_len {self._longest}")
        while len(made) < how.max_tokens:
            logits = model(input_ids=torch.tensor([[*prompt, *made]])).logits[0, -1].float()
            best = logits.log_softmax(-1).topk(how.logprobs or 2)
            rows.append({int(t): Logprob(float(v)) for t, v in zip(best.indices, best.values, strict=True)})
            other = bool(switches.get("drifts")) and len(made) == 2 and sum(prompt) % 2 == 1
            made.append(int(best.indices[int(other)]))
            text = self._tokenizer.decode(made, skip_special_tokens=True) if how.stop else ""
            if made[-1] in stops or any(stop in text for stop in how.stop or ()):
                return CompletionOutput(made, switches.get("ends", "stop"), rows)
        return CompletionOutput(made, switches.get("ends", "length"), rows)
