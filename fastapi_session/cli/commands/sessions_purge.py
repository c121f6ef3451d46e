"""`fastapi-session sessions purge`: what nobody needs any more is deleted at once, as the application does now and then.

Nothing that is alive ends by it, so it does not ask.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Annotated, get_args

import typer

from fastapi_session.cli.deployment import App
from fastapi_session.cli.opened import opened_deployment
from fastapi_session.cli.printing import AsJson, numbered, print_json
from fastapi_session.cli.progress import progress
from fastapi_session.engine.housekeeping import Clearable, Housekeeping
from fastapi_session.errors import ConfigurationError
from fastapi_session.stores.facts import MOST_COUNTED

_WORDS: dict[Clearable, str] = {
    "sessions": "expired session",
    "notices": "old notice",
    "digests": "old digest",
    "devices": "old device",
    "events": "old event",
}

DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help=f"Say what would be deleted, each up to {MOST_COUNTED:,}, and delete nothing."),
]


def purge(*, dry_run: DryRun = False, json: AsJson = False, app: App = None) -> None:
    """Delete expired sessions, old notices of the revocation feed, and all else that is old."""
    deleted = asyncio.run(_purge(app, dry_run=dry_run))
    if json:
        print_json(dry_run=dry_run, deleted={what: deleted[what] for what in get_args(Clearable)})
        return
    for what, words in _WORDS.items():
        typer.echo(f"would delete: {_up_to(deleted[what], words)}" if dry_run else numbered(deleted[what], words))


async def _purge(app: str | None, *, dry_run: bool) -> Counter[Clearable]:
    async with opened_deployment(app) as deployment:
        engine = deployment.engine
        await engine.open(observed=False)  # the keys and the feed say which notices are old
        return await (_count if dry_run else _delete)(engine.housekeeping)


async def _delete(housekeeping: Housekeeping) -> Counter[Clearable]:
    deleted: Counter[Clearable] = Counter()
    with progress("sessions") as bar:
        async for what, number in housekeeping.clear():
            deleted[what] += number
            bar.count(number, unit=f"{_WORDS[what]}s")
    return deleted


async def _count(housekeeping: Housekeeping) -> Counter[Clearable]:
    found = await housekeeping.overdue()
    if found is None:
        raise ConfigurationError("--dry-run: this store does not say how much it keeps")
    return Counter({what: getattr(found, what) for what in get_args(Clearable)})


def _up_to(count: int, words: str) -> str:
    return f"{numbered(count, words)} or more" if count >= MOST_COUNTED else numbered(count, words)
