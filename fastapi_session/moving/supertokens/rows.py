"""A row of `session_info` as a session, or why it is none.

| the row has | then |
|---|---|
| a handle or a tenant that the core would not write, a hash that is none, a moment beyond all calendars | not taken |
| a user id that is mapped twice, or is empty | not taken |
| a payload or data that are no JSON object, or too large or too deep for a store of ours | not taken |
| NULL as payload or data | taken, as empty; the core itself cannot read such a row |
| a payload with names of claims that the tokens have themselves | taken, without these; of `iss` nothing is said, every SDK puts it there |
| a previous hash that is none | taken, without it |
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi_session.core.access_token import RESERVED_CLAIMS
from fastapi_session.core.payload import checked_tenant, is_name, json_object
from fastapi_session.errors import PayloadError
from fastapi_session.foreign_sessions import ForeignSession
from fastapi_session.json_types import JsonObject
from fastapi_session.model import MAX_OBJECT
from fastapi_session.moving.supertokens.handles import session_id_of

_HASH = re.compile(r"[0-9a-f]{64}")
_LATEST = 253_402_300_800_000
"""Milliseconds until the year 10000, which no datetime can say."""
_WRITTEN_BY_THE_SDK = frozenset({"iss"})
"""What every SDK puts into the payload itself: nothing of the application's is lost with it, so it deserves no remark."""


@dataclass(frozen=True, slots=True)
class Remark:
    """What is to be said of the session *handle* of the other system: a *reason*, in words, and whether it was *taken* none the less."""

    handle: str
    tenant_id: str
    reason: str
    taken: bool


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A row as it was read. Of a text that is larger than `MAX_OBJECT` there is only the size, in bytes; no text and no size is NULL."""

    tenant_id: str
    handle: str
    user_id: str
    current: str = field(repr=False)
    created_at: int
    expires_at: int
    payload: str | None = field(repr=False)
    payload_size: int | None
    data: str | None = field(repr=False)
    data_size: int | None
    previous: str | None = field(repr=False, default=None)
    rotated_at: int | None = None


@dataclass(frozen=True, slots=True)
class ReadRow:
    """The *session* of a row, `None` if it cannot be taken, and what is to be said of it."""

    session: ForeignSession | None
    remarks: Sequence[Remark] = ()


class _Unfit(Exception):
    """The row cannot be taken: in words, without a value of it."""


def read(row: SessionRow, *, user_id: str | None) -> ReadRow:
    """Return what *row* is, whose user is *user_id*; `None` says that this is not certain."""
    asides: list[str] = []
    try:
        session = _session(row, user_id=user_id, asides=asides)
    except _Unfit as unfit:
        return ReadRow(None, [Remark(row.handle, row.tenant_id, str(unfit), taken=False)])
    return ReadRow(session, [Remark(row.handle, row.tenant_id, aside, taken=True) for aside in asides])


def _session(row: SessionRow, *, user_id: str | None, asides: list[str]) -> ForeignSession:
    session_id = _session_id(row)
    if user_id is None:
        raise _Unfit("user_id is mapped twice: it is the external id of one user, and the core's id of another")
    if not is_name(user_id) or not is_name(row.user_id):
        raise _Unfit("user_id is no id: it is empty, or has a character that no store keeps")
    if not _HASH.fullmatch(row.current):
        raise _Unfit("refresh_token_hash_2 is no SHA-256")
    if not 0 <= row.created_at < _LATEST or not 0 <= row.expires_at < _LATEST:
        raise _Unfit("created_at_time or expires_at is no moment in milliseconds")
    payload = _object(row.payload, row.payload_size, "jwt_user_payload", asides=asides)
    return ForeignSession(
        session_id=session_id,
        tenant_id=row.tenant_id,
        user_id=user_id,
        recipe_user_id=row.user_id,
        access_token_payload=_unprotected(payload, asides=asides),
        session_data=_object(row.data, row.data_size, "session_data", asides=asides),
        created_at=row.created_at,
        expires_at=row.expires_at,
        current=bytes.fromhex(row.current),
        previous=_previous(row, asides=asides),
        rotated_at=row.rotated_at,
    )


def _session_id(row: SessionRow) -> str:
    try:
        session_id = session_id_of(row.handle, checked_tenant(row.tenant_id))
    except PayloadError as error:
        raise _Unfit(str(error)) from error
    if session_id is None:
        raise _Unfit("session_handle is no UUID, with _ and the tenant after it unless that is public")
    return session_id


def _previous(row: SessionRow, *, asides: list[str]) -> bytes | None:
    if row.previous is None or _HASH.fullmatch(row.previous):
        return None if row.previous is None else bytes.fromhex(row.previous)
    asides.append("prev_refresh_token_hash_2 is no SHA-256, and was left out")
    return None


def _object(text: str | None, size: int | None, name: str, *, asides: list[str]) -> JsonObject:
    if size is None:
        asides.append(f"{name} is NULL, and was taken as empty")
        return {}
    if text is None:
        raise _Unfit(f"{name} is too large: more than {MAX_OBJECT} bytes")
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _Unfit(f"{name} is no JSON") from error
    if not isinstance(value, dict):
        raise _Unfit(f"{name} is no JSON object")
    try:
        return json_object(value, name)
    except PayloadError as error:
        raise _Unfit(str(error)) from error


def _unprotected(payload: JsonObject, *, asides: list[str]) -> JsonObject:
    protected = sorted((RESERVED_CLAIMS - _WRITTEN_BY_THE_SDK) & payload.keys())
    if protected:
        asides.append(f"jwt_user_payload has names of the tokens' own, which were left out: {', '.join(protected)}")
    return {name: value for name, value in payload.items() if name not in RESERVED_CLAIMS}
