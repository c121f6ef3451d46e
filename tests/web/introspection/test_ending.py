"""Which session ends when a service revokes a token, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from fastapi_session import Authentication, SessionEvent, SessionRevoked, Sessions, StoreUnavailable
from fastapi_session.core import audience_token
from fastapi_session.core.binding.bound_keys import device_key, dpop_key
from fastapi_session.testing import HandClock
from tests.conftest import Place
from tests.engines import config, engine, refresh_token_of
from tests.moments import DAY, HOUR, PAST_GRACE
from tests.old_core import OldCore
from tests.web.deployment import finish_background
from tests.web.introspection.service import DONE, ID, REVOCATION, Service, asked, begun

Ask = Callable[..., Service]


@pytest.fixture
def ask(clock: HandClock) -> Iterator[Ask]:
    """Serve the application for a service, by options of the engine."""
    with ExitStack() as served:

        def serve(**options: Any) -> Service:
            return served.enter_context(asked(engine(clock, **options), clock))

        yield serve


def alive(service: Service, user_id: str = "ada") -> list[str]:
    """The handles of the user's sessions."""
    return [each.handle for each in service.deployment.ask(service.deployment.sessions.of_user, user_id)]


def refreshed(service: Service, token: str) -> str:
    service.deployment.clock.advance(PAST_GRACE)
    return refresh_token_of(service.deployment.ask(service.deployment.sessions.refresh, token))


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "x"])
@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_either_token(kind: str, hint: str, ask: Ask, any_place: Place, clock: HandClock) -> None:
    """Whatever the store is, and whatever is said of the token: its session ends, and no other; again it is done too."""
    service = ask(store=any_place.store(clock))
    issued, other = begun(service, tenant_id="acme"), begun(service)
    token = issued.tokens.access_token if kind == "access" else refresh_token_of(issued)

    assert [DONE] * 2 == [service.revoke(token, token_type_hint=hint) for _ in range(2)]
    assert [other.access_token.session_handle] == alive(service)
    assert 401 == service.deployment.get("/me", {"authorization": f"Bearer {issued.tokens.access_token}"}).status_code
    assert 401 == service.deployment.post("/auth/session/refresh", {"authorization": f"Bearer {token}"}).status_code


@pytest.mark.parametrize("age", range(4))
def test_an_earlier_refresh_token(age: int, service: Service) -> None:
    """Of whichever generation it is: who is told that it is done can rely on nobody going on with the session."""
    tokens = [refresh_token_of(begun(service))]
    for _ in range(age):
        tokens.append(refreshed(service, tokens[-1]))

    assert DONE == service.revoke(tokens[0])
    assert [] == alive(service)
    assert (
        401 == service.deployment.post("/auth/session/refresh", {"authorization": f"Bearer {tokens[-1]}"}).status_code
    )


def test_an_expired_access_token(service: Service) -> None:
    """Its session goes on without it, and so ends by it too; one that has ended itself is left alone."""
    issued, ended = begun(service), begun(service)
    service.deployment.clock.advance(HOUR)
    refreshed(service, refresh_token_of(issued))
    service.deployment.ask(service.deployment.sessions.revoke, ended.access_token.session_handle)

    assert [DONE] * 2 == [service.revoke(each.tokens.access_token) for each in (issued, ended)]
    assert [] == alive(service)


def test_no_other_session(service: Service) -> None:
    """A token of a session that another one took the place of ends nothing: it was not given to the client of that one."""
    issued = begun(service)
    newer = service.deployment.ask(service.deployment.sessions.elevate, issued.access_token, Authentication(("pwd",)))

    assert [DONE] * 2 == [service.revoke(each) for each in (issued.tokens.access_token, refresh_token_of(issued))]
    assert [newer.access_token.session_handle] == alive(service)


def test_what_is_no_token(service: Service, clock: HandClock) -> None:
    """A made-up or altered token, a handle, and one of another deployment are done, and end nothing."""
    issued = begun(service)
    access, refresh = issued.tokens.access_token, refresh_token_of(issued)
    other = engine(clock, store=service.deployment.sessions.store, api_domain="https://other.example")
    elsewhere = service.deployment.ask(other.create, "ada")
    made_up = [
        "x",
        "\u00e4",
        "\x00",
        "a.b.c",
        "x" * 20_000,
        issued.access_token.session_handle,
        access[:-8] + "AAAAAAAA",
        refresh[:-8] + "AAAAAAAA",
        elsewhere.tokens.access_token,
    ]

    assert [DONE] * len(made_up) == [service.revoke(each) for each in made_up]
    assert {issued.access_token.session_handle, elsewhere.access_token.session_handle} == {*alive(service)}


def test_a_token_for_a_service(service: Service) -> None:
    """Whoever was told whose request it is cannot sign that user out by it."""
    issued = begun(service)
    claims = audience_token.claims_for(issued.access_token, ID)
    sign = service.deployment.sessions.create_jwt
    token = service.deployment.ask(partial(sign, claims, validity=timedelta(minutes=5)))
    response = service.post(REVOCATION, {"token": token})

    assert (400, "unsupported_token_type") == (response.status_code, response.json()["error"])
    assert [issued.access_token.session_handle] == alive(service)


@pytest.mark.parametrize("kind", ["access", "refresh"])
@pytest.mark.parametrize("bound_key", [dpop_key("k" * 43), device_key("k" * 43)])
def test_a_bound_session(bound_key: str, kind: str, ask: Ask) -> None:
    """The service has a secret in the place of its key, and ends it without that."""
    service = ask(dpop="optional", device_binding="optional", api_domain="https://testserver")
    issued = begun(service, bound_key=bound_key)

    assert DONE == service.revoke(issued.tokens.access_token if kind == "access" else refresh_token_of(issued))
    assert [] == alive(service)


def test_an_impersonation(service: Service) -> None:
    """Its token ends it, and not the actor's own session."""
    eve = begun(service, "eve")
    impersonate = service.deployment.sessions.impersonate
    acting = service.deployment.ask(partial(impersonate, eve.access_token, "ada", reason="ticket 7"))

    assert DONE == service.revoke(acting.tokens.access_token)
    assert ([], 1) == (alive(service), len(alive(service, "eve")))


@pytest.mark.parametrize("kind", ["access", "refresh", "earlier refresh"])
def test_of_a_core_that_moves_in(kind: str, clock: HandClock) -> None:
    """A token of its sessions ends one here, for good, whether or not its client has come yet."""
    core = OldCore(clock)
    tokens = core.begin(tenant_id="acme")
    newer = core.refresh(tokens)
    token = {"access": newer.access, "refresh": newer.refresh, "earlier refresh": tokens.refresh}[kind]
    with asked(Sessions(config(), clock=clock, moving_from=core), clock) as service:
        assert DONE == service.revoke(token)
        refused = service.deployment.post("/auth/session/refresh", {"authorization": f"Bearer {newer.refresh}"})

    assert 401 == refused.status_code


def test_a_session_that_did_not_begin_there(clock: HandClock) -> None:
    """Who has the core's key can make a token that names any session, but ends none of ours by it."""
    core = OldCore(clock)
    with asked(Sessions(config(), clock=clock, moving_from=core), clock) as service:
        issued = begun(service)
        forged = core.minted(str(UUID(issued.access_token.session_handle)), "ada").refresh
        opened = core.read_refresh_token(forged)
        assert opened is not None
        assert issued.access_token.session_handle == opened.session_id

        assert DONE == service.revoke(forged)
        assert [issued.access_token.session_handle] == alive(service)


def test_what_is_told_of_it(clock: HandClock) -> None:
    """Subscribers and the audit learn that a token was revoked, by which client, and from where."""
    heard: list[SessionEvent] = []

    async def hear(event: SessionEvent) -> None:
        heard.append(event)

    sessions = Sessions(config(audit=True), clock=clock, subscribers=[hear])
    with asked(sessions, clock) as service:
        issued = begun(service)
        service.post(REVOCATION, {"token": refresh_token_of(issued)}, user_agent="reports/1")
        service.deployment.ask(finish_background, sessions)
        [kept] = [each for each in service.deployment.ask(sessions.events).events if each.name == "SessionRevoked"]
    [event] = [each for each in heard if isinstance(each, SessionRevoked)]

    assert ("token_revoked", ID, "reports/1") == (
        event.reason,
        event.by and event.by.user_id,
        event.circumstances.user_agent,
    )
    assert ("token_revoked", ID) == (kept.details["reason"], kept.details["by"]["user_id"])
    assert refresh_token_of(issued)[:40] not in repr(heard)


@pytest.mark.parametrize("kind", ["access", "refresh"])
@pytest.mark.parametrize("verb", ["get", "delete"])
def test_a_store_that_is_down(verb: str, kind: str, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service comes again: it is not told that it is done."""
    issued = begun(service)
    token = issued.tokens.access_token if kind == "access" else refresh_token_of(issued)

    async def down(*_: Any, **__: Any) -> None:
        raise StoreUnavailable("the store is down")

    with monkeypatch.context() as broken:
        broken.setattr(service.deployment.sessions.store, verb, down)
        status, _ = service.revoke(token)

    assert (503, DONE, []) == (status, service.revoke(token), alive(service))


def test_a_session_that_expired(service: Service) -> None:
    """What is over by itself is done."""
    issued = begun(service)
    service.deployment.clock.advance(400 * DAY)

    assert [DONE] * 2 == [service.revoke(each) for each in (issued.tokens.access_token, refresh_token_of(issued))]
