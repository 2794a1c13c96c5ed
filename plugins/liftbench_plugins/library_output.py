"""Keeps the libraries' known, harmless messages off the user's screen, each by its own name and nothing else."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

LOGGED = {
    # Once an import on AVX512-BF16 processors; the kernel would only serve evaluation, and `loading` switches it off.
    "bitsandbytes.backends.cpu.ops": "Failed to load CPU gemm_4bit_forward",
    # Where two checkpoints lie less than a second apart; their steps order them as well.
    "transformers.trainer_utils": "mtime may not be reliable",
}
WARNED = (
    # Transformers about TRL and PEFT.
    "`is_gradient_checkpointing` is deprecated",
)


@contextmanager
def quiet() -> Iterator[None]:
    """Within this block the messages above are dropped, and transformers shows no bar while it loads weights."""
    with ExitStack() as stack:
        for name, beginning in LOGGED.items():
            stack.enter_context(_drop_messages(name, beginning))
        stack.enter_context(warnings.catch_warnings())
        for beginning in WARNED:
            warnings.filterwarnings("ignore", message=beginning, category=FutureWarning)
        stack.enter_context(_hide_bars())
        yield


@contextmanager
def _drop_messages(name: str, beginning: str) -> Iterator[None]:
    def keep(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith(beginning)

    logger = logging.getLogger(name)
    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)


@contextmanager
def _hide_bars() -> Iterator[None]:
    from transformers.utils import logging as transformers_logging

    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()
