"""What a command prints: columns or lines for people, or one JSON object in a line for programs.

The JSON of each command has the same keys in every version whose `version` in it is the same. What clients and applications
have written is printed with its control characters escaped: a user agent may have those that write over the terminal.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer

from fastapi_session.model import moment
from fastapi_session.plain_text import exactly, printable, when

SCHEMA = 1
"""The version of the JSON of all commands."""

AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON object, the same keys in every version.")]


def print_json(**said: Any) -> None:
    """Print *said* as one object in a line, after the version of its schema."""
    typer.echo(json.dumps({"version": SCHEMA, **said}))


def print_columns(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print *rows* below their *head*, each column as wide as its longest text; nothing if there are none."""
    texts = [[printable(text) for text in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *texts, strict=True)]
    for row in [[*head], *texts] if texts else []:
        typer.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def print_facts(facts: Iterable[tuple[str, str | None]]) -> None:
    """Print each name with what it is, and leave out those that are not known."""
    known = [(name, text) for name, text in facts if text is not None]
    width = max((len(name) for name, _ in known), default=0)
    for name, text in known:
        typer.echo(f"{name.ljust(width)}  {printable(text)}")


def numbered(count: int, noun: str) -> str:
    """Return "1 session", "2 sessions"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def when_ms(milliseconds: int) -> str:
    """Return `when` of *milliseconds* since the epoch."""
    return when(moment(milliseconds))


def exactly_ms(milliseconds: int) -> str:
    """Return `exactly` of *milliseconds* since the epoch."""
    return exactly(moment(milliseconds))
