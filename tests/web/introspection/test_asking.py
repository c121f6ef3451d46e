"""What a service is told of each kind of token, and when a token is worth nothing any more."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from fastapi_session import (
    Authentication,
    ConfigurationError,
    Sessions,
    StoreUnavailable,
    TryRefreshTokenError,
    introspection_router,
)
from fastapi_session.core import access_token, audience_token
from fastapi_session.core.binding.bound_keys import device_key, dpop_key
from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.testing import HandClock
from tests.conftest import Place
from tests.engines import ORIGIN, config, engine, refresh_token_of
from tests.moments import HOUR, MILLISECOND, MINUTE, PAST_GRACE
from tests.old_core import OldCore
from tests.web.introspection.service import ID, INACTIVE, INTROSPECTION, SECRET, Service, asked, begun

Ask = Callable[..., Service]


@pytest.fixture
def ask(clock: HandClock) -> Iterator[Ask]:
    """Serve the application for a service, by options of the engine and, as `router`, of the endpoints."""
    with ExitStack() as served:

        def serve(*, router: dict[str, Any] | None = None, **options: Any) -> Service:
            return served.enter_context(asked(engine(clock, **options), clock, **(router or {})))

        yield serve


def access_of(issued: IssuedSession) -> str:
    return issued.tokens.access_token


def audience_token_of(service: Service, issued: IssuedSession, audience: str = ID, **claims: Any) -> str:
    """What `session.token_for(audience)` makes, of claims as they are or as *claims* say."""
    said = {**audience_token.claims_for(issued.access_token, audience), **claims}
    kept = {name: value for name, value in said.items() if value is not None}
    sign = service.deployment.sessions.create_jwt
    return str(service.deployment.ask(partial(sign, kept, validity=timedelta(minutes=5), use_static_signing_key=False)))


def refreshed(service: Service, issued: IssuedSession) -> IssuedSession:
    service.deployment.clock.advance(PAST_GRACE)
    newer: IssuedSession = service.deployment.ask(service.deployment.sessions.refresh, refresh_token_of(issued))
    return newer


class TestAccessTokens:
    def test_what_is_told(self, service: Service) -> None:
        """Whose token it is and how long, by exactly these members, whichever hint comes with it."""
        issued = begun(service, tenant_id="acme", access_token_payload={"plan": "pro"})
        content = issued.access_token
        expected = {
            "active": True,
            "token_type": "Bearer",
            "iss": f"{ORIGIN}/auth",
            "sub": "ada",
            "sid": content.session_handle,
            "tId": "acme",
            "iat": service.deployment.clock() // 1000,
            "exp": content.expires_at,
        }

        for hint in (
            {},
            {"token_type_hint": "access_token"},
            {"token_type_hint": "refresh_token"},
            {"token_type_hint": "x"},
        ):
            assert (200, expected) == service.told(access_of(issued), **hint)

    def test_a_refresh_token(self, service: Service) -> None:
        """It is for its client alone, and nothing is told of it, whatever it is said to be."""
        token = refresh_token_of(begun(service))

        assert [INACTIVE] * 2 == [service.told(token), service.told(token, token_type_hint="refresh_token")]

    def test_the_end(self, service: Service) -> None:
        """It is told until the token expires."""
        issued = begun(service)
        service.deployment.clock.advance(HOUR - MILLISECOND)
        before = service.told(access_of(issued))
        service.deployment.clock.advance(MILLISECOND)

        assert (True, False) == (before[1]["active"], service.told(access_of(issued))[1]["active"])

    def test_an_early_end(self, ask: Ask, any_place: Place, clock: HandClock) -> None:
        """Whatever the store is: a session that is revoked, or that another took the place of, is over at once."""
        service = ask(store=any_place.store(clock))
        sessions, request = service.deployment.sessions, service.deployment.ask
        revoked, elevated, kept = begun(service), begun(service), begun(service)
        request(sessions.revoke, revoked.access_token.session_handle)
        newer = request(sessions.elevate, elevated.access_token, Authentication(("pwd",)))

        assert [False, False, True, True] == [
            service.told(access_of(each))[1]["active"] for each in (revoked, elevated, newer, kept)
        ]

    def test_two_generations_later(self, service: Service) -> None:
        """As by a route that asks the store: the token before the newest one is good, the one before that is not."""
        issued = begun(service)
        newer = refreshed(service, issued)
        assert service.told(access_of(issued))[1]["active"]
        newest = refreshed(service, newer)

        assert [False, True, True] == [service.told(access_of(each))[1]["active"] for each in (issued, newer, newest)]

    def test_a_deleted_key(self, service: Service) -> None:
        """What a key has signed is worth nothing once that key is deleted."""
        issued = begun(service)
        for_service = audience_token_of(service, issued)
        parsed = access_token.parse(access_of(issued))
        assert parsed is not None
        service.deployment.ask(service.deployment.sessions.revoke_signing_key, parsed.kid)

        assert [INACTIVE] * 2 == [service.told(access_of(issued)), service.told(for_service)]

    def test_a_key_that_another_process_deleted(self, ask: Ask, clock: HandClock) -> None:
        """After a pause the deletions of others are read first, before a key is relied on."""
        service = ask(revocation_feed_interval=MINUTE)
        issued = begun(service)
        tokens = [access_of(issued), audience_token_of(service, issued)]
        parsed, other = access_token.parse(tokens[0]), engine(clock, store=service.deployment.sessions.store)
        assert parsed is not None
        service.deployment.ask(other.revoke_signing_key, parsed.kid)
        clock.advance(2 * MINUTE)

        assert [INACTIVE] * 2 == [service.told(each) for each in tokens[::-1]]

    def test_claims_as_they_are_now(self, ask: Ask) -> None:
        """Claims of the application are told to those who may have them, as the store has them, also of an older token."""
        clients = {ID: SECRET, "other": SECRET[::-1], "third": SECRET + "3"}
        service = ask(router={"claims": {ID: ["plan", "seat"], "other": ["mail"]}, "clients": clients})
        issued = begun(service, access_token_payload={"plan": "pro", "mail": "ada@example.com"})
        services = [Service(service.deployment, *each) for each in clients.items()]

        def told() -> list[dict[str, str]]:
            said = [each.told(access_of(issued))[1] for each in services]
            return [{name: each[name] for name in ("plan", "mail", "seat") if name in each} for each in said]

        before, mail = told(), {"mail": "ada@example.com"}
        change = service.deployment.sessions.merge_and_reissue
        service.deployment.ask(change, issued.access_token, {"plan": "max"})

        assert [[{"plan": "pro"}, mail, {}], [{"plan": "max"}, mail, {}]] == [before, told()]

    def test_claims_changed_by_handle(self, service: Service) -> None:
        """A client that has to refresh before a route serves it has no active token either."""
        issued = begun(service)
        sessions, handle = service.deployment.sessions, issued.access_token.session_handle
        service.deployment.ask(sessions.merge_into_access_token_payload, handle, {"plan": "max"})
        service.deployment.clock.advance(PAST_GRACE)

        assert [False, True] == [
            service.told(access_of(each))[1]["active"] for each in (issued, refreshed(service, issued))
        ]

    def test_bound_tokens(self, ask: Ask) -> None:
        """The service is told by which key its sender has to prove itself, and that it has to ask for that."""
        service, jkt = ask(dpop="optional", device_binding="optional", api_domain="https://testserver"), "k" * 43
        by_dpop, by_browser = begun(service, bound_key=dpop_key(jkt)), begun(service, bound_key=device_key(jkt))
        told = [service.told(access_of(each))[1] for each in (by_dpop, by_browser)]

        assert [("DPoP", {"jkt": jkt}, None), ("Bearer", None, True)] == [
            (each["token_type"], each.get("cnf"), each.get("deviceBound")) for each in told
        ]

    def test_who_acts(self, service: Service) -> None:
        """An impersonation says who acts, a guest is told as such; and with the actor's own session it ends."""
        sessions, request = service.deployment.sessions, service.deployment.ask
        eve = begun(service, "eve", authentication=Authentication(("pwd", "otp"), acr="aal2"))
        acting = request(partial(sessions.impersonate, eve.access_token, "ada", reason="ticket 7"))
        guest = request(sessions.create_guest)
        _, told = service.told(access_of(acting))
        own = eve.access_token.session_handle
        assert ("ada", {"sub": "eve", "sessionHandle": own}) == (told["sub"], told["act"])
        assert service.told(access_of(guest))[1]["is_anonymous"]
        assert ["aal2", ["pwd", "otp"]] == [service.told(access_of(eve))[1][name] for name in ("acr", "amr")]
        request(sessions.revoke, own)

        assert INACTIVE == service.told(access_of(acting))

    def test_of_another_deployment(self, service: Service, clock: HandClock) -> None:
        """With the very same keys, a token that names another address is none of this one."""
        store = service.deployment.sessions.store
        other = engine(clock, store=store, api_domain="https://other.example")
        token = access_of(service.deployment.ask(other.create, "ada"))

        assert INACTIVE == service.told(token)

    def test_of_a_core_that_moves_in(self, clock: HandClock) -> None:
        """A token of its sessions is told as one of ours, until they end."""
        core = OldCore(clock)
        tokens = core.begin(tenant_id="acme")
        with asked(Sessions(config(), clock=clock, moving_from=core), clock) as service:
            _, told = service.told(tokens.access)
            assert (True, "ada", "acme") == (told["active"], told["sub"], told["tId"])
            assert "-" not in told["sid"]
            assert INACTIVE == service.told(tokens.refresh)
            service.deployment.ask(service.deployment.sessions.revoke, told["sid"])
            assert INACTIVE == service.told(tokens.access)


class TestTokensForServices:
    def test_for_whom_it_is(self, ask: Ask) -> None:
        """It is told to the service that it is for, by its id or by what it is as an audience; to any other it is nothing."""
        tools = "https://tools.example"
        clients = {ID: SECRET, "tools": SECRET[::-1]}
        service = ask(router={"clients": clients, "audiences": {"tools": tools}})
        other = Service(service.deployment, "tools", SECRET[::-1])
        issued = begun(service, authentication=Authentication(("pwd",)))
        ours, theirs, by_id = (audience_token_of(service, issued, each) for each in (ID, tools, "tools"))
        _, told = service.told(ours)

        assert {
            "active": True,
            "token_type": "Bearer",
            "iss": f"{ORIGIN}/auth",
            "aud": ID,
            "sub": "ada",
            "sid": issued.access_token.session_handle,
            "tId": "public",
            "amr": ["pwd"],
            "auth_time": service.deployment.clock() // 1000,
            "iat": service.deployment.clock() // 1000,
            "exp": service.deployment.clock() // 1000 + 300,
        } == told
        assert [True, False, False] == [service.told(each)[1]["active"] for each in (ours, theirs, by_id)]
        assert [False, True, False] == [other.told(each)[1]["active"] for each in (ours, theirs, by_id)]

    def test_the_end(self, service: Service) -> None:
        """It ends when it expires, and with its session, which no service sees that verifies it alone."""
        issued, early = begun(service), begun(service)
        tokens = [audience_token_of(service, each) for each in (issued, early)]
        service.deployment.ask(service.deployment.sessions.revoke, early.access_token.session_handle)
        seen = [service.told(each)[1]["active"] for each in tokens]
        service.deployment.clock.advance(5 * MINUTE)

        assert [True, False, False] == [*seen, service.told(tokens[0])[1]["active"]]

    @pytest.mark.parametrize(
        "claims",
        [
            {"sub": "eve"},
            {"tId": "acme"},
            {"act": {"sub": "eve", "sessionHandle": "b" * 32}},
            {"iss": "https://other.example/auth"},
            {"sid": None},
            {"sid": "b" * 32},
            {"sid": "..."},
            {"roles": ["admin"]},
        ],
        ids=str,
    )
    def test_whatever_else_is_signed(self, claims: dict[str, Any], service: Service) -> None:
        """A JWT of the application that says something else, or of a session what is not so, is nothing."""
        assert INACTIVE == service.told(audience_token_of(service, begun(service), **claims))

    def test_who_acts(self, service: Service) -> None:
        """It says who acts as the user, and of another session of theirs it is not believed."""
        sessions, request = service.deployment.sessions, service.deployment.ask
        eve = begun(service, "eve")
        acting = request(partial(sessions.impersonate, eve.access_token, "ada", reason="ticket 7"))
        told = service.told(audience_token_of(service, acting))[1]

        assert ("ada", "eve") == (told["sub"], told["act"]["sub"])
        assert INACTIVE == service.told(audience_token_of(service, acting, act=None))

    def test_a_forged_one(self, service: Service) -> None:
        """Without the signature of a key of ours it is nothing."""
        token = audience_token_of(service, begun(service))
        head, payload, signature = token.split(".")
        claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
        forged = base64.urlsafe_b64encode(json.dumps(claims | {"sub": "eve"}).encode()).decode().rstrip("=")

        assert [INACTIVE] * 2 == [
            service.told(f"{head}.{forged}.{signature}"),
            service.told(f"{head}.{payload}.{signature[:-8]}AAAAAAAA"),
        ]


def test_nothing_is_said_of_why(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """Garbage, an expired and a revoked token look the same; the log says which it was, without a token."""
    expired = begun(service)
    service.deployment.clock.advance(HOUR)
    revoked = begun(service)
    service.deployment.ask(service.deployment.sessions.revoke, revoked.access_token.session_handle)
    caplog.set_level(logging.DEBUG, "fastapi_session")
    tokens = ["x", "a.b.c", "\u00e4.\u00e4.\u00e4", "\x00", "x" * 20_000, access_of(expired), access_of(revoked)]
    bodies = {service.post(INTROSPECTION, {"token": each}).content for each in tokens}

    assert {b'{"active":false}'} == bodies
    assert "a token is not active for client 'reports': access token: expired" in caplog.text
    assert "a token is not active for client 'reports': session: it has ended" in caplog.text
    assert not [each for each in tokens if len(each) > 100 and each[-40:] in caplog.text]


def test_a_store_that_is_down(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is active, and nothing is inactive, as long as it is not known; what is no token of ours is known at once."""
    issued = begun(service)
    for_service = audience_token_of(service, issued)

    async def down(*_: Any, **__: Any) -> None:
        raise StoreUnavailable("the store is down")

    monkeypatch.setattr(service.deployment.sessions.store, "get", down)
    unavailable = {"error": "temporarily_unavailable", "error_description": "come again"}

    assert [(503, unavailable)] * 2 == [service.told(access_of(issued)), service.told(for_service)]
    assert INACTIVE == service.told("x")


def test_a_subclass_decides(clock: HandClock) -> None:
    """Whoever changes what verifying means has changed it here too."""

    class Stricter(Sessions):
        async def verify(self, *arguments: Any, **options: Any) -> Any:
            token = await super().verify(*arguments, **options)
            if token.user_id == "bob":
                raise TryRefreshTokenError("blocked")
            return token

    with asked(Stricter(config(), clock=clock), clock) as service:
        told = [service.told(access_of(begun(service, each)))[1]["active"] for each in ("ada", "bob")]

    assert [True, False] == told


@pytest.mark.parametrize(
    "given",
    [
        {"claims": 7},
        {"claims": [7]},
        {"claims": {"reports": 7}},
        {"claims": ["plan", ""]},
        {"claims": ["sub"]},
        {"claims": {"reports": ["active"]}},
        {"claims": ["antiCsrfToken"]},
        {"audiences": {"reports": 7}},
        {"claims": {"report": ["plan"]}},
        {"audiences": {"report": "https://reports.example"}},
        {"introspect": False, "revoke": False},
    ],
    ids=str,
)
def test_what_cannot_be(given: dict[str, Any]) -> None:
    """What is no name, or a name of ours, is told when the application is made."""
    with pytest.raises(ConfigurationError, match="introspection_router"):
        introspection_router({ID: SECRET}, **given)
