"""`fastapi-session copy FROM TO`: all that a store has goes over to another one, while the application runs."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Annotated

import typer

from fastapi_session.cli.deployment import App, configuration_of
from fastapi_session.cli.named_stores import naming_key_file, places, secrets_for
from fastapi_session.cli.printing import AsJson, print_json
from fastapi_session.cli.stopping import stopping
from fastapi_session.config import SessionConfig
from fastapi_session.errors import StoreUnavailable
from fastapi_session.moving.copying.copied_sessions import NotCopied
from fastapi_session.moving.copying.following import follow
from fastapi_session.moving.copying.places import Places
from fastapi_session.moving.copying.store_copy import Pass, StoreCopy
from fastapi_session.stores.base import TakenIn

From = Annotated[
    str,
    typer.Argument(
        metavar="FROM",
        help="The store that the application runs on: its URL, env:VARIABLE that has it, or MODULE:NAME.",
    ),
]
To = Annotated[str, typer.Argument(metavar="TO", help="The store that the application is to run on, named likewise.")]
Follow = Annotated[bool, typer.Option("--follow", help="Go on, pass after pass. Ctrl-C makes the last one.")]
Interval = Annotated[float, typer.Option(min=0.1, help="Seconds between two passes that follow each other.")]

_BECAME: tuple[TakenIn, ...] = ("kept", "renewed", "there", "ended")
"""What may become of a session in TO: one that has expired is not copied."""


def copy(
    old: From, new: To, *, app: App = None, follow: Follow = False, interval: Interval = 5, json: AsJson = False
) -> None:
    """Copy all sessions, signing keys and revocations from one store to another, while the application runs.

    Nobody is signed out by the change, and who has signed out stays out. It may be repeated: what is newer in TO is left alone.
    With --json each pass that did something is an object in a line of its own, and so is the last one.
    """
    config = configuration_of(app)
    between = timedelta(seconds=interval) if follow else None
    raise typer.Exit(asyncio.run(_copy(places(old, new), config, between, json=json)))


async def _copy(found: Places, config: SessionConfig, between: timedelta | None, *, json: bool) -> int:
    """Copy once, or again and again with a pause *between* two passes, and return the exit code."""
    telling = _Telling(config, between, json=json)
    secrets = secrets_for(found, config)
    copying = StoreCopy(found, tell=telling.not_copied)
    async with AsyncExitStack() as opened:
        for store in (found.old, found.new):
            opened.push_async_callback(store.close)
            await store.open()
        with naming_key_file(found):
            await copying.ensure_opened_by(secrets)
        await copying.begin()
        if between is None:
            last = await copying.run("only")
        else:
            with stopping() as stop:
                last = await follow(copying, interval=between, stop=stop, tell=telling.passed)
    telling.passed(last, is_last=True)
    telling.ended(last)
    return 1 if last.not_copied else 0


class _Telling:
    """Tells what happens: a line for each pass that did something, and what that means."""

    def __init__(self, config: SessionConfig, between: timedelta | None, *, json: bool) -> None:
        self._json = json
        self._grace = config.refresh_token_rotation_grace_period
        self._between = between
        self._number = 0
        self._began = time.monotonic()
        self._is_slow = False

    def not_copied(self, session: NotCopied) -> None:
        """Tell of a session that TO did not keep."""
        typer.echo(f"not copied: session {session.handle}: {session.reason}", err=True)

    def passed(self, done: Pass | StoreUnavailable, *, is_last: bool = False) -> None:
        """Tell what a pass did, unless nothing was new. A program is told of the last one in any case: it waits for that."""
        elapsed = time.monotonic() - self._began - (self._pause if self._number else 0)
        self._number += 1
        self._began = time.monotonic()
        if isinstance(done, StoreUnavailable):
            typer.echo(f"pass {self._number}: {done}; the next one goes on", err=True)
            self._warn(elapsed)
            return
        if self._json and (done.changed or self._number == 1 or is_last):
            print_json(**{"pass": self._number, "last": is_last}, **_in_numbers(done))
        elif done.changed or self._number == 1:
            typer.echo(f"pass {self._number}: {_in_words(done)} ({done.seconds:.1f} s)")
        self._warn(done.seconds)

    def ended(self, last: Pass) -> None:
        """Tell what is to be done now."""
        if last.not_copied:
            typer.echo(
                f"{last.not_copied} sessions were not copied: their users are signed out by the switch", err=True
            )
        if self._between is None and not self._json:
            typer.echo("What changes in FROM from now on goes over with the next pass: repeat this, or --follow.")

    @property
    def _pause(self) -> float:
        return self._between.total_seconds() if self._between else 0

    def _warn(self, took: float) -> None:
        lag = timedelta(seconds=took + self._pause)
        if self._between is not None and lag > self._grace and not self._is_slow:
            self._is_slow = True
            typer.echo(
                f"a pass and the pause after it take {lag.total_seconds():.0f} s: a client that refreshes twice in that time, "
                "and comes to TO before the next pass, is signed out; switch when few refresh, or stop the application for it",
                err=True,
            )


def _in_numbers(done: Pass) -> dict[str, object]:
    return {
        "read": done.read,
        "sessions": {became: done.sessions[became] for became in _BECAME},
        "not_copied": done.not_copied,
        "keys": done.keys,
        "notices": done.notices,
        "devices": done.devices,
        "digests": done.digests,
        "seconds": round(done.seconds, 3),
    }


def _in_words(done: Pass) -> str:
    became = done.sessions
    return (
        f"{done.read:,} sessions: {became['kept']:,} new, {became['renewed']:,} renewed, {became['there']:,} there, "
        f"{became['ended']:,} ended in TO, {became[None]:,} not copied; also new: {done.keys} keys, "
        f"{done.notices:,} revocations and changes, {done.devices:,} devices, {done.digests:,} digests"
    )
