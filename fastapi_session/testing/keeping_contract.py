"""What a store promises about one session: inserted, read, changed and deleted under a condition."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace

from fastapi_session.errors import StoreUnavailable
from fastapi_session.model import Json, Lineage, Reading
from fastapi_session.stores.base import Store
from fastapi_session.testing.hand_clock import HandClock
from fastapi_session.testing.records import IDLE_TIMEOUT, digest, duration, new_session

MOVED: tuple[Json, ...] = (
    {"generation": 1},
    {"current": digest("another")},
    {"acknowledged": False},
    {"window_at": 1},
)
"""What makes a lineage another one: each of these alone."""

NOT_COMPARED: Json = {"previous": digest("x"), "current_kid": 9, "idle_expires_at": 1, "absolute_expires_at": 1}
"""What does not."""


async def unavailable(operation: Awaitable[None]) -> bool:
    """Say whether *operation* ends in StoreUnavailable."""
    try:
        await operation
    except StoreUnavailable:
        return True
    return False


class KeepingContract:
    """The contract of `open`, `close`, `insert`, `get`, `replace`, `delete`, `acknowledge` and `update`."""

    async def test_opening_twice_does_nothing(self, store: Store, clock: HandClock) -> None:
        """A store that is open stays as it is when it is opened again."""
        record = new_session("a", now=clock())
        await store.insert(record)
        await store.open()

        assert record == (await store.get(record.session_id)).record

    async def test_closing_twice_does_nothing(self, store: Store) -> None:
        """A store that is closed may be closed again."""
        await store.close()
        await store.close()

    async def test_what_was_answered_outlives_closing(self, store: Store, clock: HandClock) -> None:
        """A store that was closed may be opened again, and has kept what it answered."""
        record = new_session("a", now=clock())
        await store.insert(record)
        await store.close()
        await store.open()

        assert record == (await store.get(record.session_id)).record

    async def test_a_record_comes_back_whole(self, store: Store, clock: HandClock) -> None:
        """Every field comes back as it went in, bytes, JSON and moments alike, read with the store's clock."""
        lineage = {"generation": 2**32 - 1, "previous": digest("p"), "acknowledged": False, "absolute_expires_at": 5}
        record = new_session("a", now=clock(), lineage=lineage, use_static_key=True, version=7, tenant_id="t1")
        await store.insert(record)

        assert Reading(record, clock()) == await store.get(record.session_id)

    async def test_a_record_is_kept_as_it_was(self, store: Store, clock: HandClock) -> None:
        """A payload that is changed after it was handed over is not changed in the store."""
        payload = {"role": "user"}
        record = new_session("a", now=clock(), access_token_payload=payload)
        await store.insert(record)
        payload["role"] = "admin"

        kept = (await store.get(record.session_id)).record
        assert kept is not None
        assert {"role": "user"} == kept.access_token_payload

    async def test_an_unknown_session_is_none(self, store: Store, clock: HandClock) -> None:
        """A session that is not there is read as `None`, with the store's clock all the same."""
        assert Reading(None, clock()) == await store.get("0" * 32)

    async def test_an_expired_session_is_read(self, store: Store, clock: HandClock) -> None:
        """Reading decides nothing: a session past its deadline is answered like any other."""
        record = new_session("a", now=clock())
        await store.insert(record)
        clock.advance(duration(2 * IDLE_TIMEOUT))

        assert Reading(record, clock()) == await store.get(record.session_id)

    async def test_an_id_is_never_overwritten(self, store: Store, clock: HandClock) -> None:
        """Inserting an id that exists fails, and leaves both the session and the one to be replaced alone."""
        first, second = new_session("a", now=clock()), new_session("b", now=clock())
        await store.insert(first)
        await store.insert(second)

        for replacing in (None, second.session_id, first.session_id):
            assert await unavailable(store.insert(replace(first, user_id="thief"), replacing=replacing))

        assert first == (await store.get(first.session_id)).record
        assert second == (await store.get(second.session_id)).record

    async def test_inserting_replaces_a_session(self, store: Store, clock: HandClock) -> None:
        """A session that takes the place of another is there, and the other is gone."""
        old, new = new_session("a", now=clock()), new_session("b", now=clock())
        await store.insert(old)
        await store.insert(new, replacing=old.session_id)

        assert (await store.get(old.session_id)).record is None
        assert new == (await store.get(new.session_id)).record

    async def test_replacing_a_session_that_is_gone_inserts(self, store: Store, clock: HandClock) -> None:
        """The session to be replaced need not be there any more."""
        record = new_session("a", now=clock())
        await store.insert(record, replacing="0" * 32)

        assert record == (await store.get(record.session_id)).record

    async def test_replace_writes_the_whole_lineage(self, store: Store, clock: HandClock) -> None:
        """Where the lineage is the expected one, the new one is written, and nothing else changes."""
        record = new_session("a", now=clock())
        lineage = Lineage(
            generation=5,
            current=digest("c"),
            previous=digest("p"),
            current_kid=3,
            window_at=4,
            acknowledged=False,
            idle_expires_at=6,
            absolute_expires_at=7,
        )
        await store.insert(record)

        assert await store.replace(record.session_id, expected=record.lineage, lineage=lineage)
        assert replace(record, lineage=lineage) == (await store.get(record.session_id)).record

    async def test_replace_refuses_what_has_moved(self, store: Store, clock: HandClock) -> None:
        """A lineage that differs in any one of the four that are compared is left as it is."""
        record = new_session("a", now=clock())
        await store.insert(record)
        for moved in MOVED:
            expected = replace(record.lineage, **moved)
            assert not await store.replace(record.session_id, expected=expected, lineage=expected)

        assert record == (await store.get(record.session_id)).record

    async def test_replace_compares_nothing_else(self, store: Store, clock: HandClock) -> None:
        """Deadlines, kid and the previous hash do not decide whether a lineage is the expected one."""
        record = new_session("a", now=clock())
        await store.insert(record)

        expected = replace(record.lineage, **NOT_COMPARED)
        assert await store.replace(record.session_id, expected=expected, lineage=record.lineage)

    async def test_replace_never_brings_a_session_back(self, store: Store, clock: HandClock) -> None:
        """A session that is gone stays gone when its lineage is replaced."""
        record = new_session("a", now=clock())

        assert not await store.replace(record.session_id, expected=record.lineage, lineage=record.lineage)
        assert (await store.get(record.session_id)).record is None

    async def test_delete_says_whether_it_was_there(self, store: Store, clock: HandClock) -> None:
        """Deleting answers true once, and leaves other sessions alone."""
        record, other = new_session("a", now=clock()), new_session("b", now=clock())
        await store.insert(record)
        await store.insert(other)

        assert [True, False] == [await store.delete(record.session_id) for _ in range(2)]
        assert (await store.get(record.session_id)).record is None
        assert other == (await store.get(other.session_id)).record

    async def test_delete_refuses_what_has_moved(self, store: Store, clock: HandClock) -> None:
        """A session whose lineage differs in any one of the four that are compared is not deleted."""
        record = new_session("a", now=clock())
        await store.insert(record)
        for moved in MOVED:
            assert not await store.delete(record.session_id, expected=replace(record.lineage, **moved))

        assert record == (await store.get(record.session_id)).record

    async def test_delete_as_expected(self, store: Store, clock: HandClock) -> None:
        """A session is deleted where it stands as expected, and a second time it was not there."""
        record = new_session("a", now=clock())
        await store.insert(record)
        expected = replace(record.lineage, **NOT_COMPARED)

        assert [True, False] == [await store.delete(record.session_id, expected=expected) for _ in range(2)]
        assert (await store.get(record.session_id)).record is None

    async def test_acknowledge_marks_the_current_token(self, store: Store, clock: HandClock) -> None:
        """The session is acknowledged by its current hash, however often, and nothing else changes."""
        record = new_session("a", now=clock(), lineage={"acknowledged": False})
        await store.insert(record)
        for _ in range(2):
            await store.acknowledge(record.session_id, current=record.lineage.current)

        acknowledged = replace(record, lineage=replace(record.lineage, acknowledged=True))
        assert acknowledged == (await store.get(record.session_id)).record

    async def test_acknowledge_ignores_any_other_token(self, store: Store, clock: HandClock) -> None:
        """A hash that is not the current one acknowledges nothing, and no session is brought back."""
        record = new_session("a", now=clock(), lineage={"acknowledged": False, "previous": digest("p")})
        await store.insert(record)
        await store.acknowledge(record.session_id, current=digest("p"))
        await store.acknowledge("0" * 32, current=record.lineage.current)

        assert record == (await store.get(record.session_id)).record
        assert (await store.get("0" * 32)).record is None

    async def test_update_writes_payload_and_data(self, store: Store, clock: HandClock) -> None:
        """At the version expected, payload and data are written, the version counts on, and the lineage stays."""
        record = new_session("a", now=clock(), version=3)
        await store.insert(record)
        new: Json = {"access_token_payload": {"a": 1}, "session_data": {"b": [2]}}

        assert await store.update(record.session_id, version=3, **new)
        assert replace(record, version=4, **new) == (await store.get(record.session_id)).record

    async def test_update_refuses_another_version(self, store: Store, clock: HandClock) -> None:
        """An older or a newer version is not the one expected, and nothing is written."""
        record = new_session("a", now=clock(), version=3)
        await store.insert(record)
        for version in (2, 4):
            assert not await store.update(record.session_id, version=version, access_token_payload={}, session_data={})

        assert record == (await store.get(record.session_id)).record

    async def test_update_never_brings_a_session_back(self, store: Store, clock: HandClock) -> None:
        """A session that was deleted stays deleted when its payload is written."""
        record = new_session("a", now=clock())
        await store.insert(record)
        await store.delete(record.session_id)

        assert not await store.update(record.session_id, version=0, access_token_payload={}, session_data={})
        assert (await store.get(record.session_id)).record is None

    async def test_concurrent_updates_lose_nothing(self, store: Store, clock: HandClock) -> None:
        """Of many updates at one version exactly one is written, and its payload is the one that is kept."""
        record = new_session("a", now=clock())
        await store.insert(record)
        written = await asyncio.gather(
            *(
                store.update(record.session_id, version=0, access_token_payload={"n": n}, session_data={})
                for n in range(32)
            )
        )

        assert 1 == sum(written)
        kept = (await store.get(record.session_id)).record
        assert kept is not None
        assert {"n": written.index(True)} == kept.access_token_payload
