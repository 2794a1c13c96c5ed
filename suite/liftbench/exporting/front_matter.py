"""The metadata of a model card, by the hub's schema, as YAML."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from ..records.export import Form
from ..records.run import MetricSummary, Protocol
from ..text.phrases import metric_label


def describe_model(
    form: Form, *, license_: str, base: str, whole_model: bool, trainer: str | None, dataset: str
) -> dict[str, Any]:
    """What a model is: its licence and base (the hub's names, empty where they are not known), library and tags."""
    adapter = form == "adapter" and not whole_model
    data: dict[str, Any] = {"license": license_} if license_ else {}
    if base:
        data |= {"base_model": base, "base_model_relation": "adapter" if adapter else "finetune"}
    tags = ["summarization", "customer-support", "liftbench", trainer, "gguf" if form == "gguf" else None]
    return data | {
        "library_name": "peft" if adapter else "transformers",
        "pipeline_tag": "text-generation",
        "tags": [tag for tag in tags if tag],
        "datasets": [dataset],
    }


def describe_results(name: str, protocol: Protocol, metrics: Sequence[MetricSummary]) -> dict[str, Any]:
    """The means of a run as `model-index`; metrics without a mean are left out."""
    dataset = {
        "name": f"{protocol.dataset} ({protocol.split}, {protocol.n} conversations)",
        "type": protocol.dataset,
        "split": protocol.split,
    }
    found = [
        {
            "type": "rouge" if row.name.startswith("rouge") else row.name,
            "name": metric_label(row.name),
            "value": round(row.mean, 4),
        }
        for row in metrics
        if row.mean is not None
    ]
    results = {"task": {"type": "summarization", "name": "Summarization"}, "dataset": dataset, "metrics": found}
    return {"model-index": [{"name": name, "results": [results]}]}


def to_yaml(value: Any) -> str:
    """Dictionaries and lists of scalars as YAML; the scalars are written as JSON, which YAML includes."""
    return "\n".join(_lines(value))


def _lines(value: Any) -> Iterator[str]:
    pairs = value.items() if isinstance(value, dict) else (("-", one) for one in value)
    for key, one in pairs:
        head = key if key == "-" else f"{key}:"
        if not isinstance(one, dict | list):
            yield f"{head} {json.dumps(one, ensure_ascii=False)}"
        elif key == "-":
            first, *rest = _lines(one)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)
        else:
            yield head
            yield from (f"  {line}" for line in _lines(one))
