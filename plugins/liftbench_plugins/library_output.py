"""Hides known, harmless messages of libraries from the user: exactly these messages, and no others."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

LOGGED = (
    # Logged on import with AVX512-BF16 processors. The kernel would serve evaluation only, and `loading` disables it.
    ("bitsandbytes.backends.cpu.ops", "Failed to load CPU gemm_4bit_forward"),
    # Logged in each layer's forward pass: LLM.int8 multiplies in float16.
    ("bitsandbytes.autograd._functions", "MatMul8bitLt: inputs will be cast"),
    # Weights that do not fit; `weights.check_loaded` raises an error that names them.
    ("transformers.modeling_utils", "LOAD REPORT"),
    ("transformers.modeling_utils", "This checkpoint seem corrupted"),
    # Logged if two checkpoints are less than a second apart; their step numbers order them anyway.
    ("transformers.trainer_utils", "mtime may not be reliable"),
    # Logged when a training of all weights is resumed: an LM head that is tied to the embeddings is saved once.
    ("transformers.trainer", "missing keys in the checkpoint model loaded: ['lm_head.weight']"),
    # Said of the configuration in the checkpoints of a full fine-tuning; the base's own is published.
    ("transformers.trainer_utils", "generation config were aligned accordingly"),
)
WARNED = (
    # A warning of transformers about code in TRL and PEFT.
    "`is_gradient_checkpointing` is deprecated",
    # One of torch about an option that transformers passes on.
    "`broadcast_buffers` is deprecated",
)


@contextmanager
def quiet() -> Iterator[None]:
    """Drop the messages above within the block, and hide transformers' progress bars."""
    with ExitStack() as stack:
        for name, part in LOGGED:
            stack.enter_context(_drop_messages(name, part))
        stack.enter_context(warnings.catch_warnings())
        for beginning in WARNED:
            warnings.filterwarnings("ignore", message=beginning, category=FutureWarning)
        stack.enter_context(_hide_bars())
        yield


@contextmanager
def _drop_messages(name: str, part: str) -> Iterator[None]:
    def keep(record: logging.LogRecord) -> bool:
        return part not in record.getMessage()

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
