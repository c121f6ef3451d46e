"""`fastapi-session events`: what the audit has kept, oldest first, and with `--follow` what comes.

| `--since` | from when on |
|---|---|
| `30m`, `36h`, `7d` | so long ago |
| `2026-05-04`, `2026-05-04T12:00:00Z` | that moment (RFC 3339), in UTC unless it says otherwise |
| none | the last ones: as many as `--limit` says |
"""

from __future__ import annotations

import asyncio
import json as json_text
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from fastapi_session.cli.deployment import App
from fastapi_session.cli.event_tail import EventTail, Wanted
from fastapi_session.cli.opened import opened_sessions
from fastapi_session.cli.printing import AsJson, print_json
from fastapi_session.cli.stopping import stopping
from fastapi_session.clock import system_clock
from fastapi_session.device import describe_user_agent
from fastapi_session.errors import StoreUnavailable
from fastapi_session.events import AuditEvent
from fastapi_session.model import Json, moment
from fastapi_session.plain_text import printable, when

User = Annotated[str | None, typer.Option("--user", metavar="ID", help="Of this user alone, in every tenant.")]
Session = Annotated[
    str | None,
    typer.Option("--session", metavar="HANDLE", help="Of this session alone; with --user that is found faster."),
]
Since = Annotated[
    str | None, typer.Option("--since", metavar="WHEN", help="As in 30m, 36h, 7d or 2026-05-04T12:00:00Z.")
]
Limit = Annotated[int, typer.Option("--limit", min=0, help="How many, without --since.")]
Follow = Annotated[bool, typer.Option("--follow", help="Go on with what comes, until Ctrl-C.")]

_WORD = re.compile(r"[\w.:@-]+", re.ASCII)
_AGO = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_INTERVAL = 1.0
"""Seconds between two readings."""


def print_events(
    *,
    user: User = None,
    session: Session = None,
    since: Since = None,
    limit: Limit = 100,
    follow: Follow = False,
    json: AsJson = False,
    app: App = None,
) -> None:
    """Print the events of the audit. With --json each is an object in a line of its own."""
    wanted = Wanted(user, session, None if since is None else parsed(since, now=moment(system_clock())), limit)
    asyncio.run(_print(wanted, app, follow=follow, json=json))


async def _print(wanted: Wanted, app: str | None, *, follow: bool, json: bool) -> None:
    async with opened_sessions(app) as sessions:
        tail = EventTail(sessions, wanted)
        found = await tail.first()
        _tell(found, json=json)
        if not found and not sessions.config.audit:
            typer.echo("audit is off in this configuration, so no event is kept", err=True)
        if follow:
            await _follow(tail, json=json)


async def _follow(tail: EventTail, *, json: bool) -> None:
    """Print what comes until somebody says stop. A store that is down is waited for."""
    is_down = False
    with stopping() as stop:
        while not stop.is_set():
            try:
                _tell(await tail.following(), json=json)
                is_down = False
            except StoreUnavailable as error:
                if not is_down:
                    typer.echo(f"{error}; trying again", err=True)
                is_down = True
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _INTERVAL)


def _tell(events: list[AuditEvent], *, json: bool) -> None:
    for event in events:
        if json:
            print_json(**event.to_json())
        else:
            typer.echo(_line(event))


def _line(event: AuditEvent) -> str:
    """Return *event* in a line: when, what, whose, which session, and what else is known."""
    more = [f"{name}={_said(value)}" for name, value in _known(event.details)]
    return " ".join([when(event.at), event.name, printable(event.user_id), event.handle, *more])


def _known(details: Json, *, within: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what is known of *details*, and true, with the names of what it is in before its own. Of a browser its name is enough."""
    for name, value in details.items():
        full = f"{within}{name}"
        if isinstance(value, Mapping):
            yield from _known(value, within="" if name == "circumstances" else f"{full}.")
        elif name == "user_agent" and (device := describe_user_agent(value)).browser is not None:
            yield f"{within}device", device.text
        elif value not in (None, False, []):
            yield full, value


def _said(value: object) -> str:
    """Return *value* as it is if it is a plain word, else as JSON in ASCII, which cannot write over the terminal."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else json_text.dumps(value)


def parsed(since: str, *, now: datetime) -> datetime:
    """Return the moment that *since* says. What says none is a wrong command line."""
    try:
        if (ago := _AGO.fullmatch(since)) is not None:
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        found = datetime.fromisoformat(since)
    except (ValueError, OverflowError):  # the latter if it was before the year 1
        raise typer.BadParameter("give it as 30m, 36h, 7d or 2026-05-04T12:00:00Z", param_hint="--since") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
