"""The plan of the house: rooms import from lower ones, plugins from plugin_api alone; no light command loads torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from liftbench.files import write_lines
from liftbench.records.conversation import Conversation

ROOT = Path(__file__).resolve().parents[1]
PLUGINS = ROOT / "plugins" / "liftbench_plugins"


def imports(path: Path, root: Path) -> set[str]:
    """First components, below `root`'s package, of what a module imports for real (not for type checking)."""
    package = path.relative_to(root.parent).with_suffix("").parts
    found = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    checking = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if id(node) in checking:
            continue
        if isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level]] if node.level else []
            module = [*base, *(node.module.split(".") if node.module else [])]
            names = [[*module, alias.name] for alias in node.names] if len(module) == 1 else [module]
            found |= {".".join(name) for name in names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def test_the_contracts_of_the_house_hold() -> None:
    """Rooms in their order, no circles, a core that knows no plugin: `[tool.importlinter]` in pyproject.toml."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", sorted(PLUGINS.rglob("*.py")), ids=lambda path: str(path.relative_to(PLUGINS)))
def test_plugins_import_only_the_plugin_api_and_their_own_package(path: Path) -> None:
    for name in imports(path, PLUGINS):
        if name.startswith("liftbench."):
            assert name.split(".")[1] == "plugin_api", f"{path.name} imports {name}"


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (["--help"], ["torch", "transformers", "numpy", "rich", "liftbench.extension.registry"]),
        (["plugins"], ["torch", "transformers", "trl", "bitsandbytes"]),
        (["recipes"], ["torch", "transformers", "numpy"]),
        (["data", "import", "--help"], ["torch", "transformers", "vl_convert", "jinja2", "pyarrow", "faker"]),
        (["baseline", "--help"], ["torch", "transformers", "vl_convert", "jinja2"]),
    ],
)
def test_light_commands_load_nothing_heavy(arguments: list[str], absent: list[str]) -> None:
    code = (
        "import sys\nfrom liftbench.cli.main import cli\n"
        f"cli.main({arguments!r}, standalone_mode=False)\n"
        f"loaded = [name for name in {absent!r} if name in sys.modules]\nsys.exit(', '.join(loaded) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if not line.startswith("next: ")]) == (0, [])


def test_texts_made_elsewhere_are_scored_without_torch(tmp_path: Path, conversations: list[Conversation]) -> None:
    write_lines(tmp_path / "data" / "validation.jsonl", conversations)
    write_lines(tmp_path / "texts.jsonl", [{"id": c.id, "text": c.references[0]} for c in conversations])
    arguments = ["score", "--predictions", str(tmp_path / "texts.jsonl"), "--dataset", str(tmp_path / "data")]
    code = (
        "import sys\nfrom liftbench.cli.main import cli\n"
        f"cli.main({[*arguments, '--runs', str(tmp_path / 'runs')]!r}, standalone_mode=False)\n"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "generation unverified" in done.stdout
