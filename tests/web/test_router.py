"""The endpoints that clients know, behind whatever stands in front of them."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from fastapi_session import Sessions, StoreUnavailable, install, session_router
from fastapi_session.core import access_token
from fastapi_session.testing import HandClock
from tests.engines import engine
from tests.moments import HOUR
from tests.web.conftest import Deploy
from tests.web.deployment import Deployment, application, deployed
from tests.web.wire import NEW, change, set_cookies
from tests.wire import ACCESS_COOKIE, REFRESH_COOKIE, REFRESH_PATH, SIGN_OUT_PATH

DOCUMENTS = ["/jwt/jwks.json", "/.well-known/openid-configuration"]


class TestWellKnownDocuments:
    def test_discovery(self, deploy: Deploy) -> None:
        """The discovery document names the issuer of the access tokens and where the keys are."""
        deployment = deploy(api_domain="https://api.example.com", api_base_path="/v1")
        response = deployment.get("/v1/.well-known/openid-configuration")
        parsed = access_token.parse(deployment.login("header").access)

        assert parsed is not None
        assert {
            "issuer": parsed.content.issuer,
            "jwks_uri": "https://api.example.com/v1/jwt/jwks.json",
        } == response.json()
        assert "https://api.example.com/v1" == parsed.content.issuer

    def test_discovery_of_dpop(self, deploy: Deploy) -> None:
        """Where sessions can be bound by DPoP, it says by which algorithms a proof may be signed (RFC 9449, section 5.1)."""
        response = deploy(dpop="optional").get("/auth/.well-known/openid-configuration")

        assert ["ES256", "EdDSA", "Ed25519", "PS256", "RS256"] == response.json()["dpop_signing_alg_values_supported"]

    @pytest.mark.parametrize("path", ["/auth/jwt/jwks.json", "/auth/.well-known/openid-configuration"])
    def test_everybody_may_read_them(self, path: str, deployment: Deployment) -> None:
        """They are for every origin, and are cached for a while."""
        response = deployment.get(path, {"origin": "https://elsewhere.example"})

        assert (200, "*") == (response.status_code, response.headers["access-control-allow-origin"])
        assert "public, max-age=60" == response.headers["cache-control"]
        assert "application/json" == response.headers["content-type"]

    @pytest.mark.parametrize("static", [False, True])
    def test_the_key_of_a_token_is_there(self, static: bool, deploy: Deploy) -> None:
        """The key set has the public key that the header of a token names, rotating or static, and no private part."""
        deployment = deploy(use_dynamic_access_token_signing_key=not static)
        parsed = access_token.parse(deployment.login("header").access)
        keys = deployment.get("/auth/jwt/jwks.json").json()["keys"]

        assert parsed is not None
        assert parsed.kid.startswith("s-" if static else "d-")
        assert [parsed.kid] == [key["kid"] for key in keys if key["kid"] == parsed.kid]
        assert {"kty", "crv", "x", "y", "alg", "use", "kid"} == set().union(*keys)

    def test_both_families(self, deploy: Deploy, tmp_path: Any) -> None:
        """Rotating and static keys are side by side, if both have been used."""
        store = f"sqlite:///{tmp_path / 'sessions.db'}"
        deploy(store=store).login()
        deployment = deploy(store=store, use_dynamic_access_token_signing_key=False)
        deployment.login()

        assert ["d", "s"] == [key["kid"][0] for key in deployment.get("/auth/jwt/jwks.json").json()["keys"]]


class TestPaths:
    """Where the router answers, and what the refresh cookie is bound to."""

    @pytest.mark.parametrize("base", ["/auth", "/v1/users", ""])
    def test_the_base_path(self, base: str, deploy: Deploy) -> None:
        """The router answers below the base path, and the refresh cookie comes back there alone."""
        deployment = deploy(api_base_path=base)
        held = deployment.login()
        response = deployment.post(f"{base}/session/refresh", held.to_refresh())

        assert NEW["cookie"] == change(response)
        assert f"Path={base}/session/refresh;" in dict(set_cookies(response))[REFRESH_COOKIE]
        assert 200 == deployment.post(f"{base}/signout", held.to_call()).status_code

    @pytest.mark.parametrize(
        ("root_path", "path", "prefix"),
        [
            ("/api", REFRESH_PATH, "/auth"),
            ("", REFRESH_PATH, "/auth"),
            ("/api", "/api/auth/session/refresh", "/auth"),
            ("", "/api/auth/session/refresh", "/api/auth"),
        ],
        ids=["the proxy strips the prefix", "and says nothing", "the server puts it back", "nobody touches it"],
    )
    def test_behind_a_proxy(
        self, root_path: str, path: str, prefix: str, clock: HandClock, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Behind a proxy that serves the application below a prefix, the base path is what browsers see."""
        sessions = engine(clock, api_base_path="/api/auth")
        app = FastAPI()
        install(app, sessions)
        app.include_router(session_router(prefix))
        with TestClient(app, root_path=root_path) as client:
            assert client.portal is not None
            issued = client.portal.call(sessions.create, "ada")
            response = client.post(path, headers={"cookie": f"{REFRESH_COOKIE}={issued.tokens.refresh_token}"})

        assert (200, NEW["cookie"]) == (response.status_code, change(response))
        assert "Path=/api/auth/session/refresh;" in dict(set_cookies(response))[REFRESH_COOKIE]
        assert [] == caplog.messages

    @pytest.mark.parametrize("path", ["/users/session/refresh", REFRESH_PATH])
    def test_a_path_that_the_cookie_never_reaches(
        self, path: str, clock: HandClock, caplog: pytest.LogCaptureFixture
    ) -> None:
        """If browsers see another path than the refresh cookie is bound to, the log says so, with the fix.

        Behind a proxy that strips a prefix, that may be the very path at which the router answers.
        """
        sessions = engine(clock)
        app = application(sessions)
        app.include_router(session_router("/users"))
        with deployed(app, sessions, clock) as deployment, caplog.at_level(logging.WARNING):
            held = deployment.login()
            clock.advance(HOUR)
            response = deployment.post(path, {"cookie": f"{ACCESS_COOKIE}={held.access}"})

        at_the_start, message = caplog.messages
        assert 401 == response.status_code
        assert at_the_start.startswith("FS073 session_router() is served at several paths")
        assert message.startswith(f"a browser with a session came to refresh it at {path}, without its refresh cookie")
        assert "which is bound to /auth/session/refresh: set api_base_path to the path that browsers see" in message

    @pytest.mark.parametrize("cookie", ["", f"{ACCESS_COOKIE}=junk", "forged"])
    def test_what_says_nothing_of_paths(
        self, cookie: str, deployment: Deployment, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A client without a session, and what strangers make up, leave no warning."""
        if cookie == "forged":
            cookie = f"{ACCESS_COOKIE}={(token := deployment.login().access)[:-20]}AAAAAAAA{token[-12:]}"
        for path in (REFRESH_PATH, "/users/session/refresh"):
            deployment.post(path, {"cookie": cookie} if cookie else {})

        assert [] == caplog.messages

    def test_a_store_that_is_down_for_a_lost_cookie(self, deployment: Deployment) -> None:
        """Finding out about paths never changes the answer."""
        held = deployment.login()
        asked: list[object] = []

        async def down(token: object) -> None:
            asked.append(token)
            if len(asked) > 1:  # the first one asks whether another session took the place of this one
                raise StoreUnavailable("down")

        deployment.sessions.verified_handle = down  # type: ignore[method-assign, assignment]
        response = deployment.post(REFRESH_PATH, {"cookie": f"{ACCESS_COOKIE}={held.access}"})

        assert (401, 2) == (response.status_code, len(asked))

    @pytest.mark.parametrize("own", ["/session/refresh", "/signout"])
    def test_endpoints_of_one_s_own(self, own: str, sessions: Sessions, clock: HandClock) -> None:
        """An application that answers one endpoint itself keeps the others, whichever is included first."""
        app = FastAPI()
        install(app, sessions)
        app.include_router(session_router(refresh=own != "/session/refresh", sign_out=own != "/signout"))
        app.post(f"/auth{own}")(lambda: "mine")
        with deployed(app, sessions, clock) as deployment:
            answers = {path: deployment.post(f"/auth{path}") for path in ("/session/refresh", "/signout")}
            documents = [deployment.get(f"/auth{path}") for path in DOCUMENTS]

        assert {path: 200 if path == own else 401 for path in answers} == {
            path: answer.status_code for path, answer in answers.items()
        }
        assert "mine" == answers[own].json()
        assert [200, 200] == [document.status_code for document in documents]

    def test_other_methods(self, deployment: Deployment) -> None:
        """A method that no client uses is refused."""
        assert 405 == deployment.get(REFRESH_PATH).status_code
        assert 405 == deployment.get(SIGN_OUT_PATH).status_code
