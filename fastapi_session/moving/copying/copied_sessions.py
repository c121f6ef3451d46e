"""All sessions of the old store, page by page; those that the new one cannot keep are told one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fastapi_session.errors import PayloadError, StoreUnavailable
from fastapi_session.model import LATEST, SessionRecord
from fastapi_session.moving.copying.places import BATCH, Places, each
from fastapi_session.stores.base import TakenIn
from fastapi_session.stores.taking_in import mark_of, marked_until


@dataclass(frozen=True, slots=True)
class NotCopied:
    """A session that the new store did not keep, by its *handle*, and the *reason*."""

    handle: str
    reason: str


class CopiedSessions:
    """Copies the sessions from the old store of *places* to the new one. *tell* is called with each that cannot be copied."""

    def __init__(self, places: Places, *, tell: Callable[[NotCopied], None]) -> None:
        self._old = places.old
        self._new = places.new
        self._tell = tell
        self.read = 0
        """How many sessions the pass under way has read."""

    async def copy(self, *, now: int, is_first: bool) -> Counter[TakenIn | None]:
        """Copy all sessions that have not expired *now* (milliseconds of the old store's clock), and count what became of them.

        `None` is the outcome of those that could not be copied. In the first pass of a run all are noted in the old store as
        gone over, afterwards those that are new.
        """
        outcomes = Counter[TakenIn | None]()
        self.read = 0
        async for page in self._old.every_session(batch=BATCH):
            # By their ids: what iterates may come by one twice, and a call takes each once.
            living = [*{each.session_id: each for each in page if not each.lineage.expired(now)}.values()]
            became = await self._take_in(living)
            outcomes.update(became)
            noted = {"kept", "renewed", "there"} if is_first else {"kept"}
            await each([record for record, outcome in zip(living, became, strict=True) if outcome in noted], self._note)
            self.read += len(page)
        return outcomes

    async def _note(self, record: SessionRecord) -> None:
        """Remember in the old store that the session went over: once its row is gone there, it has ended there."""
        await self._old.once(mark_of(record.session_id), until=marked_until(record))

    async def _take_in(self, records: Sequence[SessionRecord]) -> Sequence[TakenIn | None]:
        try:
            return await self._new.take_in(records) if records else []
        except (PayloadError, StoreUnavailable) as error:
            await self._new.notices(after=LATEST)  # which fails too if it is the store that cannot
            if len(records) == 1:
                self._tell(NotCopied(records[0].handle, str(error)))
                return [None]
        return [outcome for record in records for outcome in await self._take_in([record])]
