"""Who ended a session at a command line, as the event of it says.

| of the event | is |
|---|---|
| `reason` | `by_handle`, `all` or `others`, as of the verb that does it, or what `--reason` says |
| `by` | the user of the application whom `--by` names: nobody else is known here |
| `circumstances` | no address, and as user agent this program |

The event is written in the transaction of the change, if the deployment's configuration has `audit`.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from fastapi_session.model import MAX_REASON, Actor, Circumstances

Reason = Annotated[
    str | None,
    typer.Option("--reason", help=f"Why, as the event of it is to say: up to {MAX_REASON} characters."),
]
By = Annotated[
    str | None, typer.Option("--by", metavar="USER", help="Who does it, as the event of it is to say: a user id.")
]


def by_command_line() -> Circumstances:
    """Return the circumstances of what a command does: a product as in a `User-Agent` (RFC 9110, section 10.1.5)."""
    return Circumstances(user_agent=f"fastapi-session/{version('fastapi-session-auth')} (command line)")


def actor(user_id: str | None) -> Actor | None:
    """Return who does it, if that was said."""
    return None if user_id is None else Actor(user_id)
