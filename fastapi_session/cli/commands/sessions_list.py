"""`fastapi-session sessions list --user ID`: the sessions of a user that are alive, oldest first."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer

from fastapi_session.cli.deployment import App
from fastapi_session.cli.described import HEAD, as_json, row
from fastapi_session.cli.opened import opened_sessions
from fastapi_session.cli.printing import AsJson, numbered, print_columns, print_json
from fastapi_session.cli.whose import AllTenants, Tenant, tenant_of
from fastapi_session.session_information import SessionInformation

User = Annotated[str, typer.Option("--user", metavar="ID", help="Whose sessions.")]


def list_sessions(
    *,
    user: User,
    tenant: Tenant = None,
    all_tenants: AllTenants = False,
    json: AsJson = False,
    app: App = None,
) -> None:
    """List the sessions of a user, oldest first."""
    found = asyncio.run(_of_user(user, tenant_of(tenant, all_tenants=all_tenants), app))
    if json:
        print_json(sessions=[as_json(each) for each in found])
        return
    print_columns(HEAD, map(row, found))
    typer.echo(numbered(len(found), "session"))


async def _of_user(user: str, tenant: str | None, app: str | None) -> Sequence[SessionInformation]:
    async with opened_sessions(app) as sessions:
        return await sessions.of_user(user, tenant_id=tenant)
