"""What a store promises about the key that a session is bound to: set once, and each rotation proves it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from fastapi_session.model import Json, SessionRecord
from fastapi_session.stores.base import Store
from fastapi_session.testing.hand_clock import HandClock
from fastapi_session.testing.records import (
    IDLE_TIMEOUT,
    bound_key,
    digest,
    duration,
    full_session,
    new_session,
    next_rotation,
)

OWN, OTHER = bound_key("own"), bound_key("other")
_PROVED = (None, OTHER, OWN.replace("dbsc:", "dpop:"), OWN.swapcase(), f"{OWN} ", "", "null", OWN)
"""What requests may have proved: all but the last one is not `OWN`."""


async def kept(store: Store, record: SessionRecord) -> SessionRecord | None:
    """Return what *store* keeps of the session of *record*."""
    return (await store.get(record.session_id)).record


class BindingContract:
    """The contract of `bind`, and of what `rotate` does with the key that was proved."""

    async def test_bind_sets_the_key(self, store: Store, clock: HandClock) -> None:
        """A session that has no key gets this one, and nothing else of it changes."""
        record = full_session("a", now=clock(), bound_key=None)
        await store.insert(record)

        assert await store.bind(record.session_id, OWN)
        assert replace(record, bound_key=OWN) == await kept(store, record)

    async def test_bind_never_changes_a_key(self, store: Store, clock: HandClock) -> None:
        """A session that is bound stays bound to the same key, be it given again or another one."""
        begun, later = new_session("a", now=clock(), bound_key=OWN), new_session("b", now=clock())
        for record in (begun, later):
            await store.insert(record)
        await store.bind(later.session_id, OWN)

        for record in (begun, later):
            assert [False, False] == [await store.bind(record.session_id, key) for key in (OTHER, OWN)]
            assert replace(record, bound_key=OWN) == await kept(store, record)

    async def test_bind_never_brings_a_session_back(self, store: Store, clock: HandClock) -> None:
        """A session that was never there, or is gone, stays so."""
        record = new_session("a", now=clock())
        await store.insert(record)
        await store.delete(record.session_id)

        assert [False, False] == [await store.bind(each, OWN) for each in (record.session_id, "0" * 32)]
        assert await kept(store, record) is None
        assert [] == list(await store.sessions_of(record.user_id))

    async def test_bind_ends_with_the_deadlines(self, store: Store, clock: HandClock) -> None:
        """A millisecond before either deadline a session can be bound, at the deadline it cannot."""
        deadline = clock() + IDLE_TIMEOUT
        lineages: tuple[Json, ...] = (
            {"idle_expires_at": deadline},
            {"idle_expires_at": deadline + 1, "absolute_expires_at": deadline},
        )
        early, late = (
            [new_session(f"{name}{n}", now=clock(), lineage=lineage) for n, lineage in enumerate(lineages)]
            for name in ("early", "late")
        )
        for record in (*early, *late):
            await store.insert(record)

        clock.advance(duration(IDLE_TIMEOUT - 1))
        assert [True, True] == [await store.bind(record.session_id, OWN) for record in early]
        clock.advance(duration(1))
        assert [False, False] == [await store.bind(record.session_id, OWN) for record in late]
        assert late == [await kept(store, record) for record in late]

    async def test_bind_moves_nothing(self, store: Store, clock: HandClock) -> None:
        """Whoever read the session before it was bound replaces its lineage, and writes its payload, as if nothing had happened."""
        record = new_session("a", now=clock())
        await store.insert(record)
        await store.bind(record.session_id, OWN)
        lineage = replace(record.lineage, acknowledged=False)

        assert await store.replace(record.session_id, expected=record.lineage, lineage=lineage)
        assert await store.update(record.session_id, version=0, access_token_payload={}, session_data={}, label=None)
        assert await store.delete(record.session_id, expected=lineage)

    async def test_what_changes_a_session_leaves_its_key(self, store: Store, clock: HandClock) -> None:
        """A session that moved on, was used, changed and seen is bound as before."""
        record = new_session("a", now=clock(), bound_key=OWN)
        await store.insert(record)
        rotated = await store.rotate(next_rotation(record, debounce=0))
        assert rotated is not None
        await store.acknowledge(record.session_id, current=rotated.lineage.current, issue_id=None)
        await store.update(record.session_id, version=0, access_token_payload={}, session_data={}, label=None)
        await store.touch([record.session_id], idle_timeout=IDLE_TIMEOUT)
        current = await kept(store, record)
        assert current is not None
        lineage = replace(current.lineage, acknowledged=False)
        await store.replace(record.session_id, expected=current.lineage, lineage=lineage)

        changed = await kept(store, record)
        assert changed is not None
        assert (OWN, OWN, lineage) == (rotated.bound_key, changed.bound_key, changed.lineage)

    async def test_rotate_needs_the_key(self, store: Store, clock: HandClock) -> None:
        """A session that is bound moves on if exactly its own key was proved; else nothing is written, and its token still counts."""
        record = new_session("a", now=clock(), bound_key=OWN)
        await store.insert(record)
        for proved in _PROVED[:-1]:
            assert await store.rotate(next_rotation(record, proved=proved, debounce=0)) is None
            assert record == await kept(store, record)

        assert await store.rotate(next_rotation(record, proved=OWN, debounce=0)) is not None

    async def test_rotate_needs_no_key_if_there_is_none(self, store: Store, clock: HandClock) -> None:
        """A session that is not bound moves on if no key was proved, and if one was it is left to who judges."""
        record = new_session("a", now=clock())
        await store.insert(record)
        for proved in _PROVED[1:]:
            assert await store.rotate(next_rotation(record, proved=proved, debounce=0)) is None
            assert record == await kept(store, record)

        assert await store.rotate(next_rotation(record, proved=None, debounce=0)) is not None

    async def test_rotate_goes_by_a_key_from_the_binding_on(self, store: Store, clock: HandClock) -> None:
        """The same token that needed no key needs one as soon as the session is bound."""
        record = new_session("a", now=clock())
        await store.insert(record)
        await store.bind(record.session_id, OWN)

        assert await store.rotate(next_rotation(record, debounce=0)) is None
        rotated = await store.rotate(next_rotation(record, debounce=0, proved=OWN))
        assert rotated is not None
        assert (1, OWN) == (rotated.lineage.generation, rotated.bound_key)

    async def test_many_sessions_at_once_need_their_own_keys(self, store: Store, clock: HandClock) -> None:
        """However many rotate at once, bound and not, each moves on by its own key alone, and by no other's."""
        keys = (None, OWN, OTHER)
        records = [
            new_session(f"{bound}{proved}{n}", now=clock(), bound_key=bound)
            for bound in keys
            for proved in keys
            for n in range(4)
        ]
        proved_keys = [proved for _ in keys for proved in keys for _ in range(4)]
        await asyncio.gather(*(store.insert(record) for record in records))
        rotated = await asyncio.gather(
            *(
                store.rotate(next_rotation(record, debounce=0, proved=proved))
                for record, proved in zip(records, proved_keys, strict=True)
            )
        )

        expected = [record.bound_key == proved for record, proved in zip(records, proved_keys, strict=True)]
        assert expected == [each is not None for each in rotated]
        after = [each or record for each, record in zip(rotated, records, strict=True)]
        assert after == [await kept(store, record) for record in records]

    async def test_one_of_many_with_a_token_has_the_key(self, store: Store, clock: HandClock) -> None:
        """Of many who present one token at once, all but one without its key, that one gets the successor."""
        record = new_session("a", now=clock(), bound_key=OWN)
        await store.insert(record)
        proved: Sequence[str | None] = [OTHER, None] * 8 + [OWN] + [None, OTHER] * 8
        results = await asyncio.gather(
            *(
                store.rotate(next_rotation(record, proved=key, debounce=0, successor=digest(f"task {n}")))
                for n, key in enumerate(proved)
            )
        )

        assert [16] == [n for n, result in enumerate(results) if result is not None]
        assert results[16] == await kept(store, record)

    async def test_many_bindings_at_once_set_one_key(self, store: Store, clock: HandClock) -> None:
        """Of many who bind one session at once exactly one is told that it did, and its key is kept."""
        record = new_session("a", now=clock())
        await store.insert(record)
        keys = [bound_key(f"task {n}") for n in range(32)]
        bound = await asyncio.gather(*(store.bind(record.session_id, key) for key in keys))

        assert 1 == sum(bound)
        assert replace(record, bound_key=keys[bound.index(True)]) == await kept(store, record)

    async def test_binding_and_rotating_at_once(self, store: Store, clock: HandClock) -> None:
        """A session that is bound while it moves on is bound in the end; a rotation without the key came before, or not at all."""
        records = [new_session(f"{n}", now=clock()) for n in range(32)]
        await asyncio.gather(*(store.insert(record) for record in records))

        async def bind_and_rotate(record: SessionRecord, *, binds_first: bool) -> tuple[bool, SessionRecord | None]:
            binding = asyncio.create_task(store.bind(record.session_id, OWN)) if binds_first else None
            rotating = asyncio.create_task(store.rotate(next_rotation(record, debounce=0)))
            return await (binding or store.bind(record.session_id, OWN)), await rotating

        outcomes = await asyncio.gather(
            *(bind_and_rotate(record, binds_first=n % 2 == 0) for n, record in enumerate(records))
        )
        for record, (is_bound, rotated) in zip(records, outcomes, strict=True):
            assert is_bound
            assert rotated is None or rotated.bound_key is None
            last = rotated or record
            assert replace(last, bound_key=OWN) == await kept(store, record)
            assert await store.rotate(next_rotation(last, debounce=0, successor=digest("thief"))) is None
