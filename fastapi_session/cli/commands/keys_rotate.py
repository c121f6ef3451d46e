"""`fastapi-session keys rotate`: the next key is made before its time, published at once, and signs ten minutes later.

In an empty store it is the first one, and signs at once: there is no other that could.
"""

from __future__ import annotations

import asyncio

import typer

from fastapi_session.cli.deployment import App
from fastapi_session.cli.opened import opened_deployment
from fastapi_session.cli.printing import AsJson, exactly_ms, print_json, when_ms
from fastapi_session.core.signing_keys import SigningKey
from fastapi_session.engine.administration import Administration


def rotate_keys(*, json: AsJson = False, app: App = None) -> None:
    """Make the next signing key now, unless one waits already. What the others have signed is good as before."""
    key, is_new = asyncio.run(_rotate(app))
    if json:
        print_json(kid=key.kid, signs_from=exactly_ms(key.record.activates_at), made=is_new)
        return
    said = "made" if is_new else "there is one already"
    typer.echo(f"{said}: {key.kid} signs from {when_ms(key.record.activates_at)}")


async def _rotate(app: str | None) -> tuple[SigningKey, bool]:
    """Return the newest key, and whether it was made now. Raises `ConfigurationError` if keys do not rotate here."""
    async with opened_deployment(app) as deployment:
        return await Administration(deployment.config, deployment.engine).rotate_keys()
