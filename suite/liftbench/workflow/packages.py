"""The installed packages against what liftbench requires, and against the pinned versions that it is tested with."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import metadata, resources
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from ..extension.registry import PROJECT
from .check import Finding

EXTRAS = ("models", "train", "data", "metrics", "judge", "served")
"""The extras that users install, those that others include before them."""

PINS = "constraints.txt"

MOST = 6
"""How many packages are named."""


def check_packages() -> Iterator[Finding]:
    """What is missing or too old of the core and of each extra, and what is not the pinned version."""
    requirements = [Requirement(line) for line in metadata.requires(PROJECT) or ()]
    core = [one for one in requirements if not one.marker or one.marker.evaluate({"extra": ""})]
    if problems := list(_problems(core)):
        fix = f"Run: {sys.executable} -m pip install --upgrade liftbench"
        yield Finding(part="packages", state="wrong", what=f"{', '.join(problems)}", fix=fix)
    else:
        yield Finding(part="packages", state="ok", what=f"all {len(core)} that the core requires")
    for extra in EXTRAS:
        own = [
            one
            for one in requirements
            if one.marker and one.marker.evaluate({"extra": extra}) and one not in core and one.name != PROJECT
        ]
        if problems := list(_problems(own)):
            words = f"the extra {extra}: {', '.join(problems)}"
            yield Finding(part="packages", state="note", what=words, fix=f"Run: pip install 'liftbench[{extra}]'")
        else:
            yield Finding(part="packages", state="ok", what=f"the extra {extra}: all of its {len(own)}")
    yield _compare_with_pins(read_pins())


def _problems(requirements: list[Requirement]) -> Iterator[str]:
    for one in requirements:
        version = installed(one.name)
        if version is None:
            yield f"{one.name} is missing"
        elif not one.specifier.contains(version, prereleases=True):
            yield f"{one.name} is {version}, required is {one.specifier}"


def _compare_with_pins(pins: dict[str, str]) -> Finding:
    if not pins:
        return Finding(part="packages", state="note", what="the pinned versions are not installed with the package")
    found = {name: version for name in pins if (version := installed(name))}
    others = [f"{name} {version} (pinned: {pins[name]})" for name, version in found.items() if version != pins[name]]
    if not others:
        return Finding(part="packages", state="ok", what=f"{len(found)} installed packages have their pinned version")
    shown = ", ".join(others[:MOST]) + (f" and {len(others) - MOST} more" if len(others) > MOST else "")
    return Finding(
        part="packages",
        state="note",
        what=f"{len(others)} of {len(found)} are other than the pinned versions, which the tests run with: {shown}",
        fix=f"If something fails: pip install -c {pins_file()} 'liftbench[all]'",
    )


def installed(name: str) -> str | None:
    """The installed version of a package; None if it is not installed."""
    try:
        # Without a build's own mark, such as `+cpu`.
        return Version(metadata.version(name)).public
    except metadata.PackageNotFoundError:
        return None


def pins_file() -> Path | None:
    """The file of pinned versions: beside the sources of a clone, or in the metadata of the installed package."""
    clone = Path(str(resources.files(PROJECT))).parents[1] / PINS
    if clone.is_file():
        return clone
    files = metadata.files(PROJECT) or []
    return next((Path(str(file.locate())) for file in files if file.name == PINS), None)


def read_pins() -> dict[str, str]:
    """Package → pinned version; empty without a file of them."""
    file = pins_file()
    lines = file.read_text(encoding="utf-8").splitlines() if file else []
    pairs = (line.partition("#")[0].strip().partition("==") for line in lines)
    return {canonicalize_name(name): version for name, equals, version in pairs if equals}
