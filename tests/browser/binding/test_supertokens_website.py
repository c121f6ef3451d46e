"""The tests of the npm client `supertokens-website` once more, with sessions that are bound: the client, unmodified, notices nothing."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path
from secrets import token_urlsafe

import pytest
from playwright.sync_api import Page

from example_app.certificate import Certificate
from tests.browser import test_supertokens_website as unbound
from tests.browser.binding.bound_app import REGISTERED, RENEWED
from tests.browser.client_app import page_app
from tests.browser.server import serve
from tests.browser.test_supertokens_website import (
    ServeApi,
    client,
    package,
    served_api,
    test_a_changed_payload_reaches_the_client,
    test_a_changed_payload_tells_the_client_the_time,
    test_a_step_up_is_shown_once,
    test_an_anti_csrf_token_proves_the_client,
    test_signing_out_ends_the_session,
    test_ten_parallel_calls_need_one_refresh,
    test_the_client_sees_who_signed_in,
)
from tests.browser.waiting import until
from tests.wire import BINDING_COOKIE, REFRESH_PATH

__all__ = [
    "client",
    "package",
    "test_a_changed_payload_reaches_the_client",
    "test_a_changed_payload_tells_the_client_the_time",
    "test_a_step_up_is_shown_once",
    "test_an_anti_csrf_token_proves_the_client",
    "test_signing_out_ends_the_session",
    "test_ten_parallel_calls_need_one_refresh",
    "test_the_client_sees_who_signed_in",
]


class Client(unbound.Client):
    """A client whose session is bound by the browser, and whose credential ends together with its access token."""

    trust = False

    def sign_in(self) -> None:
        registered = self.server.answers.count(REGISTERED)
        super().sign_in()
        until(lambda: self.server.answers.count(REGISTERED) > registered)
        # The browser has the key when it has the credential.
        until(lambda: any(BINDING_COOKIE == cookie["name"] for cookie in self.page.context.cookies()))

    def wait_for_expiry(self) -> None:
        super().wait_for_expiry()
        cdp = self.page.context.new_cdp_session(self.page)
        cdp.send("Network.deleteCookies", {"name": BINDING_COOKIE, "url": self.server.origin + REFRESH_PATH})
        cdp.detach()


@pytest.fixture
def method() -> unbound.Method:
    return "cookie"


@pytest.fixture
def new_client() -> type[Client]:
    return Client


@pytest.fixture
def serve_api(tmp_path: Path, certificate: Certificate) -> ServeApi:
    return partial(served_api, tmp_path, certificate=certificate, secret=token_urlsafe(48), device_binding="optional")


@pytest.mark.parametrize(
    ("grace", "refusal"),
    [
        # No session is that young: a 401, as for any token that is worth nothing.
        (timedelta(0), (401, {"message": "unauthorised"})),
        # It is younger than the longest, however slow the machine: its own browser may not have heard yet that it is bound, and
        # the client of a page signs out at a 401. A thief has no more of a 503.
        (timedelta(minutes=5), (503, {"message": "key not proved, come again"})),
    ],
    ids=["not in the grace", "in the grace"],
)
def test_a_stolen_refresh_token_is_worth_nothing(
    grace: timedelta, refusal: tuple[int, dict[str, str]], page: Page, serve_api: ServeApi
) -> None:
    """A used refresh token that comes without the key is refused, now and later, and the client goes on."""
    with serve_api(device_binding_grace=grace) as server:
        client = Client(page, server, "cookie").start(server.origin)
        client.sign_in()
        old = client.rotate()
        client.wait_for_expiry()

        assert [refusal] * 2 == [client.replay(client.refresh_token), client.replay(old)]
        assert 200 == client.call("GET", "/me")[0]
        assert client.ask("doesSessionExist")
        assert RENEWED in server.answers


def test_a_page_of_another_origin(page: Page, serve_api: ServeApi, certificate: Certificate) -> None:
    """A page of another origin of the site may wait for a proof too: its refresh finds the credential renewed."""
    with (
        serve(lambda _: page_app(), certificate=certificate) as website,
        serve_api(website_domain=website.origin) as server,
    ):
        client = Client(page, server, "cookie").start(website.origin)
        client.sign_in()
        for _ in range(2):
            client.wait_for_expiry()
            assert (200, {"plan": "pro"}) == client.call("POST", "/plan")
        assert (2, 2) == (server.refreshes, server.answers.count(RENEWED))
        client.ask("signOut")
        assert not client.ask("doesSessionExist")
