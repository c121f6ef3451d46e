"""New devices: of whom the user, or whoever watches for him, is told at a sign-in."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from fastapi_session import (
    Circumstances,
    ConfigurationError,
    MemoryStore,
    PayloadError,
    SessionCreated,
    SessionEvent,
    Sessions,
    StoreUnavailable,
)
from fastapi_session.stores.sql import SqlStore
from fastapi_session.testing import HandClock
from tests.engines import config

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:{version}) Gecko/20100101 Firefox/{version}"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 Version/26.0 Mobile/15E148 Safari/604.1"


class Watch:
    """A subscriber that hears whether devices are new."""

    def __init__(self) -> None:
        self.new: list[bool | None] = []

    async def __call__(self, event: SessionEvent) -> None:
        if isinstance(event, SessionCreated):
            self.new.append(event.is_new_device)


def watched(watch: Watch, *, clock: HandClock | None = None, **options: Any) -> Sessions:
    return Sessions(config(**options), clock=clock or HandClock(), subscribers=[watch])


async def sign_in(sessions: Sessions, user: str = "ada", *, agent: str | None = None, **said: Any) -> None:
    """Begin a session, and wait until it was told."""
    await sessions.create(user, circumstances=Circumstances(None, agent), **said)
    await sessions._parts.background.finish()


async def test_by_an_id_of_its_own() -> None:
    """The first device is no news, a further one is once; other users and other tenants have devices of their own."""
    watch = Watch()
    sessions = watched(watch, devices="cookie")
    for device in ("phone", "phone", "tablet", None, "tablet"):
        await sign_in(sessions, device=device)
    await sign_in(sessions, "grace", device="phone")
    await sign_in(sessions, tenant_id="acme", device="phone")

    assert [None, False, True, None, False, None, None] == watch.new


async def test_by_a_guess() -> None:
    """Browser and system make a device, whatever their versions; who says nothing is not tracked."""
    watch = Watch()
    sessions = watched(watch, devices="guess")
    agents = [
        FIREFOX.format(version="145.0"),
        FIREFOX.format(version="146.0"),
        IPHONE,
        "curl/8.5.0",
        None,
        "Mozilla/5.0",
        IPHONE,
    ]
    for agent in agents:
        await sign_in(sessions, agent=agent)

    assert [None, False, True, True, None, None, False] == watch.new


async def test_off() -> None:
    """By default nothing is tracked, and who names a device is told what to set."""
    watch = Watch()
    sessions = watched(watch)
    await sign_in(sessions, agent=IPHONE)
    with pytest.raises(ConfigurationError, match="set devices to"):
        await sign_in(sessions, device="phone")

    assert ([None], {}) == (watch.new, sessions.store._devices)  # type: ignore[attr-defined]


@pytest.mark.parametrize("device", ["", "x" * 256, "\x00", "\ud800", 7])
async def test_no_device(device: Any) -> None:
    """What no device can be called is refused, and nothing is written."""
    sessions = watched(Watch(), devices="cookie")
    with pytest.raises(PayloadError, match="device: give"):
        await sign_in(sessions, device=device)

    assert [] == await sessions.of_user("ada")


async def test_the_store_knows_no_names() -> None:
    """What is kept is a digest: neither what the device is called, nor who has the same, can be read there."""
    sessions = watched(Watch(), devices="cookie")
    for user in ("ada", "grace"):
        await sign_in(sessions, user, device="phone")
    kept = [digest for devices in sessions.store._devices.values() for digest in devices]  # type: ignore[attr-defined]

    assert [32, 32] == [len(digest) for digest in kept]
    assert 2 == len({*kept})


async def test_a_store_that_is_down_refuses_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """If it cannot be found out whether a device is new, the user is signed in all the same."""

    class Down(MemoryStore):
        async def see_device(self, *_: object) -> bool | None:
            raise StoreUnavailable("down")

    watch, clock = Watch(), HandClock()
    sessions = watched(watch, clock=clock, store=Down(clock=clock), devices="cookie")
    await sign_in(sessions, device="phone")

    assert ([None], 1) == (watch.new, len(await sessions.of_user("ada")))
    assert 1 == len([message for message in caplog.messages if "a new device" in message])


async def test_within_a_transaction(tmp_path: Any) -> None:
    """A device that was seen in a transaction is known if that commits, and new again if it is rolled back."""
    database = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/sessions.db")
    store = SqlStore(database)
    await store.create_all()
    watch = Watch()
    sessions = watched(watch, store=store, devices="cookie")
    await sign_in(sessions, device="phone")
    for commits in (False, True, True):
        async with database.connect() as connection:
            await sign_in(sessions.within(connection), device="tablet")
            await (connection.commit() if commits else connection.rollback())
    await sessions._parts.background.finish()
    await sessions.close()
    await database.dispose()

    assert [None, True, False] == watch.new
