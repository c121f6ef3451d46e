"""Pages that the server renders, for a browser that has bound its session, and for who has copied its cookies."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from fastapi_session.testing import HandClock, bind_device
from tests.moments import DAY
from tests.web.pages.site import Visitor, sessions_of, site, visited

HTTPS = "https://api.example.com"


@pytest.mark.parametrize("binding", ["optional", "required"])
@pytest.mark.parametrize("scope", ["refresh", "all"])
def test_a_copy_of_the_cookies(scope: str, binding: str, clock: HandClock) -> None:
    """Who has copied them is sent to sign in, and never in a circle; the browser goes on, and comes to its pages."""
    options = {"device_binding": binding, "device_binding_scope": scope, "token_transfer_method": "cookie"}
    sessions = sessions_of(clock, api_domain=HTTPS, **options)
    app = site(sessions)
    with visited(app, sessions, clock, base_url=HTTPS) as browser:
        bind_device(browser.client, sessions)
        browser.sign_in()
        for _ in range(2):
            browser.wait(DAY)
            thief = Visitor(TestClient(app, base_url=HTTPS, cookies=browser.client.cookies), clock, sessions)
            thief.go("/page")

            assert "404 /sign-in?next=/page" == thief.seen[-1]
            assert '"ada "' == browser.go("/page").text
