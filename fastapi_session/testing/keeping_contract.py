"""What a store promises about one session: inserted, read, kept and deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace

from fastapi_session.errors import ConfigurationError, StoreUnavailable
from fastapi_session.insertion import HAS_MOVED, KEPT, Insertion, Limit
from fastapi_session.model import MAX_NAME, MAX_OBJECT, Predecessor, Reading
from fastapi_session.stores.base import Store
from fastapi_session.testing.hand_clock import HandClock
from fastapi_session.testing.records import IDLE_TIMEOUT, duration, full_session, moved, new_session, unmoved


async def unavailable(operation: Awaitable[object]) -> bool:
    """Say whether *operation* ends in StoreUnavailable."""
    [outcome] = await asyncio.gather(operation, return_exceptions=True)
    return isinstance(outcome, StoreUnavailable)


class KeepingContract:
    """The contract of `open`, `close`, `insert`, `get` and `delete`."""

    async def test_the_longest_names_and_the_largest_objects(self, store: Store, clock: HandClock) -> None:
        """What a session may carry is kept, of whatever script: names in characters, objects in bytes of JSON."""
        # Four bytes in UTF-8 and two units in UTF-16: a store that counts either has too little room. As JSON without escapes, ü has
        # two bytes, as \u00fc six.
        name, largest = "\N{GRINNING FACE}" * MAX_NAME, {"a": "\u00fc" * (MAX_OBJECT // 2 - 4)}
        record = new_session(
            "a", now=clock(), user_id=name, recipe_user_id=name, access_token_payload=largest, session_data=largest
        )
        await store.insert(record)

        assert record == (await store.get(record.session_id)).record
        assert [record] == list(await store.sessions_of(name))
        assert await store.update(
            record.session_id, version=0, access_token_payload=largest, session_data=largest, label=None
        )

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

    async def test_what_was_kept_outlives_closing(self, store: Store, clock: HandClock) -> None:
        """A store that was closed may be opened again, and has kept what it kept before."""
        record = new_session("a", now=clock())
        await store.insert(record)
        await store.close()
        await store.open()

        assert record == (await store.get(record.session_id)).record

    async def test_a_record_comes_back_whole(self, store: Store, clock: HandClock) -> None:
        """Every field comes back as it went in, whether it has a value or none, read with the store's clock."""
        # The largest generation of a refresh token: a signed column of 32 bits is too small.
        full = full_session("a", now=clock(), lineage={"generation": 2**32 - 1})
        bare = new_session("b", now=clock())
        for record in (full, bare):
            await store.insert(record)

        assert Reading(full, clock()) == await store.get(full.session_id)
        assert Reading(bare, clock()) == await store.get(bare.session_id)

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
        """Reading decides nothing: a session past its deadline is returned like any other."""
        record = new_session("a", now=clock())
        await store.insert(record)
        clock.advance(duration(2 * IDLE_TIMEOUT))

        assert Reading(record, clock()) == await store.get(record.session_id)

    async def test_an_id_is_never_overwritten(self, store: Store, clock: HandClock) -> None:
        """Inserting an id that exists fails, and leaves both the session and the one to be replaced alone."""
        first, second = new_session("a", now=clock()), new_session("b", now=clock())
        await store.insert(first)
        await store.insert(second)

        # The last one would delete the session in order to insert it.
        for replacing in ([], [second.session_id], [first.session_id]):
            assert await unavailable(store.insert(replace(first, user_id="thief"), replacing=replacing))
        succeeding = Predecessor(second.session_id, second.version)
        assert await unavailable(store.insert(replace(first, user_id="thief"), succeeding=succeeding))

        assert first == (await store.get(first.session_id)).record
        assert second == (await store.get(second.session_id)).record

    async def test_inserting_replaces_sessions(self, store: Store, clock: HandClock) -> None:
        """A session that takes the place of others is there, those are gone, and no other is."""
        first, second, other, new = (new_session(name, now=clock()) for name in "abcd")
        for record in (first, second, other):
            await store.insert(record)
        await store.insert(new, replacing=[first.session_id, second.session_id])

        kept = [(await store.get(record.session_id)).record for record in (first, second, other, new)]
        assert [None, None, other, new] == kept

    async def test_replacing_a_session_that_is_gone_inserts(self, store: Store, clock: HandClock) -> None:
        """The session to be replaced need not be there any more."""
        record = new_session("a", now=clock())
        await store.insert(record, replacing=["0" * 32])

        assert record == (await store.get(record.session_id)).record

    async def test_inserting_succeeds_a_session(self, store: Store, clock: HandClock) -> None:
        """A session that succeeds another in the version read is there, and that one is not, nor those replaced beside it."""
        first, second, other, new = (new_session(name, now=clock(), version=7) for name in "abcd")
        for record in (first, second, other):
            await store.insert(record)

        assert KEPT == await store.insert(
            new, replacing=[second.session_id], succeeding=Predecessor(first.session_id, version=7)
        )
        kept = [(await store.get(record.session_id)).record for record in (first, second, other, new)]
        assert [None, None, other, new] == kept

    async def test_a_session_that_changed_is_not_succeeded(self, store: Store, clock: HandClock) -> None:
        """Nothing is written or said if the session to succeed is of another version, or not there any more."""
        first, second, new = (new_session(name, now=clock(), version=7) for name in "abc")
        for record in (first, second):
            await store.insert(record)

        for moved_on in (
            Predecessor(first.session_id, version=6),
            Predecessor(first.session_id, version=8),
            Predecessor("0" * 32, version=0),
        ):
            assert HAS_MOVED == await store.insert(new, replacing=[second.session_id], succeeding=moved_on)

        kept = [(await store.get(record.session_id)).record for record in (first, second, new)]
        assert [first, second, None] == kept
        said = {notice.subject for notice in (await store.notices(after=0)).notices}
        assert {first.session_id, second.session_id}.isdisjoint(said)

    async def test_a_session_is_succeeded_once(self, store: Store, clock: HandClock) -> None:
        """Of several that would succeed the same session at once, one does."""
        first, *news = (new_session(f"{n}", now=clock()) for n in range(6))
        await store.insert(first)
        succeeding = Predecessor(first.session_id, version=0)

        succeeded = await asyncio.gather(*(store.insert(new, succeeding=succeeding) for new in news))

        assert 1 == succeeded.count(KEPT)
        kept = [(await store.get(new.session_id)).record is not None for new in news]
        assert [each.is_kept for each in succeeded] == kept

    async def test_a_limit_is_kept_or_not_taken(self, store: Store, clock: HandClock) -> None:
        """A store that says so keeps a limit; any other takes none, and writes nothing."""
        first, second = new_session("a", now=clock()), new_session("b", now=clock())
        await store.insert(first)
        [outcome] = await asyncio.gather(store.insert(second, limit=Limit(1)), return_exceptions=True)

        ended, kept = (first, second) if store.keeps_limits else (second, first)
        assert [None, kept] == [(await store.get(each.session_id)).record for each in (ended, kept)]
        assert (Insertion if store.keeps_limits else ConfigurationError) is type(outcome)
        assert isinstance(outcome, ConfigurationError) or Insertion("kept", (first,)) == outcome

    async def test_delete_says_whether_it_was_there(self, store: Store, clock: HandClock) -> None:
        """Deleting returns true once, and leaves other sessions alone."""
        record, other = new_session("a", now=clock()), new_session("b", now=clock())
        await store.insert(record)
        await store.insert(other)

        assert [True, False] == [await store.delete(record.session_id) for _ in range(2)]
        assert (await store.get(record.session_id)).record is None
        assert other == (await store.get(other.session_id)).record

    async def test_delete_refuses_what_has_moved(self, store: Store, clock: HandClock) -> None:
        """A session whose lineage differs in any one of the fields that are compared is not deleted."""
        record = new_session("a", now=clock())
        await store.insert(record)
        for expected in moved(record.lineage):
            assert not await store.delete(record.session_id, expected=expected)

        assert record == (await store.get(record.session_id)).record

    async def test_delete_as_expected(self, store: Store, clock: HandClock) -> None:
        """A session is deleted if its lineage is the expected one, and a second time it was not there."""
        record = new_session("a", now=clock())
        await store.insert(record)
        expected = unmoved(record.lineage)

        assert [True, False] == [await store.delete(record.session_id, expected=expected) for _ in range(2)]
        assert (await store.get(record.session_id)).record is None
