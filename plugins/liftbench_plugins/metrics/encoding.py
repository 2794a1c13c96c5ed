"""Transformers that metrics read texts with: loaded from a local folder, run in batches of texts of like length.

Importing this module imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from liftbench.plugin_api import PrerequisiteError, ResolvedModel, UsageError, first_line, to_stderr
from liftbench_plugins.loading import device

BATCH_TOKENS = 8192
"""Padded tokens in a batch: less than a gigabyte of activations in models of RoBERTa-large's size."""

USUAL_LIMIT = 512
"""Tokens, for a model whose files name no limit (T5 has relative positions)."""


class Reader:
    """A model in float32 on `device()`, in evaluation mode, with its tokenizer."""

    def __init__(self, architecture: str, source: ResolvedModel, *, layers: int | None = None) -> None:
        """Load it as transformers' class `architecture`, cut to its first `layers` layers.

        `AutoModel` is the encoder, of models that have a decoder too. Raises `UsageError` for files that are damaged or
        lack weights that the architecture needs (they would be random), `PrerequisiteError` for a missing package.
        """
        import torch
        import transformers
        from safetensors import SafetensorError

        settings = {} if layers is None else {"num_hidden_layers": layers}
        reference = source.record.reference
        try:
            with _silence_library():
                model, found = getattr(transformers, architecture).from_pretrained(
                    source.path, dtype=torch.float32, local_files_only=True, output_loading_info=True, **settings
                )
                self.tokenizer = transformers.AutoTokenizer.from_pretrained(source.path, local_files_only=True)
        except ImportError as error:
            raise PrerequisiteError(f"{reference} needs another package: {first_line(error)}") from error
        except (OSError, RuntimeError, ValueError, SafetensorError) as error:
            raise UsageError(f"{reference} cannot be loaded as {architecture}: {first_line(error)}") from error
        # A pooler is for classifiers, which would miss their head as well.
        missing = sorted(name for name in found["missing_keys"] if "pooler" not in name)
        if missing:
            raise UsageError(
                f"{reference} cannot be loaded as {architecture}: {len(missing)} parameters have no weights (first: "
                f"{missing[0]})"
            )
        reads_only = architecture == "AutoModel" and model.config.is_encoder_decoder
        self.model = (model.get_encoder() if reads_only else model).to(device()).eval()
        self.limit = _limit(self.tokenizer, model.config)
        """The most tokens of an input, special ones included."""

    def count(self, *texts: str) -> int:
        """The tokens of an input of one text or a pair of them, special ones included."""
        return len(self.tokenizer(*texts, verbose=False)["input_ids"])

    def warn_of_cuts(self, metric: str, inputs: Sequence[tuple[str, ...]]) -> None:
        """Say on standard error how many inputs are longer than `limit`, if any are."""
        cut = sum(self.count(*one) > self.limit for one in inputs)
        if cut:
            to_stderr(
                f"{metric}: {cut} of {len(inputs)} texts are longer than {self.limit} tokens; the rest is not read"
            )

    def read(self, inputs: Sequence[tuple[str, ...]], forward: Callable[[Any], Any]) -> list[Any]:
        """The row of `forward(batch)` for each input, in order; a batch is what the tokenizer makes, on the device.

        An input that is longer than `limit` is cut there.
        """
        import torch

        rows: list[Any] = [None] * len(inputs)
        for batch in batches([min(self.count(*one), self.limit) for one in inputs]):
            columns = [list(column) for column in zip(*(inputs[index] for index in batch), strict=True)]
            encoded = self.tokenizer(
                *columns, truncation=True, max_length=self.limit, padding=True, return_tensors="pt"
            )
            with torch.inference_mode():
                results = forward(encoded.to(device())).cpu()
            for index, row in zip(batch, results, strict=True):
                rows[index] = row
        return rows


def batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """The indices of all inputs in batches of at most `BATCH_TOKENS` padded tokens, or of one input; longest first."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        if batch and (len(batch) + 1) * lengths[batch[0]] > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def _limit(tokenizer: Any, settings: Any) -> int:
    positions = getattr(settings, "max_position_embeddings", None) or USUAL_LIMIT
    if "roberta" in settings.model_type:
        positions -= settings.pad_token_id + 1  # RoBERTa's first position is the one after the padding's
    return min(int(tokenizer.model_max_length), int(positions))


@contextmanager
def _silence_library() -> Iterator[None]:
    """Without the table of weights that are there and not needed, and without bars."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
