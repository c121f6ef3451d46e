"""A record as a row of columns, and back: the one serialiser of every store that keeps text and numbers.

A row is a tuple in the order of `SESSION_COLUMNS` or `KEY_COLUMNS`; the columns are named after the fields of the
model. Payloads are JSON text with sorted keys and no spaces, so that equal payloads are equal text.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from fastapi_session.model import Circumstances, Json, Lineage, SessionRecord, SigningKeyRecord

SESSION_COLUMNS = (
    "session_id",
    "tenant_id",
    "user_id",
    "recipe_user_id",
    "access_token_payload",
    "session_data",
    "version",
    "created_at",
    "ip_address",
    "user_agent",
    "generation",
    "current",
    "previous",
    "current_kid",
    "window_at",
    "acknowledged",
    "idle_expires_at",
    "absolute_expires_at",
    "exchanged",
    "used",
    "used_at",
    "crossed",
)

KEY_COLUMNS = (
    "kid",
    "family",
    "sequence",
    "algorithm",
    "public_jwk",
    "private_key",
    "secret_kid",
    "created_at",
    "activates_at",
    "token_lifetime",
)

Row = Sequence[Any]

# What most sessions carry, and what needs no parser.
_EMPTY = "{}"

# Once: json.dumps would make one each time.
_JSON = json.JSONEncoder(separators=(",", ":"), sort_keys=True, allow_nan=False)


def dump_json(value: Json) -> str:
    """Answer *value* as JSON text. Raises ValueError or TypeError for what JSON cannot say, NaN included."""
    return _JSON.encode(value) if value else _EMPTY


def load_json(text: str) -> Json:
    """Answer the JSON object that `dump_json` wrote."""
    if text == _EMPTY:
        return {}
    value: Json = json.loads(text)
    return value


def session_row(record: SessionRecord) -> Row:
    """Answer *record* as a row. Raises ValueError or TypeError for a payload that JSON cannot say."""
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
    """Answer the record that `session_row` wrote."""
    facts, lineage = row[:10], row[10:]
    session_id, tenant_id, user_id, recipe_user_id, payload, data, version, created_at, ip_address, user_agent = facts
    return SessionRecord(
        session_id,
        tenant_id,
        user_id,
        recipe_user_id,
        load_json(payload),
        load_json(data),
        version,
        created_at,
        Circumstances(ip_address, user_agent),
        lineage_of(lineage),
    )


def lineage_row(lineage: Lineage) -> Row:
    """Answer *lineage* as the last columns of a session's row, `generation` and what follows it."""
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
    """Answer the lineage that `lineage_row` wrote."""
    generation, current, previous, current_kid, window_at, acknowledged, *rest = row
    return Lineage(generation, current, previous, current_kid, window_at, bool(acknowledged), *rest)


def key_row(record: SigningKeyRecord) -> Row:
    """Answer *record* as a row."""
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
    """Answer the record that `key_row` wrote."""
    kid, family, sequence, algorithm, public_jwk, *rest = row
    return SigningKeyRecord(kid, family, sequence, algorithm, load_json(public_jwk), *rest)
