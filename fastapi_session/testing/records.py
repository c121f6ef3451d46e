"""Records to put into a store: complete and distinct, so that a test names only what matters to it.

What the contract of stores says of every field is made here from the fields themselves, so that one that is added is tested
like the others.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from datetime import timedelta
from hashlib import sha256
from typing import Any, TypeVar

from fastapi_session.model import NOT_KNOWN, Circumstances, Json, Lineage, Rotation, SessionRecord, SigningKeyRecord
from fastapi_session.stores.columns import Kind
from fastapi_session.stores.rows import COMPARED_COLUMNS, LINEAGE_COLUMNS, SESSION

Part = TypeVar("Part", SessionRecord, Circumstances, Lineage)
"""A session's record, or a part of it that has columns of its own."""

SECOND = 1_000
DEBOUNCE = 30 * SECOND
IDLE_TIMEOUT = 3_600 * SECOND


def digest(text: str) -> bytes:
    """Return 32 bytes that stand for the hash of the refresh token called *text*."""
    return sha256(text.encode()).digest()


def issue_id(text: str) -> bytes:
    """Return 9 bytes that stand for the issue id of the refresh token called *text*."""
    # As long as a real one: a column of MySQL has room for no more.
    return digest(text)[:9]


def bound_key(text: str) -> str:
    """Return the name of the device's key called *text*, as long as a real one."""
    return f"dbsc:{urlsafe_b64encode(digest(text)).decode().rstrip('=')}"


def new_session(name: str, *, now: int, lineage: Json | None = None, **fields: Any) -> SessionRecord:
    """Return the record of a session created at *now* (milliseconds), with *fields* and *lineage* as said."""
    record = SessionRecord(
        session_id=sha256(name.encode()).hexdigest()[:32],
        tenant_id="public",
        user_id="user",
        # Another than the user's id, so that a store which mixes them up is found.
        recipe_user_id="recipe-user",
        # What goes wrong if a store reads or writes JSON in a way of its own.
        access_token_payload={"role": "admin", "nested": {"list": [1, 2.5, None, True, "ü"]}},
        session_data={"cart": ["apple"]},
        version=0,
        circumstances=NOT_KNOWN,
        created_at=now,
        lineage=Lineage(
            generation=0,
            current=digest("S0"),
            previous=None,
            current_kid=1,
            window_at=now,
            acknowledged=True,
            idle_expires_at=now + IDLE_TIMEOUT,
            absolute_expires_at=None,
            used=issue_id("S0"),
            used_at=now,
        ),
    )
    return replace(record, lineage=replace(record.lineage, **(lineage or {})), **fields)


def full_session(name: str, *, now: int, lineage: Json | None = None, **said: Any) -> SessionRecord:
    """Return the record of a session as `new_session` does, but no field is `None` or has its default, unless that is *said*.

    So a store that forgets a field, be it one of the next version, gives another record back.
    """
    record = new_session(
        name,
        now=now,
        tenant_id="t1",
        version=7,
        # The absolute deadline is the later one, so that a rotation is not cut short by it.
        lineage={"generation": 7, "acknowledged": False, "absolute_expires_at": now + 2 * IDLE_TIMEOUT},
    )
    full = replace(
        _filled(record),
        circumstances=_filled(record.circumstances),
        lineage=replace(_filled(record.lineage), **(lineage or {})),
    )
    return replace(full, **said)


def changed(part: Part, names: Iterable[str]) -> Part:
    """Return *part* with another value in each of the fields *names*."""
    return replace(part, **{name: _another(name, getattr(part, name)) for name in names})


def moved(lineage: Lineage) -> list[Lineage]:
    """Return *lineage* changed in one of the fields that compare-and-set compares, for each of them."""
    return [changed(lineage, [name]) for name in COMPARED_COLUMNS]


def unmoved(lineage: Lineage) -> Lineage:
    """Return *lineage* changed in all fields that compare-and-set does not compare."""
    return changed(lineage, [name for name in LINEAGE_COLUMNS if name not in COMPARED_COLUMNS])


_OTHERS: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.TEXT: lambda value: f"another than {value}",
    Kind.JSON: lambda value: {"another than": value},
    Kind.NUMBER: lambda value: (value or 0) + 1,
    Kind.DATETIME: lambda value: value + 1,
    # As long as before: databases bound how long a hash or an issue id is.
    Kind.BYTES: lambda value: digest(value.hex())[: len(value)] if value else issue_id("another"),
    Kind.BOOLEAN: lambda value: not value,
}
"""Another value than the one that a column of each kind has."""

_ADDRESSES = ("192.0.2.1", "2001:db8::1")

_FORMED: Mapping[str, Callable[[Any], Any]] = {
    # A database may have a type for addresses, and one for bytes of which there are exactly so many.
    "ip_address": lambda value: _ADDRESSES[value == _ADDRESSES[0]],
    "first_ip_address": lambda value: _ADDRESSES[value == _ADDRESSES[0]],
    "factors": lambda value: {**value, "another": 1},
    "previous": lambda value: digest(value.hex()) if value else digest("another"),
    "external_session": lambda value: digest(value.hex()) if value else digest("another"),
    "external_subject": lambda value: digest(value.hex()) if value else digest("another"),
    "bound_key": lambda value: bound_key(f"another than {value}"),
}
"""The same for columns whose values have a form that their kind does not say."""


def _another(name: str, value: Any) -> Any:
    return _FORMED.get(name, _OTHERS[SESSION[name].kind])(value)


def _filled(part: Part) -> Part:
    """Return *part* without a field that is `None` or has its default."""
    return changed(part, [each.name for each in fields(part) if getattr(part, each.name) in (None, each.default, {})])


def next_rotation(record: SessionRecord, **fields: Any) -> Rotation:
    """Return the rotation that hands *record* on to its next refresh token, its key proved if it has one, with *fields* as said."""
    generation = record.lineage.generation
    rotation = Rotation(
        session_id=record.session_id,
        generation=generation,
        presented=record.lineage.current,
        issue_id=issue_id(f"S{generation}"),
        successor=digest(f"S{generation + 1}"),
        successor_kid=2,
        debounce=DEBOUNCE,
        idle_timeout=IDLE_TIMEOUT,
        proved=record.bound_key,
    )
    return replace(rotation, **fields)


def new_signing_key(kid: str, *, now: int, **fields: Any) -> SigningKeyRecord:
    """Return the record of a signing key created at *now* (milliseconds), with *fields* as said."""
    record = SigningKeyRecord(
        kid=kid,
        family="d",
        sequence=1,
        algorithm="ES256",
        public_jwk={"kty": "EC", "crv": "P-256", "kid": kid},
        private_key=digest(kid),
        secret_kid=1,
        created_at=now,
        activates_at=now + 600 * SECOND,
        token_lifetime=3_600 * SECOND,
    )
    return replace(record, **fields)


def duration(milliseconds: int) -> timedelta:
    """Return *milliseconds* as a duration."""
    return timedelta(milliseconds=milliseconds)
