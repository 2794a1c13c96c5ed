"""Stands for vLLM's module of the same name."""

from __future__ import annotations


class Platform:
    """What the engine computes on; empty where there is nothing."""

    device_type = "cpu"


current_platform = Platform()
