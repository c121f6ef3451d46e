"""`fastapi-session sessions show HANDLE`: what is known of a session. Its tokens are not known to anybody but its client."""

from __future__ import annotations

import asyncio
import json as json_text
import sys
from typing import Annotated

import typer

from fastapi_session.cli.deployment import App
from fastapi_session.cli.described import as_json
from fastapi_session.cli.opened import opened_sessions
from fastapi_session.cli.printing import AsJson, print_facts, print_json
from fastapi_session.plain_text import when
from fastapi_session.session_information import SessionInformation

Handle = Annotated[str, typer.Argument(metavar="HANDLE", help="The handle of the session.")]
Data = Annotated[bool, typer.Option("--data", help="Its claims and its session data too: what the application keeps.")]


def show_session(handle: Handle, *, data: Data = False, json: AsJson = False, app: App = None) -> None:
    """Show what is known of a session. Exit code 1 says that there is none of this handle."""
    found = asyncio.run(_information(handle, app))
    if found is None:
        sys.exit("error: there is no such session")
    if json:
        print_json(
            session={
                **as_json(found),
                "recipe_user_id": found.recipe_user_id,
                "claims": found.access_token_payload if data else None,
                "session_data": found.session_data if data else None,
            }
        )
        return
    print_facts(_facts(found, data=data))


def _facts(found: SessionInformation, *, data: bool) -> list[tuple[str, str | None]]:
    actor = found.actor
    return [
        ("handle", found.handle),
        ("user", found.user_id),
        ("tenant", found.tenant_id),
        ("kind", found.kind),
        ("bound", "to a key of its client" if found.bound else None),
        ("label", found.label),
        ("acted in by", None if actor is None else f"{actor.user_id}: {actor.reason}"),
        ("created", when(found.created_at)),
        ("last seen", when(found.last_seen_at)),
        ("expires", when(found.expires_at)),
        ("device", found.device.text),
        ("address", found.last_seen.ip_address),
        ("user agent", found.last_seen.user_agent),
        ("first address", found.first_seen.ip_address),
        ("first user agent", found.first_seen.user_agent),
        ("claims", json_text.dumps(found.access_token_payload) if data else None),
        ("session data", json_text.dumps(found.session_data) if data else None),
    ]


async def _information(handle: str, app: str | None) -> SessionInformation | None:
    async with opened_sessions(app) as sessions:
        return await sessions.information(handle)
