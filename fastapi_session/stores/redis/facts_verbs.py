"""What is known of the server, and of what is kept there too long. Nothing is written."""

from __future__ import annotations

from fastapi_session.stores.facts import MOST_COUNTED, Overdue, RedisFacts, StoreKind
from fastapi_session.stores.opening import opening
from fastapi_session.stores.redis import facts_scripts
from fastapi_session.stores.redis.asking import Asking
from fastapi_session.stores.redis.connections import mistake_in_address
from fastapi_session.stores.redis.fields import field
from fastapi_session.stores.redis.pipelines import as_text

_NOBODY = "0" * 32
"""The id of no session."""


class FactVerbs(Asking):
    """Says how the server is set up."""

    kind: StoreKind = "redis"

    async def facts(self) -> RedisFacts:
        """Return how the server is set up. Raises StoreUnavailable, and ConfigurationError if the server refuses the user."""
        with opening(self._calls.place, mistake=mistake_in_address):
            servers, in_the_open = await self._calls.look()
            refused = await self._refused()
        return RedisFacts(servers=servers, shards=len(self._keys.shards), refused=refused, in_the_open=in_the_open)

    async def overdue(self, *, sessions: int, notices: int, events: int, digests: int = 0, devices: int = 0) -> Overdue:
        """Count what is kept though its time was over at these moments (milliseconds of the server's clock)."""
        del digests, devices  # the server forgets them by itself
        moments = field(sessions), field(notices), field(events), field(MOST_COUNTED)
        totals = [0, 0, 0]
        for shard in self._keys.shards:
            by_deadline, feed, stream = f"{shard.tag}:by_deadline", shard.feed, shard.events[0]
            found = await self._run(facts_scripts.OVERDUE, [by_deadline, feed, stream], *moments)
            totals = [total + int(each) for total, each in zip(totals, found, strict=True)]
        return Overdue(*totals)

    async def _refused(self) -> tuple[str, ...] | None:
        """Return which commands of scripts the user may not run, `None` if the server is too old to say."""
        commands = [f"{name} {rest}" for name, rest in facts_scripts.NEEDED.items()]
        commands += [f"{name} {rest}" for name, rest in facts_scripts.NEEDED_FOR_EVENTS.items()]
        key = self._keys.shards[0].keys(_NOBODY)[-1]
        known, *refused = await self._run(facts_scripts.REFUSED, [key], *commands)
        return tuple(map(as_text, refused[0])) if as_text(known) == "known" else None
