"""Which transfer method a request means, what proves that no other site forged it, and what becomes of an earlier session."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Annotated, Any, Literal

import pytest
from fastapi import Depends
from starlette.requests import HTTPConnection

from fastapi_session import ConfigurationError, CreateSession, create_session
from fastapi_session.core import access_token
from tests.web.conftest import Deploy
from tests.web.deployment import HOUR, WINDOW, Deployment
from tests.web.wire import (
    ACCESS,
    CLEARED,
    KEPT,
    NEW,
    OTHER_CLEARED,
    REFRESH,
    TRY_REFRESH_TOKEN,
    UNAUTHORISED,
    Held,
    change,
)

BOTH_ACCESS = {"front-token": "new", "st-access-token": "new", ACCESS: "new"}


BROWSER = {"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}
FOREIGN_FORM = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "origin": "https://evil.example"}


async def login_by(
    method: Literal["cookie", "header"], create: Annotated[CreateSession, Depends(create_session())]
) -> None:
    await create("ada", method=method)


async def refused_cookies(create: Annotated[CreateSession, Depends(create_session())]) -> str:
    with pytest.raises(ConfigurationError) as refusal:
        await create("ada", method="cookie")
    return str(refusal.value)


def header_to_create(_connection: HTTPConnection, for_create: bool) -> str:
    return "header" if for_create else "any"


def by_client(connection: HTTPConnection, _for_create: bool) -> str:
    return "cookie" if "origin" in connection.headers else "header"


class TestCreate:
    """The transfer method of a new session."""

    @pytest.mark.parametrize(
        ("configured", "asked", "method"),
        [
            ("any", {"st-auth-mode": "cookie"}, "cookie"),
            ("any", {"st-auth-mode": "header"}, "header"),
            ("any", {"st-auth-mode": "any"}, "header"),
            ("any", {"st-auth-mode": "cookies"}, "header"),
            ("any", {"st-auth-mode": ""}, "header"),
            ("any", {}, "header"),
            ("any", BROWSER, "cookie"),
            ("any", BROWSER | {"st-auth-mode": "header"}, "header"),
            ("any", BROWSER | {"authorization": "Bearer of-the-application"}, "cookie"),
            ("any", {"sec-fetch-mode": "cors"}, "header"),
            ("any", FOREIGN_FORM, "header"),
            ("any", FOREIGN_FORM | {"st-auth-mode": "cookie"}, "cookie"),
            ("header", BROWSER, "header"),
            ("cookie", {"st-auth-mode": "header"}, "cookie"),
            ("cookie", {}, "cookie"),
            ("header", {"st-auth-mode": "cookie"}, "header"),
            ("header", {}, "header"),
            (header_to_create, {"st-auth-mode": "cookie"}, "header"),
            (by_client, {"origin": "http://testserver", "st-auth-mode": "header"}, "cookie"),
            (by_client, {"st-auth-mode": "cookie"}, "header"),
        ],
    )
    def test_the_method(self, configured: Any, asked: dict[str, str], method: str, deploy: Deploy) -> None:
        """What is configured counts, if that is any the client's word, and if it has none what the client is known to keep."""
        response = deploy(token_transfer_method=configured).post("/login?user_id=ada", asked)

        assert (200, NEW[method]) == (response.status_code, change(response))

    def test_a_page_that_keeps_our_token_gets_the_next_alike(self, deployment: Deployment) -> None:
        """A browser that brings an access token of ours as a bearer token is given the new ones in headers."""
        held = deployment.login("header")

        assert NEW["header"] == change(deployment.post("/login?user_id=ada", held.to_call(), BROWSER))

    @pytest.mark.parametrize("asked", [{}, BROWSER, FOREIGN_FORM, {"st-auth-mode": "header"}])
    @pytest.mark.parametrize("method", ["cookie", "header"])
    def test_the_word_of_the_route(self, method: str, asked: dict[str, str], deployment: Deployment) -> None:
        """What the route says counts more than what the client says."""
        deployment.app.post("/login-by/{method}")(login_by)

        assert NEW[method] == change(deployment.post(f"/login-by/{method}", asked))

    def test_the_word_of_the_route_keeps_to_the_configuration(self, deploy: Deploy) -> None:
        """A route cannot begin a session whose tokens no request could bring; the error says what to change."""
        deployment = deploy(token_transfer_method="header")
        deployment.app.post("/refused")(refused_cookies)

        told = deployment.post("/refused").json()
        assert 'method="cookie", but token_transfer_method is "header": leave method out' in told
        assert [] == deployment.users()

    @pytest.mark.parametrize(
        ("before", "now", "tokens"),
        [
            ("header", "cookie", NEW["cookie"] | OTHER_CLEARED["cookie"]),
            ("cookie", "header", NEW["header"] | OTHER_CLEARED["header"]),
            ("cookie", "cookie", NEW["cookie"]),
            ("header", "header", NEW["header"]),
        ],
    )
    def test_the_other_method_is_cleared(
        self, before: str, now: str, tokens: dict[str, str], deployment: Deployment
    ) -> None:
        """Where the other method's access token came, it is cleared, and the session it belonged to has ended."""
        held = deployment.login(before)
        response = deployment.post("/login?user_id=ada", held.to_call(), {"st-auth-mode": now})

        assert tokens == change(response)
        assert ["ada"] == deployment.users()
        assert {"message": "session superseded, come again"} == deployment.refresh(held).json()

    @pytest.mark.parametrize(
        "other", ["Bearer undefined", "Bearer of-the-application", "Basic YWRhOmFkYQ==", "Bearer "]
    )
    def test_a_foreign_bearer_token_is_left_alone(self, other: str, deployment: Deployment) -> None:
        """A bearer token of the application's own is none of ours to clear."""
        response = deployment.post("/login?user_id=ada", {"authorization": other, "st-auth-mode": "cookie"})

        assert NEW["cookie"] == change(response)

    def test_an_expired_session_ends_too(self, deployment: Deployment) -> None:
        """The earlier session ends even if its access token has expired: it proves whose it was."""
        held = deployment.login()
        deployment.clock.advance(HOUR)
        deployment.post("/login?user_id=bob", held.to_call())

        assert ["bob"] == deployment.users("ada", "bob")

    def test_sessions_of_both_methods_end(self, deployment: Deployment) -> None:
        """Where a session came by each method, both end."""
        cookie, header = deployment.login("cookie", "ada"), deployment.login("header", "bob")
        response = deployment.post("/login?user_id=eve", cookie.to_call(), header.to_call(), {"st-auth-mode": "cookie"})

        assert NEW["cookie"] | OTHER_CLEARED["cookie"] == change(response)
        assert ["eve"] == deployment.users("ada", "bob", "eve")

    @pytest.mark.parametrize("method", ["cookie", "header"])
    def test_a_forged_token_ends_nothing(self, method: str, deployment: Deployment) -> None:
        """A token that nobody signed names a session, and does not end it."""
        held = deployment.login(method)
        signing_input, _, _ = held.access.rpartition(".")
        forged = replace(held, access=f"{signing_input}.{'A' * 86}")
        deployment.post("/login?user_id=bob", forged.to_call())

        assert ["ada", "bob"] == deployment.users("ada", "bob")

    def test_other_sessions_go_on(self, deployment: Deployment) -> None:
        """A login without a session ends none of the same user on other devices."""
        deployment.login()
        deployment.login()

        assert ["ada", "ada"] == deployment.users()


class TestVerify:
    """Which of the tokens that came is believed."""

    @pytest.mark.parametrize(
        ("allowed", "brings", "answer"),
        [
            ("any", "header", {"user_id": "bob"}),
            ("any", "cookie", {"user_id": "ada"}),
            ("any", "header cookie", {"user_id": "bob"}),
            ("any", "header duplicates", {"user_id": "bob"}),
            ("any", "expired cookie", TRY_REFRESH_TOKEN),
            ("any", "foreign cookie", {"user_id": "ada"}),
            ("any", "undefined cookie", {"user_id": "ada"}),
            ("any", "refresh cookie", {"user_id": "ada"}),
            ("any", "foreign", UNAUTHORISED),
            ("any", "refresh", UNAUTHORISED),
            ("any", "foreign duplicates", TRY_REFRESH_TOKEN),
            ("any", "duplicates", TRY_REFRESH_TOKEN),
            ("cookie", "header", UNAUTHORISED),
            ("cookie", "cookie", {"user_id": "ada"}),
            ("cookie", "header cookie", {"user_id": "ada"}),
            ("cookie", "expired cookie", {"user_id": "ada"}),
            ("cookie", "duplicates", TRY_REFRESH_TOKEN),
            ("header", "header", {"user_id": "bob"}),
            ("header", "cookie", UNAUTHORISED),
            ("header", "duplicates", UNAUTHORISED),
            ("header", "header cookie", {"user_id": "bob"}),
            ("header", "foreign cookie", UNAUTHORISED),
        ],
    )
    def test_the_method(self, allowed: str, brings: str, answer: Any, deploy: Deploy) -> None:
        """A bearer token counts where it is one of ours, then the cookie, as far as each is allowed."""
        deployment = deploy(token_transfer_method=lambda _, for_create: "any" if for_create else allowed)
        expired = deployment.login("header", "eve")
        deployment.clock.advance(HOUR)
        ada, bob = deployment.login("cookie", "ada"), deployment.login("header", "bob")
        headers = {
            "header": bob.to_call(),
            "expired": expired.to_call(),
            "refresh": bob.to_refresh(),
            "foreign": {"authorization": "Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2ln"},
            "undefined": {"authorization": "Bearer undefined"},
            "cookie": ada.to_call(),
            "duplicates": {"cookie": f"{ada.to_call()['cookie']}; {ACCESS}=another"},
        }
        response = deployment.get("/me", *(headers[name] for name in brings.split()))

        assert (answer, KEPT) == (response.json(), change(response))

    @pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer "])
    def test_the_scheme_is_a_name_in_any_case(self, scheme: str, deployment: Deployment) -> None:
        """`Bearer` is said in any case, with one space or more (RFC 9110, section 11.1)."""
        held = deployment.login("header")

        assert 200 == deployment.get("/me", {"authorization": f"{scheme} {held.access}"}).status_code

    @pytest.mark.parametrize(
        ("method", "tokens"),
        [
            ("cookie", {"front-token": "new", ACCESS: "new"}),
            ("header", {"front-token": "new", "st-access-token": "new"}),
        ],
    )
    def test_a_session_keeps_its_method(self, method: str, tokens: dict[str, str], deployment: Deployment) -> None:
        """A new access token travels as the old one came, and the refresh token stays."""
        held = deployment.login(method)
        opposite = {"st-auth-mode": "header" if method == "cookie" else "cookie"}

        assert tokens == change(deployment.post("/merge", held.to_call(), opposite))


class TestRefresh:
    """Which refresh token counts, and how the new tokens travel."""

    @pytest.mark.parametrize(
        ("allowed", "brings", "tokens"),
        [
            ("any", "header", NEW["header"]),
            ("any", "cookie", NEW["cookie"]),
            ("any", "header cookie", NEW["header"] | OTHER_CLEARED["header"]),
            ("any", "foreign cookie", NEW["cookie"]),
            ("any", "look-alike cookie", NEW["cookie"]),
            ("any", "another's cookie", NEW["cookie"]),
            ("any", "altered cookie", NEW["cookie"]),
            ("any", "altered", CLEARED),
            ("any", "access cookie", NEW["cookie"]),
            ("any", "foreign", CLEARED),
            ("cookie", "cookie", NEW["cookie"]),
            ("cookie", "header cookie", NEW["cookie"] | OTHER_CLEARED["cookie"]),
            ("cookie", "access cookie", NEW["cookie"]),
            ("cookie", "foreign cookie", NEW["cookie"]),
            ("cookie", "look-alike cookie", NEW["cookie"]),
            ("cookie", "header", KEPT),
            ("header", "header", NEW["header"]),
            ("header", "header cookie", NEW["header"] | OTHER_CLEARED["header"]),
            ("header", "cookie", KEPT),
            ("header", "header duplicates", NEW["header"] | OTHER_CLEARED["header"]),
            ("any", "header empty", NEW["header"]),
        ],
    )
    @pytest.mark.parametrize("mode", ["cookie", "header", ""])
    def test_the_method(self, allowed: str, brings: str, tokens: dict[str, str], mode: str, deploy: Deploy) -> None:
        """Header first, then cookie, as far as each is allowed; whatever else the client says, the answer travels the same way."""
        deployment = deploy(token_transfer_method=lambda _, for_create: "any" if for_create else allowed)
        ada, bob = deployment.login("cookie", "ada"), deployment.login("header", "bob")
        deployment.clock.advance(WINDOW)
        others = deploy(secret="another secret of thirty-two bytes or more").login("header")
        altered = replace(bob, refresh=bob.refresh[:-9] + ("A" if bob.refresh[-9] != "A" else "B") + bob.refresh[-8:])
        headers = {
            "header": bob.to_refresh(),
            "look-alike": {"authorization": f"Bearer {'A' * len(bob.refresh)}"},
            "another's": others.to_refresh(),
            "altered": altered.to_refresh(),
            "access": bob.to_call(),
            "foreign": {"authorization": "Bearer of-the-application"},
            "cookie": ada.to_refresh(),
            "duplicates": {"cookie": f"{ada.to_refresh()['cookie']}; {REFRESH}=another"},
            "empty": {"cookie": f"{ACCESS}=; {REFRESH}="},
        }
        given = [headers[name] for name in brings.split()]
        response = deployment.post("/auth/session/refresh", *given, {"st-auth-mode": mode} if mode else {})

        assert (200 if "new" in tokens.values() else 401) == response.status_code
        assert tokens == change(response)

    def test_no_body_no_content_type_any_rid(self, deployment: Deployment) -> None:
        """A refresh without a body, a content type or a particular rid works."""
        held = deployment.login()

        for rid in ({}, {"rid": "session"}, {"rid": "anti-csrf"}, {"rid": "emailpassword"}):
            assert 200 == deployment.refresh(held, rid, {"fdi-version": "1.16,1.17"}).status_code


class TestAntiCsrf:
    """What a request by cookie has to prove."""

    @pytest.mark.parametrize("mode", ["NONE", "VIA_CUSTOM_HEADER", "VIA_TOKEN"])
    @pytest.mark.parametrize("offers", ["nothing", "rid", "token", "wrong token"])
    @pytest.mark.parametrize(
        ("verb", "path", "is_checked"),
        [
            ("GET", "/me", False),
            ("POST", "/me", True),
            ("GET", "/guarded", True),
            ("POST", "/unguarded", False),
            ("POST", "/auth/signout", True),
            ("POST", "/auth/session/refresh", True),
        ],
    )
    def test_the_proof(self, mode: str, offers: str, verb: str, path: str, is_checked: bool, deploy: Deploy) -> None:
        """It is asked of every method but GET unless a route says otherwise, of each refresh, and of cookies alone."""
        deployment = deploy(anti_csrf=mode)
        held = deployment.login("cookie")
        offer = {
            "nothing": {},
            "rid": {"rid": "anything"},
            "token": {"anti-csrf": held.anti_csrf or "none"},
            "wrong token": {"anti-csrf": "wrong"},
        }
        proof = {"NONE": offers, "VIA_CUSTOM_HEADER": "rid", "VIA_TOKEN": "token"}[mode]
        response = deployment.request(verb, path, held.to_refresh(), offer[offers])

        assert (200 if proof == offers or not is_checked else 401) == response.status_code
        assert (mode == "VIA_TOKEN") == (held.anti_csrf is not None)

    @pytest.mark.parametrize("mode", ["VIA_CUSTOM_HEADER", "VIA_TOKEN"])
    @pytest.mark.parametrize("verb", ["GET", "POST"])
    def test_a_bearer_token_needs_no_proof(self, mode: str, verb: str, deploy: Deploy) -> None:
        """No browser is tricked into sending a bearer token."""
        deployment = deploy(anti_csrf=mode)
        held = deployment.login("header")

        assert 200 == deployment.request(verb, "/me", held.to_call()).status_code
        assert held.anti_csrf is None

    def test_the_token_is_the_session_s_own(self, deploy: Deploy) -> None:
        """The anti-CSRF token stands in the access token, is new with each refresh, and the one before proves nothing."""
        deployment = deploy(anti_csrf="VIA_TOKEN")
        first = deployment.login("cookie")
        second = deployment.refreshed(first, {"anti-csrf": first.anti_csrf or ""})
        parsed = access_token.parse(second.access)

        assert parsed is not None
        assert second.anti_csrf == parsed.content.anti_csrf_token
        assert len({first.anti_csrf, second.anti_csrf, None}) == 3
        assert 401 == deployment.post("/me", second.to_call(), {"anti-csrf": first.anti_csrf or ""}).status_code
        assert 200 == deployment.post("/me", second.to_call(), {"anti-csrf": second.anti_csrf or ""}).status_code

    @pytest.mark.parametrize("mode", ["VIA_CUSTOM_HEADER", "VIA_TOKEN"])
    @pytest.mark.parametrize("more", [{}, {"content-type": "text/plain", "origin": "https://mallory.example"}])
    @pytest.mark.parametrize(
        ("verb", "path", "brings"),
        [
            ("POST", "/auth/session/refresh", "both cookies"),
            ("POST", "/auth/session/%72efresh", "the access cookie"),
            ("POST", "/auth/signout", "the access cookie"),
            ("POST", "/auth/%73ignout", "the access cookie"),
            ("POST", "/merge", "the access cookie"),
            ("POST", "/me", "the access cookie"),
            ("HEAD", "/me", "the access cookie"),
            ("GET", "/guarded", "the access cookie"),
            ("GET", "/me", "the access cookie"),
        ],
    )
    def test_another_site_changes_nothing(
        self, mode: str, more: dict[str, str], verb: str, path: str, brings: str, deploy: Deploy
    ) -> None:
        """Whatever another site has a browser send, the user keeps tokens and session.

        It chooses the path, and so which cookies come: a browser compares paths as they are written, a server decoded.
        """
        deployment = deploy(anti_csrf=mode)
        held = deployment.login("cookie")
        deployment.clock.advance(WINDOW)
        cookies = held.to_refresh() if brings == "both cookies" else held.to_call()
        response = deployment.request(verb, path, cookies, more)

        assert KEPT == change(response)
        assert 404 != response.status_code
        assert ["ada"] == deployment.users()
        assert 200 == deployment.refresh(held, {"rid": "x", "anti-csrf": held.anti_csrf or ""}).status_code

    @pytest.mark.parametrize(
        ("mode", "offers", "tokens"),
        [
            ("NONE", "nothing", CLEARED),
            ("VIA_CUSTOM_HEADER", "nothing", KEPT),
            ("VIA_CUSTOM_HEADER", "rid", CLEARED),
            ("VIA_TOKEN", "nothing", KEPT),
            ("VIA_TOKEN", "rid", KEPT),
            ("VIA_TOKEN", "wrong token", KEPT),
            ("VIA_TOKEN", "token", CLEARED),
        ],
    )
    def test_an_access_cookie_alone(self, mode: str, offers: str, tokens: dict[str, str], deploy: Deploy) -> None:
        """An access token that nothing can refresh any more is cleared, if it is the client itself that asks."""
        deployment = deploy(anti_csrf=mode)
        held = deployment.login("cookie")
        offer = {
            "nothing": {},
            "rid": {"rid": "x"},
            "token": {"anti-csrf": held.anti_csrf or ""},
            "wrong token": {"anti-csrf": "wrong"},
        }
        response = deployment.post("/auth/session/refresh", held.to_call(), offer[offers])

        assert (401, UNAUTHORISED, tokens) == (response.status_code, response.json(), change(response))

    def test_another_session_s_token_proves_nothing(self, deploy: Deploy) -> None:
        """The anti-CSRF token of another session does not prove this one."""
        deployment = deploy(anti_csrf="VIA_TOKEN")
        ada, eve = deployment.login(user_id="ada"), deployment.login(user_id="eve")

        assert 401 == deployment.post("/me", ada.to_call(), {"anti-csrf": eve.anti_csrf or ""}).status_code

    def test_the_token_stays_with_the_access_token(self, deploy: Deploy) -> None:
        """A changed payload leaves the anti-CSRF token as it is, and sends no other."""
        deployment = deploy(anti_csrf="VIA_TOKEN")
        held = deployment.login()
        proof = {"anti-csrf": held.anti_csrf or ""}
        response = deployment.post("/merge", held.to_call(), proof)
        changed = Held("cookie", response.headers["set-cookie"].split(";")[0].partition("=")[2], held.refresh)

        assert {"front-token": "new", ACCESS: "new"} == change(response)
        assert 200 == deployment.post("/me", changed.to_call(), proof).status_code


@pytest.mark.parametrize("method", ["cookie", "header"])
def test_the_front_token(method: str, deployment: Deployment) -> None:
    """The front token is padded base64 of compact JSON: the end in milliseconds, the user, and the payload in the order of the access token."""
    response = deployment.post("/login?user_id=ad\u00e4", {"st-auth-mode": method})
    text = base64.b64decode(response.headers["front-token"], validate=True).decode("utf-8")
    parsed = access_token.parse(Held.of(response, method).access)

    assert parsed is not None
    payload = parsed.content.claims()
    content = {"ate": payload["exp"] * 1000, "uid": "ad\u00e4", "up": payload}
    assert json.dumps(content, separators=(",", ":")) == text
    assert 0 == len(response.headers["front-token"]) % 4
    assert "pro" == payload["plan"]


def test_the_exposed_access_token(deploy: Deploy) -> None:
    """Where it is so configured, the access token of the cookie is told to scripts as well, on every answer that has one."""
    deployment = deploy(expose_access_token_to_frontend_in_cookie_based_auth=True)
    held = deployment.login("cookie")
    created = deployment.post("/login?user_id=ada", {"st-auth-mode": "cookie"})
    merged = deployment.post("/merge", held.to_call())
    deployment.clock.advance(WINDOW)
    refreshed = deployment.refresh(held)

    assert NEW["cookie"] | BOTH_ACCESS == change(created) == change(refreshed)
    assert BOTH_ACCESS == change(merged)
    assert Held.of(created, "cookie").access == created.headers["st-access-token"]


def test_the_exposed_access_token_beside_cleared_headers(deploy: Deploy) -> None:
    """Where the header method is cleared beside exposed tokens, the access token is the new one."""
    deployment = deploy(expose_access_token_to_frontend_in_cookie_based_auth=True)
    held = deployment.login("header")
    response = deployment.post("/login?user_id=ada", held.to_call(), {"st-auth-mode": "cookie"})

    assert NEW["cookie"] | BOTH_ACCESS | {"st-refresh-token": "cleared"} == change(response)
    assert Held.of(response, "cookie").access == response.headers["st-access-token"]
