"""The `transformers` backend: greedy decoding in this process, on a GPU if there is one, else on the CPU."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from liftbench.plugin_api import (
    Backend,
    BackendRequest,
    DecodingRules,
    Generation,
    OutOfMemory,
    Prompt,
    RunFailed,
    UsageError,
    ending,
)
from liftbench_plugins.library_output import quiet
from liftbench_plugins.loading import (
    check_ids,
    check_vocabulary,
    context_of,
    device,
    load_model,
    load_tokenizer,
    valid_pad,
)
from liftbench_plugins.quantization import unpacked_weight

from .adapter import attach, leaves_base
from .decoding_rules import RuleKeeper
from .embeddings import embedding_rows, fit_embeddings

CACHE_BYTES = 2 * 1024**3
"""What the keys and values of one batch may take where a batch can have any size."""


def rows_of(parameters: int) -> int:
    """How many texts are decoded together where a batch can have any size: 64 of a small model, 16 of a large one.

    More rows read the weights less often; but what is decoded together is lost together in an interruption.
    """
    return max(16, min(64, 32_000_000_000 // parameters))


class TransformersBackend(Backend):
    """Runs a LLaMA, or any other causal language model of transformers, with or without a PEFT adapter."""

    rules = frozenset(DecodingRules.__struct_fields__)
    cached = True

    def __init__(self, request: BackendRequest) -> None:
        import torch

        with quiet():
            self.tokenizer = self.open_tokenizer(request.tokenizer or request.model)
            try:
                model = load_model(request.model, request.precision)
                if device() == "cpu":
                    unpack_nf4(model)
                self._base, self._own_rows = model, embedding_rows(model)
                self._put_on(request)
            except torch.OutOfMemoryError as error:
                raise RunFailed(
                    f"the model does not fit in the GPU's memory in {request.precision}",
                    "Use --set model.precision=nf4, or hide the GPU with CUDA_VISIBLE_DEVICES=.",
                ) from error
        self._settle(request)

    def take(self, request: BackendRequest) -> bool:
        if (request.model, request.precision) != (self._request.model, self._request.precision):
            return False
        if self._wrapped is not None:
            if not leaves_base(self._wrapped) or embedding_rows(self._base) != self._own_rows:
                return False
            self._base = self._wrapped.unload()
        with quiet():
            self.tokenizer = self.open_tokenizer(request.tokenizer or request.model)
            self._put_on(request)
        self._settle(request)
        return True

    def _put_on(self, request: BackendRequest) -> None:
        """Put the request's adapter, if it has one, on the base."""
        self._wrapped = None
        if request.adapter is not None:
            fit_embeddings(self._base, request.adapter)
            self._wrapped = attach(self._base, request.adapter)
        self._model = (self._wrapped.get_base_model() if self._wrapped is not None else self._base).eval()
        check_vocabulary(self.tokenizer, self._model)

    def _settle(self, request: BackendRequest) -> None:
        """Find out how the model is to be run for a request."""
        self._request = request
        self.device = device()
        self.context_length = context_of(self._model.config)
        self._ending = ending(request.prompt, self.tokenizer)
        self._stops = stop_tokens(self._model.generation_config, self.tokenizer) | set(self._ending.tokens)
        self._pad = valid_pad(self.tokenizer, self._model)
        self._steps = self._find_steps()
        self.independent = self._steps.independent
        self.most_rows = rows_of(self._model.num_parameters())
        self._rules = RuleKeeper(request.rules, self._stops, self._ending, self.tokenizer)

    def _find_steps(self) -> Any:
        import torch

        from .independent_steps import independent_steps
        from .padded_steps import PaddedSteps

        found = None
        if self.device == "cpu":
            with quiet(), torch.inference_mode():
                found = independent_steps(self._model, self._pad)
        return found or PaddedSteps(self._model, self._pad)

    @classmethod
    def open_tokenizer(cls, model: Path) -> Any:
        return load_tokenizer(model)

    def generate(self, prompts: Sequence[Prompt], max_new_tokens: int) -> list[Generation]:
        import torch

        check_ids([max(prompt.token_ids) for prompt in prompts], self.tokenizer, self._model)
        try:
            with quiet(), torch.inference_mode():
                rows = self._decode_all([prompt.token_ids for prompt in prompts], max_new_tokens)
        except torch.OutOfMemoryError as error:
            # The first sentence of torch's message; the others are advice about its allocator.
            reason = str(error).partition(". ")[0]
            # The traceback keeps the batch's tensors alive, so it has to go before memory can be freed.
            error.__traceback__ = None
            gc.collect()
            torch.cuda.empty_cache()
            raise OutOfMemory(reason) from None
        return [self._rules.generation(prompt.token_ids, row) for prompt, row in zip(prompts, rows, strict=True)]

    def logits(self, prompt: Sequence[int], continuation: Sequence[int]) -> Any:
        import torch

        check_ids([*prompt, *continuation], self.tokenizer, self._model)
        # The last token is not seen: after it nothing is chosen.
        ids = torch.tensor([[*prompt, *continuation][:-1]], device=self.device)
        with quiet(), torch.inference_mode():
            found = self._model(input_ids=ids, use_cache=False, logits_to_keep=len(continuation)).logits
        return found[0].float().cpu().numpy()

    @classmethod
    def merge(cls, request: BackendRequest, dtype: str, folder: Path) -> None:
        from .merging import write_merged

        with quiet():
            write_merged(request, dtype, folder)

    def close(self) -> None:
        import torch

        del self._model, self._base, self._wrapped, self._steps
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _decode_all(self, prompts: list[list[int]], max_new_tokens: int) -> list[list[int]]:
        """`_decode`, in as many batches as the memory asks for where rows are independent; in one batch elsewhere."""
        if not self.independent:
            return self._decode(prompts, max_new_tokens)
        order = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
        made: dict[int, list[int]] = {}
        for places in self._batches(order, [len(prompt) + max_new_tokens for prompt in prompts]):
            made.update(zip(places, self._decode([prompts[place] for place in places], max_new_tokens), strict=True))
        return [made[place] for place in range(len(prompts))]

    def _batches(self, order: Sequence[int], tokens: Sequence[int]) -> Iterator[list[int]]:
        """The places in batches of rows whose keys and values fit `CACHE_BYTES`."""
        most = min(self.most_rows, max(1, CACHE_BYTES // (self._steps.bytes_per_token * max(tokens))))
        for start in range(0, len(order), most):
            yield list(order[start : start + most])

    def _decode(self, prompts: Sequence[list[int]], max_new_tokens: int) -> list[list[int]]:
        """Greedy continuations as token ids, each with its stop token. Finished rows leave the batch.

        This loop replaces transformers' `generate`, which computes finished rows until the longest one ends, and which
        would sample if a chat model's generation config says so.
        """
        made: list[list[int]] = [[] for _ in prompts]
        alive = list(range(len(prompts)))
        logits = self._steps.begin(prompts, max_new_tokens)
        while True:
            chosen = self._rules.forbid(logits, [made[row] for row in alive]).argmax(dim=-1)
            # NaN counts as the largest value, so a row with one has it here.
            if not logits.gather(-1, chosen[:, None]).isfinite().all():
                raise self._not_numbers()
            for row, token in zip(alive, chosen.tolist(), strict=True):
                made[row].append(token)
            going = [place for place, row in enumerate(alive) if not self._has_ended(made[row])]
            if not going or len(made[alive[going[0]]]) == max_new_tokens:
                return made
            if len(going) < len(alive):
                alive = [alive[place] for place in going]
                self._steps.keep(going)
            logits = self._steps.step([made[row][-1] for row in alive])

    def _has_ended(self, ids: list[int]) -> bool:
        if ids[-1] in self._stops or self._rules.repeats(ids):
            return True
        if not self._ending.texts:
            return False
        # A token adds at least a byte, so the newest tokens hold every end that is complete only now.
        newest = max(len(end.encode()) for end in self._ending.texts) + 4
        text: str = self.tokenizer.decode(ids[-newest:], skip_special_tokens=True)
        return self._ending.find(text if len(ids) <= newest else f"…{text}") >= 0

    def _not_numbers(self) -> RunFailed:
        """The error for logits that are not numbers, from which any token could be taken: token 0, for example."""
        broken = [name for name, weight in self._model.named_parameters() if not weight.isfinite().all()]
        others = [name for name in ("bfloat16", "float32") if name != self._request.precision]
        if broken and self._request.precision == "float32":
            fix = "Copy the model's or the adapter's folder again, or train it again."
        else:
            fix = f"Use --set model.precision={' or '.join(others)} (for an adapter, --precision)."
        if broken:
            what = f"{len(broken)} of the model's weights are not finite numbers, the first {broken[0]}"
        else:
            what = "it overflows"
        return RunFailed(f"the model's logits are not numbers in {self._request.precision}: {what}", fix)


def stop_tokens(generation_config: Any, tokenizer: Any) -> set[int]:
    """All tokens that end a text; Llama 3 has several in its generation config.

    Raises `UsageError` if one in the generation config is no token id.
    """
    ends = generation_config.eos_token_id if generation_config is not None else None
    stops = set(ends) if isinstance(ends, list | tuple) else {ends}
    if odd := [stop for stop in stops if stop is not None and not isinstance(stop, int)]:
        raise UsageError(
            f"the eos_token_id in the model's generation_config.json is no token id: {odd[0]!r}",
            "Write the token's id there, or remove the key: the tokenizer's end-of-sequence token then ends a text.",
        )
    return {int(stop) for stop in (*stops, tokenizer.eos_token_id) if stop is not None}


def unpack_nf4(model: Any) -> None:
    """Replace each 4-bit layer of bitsandbytes by a plain one with the same weights, unpacked.

    On the CPU, bitsandbytes unpacks a layer's weights in every forward pass. Unpacking them once gives the same numbers
    a quarter faster (SmolLM2-135M, 16 rows, one core: 210 tokens/s instead of 166), but takes the memory of the model
    in bfloat16.
    """
    if not getattr(model, "is_loaded_in_4bit", False):
        return
    import torch
    from bitsandbytes.nn import Linear4bit

    layers = [
        (parent, name, child)
        for parent in model.modules()
        for name, child in parent.named_children()
        if isinstance(child, Linear4bit)
    ]
    for parent, name, layer in layers:
        plain = torch.nn.Linear(layer.in_features, layer.out_features, bias=layer.bias is not None, device="meta")
        plain.weight = torch.nn.Parameter(unpacked_weight(layer), requires_grad=False)
        if layer.bias is not None:
            plain.bias = torch.nn.Parameter(layer.bias.data.to(layer.compute_dtype), requires_grad=False)
        setattr(parent, name, plain)
