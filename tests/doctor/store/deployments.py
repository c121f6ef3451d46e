"""Deployments to be looked at: what is found in them, and how one becomes that of a running application."""

from __future__ import annotations

from pathlib import Path
from secrets import token_bytes
from typing import Any

from fastapi_session import SessionConfig, Sessions
from fastapi_session.clock import Clock, system_clock
from fastapi_session.doctor.finding import Level
from fastapi_session.doctor.store.findings import store_findings
from fastapi_session.doctor.store.opened import Opened
from fastapi_session.doctor.store.sqlite import Disks
from fastapi_session.engine.assembly import Engine
from fastapi_session.foreign_sessions import ForeignSessions

DISK = "/dev/vda / ext4 rw 0 0\n"
"""What Linux lists of a machine with one disk."""
ROOM = 10**12
"""Bytes that are free there."""


async def started(config: SessionConfig, *, clock: Clock = system_clock) -> None:
    """Let an application start on the store of *config*, sign a user in, and end."""
    sessions = Sessions(config, clock=clock)
    await sessions.open()
    try:
        await sessions.create("alice")
    finally:
        await sessions.close()


async def everything(
    config: SessionConfig,
    *,
    least: Level = Level.INFO,
    clock: Clock = system_clock,
    mounts: str = DISK,
    free: int = ROOM,
    moving_from: ForeignSessions | None = None,
) -> list[tuple[str, str]]:
    """Return the ids of what is found in the store of *config*, at least as bad as *least*, and what was seen."""
    engine = Engine(config, clock=clock, random=token_bytes, subscribers=())

    def is_free(_: Path) -> int:
        return free

    try:
        opened = Opened(config, engine, clock, moving_from)
        findings = [each async for each in store_findings(opened, disks=Disks(mounts, is_free))]
    finally:
        await engine.close()
    return [(each.check.id, each.seen) for each in findings if each.check.level.reaches(least)]


async def found(config: SessionConfig, **options: Any) -> list[tuple[str, str]]:
    """Return what `everything` does, but that the file is below a folder for temporary files: all files of tests are."""
    return [(id_, seen) for id_, seen in await everything(config, **options) if id_ != "FS167"]


def ids(findings: list[tuple[str, str]]) -> list[str]:
    """Return the ids of *findings*."""
    return [id_ for id_, _ in findings]
