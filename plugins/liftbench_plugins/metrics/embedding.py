"""Embedding similarity: the cosine of a text's and a reference's sentence embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from liftbench.plugin_api import Conversation, Metric, MetricRequest, read_json, resolve_encoder
from liftbench_plugins.metrics.encoding import Reader


class Embedding(Metric):
    """Cosine of mean-pooled, normalized token embeddings, mean over references; in [-1, 1], negative values kept.

    Computed as sentence-transformers does for MiniLM (Reimers and Gurevych 2019, https://arxiv.org/abs/1908.10084;
    https://www.sbert.net), with special tokens and with its limit of 256 tokens. The encoder is the argument, by
    default `minilm`. A text longer than the limit is cut, and the number of such texts is written to standard error.
    """

    sees = "meaning"
    tolerance = 1e-3

    def __init__(self, request: MetricRequest) -> None:
        source = resolve_encoder(request.argument or "minilm")
        self.name = f"embedding:{request.argument}" if request.argument else "embedding"
        self._reader = Reader("AutoModel", source)
        trained = source.path / "sentence_bert_config.json"
        if trained.is_file():
            self._reader.limit = int(read_json(trained).get("max_seq_length") or self._reader.limit)
        self.signature = (
            f"embedding|cosine|pooling:mean|refs:mean|tokens:{self._reader.limit}|weights:{source.record.sha256[:12]}"
            f"|transformers:{version('transformers')}"
        )
        self._known = self._reader.known(self.signature)

    def score(self, texts: Sequence[str], conversations: Sequence[Conversation]) -> list[float | None]:
        """Mean cosine of each text over its references: 0.0 for an empty text, None without a reference."""
        self._learn([*texts, *(reference for one in conversations for reference in one.references)])
        return [self._mean(text, one.references) for text, one in zip(texts, conversations, strict=True)]

    def _mean(self, text: str, references: Sequence[str]) -> float | None:
        if not references:
            return None
        return sum(self._cosine(text, reference) for reference in references) / len(references)

    def _cosine(self, text: str, reference: str) -> float:
        if not text.strip() or not reference.strip():
            return 0.0
        return float(self._row(text) @ self._row(reference))

    def _row(self, text: str) -> Any:
        return np.frombuffer(self._known[text,], dtype=np.float32)

    def _learn(self, texts: Sequence[str]) -> None:
        inputs = self._known.missing([(text,) for text in texts if text.strip()])
        self._reader.warn_of_cuts(self.name, inputs)
        self._known.add(inputs, [row.numpy().tobytes() for row in self._reader.read(inputs, self._embed)])

    def _embed(self, batch: Any) -> Any:
        import torch

        states = self._reader.model(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1).to(states.dtype)
        return torch.nn.functional.normalize((states * mask).sum(dim=1) / mask.sum(dim=1), dim=-1)
