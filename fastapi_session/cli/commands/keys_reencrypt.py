"""`fastapi-session keys reencrypt`: the newest secret encrypts all signing keys, so that the earlier ones can go.

Processes do that by themselves within a day; this does it now, and says what is left.
"""

from __future__ import annotations

import asyncio

import typer

from fastapi_session.cli.deployment import App
from fastapi_session.cli.opened import opened_deployment
from fastapi_session.cli.printing import AsJson, numbered, print_json
from fastapi_session.engine.keys.known_keys import known_keys
from fastapi_session.engine.keys.reencryption import reencrypted, under_earlier_secrets


def reencrypt_keys(*, json: AsJson = False, app: App = None) -> None:
    """Encrypt the signing keys under the newest secret. Exit code 1 says that no secret that was given opens one of them."""
    done, left = asyncio.run(_reencrypt(app))
    if json:
        print_json(reencrypted=done, left=left)
    else:
        typer.echo(f"encrypted under the newest secret: {numbered(len(done), 'key')}")
        for kid in left:
            typer.echo(f"no secret opens it: {kid}", err=True)
    raise typer.Exit(1 if left else 0)


async def _reencrypt(app: str | None) -> tuple[list[str], list[str]]:
    """Return the kids of what was encrypted again, and of what cannot be opened."""
    async with opened_deployment(app) as deployment:
        engine = deployment.engine
        records = await engine.store.signing_keys()
        known = known_keys(records, engine.secrets).verifies_until
        earlier = [each for each in under_earlier_secrets(records, engine.secrets) if each.kid in known]
        written = reencrypted(earlier, store=engine.store, secrets=engine.secrets, random=engine.random)
        done = [each.kid async for each in written]
        return done, [each.kid for each in records if each.kid not in known]
