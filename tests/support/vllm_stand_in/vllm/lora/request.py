"""Stands for vLLM's module of the same name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class LoRARequest:
    """An adapter, by vLLM's names."""

    lora_name: str
    lora_int_id: int
    lora_path: str
