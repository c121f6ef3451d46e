"""Taking in all sessions of a core at once; again and again while it still runs, if it has to be.

| the session | becomes of it here |
|---|---|
| goes on there, and was never taken in | it is taken in, and waits for its client |
| goes on there, and waits here | it is renewed |
| goes on there, and its client has refreshed here | nothing: it goes on here |
| goes on there, and has ended here | nothing: it stays ended |
| has ended there, and waits here | it is ended here, by any import but the first |
| has a row that does not fit | nothing: the core keeps it, and a remark says why |

A store takes in the sessions of one app of one core: by the database of another, all of them would seem to have ended.

Memory stays flat: there is one page of rows at a time, and of the remarks only their number by reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from fastapi_session.errors import ConfigurationError
from fastapi_session.model import SessionRecord
from fastapi_session.moving.supertokens.handles import handle_of
from fastapi_session.moving.supertokens.known_core import is_known_core
from fastapi_session.moving.supertokens.rows import ReadRow, Remark
from fastapi_session.moving.supertokens.source import NAME, SuperTokens
from fastapi_session.sessions import Sessions
from fastapi_session.stores.base import MovableStore

if TYPE_CHECKING:  # it needs SQLAlchemy, which a move without the database does not
    from fastapi_session.moving.supertokens.database import SuperTokensDatabase

Became = Literal["read", "kept", "renewed", "there", "ended", "expired", "unfit", "dropped"]
"""What became of a row: in a dry run it was *read*. *dropped* were those that waited here and had ended there, *ended* here before."""

_BATCH = 500


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """How many sessions of about how many have been dealt with, and what is to be said of the last ones."""

    done: int
    total: int
    remarks: Sequence[Remark] = ()


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of the sessions: their number by tenant and by what became of them, and that of the remarks by reason."""

    written: bool
    tenants: Mapping[str, Counter[Became]] = field(default_factory=dict)
    remarks: Counter[str] = field(default_factory=Counter)

    def count(self, became: Became) -> int:
        """Return how many became this, in all tenants."""
        return sum(each[became] for each in self.tenants.values())


Progress = Callable[[ImportProgress], None]


async def import_sessions(
    sessions: Sessions, *, dry_run: bool = True, batch: int = _BATCH, progress: Progress | None = None
) -> ImportReport:
    """Take in all sessions of the core from which *sessions*, opened, go on; a *dry_run* only reads them.

    It may be repeated, and while the core and *sessions* are in use. *progress* is called after each *batch* of rows. Raises
    `ConfigurationError` unless `moving_from` is a `SuperTokens` with its database, and if another core, or another app of it, was
    imported before; `StoreUnavailable` if either database is down: what was taken in until then stays.
    """
    source = sessions.moving_from
    if not isinstance(source, SuperTokens):
        raise ConfigurationError("moving_from: give SuperTokens(database=...), whose sessions are to be taken in")
    run = _Import(sessions, source.database, dry_run=dry_run, tell=progress or _silent)
    is_known = await is_known_core(sessions.store, source, remembers=not dry_run)
    return await run.all(batch=batch, drops=is_known and not dry_run)


class _Import:
    def __init__(self, sessions: Sessions, database: SuperTokensDatabase, *, dry_run: bool, tell: Progress) -> None:
        self._sessions = sessions
        self._database = database
        self._dry_run = dry_run
        self._tell = tell
        self._tenants: dict[str, Counter[Became]] = {}
        self._remarks: Counter[str] = Counter()
        self._done = 0

    async def all(self, *, batch: int, drops: bool) -> ImportReport:
        total = await self._database.count()
        async for page in self._database.pages(batch=batch):
            remarks = [remark for row in page for remark in row.remarks]
            remarks += await self._take_in(page)
            self._remarks.update(remark.reason for remark in remarks)
            self._done += len(page)
            self._tell(ImportProgress(self._done, max(total, self._done), remarks))
        if drops:
            await self._drop_ended(batch=batch)
        return ImportReport(not self._dry_run, self._tenants, self._remarks)

    async def _take_in(self, page: Sequence[ReadRow]) -> Sequence[Remark]:
        """Take in what of *page* can be, and return what is to be said of the others."""
        for remark in (remark for row in page if row.session is None for remark in row.remarks):
            self._count(remark.tenant_id, "unfit")
        found = [row.session for row in page if row.session is not None]
        if self._dry_run:
            for session in found:
                self._count(session.tenant_id, "read")
            return ()
        arrivals = await self._sessions.taking_in.take_in(found)
        unfit: list[Remark] = []
        for session, arrival in zip(found, arrivals, strict=True):
            self._count(session.tenant_id, arrival.outcome)
            if arrival.outcome == "unfit":
                handle = handle_of(session.session_id, session.tenant_id) or session.session_id
                unfit.append(Remark(handle, session.tenant_id, arrival.reason, taken=False))
        return unfit

    async def _drop_ended(self, *, batch: int) -> None:
        """End what waits here and has no row there any more."""
        async for tenant_id, waiting in self._waiting(batch=batch):
            handles = {handle_of(each.session_id, tenant_id) or "": each.handle for each in waiting}
            there = await self._database.there([*handles], tenant_id)
            gone = [handle for name, handle in handles.items() if name not in there]
            for _ in await self._sessions.taking_in.end_waiting(gone):
                self._count(tenant_id, "dropped")

    async def _waiting(self, *, batch: int) -> AsyncIterator[tuple[str, Sequence[SessionRecord]]]:
        store = self._sessions.store
        assert isinstance(store, MovableStore)  # else nothing could have been taken in
        async for page in store.every_session(batch=batch):
            waiting = [each for each in page if each.waits and each.source == NAME]
            for tenant_id in {each.tenant_id for each in waiting}:
                yield tenant_id, [each for each in waiting if each.tenant_id == tenant_id]

    def _count(self, tenant_id: str, became: Became) -> None:
        self._tenants.setdefault(tenant_id, Counter())[became] += 1


def _silent(_progress: ImportProgress) -> None:
    return
