"""`fastapi-session sessions revoke-user USER`: all sessions of a user end, but one if that is to be kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer

from fastapi_session.cli.attribution import By, Reason, actor, by_command_line
from fastapi_session.cli.confirming import DryRun, Yes, confirm
from fastapi_session.cli.deployment import App
from fastapi_session.cli.opened import opened_sessions
from fastapi_session.cli.printing import AsJson, numbered, print_json
from fastapi_session.cli.whose import AllTenants, Tenant, tenant_of
from fastapi_session.errors import ConfigurationError
from fastapi_session.handles import own_handle
from fastapi_session.sessions import Sessions

User = Annotated[str, typer.Argument(metavar="USER", help="The id of the user.")]
Keep = Annotated[str | None, typer.Option("--keep", metavar="HANDLE", help="The session that goes on.")]


def revoke_user(  # noqa: PLR0913 - each is an option
    user: User,
    *,
    tenant: Tenant = None,
    all_tenants: AllTenants = False,
    keep: Keep = None,
    reason: Reason = None,
    by: By = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    json: AsJson = False,
    app: App = None,
) -> None:
    """End all sessions of a user, or all but one. That there is none is no error."""
    where = tenant_of(tenant, all_tenants=all_tenants)
    kept = None if keep is None else own_handle(keep)

    async def run() -> Sequence[str]:
        async with opened_sessions(app) as sessions:
            found = await _to_end(sessions, user, where, kept)
            if dry_run or not found:
                return found
            confirm(f"End {numbered(len(found), 'session')} of {user}?", yes=yes)
            return await sessions.revoke_all(
                user, tenant_id=where, keep=kept, reason=reason, by=actor(by), circumstances=by_command_line()
            )

    ended = asyncio.run(run())
    if json:
        print_json(dry_run=dry_run, ended=[*ended], kept=kept)
    else:
        typer.echo(f"{'would end' if dry_run else 'ended'}: {numbered(len(ended), 'session')}")


async def _to_end(sessions: Sessions, user: str, tenant: str | None, kept: str | None) -> list[str]:
    """Return the handles of those that are alive and not *kept*. Raises `ConfigurationError` if that is none of them."""
    handles = [each.handle for each in await sessions.of_user(user, tenant_id=tenant)]
    if kept is not None and kept not in handles:  # with a slip in it, the session that is to go on would end
        raise ConfigurationError("--keep: the user has no such session")
    return [handle for handle in handles if handle != kept]
