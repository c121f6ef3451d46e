"""A browser and a program whose tokens are of a SuperTokens core: what they send, and what becomes of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.cookies import SimpleCookie
from typing import Any, NoReturn

import pytest
from fastapi import Response

from fastapi_session import Sessions, StoreUnavailable
from fastapi_session.core.anti_csrf import NOT_ASKED, AntiCsrfProof
from fastapi_session.errors import SessionError
from fastapi_session.testing import HandClock
from tests.engines import config
from tests.moments import HOUR
from tests.old_core import KID, OldCore, OldTokens
from tests.supertokens_core.old_backend import Tokens, attach
from tests.web.binding.browsers import BOUND, offered
from tests.web.deployment import Deployment, application, deployed
from tests.web.frames import pieces, report
from tests.web.wire import CLEARED, KEPT, NEW, OTHER_CLEARED, TRY_REFRESH_TOKEN, UNAUTHORISED, Held, change
from tests.wire import ACCESS_COOKIE, ANTI_CSRF, REFRESH_COOKIE, REFRESH_PATH

Move = Callable[..., Deployment]


@pytest.fixture
def core(clock: HandClock) -> OldCore:
    return OldCore(clock)


@pytest.fixture
def move(clock: HandClock, core: OldCore) -> Iterator[Move]:
    """Deploy the application of every endpoint in the place of that of the core, with the options given."""
    with ExitStack() as served:

        def serve(**options: Any) -> Deployment:
            sessions = Sessions(config(**options), clock=clock, moving_from=core)
            return served.enter_context(deployed(application(sessions), sessions, clock, sessions.config.api_domain))

        yield serve


def sent_by_the_sdk(tokens: OldTokens) -> Response:
    """The response by which the application of before sent these tokens as cookies."""
    response = Response()
    attach(response, Tokens(tokens.access, tokens.refresh, tokens.anti_csrf), "cookie")
    return response


def cookies_of(tokens: OldTokens) -> dict[str, str]:
    """The Cookie header of a browser that was sent these tokens: it gives back the values as they are, quotes included."""
    values = [value.partition(";")[0] for value in sent_by_the_sdk(tokens).headers.getlist("set-cookie")]
    return {"Cookie": "; ".join(values)}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def quoted(core: OldCore) -> OldTokens:
    """Tokens of a session whose refresh token has a slash, which nearly all have."""
    while True:
        tokens = core.begin()
        if "/" in tokens.refresh and "+" in tokens.refresh:
            return tokens
        core.revoke(tokens)


def test_a_browser_goes_on(move: Move, core: OldCore) -> None:
    """The cookies that the SDK set are read, quotes and percent signs included, and ours take their places in the browser."""
    deployment, tokens = move(), quoted(core)
    assert '="' in cookies_of(tokens)["Cookie"]
    assert 200 == deployment.get("/me", cookies_of(tokens)).status_code
    response = deployment.post(REFRESH_PATH, cookies_of(tokens))

    assert (200, NEW["cookie"]) == (response.status_code, change(response))
    assert place_of(sent_by_the_sdk(tokens).headers.getlist("set-cookie")) == place_of(
        response.headers.get_list("set-cookie")
    )
    held = Held.of(response, "cookie")
    assert 200 == deployment.get("/me", held.to_call()).status_code
    assert NEW["cookie"] == change(deployment.refresh(deployment.refreshed(held)))


def place_of(set_cookies: list[str]) -> dict[str, tuple[str, str]]:
    """By which a browser tells cookies apart: the name, the domain and the path (RFC 6265, section 5.3)."""
    parsed = [SimpleCookie(text) for text in set_cookies]
    return {name: (morsel["domain"], morsel["path"]) for each in parsed for name, morsel in each.items()}


def test_a_program_goes_on(move: Move, core: OldCore) -> None:
    """A bearer token of theirs is a refresh token."""
    deployment, tokens = move(), quoted(core)
    assert 200 == deployment.get("/me", bearer(tokens.access)).status_code
    response = deployment.post(REFRESH_PATH, bearer(tokens.refresh))

    assert (200, NEW["header"]) == (response.status_code, change(response))
    assert 200 == deployment.get("/checked", Held.of(response, "header").to_call()).status_code


def test_a_stale_cookie_beside_it(move: Move, core: OldCore) -> None:
    """A bearer token that is a refresh token counts before any cookie, of theirs or ours; one that is none does not."""
    deployment, theirs, other = move(), quoted(core), quoted(core)
    ours = deployment.login("cookie", "grace")
    for beside in (ours.to_refresh(), cookies_of(other)):
        response = deployment.post(REFRESH_PATH, bearer(theirs.refresh), beside)
        assert (200, NEW["header"] | OTHER_CLEARED["header"]) == (response.status_code, change(response))
    program = deployment.login("header", "edsger")
    response = deployment.post(REFRESH_PATH, bearer(program.refresh), cookies_of(other))
    assert NEW["header"] | OTHER_CLEARED["header"] == change(response)

    response = deployment.post(REFRESH_PATH, bearer(other.access), cookies_of(other))
    assert NEW["cookie"] == change(response)


def test_what_cannot_be_read_is_kept(move: Move, core: OldCore) -> None:
    """A wrong key costs nobody his tokens, and once it is mended all go on; so does a database that is down."""
    deployment, tokens = move(), quoted(core)
    core.key, right = "1000:00:00", core.key
    response = deployment.post(REFRESH_PATH, cookies_of(tokens))
    assert (401, UNAUTHORISED, KEPT) == (response.status_code, response.json(), change(response))
    core.key, core.is_down = right, True
    response = deployment.post(REFRESH_PATH, cookies_of(tokens))
    assert (503, KEPT) == (response.status_code, change(response))
    core.is_down = False

    assert NEW["cookie"] == change(deployment.post(REFRESH_PATH, cookies_of(tokens)))


@pytest.mark.parametrize("method", ["cookie", "header"])
@pytest.mark.parametrize(
    "odd", ['"', '""', "%00.%ED%A0%80.V2", "A" * 4_000 + ".b.V2", "a.b.V2", "..", '"a.b.V2', "Ä.b.V2"]
)
def test_hostile_tokens(odd: str, method: str, move: Move, core: OldCore) -> None:
    """Whatever comes in the place of a token is refused, never an error, and clears nothing."""
    deployment = move()
    headers = {"Cookie": f"{REFRESH_COOKIE}={odd}"} if method == "cookie" else bearer(odd)
    response = deployment.request("POST", REFRESH_PATH, {name: value.encode() for name, value in headers.items()})  # type: ignore[misc]

    assert (401, KEPT) == (response.status_code, change(response))


def test_theft_is_theft(move: Move, core: OldCore, clock: HandClock) -> None:
    """A token of theirs that comes again after its successor was used ends the session, as with tokens of ours."""
    deployment, tokens = move(), quoted(core)
    held = Held.of(deployment.post(REFRESH_PATH, cookies_of(tokens)), "cookie")
    deployment.get("/me", held.to_call())
    deployment.users()
    clock.advance(HOUR)
    response = deployment.post(REFRESH_PATH, cookies_of(tokens))

    assert (401, {"message": "token theft detected"}) == (response.status_code, response.json())
    assert CLEARED == change(response)
    assert UNAUTHORISED == deployment.post(REFRESH_PATH, cookies_of(tokens)).json()


def test_anti_csrf(move: Move, core: OldCore) -> None:
    """The anti-CSRF token that the SDK sent is asked for once, and the response brings the next one."""
    deployment, tokens = move(anti_csrf="VIA_TOKEN"), core.begin(anti_csrf="39db2a18-2639-4a0f-85aa-2f14e1c7d731")
    for proof in ({}, {ANTI_CSRF: "wrong"}):
        response = deployment.post(REFRESH_PATH, cookies_of(tokens), proof)
        assert (401, KEPT) == (response.status_code, change(response))
    proof = {ANTI_CSRF: tokens.anti_csrf or ""}
    assert 200 == deployment.post("/me", cookies_of(tokens), proof).status_code
    held = Held.of(deployment.post(REFRESH_PATH, cookies_of(tokens), proof), "cookie")

    assert held.anti_csrf not in (None, tokens.anti_csrf)
    assert 200 == deployment.post("/me", held.to_call(), {ANTI_CSRF: held.anti_csrf or ""}).status_code


def test_a_prefix_beside_it(move: Move, core: OldCore) -> None:
    """Whoever gives cookies a prefix on the same evening reads theirs, which have none, and clears them."""
    core.issuer = "https://testserver/auth"
    deployment = move(cookie_prefix="__Host-", older_cookie_prefix="", api_domain="https://testserver")
    tokens = quoted(core)
    response = deployment.post(REFRESH_PATH, cookies_of(tokens))
    names = [text.partition("=")[0] for text in response.headers.get_list("set-cookie")]

    assert 200 == response.status_code
    assert {f"__Host-{ACCESS_COOKIE}", f"__Secure-{REFRESH_COOKIE}", ACCESS_COOKIE, REFRESH_COOKIE} == {*names}


@pytest.mark.parametrize(("binding", "status"), [("optional", 200), ("required", 401)])
def test_a_moved_session_is_not_bound(binding: str, status: int, move: Move, core: OldCore, clock: HandClock) -> None:
    """It moves in, and is offered nothing; where binding is required, that is all. The next sign-in is offered to be bound."""
    deployment, tokens = move(**{**BOUND, "device_binding": binding}), quoted(core)
    clock.advance(HOUR)
    moved = deployment.post(REFRESH_PATH, cookies_of(tokens))
    held = Held.of(moved, "cookie")
    clock.advance(HOUR)
    response = deployment.refresh(held)

    assert (200, None) == (moved.status_code, offered(moved))
    assert (status, None) == (response.status_code, offered(response))
    assert status == 200 or KEPT == change(response)
    assert offered(deployment.post("/login?user_id=ada", {"st-auth-mode": "cookie", **held.to_call()})) is not None


def test_their_keys_are_published(move: Move, core: OldCore, clock: HandClock) -> None:
    """Other services go on believing their access tokens by the JWK Set, as long as one can live."""
    deployment, tokens = move(), quoted(core)
    assert KID in published(deployment)
    clock.advance(HOUR)
    response = deployment.get("/me", cookies_of(tokens))

    assert (401, TRY_REFRESH_TOKEN, KEPT) == (response.status_code, response.json(), change(response))
    assert KID not in published(deployment)


def published(deployment: Deployment) -> list[str]:
    return [key["kid"] for key in deployment.get("/auth/jwt/jwks.json").json()["keys"]]


def test_a_sign_out_with_their_token(move: Move, core: OldCore) -> None:
    """Who signs out before the first refresh is signed out for good."""
    deployment, tokens = move(), quoted(core)
    assert 200 == deployment.post("/auth/signout", cookies_of(tokens)).status_code

    assert [] == deployment.users()
    assert UNAUTHORISED == deployment.post(REFRESH_PATH, cookies_of(tokens)).json()


async def out_of_order(*_: Any, **__: Any) -> NoReturn:
    raise StoreUnavailable("the store is down")


MISHAPS: dict[str, Callable[[OldCore, OldTokens, Sessions], object]] = {
    "their database is down": lambda core, _, __: vars(core).update(is_down=True),
    "our store is down": lambda _, __, sessions: vars(sessions.store).update(rotate=out_of_order),
    "it cannot go on here": lambda core, _, __: vars(core).update(unfit={*core.sessions}),
    "the key is wrong": lambda core, _, __: vars(core).update(key="1000:00:00"),
    "it ended there": lambda core, tokens, _: core.revoke(tokens),
    "it is theft": lambda core, tokens, _: core.refresh(core.refresh(tokens)),
    "nothing proves it": lambda _, __, ___: None,
}


@pytest.mark.parametrize("mishap", MISHAPS)
async def test_no_token_is_in_a_frame(mishap: str, core: OldCore, clock: HandClock) -> None:
    """An error reporter that sends the local variables of every frame sends nothing that opens a session."""
    sessions = Sessions(config(), clock=clock, moving_from=core)
    tokens = core.refresh(core.begin(anti_csrf="39db2a18-2639-4a0f-85aa-2f14e1c7d731"))
    opened = core.read_refresh_token(tokens.refresh)
    assert opened is not None
    secrets = pieces(tokens.refresh, opened.anti_csrf_token or "", opened.secret, opened.parent or b"")
    MISHAPS[mishap](core, tokens, sessions)
    proof = NOT_ASKED if mishap != "nothing proves it" else AntiCsrfProof("VIA_TOKEN", token="wrong")
    with pytest.raises((SessionError, StoreUnavailable)) as raised:
        await sessions.refresh(tokens.refresh, proof=proof)

    assert [] == [each.place for each in report(raised.value) if each.tells(secrets)]


def test_no_token_is_logged(move: Move, core: OldCore, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever becomes of a token, neither it nor a part of it is in the log."""
    caplog.set_level(logging.DEBUG)
    deployment, tokens = move(), quoted(core)
    core.unfit = {*core.sessions}
    deployment.post(REFRESH_PATH, cookies_of(tokens))
    core.unfit = set()
    for _ in range(2):
        deployment.post(REFRESH_PATH, cookies_of(tokens))

    assert "cannot go on here" in caplog.text
    for secret in (tokens.refresh, tokens.refresh[:40], tokens.access[-40:]):
        assert secret not in caplog.text
