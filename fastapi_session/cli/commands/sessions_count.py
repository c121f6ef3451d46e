"""`fastapi-session sessions count`: how many sessions there are, of a user or in all.

No store counts all of them by itself: they are read, page by page, so that takes as long as there are many. A store in Redis that
grows meanwhile may yield one twice. Those of another system that have not come here yet are not counted.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Annotated

import typer

from fastapi_session.cli.deployment import App
from fastapi_session.cli.opened import opened_sessions
from fastapi_session.cli.printing import AsJson, numbered, print_json
from fastapi_session.cli.progress import progress
from fastapi_session.cli.whose import AllTenants, Tenant, tenant_of
from fastapi_session.engine.store_clock import store_now
from fastapi_session.errors import ConfigurationError
from fastapi_session.plain_text import printable
from fastapi_session.sessions import Sessions
from fastapi_session.stores.base import MovableStore

User = Annotated[str | None, typer.Option("--user", metavar="ID", help="Of this user alone.")]

_BATCH = 500


@dataclass(slots=True)
class _Count:
    alive: int = 0
    expired: int | None = None
    tenants: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)

    def add(self, *, tenant: str, kind: str) -> None:
        self.alive += 1
        self.tenants[tenant] += 1
        self.kinds[kind] += 1


def count_sessions(
    *,
    user: User = None,
    tenant: Tenant = None,
    all_tenants: AllTenants = False,
    json: AsJson = False,
    app: App = None,
) -> None:
    """Count the sessions that are alive, by tenant and kind; all of the deployment, or those of a user."""
    where = tenant_of(tenant, all_tenants=all_tenants)
    if user is None and tenant is not None:
        raise typer.BadParameter("it belongs to --user", param_hint="--tenant")
    count = asyncio.run(_count(app, user, where))
    if json:
        print_json(alive=count.alive, expired=count.expired, tenants=dict(count.tenants), kinds=dict(count.kinds))
        return
    typer.echo(numbered(count.alive, "session"))
    for name, numbers in (("tenant", count.tenants), ("kind", count.kinds)):
        for value, number in numbers.most_common():
            typer.echo(f"  {name} {printable(value)}: {number:,}")
    if count.expired:
        typer.echo(f"{count.expired:,} more have expired, and wait to be cleared away")


async def _count(app: str | None, user: str | None, tenant: str | None) -> _Count:
    async with opened_sessions(app) as sessions:
        if user is None:
            return await _count_all(sessions)
        count = _Count()
        for session in await sessions.of_user(user, tenant_id=tenant):
            count.add(tenant=session.tenant_id, kind=session.kind)
        return count


async def _count_all(sessions: Sessions) -> _Count:
    store = sessions.store
    if not isinstance(store, MovableStore):
        raise ConfigurationError("store: this one does not iterate over its sessions; give a user by --user")
    count, expired = _Count(), 0
    now = await store_now(store)
    with progress("sessions") as bar:
        async for page in store.every_session(batch=_BATCH):
            for record in page:
                if record.lineage.expired(now):
                    expired += 1
                else:
                    count.add(tenant=record.tenant_id, kind=record.kind)
            bar.count(len(page))
    count.expired = expired
    return count
