"""Which access token of a request is believed, and from which pages a socket may be opened by cookie."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import HTTPConnection
from starlette.testclient import WebSocketDenialResponse

from fastapi_session import ConfigurationError, PrimitiveClaim, get_session_from_request
from tests.moments import HOUR
from tests.web.conftest import Deploy
from tests.web.deployment import CROSS_SITE, PAGE, Deployment, echo
from tests.web.wire import KEPT, TRY_REFRESH_TOKEN, UNAUTHORISED, change
from tests.wire import ACCESS_COOKIE, ACCESS_HEADER, AUTH_MODE, FRONT_TOKEN


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
        """A bearer token counts if it is one of ours, then the cookie, as far as each is allowed."""
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
            "duplicates": {"cookie": f"{ada.to_call()['cookie']}; {ACCESS_COOKIE}=another"},
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
            ("cookie", {FRONT_TOKEN: "new", ACCESS_COOKIE: "new"}),
            ("header", {FRONT_TOKEN: "new", ACCESS_HEADER: "new"}),
        ],
    )
    def test_a_session_keeps_its_method(self, method: str, tokens: dict[str, str], deployment: Deployment) -> None:
        """A new access token travels as the old one came, and the refresh token stays."""
        held = deployment.login(method)
        opposite = {AUTH_MODE: "header" if method == "cookie" else "cookie"}

        assert tokens == change(deployment.post("/merge", held.to_call(), opposite))


def is_opened(deployment: Deployment, *headers: dict[str, str]) -> bool:
    try:
        with deployment.client.websocket_connect(
            "/socket", headers={k: v for h in headers for k, v in h.items()}
        ) as socket:
            return bool(socket.receive_text() == "ada")
    except WebSocketDenialResponse:
        return False


@pytest.mark.parametrize(
    ("origin", "by_cookie"),
    [
        (PAGE, True),
        ("https://api.example", True),
        ("HTTPS://PAGE.EXAMPLE:443", True),
        ("http://page.example", False),
        ("https://page.example:8443", False),
        ("https://evil.page.example", False),
        ("https://page.example.evil.org", False),
        ("https://evil.org", False),
        ("null", False),
        ("", False),
    ],
)
def test_the_origin_of_a_socket(origin: str, by_cookie: bool, deploy: Deploy) -> None:
    """A socket by cookie is opened from pages of one's own alone; a bearer token proves itself, wherever the page is from."""
    deployment = deploy(**CROSS_SITE)
    deployment.app.websocket("/socket")(echo)
    cookie, bearer = deployment.login("cookie").to_call(), deployment.login("header").to_call()

    assert by_cookie == is_opened(deployment, cookie, {"origin": origin})
    assert is_opened(deployment, bearer, {"origin": origin})
    assert is_opened(deployment, cookie)


async def test_what_is_no_validator() -> None:
    """A claim without a rule is refused by a function as by a provider, before the request is looked at."""

    async def fetch(*_: object) -> str:
        return "admin"

    role: Any = PrimitiveClaim[str]("role", fetch)

    with pytest.raises(ConfigurationError, match="role"):
        await get_session_from_request(HTTPConnection({"type": "http"}), role)
