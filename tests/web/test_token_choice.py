"""What a request by cookie has to prove: that no other site forged it."""

from __future__ import annotations

import pytest

from fastapi_session.core import access_token
from tests.moments import PAST_GRACE
from tests.web.conftest import Deploy
from tests.web.wire import KEPT, Held, change
from tests.wire import ACCESS_COOKIE, ANTI_CSRF, FRONT_TOKEN, REFRESH_PATH, SIGN_OUT_PATH


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
            ("POST", SIGN_OUT_PATH, True),
            ("POST", REFRESH_PATH, True),
        ],
    )
    def test_the_proof(self, mode: str, offers: str, verb: str, path: str, is_checked: bool, deploy: Deploy) -> None:
        """It is asked of every method but GET unless a route says otherwise, of each refresh, and of cookies alone."""
        deployment = deploy(anti_csrf=mode)
        held = deployment.login("cookie")
        offer = {
            "nothing": {},
            "rid": {"rid": "anything"},
            "token": {ANTI_CSRF: held.anti_csrf or "none"},
            "wrong token": {ANTI_CSRF: "wrong"},
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
        second = deployment.refreshed(first, {ANTI_CSRF: first.anti_csrf or ""})
        parsed = access_token.parse(second.access)

        assert parsed is not None
        assert second.anti_csrf == parsed.content.anti_csrf_token
        assert len({first.anti_csrf, second.anti_csrf, None}) == 3
        assert 401 == deployment.post("/me", second.to_call(), {ANTI_CSRF: first.anti_csrf or ""}).status_code
        assert 200 == deployment.post("/me", second.to_call(), {ANTI_CSRF: second.anti_csrf or ""}).status_code

    @pytest.mark.parametrize("mode", ["VIA_CUSTOM_HEADER", "VIA_TOKEN"])
    @pytest.mark.parametrize("more", [{}, {"content-type": "text/plain", "origin": "https://mallory.example"}])
    @pytest.mark.parametrize(
        ("verb", "path", "brings"),
        [
            ("POST", REFRESH_PATH, "both cookies"),
            ("POST", "/auth/session/%72efresh", "the access cookie"),
            ("POST", SIGN_OUT_PATH, "the access cookie"),
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
        deployment.clock.advance(PAST_GRACE)
        cookies = held.to_refresh() if brings == "both cookies" else held.to_call()
        response = deployment.request(verb, path, cookies, more)

        assert KEPT == change(response)
        assert 404 != response.status_code
        assert ["ada"] == deployment.users()
        assert 200 == deployment.refresh(held, {"rid": "x", ANTI_CSRF: held.anti_csrf or ""}).status_code

    def test_another_session_s_token_proves_nothing(self, deploy: Deploy) -> None:
        """The anti-CSRF token of another session does not prove this one."""
        deployment = deploy(anti_csrf="VIA_TOKEN")
        ada, eve = deployment.login(user_id="ada"), deployment.login(user_id="eve")

        assert 401 == deployment.post("/me", ada.to_call(), {ANTI_CSRF: eve.anti_csrf or ""}).status_code

    def test_the_token_stays_with_the_access_token(self, deploy: Deploy) -> None:
        """A changed payload leaves the anti-CSRF token as it is, and sends no other."""
        deployment = deploy(anti_csrf="VIA_TOKEN")
        held = deployment.login()
        proof = {ANTI_CSRF: held.anti_csrf or ""}
        response = deployment.post("/merge", held.to_call(), proof)
        changed = Held("cookie", response.headers["set-cookie"].split(";")[0].partition("=")[2], held.refresh)

        assert {FRONT_TOKEN: "new", ACCESS_COOKIE: "new"} == change(response)
        assert 200 == deployment.post("/me", changed.to_call(), proof).status_code
