"""`fastapi-session keys list`: the signing keys in the store, and what each does now. Nothing private of them is shown."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import typer

from fastapi_session.cli.deployment import App
from fastapi_session.cli.known_keys import known_keys
from fastapi_session.cli.opened import Deployment, opened_deployment
from fastapi_session.cli.printing import AsJson, exactly_ms, numbered, print_columns, print_json, when_ms
from fastapi_session.core.secret import Secrets
from fastapi_session.core.signing_keys import FOREIGN, ROTATING, STATIC, Family, KeyState
from fastapi_session.model import SigningKeyRecord

_HEAD = ("KID", "ALGORITHM", "STATE", "SIGNS", "SIGNS FROM", "VERIFIES UNTIL", "SECRET")
_FAMILIES: dict[str, str] = {ROTATING: "rotating", STATIC: "static", FOREIGN: "foreign"}
_SIGNING: tuple[Family, ...] = (ROTATING, STATIC)


@dataclass(frozen=True, slots=True)
class _Key:
    """A key of the store. If no secret opens it, it has no *state*. *verifies_until* is infinity while no successor is known."""

    record: SigningKeyRecord
    state: KeyState | None
    signs: bool
    verifies_until: float | None
    secret: str

    def row(self) -> tuple[str, ...]:
        """Return it as a row below the head."""
        record, until = self.record, self.verifies_until
        last = "-" if until is None or math.isinf(until) else when_ms(int(until))
        signs = "yes" if self.signs else "-"
        return record.kid, record.algorithm, self._state, signs, when_ms(record.activates_at), last, self.secret

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        until = self.verifies_until
        return {
            "kid": self.record.kid,
            "family": _FAMILIES.get(self.record.family, self.record.family),
            "algorithm": self.record.algorithm,
            "state": self._state,
            "signs": self.signs,
            "created_at": exactly_ms(self.record.created_at),
            "signs_from": exactly_ms(self.record.activates_at),
            "verifies_until": None if until is None or math.isinf(until) else exactly_ms(int(until)),
            "secret": self.secret,
        }

    @property
    def _state(self) -> str:
        return self.state or "unreadable"


def list_keys(*, json: AsJson = False, app: App = None) -> None:
    """List the signing keys, and what each does now."""
    found = asyncio.run(_keys(app))
    if json:
        print_json(keys=[each.as_json() for each in found])
        return
    print_columns(_HEAD, (each.row() for each in found))
    typer.echo(numbered(len(found), "key"))


async def _keys(app: str | None) -> list[_Key]:
    async with opened_deployment(app) as deployment:
        return _described(await deployment.engine.store.signing_keys(), deployment)


def _described(records: Sequence[SigningKeyRecord], deployment: Deployment) -> list[_Key]:
    engine, algorithm = deployment.engine, deployment.config.access_token_signing_algorithm
    keys, now = known_keys(records, engine.secrets), engine.clock()
    found = [keys.signing(family, now=now, algorithm=algorithm) for family in _SIGNING]
    signing = {key.kid for key in found if key is not None}
    return [
        _Key(
            record,
            keys.state(record.kid, now=now),
            record.kid in signing,
            keys.verifies_until.get(record.kid),
            _secret(record, engine.secrets),
        )
        for record in records
    ]


def _secret(record: SigningKeyRecord, secrets: Secrets) -> str:
    """Say which of *secrets* encrypts the private part."""
    if not record.private_key:
        return "none"
    if record.secret_kid == secrets.newest.kid:
        return "newest"
    return "earlier" if secrets.is_earlier(record.secret_kid) else "not given"
