"""A cache of the store's signing keys: loaded, reloaded, and the next key made in time."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from fastapi_session.clock import Clock
from fastapi_session.core.secret import Secrets
from fastapi_session.core.signing_keys import (
    ROTATING,
    STATIC,
    DueKey,
    Family,
    KeyPolicy,
    SigningKey,
    SigningKeys,
    VerifyingKey,
)
from fastapi_session.engine.background import Background, SingleFlight
from fastapi_session.engine.keys.key_making import KeyMaking
from fastapi_session.engine.keys.reencryption import KeyReencryption
from fastapi_session.engine.keys.uncommitted_keys import UncommittedKeys
from fastapi_session.errors import ConfigurationError, StoreUnavailable
from fastapi_session.randomness import Random
from fastapi_session.stores.base import JoinedStore, SigningKeyStore

RELOAD_INTERVAL = 60_000
"""Milliseconds between two readings of the store, less up to a quarter at random so that workers do not march in step."""
COOLDOWN = 5_000
"""Milliseconds between two readings because of unknown kids (anybody can make one up), and between attempts that fail."""

_ATTEMPTS = 3

logger = logging.getLogger("fastapi_session")


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The *key* that signs by *keys*, while none is due: from *since* until *until* (milliseconds)."""

    key: SigningKey
    keys: SigningKeys
    since: int
    until: float


class Keyring:
    """The signing keys of a store as this process has cached them. A reading that fails leaves the keys it had."""

    def __init__(
        self,
        store: SigningKeyStore,
        *,
        secrets: Secrets,
        policy: KeyPolicy,
        clock: Clock,
        random: Random,
        background: Background,
    ) -> None:
        self._store = store
        self._policy = policy
        self._clock = clock
        self._random = random
        self._background = background
        self.keys = SigningKeys()
        self._known: dict[str, VerifyingKey] = {}
        self._chosen: dict[str, _Chosen] = {}
        self._uncommitted = UncommittedKeys(adopt=self._adopt)
        # Kids that were deleted. It only grows, by one kid a rotation. None is dropped: a slow reading that began before would
        # bring the key back.
        self._deleted: set[str] = set()
        self._key_making = KeyMaking(secrets=secrets, policy=policy, clock=clock, random=random)
        self._reencryption = KeyReencryption(store, secrets=secrets, clock=clock, random=random, background=background)
        self._reading = SingleFlight(self._read_again, background=background)
        self._making = {family: SingleFlight(self._make, background=background) for family in (ROTATING, STATIC)}
        # Readings are numbered as they begin, since a later one may be done first.
        self._begun = 0
        self._done = 0
        self._needed = 1  # the first reading that may say which key signs: an earlier one may contain a deleted key
        self.read_at: float = -math.inf
        self.reload_at: float = -math.inf
        self._read_for_unknown_at: float = -math.inf
        self._made_at: dict[str, float] = {ROTATING: -math.inf, STATIC: -math.inf}

    @property
    def token_lifetime(self) -> int:
        """The longest life (milliseconds) of an access token that a known key signs or has signed."""
        return max([self._policy.token_lifetime, *(key.record.token_lifetime for key in self._known.values())])

    async def signing_key(self, *, static: bool | None = None, through: JoinedStore | None = None) -> SigningKey:
        """Return the key to sign with now, and see to it that the next one is made when it is due.

        *static* asks for the key that never rotates, or for the one that does; by default for the one of access tokens.

        No I/O if one is known, unless a key was deleted since the keys were read, or another one may sign by now: then the
        keys are read first. In a transaction of the user's they are read *through* its store, and if there is no key, one is made there:
        waiting for a second connection can deadlock a full pool. Raises `StoreUnavailable` if
        no key is known and the store cannot be asked, `ConfigurationError` if the secret does not open the store's keys.
        """
        family = STATIC if (self._policy.static if static is None else static) else ROTATING
        while self._is_outdated():
            await self._read_now(through)
        if self._is_due(self._clock()):
            self._background.start(self._reload_when_due())
        chosen, now = self._chosen.get(family), self._clock()
        if chosen is not None and chosen.keys is self.keys and chosen.since <= now < chosen.until:
            return chosen.key
        for _ in range(_ATTEMPTS):
            now = self._clock()
            key = self.keys.signing(family, now=now, algorithm=self._policy.algorithm)
            due = self.keys.due(family, now=now, policy=self._policy)
            if due is not None and key is None:
                key = await self._make_now(due, through)
            elif due is not None and not _is_recent(self._made_at[family], now=now):
                self._made_at[family] = now
                self._background.start(self._make_later(due))
            if key is not None:
                return key if due is not None else self._choose(key, family, now=now)
        raise StoreUnavailable("no signing key could be made or read")

    def _choose(self, key: SigningKey, family: Family, *, now: int) -> SigningKey:
        """Return *key*, which signs at *now*, and keep it in mind for as long as nothing changes that."""
        until = self.keys.steady_until(family, now=now, policy=self._policy)
        self._chosen[family] = _Chosen(key, self.keys, since=now, until=until)
        return key

    async def verifying_key(self, kid: str, *, through: JoinedStore | None = None) -> VerifyingKey | None:
        """Return the key named *kid*, or `None`. No I/O if it is known; *through* as for `signing_key`.

        Raises as `signing_key` does if no key is known at all.
        """
        now = self._clock()
        key = self.keys.verifying(kid, now=now)
        if key is not None:
            if self._is_due(now):
                self._background.start(self._reload_when_due())
            return key
        if not self._done or not _is_recent(self._read_for_unknown_at, now=now):
            self._read_for_unknown_at = now
            await self._read_now(through)
        elif through is None:
            await self._reading.join()  # a reading that is under way may bring this key too
        return self.keys.verifying(kid, now=self._clock())

    async def jwks(self, *, through: JoinedStore | None = None) -> dict[str, list[dict[str, Any]]]:
        """Return the JWK Set of every key that verifies (RFC 7517, section 5). *through* as for `signing_key`."""
        await self._reload_when_due(through)
        return self.keys.jwks(now=self._clock())

    async def rotate(self) -> SigningKey | None:
        """Make the next rotating key now, published as long before it signs as ever, and return it.

        `None` if one is pending already. Raises as `signing_key`.
        """
        await self._reload()
        due = self.keys.ahead(now=self._clock(), policy=self._policy)
        if due is None:
            return None
        await self._making[ROTATING](due)
        return self.keys.newest(ROTATING)

    async def revoke(self, kid: str) -> bool:
        """Delete the key named *kid*, refuse its tokens from now on, and say whether it was there.

        If it is the one that signs, a new one that signs at once is made before. Raises `StoreUnavailable`, and may then
        be tried again.
        """
        await self._make_replacement(kid)
        deleted = await self._store.delete_key(kid)
        self.forget(kid)
        return deleted

    def forget(self, kid: str) -> None:
        """Take note that the key named *kid* was deleted: it neither signs nor verifies any more. No I/O.

        A reading that is under way does not bring it back, and the next request that needs a key reads the keys again.
        """
        self._deleted.add(kid)
        # One that is not known here neither signs nor verifies here, and nothing has to be read for it.
        if kid in self._known:
            self._know(self._known.values())
            self.reload_at = self._read_for_unknown_at = -math.inf
            self._needed = self._begun + 1

    async def _reload_when_due(self, through: SigningKeyStore | None = None) -> None:
        if not self._done or self._is_due(self._clock()):
            await self._read_now(through)

    def _is_outdated(self) -> bool:
        """Say whether a key that is not known here may sign by now: each is published `publish_lead` before it signs."""
        is_old = not 0 <= self._clock() - self.read_at < self._policy.publish_lead
        return is_old or self._done < self._needed

    def _is_due(self, now: int) -> bool:
        return not self.read_at <= now < self.reload_at

    async def _read_now(self, through: SigningKeyStore | None) -> None:
        await (self._reading() if through is None else self._read_again(through))

    async def _read_again(self, store: SigningKeyStore | None = None) -> None:
        jitter = RELOAD_INTERVAL * self._random(1)[0] // 1024
        self._read_next(0 if store else RELOAD_INTERVAL - jitter)  # meanwhile the others go on with the keys they have
        try:
            await self._reload(store)
        except (StoreUnavailable, ConfigurationError):
            if not self._done:
                raise
            self._read_next(COOLDOWN)
            self._needed = self._done
            logger.warning("signing keys could not be read again, going on with those known", exc_info=True)

    def _read_next(self, wait: int) -> None:
        """Read again after *wait* milliseconds, or as soon as the clock is found to have been set back."""
        self.read_at = self._clock()
        self.reload_at = self.read_at + wait

    async def _reload(self, store: SigningKeyStore | None = None) -> None:
        self._begun += 1
        number = self._begun
        records = self._uncommitted.left_out(await (store or self._store).signing_keys())
        before = self._known
        fresh = [record for record in records if record.kid not in before]
        opened = await asyncio.to_thread(self._key_making.opened, fresh) if fresh else []
        if number < self._done:
            return  # a reading that began later was faster, and is newer
        self._done = number
        known = {**before, **{key.kid: key for key in opened}}
        # A transaction may see the keys as they were when it began: one that it does not see need not be deleted.
        self._know(known.values() if store else (known[record.kid] for record in records))
        self._reencryption.look(records)

    def _know(self, keys: Iterable[VerifyingKey]) -> None:
        known = {key.kid: key for key in keys if key.kid not in self._deleted}
        if (
            known != self._known
        ):  # while the keys are equal their object stays the same, and so tokens verified by it stay cached
            self._known, self.keys = known, SigningKeys(known.values())

    async def _make_later(self, due: DueKey) -> None:
        try:
            await self._making[due.family](due)
        except (StoreUnavailable, ConfigurationError):
            logger.warning("the next signing key could not be made yet", exc_info=True)

    async def _make_replacement(self, kid: str) -> None:
        """Make the key that takes over from the key named *kid*, if that is the one that signs."""
        await self._reload()
        attempts = 0
        while (due := self.keys.replacement(kid, now=self._clock())) is not None:
            if attempts == _ATTEMPTS:
                raise StoreUnavailable("no key could be made in the place of the one to be revoked")
            attempts += 1
            await self._make(due)

    async def _make(self, due: DueKey) -> None:
        """Make the key that is due, unless another process has, and drop those whose last token has expired."""
        private = await self._key_making.pair()
        # Several processes may make this key at once: the store keeps the first one of its place, and the others use that.
        while not await self._store.insert_key(self._key_making.record(private, due)):
            await self._reload()
            if self.keys.has(due):
                break
            due = replace(due, sequence=due.sequence + 1)  # a key that cannot be read has that sequence
        for kid in self.keys.expired(now=self._clock()):
            await self._store.delete_key(kid)
        await self._reload()

    async def _make_now(self, due: DueKey, through: JoinedStore | None) -> SigningKey | None:
        """Make the key that is due. Return it if it was made in a transaction, where it may sign before others know it."""
        if through is not None:
            return await self._make_within(due, through)
        await self._making[due.family](due)
        return None

    async def _make_within(self, due: DueKey, store: JoinedStore) -> SigningKey | None:
        """Return the key that was made in this transaction, or make it now; `None` if its sequence belongs to a known key."""
        if (made := await self._uncommitted.made_in(store, due.family)) is not None:
            return made
        private = await self._key_making.pair()
        while not await store.insert_key(record := self._key_making.record(private, due)):
            await self._reload(store)
            if self.keys.has(due):
                return None
            due = replace(due, sequence=due.sequence + 1)  # a key that cannot be read has that sequence
        key = self._key_making.made(record)
        self._uncommitted.keep(key, made_in=store)
        return key

    def _adopt(self, key: SigningKey) -> None:
        self._begun = self._done = self._begun + 1  # as if it had been read now: a reading under way may lack it
        self._know([*self._known.values(), key])


def _is_recent(moment: float, *, now: int) -> bool:
    """Say whether *moment* is less than `COOLDOWN` ago. What is still to come is not: the clock was set back since."""
    return 0 <= now - moment < COOLDOWN
