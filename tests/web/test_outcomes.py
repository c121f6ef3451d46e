"""Every row of the table of outcomes, over HTTP: status, JSON, and what becomes of the client's tokens."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response

from fastapi_session import IssuedSession
from fastapi_session.core import access_token
from fastapi_session.core.jws import segment
from fastapi_session.testing import HandClock
from tests.engines import engine
from tests.moments import HOUR, PAST_GRACE
from tests.web.conftest import Deploy
from tests.web.deployment import Deployment, deployed
from tests.web.deployment import application as application_of
from tests.web.wire import (
    CLEARED,
    EXPOSED,
    KEPT,
    NAMED,
    NEW,
    THEFT,
    TRY_REFRESH_TOKEN,
    UNAUTHORISED,
    Held,
    change,
    exposed,
)
from tests.wire import ACCESS_COOKIE, ANTI_CSRF, AUTH_MODE, LEGACY_COOKIE, REFRESH_COOKIE, REFRESH_PATH, SIGN_OUT_PATH

OK = {"status": "OK"}
ADA = {"user_id": "ada"}
LOGGED_IN = ["ada"]
ENDED: list[str] = []
CSRF = {"rid": "anti-csrf"}
SUPERSEDED = {"message": "session superseded, come again"}
TOO_MANY = {"message": "cookies of an older domain were cleared, refresh again"}
INVALID_CLAIM = {
    "message": "invalid claim",
    "claimValidationErrors": [{"id": "st-role", "reason": {"expected": "admin"}}, {"id": "st-mfa"}],
}


@dataclass(frozen=True)
class Row:
    """A case, the request that makes it, and all that the response must be. *users* are those who have a session after it."""

    case: str
    request: Callable[[Deployment, str], Response]
    status: int
    json: Any
    tokens: dict[str, str]
    users: list[str] = field(default_factory=lambda: LOGGED_IN)
    methods: tuple[str, ...] = ("cookie", "header")
    options: dict[str, Any] = field(default_factory=dict)


def of_nobody(path: str, **headers: str) -> Callable[[Deployment, str], Response]:
    """A request that brings *headers* alone, while ada has a session elsewhere."""

    def request(at: Deployment, method: str) -> Response:
        at.login(method)
        return at.post(path, headers) if "auth/" in path else at.get(path, headers)

    return request


def me(at: Deployment, method: str) -> Response:
    return at.get("/me", at.login(method).to_call())


def optional(at: Deployment, method: str) -> Response:
    return at.get("/optional", at.login(method).to_call())


def expired(path: str) -> Callable[[Deployment, str], Response]:
    def request(at: Deployment, method: str) -> Response:
        held = at.login(method)
        at.clock.advance(HOUR)
        return at.post(path, held.to_call()) if "signout" in path else at.get(path, held.to_call())

    return request


def altered(alter: Callable[[str], str]) -> Callable[[Deployment, str], Response]:
    """A request with an access token that was *altered*."""

    def request(at: Deployment, method: str) -> Response:
        held = at.login(method)
        return at.get("/me", replace(held, access=alter(held.access)).to_call())

    return request


def other_signature(token: str) -> str:
    signing_input, _, signature = token.rpartition(".")
    return f"{signing_input}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"


def other_header(**changed: str) -> Callable[[str], str]:
    def alter(token: str) -> str:
        parsed = access_token.parse(token)
        assert parsed is not None
        header: dict[str, Any] = {"alg": "ES256", "kid": parsed.kid, "typ": "JWT", "version": "5", **changed}
        return ".".join([segment(header), *token.split(".")[1:]])

    return alter


def twice(at: Deployment, method: str) -> Response:
    held = at.login(method)
    return at.get("/me", {"cookie": f"{ACCESS_COOKIE}={held.access}; {ACCESS_COOKIE}={held.access}"})


def beside_legacy_cookie(path: str, after: timedelta = timedelta()) -> Callable[[Deployment, str], Response]:
    def request(at: Deployment, method: str) -> Response:
        headers = at.login(method).to_call()
        at.clock.advance(after)
        return at.get(path, headers, {"cookie": f"{headers.get('cookie', 'other=1')}; {LEGACY_COOKIE}=1"})

    return request


def revoked(at: Deployment, method: str) -> Response:
    held = at.login(method)
    at.ask(at.sessions.revoke_all, "ada")
    return at.get("/me", held.to_call())


def gone(at: Deployment, method: str) -> Response:
    """A request of a session that the store has no more, and nobody was told of it."""
    held = at.login(method)
    at.clock.advance(at.sessions.config.idle_timeout)
    at.ask(lambda: at.sessions.store.delete_expired(limit=10))
    at.clock.advance(-at.sessions.config.idle_timeout)
    return at.get("/checked", held.to_call())


def claims(at: Deployment, method: str) -> Response:
    return at.get("/admin", at.login(method).to_call())


def sign_out(at: Deployment, method: str) -> Response:
    return at.post(SIGN_OUT_PATH, at.login(method).to_call())


def post_without_proof(path: str) -> Callable[[Deployment, str], Response]:
    def request(at: Deployment, method: str) -> Response:
        return at.post(path, at.login(method).to_call())

    return request


def refresh(at: Deployment, method: str) -> Response:
    held = at.login(method)
    at.clock.advance(PAST_GRACE)
    return at.refresh(held)


def refresh_with_access_cookie_alone(at: Deployment, method: str) -> Response:
    return at.post(REFRESH_PATH, at.login("cookie").to_call())


def refresh_altered(at: Deployment, method: str) -> Response:
    held = at.login(method)
    return at.refresh(replace(held, refresh=held.refresh[:-1] + ("A" if held.refresh[-1] != "A" else "E")))


def refresh_gone(at: Deployment, method: str) -> Response:
    held = at.login(method)
    at.ask(at.sessions.revoke_all, "ada")
    return at.refresh(held)


def refresh_expired(at: Deployment, method: str) -> Response:
    held = at.login(method)
    at.clock.advance(at.sessions.config.idle_timeout)
    return at.refresh(held)


def refresh_reused(at: Deployment, method: str) -> Response:
    """The first of three generations comes back."""
    first = at.login(method)
    at.refreshed(at.refreshed(first))
    return at.refresh(first)


def refresh_reused_recently(at: Deployment, method: str) -> Response:
    """The generation before comes back, after its successor was used."""
    first = at.login(method)
    assert 200 == at.get("/me", at.refreshed(first).to_call()).status_code
    assert LOGGED_IN == at.users()
    at.clock.advance(PAST_GRACE)
    return at.refresh(first)


def refresh_twice_at_once(at: Deployment, method: str) -> Response:
    """The generation before comes back in the grace period."""
    first = at.login(method)
    at.refreshed(first)
    return at.refresh(first)


def refresh_duplicates(name: str) -> Callable[[Deployment, str], Response]:
    def request(at: Deployment, method: str) -> Response:
        held = at.login("cookie")
        cookie = f"{held.to_refresh()['cookie']}; {name}=of-the-older-domain"
        return at.post(REFRESH_PATH, {"cookie": cookie})

    return request


def superseded(path: str, *, late: timedelta = timedelta(0)) -> Callable[[Deployment, str], Response]:
    """A request of a session that was signed in over, and that is *late* by so much."""

    def request(at: Deployment, method: str) -> Response:
        held = at.login(method)
        Held.of(at.post("/login?user_id=ada", held.to_call(), {AUTH_MODE: method}), method)
        at.clock.advance(late)
        if path == "refresh":
            return at.refresh(held)
        if path == "refresh without refresh token":
            return at.post(REFRESH_PATH, held.to_call())
        return at.post(path, held.to_call()) if "signout" in path else at.get(path, held.to_call())

    return request


COOKIE, HEADER = ("cookie",), ("header",)
RID, TOKEN = {"anti_csrf": "VIA_CUSTOM_HEADER"}, {"anti_csrf": "VIA_TOKEN"}
OLDER = {"older_cookie_domain": "testserver"}
OTHER_CODES = {"session_expired_status_code": 440, "invalid_claim_status_code": 422}
DUPLICATES = "The request contains multiple session cookies."
NEW_AND_PROOF = NEW["cookie"] | {ANTI_CSRF: "new"}

ROWS = [
    Row("a session", me, 200, ADA, KEPT),
    Row("nothing", of_nobody("/me"), 401, UNAUTHORISED, KEPT),
    Row("junk in the cookie", of_nobody("/me", cookie=f"{ACCESS_COOKIE}=junk"), 401, UNAUTHORISED, KEPT),
    Row("junk as bearer", of_nobody("/me", authorization="Bearer undefined"), 401, UNAUTHORISED, KEPT),
    Row("an empty cookie", of_nobody("/me", cookie=f"{ACCESS_COOKIE}="), 401, UNAUTHORISED, KEPT),
    Row("another scheme", of_nobody("/me", authorization="Basic YWRhOmFkYQ=="), 401, UNAUTHORISED, KEPT),
    Row("another typ", altered(other_header(typ="at+jwt")), 401, UNAUTHORISED, KEPT),
    Row("another version", altered(other_header(version="2")), 401, UNAUTHORISED, KEPT),
    Row("one more segment", altered(lambda token: f"{token}.AAAA"), 401, UNAUTHORISED, KEPT),
    Row("expired", expired("/me"), 401, TRY_REFRESH_TOKEN, KEPT),
    Row("bad signature", altered(other_signature), 401, TRY_REFRESH_TOKEN, KEPT),
    Row("another alg", altered(other_header(alg="RS256")), 401, TRY_REFRESH_TOKEN, KEPT),
    Row("alg none", altered(other_header(alg="none")), 401, TRY_REFRESH_TOKEN, KEPT),
    Row("unknown kid", altered(other_header(kid="d-unknown")), 401, TRY_REFRESH_TOKEN, KEPT),
    Row("no rid", post_without_proof("/me"), 401, TRY_REFRESH_TOKEN, KEPT, methods=COOKIE, options=RID),
    Row("no anti-csrf", post_without_proof("/me"), 401, TRY_REFRESH_TOKEN, KEPT, methods=COOKIE, options=TOKEN),
    Row("bearer, no rid", post_without_proof("/me"), 200, ADA, KEPT, methods=HEADER, options=RID),
    Row("bearer, no anti-csrf", post_without_proof("/me"), 200, ADA, KEPT, methods=HEADER, options=TOKEN),
    Row("duplicate access cookies", twice, 401, TRY_REFRESH_TOKEN, KEPT, methods=COOKIE),
    Row("beside a legacy cookie", beside_legacy_cookie("/me"), 200, ADA, KEPT),
    Row("expired, beside a legacy cookie", beside_legacy_cookie("/me", HOUR), 401, TRY_REFRESH_TOKEN, KEPT),
    Row("legacy cookie alone", of_nobody("/me", cookie=f"{LEGACY_COOKIE}=1"), 401, TRY_REFRESH_TOKEN, KEPT),
    Row(
        "legacy cookie and junk",
        of_nobody("/me", cookie=f"{ACCESS_COOKIE}=junk; {LEGACY_COOKIE}=1"),
        401,
        TRY_REFRESH_TOKEN,
        KEPT,
    ),
    Row("optional", optional, 200, ADA, KEPT),
    Row("optional, nothing", of_nobody("/optional"), 200, {"user_id": None}, KEPT),
    Row("optional, junk", of_nobody("/optional", cookie=f"{ACCESS_COOKIE}=junk"), 200, {"user_id": None}, KEPT),
    Row("optional, expired", expired("/optional"), 401, TRY_REFRESH_TOKEN, KEPT),
    Row("optional, beside a legacy cookie", beside_legacy_cookie("/optional"), 200, ADA, KEPT),
    Row("optional, legacy cookie", of_nobody("/optional", cookie=f"{LEGACY_COOKIE}=1"), 200, {"user_id": None}, KEPT),
    Row(
        "refresh: legacy cookie alone",
        of_nobody(REFRESH_PATH, cookie=f"{LEGACY_COOKIE}=1"),
        401,
        UNAUTHORISED,
        {LEGACY_COOKIE: "cleared"},
    ),
    Row("revoked", revoked, 401, UNAUTHORISED, CLEARED, ENDED),
    Row("gone, with database check", gone, 401, UNAUTHORISED, CLEARED, ENDED),
    Row("superseded", superseded("/me"), 401, TRY_REFRESH_TOKEN, KEPT),
    Row("superseded, late", superseded("/me", late=PAST_GRACE), 401, UNAUTHORISED, KEPT),
    Row("superseded, with database check", superseded("/checked"), 401, TRY_REFRESH_TOKEN, KEPT),
    Row("superseded, with database check, late", superseded("/checked", late=PAST_GRACE), 401, UNAUTHORISED, KEPT),
    Row("sign-out, superseded", superseded(SIGN_OUT_PATH), 401, TRY_REFRESH_TOKEN, KEPT),
    Row("refresh: superseded", superseded("refresh"), 503, SUPERSEDED, KEPT),
    Row("refresh: superseded, late", superseded("refresh", late=PAST_GRACE), 401, UNAUTHORISED, KEPT),
    Row(
        "refresh: superseded, access cookie alone",
        superseded("refresh without refresh token"),
        503,
        SUPERSEDED,
        KEPT,
        methods=COOKIE,
    ),
    Row(
        "refresh: superseded, access cookie alone, late",
        superseded("refresh without refresh token", late=PAST_GRACE),
        401,
        UNAUTHORISED,
        KEPT,
        methods=COOKIE,
    ),
    Row("refresh: no token", of_nobody(REFRESH_PATH), 401, UNAUTHORISED, KEPT),
    Row("refresh: access cookie alone", refresh_with_access_cookie_alone, 401, UNAUTHORISED, CLEARED),
    Row(
        "refresh: access cookie alone, cookies not allowed",
        refresh_with_access_cookie_alone,
        401,
        UNAUTHORISED,
        KEPT,
        options={"token_transfer_method": lambda _connection, for_create: "cookie" if for_create else "header"},
    ),
    Row("refresh: invalid", refresh_altered, 401, UNAUTHORISED, CLEARED),
    Row("refresh: gone", refresh_gone, 401, UNAUTHORISED, CLEARED, ENDED),
    Row("refresh: expired", refresh_expired, 401, UNAUTHORISED, CLEARED, ENDED),
    Row("refresh: no anti-csrf", refresh, 401, UNAUTHORISED, KEPT, methods=COOKIE, options=TOKEN),
    Row(
        "refresh: access cookie alone, no anti-csrf",
        refresh_with_access_cookie_alone,
        401,
        UNAUTHORISED,
        KEPT,
        options=TOKEN,
    ),
    Row("refresh: access cookie alone, no rid", refresh_with_access_cookie_alone, 401, UNAUTHORISED, KEPT, options=RID),
    Row("refresh: no rid", refresh, 401, UNAUTHORISED, KEPT, methods=COOKIE, options=RID),
    Row("refresh: bearer, no anti-csrf", refresh, 200, {}, NEW["header"], methods=HEADER, options=TOKEN),
    Row("refresh: bearer, no rid", refresh, 200, {}, NEW["header"], methods=HEADER, options=RID),
    Row("refresh: reuse", refresh_reused, 401, THEFT, CLEARED, ENDED),
    Row("refresh: recent reuse", refresh_reused_recently, 401, THEFT, CLEARED, ENDED),
    Row(
        "refresh: recent reuse, no alarm",
        refresh_reused_recently,
        401,
        UNAUTHORISED,
        CLEARED,
        ENDED,
        options={"recent_token_reuse_behaviour": "UNAUTHORISED"},
    ),
    Row("refresh: duplicate access cookies", refresh_duplicates(ACCESS_COOKIE), 500, DUPLICATES, KEPT, methods=COOKIE),
    Row(
        "refresh: duplicate refresh cookies", refresh_duplicates(REFRESH_COOKIE), 500, DUPLICATES, KEPT, methods=COOKIE
    ),
    Row(
        "refresh: duplicate access cookies, older domain known",
        refresh_duplicates(ACCESS_COOKIE),
        200,
        TOO_MANY,
        {ACCESS_COOKIE: "cleared"},
        methods=COOKIE,
        options=OLDER,
    ),
    Row(
        "refresh: duplicate refresh cookies, older domain known",
        refresh_duplicates(REFRESH_COOKIE),
        200,
        TOO_MANY,
        {REFRESH_COOKIE: "cleared"},
        methods=COOKIE,
        options=OLDER,
    ),
    Row("claims not satisfied", claims, 403, INVALID_CLAIM, KEPT),
    Row("claims not satisfied, another status", claims, 422, INVALID_CLAIM, KEPT, options=OTHER_CODES),
    Row("nothing, another status", of_nobody("/me"), 440, UNAUTHORISED, KEPT, options=OTHER_CODES),
    Row("expired, another status", expired("/me"), 440, TRY_REFRESH_TOKEN, KEPT, options=OTHER_CODES),
    Row("reuse, another status", refresh_reused, 440, THEFT, CLEARED, ENDED, options=OTHER_CODES),
    Row("sign-out", sign_out, 200, OK, CLEARED, ENDED),
    Row("sign-out, nothing", of_nobody(SIGN_OUT_PATH), 401, UNAUTHORISED, KEPT),
    Row("sign-out, expired", expired(SIGN_OUT_PATH), 401, TRY_REFRESH_TOKEN, KEPT),
    Row("refresh, cookie", refresh, 200, {}, NEW["cookie"], methods=COOKIE),
    Row("refresh, header", refresh, 200, {}, NEW["header"], methods=HEADER),
    Row("refresh again in time, cookie", refresh_twice_at_once, 200, {}, NEW["cookie"], methods=COOKIE),
    Row("refresh again in time, header", refresh_twice_at_once, 200, {}, NEW["header"], methods=HEADER),
]
CASES = [pytest.param(row, method, id=f"{row.case}, {method}") for row in ROWS for method in row.methods]


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return {"memory": "memory:", "sqlite": f"sqlite:///{tmp_path / 'sessions.db'}"}[request.param]


@pytest.mark.parametrize(("row", "method"), CASES)
def test_outcomes(row: Row, method: str, store: str, deploy: Deploy) -> None:
    """Each case has its status and its words, and does to the client's tokens and to the session what it should.

    Scripts of other origins may read each header of ours, an answer that changes tokens is never cached, and none is given to others.
    """
    deployment = deploy(store=store, **row.options)
    response = row.request(deployment, method)

    assert row.status == response.status_code
    if isinstance(row.json, str):
        assert response.text.startswith(row.json)
    else:
        assert row.json == response.json()
    assert row.tokens == change(response)
    assert row.users == deployment.users()
    assert {name for name in (*NAMED, "Retry-After") if name in response.headers} == set(exposed(response))
    assert len(response.headers.get_list(EXPOSED)) == (1 if exposed(response) else 0)
    assert ("no-store" if row.tokens else "private") == response.headers["cache-control"]
    assert "Cookie, Authorization" == response.headers["vary"]


@pytest.mark.parametrize(("row", "method"), CASES)
def test_no_token_is_told(row: Row, method: str, deploy: Deploy, caplog: pytest.LogCaptureFixture) -> None:
    """No log record at any level, no error, no repr and no refusal has twelve characters of a token in a row."""
    caplog.set_level(logging.DEBUG)
    deployment = deploy(**row.options)
    sent: list[str] = []
    told: list[str] = []
    for verb in ("create", "verify", "refresh"):
        setattr(deployment.sessions, verb, listening(getattr(deployment.sessions, verb), sent, told))
    told.append(row.request(deployment, method).text)
    told += [caplog.text, *(repr(vars(record)) for record in caplog.records)]

    assert [] != sent
    assert set() == {part for part in parts(sent) if any(part in text for text in told)}


def listening(verb: Callable[..., Any], sent: list[str], told: list[str]) -> Callable[..., Any]:
    """Do *verb*, and collect the tokens it has *sent* and what its answers and errors have *told*."""

    async def listen(*arguments: Any, **options: Any) -> Any:
        try:
            answer = await verb(*arguments, **options)
        except Exception as error:
            told.extend([repr(error), str(error), repr(vars(error))])
            raise
        told.append(repr(answer))
        if isinstance(answer, IssuedSession):
            tokens = answer.tokens
            sent.extend(filter(None, [tokens.access_token, tokens.refresh_token, tokens.anti_csrf_token]))
        return answer

    return listen


def parts(tokens: list[str]) -> set[str]:
    """Every twelve characters in a row of *tokens*."""
    return {token[start : start + 12] for token in tokens for start in range(len(token) - 11)}


class TestAnOutage:
    """A store that is down: 503, come again, and nobody is logged out."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "sessions.db"

    @pytest.fixture
    def deployment(self, path: Path, deploy: Deploy) -> Deployment:
        return deploy(store=f"sqlite:///{path}")

    @staticmethod
    def rename(path: Path, table: str, name: str) -> None:
        with closing(sqlite3.connect(path)) as db:
            db.execute(f"ALTER TABLE {table} RENAME TO {name}")

    @pytest.mark.parametrize("method", ["cookie", "header"])
    @pytest.mark.parametrize("verb", ["checked", "refresh", "signout", "merge", "login"])
    def test_an_outage(self, verb: str, method: str, deployment: Deployment, path: Path) -> None:
        """Whatever asks the store is answered 503 with Retry-After, and every token and the session outlive the outage."""
        held = deployment.login(method)
        deployment.clock.advance(PAST_GRACE)
        ask: dict[str, Callable[[], Response]] = {
            "checked": lambda: deployment.get("/checked", held.to_call()),
            "refresh": lambda: deployment.refresh(held),
            "signout": lambda: deployment.post(SIGN_OUT_PATH, held.to_call()),
            "merge": lambda: deployment.post("/merge", held.to_call()),
            "login": lambda: deployment.post("/login?user_id=ada", held.to_call()),
        }
        self.rename(path, "session", "lost")
        down = ask[verb]()
        self.rename(path, "lost", "session")
        up = ask[verb]()

        assert (503, {"message": "the session store is unavailable"}) == (down.status_code, down.json())
        assert "1" == down.headers["retry-after"]
        assert KEPT == change(down)
        assert 200 == up.status_code

    def test_an_outage_with_a_legacy_cookie(self, deployment: Deployment, path: Path) -> None:
        """During an outage not even the legacy cookie is touched."""
        held = deployment.login()
        self.rename(path, "session", "lost")
        response = deployment.post(REFRESH_PATH, {"cookie": f"{held.to_refresh()['cookie']}; {LEGACY_COOKIE}=1"})

        assert (503, KEPT) == (response.status_code, change(response))

    def test_a_request_without_database_check(self, deployment: Deployment, path: Path) -> None:
        """A verified request asks no store, so an outage does not reach it."""
        held = deployment.login()
        self.rename(path, "session", "lost")

        assert 200 == deployment.get("/me", held.to_call()).status_code

    def test_a_store_that_never_was(self, clock: HandClock, tmp_path: Path) -> None:
        """An application whose store cannot be opened answers 503, and starts to work as soon as it can."""
        directory = tmp_path / "later"
        sessions = engine(clock, store=f"sqlite:///{directory / 'sessions.db'}")
        app = application_of(sessions)
        app.router.lifespan_context = lambda _app: nullcontext()
        with deployed(app, sessions, clock) as deployment:
            down = deployment.post("/login?user_id=ada")
            directory.mkdir()
            up = deployment.post("/login?user_id=ada")
            deployment.ask(sessions.close)

        assert (503, KEPT) == (down.status_code, change(down))
        assert (200, NEW["header"]) == (up.status_code, change(up))


@pytest.mark.parametrize("old", [{"older_cookie_domain": "testserver"}, {"older_cookie_domain": ""}])
def test_duplicates_go_and_the_next_refresh_works(old: dict[str, str], deploy: Deploy) -> None:
    """Once the cookie of the older domain is cleared, the same client refreshes as ever."""
    deployment = deploy(**old, **({"cookie_domain": "testserver"} if not old["older_cookie_domain"] else {}))
    held = deployment.login()
    cleared = deployment.post(REFRESH_PATH, {"cookie": f"{held.to_refresh()['cookie']}; {REFRESH_COOKIE}=older"})
    domain = "; Domain=testserver" if old["older_cookie_domain"] else ""

    assert [
        f"{REFRESH_COOKIE}=; Path={REFRESH_PATH}; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly{domain}; SameSite=Lax"
    ] == cleared.headers.get_list("set-cookie")
    assert 200 == deployment.refresh(held).status_code


@pytest.mark.parametrize(
    ("request_of", "status"), [(refresh, 200), (refresh_gone, 401), (refresh_reused, 401)], ids=["new", "gone", "theft"]
)
def test_the_legacy_cookie_goes_with_a_refresh(
    request_of: Callable[[Deployment, str], Response], status: int, deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A legacy cookie that came with a refresh is cleared, whether it succeeds or is refused."""
    to_refresh = Held.to_refresh
    monkeypatch.setattr(Held, "to_refresh", lambda held: {"cookie": f"{to_refresh(held)['cookie']}; {LEGACY_COOKIE}=1"})
    response = request_of(deploy(), "cookie")

    assert (status, "cleared") == (response.status_code, change(response)[LEGACY_COOKIE])
    assert (
        f"{LEGACY_COOKIE}=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax"
        in response.headers.get_list("set-cookie")
    )


@pytest.mark.parametrize("method", ["cookie", "header"])
def test_a_legacy_cookie_that_cannot_be_cleared(method: str, deploy: Deploy) -> None:
    """Verify and refresh agree though a legacy cookie stays, as one that a sibling set for the domain above both."""
    deployment = deploy()
    sibling = {"cookie": f"{LEGACY_COOKIE}=of-a-sibling"}
    held = deployment.login(method)
    deployment.clock.advance(HOUR)
    expired = deployment.get("/me", beside(sibling, held.to_call()))
    refreshed = Held.of(deployment.post(REFRESH_PATH, beside(sibling, held.to_refresh())), method)

    assert TRY_REFRESH_TOKEN == expired.json()
    assert ADA == deployment.get("/me", beside(sibling, refreshed.to_call())).json()


def beside(cookies: dict[str, str], headers: dict[str, str]) -> dict[str, str]:
    """*headers*, their cookies before those of *cookies*."""
    return headers | {"cookie": "; ".join([*filter(None, [headers.get("cookie")]), cookies["cookie"]])}
