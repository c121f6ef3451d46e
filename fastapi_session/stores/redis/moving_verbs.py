"""The verbs by which sessions move into the server and out of it, as scripts."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from fastapi_session.audit import Audit
from fastapi_session.errors import StoreUnavailable
from fastapi_session.model import SessionRecord
from fastapi_session.stores.base import Remembered, SeenDevice, SessionPage, TakenIn
from fastapi_session.stores.pages import in_batches
from fastapi_session.stores.redis import moving_scripts, scripts
from fastapi_session.stores.redis.events import audits_of
from fastapi_session.stores.redis.fields import field
from fastapi_session.stores.redis.keys import ALL_NAMES, Shard, digest_of_once, session_ids_of, user_of_devices
from fastapi_session.stores.redis.pipelines import as_text
from fastapi_session.stores.redis.reading import SESSIONS_PAGE, Reading, session_row_in
from fastapi_session.stores.rows import session_row
from fastapi_session.stores.taking_in import Taking, mark_of, marked_until, taking

TAKEN_AT_ONCE = 50
"""How many sessions one script takes in at most: no other command runs on the server meanwhile."""
CHANGES_AT_ONCE = 1_000
"""How often it is decided anew what of a session is to be renewed, since others have changed it meanwhile."""

_OUTCOMES: Mapping[int, TakenIn] = {
    moving_scripts.KEPT: "kept",
    moving_scripts.RENEWED: "renewed",
    moving_scripts.ENDED: "ended",
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """To write what is *taken* of *record*, if its row is still what it was *expected* to be: the text of it, or nothing."""

    record: SessionRecord
    taken: Taking
    expected: str = ""

    def said(self) -> list[str]:
        """Return what the script has to know of it."""
        begins = [field(marked_until(self.record)), self.expected, field(self.taken.makes_stale)]
        return [*begins, *map(field, self.taken.row)]


class MovingVerbs(Reading):
    """Takes sessions in, and reads out all that is there."""

    async def take_in(self, records: Sequence[SessionRecord], *, audit: Audit | None = None) -> Sequence[TakenIn]:
        """Keep sessions that began elsewhere, and return what became of each, in one transaction for each."""
        attempts = [Attempt(record, Taking("kept", session_row(record))) for record in records]
        outcomes: dict[str, TakenIn] = {}
        for shard in self._keys.shards:
            own = [each for each in attempts if self._keys.shard_of(each.record.session_id) == shard]
            for page in in_batches(own, size=TAKEN_AT_ONCE):
                outcomes |= await self._take_in(shard, page, audit)
        return [outcomes[record.session_id] for record in records]

    async def every_session(self, *, batch: int) -> AsyncIterator[Sequence[SessionRecord]]:
        """Yield all sessions, expired ones too, by their users."""
        for shard in self._keys.shards:
            async for names in self._names_in(shard, ALL_NAMES, size=min(batch, SESSIONS_PAGE)):
                rows, _ = await self._read(shard, session_ids_of(map(as_text, names)))
                yield self._readable.sessions(row for row in rows if row is not None)

    async def session_page(self, *, after: str | None, limit: int) -> SessionPage:
        """Return at most *limit* sessions after that place, shard by shard, by their users."""
        lowest, highest = ALL_NAMES
        number, place = (0, lowest) if after is None else _place(after)
        records: list[SessionRecord] = []
        left = limit  # of names, not of sessions: many that Redis has let expire would be read for one page
        while number < len(self._keys.shards) and left:
            shard, size = self._keys.shards[number], min(left, SESSIONS_PAGE)
            [names] = await self._run(scripts.NAMES_OF_USER, shard.keys(), place, highest, field(size))
            left -= len(names)
            rows, _ = await self._read(shard, session_ids_of(map(as_text, names)))
            records += self._readable.sessions(row for row in rows if row is not None)
            number, place = (number, f"({as_text(names[-1])}") if len(names) == size else (number + 1, lowest)
        return SessionPage(records, None if number >= len(self._keys.shards) else _written(number, place))

    async def every_device(self, *, batch: int) -> AsyncIterator[Sequence[SeenDevice]]:
        """Yield all devices, in no order."""
        async for keys in self._scan("devices", size=batch):
            [found] = await self._run(moving_scripts.DEVICES, keys)
            devices = [each for key, seen in zip(keys, found, strict=True) for each in _devices(key, seen)]
            for page in in_batches(devices, size=batch):
                yield page

    async def every_remembered(self, *, batch: int) -> AsyncIterator[Sequence[Remembered]]:
        """Yield all that is remembered, in no order."""
        async for keys in self._scan("once", size=batch):
            [moments] = await self._run(moving_scripts.REMEMBERED, keys)
            found = [(digest_of_once(key), until) for key, until in zip(keys, moments, strict=True)]
            remembered = [Remembered(digest, int(as_text(until))) for digest, until in found if until is not None]
            for page in in_batches(remembered, size=batch):
                yield page

    async def _take_in(self, shard: Shard, attempts: Sequence[Attempt], audit: Audit | None) -> dict[str, TakenIn]:
        outcomes: dict[str, TakenIn] = {}
        for _ in range(CHANGES_AT_ONCE):
            session_ids = [each.record.session_id for each in attempts]
            keys = [*shard.keys(*session_ids), *(self._keys.once(mark_of(each)) for each in session_ids)]
            said = chain.from_iterable(each.said() for each in attempts)
            [found] = await self._tell(shard, moving_scripts.TAKE_IN, keys, *said, audits=audits_of(audit))
            again = list[Attempt]()
            for each, outcome in zip(attempts, found, strict=True):
                if isinstance(outcome, int):
                    outcomes[each.record.session_id] = _OUTCOMES[outcome]
                else:
                    again.append(self._next_attempt(each.record, as_text(outcome)))
            outcomes |= {each.record.session_id: "there" for each in again if each.taken.outcome == "there"}
            attempts = [each for each in again if each.taken.outcome != "there"]
            if not attempts:
                return outcomes
        raise StoreUnavailable("Redis failed: too many changes of one session at once")

    def _next_attempt(self, record: SessionRecord, text: str) -> Attempt:
        kept = self._readable.kept(session_row_in(text), session_id=record.session_id)
        taken = Taking("there") if kept is None else taking(record, kept, was_taken_in=True)
        return Attempt(record, taken, expected=text)

    async def _scan(self, what: str, *, size: int) -> AsyncIterator[Sequence[str]]:
        """Yield the keys that hold *what*, about *size* at once. A key that is there all the time comes once or more often."""
        for shard in self._keys.shards:
            place = "0"
            while True:
                asked = [place, shard.pattern(what), field(size)]
                place, keys = await self._run(moving_scripts.SCAN, [shard.feed], *asked)
                if keys:
                    yield [*map(as_text, keys)]
                place = as_text(place)
                if place == "0":
                    break


def _written(shard: int, place: str) -> str:
    """Return the *place* in a shard, a bound of names, as a text of a few plain characters: names have quotes in them."""
    return f"{shard}.{urlsafe_b64encode(place.encode()).decode()}"


def _place(text: str) -> tuple[int, str]:
    """Return the number of a shard, and the bound of names, that `_written` wrote. Raises ValueError for any other *text*."""
    number, _, encoded = text.partition(".")
    place = urlsafe_b64decode(encoded.encode()).decode()
    if not number.isdecimal() or not (place == ALL_NAMES[0] or place.startswith("(")):
        raise ValueError("no place of a page")
    return int(number), place


def _devices(key: str, seen: Sequence[object]) -> list[SeenDevice]:
    """Return the devices of the user of *key*, of which *seen* has each and then its moment."""
    user = user_of_devices(key)
    return [
        SeenDevice(*user, bytes.fromhex(as_text(device)), int(float(as_text(moment))))
        for device, moment in zip(seen[::2], seen[1::2], strict=True)
    ]
