"""The SQL of the SQLite store: constant text, so that each statement is parsed once a connection."""

from __future__ import annotations

from fastapi_session.model import CROSSED_EXCHANGES
from fastapi_session.stores.rows import KEY_COLUMNS, SESSION_COLUMNS
from fastapi_session.stores.sqlite.schema import DEADLINE

_SESSION = ", ".join(SESSION_COLUMNS)
_KEY = ", ".join(KEY_COLUMNS)
_UNMOVED = """
    session_id = :session_id
    AND generation = :expected_generation AND current = :expected_current
    AND acknowledged = :expected_acknowledged AND window_at = :expected_window_at
    AND exchanged IS :expected_exchanged AND crossed = :expected_crossed
"""
_OF_USER = "user_id = :user_id AND (:tenant_id IS NULL OR tenant_id = :tenant_id)"

INSERT = f"INSERT INTO session ({_SESSION}) VALUES ({', '.join('?' * len(SESSION_COLUMNS))})"

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
        ip_address = :ip_address,
        user_agent = :user_agent,
        idle_expires_at = min(:now + :idle_timeout, ifnull(absolute_expires_at, :now + :idle_timeout))
    WHERE session_id = :session_id AND generation = :generation AND current = :presented
        AND window_at + :debounce <= :now AND {DEADLINE} > :now
    RETURNING {_SESSION}
"""

GET = f"SELECT {_SESSION} FROM session WHERE session_id = ?"

REPLACE = f"""
    UPDATE session SET
        generation = :generation,
        current = :current,
        previous = :previous,
        current_kid = :current_kid,
        window_at = :window_at,
        acknowledged = :acknowledged,
        idle_expires_at = :idle_expires_at,
        absolute_expires_at = :absolute_expires_at,
        exchanged = :exchanged,
        used = :used,
        used_at = :used_at,
        crossed = :crossed
    WHERE {_UNMOVED}
"""

DELETE = "DELETE FROM session WHERE session_id = ? RETURNING session_id"

DELETE_SUPERSEDED = "DELETE FROM session WHERE session_id = ?"

DELETE_UNMOVED = f"DELETE FROM session WHERE {_UNMOVED} RETURNING session_id"

ACKNOWLEDGE = """
    UPDATE session SET acknowledged = TRUE, used = ?, used_at = ?
    WHERE session_id = ? AND current = ? AND NOT acknowledged
"""

UPDATE = """
    UPDATE session SET version = version + 1, access_token_payload = :access_token_payload, session_data = :session_data
    WHERE session_id = :session_id AND version = :version
"""

SESSIONS_OF = f"""
    SELECT {_SESSION}, tenant_id, rowid FROM session
    WHERE {_OF_USER} AND (tenant_id, rowid) > (:after_first, :after_second) AND {DEADLINE} > :now
    ORDER BY tenant_id, rowid LIMIT :limit
"""

DELETE_SESSIONS_OF = f"""
    DELETE FROM session
    WHERE rowid IN (SELECT rowid FROM session WHERE {_OF_USER} AND session_id IS NOT :keep LIMIT :limit)
    RETURNING {_SESSION}
"""

DELETE_EXPIRED = f"""
    DELETE FROM session WHERE rowid IN (SELECT rowid FROM session WHERE {DEADLINE} <= :now LIMIT :limit)
"""

INSERT_KEY = f"""
    INSERT INTO signing_key ({_KEY}) VALUES ({", ".join("?" * len(KEY_COLUMNS))}) ON CONFLICT DO NOTHING
"""

SIGNING_KEYS = f"SELECT {_KEY} FROM signing_key ORDER BY family, sequence"

REPLACE_KEY = f"""
    UPDATE signing_key SET {", ".join(f"{name} = :{name}" for name in KEY_COLUMNS if name != "kid")}
    WHERE kid = :kid AND secret_kid = :expected_secret_kid
"""

DELETE_KEY = "DELETE FROM signing_key WHERE kid = ?"

NOTE = "INSERT INTO notice (subject, kind, at) VALUES (?, ?, ?)"

NOTICES = """
    SELECT subject, kind, at, rowid FROM notice WHERE (at, rowid) > (:after_first, :after_second) AND at <= :until
    ORDER BY at, rowid LIMIT :limit
"""

DELETE_NOTICES = "DELETE FROM notice WHERE rowid IN (SELECT rowid FROM notice WHERE at <= ? LIMIT ?)"
