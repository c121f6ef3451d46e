"""The sign-out of a form: with an access token that has ended too, and by no page of another site."""

from __future__ import annotations

import pytest

from fastapi_session import StoreUnavailable
from tests.web.pages.conftest import Visit
from tests.web.pages.site import PAGE, PART, Visitor
from tests.wire import ACCESS_COOKIE, REFRESH_COOKIE

SIGN_OUT = "/auth/signout/page"
ALL = {ACCESS_COOKIE, REFRESH_COOKIE}
MODES = ["NONE", "VIA_CUSTOM_HEADER"]


@pytest.mark.parametrize("ended", [False, True], ids=["in time", "ended"])
@pytest.mark.parametrize("anti_csrf", MODES)
def test_it_signs_out(anti_csrf: str, ended: bool, visit: Visit) -> None:
    """A form ends the session, also if its access token has ended, and leads to the page that it names."""
    visitor = visit(anti_csrf=anti_csrf)
    if ended:
        visitor.wait()
    response = visitor.once(f"{SIGN_OUT}?next=/bye?a=b", "POST")

    assert (303, "/bye?a=b", "no-store") == (
        response.status_code,
        response.headers["location"],
        response.headers["cache-control"],
    )
    assert not visitor.is_signed_in
    assert {} == visitor.cookies


def test_nobody(visitor: Visitor) -> None:
    """Who is signed out already is led on."""
    visitor.client.cookies.clear()

    assert "/" == visitor.once(SIGN_OUT, "POST").headers["location"]


@pytest.mark.parametrize("elsewhere", ["//evil.example", "/%09/evil.example", "http:evil.example"])
def test_it_leads_nowhere_else(elsewhere: str, visitor: Visitor) -> None:
    """Whatever the form names, it leads to a page of this host."""
    assert "/" == visitor.once(SIGN_OUT, "POST", params={"next": elsewhere}).headers["location"]


@pytest.mark.parametrize("anti_csrf", MODES)
@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
        {"sec-fetch-site": "same-site", "origin": "http://sibling.testserver"},
        {"sec-fetch-site": "cross-site", "origin": "null"},
        {"sec-fetch-site": "", "origin": "https://evil.example"},
        {"sec-fetch-site": "", "origin": "null"},
    ],
)
def test_another_site(headers: dict[str, str], anti_csrf: str, visit: Visit) -> None:
    """A form of another site, or of a sibling domain, signs nobody out."""
    visitor = visit(anti_csrf=anti_csrf)
    response = visitor.once(SIGN_OUT, "POST", headers=headers)

    assert (403, False) == (response.status_code, "set-cookie" in response.headers)
    assert visitor.is_signed_in
    assert visitor.cookies.keys() >= ALL


def test_get(visitor: Visitor) -> None:
    """A link signs nobody out."""
    assert 405 == visitor.once(SIGN_OUT).status_code


def test_htmx(visitor: Visitor) -> None:
    """HTMX leaves the page, of which every part was the user's."""
    response = visitor.once(f"{SIGN_OUT}?next=/bye", "POST", headers=PART)

    assert (200, "/bye") == (response.status_code, response.headers["hx-redirect"])
    assert not visitor.is_signed_in


def test_a_sign_in_meanwhile(visitor: Visitor) -> None:
    """A form that is late with the tokens of before a new sign-in ends the session of that sign-in, which is the user's."""
    late = visitor.cookies[ACCESS_COOKIE]
    visitor.sign_in()
    response = visitor.client.post(
        SIGN_OUT, headers={**PAGE, "cookie": f"{ACCESS_COOKIE}={late}"}, follow_redirects=False
    )

    assert (307, "/auth/session/refresh/page?next=/auth/signout/page") == (
        response.status_code,
        response.headers["location"],
    )
    assert visitor.is_signed_in
    assert "404 /" == (visitor.go(response.headers["location"], "POST"), visitor.seen[-1])[1]
    assert not visitor.is_signed_in


def test_the_store_is_down(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the store is down, nobody reads that they are signed out: a page says to come again, and the tokens are kept."""

    async def fail(*_args: object, **_options: object) -> None:
        raise StoreUnavailable("down")

    monkeypatch.setattr(visitor.sessions.store, "delete", fail)
    response = visitor.once(SIGN_OUT, "POST")

    assert (503, "1") == (response.status_code, response.headers["retry-after"])
    assert "reloading sends it again" in response.text
    assert visitor.cookies.keys() >= ALL
