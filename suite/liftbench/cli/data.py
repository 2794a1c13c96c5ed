"""`bench data`: from an export of conversations to a folder that any command takes."""

from __future__ import annotations

import click

from .lazy import LazyGroup


@click.group(
    "data",
    cls=LazyGroup,
    prefix="data_",
    commands_help={
        "import": "Read conversations from CSV, JSON Lines or Parquet.",
        "check": "Report lengths, duplicates, references, languages and personal data.",
        "split": "Split conversations into train, validation and test without leaks.",
    },
)
def command() -> None:
    """Turn your own conversations into a data set.

    \b
    bench data import tickets.csv --to tickets    read them, whatever the columns are called
    bench data check tickets --redact             see what is in them; replace personal data
    bench data split tickets-redacted             train, validation and test, without leaks
    bench baseline --dataset tickets-redacted-split
    """
