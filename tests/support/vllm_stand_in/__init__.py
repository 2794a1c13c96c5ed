"""A folder that stands on `sys.path` for an installed vLLM."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
