# The public names of liftbench, by the modules that they come from: read by type checkers and by lazy_loader.
from .errors import LiftbenchError, PrerequisiteError, RunFailed, UsageError
from .gating.gate import GateReport
from .judging.compare import Comparison
from .records.conversation import Conversation, Turn
from .records.run import Prediction
from .records.sweep import Sweep
from .runs.directory import Run
from .workflow.compare import compare
from .workflow.export import Export, export
from .workflow.gate import gate
from .workflow.measure import baseline, load_run, score
from .workflow.setup import RunOptions
from .workflow.summarize import summarize
from .workflow.sweep import sweep
from .workflow.train import train

__all__ = [
    "Comparison",
    "Conversation",
    "Export",
    "GateReport",
    "LiftbenchError",
    "Prediction",
    "PrerequisiteError",
    "Run",
    "RunFailed",
    "RunOptions",
    "Sweep",
    "Turn",
    "UsageError",
    "baseline",
    "compare",
    "export",
    "gate",
    "load_run",
    "score",
    "summarize",
    "sweep",
    "train",
]
