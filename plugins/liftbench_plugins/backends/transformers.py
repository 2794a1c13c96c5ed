"""The `transformers` backend: greedy decoding in this process, on a GPU if there is one, else on the CPU."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from liftbench.plugin_api import (
    Backend,
    BackendRequest,
    Generation,
    OutOfMemory,
    Prompt,
    RunFailed,
    UsageError,
    ending,
)
from liftbench_plugins.backends.embeddings import fit_embeddings
from liftbench_plugins.library_output import quiet
from liftbench_plugins.loading import device, load_model


class TransformersBackend(Backend):
    """Runs a LLaMA, or any other causal language model of transformers, with or without a PEFT adapter."""

    def __init__(self, request: BackendRequest) -> None:
        import torch

        with quiet():
            self.tokenizer = self.open_tokenizer(request.tokenizer or request.model)
            try:
                model = load_model(request.model, request.precision)
                if request.precision == "nf4" and device() == "cpu":
                    unpack_nf4(model)
                if request.adapter is not None:
                    fit_embeddings(model, request.adapter)
                    model = with_adapter(model, request.adapter)
            except torch.OutOfMemoryError as error:
                raise RunFailed(
                    f"the model does not fit in the GPU's memory in {request.precision}",
                    "Use --set model.precision=nf4, or hide the GPU with CUDA_VISIBLE_DEVICES=.",
                ) from error
        self._model = model.eval()
        self.device = device()
        self.context_length = int(model.config.max_position_embeddings)
        self._ending = ending(request.prompt, self.tokenizer)
        self._stops = stop_tokens(model.generation_config, self.tokenizer) | set(self._ending.tokens)
        pad = self.tokenizer.pad_token_id
        self._embeddings: int = model.get_input_embeddings().weight.shape[0]
        # Any token will do; one that an adapter's tokenizer added for padding alone has no embedding.
        usable = [id_ for id_ in (pad, *sorted(self._stops)) if id_ is not None and id_ < self._embeddings]
        self._pad = usable[0] if usable else 0

    @classmethod
    def open_tokenizer(cls, model: Path) -> Any:
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(model, local_files_only=True)

    def generate(self, prompts: Sequence[Prompt], max_new_tokens: int) -> list[Generation]:
        import torch

        self._require_embeddings(prompts)
        try:
            with torch.inference_mode():
                rows = self._decode([prompt.token_ids for prompt in prompts], max_new_tokens)
        except torch.OutOfMemoryError as error:
            # The first sentence of torch's message; the others are advice about its allocator.
            reason = str(error).partition(". ")[0]
            # The traceback keeps the batch's tensors alive, so it has to go before memory can be freed.
            error.__traceback__ = None
            gc.collect()
            torch.cuda.empty_cache()
            raise OutOfMemory(reason) from None
        return [self._generation(prompt.token_ids, row) for prompt, row in zip(prompts, rows, strict=True)]

    def _require_embeddings(self, prompts: Sequence[Prompt]) -> None:
        last = max(id_ for prompt in prompts for id_ in prompt.token_ids)
        if last >= self._embeddings:
            raise UsageError(
                f"the prompt has the token {self.tokenizer.convert_ids_to_tokens(last)!r} with the id {last}, but the "
                f"model has only {self._embeddings} token embeddings",
                "The tokenizer is of another model, or the adapter was saved without its embeddings "
                "(save_embedding_layers=True).",
            )

    def close(self) -> None:
        import torch

        del self._model
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _decode(self, prompts: list[list[int]], max_new_tokens: int) -> list[list[int]]:
        """Greedy continuations as token ids, each with its stop token. Finished rows leave the batch.

        This loop replaces transformers' `generate`, which computes finished rows until the longest one ends, and which
        would sample if a chat model's generation config says so.
        """
        import torch
        from transformers import DynamicCache

        width = max(map(len, prompts))
        padded = [[self._pad] * (width - len(prompt)) + prompt for prompt in prompts]
        real = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
        tokens = torch.tensor(padded, device=self.device)
        mask = torch.tensor(real, device=self.device)
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
        cache = DynamicCache(config=self._model.config)
        made: list[list[int]] = [[] for _ in prompts]
        alive = list(range(len(prompts)))
        for _ in range(max_new_tokens):
            logits = self._model(
                input_ids=tokens,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            ).logits[:, -1]
            chosen = logits.argmax(dim=-1)
            for row, token in zip(alive, chosen.tolist(), strict=True):
                made[row].append(token)
            going = [place for place, row in enumerate(alive) if not self._has_ended(made[row])]
            if not going:
                break
            positions = positions[:, -1:] + 1
            if len(going) < len(alive):
                index = torch.tensor(going, device=self.device)
                cache.batch_select_indices(index)
                chosen, mask, positions = chosen[index], mask[index], positions[index]
                alive = [alive[place] for place in going]
            tokens = chosen[:, None]
            mask = torch.cat([mask, mask.new_ones((len(alive), 1))], dim=1)
        return made

    def _has_ended(self, ids: list[int]) -> bool:
        if ids[-1] in self._stops:
            return True
        if not self._ending.texts:
            return False
        # A token adds at least a byte, so the newest tokens hold every end that is complete only now.
        newest = max(len(end.encode()) for end in self._ending.texts) + 4
        text: str = self.tokenizer.decode(ids[-newest:], skip_special_tokens=True)
        return self._ending.find(text if len(ids) <= newest else f"…{text}") >= 0

    def _generation(self, prompt: list[int], ids: list[int]) -> Generation:
        stopped = bool(ids) and ids[-1] in self._stops
        # Decoded together with the prompt, because a SentencePiece tokenizer drops the space before the first token.
        before: str = self.tokenizer.decode(prompt, skip_special_tokens=True)
        whole: str = self.tokenizer.decode([*prompt, *(ids[:-1] if stopped else ids)], skip_special_tokens=True)
        text = whole[len(before) :]
        if (end := self._ending.find(text)) >= 0:
            text, stopped = text[:end], True
        return Generation(text=text, new_tokens=len(ids), finish_reason="stop" if stopped else "length")


def stop_tokens(generation_config: Any, tokenizer: Any) -> set[int]:
    """All tokens that end a text; Llama 3 has several in its generation config."""
    ends = generation_config.eos_token_id if generation_config is not None else None
    stops = set(ends) if isinstance(ends, list | tuple) else {ends}
    return {int(stop) for stop in (*stops, tokenizer.eos_token_id) if stop is not None}


def with_adapter(model: Any, adapter: Path) -> Any:
    """The model with an adapter, which is not merged: rounding the sum would change what was trained.

    The adapter's weights are cast to the base's compute dtype, as autocast does in training: in bfloat16 the logits
    then equal those of the training's forward pass bit by bit, while with float32 weights they are 1.4% off (relative
    error on SmolLM2-135M in NF4). Raises `UsageError` for an adapter that does not fit.
    """
    import torch
    from peft import PeftModel

    dtype = model.dtype
    try:
        with warnings.catch_warnings():
            # If the file lacks weights, PEFT only warns and keeps the initial ones: the base would be scored instead.
            warnings.filterwarnings("error", message="Found missing adapter keys")
            wrapped = PeftModel.from_pretrained(model, adapter, is_trainable=False)
    except torch.OutOfMemoryError:
        raise
    except (KeyError, RuntimeError, UserWarning, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UsageError(f"the adapter {adapter} does not fit the model: {reason}") from error
    if wrapped.active_peft_config.is_prompt_learning:
        raise UsageError(f"the adapter {adapter} is a learned prompt, which the backend transformers does not support")
    for name, parameter in wrapped.named_parameters():
        if wrapped.base_model.prefix in name or "modules_to_save" in name:
            parameter.data = parameter.data.to(dtype)
    return wrapped.get_base_model()


def unpack_nf4(model: Any) -> None:
    """Replace each NF4 layer by a plain one with the same weights, unpacked.

    On the CPU, bitsandbytes unpacks a layer's weights in every forward pass. Unpacking them once gives the same numbers
    a quarter faster (SmolLM2-135M, 16 rows, one core: 210 tokens/s instead of 166), but takes the memory of the model
    in bfloat16.
    """
    import torch
    from bitsandbytes.functional import dequantize_4bit
    from bitsandbytes.nn import Linear4bit

    layers = [
        (parent, name, child)
        for parent in model.modules()
        for name, child in parent.named_children()
        if isinstance(child, Linear4bit)
    ]
    for parent, name, layer in layers:
        plain = torch.nn.Linear(layer.in_features, layer.out_features, bias=layer.bias is not None, device="meta")
        weight = dequantize_4bit(layer.weight.data, layer.weight.quant_state).to(layer.compute_dtype)
        plain.weight = torch.nn.Parameter(weight, requires_grad=False)
        if layer.bias is not None:
            plain.bias = torch.nn.Parameter(layer.bias.data.to(layer.compute_dtype), requires_grad=False)
        setattr(parent, name, plain)
