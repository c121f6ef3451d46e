"""A record as a row of columns, and back: the one serialiser of every store that keeps text and numbers.

A row is a tuple in the order of `SESSION_COLUMNS`, `KEY_COLUMNS` or `NOTICE_COLUMNS`; the columns are named after the fields of the
model. Payloads are JSON text with sorted keys and no spaces, so that equal payloads are equal text.

What a database keeps can be damaged, or changed by another hand. So each column is looked at before anybody relies on it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi_session.model import Circumstances, Json, Lineage, Notice, SessionRecord, SigningKeyRecord

Kinds = frozenset[type]
"""The types of which a value may be, exactly."""

_TEXT: Kinds = frozenset({str})
_NUMBER: Kinds = frozenset({int})
_BYTES: Kinds = frozenset({bytes})
_TRUTH: Kinds = frozenset({bool, int})  # some databases have numbers only
_NOTHING: Kinds = frozenset({type(None)})

_SESSION: Mapping[str, Kinds] = {
    "session_id": _TEXT,
    "tenant_id": _TEXT,
    "user_id": _TEXT,
    "recipe_user_id": _TEXT,
    "access_token_payload": _TEXT,
    "session_data": _TEXT,
    "version": _NUMBER,
    "created_at": _NUMBER,
    "ip_address": _TEXT | _NOTHING,
    "user_agent": _TEXT | _NOTHING,
    "generation": _NUMBER,
    "current": _BYTES,
    "previous": _BYTES | _NOTHING,
    "current_kid": _NUMBER,
    "window_at": _NUMBER,
    "acknowledged": _TRUTH,
    "idle_expires_at": _NUMBER,
    "absolute_expires_at": _NUMBER | _NOTHING,
    "exchanged": _BYTES | _NOTHING,
    "used": _BYTES | _NOTHING,
    "used_at": _NUMBER,
    "crossed": _NUMBER,
}

_KEY: Mapping[str, Kinds] = {
    "kid": _TEXT,
    "family": _TEXT,
    "sequence": _NUMBER,
    "algorithm": _TEXT,
    "public_jwk": _TEXT,
    "private_key": _BYTES,
    "secret_kid": _NUMBER,
    "created_at": _NUMBER,
    "activates_at": _NUMBER,
    "token_lifetime": _NUMBER,
}

_NOTICE: Mapping[str, Kinds] = {"subject": _TEXT, "kind": _TEXT, "at": _NUMBER}

SESSION_COLUMNS = tuple(_SESSION)
KEY_COLUMNS = tuple(_KEY)
NOTICE_COLUMNS = tuple(_NOTICE)

_AFTER_ALL = 253_402_300_800_000
"""Milliseconds: when the year 10000 begins, which no `datetime` can tell."""
_TOLD = [(SESSION_COLUMNS.index(column), column) for column in ("created_at", "window_at", "idle_expires_at")]
"""The places of the moments that applications are told."""

Row = Sequence[Any]

# What most sessions carry, and what needs no parser.
_EMPTY = "{}"

# Once: json.dumps would make one each time.
_JSON = json.JSONEncoder(separators=(",", ":"), sort_keys=True, allow_nan=False)


class Unreadable(ValueError):
    """A row has in *column* what is never written there. It tells nothing of what that is."""

    def __init__(self, column: str) -> None:
        super().__init__(column)
        self.column = column


def dump_json(value: Json) -> str:
    """Return *value* as JSON text. Raises ValueError or TypeError for what JSON cannot say, NaN included."""
    return _JSON.encode(value) if value else _EMPTY


def load_json(text: str) -> Json:
    """Return the JSON object that `dump_json` wrote. Raises ValueError, TypeError or RecursionError for any other text."""
    if text == _EMPTY:
        return {}
    value = _PARSER.decode(text)
    if not isinstance(value, dict):
        raise TypeError("no object")
    return value


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("no number of JSON")
    return number


_PARSER = json.JSONDecoder(parse_constant=_finite, parse_float=_finite)


def session_row(record: SessionRecord) -> Row:
    """Return *record* as a row. Raises ValueError or TypeError for a payload that JSON cannot say."""
    return (
        record.session_id,
        record.tenant_id,
        record.user_id,
        record.recipe_user_id,
        dump_json(record.access_token_payload),
        dump_json(record.session_data),
        record.version,
        record.created_at,
        record.circumstances.ip_address,
        record.circumstances.user_agent,
        *lineage_row(record.lineage),
    )


def session_record(row: Row) -> SessionRecord:
    """Return the record that `session_row` wrote. Raises `Unreadable` for what it never writes."""
    _ensure_readable(row, _SESSION)
    for place, column in _TOLD:
        if not 0 <= row[place] < _AFTER_ALL:
            raise Unreadable(column)
    facts, lineage = row[:10], row[10:]
    session_id, tenant_id, user_id, recipe_user_id, payload, data, version, created_at, ip_address, user_agent = facts
    return SessionRecord(
        session_id,
        tenant_id,
        user_id,
        recipe_user_id,
        _json_in("access_token_payload", payload),
        _json_in("session_data", data),
        version,
        created_at,
        Circumstances(ip_address, user_agent),
        lineage_of(lineage),
    )


def lineage_row(lineage: Lineage) -> Row:
    """Return *lineage* as the last columns of a session's row, `generation` and what follows it."""
    return (
        lineage.generation,
        lineage.current,
        lineage.previous,
        lineage.current_kid,
        lineage.window_at,
        lineage.acknowledged,
        lineage.idle_expires_at,
        lineage.absolute_expires_at,
        lineage.exchanged,
        lineage.used,
        lineage.used_at,
        lineage.crossed,
    )


def lineage_of(row: Row) -> Lineage:
    """Return the lineage that `lineage_row` wrote."""
    generation, current, previous, current_kid, window_at, acknowledged, *rest = row
    return Lineage(generation, current, previous, current_kid, window_at, bool(acknowledged), *rest)


def key_row(record: SigningKeyRecord) -> Row:
    """Return *record* as a row."""
    return (
        record.kid,
        record.family,
        record.sequence,
        record.algorithm,
        dump_json(record.public_jwk),
        record.private_key,
        record.secret_kid,
        record.created_at,
        record.activates_at,
        record.token_lifetime,
    )


def key_record(row: Row) -> SigningKeyRecord:
    """Return the record that `key_row` wrote. Raises `Unreadable` for what it never writes."""
    _ensure_readable(row, _KEY)
    kid, family, sequence, algorithm, public_jwk, *rest = row
    return SigningKeyRecord(kid, family, sequence, algorithm, _json_in("public_jwk", public_jwk), *rest)


def notice_of(row: Row) -> Notice:
    """Return the notice in *row*, of whatever kind: newer versions may know more. Raises `Unreadable`."""
    _ensure_readable(row, _NOTICE)
    return Notice(*row)


def _ensure_readable(row: Row, columns: Mapping[str, Kinds]) -> None:
    if len(row) != len(columns):
        raise Unreadable("number of columns")
    for value, (column, kinds) in zip(row, columns.items(), strict=True):
        if type(value) not in kinds:
            raise Unreadable(column)


def _json_in(column: str, text: str) -> Json:
    try:
        return load_json(text)
    except (ValueError, TypeError, RecursionError):
        raise Unreadable(column) from None  # an error of the parser has the whole text
