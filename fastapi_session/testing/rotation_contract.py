"""What a store promises about `rotate`: the successor is written once, and only if everything matches."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from fastapi_session.model import Json, Rotation, SessionRecord
from fastapi_session.stores.base import Store
from fastapi_session.stores.rows import CIRCUMSTANCES_COLUMNS
from fastapi_session.testing.hand_clock import HandClock
from fastapi_session.testing.records import (
    DEBOUNCE,
    IDLE_TIMEOUT,
    SECOND,
    changed,
    digest,
    duration,
    full_session,
    new_session,
    next_rotation,
)


async def refuses(store: Store, record: SessionRecord, rotation: Rotation) -> bool:
    """Say whether *store*, which keeps *record*, returns `None` for *rotation* and keeps it as it was."""
    return await store.rotate(rotation) is None and (await store.get(record.session_id)).record == record


class RotationContract:
    """The contract of `rotate`."""

    async def test_rotate_writes_and_returns_the_successor(self, store: Store, clock: HandClock) -> None:
        """Every field of the lineage moves on as the contract says, nothing else changes, and what is returned is what is kept."""
        record = full_session("a", now=clock(), lineage={"acknowledged": True, "idle_timeout": None})
        rotation = next_rotation(record, circumstances=changed(record.circumstances, CIRCUMSTANCES_COLUMNS))
        await store.insert(record)
        # Later than the debounce ends, so that a store which adds that up instead of reading its clock is found.
        clock.advance(duration(DEBOUNCE + 5))
        rotated = await store.rotate(rotation)

        lineage = replace(
            record.lineage,
            generation=record.lineage.generation + 1,
            current=rotation.successor,
            previous=record.lineage.current,
            current_kid=rotation.successor_kid,
            window_at=clock(),
            acknowledged=False,
            idle_expires_at=clock() + IDLE_TIMEOUT,
            exchanged=rotation.issue_id,
            crossed=record.lineage.crossed_before(),
        )
        assert replace(record, lineage=lineage, circumstances=rotation.circumstances) == rotated
        assert rotated == (await store.get(record.session_id)).record

    async def test_rotate_goes_on_from_generation_to_generation(self, store: Store, clock: HandClock) -> None:
        """Each successor can be handed on in its turn, and its predecessor is the previous one."""
        record: SessionRecord | None = new_session("a", now=clock())
        assert record is not None
        await store.insert(record)
        for generation in range(1, 5):
            clock.advance(duration(DEBOUNCE))
            record = await store.rotate(next_rotation(record))
            assert record is not None
            assert (generation, digest(f"S{generation}")) == (record.lineage.generation, record.lineage.current)
            assert digest(f"S{generation - 1}") == record.lineage.previous

    async def test_rotate_goes_by_the_sessions_own_idle_timeout(self, store: Store, clock: HandClock) -> None:
        """A session that has an idle timeout moves on by that one, be it shorter or longer than the configured one, and keeps it."""
        for own in (DEBOUNCE + 1, IDLE_TIMEOUT - 1, IDLE_TIMEOUT + 1):
            record = new_session(f"{own}", now=clock(), lineage={"idle_timeout": own})
            await store.insert(record)
            clock.advance(duration(DEBOUNCE))
            rotated = await store.rotate(next_rotation(record))

            assert rotated is not None
            assert (clock() + own, own) == (rotated.lineage.idle_expires_at, rotated.lineage.idle_timeout)

    async def test_rotate_ends_with_the_sessions_own_idle_timeout(self, store: Store, clock: HandClock) -> None:
        """The deadline that a rotation has set by the session's own idle timeout is one: at it the session does not move on."""
        own = 2 * DEBOUNCE
        for late, is_alive in ((-1, True), (0, False)):
            record = new_session(f"{late}", now=clock(), lineage={"idle_timeout": own})
            await store.insert(record)
            clock.advance(duration(DEBOUNCE))
            rotated = await store.rotate(next_rotation(record))
            assert rotated is not None
            clock.advance(duration(own + late))

            assert is_alive == (await store.rotate(next_rotation(rotated)) is not None)

    async def test_rotate_never_passes_the_absolute_deadline(self, store: Store, clock: HandClock) -> None:
        """The idle deadline moves on, but not past the absolute one, which stays, by whichever idle timeout."""
        for own in (None, IDLE_TIMEOUT, 2 * IDLE_TIMEOUT):
            deadline = clock() + DEBOUNCE + IDLE_TIMEOUT - 1
            lineage = {"absolute_expires_at": deadline, "idle_timeout": own}
            record = new_session(f"{own}", now=clock(), lineage=lineage)
            await store.insert(record)
            clock.advance(duration(DEBOUNCE))
            rotated = await store.rotate(next_rotation(record))

            assert rotated is not None
            assert (deadline, deadline) == (rotated.lineage.idle_expires_at, rotated.lineage.absolute_expires_at)

    async def test_rotate_refuses_another_token(self, store: Store, clock: HandClock) -> None:
        """Another session, generation or hash, the previous hash included, writes nothing."""
        record = new_session("a", now=clock(), lineage={"generation": 1, "previous": digest("P")})
        await store.insert(record)
        clock.advance(duration(DEBOUNCE))
        others: tuple[Json, ...] = (
            {"session_id": "0" * 32},
            {"generation": 0},
            {"generation": 2},
            {"presented": digest("another")},
            {"presented": digest("P")},
            # What was right before the last rotation.
            {"generation": 0, "presented": digest("P")},
        )
        for other in others:
            assert await refuses(store, record, next_rotation(record, **other))

    async def test_rotate_waits_for_the_debounce(self, store: Store, clock: HandClock) -> None:
        """A millisecond before the debounce has passed nothing is written; when it has passed, the session moves on."""
        record = new_session("a", now=clock())
        await store.insert(record)

        clock.advance(duration(DEBOUNCE - 1))
        assert await refuses(store, record, next_rotation(record))
        clock.advance(duration(1))
        assert await store.rotate(next_rotation(record)) is not None

    async def test_rotate_remembers_which_exchanges_were_crossed(self, store: Store, clock: HandClock) -> None:
        """Each rotation moves the three that are remembered on by one, and forgets the oldest."""
        for before, after in ((0b000, 0b000), (0b001, 0b010), (0b011, 0b110), (0b110, 0b100), (0b101, 0b010)):
            record = new_session(f"{before}", now=clock() - DEBOUNCE, lineage={"crossed": before})
            await store.insert(record)
            rotated = await store.rotate(next_rotation(record))

            assert rotated is not None
            assert after == rotated.lineage.crossed

    async def test_rotate_leaves_a_window_of_the_future_to_who_judges(self, store: Store, clock: HandClock) -> None:
        """A row whose window lies ahead, by little or by much, since the clock was set back, is not written."""
        # To write now would make the window end earlier than it was promised to.
        for ahead in (1, DEBOUNCE, 3_600 * SECOND):
            record = new_session(f"{ahead}", now=clock(), lineage={"window_at": clock() + ahead})
            await store.insert(record)

            assert await refuses(store, record, next_rotation(record))

    async def test_rotate_needs_no_debounce(self, store: Store, clock: HandClock) -> None:
        """If the debounce is zero, a session moves on in the very millisecond of the last time."""
        record = new_session("a", now=clock())
        await store.insert(record)

        assert await store.rotate(next_rotation(record, debounce=0)) is not None

    async def test_rotate_ends_with_the_idle_deadline(self, store: Store, clock: HandClock) -> None:
        """A millisecond before the idle deadline a session moves on, at the deadline it does not."""
        await self._ends_at(store, clock, {"idle_expires_at": clock() + IDLE_TIMEOUT})

    async def test_rotate_ends_with_the_absolute_deadline(self, store: Store, clock: HandClock) -> None:
        """A millisecond before the absolute deadline a session moves on, at the deadline it does not."""
        deadline = clock() + IDLE_TIMEOUT
        await self._ends_at(store, clock, {"absolute_expires_at": deadline, "idle_expires_at": deadline + 1})

    async def test_a_deleted_session_never_moves_on(self, store: Store, clock: HandClock) -> None:
        """After a deletion has returned, no rotation succeeds and nothing comes back."""
        record = new_session("a", now=clock())
        await store.insert(record)
        await store.delete(record.session_id)
        clock.advance(duration(DEBOUNCE))

        assert await store.rotate(next_rotation(record)) is None
        assert (await store.get(record.session_id)).record is None

    async def test_many_rotations_at_once_write_one_successor(self, store: Store, clock: HandClock) -> None:
        """Of 32 tasks that present one token exactly one gets a record: the one that is kept."""
        record = new_session("a", now=clock())
        await store.insert(record)
        clock.advance(duration(DEBOUNCE))
        results = await asyncio.gather(
            # Without a debounce nothing but the compare-and-set keeps them apart.
            *(store.rotate(next_rotation(record, successor=digest(f"task {n}"), debounce=0)) for n in range(32))
        )

        assert [(await store.get(record.session_id)).record] == [result for result in results if result is not None]

    async def test_many_sessions_at_once_get_their_own_records(self, store: Store, clock: HandClock) -> None:
        """However many rotate at once, each gets its own session back."""
        records = [new_session(f"{n}", now=clock(), user_id=f"user {n}") for n in range(64)]
        await asyncio.gather(*(store.insert(record) for record in records))
        clock.advance(duration(DEBOUNCE))
        rotated = await asyncio.gather(*(store.rotate(next_rotation(record)) for record in records))

        assert [record.user_id for record in records] == [result.user_id for result in rotated if result is not None]

    async def test_rotating_and_deleting_at_once_ends_the_session(self, store: Store, clock: HandClock) -> None:
        """Whichever comes first, a rotation or an unconditional deletion, the session is gone in the end."""
        records = [new_session(f"{n}", now=clock()) for n in range(32)]
        for record in records:
            await store.insert(record)
        await asyncio.gather(
            *(store.rotate(next_rotation(record, debounce=0)) for record in records),
            *(store.delete(record.session_id) for record in records),
        )

        assert [None] * 32 == [(await store.get(record.session_id)).record for record in records]

    async def _ends_at(self, store: Store, clock: HandClock, lineage: Json) -> None:
        early, late = (new_session(name, now=clock(), lineage=lineage) for name in ("early", "late"))
        await store.insert(early)
        await store.insert(late)

        clock.advance(duration(IDLE_TIMEOUT - 1))
        assert await store.rotate(next_rotation(early)) is not None
        clock.advance(duration(1))
        assert await refuses(store, late, next_rotation(late))
