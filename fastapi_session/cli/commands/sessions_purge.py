"""`fastapi-session sessions purge`: what nobody needs any more is deleted at once, as the application does now and then.

Nothing that is alive ends by it, so it does not ask.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import get_args

import typer

from fastapi_session.cli.deployment import App
from fastapi_session.cli.opened import opened_deployment
from fastapi_session.cli.printing import AsJson, numbered, print_json
from fastapi_session.cli.progress import progress
from fastapi_session.engine.housekeeping import Clearable

_WORDS: dict[Clearable, str] = {
    "sessions": "expired session",
    "notices": "old notice",
    "digests": "old digest",
    "devices": "old device",
    "events": "old event",
}


def purge(*, json: AsJson = False, app: App = None) -> None:
    """Delete expired sessions, old notices of the revocation feed, and all else that is old."""
    deleted = asyncio.run(_purge(app))
    if json:
        print_json(deleted={what: deleted[what] for what in get_args(Clearable)})
        return
    for what, words in _WORDS.items():
        typer.echo(numbered(deleted[what], words))


async def _purge(app: str | None) -> Counter[Clearable]:
    deleted: Counter[Clearable] = Counter()
    async with opened_deployment(app) as deployment:
        engine = deployment.engine
        await engine.open(observed=False)  # the keys and the feed say which notices are old
        with progress("sessions") as bar:
            async for what, number in engine.housekeeping.clear():
                deleted[what] += number
                bar.count(number, unit=f"{_WORDS[what]}s")
    return deleted
