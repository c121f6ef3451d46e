"""A program of its own, since Sentry changes the frameworks of its process for good: what the recipe sends, as JSON.

It prints, for cookies and for headers, the events that a broken route causes, and the tokens that its client had.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import sentry_sdk
from fastapi.testclient import TestClient
from sentry_sdk import integrations
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from tests.pages import run_examples


class Kept(Transport):
    """Keeps what would be sent."""

    def __init__(self, options: dict[str, Any] | None = None) -> None:
        super().__init__(options)
        self.events: list[Any] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.events += [event for event in [envelope.get_event()] if event is not None]


def happened(app: Any, kept: Kept, *, mode: str) -> dict[str, Any]:
    """Sign in, meet the broken route with a session, and be refused without one."""
    kept.events.clear()
    with TestClient(app, headers={"st-auth-mode": mode, "rid": "anti-csrf"}, raise_server_exceptions=False) as client:
        answer = client.post("/login")
        tokens = [
            *client.cookies.values(),
            *(answer.headers.get(f"st-{kind}-token", "") for kind in ("access", "refresh")),
        ]
        if mode == "header":
            client.headers["authorization"] = f"Bearer {answer.headers['st-access-token']}"
        statuses = [client.get("/broken").status_code]
        client.cookies.clear()
        client.headers.pop("authorization", None)
        statuses.append(client.get("/broken").status_code)
    return {"tokens": tokens, "statuses": statuses, "events": list(kept.events)}


def main() -> None:
    # Sentry imports whatever else is installed, which takes seconds; these two are what an application here has to do with.
    integrations._AUTO_ENABLING_INTEGRATIONS[:] = [
        "sentry_sdk.integrations.starlette.StarletteIntegration",
        "sentry_sdk.integrations.fastapi.FastApiIntegration",
    ]
    page = run_examples("docs/recipes/sentry.md")
    client = sentry_sdk.get_client()
    client.transport = kept = Kept(client.options)
    json.dump({mode: happened(page.app, kept, mode=mode) for mode in ("cookie", "header")}, sys.stdout)


if __name__ == "__main__":
    main()
