"""`fastapi-session keys list`: the signing keys in the store, and what each does now. Nothing private of them is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import typer

from fastapi_session.cli.deployment import App
from fastapi_session.cli.opened import opened_deployment
from fastapi_session.cli.printing import AsJson, numbered, print_columns, print_json
from fastapi_session.engine.administration import Administration
from fastapi_session.engine.keys.known_keys import KeyInformation
from fastapi_session.plain_text import exactly, when

_HEAD = ("KID", "ALGORITHM", "STATE", "SIGNS", "SIGNS FROM", "VERIFIES UNTIL", "SECRET")


def list_keys(*, json: AsJson = False, app: App = None) -> None:
    """List the signing keys, and what each does now."""
    found = asyncio.run(_keys(app))
    if json:
        print_json(keys=[*map(_as_json, found)])
        return
    print_columns(_HEAD, map(_row, found))
    typer.echo(numbered(len(found), "key"))


async def _keys(app: str | None) -> Sequence[KeyInformation]:
    async with opened_deployment(app) as deployment:
        return await Administration(deployment.config, deployment.engine).keys()


def _row(key: KeyInformation) -> tuple[str, ...]:
    """Return *key* as a row below the head."""
    last = "-" if key.verifies_until is None else when(key.verifies_until)
    return key.kid, key.algorithm, key.state, "yes" if key.signs else "-", when(key.signs_from), last, key.secret


def _as_json(key: KeyInformation) -> dict[str, Any]:
    return {
        "kid": key.kid,
        "family": key.family,
        "algorithm": key.algorithm,
        "state": key.state,
        "signs": key.signs,
        "created_at": exactly(key.created_at),
        "signs_from": exactly(key.signs_from),
        "verifies_until": None if key.verifies_until is None else exactly(key.verifies_until),
        "secret": key.secret,
    }
