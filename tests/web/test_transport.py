"""What is read from any request, and exactly what is written onto a response."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fastapi_session import SessionConfig, Tokens
from fastapi_session.core import access_token, base64url
from fastapi_session.core.jws import segment
from fastapi_session.moving import OldCookie
from fastapi_session.testing import HandClock
from fastapi_session.web.cookies import EPOCH
from fastapi_session.web.transport import Credentials, Outcome, Scheme, Transport, read
from tests.engines import SECRET, engine
from tests.moments import PAST_GRACE
from tests.web.conftest import Deploy
from tests.web.deployment import Deployment, signing_key
from tests.web.wire import NEW, Held, change, set_cookies
from tests.wire import (
    ACCESS_COOKIE,
    ACCESS_HEADER,
    AUTH_MODE,
    FRONT_TOKEN,
    REFRESH_COOKIE,
    REFRESH_HEADER,
    REFRESH_PATH,
)

CLAIMS = {
    "sub": "ada",
    "rsub": "ada",
    "tId": "public",
    "sessionHandle": "0" * 32,
    "refreshTokenHash1": "0" * 64,
    "parentRefreshTokenHash1": "0" * 64,
    "antiCsrfToken": "proof",
    "iss": "https://api.example.com/auth",
    "iat": 1,
    "exp": 2,
}
"""What an access token of ours says, with every claim that it may have."""

HEADER_NAMES = [b"cookie", b"authorization", b"anti-csrf", b"rid", b"st-auth-mode", b"sec-websocket-protocol", b"x"]
PIECES = [
    b"sAccessToken",
    b"sRefreshToken",
    b"sIdRefreshToken",
    b"=",
    b";",
    b" ",
    b"Bearer ",
    b"\xff",
    b"\x00",
    b"%",
    b"a",
]


def is_of_its_type(name: str, value: object) -> bool:  # noqa: PLR0911 - one for each type
    """Say whether *value* is of the type that the claim *name* has, as docs/wire.md tells it."""
    match name:
        case "sub" | "sessionHandle" | "rsub" | "tId" | "iss":
            return isinstance(value, str)
        case "antiCsrfToken":
            return value is None or isinstance(value, str)
        case "refreshTokenHash1":
            return value == "0" * 64
        case "jti":
            return value == "0" * 12
        case "parentRefreshTokenHash1":
            return value in (None, "0" * 64)
        case "browserSession" | "is_anonymous" | "deviceBound":
            return value is True
        case "act" | "auth_times" | "cnf":
            return False  # an object, which is never among the values here
        case _:
            return not isinstance(value, bool) and isinstance(value, int | float) and 0 <= value < 253_402_300_800


class TestReading:
    @pytest.mark.parametrize(
        ("authorization", "bearer"),
        [
            (b"Bearer abc", "abc"),
            (b"bearer abc", "abc"),
            (b"BEARER   abc ", "abc"),
            (b"Bearer a b", "a b"),
            (b"Bearer \xa0abc", "\xa0abc"),
            (b"Bearer", None),
            (b"Bearer ", None),
            (b"Bearer   ", None),
            (b"Bearer\tabc", None),
            (b" Bearer abc", None),
            (b"Basic abc", None),
            (b"Bearerabc", None),
            (b"", None),
        ],
    )
    def test_bearer(self, authorization: bytes, bearer: str | None) -> None:
        """A bearer token is what follows the scheme and its spaces."""
        scheme: Scheme | None = "bearer" if bearer else None
        assert Credentials(bearer=bearer, scheme=scheme) == read([(b"authorization", authorization)])

    @pytest.mark.parametrize(
        ("authorization", "token"),
        [(b"DPoP abc", "abc"), (b"dpop  abc ", "abc"), (b"DPoP", None), (b"DPoP ", None), (b"DPoPabc", None)],
    )
    def test_dpop(self, authorization: bytes, token: str | None) -> None:
        """A token by the scheme DPoP is what follows that; each header of the same name is a proof."""
        headers = [(b"dpop", b"p1"), (b"authorization", authorization), (b"dpop", b"p2\xff")]
        scheme: Scheme | None = "dpop" if token else None

        assert Credentials(bearer=token, scheme=scheme, proofs=("p1", "p2\xff")) == read(headers)

    @pytest.mark.parametrize(
        ("offers", "bearer"),
        [
            (["session", "session.bearer.abc"], "abc"),
            (["chat", "session.bearer.abc", "session"], "abc"),
            (["session.bearer.abc", "session.bearer.def"], "abc"),
            (["session.bearer."], None),
            (["session"], None),
            (["sessions", "xsession.bearer.abc"], None),
            (["\xa0session.bearer.abc"], None),
            ([], None),
        ],
    )
    def test_subprotocols(self, offers: list[str], bearer: str | None) -> None:
        """A browser brings the token of a socket as one of the subprotocols it offers."""
        scheme: Scheme | None = "bearer" if bearer else None
        assert Credentials(bearer=bearer, scheme=scheme) == read([], subprotocols=offers)

    @pytest.mark.parametrize(
        ("offers", "expected"),
        [
            (["session", "session.dpop.t", "session.proof.p"], Credentials(bearer="t", scheme="dpop", proofs=("p",))),
            (["session.proof.p", "session.dpop.t"], Credentials(bearer="t", scheme="dpop", proofs=("p",))),
            (
                ["session.dpop.t", "session.proof.p", "session.proof.q"],
                Credentials(bearer="t", scheme="dpop", proofs=("p", "q")),
            ),
            (["session.dpop.t"], Credentials(bearer="t", scheme="dpop")),
            (["session.bearer.b", "session.dpop.t", "session.proof.p"], Credentials(bearer="b", scheme="bearer")),
            (["session.bearer.", "session.dpop.t"], Credentials(bearer="t", scheme="dpop")),
            (["session.proof.p"], Credentials()),
        ],
    )
    def test_subprotocols_of_dpop(self, offers: list[str], expected: Credentials) -> None:
        """A browser brings a token that is bound, and the proof, as two of the subprotocols it offers."""
        assert expected == read([], subprotocols=offers)

    def test_everything(self) -> None:
        """All that a request may bring is found, and nothing else is looked at."""
        headers = [
            (b"host", b"testserver"),
            (b"cookie", b"sAccessToken=a; other=1; sRefreshToken=r1"),
            (b"cookie", b"sRefreshToken=r2; sIdRefreshToken=1"),
            (b"anti-csrf", b"t"),
            (b"rid", b""),
            (b"st-auth-mode", b"cookie"),
        ]

        assert Credentials(
            access_cookies=("a",),
            refresh_cookies=("r1", "r2"),
            has_legacy_cookie=True,
            anti_csrf="t",
            has_rid=True,
            auth_mode="cookie",
        ) == read(headers)

    def test_nothing(self) -> None:
        """A request without any of it brings nothing."""
        assert Credentials() == read([(b"host", b"testserver")])

    @pytest.mark.parametrize("name", [b"authorization", b"anti-csrf", b"st-auth-mode"])
    def test_the_first_counts(self, name: bytes) -> None:
        """Of two headers of one name the first counts: no intermediary's addition takes its place."""
        assert read([(name, b"Bearer 1")]) == read([(name, b"Bearer 1"), (name, b"Bearer 2")])

    def test_secrets_are_not_shown(self) -> None:
        """What a request brought can be logged without its secrets."""
        credentials = read([(b"cookie", b"sAccessToken=s3cret; sRefreshToken=s3cret"), (b"anti-csrf", b"s3cret")])

        assert "s3cret" not in repr(credentials)
        assert "s3cret" not in repr(read([(b"authorization", b"Bearer s3cret"), (b"dpop", b"s3cret")]))

    @given(
        st.lists(
            st.tuples(st.sampled_from(HEADER_NAMES), st.lists(st.sampled_from(PIECES) | st.binary()).map(b"".join))
        )
    )
    @example([(b"sec-websocket-protocol", b"session.bearer.")])
    def test_any_headers(self, headers: list[tuple[bytes, bytes]]) -> None:
        """No headers are an error."""
        credentials = read(headers)

        assert all(credentials.access_cookies)
        assert all(credentials.refresh_cookies)
        assert credentials.bearer != ""


ACCESS_END = "Thu, 18 May 2034 03:33:20 GMT; Max-Age=31536000"
REFRESH_END = "Fri, 26 Aug 2033 03:33:20 GMT; Max-Age=8640000"
HTTPS = {"api_domain": "https://api.example.com", "website_domain": "https://example.com"}


class TestSetCookie:
    @pytest.mark.parametrize(
        ("options", "attributes", "path"),
        [
            ({}, "; SameSite=Lax", REFRESH_PATH),
            (HTTPS, "; SameSite=Lax; Secure", REFRESH_PATH),
            (HTTPS | {"website_domain": "https://other.org"}, "; SameSite=None; Secure", REFRESH_PATH),
            (
                HTTPS | {"website_domain": "https://other.org", "cookie_partitioned": True},
                "; SameSite=None; Secure; Partitioned",
                REFRESH_PATH,
            ),
            (HTTPS | {"cookie_same_site": "strict"}, "; SameSite=Strict; Secure", REFRESH_PATH),
            (HTTPS | {"cookie_secure": False}, "; SameSite=Lax", REFRESH_PATH),
            (
                HTTPS | {"cookie_domain": "example.com"},
                "; Domain=example.com; SameSite=Lax; Secure",
                REFRESH_PATH,
            ),
            ({"api_base_path": "/v1/users"}, "; SameSite=Lax", "/v1/users/session/refresh"),
            ({"api_base_path": ""}, "; SameSite=Lax", "/session/refresh"),
            (
                {"api_domain": "http://localhost:8000", "website_domain": "https://localhost:3000"},
                "; SameSite=None; Secure",
                REFRESH_PATH,
            ),
        ],
    )
    def test_attributes(self, options: dict[str, Any], attributes: str, path: str, deploy: Deploy) -> None:
        """Both cookies have, byte for byte, the attributes of the configuration, when they are set and when they are cleared."""
        deployment = deploy(**options)
        response = deployment.post("/login?user_id=ada", {AUTH_MODE: "cookie"})
        held = deployment.login()
        path_of_sign_out = f"{deployment.sessions.config.api_base_path}/signout"
        cleared = deployment.post(path_of_sign_out, held.to_call(), {"rid": "session"})

        assert [
            (ACCESS_COOKIE, f"Path=/; Expires={ACCESS_END}; HttpOnly{attributes}"),
            (REFRESH_COOKIE, f"Path={path}; Expires={REFRESH_END}; HttpOnly{attributes}"),
        ] == [(name, rest.partition("; ")[2]) for name, rest in set_cookies(response)]
        assert [
            (ACCESS_COOKIE, f"; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly{attributes}"),
            (REFRESH_COOKIE, f"; Path={path}; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly{attributes}"),
        ] == set_cookies(cleared)

    @pytest.mark.parametrize(("options", "is_secure"), [({}, True), ({"cookie_secure": False}, False)])
    def test_https_in_front(self, options: dict[str, Any], is_secure: bool, deploy: Deploy) -> None:
        """Cookies that go out by https are Secure even if the configuration knows only http, unless it says otherwise."""
        deployment = deploy(**options)
        deployment.client.base_url = deployment.client.base_url.copy_with(scheme="https")
        response = deployment.post("/login?user_id=ada", {AUTH_MODE: "cookie"})

        assert [is_secure, is_secure] == [rest.endswith("; Secure") for _, rest in set_cookies(response)]

    def test_the_refresh_cookie_ends_with_the_session(self, deploy: Deploy) -> None:
        """The refresh cookie lives as long as its token: the idle timeout from the last refresh, at most the absolute one."""
        deployment = deploy(idle_timeout=timedelta(hours=2), absolute_timeout=timedelta(hours=2, seconds=31))
        first = deployment.post("/login?user_id=ada", {AUTH_MODE: "cookie"})
        held = deployment.login()
        deployment.clock.advance(PAST_GRACE)
        second = deployment.refresh(held)
        deployment.clock.advance(PAST_GRACE)
        third = deployment.refresh(deployment.refreshed(held))

        ends = [dict(set_cookies(response))[REFRESH_COOKIE].split("; ")[2] for response in (first, second, third)]
        assert [
            "Expires=Wed, 18 May 2033 05:33:20 GMT",
            "Expires=Wed, 18 May 2033 05:33:51 GMT",
            "Expires=Wed, 18 May 2033 05:33:51 GMT",
        ] == ends


PLAIN = Transport(SessionConfig(store="memory:", secret=SECRET))


def tokens(**fields: Any) -> Tokens:
    given = {"access_token": "a", "access_token_expires_at": 1, "claims": {"sub": "ada"}, "anti_csrf_token": None}
    return Tokens(**{**given, **fields})


class TestWriting:
    @pytest.fixture
    def transport(self) -> Transport:
        api_domain = "http://api.old.example.com"
        return Transport(
            SessionConfig(store="memory:", secret=SECRET, api_domain=api_domain, older_cookie_domain="old.example.com")
        )

    def test_nothing_of_the_response_is_lost(self, transport: Transport) -> None:
        """Headers of the application stay, in order, its own cookies among them; what it exposes is exposed as well."""
        headers = [
            (b"Set-Cookie", b"theme=dark"),
            (b"x", b"1"),
            (b"Access-Control-Expose-Headers", b"x"),
            (b"set-cookie", b"lang=en"),
            (b"access-control-expose-headers", b"y, z"),
        ]
        written = transport.write(headers, Outcome({"header": None}), now=0, https=False)

        assert [
            (b"Set-Cookie", b"theme=dark"),
            (b"x", b"1"),
            (b"set-cookie", b"lang=en"),
            (b"vary", b"Cookie, Authorization"),
            (b"cache-control", b"no-store"),
            (b"st-access-token", b""),
            (b"st-refresh-token", b""),
            (b"front-token", b"remove"),
            (b"access-control-expose-headers", b"x, y, z, st-access-token, st-refresh-token, front-token"),
        ] == written

    @pytest.mark.parametrize(
        "name",
        [
            b"Cache-Control",
            b"cache-control",
            b"CDN-Cache-Control",
            b"Cloudflare-CDN-Cache-Control",
            b"Surrogate-Control",
            b"X-Accel-Expires",
        ],
    )
    @pytest.mark.parametrize(
        "outcome",
        [
            Outcome({"header": tokens()}),
            Outcome({"header": None}),
            Outcome({"cookie": None}),
            Outcome(older_cookies=(ACCESS_COOKIE,)),
            Outcome(clears_legacy_cookie=True),
        ],
        ids=["sent", "cleared", "cookies cleared", "older cookies cleared", "legacy cookie cleared"],
    )
    def test_no_change_of_tokens_is_cached(self, outcome: Outcome, name: bytes, transport: Transport) -> None:
        """A response that sends or clears tokens is kept by no cache, whatever the application told it, and by which header."""
        written = transport.write([(name, b"public, max-age=60"), (b"vary", b"x")], outcome, now=0, https=False)

        told = [header for header in written if header[0].lower() in {name.lower(), b"cache-control", b"vary"}]

        assert [(b"vary", b"x, Cookie, Authorization"), (b"cache-control", b"no-store")] == told

    def test_a_cleared_cookie_is_set_by_nobody_else(self, transport: Transport) -> None:
        """A middleware within may have set it in the same response: clients need not heed which came last."""
        others = [
            b"old=1; Path=/",
            b"old=1; path=/api; domain=shop.example.com",
            b"older=1; path=/api; domain=example.com",
            b"old=1; path=/api; domain=example.com; secure; partitioned",
        ]
        again = [b"old=1; path=/api; domain=.Example.com; httponly", b"old=1;Path=/api;Domain=example.com"]
        headers = [(b"set-cookie", each) for each in (*others, *again)]
        outcome = Outcome(old_cookies=(OldCookie("old", path="/api", domain="example.com"),))
        written = transport.write(headers, outcome, now=0, https=False)
        *left, cleared = [value for name, value in written if name == b"set-cookie"]

        assert others == left
        assert cleared.startswith(b"old=; Path=/api; Expires=Thu, 01 Jan 1970")

    def test_the_older_domain(self, transport: Transport) -> None:
        """A cookie of the older domain is cleared there, and says nothing of tokens."""
        written = transport.write([], Outcome(older_cookies=(ACCESS_COOKIE,)), now=0, https=False)

        assert [
            (b"vary", b"Cookie, Authorization"),
            (b"cache-control", b"no-store"),
            (
                b"set-cookie",
                b"sAccessToken=; Path=/; Expires=%b; HttpOnly; Domain=old.example.com; SameSite=Lax" % EPOCH.encode(),
            ),
        ] == written

    @given(st.text(st.characters(max_codepoint=255)), st.text(), st.dictionaries(st.text(), st.text()))
    @example("".join(map(chr, range(256))), "".join(map(chr, range(256))), {"\r\nset-cookie": "x=1"})
    def test_no_line_ends(self, token: str, user_id: str, claims: dict[str, str]) -> None:
        """Whatever a session is about, no header has a control character, and no cookie an attribute of its own."""
        issued = tokens(access_token=token, claims={**claims, "sub": user_id}, refresh_token=token)
        written = PLAIN.write([], Outcome({"cookie": issued}), now=0, https=False)

        assert [] == [value for _, value in written if min(value) < 32 or max(value) > 126]
        assert [6, 6] == [len(value.split(b"; ")) for name, value in written if name == b"set-cookie"]


class TestParsing:
    """What has the structure of an access token of ours."""

    @pytest.fixture
    async def minted(self, clock: HandClock) -> str:
        return (await engine(clock).create("ada", access_token_payload={"n": [1, 2.5, "ü"]})).tokens.access_token

    async def test_what_is_minted_is_read(self, minted: str) -> None:
        """A minted token is read back whole."""
        parsed = access_token.parse(minted)

        assert parsed is not None
        assert ("ada", {"n": [1, 2.5, "ü"]}) == (parsed.content.user_id, parsed.content.custom)

    @given(st.text() | st.lists(st.text("AQgw_-ey", max_size=9), min_size=3, max_size=3).map(".".join))
    def test_any_text(self, text: str) -> None:
        """No text is an error, and none that chance makes is a token of ours."""
        assert access_token.parse(text) is None

    @given(
        header=st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        ),
        claims=st.dictionaries(
            st.sampled_from(sorted(access_token.RESERVED_CLAIMS)) | st.text(),
            st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.lists(st.text()),
        ),
    )
    def test_any_json(self, header: Any, claims: dict[str, Any]) -> None:
        """No JSON under a header that is not ours is read, whatever its claims."""
        parts = [segment(header), segment(claims), base64url.encode(b"signature")]

        assert access_token.parse(".".join(parts)) is None

    @given(
        changes=st.dictionaries(
            st.sampled_from(sorted(access_token.RESERVED_CLAIMS)),
            st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.lists(st.text()),
            max_size=2,
        )
    )
    @example({})
    @example({"sub": "bob", "iss": "https://api.example.com"})
    @example({"iat": 1.5})
    def test_any_claims(self, changes: dict[str, Any]) -> None:
        """Under a header of ours, claims are read only if each has its type."""
        header: dict[str, Any] = {"alg": "ES256", "kid": "d-a", "typ": "JWT", "version": "5"}
        claims: dict[str, Any] = CLAIMS | changes
        parts = [segment(header), segment(claims), base64url.encode(b"signature")]

        assert all(is_of_its_type(name, value) for name, value in changes.items()) == (
            access_token.parse(".".join(parts)) is not None
        )

    async def test_every_other_character(self, minted: str, clock: HandClock) -> None:
        """A token with any one character replaced, left out or doubled is not one of ours, or is signed by no key."""
        sessions = engine(clock)
        token = (await sessions.create("ada")).tokens.access_token
        key = await signing_key(sessions)
        genuine = access_token.parse(token)
        assert genuine is not None
        assert genuine.is_signed_by(key)

        for at in range(len(token)):
            for middle in ("", "A", "_", ".", "=", " ", token[at] * 2):
                text = token[:at] + middle + token[at + 1 :]
                parsed = access_token.parse(text)

                assert text == token or parsed is None or not parsed.is_signed_by(key)


BOTH_ACCESS = {FRONT_TOKEN: "new", ACCESS_HEADER: "new", ACCESS_COOKIE: "new"}


@pytest.mark.parametrize("method", ["cookie", "header"])
def test_the_front_token(method: str, deployment: Deployment) -> None:
    """The front token is padded base64 of compact JSON: the end in milliseconds, the user, and the payload in the order of the access token."""
    response = deployment.post("/login?user_id=ad\u00e4", {AUTH_MODE: method})
    text = base64.b64decode(response.headers[FRONT_TOKEN], validate=True).decode("utf-8")
    parsed = access_token.parse(Held.of(response, method).access)

    assert parsed is not None
    payload = parsed.content.claims()
    content = {"ate": payload["exp"] * 1000, "uid": "ad\u00e4", "up": payload}
    assert json.dumps(content, separators=(",", ":")) == text
    assert 0 == len(response.headers[FRONT_TOKEN]) % 4
    assert "pro" == payload["plan"]


def test_the_exposed_access_token(deploy: Deploy) -> None:
    """If it is so configured, scripts can read the access token of the cookie as well, on every response that has one."""
    deployment = deploy(expose_access_token_to_frontend_in_cookie_based_auth=True)
    held = deployment.login("cookie")
    created = deployment.post("/login?user_id=ada", {AUTH_MODE: "cookie"})
    merged = deployment.post("/merge", held.to_call())
    deployment.clock.advance(PAST_GRACE)
    refreshed = deployment.refresh(held)

    assert NEW["cookie"] | BOTH_ACCESS == change(created) == change(refreshed)
    assert BOTH_ACCESS == change(merged)
    assert Held.of(created, "cookie").access == created.headers[ACCESS_HEADER]


def test_the_exposed_access_token_beside_cleared_headers(deploy: Deploy) -> None:
    """If the header method is cleared beside exposed tokens, the access token is the new one."""
    deployment = deploy(expose_access_token_to_frontend_in_cookie_based_auth=True)
    held = deployment.login("header")
    response = deployment.post("/login?user_id=ada", held.to_call(), {AUTH_MODE: "cookie"})

    assert NEW["cookie"] | BOTH_ACCESS | {REFRESH_HEADER: "cleared"} == change(response)
    assert Held.of(response, "cookie").access == response.headers[ACCESS_HEADER]
