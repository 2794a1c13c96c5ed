"""`bench selfcheck`: checks that the metrics still give the values that they should."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import RunFailed
from ..extension.loader import load_plugins
from ..metrics.selfcheck import SHIPPED, Check, selfcheck
from .options import json_option
from .output import echo
from .show import print_json


@click.command("selfcheck")
@click.option(
    "--fixtures",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=SHIPPED,
    help="A folder of fixtures for your own metrics, in the format of those that ship with the package.",
)
@json_option
@click.option("--no-plugin", multiple=True, metavar="NAME", help="Switch a plugin off.")
def command(fixtures: Path, as_json: bool, no_plugin: tuple[str, ...]) -> None:
    """Check the metrics against published values and values worked out by hand, offline.

    Exit code 4 if a metric gives another value.
    """
    checks = selfcheck(load_plugins(no_plugin), fixtures)
    failed = [check for check in checks if not check.passed]
    if as_json:
        print_json({"passed": not failed, "checks": checks})
    else:
        echo("\n".join(_line(check) for check in checks))
        echo(f"{len(checks) - len(failed)} of {len(checks)} values are as expected")
    if failed:
        first = failed[0]
        raise RunFailed(
            f"{len(failed)} of {len(checks)} values are wrong; the first, {first.fixture}, {first.metric}: "
            f"expected {first.expected}, found {first.found} ({first.source})\n"
            f"signature here: {first.signature}\n"
            "Is a package other than in constraints.txt, or was the fixture changed?"
        )


def _line(check: Check) -> str:
    verdict, expected = ("pass", "") if check.passed else ("FAIL", f", expected {check.expected}")
    return f"{verdict}  {check.fixture}, {check.metric}: {check.found}{expected} ({check.source})"
