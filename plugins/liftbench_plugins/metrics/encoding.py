"""Transformer models that metrics read texts with, loaded from a local folder and run in batches of similar length.

Importing this module imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from liftbench.plugin_api import PrerequisiteError, ResolvedModel, UsageError, first_line, to_stderr
from liftbench_plugins.loading import device
from liftbench_plugins.metrics.known import Known

BATCH_TOKENS = 8192
"""The largest number of padded tokens in a batch: under a gigabyte of activations for a model like RoBERTa-large."""

USUAL_LIMIT = 512
"""The limit, in tokens, of a model whose files do not declare one (T5 has relative positions)."""


class Reader:
    """A model in float32 on `device()`, in evaluation mode, with its tokenizer."""

    def __init__(self, architecture: str, source: ResolvedModel, *, layers: int | None = None) -> None:
        """Load a model as transformers' class `architecture`, with only its first `layers` layers.

        `AutoModel` loads only the encoder if the model also has a decoder. Raises `UsageError` for damaged files, and
        for files that lack weights that the architecture needs (they would be random), and `PrerequisiteError` for a
        missing package.
        """
        import torch
        import transformers
        from safetensors import SafetensorError

        settings = {} if layers is None else {"num_hidden_layers": layers}
        reference = source.record.reference
        self._weights = source.record.sha256
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
        # Only classifiers need a pooler, and a classifier without one would lack its head, too.
        missing = sorted(name for name in found["missing_keys"] if "pooler" not in name)
        if missing:
            raise UsageError(
                f"{reference} cannot be loaded as {architecture}: {len(missing)} parameters have no weights (first: "
                f"{missing[0]})"
            )
        reads_only = architecture == "AutoModel" and model.config.is_encoder_decoder
        self.model = (model.get_encoder() if reads_only else model).to(device()).eval()
        self.limit = _limit(self.tokenizer, model.config)
        """The largest number of tokens of an input, special ones included."""

    def known(self, signature: str) -> Known:
        """The values that a metric with this signature got from the model, on such a device, in earlier runs, too."""
        import torch

        return Known(signature, self._weights, str(self.limit), device(), torch.__version__)

    def count(self, *texts: str) -> int:
        """The number of tokens of one text or of a pair, special ones included."""
        return len(self.tokenizer(*texts, verbose=False)["input_ids"])

    def warn_of_cuts(self, metric: str, inputs: Sequence[tuple[str, ...]]) -> None:
        """Write to standard error how many inputs are longer than `limit`, if any are."""
        cut = sum(self.count(*one) > self.limit for one in inputs)
        if cut:
            to_stderr(
                f"{metric}: {cut} of {len(inputs)} texts are longer than {self.limit} tokens; the rest is not read"
            )

    def read(self, inputs: Sequence[tuple[str, ...]], forward: Callable[[Any], Any]) -> list[Any]:
        """The row of `forward(batch)` for each input, in order; a batch is the tokenizer's output on the device.

        An input longer than `limit` is cut there.
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
    """Batches of input indices, longest inputs first, each of at most `BATCH_TOKENS` padded tokens or of one input."""
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
    """Hide the library's progress bars, and its table of weights that are not needed."""
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
