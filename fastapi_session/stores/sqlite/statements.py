"""The SQL of the SQLite store, and what its statements are given: constant text, so that each is parsed once a connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastapi_session.model import CROSSED_EXCHANGES, Lineage, Rotation
from fastapi_session.stores.rows import (
    CIRCUMSTANCES_COLUMNS,
    COMPARED_COLUMNS,
    KEY_COLUMNS,
    LINEAGE_COLUMNS,
    SESSION_COLUMNS,
    circumstances_row,
    compared_row,
    lineage_row,
)
from fastapi_session.stores.sqlite.schema import DEADLINE

Parameters = dict[str, object]
"""What a statement is given, by the names in it."""


def _set(columns: Sequence[str]) -> str:
    """Return what sets *columns* to the parameters of their names."""
    return ", ".join(f"{name} = :{name}" for name in columns)


_SESSION = ", ".join(SESSION_COLUMNS)
_KEY = ", ".join(KEY_COLUMNS)
_EXPECTED = [f"expected_{name}" for name in COMPARED_COLUMNS]
# IS, since with = a NULL would equal nothing. The row is found by its id, so no index needs = here.
_UNMOVED = f"""
    session_id = :session_id AND
    {" AND ".join(f"{name} IS :{expected}" for name, expected in zip(COMPARED_COLUMNS, _EXPECTED, strict=True))}
"""
_IDLE_DEADLINE = """
    min(
        :now + ifnull(idle_timeout, :idle_timeout),
        ifnull(absolute_expires_at, :now + ifnull(idle_timeout, :idle_timeout))
    )
"""
_OF_USER = "user_id = :user_id AND (:tenant_id IS NULL OR tenant_id = :tenant_id)"

INSERT = f"INSERT INTO session ({_SESSION}) VALUES ({', '.join('?' * len(SESSION_COLUMNS))})"

# SQLite evaluates every right side before it writes: `previous` gets the hash of before, in whatever order they come.
ROTATE = f"""
    UPDATE session SET
        generation = generation + 1,
        current = :successor,
        previous = current,
        current_kid = :successor_kid,
        window_at = :now,
        acknowledged = FALSE,
        exchanged = :issue_id,
        crossed = crossed * 2 % {2**CROSSED_EXCHANGES},
        {_set(CIRCUMSTANCES_COLUMNS)},
        idle_expires_at = {_IDLE_DEADLINE}
    WHERE session_id = :session_id AND generation = :generation AND current = :presented AND bound_key IS :proved
        AND window_at + :debounce <= :now AND {DEADLINE} > :now
    RETURNING {_SESSION}
"""

# Named columns, never *: their order in the table is that of the migrations.
GET = f"SELECT {_SESSION} FROM session WHERE session_id = ?"

REPLACE = f"UPDATE session SET {_set(LINEAGE_COLUMNS)} WHERE {_UNMOVED}"

DELETE = f"DELETE FROM session WHERE session_id = ? RETURNING {_SESSION}"

DELETE_VERSION = f"DELETE FROM session WHERE session_id = ? AND version = ? RETURNING {_SESSION}"

DELETE_UNMOVED = f"DELETE FROM session WHERE {_UNMOVED} RETURNING {_SESSION}"

ACKNOWLEDGE = """
    UPDATE session SET acknowledged = TRUE, used = ?, used_at = ?
    WHERE session_id = ? AND current = ? AND NOT acknowledged
"""

BIND = f"""
    UPDATE session SET bound_key = :bound_key
    WHERE session_id = :session_id AND bound_key IS NULL AND {DEADLINE} > :now
"""

UPDATE = """
    UPDATE session
    SET version = version + 1, access_token_payload = :access_token_payload, session_data = :session_data, label = :label
    WHERE session_id = :session_id AND version = :version
"""

RENEW = f"UPDATE session SET {_set(SESSION_COLUMNS)} WHERE session_id = :session_id"

EVERY_SESSION = f"SELECT {_SESSION} FROM session WHERE session_id > :after ORDER BY session_id LIMIT :limit"

EVERY_DEVICE = """
    SELECT user_id, tenant_id, device, last_seen_at FROM device
    WHERE (user_id, tenant_id, device) > (:after_user_id, :after_tenant_id, :after_device)
    ORDER BY user_id, tenant_id, device LIMIT :limit
"""

EVERY_REMEMBERED = "SELECT digest, until FROM once WHERE digest > :after ORDER BY digest LIMIT :limit"

SESSIONS_OF = f"""
    SELECT {_SESSION}, tenant_id, rowid FROM session
    WHERE {_OF_USER} AND (tenant_id, rowid) > (:after_first, :after_second) AND {DEADLINE} > :now
    ORDER BY tenant_id, rowid LIMIT :limit
"""

LIVING = f"""
    SELECT session_id, kind, actor, window_at FROM session WHERE {_OF_USER} AND {DEADLINE} > :now
"""

DELETE_SESSIONS_OF = f"""
    DELETE FROM session
    WHERE rowid IN (SELECT rowid FROM session WHERE {_OF_USER} AND session_id IS NOT :keep LIMIT :limit)
    RETURNING {_SESSION}
"""

# Two look-ups, one for each partial index.
DELETE_EXTERNAL = f"""
    DELETE FROM session
    WHERE rowid IN (
        SELECT rowid FROM session WHERE external_session = :digest
        UNION SELECT rowid FROM session WHERE external_subject = :digest
        LIMIT :limit
    )
    RETURNING {_SESSION}
"""

DELETE_EXPIRED = f"""
    DELETE FROM session WHERE rowid IN (SELECT rowid FROM session WHERE {DEADLINE} <= :now LIMIT :limit)
"""

RETURNING = f" RETURNING {_SESSION}"
"""At the end of a statement that returns no sessions by itself, where events need them."""

TOUCH = f"""
    UPDATE session SET last_seen_at = :now
    WHERE session_id IN (SELECT value FROM json_each(:session_ids)) AND {DEADLINE} > :now
"""

PROLONG = f"""
    UPDATE session SET
        last_seen_at = :now,
        idle_expires_at = {_IDLE_DEADLINE}
    WHERE session_id IN (SELECT value FROM json_each(:session_ids)) AND {DEADLINE} > :now
"""

SEE_DEVICE = """
    UPDATE device SET last_seen_at = :now WHERE user_id = :user_id AND tenant_id = :tenant_id AND device = :device
"""

A_DEVICE = "SELECT 1 FROM device WHERE user_id = :user_id AND tenant_id = :tenant_id LIMIT 1"

INSERT_DEVICE = """
    INSERT INTO device (user_id, tenant_id, device, last_seen_at) VALUES (:user_id, :tenant_id, :device, :now)
"""

DELETE_DEVICES = """
    DELETE FROM device WHERE (user_id, tenant_id, device) IN
        (SELECT user_id, tenant_id, device FROM device WHERE last_seen_at <= ? LIMIT ?)
"""

INSERT_KEY = f"""
    INSERT INTO signing_key ({_KEY}) VALUES ({", ".join("?" * len(KEY_COLUMNS))}) ON CONFLICT DO NOTHING
"""

SIGNING_KEYS = f"SELECT {_KEY} FROM signing_key ORDER BY family, sequence"

REPLACE_KEY = f"""
    UPDATE signing_key SET {_set(KEY_COLUMNS)}
    WHERE kid = :kid AND secret_kid = :expected_secret_kid
"""

DELETE_KEY = "DELETE FROM signing_key WHERE kid = ?"

NOTE = "INSERT INTO notice (subject, kind, at) VALUES (?, ?, ?)"

NOTICES = """
    SELECT subject, kind, at, rowid FROM notice WHERE (at, rowid) > (:after_first, :after_second) AND at <= :until
    ORDER BY at, rowid LIMIT :limit
"""

DELETE_NOTICES = "DELETE FROM notice WHERE rowid IN (SELECT rowid FROM notice WHERE at <= ? LIMIT ?)"

ONCE = "INSERT INTO once (digest, until) VALUES (?, ?) ON CONFLICT DO NOTHING"

IS_REMEMBERED = "SELECT 1 FROM once WHERE digest = ?"

DELETE_REMEMBERED = "DELETE FROM once WHERE digest IN (SELECT digest FROM once WHERE until <= ? LIMIT ?)"


def rotation_parameters(rotation: Rotation, *, now: int) -> Parameters:
    """Return what `ROTATE` is given."""
    return {
        "session_id": rotation.session_id,
        "generation": rotation.generation,
        "presented": rotation.presented,
        "issue_id": rotation.issue_id,
        "successor": rotation.successor,
        "successor_kid": rotation.successor_kid,
        "proved": rotation.proved,
        "debounce": rotation.debounce,
        "idle_timeout": rotation.idle_timeout,
        "now": now,
        **dict(zip(CIRCUMSTANCES_COLUMNS, circumstances_row(rotation.circumstances), strict=True)),
    }


def unmoved_parameters(session_id: str, expected: Lineage) -> Parameters:
    """Return what `DELETE_UNMOVED` is given, and `REPLACE` beside the new lineage."""
    return {"session_id": session_id, **dict(zip(_EXPECTED, compared_row(expected), strict=True))}


def replace_parameters(session_id: str, *, expected: Lineage, lineage: Lineage) -> Parameters:
    """Return what `REPLACE` is given."""
    new = dict(zip(LINEAGE_COLUMNS, lineage_row(lineage), strict=True))
    return {**new, **unmoved_parameters(session_id, expected)}


OVERDUE: Mapping[str, str] = {
    what: f"SELECT count(*) FROM (SELECT 1 FROM {rows} <= ? LIMIT ?)"
    for what, rows in {
        "sessions": f"session WHERE {DEADLINE}",
        "notices": "notice WHERE at",
        "events": "event WHERE at",
        "digests": "once WHERE until",
        "devices": "device WHERE last_seen_at",
    }.items()
}
"""How much there is whose time was over at a moment, counted up to a number: by what it is."""
