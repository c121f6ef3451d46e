"""Which refresh token counts, how the new tokens travel, and what is left of a session that cannot be refreshed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.moments import PAST_GRACE
from tests.web.conftest import Deploy
from tests.web.deployment import Deployment
from tests.web.wire import CLEARED, KEPT, NEW, OTHER_CLEARED, UNAUTHORISED, change
from tests.wire import ACCESS_COOKIE, ANTI_CSRF, AUTH_MODE, REFRESH_COOKIE, REFRESH_PATH


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
        deployment.clock.advance(PAST_GRACE)
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
            "duplicates": {"cookie": f"{ada.to_refresh()['cookie']}; {REFRESH_COOKIE}=another"},
            "empty": {"cookie": f"{ACCESS_COOKIE}=; {REFRESH_COOKIE}="},
        }
        given = [headers[name] for name in brings.split()]
        response = deployment.post(REFRESH_PATH, *given, {AUTH_MODE: mode} if mode else {})

        assert (200 if "new" in tokens.values() else 401) == response.status_code
        assert tokens == change(response)

    def test_no_body_no_content_type_any_rid(self, deployment: Deployment) -> None:
        """A refresh without a body, a content type or a particular rid works."""
        held = deployment.login()

        for rid in ({}, {"rid": "session"}, {"rid": "anti-csrf"}, {"rid": "emailpassword"}):
            assert 200 == deployment.refresh(held, rid, {"fdi-version": "1.16,1.17"}).status_code

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
            "token": {ANTI_CSRF: held.anti_csrf or ""},
            "wrong token": {ANTI_CSRF: "wrong"},
        }
        response = deployment.post(REFRESH_PATH, held.to_call(), offer[offers])

        assert (401, UNAUTHORISED, tokens) == (response.status_code, response.json(), change(response))
