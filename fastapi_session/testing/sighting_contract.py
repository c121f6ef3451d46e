"""What a store promises about what was seen: when sessions were last used, and by which devices users sign in."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from fastapi_session.model import DEVICE_KEPT
from fastapi_session.stores.base import Store
from fastapi_session.testing.hand_clock import HandClock
from fastapi_session.testing.records import IDLE_TIMEOUT, digest, duration, full_session, new_session, next_rotation


class SightingContract:
    """The contract of `touch`, `see_device` and `delete_devices`."""

    async def test_touch_notes_when_a_session_was_used(self, store: Store, clock: HandClock) -> None:
        """Each of the sessions that are there has the moment, and nothing else of it changes, nor of any other."""
        records = [full_session(f"{n}", now=clock()) for n in range(3)]
        for record in records:
            await store.insert(record)
        clock.advance(duration(90_000))
        touched = await store.touch([*(record.session_id for record in records[:2]), "0" * 32])
        kept = [(await store.get(record.session_id)).record for record in records]

        assert 2 == touched
        assert [*(replace(each, last_seen_at=clock()) for each in records[:2]), records[2]] == kept
        assert 0 == await store.touch([])

    async def test_touch_moves_the_idle_deadline_if_it_is_told_to(self, store: Store, clock: HandClock) -> None:
        """The deadline moves by the session's own idle timeout or the one given, and never past the absolute one."""
        begun = clock()
        lineages = {
            "configured": {},
            "own": {"idle_timeout": IDLE_TIMEOUT // 2},
            "absolute": {"absolute_expires_at": begun + IDLE_TIMEOUT + 1},
        }
        records = {name: new_session(name, now=begun, lineage=lineage) for name, lineage in lineages.items()}
        for record in records.values():
            await store.insert(record)
        clock.advance(duration(IDLE_TIMEOUT // 4))
        await store.touch([record.session_id for record in records.values()], idle_timeout=IDLE_TIMEOUT)
        readings = {name: (await store.get(record.session_id)).record for name, record in records.items()}

        assert {
            "configured": clock() + IDLE_TIMEOUT,
            "own": clock() + IDLE_TIMEOUT // 2,
            "absolute": begun + IDLE_TIMEOUT + 1,
        } == {name: record and record.lineage.idle_expires_at for name, record in readings.items()}
        clock.advance(duration(IDLE_TIMEOUT - 1))
        assert [records["configured"].session_id] == [each.session_id for each in await store.sessions_of("user")]

    async def test_touch_brings_nothing_back(self, store: Store, clock: HandClock) -> None:
        """A session that was revoked stays revoked, and one whose deadline has passed stays expired."""
        revoked, expired = new_session("revoked", now=clock()), new_session("expired", now=clock())
        for record in (revoked, expired):
            await store.insert(record)
        await store.delete(revoked.session_id)
        clock.advance(duration(IDLE_TIMEOUT))

        assert 0 == await store.touch([revoked.session_id, expired.session_id], idle_timeout=IDLE_TIMEOUT)
        assert (await store.get(revoked.session_id)).record is None
        assert expired == (await store.get(expired.session_id)).record
        assert 1 == await store.delete_expired(limit=10)

    async def test_touch_hinders_no_rotation(self, store: Store, clock: HandClock) -> None:
        """A session that was touched is rotated and replaced as before: neither compares when it was used."""
        record = new_session("a", now=clock())
        await store.insert(record)
        clock.advance(duration(60_000))
        await store.touch([record.session_id], idle_timeout=IDLE_TIMEOUT)

        assert await store.replace(record.session_id, expected=record.lineage, lineage=record.lineage)
        assert await store.rotate(next_rotation(record)) is not None

    async def test_touch_of_many(self, store: Store, clock: HandClock) -> None:
        """However many sessions are named, all are touched that are there."""
        records = [new_session(f"{n}", now=clock()) for n in range(12)]
        for record in records:
            await store.insert(record)
        unknown = [digest(f"unknown {n}").hex()[:32] for n in range(3_000)]

        assert 12 == await store.touch([*unknown, *(record.session_id for record in records)])

    async def test_a_device_is_new_once(self, store: Store) -> None:
        """The first device of all is no news, each further one is once, and none of them is when it comes again."""
        first, second = digest("first"), digest("second")
        seen = [await store.see_device("user", "public", each) for each in (first, first, second, first, second)]

        assert [None, False, True, False, False] == seen

    async def test_devices_are_the_users_own(self, store: Store) -> None:
        """Nobody else's devices count: the names of user and tenant are compared whole and as they are written."""
        device = digest("device")
        users = [
            ("user", "public"),
            ("User", "public"),
            ("user ", "public"),
            ("user", "t1"),
            ("user", "T1"),
            ("ü" * 255, "t1"),
        ]

        assert [None] * 6 == [await store.see_device(*user, device) for user in users]
        assert [False] * 6 == [await store.see_device(*user, device) for user in users]

    async def test_sign_ins_at_once_by_one_device(self, store: Store) -> None:
        """Of any number of sign-ins at once by a new device, one is told that it is new."""
        await store.see_device("user", "public", digest("known"))
        seen = await asyncio.gather(*(store.see_device("user", "public", digest("new")) for _ in range(8)))

        assert [False] * 7 + [True] == sorted(each for each in seen if each is not None)

    async def test_devices_are_forgotten(self, store: Store, clock: HandClock) -> None:
        """A device that was not seen for as long as they are kept is forgotten; one that was seen since is not."""
        for name in ("old", "used"):
            await store.see_device("user", "public", digest(name))
        clock.advance(duration(DEVICE_KEPT // 2))
        await store.see_device("user", "public", digest("used"))
        clock.advance(duration(DEVICE_KEPT // 2))
        while await store.delete_devices(limit=1):
            pass

        assert [False, True] == [await store.see_device("user", "public", digest(name)) for name in ("used", "old")]
