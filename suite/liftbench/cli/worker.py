"""`python -m liftbench.cli.worker …` is `bench …` as launchers start it: it ends with the process that watches it.

A worker whose launcher was killed would keep the lock of its shard, and nobody would know of it.
"""

from __future__ import annotations

import os
import sys
import threading

from ..measuring.launcher import ATTENDED
from .main import main


def end_with_standard_input() -> None:
    """End this process at once when standard input closes. A run survives that at any moment."""

    def wait() -> None:
        while os.read(0, 1024):
            pass
        os._exit(130)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    if os.environ.pop(ATTENDED, ""):
        end_with_standard_input()
    sys.argv[0] = "bench"
    main()
