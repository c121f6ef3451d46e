"""`fastapi-session secret make`: a new secret. It is the only command that prints one."""

from __future__ import annotations

import secrets

import typer

from fastapi_session.cli.printing import AsJson, print_json

_BYTES = 48


def make_secret(*, json: AsJson = False) -> None:
    """Print a new secret: 48 random bytes, as text."""
    secret = secrets.token_urlsafe(_BYTES)
    if json:
        print_json(secret=secret)
    else:
        typer.echo(secret)
