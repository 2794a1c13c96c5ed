"""`python -m tests.support.faker_names`: write `names.json` again from the installed faker.

Nothing is generated: only the lists of names of faker's locales are read, and of them what is in Latin script.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import regex

from liftbench.text import names

FILE = Path(names.__file__).with_name("names.json")

_LATIN = regex.compile(r"(?:\p{Latin}['’])?\p{Latin}{2,}(?:['’-]\p{Latin}+)*")
_ATTRIBUTE = regex.compile(r"(?P<part>first|last)_(?:romanized_)?names.*")


def faker_names() -> dict[str, str | list[str]]:
    """The content of `names.json`."""
    found: dict[str, set[str]] = {"first": set(), "last": set()}
    for provider in _providers():
        for attribute in dir(provider):
            if part := _ATTRIBUTE.fullmatch(attribute):
                found[part["part"]].update(names.fold(name) for name in _texts(getattr(provider, attribute)))
    words: Any = importlib.import_module("faker.providers.lorem.en_US").Provider.word_list
    return {
        "source": f"faker {metadata.version('faker')} (MIT licence, see names.LICENSE.txt)",
        "first": sorted(found["first"]),
        "last": sorted(found["last"]),
        "words": sorted(set(words)),
    }


def _providers() -> Iterator[Any]:
    package = importlib.import_module("faker.providers.person")
    for module in pkgutil.iter_modules(package.__path__):
        yield importlib.import_module(f"{package.__name__}.{module.name}").Provider


def _texts(value: Any) -> Iterable[str]:
    # Lists of names come as tuples, as dictionaries of frequencies, and as pairs of script and transcription.
    if isinstance(value, str):
        return [value] if _LATIN.fullmatch(value) else []
    if isinstance(value, (tuple, list, dict, set)):
        return [text for item in value for text in _texts(item)]
    return []


if __name__ == "__main__":
    FILE.write_text(json.dumps(faker_names(), ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
