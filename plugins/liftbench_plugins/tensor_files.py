"""Reads what a safetensors file holds, without its numbers. Importing this module imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from liftbench.plugin_api import UsageError


class Tensor(NamedTuple):
    """A tensor in a file."""

    type: str
    """Its type, as safetensors names it: `F32`, `BF16`, `I8`."""
    shape: tuple[int, ...]


def read_header(path: Path) -> dict[str, Tensor]:
    """Name → tensor. Raises `UsageError` if the file cannot be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="np") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - safe_open is not a dict
            return {name: Tensor(one.get_dtype(), tuple(one.get_shape())) for name, one in slices.items()}
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{path} is damaged: {error}", "Copy or download it again.") from error
