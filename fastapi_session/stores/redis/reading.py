"""What the verbs about sessions share: a script that tells of what it changes, and the names and rows of sessions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from fastapi_session.stores.columns import Row
from fastapi_session.stores.redis import scripts
from fastapi_session.stores.redis.asking import Asking
from fastapi_session.stores.redis.events import Audits, audit_text
from fastapi_session.stores.redis.fields import field, session_row_of
from fastapi_session.stores.redis.keys import Shard
from fastapi_session.stores.redis.pipelines import Reply, as_text
from fastapi_session.stores.redis.script import Script, telling

SESSIONS_PAGE = 100
"""How many sessions one script reads at most: no other command runs on the server meanwhile."""


class Reading(Asking):
    """Reads sessions, and runs scripts that may write events."""

    async def _tell(self, shard: Shard, script: Script, keys: Sequence[str], *arguments: str, audits: Audits) -> Reply:
        """Run *script*, which writes the event of *audits*, if there are any, of each session that it changes."""
        if not audits:
            return await self._run(script, keys, *arguments)
        return await self._run(telling(script), [*keys, *shard.events], *arguments, audit_text(audits))

    async def _read(self, shard: Shard, session_ids: Sequence[str]) -> tuple[list[Row | None], int]:
        records, now = await self._run(scripts.READ, shard.keys(*session_ids))
        return [None if each is None else session_row_in(each) for each in records], int(as_text(now))

    async def _names_in(self, shard: Shard, bounds: tuple[str, str], *, size: int) -> AsyncIterator[Sequence[str]]:
        """Yield the names between *bounds*, in pages of *size*: the server is held up by none of them."""
        lowest, highest = bounds
        names: Reply = [lowest] * size
        while len(names) == size:
            [names] = await self._run(scripts.NAMES_OF_USER, shard.keys(), lowest, highest, field(size))
            yield names
            lowest = f"({as_text(names[-1])}" if names else lowest


def session_row_in(record: object) -> Row:
    """Return the row of a session that a script returned as *record*."""
    return session_row_of(as_text(record))
