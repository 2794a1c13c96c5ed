"""Looks at the machine: Python, packages, processor, GPU, memory, disk, the hub and plugins, each within a minute."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from packaging.specifiers import SpecifierSet

from ..errors import LiftbenchError, first_line
from ..extension.loader import Plugins
from ..extension.registry import PROJECT
from ..models.cache import cache_folder
from ..models.references import require_obtainable
from ..models.served import is_served
from ..recipe.sections import Recipe
from ..runs.environment import processor_name, usable_cores
from ..text.phrases import join_words, pluralize
from .check import Finding, State
from .packages import check_packages
from .served_check import check_server

SECONDS = 60.0
"""The most that a probe may take; they run at the same time. Importing torch takes most of it on a busy machine."""

HUB_SECONDS = 5.0

WORKING_BYTES = 1_000_000_000
"""What generating takes beside the weights, and what a run leaves on disk, at the most, with small models."""

BYTES = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0, "nf4": 0.6}
"""Precision → bytes a weight in memory. NF4 has half a byte and its scales; embeddings stay in two bytes."""

STORED = 2.0
"""Bytes a weight in most files of weights."""

TORCH = """
import json, sys
found = {}
import torch
found["version"] = torch.__version__
found["built for"] = torch.version.cuda
found["cuda"] = torch.cuda.is_available()
found["threads"] = torch.get_num_threads()
if found["cuda"]:
    free, total = torch.cuda.mem_get_info()
    found |= {"gpu": torch.cuda.get_device_name(0), "free": free, "total": total}
try:
    import bitsandbytes
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit
    device = "cuda" if found["cuda"] else "cpu"
    codes, state = quantize_4bit(torch.ones(64, 64, device=device), quant_type="nf4")
    error = float((dequantize_4bit(codes, state) - 1).abs().max())
    found["nf4"] = "works" if error < 0.1 else f"is wrong by {error:.2g}"
    found["bitsandbytes"] = bitsandbytes.__version__
except Exception as error:
    found["nf4"] = f"{type(error).__name__}: {error}"
print(json.dumps(found))
"""
"""Runs in a process of its own: a broken installation of torch or CUDA may end its process, or hang."""

Probe = Callable[[], Iterator[Finding]]


def examine(recipe: Recipe, plugins: Plugins, runs: Path, seconds: float = SECONDS) -> list[Finding]:
    """What is right and wrong with this machine for a recipe. `wrong` stops measuring; `note` stops less.

    No probe can raise or hang: one that takes longer than `seconds` is a finding.
    """
    probes: dict[str, Probe] = {
        "python": _python,
        "packages": check_packages,
        "processor": _processor,
        "torch": lambda: _torch(seconds),
        "driver": _driver,
        "model": lambda: _model(recipe, runs),
        **({"server": lambda: check_server(recipe, plugins)} if is_served(recipe.model.reference) else {}),
        "hub": _hub,
        "plugins": lambda: _plugins(plugins),
    }
    started = time.monotonic()
    running = {name: _start(name, probe) for name, probe in probes.items()}
    found: list[Finding] = []
    for name, future in running.items():
        try:
            found += future.result(timeout=max(0.0, started + seconds - time.monotonic()))
        except TimeoutError:
            found.append(finding(name, "note", f"no answer within {seconds:.0f} seconds", "Try it again later."))
    return found


def finding(part: str, state: State, what: str, fix: str = "") -> Finding:
    """A finding of a probe."""
    return Finding(part=part, state=state, what=what, fix=fix)


def _start(name: str, probe: Probe) -> Future[list[Finding]]:
    """Run a probe in a daemon thread, which does not keep the process alive where it hangs."""
    future: Future[list[Finding]] = Future()
    threading.Thread(target=lambda: future.set_result(_collect(name, probe)), daemon=True).start()
    return future


def _collect(name: str, probe: Probe) -> list[Finding]:
    try:
        return list(probe())
    except Exception as error:  # whatever a broken machine raises
        return [finding(name, "note", f"cannot be told: {type(error).__name__}: {first_line(error)}")]


# --------------------------------------------------------------------------------------------------------------- probes


def _python() -> Iterator[Finding]:
    version = platform.python_version()
    required = metadata.metadata(PROJECT)["Requires-Python"]
    if version not in SpecifierSet(required):
        yield finding("python", "wrong", f"{version} is not {required}", f"Install Python {required}.")
    else:
        yield finding("python", "ok", f"{version}, {sys.executable}")
    if sys.platform != "linux":
        yield finding("python", "note", f"{platform.system()} is not tested", "Linux is.")


def _processor() -> Iterator[Finding]:
    flags = _cpu_flags()
    cores = usable_cores()
    name = f"{processor_name()}, {pluralize(cores, 'usable core')}"
    if flags is None:
        yield finding("processor", "note", f"{name}; its features cannot be told on this system")
        return
    known = {"AVX2": "avx2", "AVX-512": "avx512f", "AVX-512 BF16": "avx512_bf16", "AMX BF16": "amx_bf16"}
    has = [words for words, flag in known.items() if flag in flags]
    lacks = [words for words, flag in known.items() if flag not in flags]
    words = f"{name}; " + ", ".join(
        f"{verb} {join_words(names)}" for verb, names in (("has", has), ("lacks", lacks)) if names
    )
    if "avx2" not in flags and platform.machine() in ("x86_64", "AMD64"):
        yield finding("processor", "note", words, "Models will be slow: torch's fast kernels need AVX2.")
    elif {"AVX-512 BF16", "AMX BF16"} <= set(lacks):
        fix = "bfloat16 is computed without hardware support; try --set model.precision=float32 if it is slow."
        yield finding("processor", "ok", words, fix)
    else:
        yield finding("processor", "ok", words)


def _torch(seconds: float) -> Iterator[Finding]:
    if find_spec("torch") is None:
        yield finding(
            "torch", "note", "not installed: models cannot be measured or trained", "pip install 'liftbench[train]'"
        )
        return
    try:
        done = subprocess.run(
            [sys.executable, "-c", TORCH], capture_output=True, text=True, timeout=seconds - 1, check=False
        )
    except subprocess.TimeoutExpired:
        yield finding("torch", "note", f"not imported within {seconds:.0f} seconds", "Is the machine very busy?")
        return
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        yield finding("torch", "wrong", f"cannot be imported: {last}", "pip install --force-reinstall torch")
        return
    found = json.loads(done.stdout.splitlines()[-1])
    yield finding("torch", "ok", f"{found['version']}, {pluralize(found['threads'], 'thread')}")
    if found["cuda"]:
        free, total = (f"{found[key] / 1e9:.0f} GB" for key in ("free", "total"))
        yield finding("cuda", "ok", f"{found['gpu']}, {free} of {total} free, CUDA {found['built for']}")
    elif found["built for"] and shutil.which("nvidia-smi"):
        fix = f"Install a driver for CUDA {found['built for']}, or a torch that is built for this one."
        yield finding("cuda", "note", f"torch sees no GPU (built for CUDA {found['built for']})", fix)
    else:
        yield finding("cuda", "note", "no GPU: everything runs on the processor", "Small models, such as the default.")
    if found["nf4"] == "works":
        yield finding("bitsandbytes", "ok", f"{found['bitsandbytes']}: NF4 works")
    elif find_spec("bitsandbytes") is None:
        yield finding("bitsandbytes", "note", "not installed: no qlora, no nf4", "pip install 'liftbench[train]'")
    else:
        fix = "Train with --plugin lora, or install the bitsandbytes for this torch."
        yield finding("bitsandbytes", "note", f"NF4 does not work: {found['nf4']}", fix)


def _driver() -> Iterator[Finding]:
    program = shutil.which("nvidia-smi")
    if program is None:
        yield finding("driver", "ok", "no NVIDIA driver, and none needed without a GPU")
        return
    query = ["--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    done = subprocess.run([program, *query], capture_output=True, text=True, timeout=20, check=False)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        what = (done.stderr or done.stdout).strip().splitlines() or [f"status {done.returncode}"]
        yield finding("driver", "note", f"nvidia-smi fails: {what[-1]}", "Install the driver again, or restart.")
    for line in lines if not done.returncode else []:
        name, version, memory = (part.strip() for part in line.split(","))
        yield finding("driver", "ok", f"{version} for {name}, {memory}")


def _model(recipe: Recipe, runs: Path) -> Iterator[Finding]:
    reference = recipe.model.reference
    available = None
    try:
        available = require_obtainable(reference)
        yield finding("model", "ok", f"{reference}: {available.words}")
    except LiftbenchError as error:
        yield finding("model", "note", f"{reference}: {error.what}", error.fix)
    if is_served(reference):
        yield from _disk(runs, 0, here=True)
        return
    weights = available.weights_bytes if available else None
    weights = weights or _guess_weights(reference)
    yield _memory(recipe, weights)
    yield from _disk(runs, weights or 0, here=available is not None and available.folder is not None)


def _memory(recipe: Recipe, weights: int | None) -> Finding:
    import psutil

    free = psutil.virtual_memory().available / 1e9
    reference = recipe.model.reference
    if weights is None:
        return finding("memory", "ok", f"{free:.1f} GB available; what {reference} takes is not known yet")
    required = (weights / STORED * BYTES[recipe.model.precision] + WORKING_BYTES) / 1e9
    words = f"{free:.1f} GB available; measuring {reference} takes about {required:.1f} GB"
    if required > free:
        fix = "End other programs, or take a smaller model or precision (--set model.precision=nf4)."
        # A GPU has memory of its own.
        return finding("memory", "note" if shutil.which("nvidia-smi") else "wrong", words, fix)
    return finding("memory", "ok", f"{words} (`bench train --dry-run` predicts a training)")


def _disk(runs: Path, weights: int, *, here: bool) -> Iterator[Finding]:
    for part, folder, required in (
        ("models", cache_folder(), 0 if here else 2 * weights + WORKING_BYTES),
        ("runs", runs, WORKING_BYTES),
    ):
        place = next((one for one in (folder.resolve(), *folder.resolve().parents) if one.is_dir()), Path())
        free = shutil.disk_usage(place).free
        needed = f"; about {required / 1e9:.1f} GB are needed" if required else ""
        words = f"{free / 1e9:.1f} GB free for {part} in {folder}{needed}"
        if not os.access(place, os.W_OK):
            yield finding("disk", "wrong", f"{place} cannot be written ({part})", _elsewhere(part))
        elif free < required:
            yield finding("disk", "wrong", words, _elsewhere(part))
        else:
            yield finding("disk", "ok", words)


def _elsewhere(part: str) -> str:
    name = "LIFTBENCH_CACHE" if part == "models" else "LIFTBENCH_RUNS"
    return f"Free some space, or set {name} to another folder."


def _hub() -> Iterator[Finding]:
    endpoint = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        what = "HF_HUB_OFFLINE is set: only what is in the cache can be had"
        yield finding("hub", "note", what, "Unset HF_HUB_OFFLINE to download models.")
        return
    instead = "Only models and data on the hub need it; smollm2-135m comes from PyPI, helpdesk with the package."
    request = urllib.request.Request(endpoint, method="HEAD", headers={"User-Agent": "liftbench"})
    try:
        with urllib.request.urlopen(request, timeout=HUB_SECONDS):
            pass
    except urllib.error.HTTPError as error:
        if error.code >= 500:
            yield finding("hub", "note", f"{endpoint} answers with status {error.code}", instead)
            return
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        yield finding("hub", "note", f"{endpoint} cannot be reached ({reason})", instead)
        return
    yield finding("hub", "ok", f"{endpoint} answers")


def _plugins(plugins: Plugins) -> Iterator[Finding]:
    for name, seconds in plugins.seconds.items():
        specs = [spec for spec in plugins.specs if spec.plugin == name]
        who = specs[0].distribution if specs else "?"
        if not any(problem.plugin == name for problem in plugins.problems):
            yield finding("plugins", "ok", f"{name} ({who}): {len(specs)} registered, loaded in {seconds:.2f} s")
    for problem in plugins.problems:
        fix = f"Repair or uninstall it, or switch it off with LIFTBENCH_NO_PLUGIN={problem.plugin}."
        yield finding("plugins", "note", f"{problem.plugin} ({problem.distribution}): {problem.reason}", fix)


# -------------------------------------------------------------------------------------------------------------- figures


def _guess_weights(reference: str) -> int | None:
    """The bytes of a model's weights by its name (`…-8B-…`, `…-135m`), in two bytes each; None if it does not say."""
    found = re.search(r"(?<![a-z0-9.])(\d+(?:\.\d+)?)([bm])(?![a-z])", reference.casefold())
    return round(float(found[1]) * {"b": 1e9, "m": 1e6}[found[2]] * STORED) if found else None


def _cpu_flags() -> set[str] | None:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((set(line.partition(":")[2].split()) for line in lines if line.startswith(("flags", "Features"))), None)
