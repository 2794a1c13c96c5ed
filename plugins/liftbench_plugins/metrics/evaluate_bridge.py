"""Any metric of Hugging Face's `evaluate` library, from a local script or from the hub."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from liftbench.plugin_api import (
    Conversation,
    Metric,
    MetricRequest,
    PrerequisiteError,
    UsageError,
    file_sha256,
    first_line,
    hub,
)

PROBE = "The customer asks for a refund."
"""A text that is scored against itself when the metric is made, so that errors show before anything is generated."""


class Evaluate(Metric):
    """One number of an `evaluate` metric for each summary: the mean over references of `compute` on the single pair.

    The argument is a script (`metrics/mine.py`, or a folder `metrics/mine` with `mine.py`), a name (`chrf`), or a
    community metric (`org/name`, `org/name@revision`); `#key` after it picks one of several numbers. No lift is judged
    on it, because the better direction is unknown: for an error rate, lower is better. An aggregate over many pairs,
    which some metrics define, is not used, because intervals need a value for each summary.
    """

    direction = "neither"
    sees = "overlap"

    def __init__(self, request: MetricRequest) -> None:
        reference, _, key = request.argument.partition("#")
        if not reference:
            raise UsageError("evaluate needs a metric", "Write evaluate:PATH_OR_NAME or evaluate:PATH_OR_NAME#KEY.")
        self.name = f"evaluate:{request.argument}"
        script = _local_script(Path(reference).expanduser())
        if script is None:
            script, origin = _fetch(reference)
        else:
            origin = f"script:{file_sha256(script)[:12]}"
        self._metric = _load(script)
        self._reference = reference
        self._key = self._choose(self._compute(PROBE, PROBE), key or None, script.stem)
        self.signature = f"evaluate:{script.stem}|{self._key}|refs:mean|{origin}|evaluate:{version('evaluate')}"

    def score(self, texts: Sequence[str], conversations: Sequence[Conversation]) -> list[float | None]:
        """The mean number of each text over its references.

        None for an empty text (for an error rate, 0.0 would be the best value), without a reference, and if the metric
        returns no finite number.
        """
        return [self._mean(text, one.references) for text, one in zip(texts, conversations, strict=True)]

    def _mean(self, text: str, references: Sequence[str]) -> float | None:
        if not references or not text.strip():
            return None
        values = [self._compute(text, reference).get(self._key, math.nan) for reference in references]
        mean = sum(values) / len(values)
        return mean if math.isfinite(mean) else None

    def _compute(self, text: str, reference: str) -> dict[str, float]:
        try:
            result = self._metric.compute(predictions=[text], references=[reference])
        except ImportError as error:
            raise PrerequisiteError(f"the evaluate metric {self._reference} needs a package: {error}") from error
        except Exception as error:  # a user's script can raise anything
            raise UsageError(
                f"the evaluate metric {self._reference} failed on a text and a reference: {type(error).__name__}: "
                f"{first_line(error)}"
            ) from error
        return _numbers(result)

    def _choose(self, numbers: dict[str, float], key: str | None, own: str) -> str:
        if key in numbers:
            return key
        if key is None and len(numbers) == 1:
            return next(iter(numbers))
        if key is None and own in numbers:
            return own
        if not numbers:
            raise UsageError(f"the evaluate metric {self._reference} returns no number for a single summary")
        wrong = f"has no {key!r}" if key else "returns several numbers"
        raise UsageError(
            f"the evaluate metric {self._reference} {wrong}",
            f"Choose one: {', '.join(f'evaluate:{self._reference}#{known}' for known in numbers)}.",
        )


def _local_script(path: Path) -> Path | None:
    if path.is_file():
        return path
    inside = path / f"{path.name}.py"
    if inside.is_file():
        return inside
    if path.suffix == ".py" or path.is_dir() or path.is_absolute():
        raise UsageError(f"the metric script {inside if path.is_dir() else path} does not exist")
    return None


def _fetch(name: str) -> tuple[Path, str]:
    repository, revision = hub.parse(f"hub:{name}" if "/" in name else f"hub:evaluate-metric/{name}")
    folder = hub.download(
        repository, revision, kind="space", allow=["*.py"], instead="Save the metric's script and name its path."
    )
    script = folder / f"{repository.partition('/')[2]}.py"
    if not script.is_file():
        raise UsageError(f"{repository} on the hub has no {script.name}, so it is not a metric of evaluate")
    return script, f"hub:{repository}@{folder.name[:12]}"


def _load(script: Path) -> Any:
    import evaluate

    try:
        # Kept in memory, because otherwise each pair is written to the library's cache.
        return evaluate.load(str(script), keep_in_memory=True, seed=0)
    except (ImportError, ConnectionError) as error:
        raise PrerequisiteError(f"the evaluate metric {script.name} cannot be loaded: {error}") from error
    except Exception as error:  # a user's script can raise anything
        raise UsageError(
            f"{script} is not a metric of evaluate: {type(error).__name__}: {first_line(error)}"
        ) from error


def _numbers(result: Any) -> dict[str, float]:
    """The numbers in a metric's result; a list of one number, as some metrics return per pair, counts as the number."""
    numbers = {}
    for key, value in (result or {}).items():
        single = value[0] if isinstance(value, list) and len(value) == 1 else value
        try:
            numbers[str(key)] = float(single)
        except (TypeError, ValueError):
            continue
    return numbers
