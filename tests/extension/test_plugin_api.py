from __future__ import annotations

import subprocess
import sys


def test_a_plugin_may_be_the_first_to_use_the_hub() -> None:
    # In an interpreter of its own: any other test may have imported the module before.
    code = "from liftbench.plugin_api import hub; print(hub.__name__)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.stdout.strip() == "liftbench.models.hub", found.stderr
