# The public names of liftbench, by the modules that they come from: read by type checkers and by lazy_loader.
from .errors import LiftbenchError, PrerequisiteError, RunFailed, UsageError
from .gating.gate import GateReport
from .judging.compare import Comparison
from .records.conversation import Conversation, Turn
from .records.run import Environment, Prediction
from .records.sweep import Sweep
from .report.write import write_report
from .runs.directory import Run
from .runs.side_by_side import SideBySide, side_by_side
from .workflow.compare import compare
from .workflow.export import Export, export
from .workflow.gate import gate
from .workflow.look import environment, load_conversations, preview
from .workflow.measure import baseline, load_run, score
from .workflow.preview import Preview
from .workflow.setup import RunOptions
from .workflow.size_plan import SizePlan, plan
from .workflow.summarize import summarize
from .workflow.sweep import sweep
from .workflow.train import train

__all__ = [
    "Comparison",
    "Conversation",
    "Environment",
    "Export",
    "GateReport",
    "LiftbenchError",
    "Prediction",
    "PrerequisiteError",
    "Preview",
    "Run",
    "RunFailed",
    "RunOptions",
    "SideBySide",
    "SizePlan",
    "Sweep",
    "Turn",
    "UsageError",
    "baseline",
    "compare",
    "environment",
    "export",
    "gate",
    "load_conversations",
    "load_run",
    "plan",
    "preview",
    "score",
    "side_by_side",
    "summarize",
    "sweep",
    "train",
    "write_report",
]
