"""Tables and rows as versions of before made them: their own statements as text, which follow no change of today's code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fastapi_session.model import Circumstances, Lineage, SessionRecord, SigningKeyRecord

_ROW: Mapping[str, object] = {
    "session_id": "5e55104d5e55104d5e55104d5e55104d",
    "tenant_id": "t1",
    "user_id": "user",
    "recipe_user_id": "recipe-user",
    "access_token_payload": '{"role":"admin"}',
    "session_data": '{"cart":["apple"]}',
    "version": 7,
    "created_at": 1_000,
    "ip_address": "192.0.2.1",
    "user_agent": "a browser",
    "generation": 3,
    "current": b"current",
    "previous": b"previous",
    "current_kid": 2,
    "window_at": 2_000,
    "acknowledged": True,
    "idle_expires_at": 4_000_000_000_000,
    "absolute_expires_at": 5_000_000_000_000,
}
"""The row of a session as the first version wrote it."""

KEY: Mapping[str, object] = {
    "kid": "d-1",
    "family": "d",
    "sequence": 1,
    "algorithm": "ES256",
    "public_jwk": '{"kty":"EC"}',
    "private_key": b"sealed",
    "secret_kid": 2,
    "created_at": 1_000,
    "activates_at": 2_000,
    "token_lifetime": 3_000,
}
"""The row of a signing key."""

KEY_RECORD = SigningKeyRecord("d-1", "d", 1, "ES256", {"kty": "EC"}, b"sealed", 2, 1_000, 2_000, 3_000)


_RECORD = SessionRecord(
    session_id="5e55104d5e55104d5e55104d5e55104d",
    tenant_id="t1",
    user_id="user",
    recipe_user_id="recipe-user",
    access_token_payload={"role": "admin"},
    session_data={"cart": ["apple"]},
    version=7,
    created_at=1_000,
    circumstances=Circumstances("192.0.2.1", "a browser"),
    lineage=Lineage(
        generation=3,
        current=b"current",
        previous=b"previous",
        current_kid=2,
        window_at=2_000,
        acknowledged=True,
        idle_expires_at=4_000_000_000_000,
        absolute_expires_at=5_000_000_000_000,
    ),
)
"""The same session: all that came later has its default."""

_ISSUE_IDS: Mapping[str, Any] = {"exchanged": b"exchanged", "used": b"used", "used_at": 3_000, "crossed": 5}


@dataclass(frozen=True, slots=True)
class OldSession:
    """A session as *row* of an older version, and the *record* that it is today."""

    row: Mapping[str, object]
    record: SessionRecord


FIRST = OldSession(_ROW, _RECORD)
WITH_ISSUE_IDS = OldSession({**_ROW, **_ISSUE_IDS}, replace(_RECORD, lineage=replace(_RECORD.lineage, **_ISSUE_IDS)))
WITH_LIFETIME = OldSession(
    {**WITH_ISSUE_IDS.row, "idle_timeout": 60_000, "kind": "bank", "persistent": False},
    replace(
        WITH_ISSUE_IDS.record,
        lineage=replace(WITH_ISSUE_IDS.record.lineage, idle_timeout=60_000),
        kind="bank",
        persistent=False,
    ),
)
_CAPABILITIES: Mapping[str, Any] = {
    "acr": "aal2",
    "first_ip_address": "192.0.2.9",
    "first_user_agent": "another browser",
    "label": "my phone",
    "actor": "staff",
    "actor_session": "ac7011ac7011ac7011ac7011ac7011ac",
    "impersonation_reason": "ticket 7",
    "external_session": b"session of a provider",
    "external_subject": b"subject of a provider",
    "last_seen_at": 4_000,
    "source": "an older system",
}
WITH_CAPABILITIES = OldSession(
    {**WITH_LIFETIME.row, "factors": '{"pwd":1000}', **_CAPABILITIES},
    replace(WITH_LIFETIME.record, factors={"pwd": 1_000}, **_CAPABILITIES),
)


def tables(name: str, *, version: str) -> list[str]:
    """Return the statements in old_statements/*name*.sql that made the tables of *version*: its own, and those of the versions before it."""
    versions = (Path(__file__).with_name("old_statements") / f"{name}.sql").read_text("utf-8").split("-- ")[1:]
    made = {number: statements for number, _, statements in (each.partition("\n") for each in versions)}
    numbers = [*made][: [*made].index(version) + 1]
    return [statement for number in numbers for each in made[number].split(";") if (statement := each.strip())]


def insertion(table: str, row: Mapping[str, object]) -> str:
    """Return what inserts *row* into *table*, naming its columns as parameters."""
    return f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(f':{name}' for name in row)})"
