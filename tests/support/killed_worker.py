"""The worker of a launched training whose process 1 is killed after step 2, while the others want to go on.

Started by accelerate as `-m tests.support.killed_worker REQUEST`.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from liftbench.training import worker
from liftbench.training.ranks import launched_ranks
from liftbench_plugins.trainers.monitor import TrainingMonitor


def kill_after_two_steps() -> None:
    plain = TrainingMonitor.on_step_end

    def on_step_end(self: TrainingMonitor, _args: Any, state: Any, control: Any, **_: Any) -> None:
        if launched_ranks().rank == 1 and state.global_step == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        plain(self, _args, state, control)

    TrainingMonitor.on_step_end = on_step_end  # type: ignore[method-assign]


if __name__ == "__main__":
    kill_after_two_steps()
    sys.exit(worker.main(Path(sys.argv[1])))
