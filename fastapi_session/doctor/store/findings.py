"""All that is found in a store.

| the store | is opened |
|---|---|
| is a file with tables of an older version | no: that would bring them up to date, under the feet of processes of that version |
| is a file that is damaged | no: what is read of it may fail |
| is a database without all of our tables | no: it refuses |
| does not say how it is set up, or anything else | yes |
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping

from fastapi_session.doctor.finding import Check, Finding
from fastapi_session.doctor.store import clock, elsewhere, growth, keys, redis, sql, sqlite
from fastapi_session.doctor.store.opened import Opened
from fastapi_session.doctor.unforeseen import each_found_by, each_of
from fastapi_session.stores.facts import ExaminableStore, Facts, RedisFacts, SqlFacts, SqliteFacts, StoreKind

_BY_KIND: Mapping[StoreKind, tuple[Check, ...]] = {
    "redis": redis.CHECKS,
    "sql": sql.CHECKS,
    "sqlite": sqlite.CHECKS,
}

CHECKS: tuple[Check, ...] = (
    *clock.CHECKS,
    *keys.CHECKS,
    *redis.CHECKS,
    *sql.CHECKS,
    *sqlite.CHECKS,
    *growth.CHECKS,
    *elsewhere.CHECKS,
)


def checks_for(opened: Opened) -> tuple[Check, ...]:
    """Return which of `CHECKS` can be made of *opened*: those of its kind of store."""
    store = opened.engine.store
    by_kind = (*_BY_KIND[store.kind], *growth.CHECKS) if isinstance(store, ExaminableStore) else ()
    of_another = elsewhere.CHECKS if opened.moving_from is not None else ()
    return (*clock.CHECKS, *keys.CHECKS, *by_kind, *of_another)


async def store_findings(opened: Opened, *, disks: sqlite.Disks | None = None) -> AsyncIterator[Finding]:
    """Yield what is wrong with the store of *opened*; a file is on one of *disks*, by default those of this machine.

    Raises `StoreUnavailable` and `ConfigurationError` if it cannot be opened, or goes away meanwhile.
    """
    store = opened.engine.store
    facts = await store.facts() if isinstance(store, ExaminableStore) else None
    for finding in each_of(_set_up, facts, opened, disks or sqlite.Disks.of_this_machine()):
        yield finding
    if opened.moving_from is not None:
        async for finding in each_found_by(elsewhere.elsewhere_findings, opened.moving_from):
            yield finding
    if _stays_closed(facts):
        return
    await store.open()
    for look in (clock.clock_findings, keys.key_findings, growth.growth_findings):
        async for finding in each_found_by(look, opened):
            yield finding


def _set_up(facts: Facts | None, opened: Opened, disks: sqlite.Disks) -> Iterator[Finding]:
    match facts:
        case RedisFacts():
            yield from redis.redis_findings(facts, audits=bool(opened.config.audit))
        case SqlFacts():
            yield from sql.sql_findings(facts, limits=bool(opened.config.limits))
        case SqliteFacts():
            yield from sqlite.sqlite_findings(facts, disks=disks)


def _stays_closed(facts: Facts | None) -> bool:
    match facts:
        case SqlFacts():
            return bool(facts.missing)
        case SqliteFacts():
            return not facts.is_current or facts.damage is not None
    return False
