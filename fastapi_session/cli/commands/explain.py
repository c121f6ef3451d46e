"""`fastapi-session explain`: what a token is, whose, and what would become of it now, without that happening.

The token comes by the standard input, so that it is in no list of processes and in no history; at a terminal it is not shown while it is
typed. It is never printed, nor a part of it.
"""

from __future__ import annotations

import asyncio
import sys

import typer
from pydantic import SecretStr

from fastapi_session.cli.deployment import App
from fastapi_session.cli.explaining.explanation import Explanation
from fastapi_session.cli.explaining.texts import explain
from fastapi_session.cli.opened import opened_deployment
from fastapi_session.cli.printing import AsJson, exactly_ms, print_facts, print_json, when_ms

_LONGEST = 65_536
"""Bytes that are read: many times as many as any token has."""


def explain_token(*, json: AsJson = False, app: App = None) -> None:
    """Say what a token on the standard input is, whose, and which row of the rotation table it would meet. Nothing happens to it."""
    found = asyncio.run(_explain(_read(), app))
    if json:
        print_json(
            kind=found.kind,
            genuine=found.genuine,
            outcome=found.outcome,
            session=found.session,
            handle=found.handle,
            user_id=found.user_id,
            tenant_id=found.tenant_id,
            issued_at=None if found.issued_at is None else exactly_ms(found.issued_at),
            expires_at=None if found.expires_at is None else exactly_ms(found.expires_at),
            row=found.row,
            verdict=found.verdict,
        )
        return
    print_facts(_facts(found))


def _read() -> SecretStr:
    if sys.stdin.isatty():
        return SecretStr(typer.prompt("Token", hide_input=True, err=True))
    return SecretStr(sys.stdin.buffer.read(_LONGEST).decode("utf-8", "replace"))


async def _explain(text: SecretStr, app: str | None) -> Explanation:
    async with opened_deployment(app) as deployment:
        return await explain(text, deployment)


def _facts(found: Explanation) -> list[tuple[str, str | None]]:
    genuine = {None: "not known", True: "yes", False: "no"}[found.genuine]
    judged = None if found.verdict is None else " ".join(filter(None, (found.row, found.verdict)))
    return [
        ("kind", found.kind),
        ("genuine", genuine),
        ("session", found.session),
        ("handle", found.handle),
        ("user", found.user_id),
        ("tenant", found.tenant_id),
        ("issued", None if found.issued_at is None else when_ms(found.issued_at)),
        ("expires", None if found.expires_at is None else when_ms(found.expires_at)),
        ("row", judged),
        ("outcome", found.outcome),
    ]
