"""The statements, each built once, so that SQLAlchemy compiles it once a database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Column,
    ColumnElement,
    Executable,
    Integer,
    Select,
    Update,
    bindparam,
    delete,
    insert,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.sql.functions import coalesce

from fastapi_session.model import CROSSED_EXCHANGES, DEVICE_KEPT, Lineage, Rotation
from fastapi_session.stores.columns import Row
from fastapi_session.stores.limits import Living
from fastapi_session.stores.rows import (
    CIRCUMSTANCES_COLUMNS,
    COMPARED_COLUMNS,
    KEY_COLUMNS,
    SESSION_COLUMNS,
    circumstances_row,
    compared_row,
)
from fastapi_session.stores.sql.dialects import DIFFERENCES, Least, Moment, StatementMoment, insert_or_lock
from fastapi_session.stores.sql.tables import DEVICE, NOTICE, ONCE, SESSION, SIGNING_KEY, USER

Parameters = Mapping[str, object]

T = TypeVar("T")

Sessions = Select[Any]
"""A statement that selects sessions, or their ids."""

SESSION_ROW = [SESSION.c[name] for name in SESSION_COLUMNS]
LIVING_ROW = [SESSION.c[name] for name in (*Living._fields, "user_id", "tenant_id")]
KEY_ROW = [SIGNING_KEY.c[name] for name in KEY_COLUMNS]
_CIRCUMSTANCES = [SESSION.c[name] for name in CIRCUMSTANCES_COLUMNS]
_NEW_CIRCUMSTANCES = [f"new_{name}" for name in CIRCUMSTANCES_COLUMNS]
_GIVEN_COMPARED = [f"given_{name}" for name in COMPARED_COLUMNS]


def given(column: Column[T]) -> BindParameter[T]:
    """Return the parameter that *column* is compared with; under its own name goes what is written to it."""
    return bindparam(f"given_{column.name}", type_=column.type)


def _is_as_given(column: Column[T]) -> ColumnElement[bool]:
    # A NULL equals nothing, not even NULL.
    return column.is_not_distinct_from(given(column)) if column.nullable else column == given(column)


_IS_SESSION = SESSION.c.session_id == given(SESSION.c.session_id)
_IS_CURRENT = SESSION.c.current == given(SESSION.c.current)
_IS_VERSION = SESSION.c.version == given(SESSION.c.version)
_IS_GENERATION = SESSION.c.generation == given(SESSION.c.generation)
_IS_BOUND_TO = _is_as_given(SESSION.c.bound_key)
_UNMOVED = (_IS_SESSION, *(_is_as_given(SESSION.c[name]) for name in COMPARED_COLUMNS))
_SESSION_IDS: BindParameter[str] = bindparam("session_ids", expanding=True)
_IS_KEY = SIGNING_KEY.c.kid == given(SIGNING_KEY.c.kid)
_LIMIT: BindParameter[int] = bindparam("limit", type_=Integer)

_AFTER = SESSION.c.session_id > bindparam("after_session_id", type_=SESSION.c.session_id.type)

INSERT = insert(SESSION).execution_options(preserve_rowcount=True)
FIND = select(*SESSION_ROW).where(_IS_SESSION)
REPLACE = update(SESSION).where(*_UNMOVED)
DELETE = delete(SESSION).where(_IS_SESSION)
DELETE_UNMOVED = delete(SESSION).where(*_UNMOVED)
DELETE_VERSION = delete(SESSION).where(_IS_SESSION, _IS_VERSION)
UPDATE = update(SESSION).where(_IS_SESSION, _IS_VERSION).values(version=SESSION.c.version + 1)
LOCK_SESSIONS_OF = (
    select(*SESSION_ROW)
    .where(
        SESSION.c.user_id == given(SESSION.c.user_id),
        SESSION.c.session_id != bindparam("keep", type_=SESSION.c.session_id.type),
    )
    .limit(_LIMIT)
    .with_for_update()
)
_DIGEST: BindParameter[bytes] = bindparam("digest", type_=ONCE.c.digest.type)
LOCK_EXTERNAL = (
    select(*SESSION_ROW)
    .where(or_(SESSION.c.external_session == _DIGEST, SESSION.c.external_subject == _DIGEST))
    .limit(_LIMIT)
    .with_for_update()
)
LOCK_USER = {
    dialect: insert_or_lock(USER, dialect=dialect).execution_options(preserve_rowcount=True) for dialect in DIFFERENCES
}
"""By dialect: locks the row of a user in a tenant."""
DELETE_THESE = delete(SESSION).where(SESSION.c.session_id.in_(_SESSION_IDS))

DELETE_THESE_RETURNING = DELETE_THESE.returning(*SESSION_ROW)
LOCK_THESE = select(*SESSION_ROW).where(SESSION.c.session_id.in_(_SESSION_IDS)).with_for_update()

INSERT_KEY = insert(SIGNING_KEY).execution_options(preserve_rowcount=True)
SIGNING_KEYS = select(*KEY_ROW).order_by(SIGNING_KEY.c.family, SIGNING_KEY.c.sequence)
REPLACE_KEY = update(SIGNING_KEY).where(_IS_KEY, SIGNING_KEY.c.secret_kid == given(SIGNING_KEY.c.secret_kid))
DELETE_KEY = delete(SIGNING_KEY).where(_IS_KEY)

A_DEVICE = (
    select(DEVICE.c.device)
    .where(DEVICE.c.user_id == given(DEVICE.c.user_id), DEVICE.c.tenant_id == given(DEVICE.c.tenant_id))
    .limit(1)
)
_DEVICE_ROW = (DEVICE.c.user_id, DEVICE.c.tenant_id, DEVICE.c.device)
DELETE_DEVICES = delete(DEVICE).where(tuple_(*_DEVICE_ROW).in_(bindparam("devices", expanding=True)))

CLOCK = select(Moment())
_FROM: BindParameter[int] = bindparam("from_at", type_=BigInteger)
NOTICES = (
    select(NOTICE.c.subject, NOTICE.c.kind, NOTICE.c.at, NOTICE.c.notice_id)
    .where(
        NOTICE.c.at >= _FROM,
        or_(NOTICE.c.at > _FROM, NOTICE.c.notice_id > bindparam("after_id", type_=BigInteger)),
        NOTICE.c.at <= bindparam("until", type_=BigInteger),
    )
    .order_by(NOTICE.c.at, NOTICE.c.notice_id)
    .limit(_LIMIT)
)
"""A page: what was appended at *from_at* with a greater id than *after_id*, and later."""
APPEND_NOTICES = insert(NOTICE).inline()

LOCK_NOTICES = (
    select(NOTICE.c.notice_id)
    .where(NOTICE.c.at <= bindparam("until", type_=BigInteger))
    .order_by(NOTICE.c.at)
    .limit(_LIMIT)
    .with_for_update(skip_locked=True)
)
DELETE_NOTICES = delete(NOTICE).where(NOTICE.c.notice_id.in_(bindparam("notice_ids", expanding=True)))

REMEMBER = insert(ONCE).execution_options(preserve_rowcount=True)
FIND_REMEMBERED = select(ONCE.c.digest).where(ONCE.c.digest == given(ONCE.c.digest))
DELETE_REMEMBERED = delete(ONCE).where(ONCE.c.digest.in_(bindparam("digests", expanding=True)))


class TimedStatements:
    """The statements that need the time: the database's, or with *now_given* that of the parameter `now`."""

    def __init__(self, *, now_given: bool) -> None:
        parameter = bindparam("now", type_=BigInteger)
        now = parameter if now_given else Moment()
        began = parameter if now_given else StatementMoment()
        self.rotate = _rotate(now)
        self.rotate_returning = self.rotate.returning(*SESSION_ROW)
        self.get = _get()
        self.acknowledge = (
            update(SESSION)
            .where(_IS_SESSION, _IS_CURRENT, SESSION.c.acknowledged.is_(False))
            .values(acknowledged=True, used=bindparam("issue_id", type_=SESSION.c.used.type), used_at=now)
        )
        self.bind = (
            update(SESSION)
            .where(_IS_SESSION, SESSION.c.bound_key.is_(None), SESSION.c.deadline > now)
            .values(bound_key=bindparam("new_bound_key", type_=SESSION.c.bound_key.type))
        )
        self.sessions_of = (
            select(*SESSION_ROW)
            .where(SESSION.c.user_id == given(SESSION.c.user_id), SESSION.c.deadline > began, _AFTER)
            .order_by(SESSION.c.session_id)
            .limit(_LIMIT)
        )
        self.living = select(*LIVING_ROW).where(
            SESSION.c.user_id == given(SESSION.c.user_id),
            SESSION.c.tenant_id == given(SESSION.c.tenant_id),
            SESSION.c.deadline > began,
        )
        self.lock_expired = (
            select(SESSION.c.session_id)
            .where(SESSION.c.deadline <= began)
            .order_by(SESSION.c.deadline)
            .limit(_LIMIT)
            .with_for_update(skip_locked=True)
        )
        self.lock_passed = (
            select(ONCE.c.digest)
            .where(ONCE.c.until <= began)
            .order_by(ONCE.c.until)
            .limit(_LIMIT)
            .with_for_update(skip_locked=True)
        )
        self.delete_expired = DELETE_THESE.where(SESSION.c.deadline <= began)
        self.sightings = TimedSightings(now, began)
        self.note = insert(NOTICE).values(at=now).inline()


class TimedSightings:
    """Those of them that are about what was seen, *now* and when the statement *began*."""

    def __init__(self, now: ColumnElement[int], began: ColumnElement[int]) -> None:
        self.touch = (
            update(SESSION)
            .where(SESSION.c.session_id.in_(_SESSION_IDS), SESSION.c.deadline > now)
            .values(last_seen_at=now)
        )
        self.prolong = self.touch.values(idle_expires_at=_idle_deadline(now))
        self.see_device = (
            update(DEVICE).where(*(column == given(column) for column in _DEVICE_ROW)).values(last_seen_at=now)
        )
        self.lock_devices = (
            select(*_DEVICE_ROW)
            .where(DEVICE.c.last_seen_at <= began - DEVICE_KEPT)
            .order_by(DEVICE.c.last_seen_at)
            .limit(_LIMIT)
            .with_for_update(skip_locked=True)
        )
        self.insert_device = insert(DEVICE).values(last_seen_at=now).execution_options(preserve_rowcount=True)


def _idle_deadline(now: ColumnElement[int]) -> Least:
    wished = now + coalesce(SESSION.c.idle_timeout, bindparam("configured_idle_timeout", type_=BigInteger))
    return Least(wished, coalesce(SESSION.c.absolute_expires_at, wished))


def _rotate(now: ColumnElement[int]) -> Update:
    return (
        update(SESSION)
        .where(
            _IS_SESSION,
            _IS_GENERATION,
            _IS_CURRENT,
            _IS_BOUND_TO,
            SESSION.c.window_at + bindparam("debounce", type_=BigInteger) <= now,
            SESSION.c.deadline > now,
        )
        .ordered_values(
            # In this order: MySQL assigns one after the other, and would copy the successor.
            (SESSION.c.previous, SESSION.c.current),
            (SESSION.c.current, bindparam("successor", type_=SESSION.c.current.type)),
            (SESSION.c.current_kid, bindparam("successor_kid", type_=Integer)),
            (SESSION.c.generation, SESSION.c.generation + 1),
            (SESSION.c.window_at, now),
            (SESSION.c.acknowledged, False),
            (SESSION.c.exchanged, bindparam("issue_id", type_=SESSION.c.exchanged.type)),
            (SESSION.c.crossed, SESSION.c.crossed * 2 % 2**CROSSED_EXCHANGES),
            *((column, bindparam(f"new_{column.name}", type_=column.type)) for column in _CIRCUMSTANCES),
            (SESSION.c.idle_expires_at, _idle_deadline(now)),
        )
    )


def _get() -> Sessions:
    """Return one row in any case: the clock, and beside it the session or nothing."""
    one = select(literal_column("1")).subquery()
    return select(Moment(), *SESSION_ROW).select_from(one.outerjoin(SESSION, _IS_SESSION))


def in_tenant(statement: Sessions, tenant_id: str | None) -> Sessions:
    """Return *statement*, restricted to the tenant if one is given."""
    return statement if tenant_id is None else statement.where(SESSION.c.tenant_id == given(SESSION.c.tenant_id))


def delete_these(chosen: Sessions) -> Executable:
    """Return the statement that deletes the sessions that *chosen* selects, and returns them. Not for MySQL."""
    # A CTE is evaluated once, however often the planner would look into it. It is nested because Python's driver of SQLite
    # opens a transaction only for a statement that begins with DELETE.
    these = chosen.cte("these", nesting=True)
    return delete(SESSION).where(SESSION.c.session_id.in_(select(these.c.session_id))).returning(*SESSION_ROW)


def user_parameters(user_id: str, tenant_id: str | None) -> Parameters:
    """Return what `in_tenant` statements about a user are given."""
    tenant = {} if tenant_id is None else {"given_tenant_id": tenant_id}
    return {"given_user_id": user_id, **tenant}


def rotation_parameters(rotation: Rotation) -> Parameters:
    """Return what `rotate` is given."""
    return {
        "given_session_id": rotation.session_id,
        "given_generation": rotation.generation,
        "given_current": rotation.presented,
        "given_bound_key": rotation.proved,
        "issue_id": rotation.issue_id,
        "successor": rotation.successor,
        "successor_kid": rotation.successor_kid,
        "debounce": rotation.debounce,
        "configured_idle_timeout": rotation.idle_timeout,
        **dict(zip(_NEW_CIRCUMSTANCES, circumstances_row(rotation.circumstances), strict=True)),
    }


def unmoved_parameters(session_id: str, expected: Lineage) -> Parameters:
    """Return what `REPLACE` and `DELETE_UNMOVED` compare with."""
    return {"given_session_id": session_id, **dict(zip(_GIVEN_COMPARED, compared_row(expected), strict=True))}


def columns(names: Sequence[str], row: Row) -> Parameters:
    """Return *row* as what is written to the columns of these *names*."""
    return dict(zip(names, row, strict=True))
