"""`fastapi-session sessions revoke HANDLE...`: these sessions end, in all processes of the application within two seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import typer

from fastapi_session.cli.attribution import By, Reason, actor, by_command_line
from fastapi_session.cli.confirming import DryRun, Yes, confirm
from fastapi_session.cli.deployment import App
from fastapi_session.cli.opened import opened_sessions
from fastapi_session.cli.printing import AsJson, numbered, print_json
from fastapi_session.errors import StoreUnavailable
from fastapi_session.plain_text import printable
from fastapi_session.session_information import SessionInformation
from fastapi_session.sessions import Sessions

Handles = Annotated[list[str], typer.Argument(metavar="HANDLE...", help="The handles of the sessions.")]


@dataclass(slots=True)
class _Outcome:
    ended: list[str] = field(default_factory=list)
    not_there: list[str] = field(default_factory=list)


def revoke_sessions(
    handles: Handles,
    *,
    reason: Reason = None,
    by: By = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    json: AsJson = False,
    app: App = None,
) -> None:
    """End sessions. Exit code 1 says that one of them was not there: it had ended, or never was."""
    outcome = _Outcome()
    revoking = _revoke([*dict.fromkeys(handles)], app, into=outcome, ending=(reason, by), asks=not yes, dry_run=dry_run)
    try:
        asyncio.run(revoking)
    except (StoreUnavailable, KeyboardInterrupt):  # in the middle, maybe: what has ended is told all the same
        _tell(outcome, dry_run=dry_run, json=json)
        raise
    _tell(outcome, dry_run=dry_run, json=json)
    raise typer.Exit(1 if outcome.not_there else 0)


async def _revoke(
    handles: Sequence[str],
    app: str | None,
    *,
    into: _Outcome,
    ending: tuple[str | None, str | None],
    asks: bool,
    dry_run: bool,
) -> None:
    """End the sessions, for a reason and by whom *ending* says, and put *into* the outcome what became of each."""
    reason, by = ending
    async with opened_sessions(app) as sessions:
        there = await _there(sessions, handles)
        if dry_run:
            into.ended += there
            into.not_there += [each for each in handles if each not in there]
            return
        if there:
            confirm(_question(there), yes=not asks)
        for handle in handles:
            ended = await sessions.revoke(
                handle, reason=reason or "by_handle", by=actor(by), circumstances=by_command_line()
            )
            (into.ended if ended else into.not_there).append(handle)


async def _there(sessions: Sessions, handles: Sequence[str]) -> dict[str, SessionInformation]:
    found = {handle: await sessions.information(handle) for handle in handles}
    return {handle: each for handle, each in found.items() if each is not None}


def _question(there: dict[str, SessionInformation]) -> str:
    users = sorted({each.user_id for each in there.values()})
    of = f"of {users[0]}" if len(users) == 1 else f"of {len(users):,} users"
    return f"End {numbered(len(there), 'session')} {of}?"


def _tell(outcome: _Outcome, *, dry_run: bool, json: bool) -> None:
    if json:
        print_json(dry_run=dry_run, ended=outcome.ended, not_there=outcome.not_there)
        return
    for handle in outcome.ended:
        typer.echo(f"{'would end' if dry_run else 'ended'}: {printable(handle)}")
    for handle in outcome.not_there:
        typer.echo(f"not there: {printable(handle)}", err=True)
