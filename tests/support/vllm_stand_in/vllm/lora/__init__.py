"""Stands for vLLM's package of the same name."""
