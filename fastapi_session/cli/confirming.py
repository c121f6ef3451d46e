"""Before something ends, a command asks.

| standard input | without `--yes` | with it |
|---|---|---|
| a terminal | it asks; anything but yes ends nothing, and the exit code is 1 | it goes on |
| anything else | it ends nothing, and the exit code is 2 | it goes on |
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from fastapi_session.plain_text import printable

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask. Needed where there is no terminal.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would end, and end nothing.")]


def confirm(question: str, *, yes: bool) -> None:
    """Return if the *question* is answered by yes, beforehand or now. Raises as typer does for an exit code of the table."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise typer.BadParameter("there is no terminal to ask at, so it has to be given", param_hint="--yes")
    typer.confirm(printable(question), abort=True, err=True)
