"""One pass after the other from an old store to a new one, while the application runs on the old one, and during its switch.

A pass reads all of the old store, and writes what is newer into the new one. Nothing in the new store becomes older by it, and it
may be repeated, killed and begun again at any moment.

What happens to a session around the switch. *Lag* is the time between two readings of its row: a pass and the interval after it.

| event | then |
|---|---|
| it began on the old store before the pass read its page | it is kept |
| it began on the old store later | the next pass keeps it. Until then its access token is good on the new store too, and what reads its row says that there is none |
| it was refreshed on the old store, and the next pass has been | the row is renewed |
| it was refreshed on the old store once, and comes to the new one first | row D11 of the rotation table: the new row goes on from there; the next pass leaves it alone |
| it was refreshed on the old store twice within the lag, and comes to the new one first | row D12: it is signed out. A client refreshes twice only after the debounce (`refresh_token_rotation_grace_period`) or the life of its access token: the lag has to be shorter |
| it was refreshed on the new store | its row there is newer: passes leave it alone |
| it was refreshed on the new store once, and comes to the old one | row D11 there; the next pass renews the new row, if that has not gone on |
| it was refreshed on the new store twice, and comes to the old one | row D12 there: it is signed out, unless the new store is copied to the old one at the same time |
| a token comes to one store that was exchanged on the other | the same successor: it is derived from the token and the secret, not from the row |
| its data or claims were changed on the old store | the row is renewed, and access tokens with the old claims are read again |
| they were changed on both | the change of the higher version stays; of equal ones that of the new store |
| it was revoked on the old store | it ends on the new one with the notice, a second later; in no pass it comes back |
| it was revoked on the new store | no pass brings it back: the new store remembers that it had taken it in. On the old one it goes on, unless copied back |
| it ended on the old store while nobody copied | the first pass of the next run ends it: the old store remembers that it had gone over |
| it expired on the old store | it is not copied; if it was refreshed on the new one meanwhile, it goes on there |
| a signing key was made on either side | it goes over; one that the new store made meets at most "try refresh token" on the old one |
| a signing key was revoked on the old store | it is deleted in the new one |
| a signing key was revoked on the new store | no pass brings it back |
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from fastapi_session.core.secret import Secrets
from fastapi_session.moving.copying.carried_notices import OVERLAP, CarriedNotices
from fastapi_session.moving.copying.copied_keys import CopiedKeys
from fastapi_session.moving.copying.copied_memory import CopiedMemory
from fastapi_session.moving.copying.copied_sessions import CopiedSessions, NotCopied
from fastapi_session.moving.copying.places import Places
from fastapi_session.stores.base import TakenIn

Which = Literal["first", "middle", "last", "only"]
"""Which pass of a run one is. The only one is the first and the last."""

_SLACK = 300_000
"""Milliseconds for which notices are carried after the last token of a key may have expired: clocks differ."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass did: how many sessions it read, what became of those that live, and how much of the rest is new.

    `None` in *sessions* are those that could not be copied. *seconds* is how long it took, without the pause before it.
    """

    read: int
    sessions: Counter[TakenIn | None]
    keys: int
    notices: int
    devices: int = 0
    digests: int = 0
    seconds: float = 0.0

    @property
    def not_copied(self) -> int:
        """How many sessions could not be copied."""
        return self.sessions[None]

    @property
    def changed(self) -> bool:
        """Whether anything was new."""
        sessions = self.sessions["kept"] + self.sessions["renewed"]
        return any((sessions, self.not_copied, self.keys, self.notices, self.devices, self.digests))


class StoreCopy:
    """Copies from the old store of *places* to the new one. Both are open, and *tell* is called with each session that cannot be copied."""

    def __init__(self, places: Places, *, tell: Callable[[NotCopied], None]) -> None:
        self._places = places
        self._keys = CopiedKeys(places)
        self._notices = CarriedNotices(places)
        self._memory = CopiedMemory(places)
        self._sessions = CopiedSessions(places, tell=tell)
        self._devices_since = 0
        self.carry = self._notices.carry

    @property
    def read(self) -> int:
        """How many sessions the pass under way has read."""
        return self._sessions.read

    async def ensure_opened_by(self, secrets: Secrets) -> None:
        """Raise `ConfigurationError` if *secrets* are not those of both stores. Raises `StoreUnavailable`."""
        await self._keys.ensure_opened_by(secrets)

    async def begin(self) -> None:
        """Let end in the new store what has ended in the old one since an earlier run.

        Raises `ConfigurationError` if no application has run on the old store, `StoreUnavailable`.
        """
        await self._keys.ensure_there()
        await self._notices.carry_all(kept_for=await self._token_lifetime() + _SLACK)
        await self._memory.copy_endings()

    async def run(self, which: Which) -> Pass:
        """Copy all that is there. Raises `StoreUnavailable`; then another pass goes on where this one ended.

        Devices and what must not happen twice go over with the first pass and the last one. The only pass is both.
        """
        began = time.monotonic()
        now = await self._notices.clock()
        keys = await self._keys.copy(now=now)
        sessions = await self._sessions.copy(now=now, is_first=which in {"first", "only"})
        devices = digests = 0
        if which != "middle":
            devices = await self._memory.copy_devices(since=self._devices_since)
            digests = await self._memory.copy_digests()
            self._devices_since = now - OVERLAP
        # After the sessions: one that was read a moment before it ended has ended now.
        is_last = which in {"last", "only"}
        carrying = self._notices.carry_all(kept_for=await self._token_lifetime() + _SLACK) if is_last else self.carry()
        notices = await carrying
        return Pass(self.read, sessions, keys, notices, devices, digests, time.monotonic() - began)

    async def _token_lifetime(self) -> int:
        """Return how long an access token may live at most: the oldest notice that matters is as old."""
        return max([record.token_lifetime for record in await self._places.old.signing_keys()], default=0)
