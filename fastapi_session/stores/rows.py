"""A record as a row of columns, and back: the one serialiser of every store that keeps text and numbers.

A row has the fields of its record, in the order of the dataclasses of `model`: those of `Circumstances` and of `Lineage`
are in the place of the field that holds them. Each column is named after its field. What a store has to know of a column is
said once, in the tables `SESSION`, `KEY`, `NOTICE` and `EVENT`. All else is derived from them at import, for sessions:

| | |
|---|---|
| `SESSION_COLUMNS`, `session_row` | the whole row |
| `CIRCUMSTANCES_COLUMNS`, `circumstances_row` | the slice that a rotation takes from the request |
| `LINEAGE_COLUMNS`, `lineage_row` | the slice that `replace` writes |
| `COMPARED_COLUMNS`, `compared_row` | what compare-and-set compares |
| `ADDED_COLUMNS` | columns added later, with their default |

To add a field to a session:

| step | what to know |
|---|---|
| its dataclass in `model` | `Circumstances` if each rotation takes it from the request, `Lineage` if the rotation table changes it, else `SessionRecord`. At the end and with a default, so that constructors go on to work |
| `SESSION`, here | *before* is its value in rows that were written without it: always needed once a version was released |
| `sqlite/schema.py` | a new entry at the end of `MIGRATIONS`. Processes of an older version then refuse the file |
| `sql/tables.py`, and a file in `sql/migrations/versions` | `ExactText` if a statement compares it, else `Text`. `BRINGS` names the column: `migrate` adopts tables by it |
| its value | `NewSessions.record`, and up from there: `Sessions.create`, `create_new_session_in_request` (`web/creating.py`) and `CreateSession` (`web/dependencies.py`). `SessionInformation` if it may be read |

The contract of stores tests it then. A user's own store has to keep it too: say so in the changelog.

Payloads are JSON text with sorted keys and no spaces, so that equal payloads are equal text.

What a database keeps can be damaged, or changed by another hand. So each column is looked at before anybody relies on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter, itemgetter
from typing import Any

from fastapi_session.audit import Audit, EventRecord
from fastapi_session.model import (
    DEFAULT_KIND,
    Actor,
    Circumstances,
    Json,
    Lineage,
    Notice,
    SessionRecord,
    SigningKeyRecord,
)
from fastapi_session.stores.columns import YEAR_10000, Column, Kind, Row, Rows, Unreadable
from fastapi_session.stores.frozen import maker

SESSION: Mapping[str, Column] = {
    "session_id": Column(Kind.TEXT),
    "tenant_id": Column(Kind.TEXT),
    "user_id": Column(Kind.TEXT),
    "recipe_user_id": Column(Kind.TEXT),
    "access_token_payload": Column(Kind.JSON),
    "session_data": Column(Kind.JSON),
    "version": Column(Kind.NUMBER),
    "created_at": Column(Kind.DATETIME),
    "ip_address": Column(Kind.TEXT, optional=True),
    "user_agent": Column(Kind.TEXT, optional=True),
    "generation": Column(Kind.NUMBER, compared=True),
    "current": Column(Kind.BYTES, compared=True),
    "previous": Column(Kind.BYTES, optional=True),
    "current_kid": Column(Kind.NUMBER),
    "window_at": Column(Kind.DATETIME, compared=True),
    "acknowledged": Column(Kind.BOOLEAN, compared=True),
    "idle_expires_at": Column(Kind.DATETIME),
    "absolute_expires_at": Column(Kind.NUMBER, optional=True),
    "exchanged": Column(Kind.BYTES, optional=True, compared=True, before="null"),
    "used": Column(Kind.BYTES, optional=True, before="null"),
    "used_at": Column(Kind.NUMBER, before="0"),
    "crossed": Column(Kind.NUMBER, compared=True, before="0"),
    "idle_timeout": Column(Kind.NUMBER, optional=True, before="null"),
    "kind": Column(Kind.TEXT, before=f'"{DEFAULT_KIND}"'),
    "persistent": Column(Kind.BOOLEAN, before="true"),
    "factors": Column(Kind.JSON, before='"{}"'),
    "acr": Column(Kind.TEXT, optional=True, before="null"),
    "first_ip_address": Column(Kind.TEXT, optional=True, before="null"),
    "first_user_agent": Column(Kind.TEXT, optional=True, before="null"),
    "label": Column(Kind.TEXT, optional=True, before="null"),
    "actor": Column(Kind.TEXT, optional=True, before="null"),
    "actor_session": Column(Kind.TEXT, optional=True, before="null"),
    "impersonation_reason": Column(Kind.TEXT, optional=True, before="null"),
    "external_session": Column(Kind.BYTES, optional=True, before="null"),
    "external_subject": Column(Kind.BYTES, optional=True, before="null"),
    "last_seen_at": Column(Kind.DATETIME, before="0"),
    "source": Column(Kind.TEXT, optional=True, before="null"),
    "bound_key": Column(Kind.TEXT, optional=True, before="null"),
}

# Of this one the order counts too: Redis keeps a key's row as an array, so what comes is appended.
KEY: Mapping[str, Column] = {
    "kid": Column(Kind.TEXT),
    "family": Column(Kind.TEXT),
    "sequence": Column(Kind.NUMBER),
    "algorithm": Column(Kind.TEXT),
    "public_jwk": Column(Kind.JSON),
    "private_key": Column(Kind.BYTES),
    "secret_kid": Column(Kind.NUMBER),
    "created_at": Column(Kind.NUMBER),
    "activates_at": Column(Kind.NUMBER),
    "token_lifetime": Column(Kind.NUMBER),
}

EVENT: Mapping[str, Column] = {
    "event_id": Column(Kind.TEXT),
    "at": Column(Kind.DATETIME),
    "name": Column(Kind.TEXT),
    "session_id": Column(Kind.TEXT),
    "tenant_id": Column(Kind.TEXT),
    "user_id": Column(Kind.TEXT),
    "kind": Column(Kind.TEXT),
    "body": Column(Kind.JSON),
}

NOTICE: Mapping[str, Column] = {"subject": Column(Kind.TEXT), "kind": Column(Kind.TEXT), "at": Column(Kind.NUMBER)}


def _names(record: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(record))


CIRCUMSTANCES_COLUMNS = _names(Circumstances)
LINEAGE_COLUMNS = _names(Lineage)
KEY_COLUMNS = _names(SigningKeyRecord)
NOTICE_COLUMNS = _names(Notice)
_ACTOR = _names(Actor)
EVENT_COLUMNS = _names(EventRecord)
ACTOR_COLUMNS = ("actor", "actor_session", "impersonation_reason")
WHOSE_COLUMNS = ("session_id", "tenant_id", "user_id", "kind", *ACTOR_COLUMNS)
"""What an event has of the session that it is about."""

_PARTS = {"circumstances": CIRCUMSTANCES_COLUMNS, "lineage": LINEAGE_COLUMNS}
_PATHS = [
    path for name in _names(SessionRecord) for path in [f"{name}.{each}" for each in _PARTS.get(name, ())] or [name]
]
"""Of each column of a session, the path to its field from the record."""

SESSION_COLUMNS = tuple(path.rpartition(".")[-1] for path in _PATHS)
COMPARED_COLUMNS = tuple(name for name in LINEAGE_COLUMNS if SESSION[name].compared)
ADDED_COLUMNS = {name: column.before for name, column in SESSION.items() if column.before is not None}

# One call in C makes the whole row: a row is written at every sign-in.
_values_of_session: Callable[[SessionRecord], Row] = attrgetter(*_PATHS)
whose: Callable[[Row], Row] = itemgetter(*map(SESSION_COLUMNS.index, WHOSE_COLUMNS))
"""Return what an event has of the session in a row."""
_values_of_key: Callable[[SigningKeyRecord], Row] = attrgetter(*KEY_COLUMNS)
circumstances_row: Callable[[Circumstances], Row] = attrgetter(*CIRCUMSTANCES_COLUMNS)
lineage_row: Callable[[Lineage], Row] = attrgetter(*LINEAGE_COLUMNS)
compared_row: Callable[[Lineage], Row] = attrgetter(*COMPARED_COLUMNS)


def _slice(part: Sequence[str]) -> slice:
    first = SESSION_COLUMNS.index(part[0])
    return slice(first, first + len(part))


_CIRCUMSTANCES, _LINEAGE = _slice(CIRCUMSTANCES_COLUMNS), _slice(LINEAGE_COLUMNS)
_session, _circumstances, _lineage = maker(SessionRecord), maker(Circumstances), maker(Lineage)
_SESSION_ROWS = Rows(SESSION_COLUMNS, SESSION)
_KEY_ROWS = Rows(KEY_COLUMNS, KEY)
_NOTICE_ROWS = Rows(NOTICE_COLUMNS, NOTICE)
_EVENT_ROWS = Rows(EVENT_COLUMNS, EVENT)


def session_row(record: SessionRecord) -> Row:
    """Return *record* as a row. Raises ValueError or TypeError for a payload that JSON cannot encode."""
    return _SESSION_ROWS.write(_values_of_session(record))


def session_record(row: Row) -> SessionRecord:
    """Return the record that `session_row` wrote. Raises `Unreadable` for what it never writes."""
    values = _SESSION_ROWS.read(row)
    # The later part first: the places of the earlier one stay as they are.
    values[_LINEAGE] = [_lineage(*values[_LINEAGE])]
    values[_CIRCUMSTANCES] = [_circumstances(*values[_CIRCUMSTANCES])]
    record = _session(*values)
    # What the kind of a column does not say. No token is made of it that nobody could read.
    if record.factors and not all(type(at) is int and 0 <= at < YEAR_10000 for at in record.factors.values()):
        raise Unreadable("factors")
    if record.actor is not None and record.actor_session is None:
        raise Unreadable("actor_session")
    return record


def lineage_of(row: Row) -> Lineage:
    """Return the lineage in *row*, a session that was not looked at."""
    return Lineage(*row[_LINEAGE])


def moved_on(row: Row, circumstances: Circumstances, lineage: Lineage) -> Row:
    """Return *row*, a session, with the *circumstances* and the *lineage* of its next refresh token."""
    changed = [*row]
    changed[_CIRCUMSTANCES], changed[_LINEAGE] = circumstances_row(circumstances), lineage_row(lineage)
    return tuple(changed)


def key_row(record: SigningKeyRecord) -> Row:
    """Return *record* as a row. Raises ValueError or TypeError for a public key that JSON cannot encode."""
    return _KEY_ROWS.write(_values_of_key(record))


def key_record(row: Row) -> SigningKeyRecord:
    """Return the record that `key_row` wrote. Raises `Unreadable` for what it never writes."""
    return SigningKeyRecord(*_KEY_ROWS.read(row))


def event_rows(audit: Audit, sessions: Iterable[Row], *, at: int) -> list[Row]:
    """Return the rows of the events of *audit*, of the *sessions* that are said by `WHOSE_COLUMNS`, *at* a moment."""
    return [
        _EVENT_ROWS.write((audit.event_id(session_id), at, audit.name, session_id, *others, _acted(audit.body, actor)))
        for session_id, *others, actor in map(_whose_and_actor, sessions)
    ]


def _whose_and_actor(session: Row) -> Row:
    return *session[: -len(ACTOR_COLUMNS)], session[-len(ACTOR_COLUMNS) :]


def _acted(body: Json, actor: Row) -> Json:
    """Return the *body* of an event with what `ACTOR_COLUMNS` say of the *actor*, if there is one."""
    # A damaged row must not fail the change of which the event tells.
    if actor[0] is None or not all(isinstance(each, str | None) for each in actor):
        return body
    return {**body, "actor": dict(zip(_ACTOR, actor, strict=True))}


def event_of(row: Row) -> EventRecord:
    """Return the event in *row*. Raises `Unreadable` for what `event_rows` never writes."""
    return EventRecord(*_EVENT_ROWS.read(row))


def notice_of(row: Row) -> Notice:
    """Return the notice in *row*, of whatever kind: newer versions may know more. Raises `Unreadable`."""
    return Notice(*_NOTICE_ROWS.read(row))
