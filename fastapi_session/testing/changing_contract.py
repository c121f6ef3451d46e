"""What a store promises about changing one session under a condition."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from fastapi_session.model import Json
from fastapi_session.stores.base import Store
from fastapi_session.stores.rows import LINEAGE_COLUMNS
from fastapi_session.testing.hand_clock import HandClock
from fastapi_session.testing.records import (
    changed,
    digest,
    duration,
    full_session,
    issue_id,
    moved,
    new_session,
    unmoved,
)


class ChangingContract:
    """The contract of `replace`, `acknowledge` and `update`."""

    async def test_replace_writes_the_whole_lineage(self, store: Store, clock: HandClock) -> None:
        """If the lineage is the expected one, every field of the new one is written, and nothing else changes."""
        record = full_session("a", now=clock())
        lineage = changed(record.lineage, LINEAGE_COLUMNS)
        await store.insert(record)

        assert await store.replace(record.session_id, expected=record.lineage, lineage=lineage)
        assert replace(record, lineage=lineage) == (await store.get(record.session_id)).record

    async def test_replace_refuses_what_has_moved(self, store: Store, clock: HandClock) -> None:
        """A lineage that differs in any one of the fields that are compared is left as it is."""
        # In SQL, NULL equals nothing: a comparison by = would refuse every session that was never refreshed.
        for exchanged in (None, issue_id("exchanged")):
            record = new_session(f"{exchanged!r}", now=clock(), lineage={"exchanged": exchanged})
            await store.insert(record)
            for expected in moved(record.lineage):
                assert not await store.replace(record.session_id, expected=expected, lineage=expected)

            assert record == (await store.get(record.session_id)).record

    async def test_replace_compares_nothing_else(self, store: Store, clock: HandClock) -> None:
        """Deadlines, kid, the previous hash and what was used do not decide whether a lineage is the expected one."""
        record = new_session("a", now=clock())
        await store.insert(record)

        assert await store.replace(record.session_id, expected=unmoved(record.lineage), lineage=record.lineage)

    async def test_replace_never_brings_a_session_back(self, store: Store, clock: HandClock) -> None:
        """A session that is gone stays gone when its lineage is replaced."""
        record = new_session("a", now=clock())

        assert not await store.replace(record.session_id, expected=record.lineage, lineage=record.lineage)
        assert (await store.get(record.session_id)).record is None

    async def test_acknowledge_marks_the_current_token(self, store: Store, clock: HandClock) -> None:
        """The session is acknowledged by its current hash, once, with the issue id used first and when; nothing else changes."""
        record = full_session("a", now=clock())
        await store.insert(record)
        clock.advance(duration(7))
        lineage = replace(record.lineage, acknowledged=True, used=issue_id("first"), used_at=clock())
        for name in ("first", "second"):
            await store.acknowledge(record.session_id, current=record.lineage.current, issue_id=issue_id(name))
            clock.advance(duration(1))

        acknowledged = replace(record, lineage=lineage)
        assert acknowledged == (await store.get(record.session_id)).record

    async def test_acknowledge_needs_no_issue_id(self, store: Store, clock: HandClock) -> None:
        """A token of before there were issue ids is acknowledged, and it is not known which it was."""
        record = new_session("a", now=clock(), lineage={"acknowledged": False})
        await store.insert(record)
        await store.acknowledge(record.session_id, current=record.lineage.current, issue_id=None)
        kept = (await store.get(record.session_id)).record

        assert kept is not None
        assert (True, None) == (kept.lineage.acknowledged, kept.lineage.used)

    async def test_acknowledge_ignores_any_other_token(self, store: Store, clock: HandClock) -> None:
        """A hash that is not the current one acknowledges nothing, and no session is brought back."""
        record = new_session("a", now=clock(), lineage={"acknowledged": False, "previous": digest("p")})
        await store.insert(record)
        await store.acknowledge(record.session_id, current=digest("p"), issue_id=issue_id("used"))
        await store.acknowledge("0" * 32, current=record.lineage.current, issue_id=issue_id("used"))

        assert record == (await store.get(record.session_id)).record
        assert (await store.get("0" * 32)).record is None

    async def test_update_writes_payload_data_and_label(self, store: Store, clock: HandClock) -> None:
        """At the version expected, payload, data and label are written, the version counts on, and nothing else changes."""
        record = full_session("a", now=clock(), version=3)
        await store.insert(record)
        for version, label in enumerate(("Ada's büro 📱", None), 3):
            new: Json = {"access_token_payload": {"a": 1}, "session_data": {"b": [2]}, "label": label}

            assert await store.update(record.session_id, version=version, **new)
            assert replace(record, version=version + 1, **new) == (await store.get(record.session_id)).record

    async def test_update_refuses_another_version(self, store: Store, clock: HandClock) -> None:
        """An older or a newer version is not the one expected, and nothing is written."""
        record = new_session("a", now=clock(), version=3)
        await store.insert(record)
        # A newer one too: this is a comparison, no order.
        for version in (2, 4):
            assert not await store.update(
                record.session_id, version=version, access_token_payload={}, session_data={}, label=None
            )

        assert record == (await store.get(record.session_id)).record

    async def test_update_never_brings_a_session_back(self, store: Store, clock: HandClock) -> None:
        """A session that was deleted stays deleted when its payload is written."""
        record = new_session("a", now=clock())
        await store.insert(record)
        await store.delete(record.session_id)

        assert not await store.update(
            record.session_id, version=0, access_token_payload={}, session_data={}, label=None
        )
        assert (await store.get(record.session_id)).record is None

    async def test_concurrent_updates_lose_nothing(self, store: Store, clock: HandClock) -> None:
        """Of many updates at one version exactly one is written, and its payload is the one that is kept."""
        record = new_session("a", now=clock())
        await store.insert(record)
        written = await asyncio.gather(
            *(
                store.update(record.session_id, version=0, access_token_payload={"n": n}, session_data={}, label=None)
                for n in range(32)
            )
        )

        assert 1 == sum(written)
        kept = (await store.get(record.session_id)).record
        assert kept is not None
        assert {"n": written.index(True)} == kept.access_token_payload
