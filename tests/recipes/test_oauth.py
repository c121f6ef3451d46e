"""A user who comes back from an OpenID provider is signed in, by a browser that only follows links."""

from __future__ import annotations

from collections.abc import Iterator
from secrets import token_urlsafe
from types import ModuleType

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.browser.server import serve
from tests.recipes.provider import CLIENT_ID, CLIENT_SECRET, Provider
from tests.wire import ACCESS_COOKIE, ACCESS_HEADER, REFRESH_COOKIE

NAVIGATION = {"accept": "text/html", "sec-fetch-mode": "navigate", "sec-fetch-site": "cross-site"}
"""What a browser says that follows a link of another site, as the provider is."""


@pytest.fixture(autouse=True)
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    made: list[Provider] = []

    def build(origin: str) -> FastAPI:
        made.append(Provider(origin))
        return made[0].app()

    with serve(build) as server:
        monkeypatch.setenv("OIDC_ISSUER", server.origin)
        monkeypatch.setenv("OAUTH_COOKIE_SECRET", token_urlsafe(48))
        monkeypatch.setenv("OIDC_CLIENT_ID", CLIENT_ID)
        monkeypatch.setenv("OIDC_CLIENT_SECRET", CLIENT_SECRET)
        yield made[0]


@pytest.fixture
def visitor(page: ModuleType) -> Iterator[TestClient]:
    with TestClient(page.app, headers=NAVIGATION, follow_redirects=False) as visitor:
        yield visitor


def come_back(visitor: TestClient) -> str:
    """Go to the provider, and return where it sends the visitor."""
    to_provider = visitor.get("/login").headers["location"]
    return httpx.get(to_provider).headers["location"]


def test_the_callback_signs_in(visitor: TestClient, provider: Provider) -> None:
    """The redirect of the callback brings the cookies, and no tokens in headers; the user is who the provider says."""
    answer = visitor.get(come_back(visitor))
    assert (307, "/me") == (answer.status_code, answer.headers["location"])
    assert {ACCESS_COOKIE, REFRESH_COOKIE} <= {*visitor.cookies}
    assert ACCESS_HEADER not in answer.headers
    assert {"user_id": f"{provider.issuer}|4711", "email": "ada@example.com"} == visitor.get("/me").json()
    assert 401 == TestClient(visitor.app, headers=NAVIGATION).get("/me").status_code


def test_who_did_not_go_there_is_not_signed_in(visitor: TestClient, provider: Provider) -> None:
    """A link to the callback that somebody else began signs nobody in, and a refusal neither."""
    foreign = come_back(TestClient(visitor.app, headers=NAVIGATION, follow_redirects=False))
    assert 403 == visitor.get(foreign).status_code
    provider.refuses = True
    refused = visitor.get(come_back(visitor))
    assert (403, {"detail": "not today"}) == (refused.status_code, refused.json())
    assert ACCESS_COOKIE not in visitor.cookies
