"""Sessions by their handle: known, changed and ended without a request, whichever store keeps them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import jwt
import pytest

from fastapi_session import (
    BooleanClaim,
    Circumstances,
    ClaimFailure,
    ClaimValidator,
    PayloadError,
    PayloadRule,
    PrimitiveArrayClaim,
    PrimitiveClaim,
    SessionConfig,
    SessionInformation,
    Sessions,
    TryRefreshTokenError,
    UnauthorisedError,
)
from fastapi_session.core.service_jwt import TYPE
from fastapi_session.model import Json
from fastapi_session.testing import HandClock
from tests.moments import HOUR, MINUTE

NOW = 2_000_000_000
UNKNOWN = "0" * 32
IDLE_TIMEOUT = timedelta(days=100)


class Users:
    """What an application knows of its users, and how often it was asked."""

    def __init__(self) -> None:
        self.role: str | None = "editor"
        self.asked: list[tuple[str, str, Json]] = []

    async def fetch_role(self, user_id: str, tenant_id: str, payload: Json) -> str | None:
        self.asked.append((user_id, tenant_id, payload))
        return self.role


async def fetch_nothing(user_id: str, tenant_id: str, payload: Json) -> None:
    """Know no value."""


Groups = PrimitiveArrayClaim[str]("groups", fetch_nothing)
Paying = BooleanClaim("paying", fetch_nothing)

CHANGING_NOTHING: dict[str, Callable[[Sessions, str], Any]] = {
    "fetching no value": lambda sessions, handle: sessions.fetch_and_set_claim(handle, Paying),
    "merging nothing": lambda sessions, handle: sessions.merge_into_access_token_payload(handle, {}),
    "merging what is there": lambda sessions, handle: sessions.merge_into_access_token_payload(handle, {"plan": "pro"}),
    "removing what is not": lambda sessions, handle: sessions.remove_claim(handle, Groups),
}


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def users() -> Users:
    return Users()


@pytest.fixture
def role(users: Users) -> PrimitiveClaim[str]:
    return PrimitiveClaim("role", users.fetch_role)


@pytest.fixture(params=["memory", "sqlite"])
async def sessions(request: pytest.FixtureRequest, clock: HandClock, tmp_path: Path) -> AsyncIterator[Sessions]:
    urls = {"memory": "memory:", "sqlite": f"sqlite:///{tmp_path}/sessions.db"}
    config = SessionConfig(
        api_domain="http://localhost:8000", store=urls[request.param], secret="of the deployment under test, 32 bytes"
    )
    sessions = Sessions(config, clock=clock)
    await sessions.open()
    yield sessions
    await sessions.close()


async def begun(sessions: Sessions, user_id: str = "ada", **options: Any) -> str:
    """The handle of a new session."""
    return (await sessions.create(user_id, **options)).access_token.session_handle


async def found(sessions: Sessions, handle: str) -> SessionInformation:
    """What is known of a session that is there."""
    information = await sessions.information(handle)
    assert information is not None
    return information


class TestKnowing:
    """What is known of a session."""

    async def test_information(self, sessions: Sessions, clock: HandClock) -> None:
        """A session is known by its handle: whose it is, what it keeps, since when and until when."""
        handle = await begun(
            sessions,
            tenant_id="acme",
            recipe_user_id="ada-by-password",
            access_token_payload={"plan": "pro"},
            session_data={"cart": ["apple"]},
        )
        clock.advance(HOUR)
        information = await found(sessions, handle)

        assert (handle, "ada", "ada-by-password", "acme") == (
            information.handle,
            information.user_id,
            information.recipe_user_id,
            information.tenant_id,
        )
        assert ({"plan": "pro"}, {"cart": ["apple"]}) == (information.access_token_payload, information.session_data)
        began = datetime.fromtimestamp(NOW, UTC)
        assert (began, began, began + IDLE_TIMEOUT) == (
            information.created_at,
            information.last_seen_at,
            information.expires_at,
        )

    async def test_what_has_expired_is_not_there(self, sessions: Sessions, clock: HandClock) -> None:
        """A session that nobody refreshed in time is unknown to every verb."""
        handle = await begun(sessions)
        clock.advance(IDLE_TIMEOUT)

        assert (None, []) == (await sessions.information(handle), await sessions.of_user("ada"))
        assert [False, False] == [await sessions.revoke(handle), await sessions.update_session_data(handle, {})]


class TestNaming:
    """What a user calls a session."""

    async def test_a_label(self, sessions: Sessions, clock: HandClock) -> None:
        """A session is called something from its beginning or later, keeps that at a refresh, and is called nothing again."""
        issued = await sessions.create("ada", label="Kitchen", circumstances=Circumstances("192.0.2.1", "Firefox"))
        handle = issued.access_token.session_handle
        clock.advance(HOUR)
        elsewhere = Circumstances("192.0.2.2", "Chrome")
        await sessions.refresh(issued.tokens.refresh_token or "", circumstances=elsewhere)
        information = await found(sessions, handle)

        assert ("Kitchen", Circumstances("192.0.2.1", "Firefox")) == (information.label, information.first_seen)
        assert elsewhere == information.last_seen
        assert [True, True] == [await sessions.set_label(handle, label) for label in ("x" * 64, None)]
        assert (await found(sessions, handle)).label is None

    async def test_no_label(self, sessions: Sessions) -> None:
        """What no label can be is refused, at the beginning and later, and nothing is written."""
        handle = await begun(sessions, label="Kitchen")
        wrong: list[Any] = ["", "\t", " ", "x" * 65, "a\nb", "a\x00", "\x85", "a\u2029", "\ud800", 7, ["a"]]
        for label in wrong:
            with pytest.raises(PayloadError, match="label: give"):
                await sessions.set_label(handle, label)
            with pytest.raises(PayloadError, match="label: give"):
                await sessions.create("grace", label=label)

        assert ("Kitchen", []) == ((await found(sessions, handle)).label, await sessions.of_user("grace"))

    async def test_labels_and_data_at_once(self, sessions: Sessions) -> None:
        """A label that is written beside the data costs neither."""
        handle = await begun(sessions)

        def counted(data: Json) -> Json:
            return {"n": data.get("n", 0) + 1}

        added = [sessions.change_session_data(handle, counted) for _ in range(8)]
        assert [True] * 9 == await asyncio.gather(*added, sessions.set_label(handle, "Kitchen"))

        information = await found(sessions, handle)
        assert ("Kitchen", {"n": 8}) == (information.label, information.session_data)


class TestEnding:
    """Revoking one session, or several."""

    async def test_one(self, sessions: Sessions) -> None:
        """A session is revoked once: after it nothing is known of it, and its tokens are worth nothing to the store."""
        issued = await sessions.create("ada")
        handle = issued.access_token.session_handle

        assert [True, False] == [await sessions.revoke(handle), await sessions.revoke(handle)]
        assert await sessions.information(handle) is None
        with pytest.raises(UnauthorisedError):
            await sessions.verify(issued.tokens.access_token, check_database=True)
        with pytest.raises(UnauthorisedError):
            await sessions.refresh(issued.tokens.refresh_token or "")

    async def test_several(self, sessions: Sessions) -> None:
        """Of several handles those are answered that were alive."""
        first, second, third = [await begun(sessions, user_id) for user_id in ("ada", "grace", "edsger")]

        assert [first, third] == await sessions.revoke_several([first, UNKNOWN, third, first])
        assert await sessions.information(second) is not None


UNANSWERED: dict[str, Callable[[Sessions, str], Any]] = {
    "information": lambda sessions, handle: sessions.information(handle),
    "claim_value": lambda sessions, handle: sessions.claim_value(handle, Paying),
    "claim_failures": lambda sessions, handle: sessions.claim_failures(handle, [Paying.is_true()]),
}
NOT_DONE: dict[str, Callable[[Sessions, str], Any]] = {
    "revoke": lambda sessions, handle: sessions.revoke(handle),
    "update_session_data": lambda sessions, handle: sessions.update_session_data(handle, {}),
    "set_label": lambda sessions, handle: sessions.set_label(handle, "Kitchen"),
    "change_session_data": lambda sessions, handle: sessions.change_session_data(handle, dict),
    "merge_into_access_token_payload": lambda sessions, handle: sessions.merge_into_access_token_payload(handle, {}),
    "change_access_token_payload": lambda sessions, handle: sessions.change_access_token_payload(handle, dict),
    "fetch_and_set_claim": lambda sessions, handle: sessions.fetch_and_set_claim(handle, Paying),
    "set_claim_value": lambda sessions, handle: sessions.set_claim_value(handle, Paying, value=True),
    "remove_claim": lambda sessions, handle: sessions.remove_claim(handle, Paying),
}


def test_every_verb_is_asked() -> None:
    """The tables above name every verb that takes a handle and says whether it is there."""
    verbs = {name for name, verb in vars(Sessions).items() if "handle" in getattr(verb, "__annotations__", {})}

    verbs -= {"ending", "refusal", "refusal_of_refresh"}

    assert verbs == UNANSWERED.keys() | NOT_DONE.keys()


@pytest.mark.parametrize("verb", [*UNANSWERED, *NOT_DONE])
async def test_an_unknown_handle(verb: str, sessions: Sessions) -> None:
    """An unknown handle, that of another tenant, and what is no handle at all are None or False, never an error."""
    acme, public = await begun(sessions, tenant_id="acme"), await begun(sessions)
    session_id = acme.removesuffix("_acme")
    handles = [UNKNOWN, session_id, f"{session_id}_other", f"{public}_acme", "", "_", "\x00", "\ud800", "ü" * 1000]
    asked = UNANSWERED.get(verb) or NOT_DONE[verb]
    answers = [await asked(sessions, handle) for handle in handles]

    assert [None if verb in UNANSWERED else False] * len(handles) == answers
    assert {acme, public} == {found.handle for found in await sessions.of_user("ada")}


@pytest.mark.parametrize("verb", [*UNANSWERED, *NOT_DONE])
async def test_a_handle_with_dashes(verb: str, sessions: Sessions) -> None:
    """A handle whose id is written as a UUID, as other systems do, names the same session."""
    handle = await begun(sessions, tenant_id="acme", access_token_payload=Paying.entry(True, now=sessions.now()))
    dashed = f"{UUID(handle.removesuffix('_acme'))}_acme"
    found = await UNANSWERED[verb](sessions, dashed) if verb in UNANSWERED else await NOT_DONE[verb](sessions, dashed)

    assert found is not None
    assert found is not False


async def test_handles_with_dashes_beside_others(sessions: Sessions) -> None:
    """Where a session is replaced, kept, upgraded or waited for, both ways to write its handle mean it."""
    first, second, third = [await begun(sessions) for _ in range(3)]
    guest = (await sessions.create_guest(session_data={"cart": ["apple"]})).access_token.session_handle
    new = await begun(sessions, replacing=[first, str(UUID(first))], upgrading=str(UUID(guest)))
    with sessions.ending(str(UUID(second))) as ending:
        assert {second, third} == {*await sessions.revoke_all("ada", keep=str(UUID(new)))}
        await asyncio.wait_for(ending, 10)

    assert [new] == [left.handle for left in await sessions.of_user("ada")]
    assert {"cart": ["apple"]} == (await found(sessions, new)).session_data


class TestChanging:
    """Data and claims, changed by handle."""

    async def test_session_data(self, sessions: Sessions) -> None:
        """Data are replaced as a whole."""
        handle = await begun(sessions, session_data={"theme": "dark", "cart": []})

        assert await sessions.update_session_data(handle, {"cart": ["apple"]}) is True
        assert {"cart": ["apple"]} == (await found(sessions, handle)).session_data

    async def test_merging(self, sessions: Sessions) -> None:
        """Claims are laid over those that are there, None removes one, and the next refresh carries them."""
        issued = await sessions.create("ada", access_token_payload={"plan": "pro", "beta": True})
        handle = issued.access_token.session_handle

        assert await sessions.merge_into_access_token_payload(handle, {"beta": None, "seats": 3, "sub": "eve"}) is True
        assert {"plan": "pro", "seats": 3} == (await found(sessions, handle)).access_token_payload
        refreshed = await sessions.refresh(issued.tokens.refresh_token or "")
        assert ({"plan": "pro", "seats": 3}, "ada") == (
            refreshed.access_token.custom,
            refreshed.access_token.user_id,
        )

    async def test_what_cannot_be_carried(self, sessions: Sessions) -> None:
        """What JSON or a cookie cannot carry is refused, and nothing is written."""
        handle = await begun(sessions, access_token_payload={"plan": "pro"}, session_data={"theme": "dark"})
        before = await found(sessions, handle)

        for changes in ({"n": float("nan")}, {"n": object()}, {"n": "x" * 5_000}):
            with pytest.raises(PayloadError):
                await sessions.merge_into_access_token_payload(handle, changes)
        with pytest.raises(PayloadError):
            await sessions.update_session_data(handle, {"n": {1, 2}})
        assert before == await found(sessions, handle)

    async def test_a_change_in_place(self, sessions: Sessions) -> None:
        """A change is given a copy: what it does to that and does not return is not written, and forgets nothing."""
        handle = await begun(sessions, access_token_payload={"roles": ["a"]}, session_data={"cart": ["apple"]})

        with pytest.raises(PayloadError, match="session_data: the change returned NoneType"):
            await sessions.change_session_data(handle, lambda data: data["cart"].append("pear"))
        with pytest.raises(PayloadError, match="access_token_payload: the change returned NoneType"):
            await sessions.change_access_token_payload(handle, lambda payload: payload["roles"].append("b"))
        information = await found(sessions, handle)
        assert ({"roles": ["a"]}, {"cart": ["apple"]}) == (information.access_token_payload, information.session_data)

    async def test_a_change_that_fails(self, sessions: Sessions) -> None:
        """What the change raises is raised, and leaves everything as it was."""
        handle = await begun(sessions, session_data={"theme": "dark"})

        with pytest.raises(KeyError):
            await sessions.change_session_data(handle, lambda data: {"n": data["n"] + 1})
        assert {"theme": "dark"} == (await found(sessions, handle)).session_data

    async def test_concurrent_merges(self, sessions: Sessions) -> None:
        """Two hundred merges of distinct keys at once lose nothing."""
        handle = await begun(sessions)
        keys = [f"k{number}" for number in range(200)]
        merges = [sessions.merge_into_access_token_payload(handle, {key: 1}) for key in keys]

        assert [True] * 200 == await asyncio.gather(*merges)
        assert dict.fromkeys(keys, 1) == (await found(sessions, handle)).access_token_payload

    async def test_a_counter(self, sessions: Sessions) -> None:
        """A counter that a hundred tasks increment a hundred times each ends at ten thousand."""
        handle = await begun(sessions, session_data={"count": 0})

        async def count() -> None:
            for _ in range(100):
                await sessions.change_session_data(handle, lambda data: {"count": data["count"] + 1})

        await asyncio.gather(*(count() for _ in range(100)))

        assert {"count": 10_000} == (await found(sessions, handle)).session_data


class TestClaims:
    """Claims, by handle."""

    async def test_setting(self, sessions: Sessions, clock: HandClock) -> None:
        """A claim's value is kept with the moment it was set, answered, and forgotten."""
        handle = await begun(sessions, access_token_payload={"plan": "pro"})
        clock.advance(MINUTE)

        assert await sessions.claim_value(handle, Groups) is None
        assert await sessions.set_claim_value(handle, Groups, ["staff"]) is True
        assert ["staff"] == await sessions.claim_value(handle, Groups)
        entry = {"v": ["staff"], "t": (NOW + 60) * 1000}
        assert {"plan": "pro", "groups": entry} == (await found(sessions, handle)).access_token_payload
        assert await sessions.remove_claim(handle, Groups) is True
        assert {"plan": "pro"} == (await found(sessions, handle)).access_token_payload

    async def test_fetching(self, sessions: Sessions, users: Users, role: PrimitiveClaim[str]) -> None:
        """A claim is fetched for the session's user and tenant, with its payload; no value leaves what is there."""
        handle = await begun(sessions, tenant_id="acme", access_token_payload={"plan": "pro"})

        assert await sessions.fetch_and_set_claim(handle, role) is True
        assert [("ada", "acme", {"plan": "pro"})] == users.asked
        users.role = None
        assert await sessions.fetch_and_set_claim(handle, role) is True
        assert "editor" == await sessions.claim_value(handle, role)

    @pytest.mark.parametrize("verb", CHANGING_NOTHING.values(), ids=CHANGING_NOTHING)
    async def test_what_changes_nothing(self, verb: Callable[[Sessions, str], Any], sessions: Sessions) -> None:
        """A change that leaves the claims as they are is not written, and no client is told to refresh."""
        handle = await begun(sessions, access_token_payload={"plan": "pro"})
        before = (await sessions.store.get(handle)).record

        assert await verb(sessions, handle) is True
        assert (before, 0) == ((await sessions.store.get(handle)).record, len(sessions._parts.feed))

    @pytest.mark.parametrize(("one", "other"), [(1, True), (1, 1.0), ({"n": [0]}, {"n": [False]})])
    async def test_what_python_takes_for_equal(self, one: Any, other: Any, sessions: Sessions) -> None:
        """A claim that changes from 1 to true has changed: it is kept, and the token of before is refused."""
        issued = await sessions.create("ada", access_token_payload={"claim": one})
        handle = issued.access_token.session_handle
        assert await sessions.merge_into_access_token_payload(handle, {"claim": other})

        assert repr({"claim": other}) == repr((await found(sessions, handle)).access_token_payload)
        with pytest.raises(TryRefreshTokenError):
            await sessions.verify(issued.tokens.access_token)

    async def test_validating(
        self, sessions: Sessions, clock: HandClock, users: Users, role: PrimitiveClaim[str]
    ) -> None:
        """Validators say all that is wrong, after what they need was fetched, once for each claim, and kept."""
        handle = await begun(sessions)
        validators: list[ClaimValidator] = [
            role.has_value("editor", max_age=HOUR),
            role.has_value("admin", id="is-admin"),
            Paying.is_true(),
            PayloadRule("has-plan", lambda payload: "plan" in payload),
        ]

        wrong = {"message": "wrong value", "expectedValue": "admin", "actualValue": "editor"}
        absent = {"message": "value does not exist", "expectedValue": True, "actualValue": None}
        failures = [ClaimFailure("is-admin", wrong), ClaimFailure("paying", absent), ClaimFailure("has-plan")]
        assert failures == await sessions.claim_failures(handle, validators)
        assert ("editor", 1) == (await sessions.claim_value(handle, role), len(users.asked))

        clock.advance(HOUR + MINUTE)
        users.role = "admin"
        assert ["role", "paying"] == [
            failure.id for failure in await sessions.claim_failures(handle, validators[:3]) or []
        ]
        assert ("admin", 2) == (await sessions.claim_value(handle, role), len(users.asked))
        assert [] == await sessions.claim_failures(handle, [role.has_value("admin")])


async def test_a_session_that_ends_meanwhile(sessions: Sessions) -> None:
    """A session that is revoked while its claims are fetched is not there any more."""

    async def fetch_too_late(user_id: str, tenant_id: str, payload: Json) -> str:
        await sessions.revoke_all(user_id)
        return "editor"

    handle = await begun(sessions)

    assert await sessions.claim_failures(handle, [PrimitiveClaim("role", fetch_too_late).has_value("editor")]) is None


class TestWithoutARequest:
    """Sessions from raw tokens, and JWTs for other services."""

    async def test_a_life_from_raw_tokens(self, sessions: Sessions, clock: HandClock) -> None:
        """A session is created, verified and refreshed from token strings alone."""
        issued = await sessions.create("ada", tenant_id="acme", access_token_payload={"plan": "pro"})
        content = await sessions.verify(issued.tokens.access_token, check_database=True)

        assert ("ada", "acme", {"plan": "pro"}) == (content.user_id, content.tenant_id, content.custom)
        clock.advance(HOUR)
        refreshed = await sessions.refresh(issued.tokens.refresh_token or "")
        assert content.session_handle == refreshed.access_token.session_handle
        assert "ada" == (await sessions.verify(refreshed.tokens.access_token)).user_id

    @pytest.mark.parametrize(("static", "family"), [(True, "s-"), (False, "d-")])
    async def test_a_jwt(self, static: bool, family: str, sessions: Sessions) -> None:
        """A JWT is proved by the published keys, says what it was told to, and is no access token."""
        token = await sessions.create_jwt({"scope": "mail"}, validity=HOUR, use_static_signing_key=static)
        header = jwt.get_unverified_header(token)
        kid = header["kid"]
        key = jwt.PyJWKSet.from_dict(await sessions.jwks())[kid]
        claims = jwt.decode(
            token, key.key, ["ES256"], issuer="http://localhost:8000/auth", options={"verify_iat": False}
        )

        assert {"iss": "http://localhost:8000/auth", "scope": "mail", "iat": NOW, "exp": NOW + 3600} == claims
        assert kid.startswith(family)
        assert {"alg": "ES256", "kid": kid, "typ": "service+jwt"} == header
        with pytest.raises(UnauthorisedError):
            await sessions.verify(token)

    async def test_a_jwt_that_looks_like_an_access_token(self, sessions: Sessions) -> None:
        """A JWT with all the claims of an access token is none: whoever may have JWTs signed may not sign users in."""
        issued = await sessions.create("ada")
        for typ in (TYPE, "JWT"):
            token = await sessions.create_jwt(issued.access_token.claims(), validity=HOUR, typ=typ)

            with pytest.raises(UnauthorisedError):
                await sessions.verify(token)

    async def test_a_jwt_tells_itself_from_an_access_token(self, sessions: Sessions) -> None:
        """A verifier that asks for one type takes neither kind for the other, and may be given the type that it asks for."""
        session = (await sessions.create("ada")).tokens.access_token
        tokens = [session, await sessions.create_jwt({}, validity=HOUR)]
        tokens.append(await sessions.create_jwt({}, validity=HOUR, typ="mail-order+jwt"))

        assert ["JWT", "service+jwt", "mail-order+jwt"] == [jwt.get_unverified_header(each)["typ"] for each in tokens]

    @pytest.mark.parametrize("typ", ["", "service jwt", "application/jwt", "+jwt", "j" * 128, "jwt\n"])
    async def test_a_jwt_of_no_type(self, typ: str, sessions: Sessions) -> None:
        """What is no media type is not written into a header."""
        with pytest.raises(PayloadError, match="typ"):
            await sessions.create_jwt({}, validity=HOUR, typ=typ)

    @pytest.mark.parametrize("validity", [timedelta(0), -HOUR])
    async def test_a_jwt_that_is_never_valid(self, validity: timedelta, sessions: Sessions) -> None:
        """A JWT that would have expired before it was made is refused."""
        with pytest.raises(PayloadError, match="validity"):
            await sessions.create_jwt({}, validity=validity)

    async def test_discovery(self, sessions: Sessions) -> None:
        """Other services are told who signs, and where the keys are."""
        issuer = "http://localhost:8000/auth"

        assert {"issuer": issuer, "jwks_uri": f"{issuer}/jwt/jwks.json"} == sessions.discovery()
        issued = await sessions.create("ada")
        key = jwt.PyJWKSet.from_dict(await sessions.jwks())[
            jwt.get_unverified_header(issued.tokens.access_token)["kid"]
        ]
        assert "ada" == jwt.decode(issued.tokens.access_token, key.key, ["ES256"], options={"verify_iat": False})["sub"]
