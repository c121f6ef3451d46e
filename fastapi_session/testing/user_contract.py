"""What a store promises about a user's sessions together, and about the expired ones."""

from __future__ import annotations

import asyncio
from operator import attrgetter

from fastapi_session.stores.base import Store
from fastapi_session.testing.hand_clock import HandClock
from fastapi_session.testing.records import IDLE_TIMEOUT, duration, full_session, new_session


class UserContract:
    """The contract of `sessions_of`, `delete_sessions_of` and `delete_expired`."""

    async def test_sessions_are_returned_oldest_first(self, store: Store, clock: HandClock) -> None:
        """The user's sessions come whole, in the order of their creation, whatever the order of insertion."""
        records = [full_session(f"{n}", now=clock(), created_at=clock() + n) for n in range(5)]
        for n in (3, 0, 4, 1, 2):
            await store.insert(records[n])

        assert records == list(await store.sessions_of("user"))

    async def test_sessions_are_the_users_own(self, store: Store, clock: HandClock) -> None:
        """Nobody else's sessions are returned: the id of the user is compared whole and as it is written."""
        record = new_session("a", now=clock())
        await store.insert(record)
        # Common collations take case and trailing spaces for equal, and an index of names may find a prefix.
        for other in ("User", "user ", "use", "user2", "recipe-user"):
            await store.insert(new_session(other, now=clock(), user_id=other))

        assert [record] == list(await store.sessions_of("user"))
        assert [] == list(await store.sessions_of("nobody"))

    async def test_sessions_of_one_tenant_or_of_all(self, store: Store, clock: HandClock) -> None:
        """With a tenant only its sessions are returned, without one those of every tenant."""
        public = new_session("a", now=clock())
        other = new_session("b", now=clock() + 1, tenant_id="t1")
        await store.insert(public)
        await store.insert(other)

        assert [public, other] == list(await store.sessions_of("user"))
        assert [public] == list(await store.sessions_of("user", tenant_id="public"))
        assert [other] == list(await store.sessions_of("user", tenant_id="t1"))
        assert [] == list(await store.sessions_of("user", tenant_id="t2"))

    async def test_expired_sessions_are_not_returned(self, store: Store, clock: HandClock) -> None:
        """A session is returned until a millisecond before the first of its deadlines."""
        deadline = clock() + IDLE_TIMEOUT
        await store.insert(new_session("idle", now=clock(), lineage={"idle_expires_at": deadline}))
        await store.insert(
            # The idle deadline is later than any, so that only the absolute one can end it.
            new_session("absolute", now=clock(), lineage={"absolute_expires_at": deadline, "idle_expires_at": 2**45})
        )
        clock.advance(duration(IDLE_TIMEOUT - 1))
        before = len(await store.sessions_of("user"))
        clock.advance(duration(1))
        after = len(await store.sessions_of("user"))

        assert (2, 0) == (before, after)

    async def test_delete_sessions_of_a_user(self, store: Store, clock: HandClock) -> None:
        """All of a user's sessions are deleted and returned whole, expired ones too, and nobody else's."""
        expired = full_session("expired", now=clock(), lineage={"idle_expires_at": clock()})
        living = full_session("living", now=clock(), tenant_id="t2")
        others = new_session("others", now=clock(), user_id="other")
        for record in (expired, living, others):
            await store.insert(record)

        deleted = await store.delete_sessions_of("user", limit=100)
        by_id = attrgetter("session_id")
        assert sorted([expired, living], key=by_id) == sorted(deleted, key=by_id)
        assert [] == list(await store.delete_sessions_of("user", limit=100))
        assert [None, None, others] == [(await store.get(each.session_id)).record for each in (expired, living, others)]

    async def test_delete_sessions_of_a_user_in_one_tenant(self, store: Store, clock: HandClock) -> None:
        """With a tenant, the user's sessions in other tenants stay."""
        public, other = new_session("a", now=clock()), new_session("b", now=clock(), tenant_id="t1")
        await store.insert(public)
        await store.insert(other)

        assert [other] == list(await store.delete_sessions_of("user", tenant_id="t1", limit=100))
        assert [public] == list(await store.sessions_of("user"))

    async def test_one_session_of_a_user_is_kept(self, store: Store, clock: HandClock) -> None:
        """All but one are deleted, in portions too; one of somebody else, or of nobody, changes nothing."""
        records = [new_session(f"{n}", now=clock() + n) for n in range(5)]
        for record in records:
            await store.insert(record)
        kept, others = records[1], {record.session_id for record in records if record is not records[1]}
        deleted = [
            await store.delete_sessions_of("user", keep=kept.session_id, limit=limit) for limit in (0, 1, 2, 2, 2)
        ]

        assert [0, 1, 2, 1, 0] == [len(each) for each in deleted]
        assert others == {record.session_id for each in deleted for record in each}
        assert [kept] == list(await store.delete_sessions_of("user", keep=records[0].session_id, limit=2))

    async def test_sessions_of_a_user_are_deleted_in_portions(self, store: Store, clock: HandClock) -> None:
        """No more than the limit are deleted at once, each is returned once, and fewer than the limit are the last."""
        records = [new_session(f"{n}", now=clock()) for n in range(5)]
        for record in records:
            await store.insert(record)
        # A limit of 0 must not mean that there is none.
        deleted = [await store.delete_sessions_of("user", limit=limit) for limit in (0, 2, 2, 2, 2)]

        assert [0, 2, 2, 1, 0] == [len(each) for each in deleted]
        assert {record.session_id for record in records} == {record.session_id for each in deleted for record in each}

    async def test_sessions_of_a_user_are_deleted_side_by_side(self, store: Store, clock: HandClock) -> None:
        """Whoever is returned fewer than the limit finds none of the sessions any more, though others delete them as well."""
        records = [new_session(f"{n}", now=clock()) for n in range(24)]
        for record in records:
            await store.insert(record)

        async def all_deleted() -> list[str]:
            deleted: list[str] = []
            while len(some := await store.delete_sessions_of("user", limit=3)) == 3:
                deleted += [record.session_id for record in some]
            assert [] == list(await store.sessions_of("user"))
            return deleted + [record.session_id for record in some]

        deleted = [
            session_id for each in await asyncio.gather(*(all_deleted() for _ in range(3))) for session_id in each
        ]
        assert sorted(record.session_id for record in records) == sorted(deleted)

    async def test_expired_sessions_are_deleted(self, store: Store, clock: HandClock) -> None:
        """At its first deadline a session is deleted, a millisecond before it is not."""
        past, future = clock(), clock() + 1
        lineages = {
            "idle": {"idle_expires_at": past},
            "absolute": {"absolute_expires_at": past, "idle_expires_at": future},
            "living": {"idle_expires_at": future},
            "living longer": {"idle_expires_at": future, "absolute_expires_at": future},
        }
        records = {name: new_session(name, now=past, lineage=lineage) for name, lineage in lineages.items()}
        for record in records.values():
            await store.insert(record)

        assert 2 == await store.delete_expired(limit=10)
        assert {"living", "living longer"} == {
            name for name, record in records.items() if (await store.get(record.session_id)).record is not None
        }

    async def test_expired_sessions_are_deleted_in_portions(self, store: Store, clock: HandClock) -> None:
        """No more than the limit are deleted at once, and each is counted once."""
        for n in range(5):
            await store.insert(new_session(f"{n}", now=clock(), lineage={"idle_expires_at": clock()}))

        assert [0, 2, 2, 1, 0] == [await store.delete_expired(limit=limit) for limit in (0, 2, 2, 2, 2)]
