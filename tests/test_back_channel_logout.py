"""The application of the page on back-channel logout, and a real provider that signs a user in and out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.browser.server import serve
from tests.pages import run_examples
from tests.recipes.provider import CLIENT_ID, CLIENT_SECRET, USER, Provider
from tests.recipes.test_oauth import NAVIGATION, come_back

PAGE = "docs/back-channel-logout.md"
PATH = "/auth/backchannel-logout"


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    made: list[Provider] = []

    def build(origin: str) -> FastAPI:
        made.append(Provider(origin))
        return made[0].app()

    with serve(build) as server:
        monkeypatch.setenv("OIDC_ISSUER", server.origin)
        monkeypatch.setenv("OAUTH_COOKIE_SECRET", "a secret for Authlib's state, and for nothing else")
        monkeypatch.setenv("OIDC_CLIENT_ID", CLIENT_ID)
        monkeypatch.setenv("OIDC_CLIENT_SECRET", CLIENT_SECRET)
        monkeypatch.setenv("FASTAPI_SESSION_STORE", "memory:")
        monkeypatch.setenv("FASTAPI_SESSION_SECRET", "a secret of the sessions, for this test alone")
        yield made[0]


def test_a_logout_at_the_provider(provider: Provider) -> None:
    """Who signed in by the provider is signed out by it, by session or by user, and nobody else's token does that."""
    app = run_examples(PAGE).app
    with TestClient(app, headers=NAVIGATION, follow_redirects=False) as visitor:
        statuses = []
        for said in ({"sid": USER["sid"]}, {"sub": USER["sub"]}):
            visitor.get(come_back(visitor))
            statuses.append(visitor.get("/me").status_code)
            forged = Provider(provider.issuer).logout_token(**said)
            for token in (forged, provider.logout_token(sid="of somebody else"), provider.logout_token(**said)):
                statuses.append(visitor.post(PATH, data={"logout_token": token}).status_code)
                statuses.append(visitor.get("/me").status_code)

    assert [200, 400, 200, 200, 200, 200, 401] * 2 == statuses
