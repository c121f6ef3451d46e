"""What caches are told: whose response it is, and that nobody else is given it."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Response

from fastapi_session import Session, verify_session
from fastapi_session.web.cache_headers import for_nobody, for_one_user
from tests.web.deployment import Deployment, Verified

OURS = (b"vary", b"Cookie, Authorization")
Optional = Annotated[Session | None, Depends(verify_session(session_required=False))]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ([], b"private"),
        ([b""], b"private"),
        ([b"public, max-age=60"], b"private, max-age=60"),
        ([b"Public , S-MAXAGE=9, max-age=60, immutable"], b"private, max-age=60, immutable"),
        ([b"max-age=60", b"must-revalidate"], b"private, max-age=60, must-revalidate"),
        ([b"private"], b"private"),
        ([b"private, no-cache"], b"private, no-cache"),
        ([b'private="set-cookie, x", max-age=60'], b"private, max-age=60"),
        ([b'no-cache="a, no-store, b"'], b'private, no-cache="a, no-store, b"'),
        ([b'x="public'], b'private, x="public'),
        ([b"no-cache"], b"private, no-cache"),
        ([b"no-store"], b"no-store"),
        ([b"public, No-Store, max-age=0"], b"No-Store, max-age=0"),
    ],
)
def test_cache_control(said: list[bytes], told: bytes) -> None:
    """A response is private, whatever the application said, unless that was stricter; the rest of its words stay."""
    written = for_one_user([(b"x", b"1"), *((b"Cache-Control", value) for value in said)])

    assert [(b"x", b"1"), OURS, (b"cache-control", told)] == written


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ([], b"Cookie, Authorization"),
        ([b""], b"Cookie, Authorization"),
        ([b"Accept-Encoding"], b"Accept-Encoding, Cookie, Authorization"),
        ([b"origin", b"cookie , Accept"], b"origin, cookie, Accept, Authorization"),
        ([b"Authorization, Cookie"], b"Authorization, Cookie"),
        ([b"*"], b"*, Cookie, Authorization"),
    ],
)
@pytest.mark.parametrize("write", [for_one_user, for_nobody])
def test_vary(write: Any, said: list[bytes], told: bytes) -> None:
    """What the response depends on is one list: what the application named, and ours."""
    written = write([(b"Vary", value) for value in said])

    assert [told] == [value for name, value in written if name == b"vary"]


@pytest.mark.parametrize("write", [for_one_user, for_nobody])
@pytest.mark.parametrize(
    "name", [b"CDN-Cache-Control", b"netlify-cdn-cache-control", b"Surrogate-Control", b"X-Accel-Expires"]
)
def test_fields_above(write: Any, name: bytes) -> None:
    """A field that some cache obeys in place of Cache-Control is left out."""
    assert write([]) == write([(name, b"max-age=60")])


SAID: list[tuple[dict[str, str], str]] = [
    ({}, "private"),
    ({"etag": '"1"', "content-language": "en"}, "private"),
    ({"cache-control": "public, max-age=60"}, "private, max-age=60"),
    ({"cache-control": "no-store"}, "no-store"),
    ({"x-accel-expires": "60"}, "private"),
]


class TestResponses:
    """The same on responses, as the application sends them."""

    @pytest.fixture
    def app(self, app: FastAPI) -> FastAPI:
        @app.get("/page/{number}")
        async def page(number: int, session: Optional) -> Response:
            return Response(session.user_id if session else "nobody", headers=SAID[number][0])

        @app.get("/open/{number}")
        async def open_page(number: int) -> Response:
            return Response("everybody", headers=SAID[number][0])

        @app.get("/broken")
        async def broken(session: Verified) -> Response:
            return Response(session.user_id, 404, headers={"cache-control": "public"})

        return app

    @pytest.mark.parametrize("number", range(len(SAID)))
    @pytest.mark.parametrize("who", ["nobody", "header", "cookie", "cookie again"])
    def test_a_session_was_asked_for(self, number: int, who: str, deployment: Deployment) -> None:
        """A response is for one user once the session was asked for, also if none came or the same token came before."""
        headers = {} if who == "nobody" else deployment.login(who.split(maxsplit=1)[0]).to_call()
        responses = [deployment.get(f"/page/{number}", headers) for _ in range(2 if who.endswith("again") else 1)]

        response = responses[-1]
        assert ("nobody" if who == "nobody" else "ada") == response.text
        assert [SAID[number][1]] == response.headers.get_list("cache-control")
        assert ["Cookie, Authorization"] == response.headers.get_list("vary")
        assert "x-accel-expires" not in response.headers
        assert SAID[number][0].get("etag") == response.headers.get("etag")

    @pytest.mark.parametrize("number", range(len(SAID)))
    def test_no_session_was_asked_for(self, number: int, deployment: Deployment) -> None:
        """A response in which no session had a part is left alone, whoever asked."""
        response = deployment.get(f"/open/{number}", deployment.login().to_call())

        sent = {"content-length": "9", **SAID[number][0]}
        assert sent == dict(response.headers)

    def test_what_is_not_found(self, deployment: Deployment) -> None:
        """An error is kept from others as a page is."""
        response = deployment.get("/broken", deployment.login().to_call())

        assert (404, "private") == (response.status_code, response.headers["cache-control"])

    def test_a_response_without_headers(self, app: FastAPI, deployment: Deployment) -> None:
        """ASGI lets a response start without a word of its headers: ours are there."""

        class Bare(Response):
            async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
                await send({"type": "http.response.start", "status": 204})
                await send({"type": "http.response.body"})

        @app.get("/bare")
        async def bare(_session: Optional) -> Response:
            return Bare()

        assert "private" == deployment.get("/bare").headers["cache-control"]
