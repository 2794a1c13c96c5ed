"""The worker of a launched training, with weights divided over CPU processes, which accelerate does over GPUs alone.

The weights stay packed as on a GPU. Started by accelerate as `-m tests.support.fsdp_on_cpu REQUEST`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from accelerate.state import AcceleratorState, DistributedType, PartialState
from bitsandbytes.nn import Linear4bit
from torch.distributed.tensor import DTensor

from liftbench.training import worker
from liftbench_plugins.trainers import ranks, sft
from liftbench_plugins.trainers.monitor import TrainingMonitor


def divide_over_cpus() -> None:
    plain = AcceleratorState.__init__

    def begin(state: Any, *args: Any, fsdp_plugin: Any = None, **kwargs: Any) -> None:
        plain(state, *args, fsdp_plugin=fsdp_plugin, **kwargs)
        if fsdp_plugin is not None:
            state.distributed_type = PartialState._shared_state["distributed_type"] = DistributedType.FSDP
            state.fsdp_plugin = fsdp_plugin
            if state.mixed_precision != "no":
                fsdp_plugin.set_mixed_precision(state.mixed_precision)

    AcceleratorState.__init__ = begin
    for place, name, value in (
        (ranks, "require_whole", lambda: None),
        (sft, "unpack_nf4", lambda _: None),
        (TrainingMonitor, "on_save", report),
    ):
        setattr(place, name, value)


def report(_monitor: Any, _args: Any, _state: Any, _control: Any, *, model: Any, **_: Any) -> None:
    """Print which weights are divided, and how they are stored."""
    weights = dict(model.named_parameters())
    whole = sorted(name for name, weight in weights.items() if not isinstance(weight, DTensor))
    packed = sum(isinstance(module, Linear4bit) for module in model.modules())
    print(f"divided: {len(weights) - len(whole)}, whole: {whole}, in NF4: {packed}", file=sys.stderr)


if __name__ == "__main__":
    divide_over_cpus()
    sys.exit(worker.main(Path(sys.argv[1])))
