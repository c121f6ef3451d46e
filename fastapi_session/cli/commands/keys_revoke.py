"""`fastapi-session keys revoke KID`: a signing key is deleted, as after a leak; nobody is signed out by it."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from fastapi_session.cli.confirming import DryRun, Yes, confirm
from fastapi_session.cli.deployment import App
from fastapi_session.cli.opened import opened_sessions
from fastapi_session.cli.printing import AsJson, print_json
from fastapi_session.plain_text import printable
from fastapi_session.sessions import Sessions

Kid = Annotated[str, typer.Argument(metavar="KID", help="The key, as keys list names it.")]


def revoke_key(kid: Kid, *, dry_run: DryRun = False, yes: Yes = False, json: AsJson = False, app: App = None) -> None:
    """Delete a signing key. Clients whose access token it signed refresh once; if it is the one that signs, another takes over at once."""
    if not asyncio.run(_revoke(kid, app, asks=not yes, dry_run=dry_run)):
        sys.exit("error: there is no such key")
    if json:
        print_json(dry_run=dry_run, kid=kid)
    else:
        typer.echo(f"{'would delete' if dry_run else 'deleted'}: {kid}")


async def _revoke(kid: str, app: str | None, *, asks: bool, dry_run: bool) -> bool:
    """Return whether there is, or was, such a key."""
    async with opened_sessions(app) as sessions:
        if dry_run or not await _is_there(sessions, kid):
            return await _is_there(sessions, kid)
        confirm(
            f"Delete the key {printable(kid)}? Access tokens that it signed are refused from then on.", yes=not asks
        )
        return await sessions.revoke_signing_key(kid)


async def _is_there(sessions: Sessions, kid: str) -> bool:
    return kid in {record.kid for record in await sessions.store.signing_keys()}
