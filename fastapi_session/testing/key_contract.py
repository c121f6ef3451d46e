"""What a store promises about signing keys."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import product

from fastapi_session.stores.base import Store
from fastapi_session.testing.hand_clock import HandClock
from fastapi_session.testing.records import new_signing_key


class KeyContract:
    """The contract of `insert_key`, `signing_keys`, `replace_key` and `delete_key`."""

    async def test_a_key_comes_back_whole(self, store: Store, clock: HandClock) -> None:
        """Every field of a key comes back as it went in."""
        record = new_signing_key("k1", now=clock())

        assert await store.insert_key(record)
        assert [record] == list(await store.signing_keys())

    async def test_keys_come_by_family_and_sequence(self, store: Store, clock: HandClock) -> None:
        """Keys are returned in order, ten after nine, whatever the order of insertion."""
        # As text, 10 would come before 2.
        places = list(product(("d", "s"), (1, 2, 9, 10)))
        # Not in their own order, which a store might keep by chance.
        for family, sequence in reversed(places):
            kid = f"{family}-{sequence}"
            assert await store.insert_key(new_signing_key(kid, now=clock(), family=family, sequence=sequence))

        assert places == [(key.family, key.sequence) for key in await store.signing_keys()]

    async def test_a_kid_is_never_overwritten(self, store: Store, clock: HandClock) -> None:
        """A key whose kid exists is refused, and the first one stays."""
        record = new_signing_key("k1", now=clock())
        await store.insert_key(record)

        assert not await store.insert_key(new_signing_key("k1", now=clock(), sequence=2))
        assert [record] == list(await store.signing_keys())

    async def test_a_place_is_taken_once(self, store: Store, clock: HandClock) -> None:
        """A key whose family and sequence exist is refused; either alone is no obstacle."""
        await store.insert_key(new_signing_key("k1", now=clock()))

        assert not await store.insert_key(new_signing_key("k2", now=clock()))
        assert await store.insert_key(new_signing_key("k3", now=clock(), sequence=2))
        assert await store.insert_key(new_signing_key("k4", now=clock(), family="s"))

    async def test_workers_create_one_key_between_them(self, store: Store, clock: HandClock) -> None:
        """Of many workers that create the next key at once exactly one succeeds, and its key is the one kept."""
        records = [new_signing_key(f"k{n}", now=clock()) for n in range(32)]
        kept = await asyncio.gather(*(store.insert_key(record) for record in records))

        assert 1 == sum(kept)
        assert [records[kept.index(True)]] == list(await store.signing_keys())

    async def test_a_key_is_replaced_under_its_secret(self, store: Store, clock: HandClock) -> None:
        """A key is written over if it is encrypted under the secret expected, and only then."""
        record = new_signing_key("k1", now=clock())
        reencrypted = replace(record, secret_kid=7, private_key=b"sealed anew")
        await store.insert_key(record)

        assert not await store.replace_key(reencrypted, expected_secret_kid=2)
        assert [record] == list(await store.signing_keys())
        assert [True, False] == [await store.replace_key(reencrypted, expected_secret_kid=1) for _ in range(2)]
        assert [reencrypted] == list(await store.signing_keys())

    async def test_replacing_never_brings_a_key_back(self, store: Store, clock: HandClock) -> None:
        """A key that is gone stays gone when it is written over."""
        assert not await store.replace_key(new_signing_key("k1", now=clock()), expected_secret_kid=1)
        assert [] == list(await store.signing_keys())

    async def test_a_key_is_deleted_once(self, store: Store, clock: HandClock) -> None:
        """Deleting returns true once, leaves other keys alone, and makes room for a key in its place."""
        first, second = new_signing_key("k1", now=clock()), new_signing_key("k2", now=clock(), sequence=2)
        await store.insert_key(first)
        await store.insert_key(second)

        assert [True, False] == [await store.delete_key("k1") for _ in range(2)]
        assert [second] == list(await store.signing_keys())
        assert await store.insert_key(new_signing_key("k3", now=clock()))
