# The names of plugin_api, by the modules that they come from: read by type checkers and by lazy_loader.
from .data.dataset import Dataset
from .data.intake.assembly import conversations
from .data.intake.columns import Columns, check_names
from .data.intake.desks import Chatlog, Desk, Export, Opening, People
from .data.intake.replies import Replies
from .data.intake.speakers import UnclearSpeakers
from .data.intake.tables import SUFFIXES, Row, open_table
from .data.intake.tally import Tally
from .data.jsonl import JsonLinesFolder, read_jsonl
from .errors import (
    LiftbenchError,
    PrerequisiteError,
    RunFailed,
    UsageError,
    first_line,
    require_packages,
    unknown,
)
from .extension.hooks import hookimpl
from .extension.registry import API_VERSION, Registry
from .files import BAD_JSON, file_sha256, write_atomic, write_lines
from .floors.control import Control, ControlRequest
from .judging.compare import Comparison
from .measuring.backend import Backend, BackendRequest, Generation, OutOfMemory
from .measuring.launcher import Launcher, Report, WorkerCommand, WorkerEnd, run_worker, start_worker, stop_worker
from .metrics.base import Metric, MetricRequest, Misreading
from .models import hub
from .models.cache import cache_folder, caching
from .models.chat_server import Answer, ChatServer
from .models.encoders import resolve_encoder
from .models.references import ResolvedModel, read_json, to_stderr
from .models.served import read_served
from .progress import Progress, no_progress
from .prompts.ending import Ending, end_token, ending
from .prompts.render import completion_ids, encode, render
from .prompts.spec import Prompt, prompt_spec
from .records.conversation import Conversation, Turn
from .records.run import DecodingRules, Finding, Manifest, ServedAnswer
from .records.system import ModelRecord, PromptSpec, ServedModel
from .records.training import CurvePoint, TrainingSummary
from .runs.environment import peak_memory, usable_cores
from .text.sentences import SPLITTER, split_sentences
from .text.transcript import transcript
from .training.programs import start_program
from .training.ranks import Ranks
from .training.trainer import Trainer, TrainingEstimate, TrainingSize, TrainRequest, TrainResult

__all__ = [
    "API_VERSION",
    "BAD_JSON",
    "SPLITTER",
    "SUFFIXES",
    "Answer",
    "Backend",
    "BackendRequest",
    "ChatServer",
    "Chatlog",
    "Columns",
    "Comparison",
    "Control",
    "ControlRequest",
    "Conversation",
    "CurvePoint",
    "Dataset",
    "DecodingRules",
    "Desk",
    "Ending",
    "Export",
    "Finding",
    "Generation",
    "JsonLinesFolder",
    "Launcher",
    "LiftbenchError",
    "Manifest",
    "Metric",
    "MetricRequest",
    "Misreading",
    "ModelRecord",
    "Opening",
    "OutOfMemory",
    "People",
    "PrerequisiteError",
    "Progress",
    "Prompt",
    "PromptSpec",
    "Ranks",
    "Registry",
    "Replies",
    "Report",
    "ResolvedModel",
    "Row",
    "RunFailed",
    "ServedAnswer",
    "ServedModel",
    "Tally",
    "TrainRequest",
    "TrainResult",
    "Trainer",
    "TrainingEstimate",
    "TrainingSize",
    "TrainingSummary",
    "Turn",
    "UnclearSpeakers",
    "UsageError",
    "WorkerCommand",
    "WorkerEnd",
    "cache_folder",
    "caching",
    "check_names",
    "completion_ids",
    "conversations",
    "encode",
    "end_token",
    "ending",
    "file_sha256",
    "first_line",
    "hookimpl",
    "hub",
    "no_progress",
    "open_table",
    "peak_memory",
    "prompt_spec",
    "read_json",
    "read_jsonl",
    "read_served",
    "render",
    "require_packages",
    "resolve_encoder",
    "run_worker",
    "split_sentences",
    "start_program",
    "start_worker",
    "stop_worker",
    "to_stderr",
    "transcript",
    "unknown",
    "usable_cores",
    "write_atomic",
    "write_lines",
]
