"""What an endpoint holds: facts of the access token, and verbs that tell the response by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, WebSocket
from fastapi.responses import StreamingResponse

from fastapi_session import PayloadError, PrimitiveClaim, Session, Sessions, verify_session
from fastapi_session.core import access_token
from fastapi_session.core.access_token import AccessToken
from fastapi_session.testing import HandClock
from tests.engines import engine
from tests.web.deployment import Deployment, Verified
from tests.web.wire import CLEARED, KEPT, TRY_REFRESH_TOKEN, UNAUTHORISED, Held, change
from tests.wire import ACCESS_HEADER, FRONT_TOKEN


@pytest.fixture
def sessions(clock: HandClock) -> Sessions:
    return engine(clock, access_token_validity_jitter=0)


def test_facts(app: FastAPI, deployment: Deployment) -> None:
    """The facts of a session are those of its access token."""
    facts: dict[str, Any] = {}

    @app.get("/facts")
    async def route(session: Verified) -> None:
        names = "user_id recipe_user_id tenant_id handle access_token expires_at claims access_token_payload"
        facts.update({name: getattr(session, name) for name in names.split()}, shown=repr(session))

    held = deployment.login()
    deployment.get("/facts", held.to_call())
    parsed = access_token.parse(held.access)

    assert parsed is not None
    content = parsed.content
    assert {
        "user_id": "ada",
        "recipe_user_id": "ada",
        "tenant_id": "public",
        "handle": content.session_handle,
        "access_token": held.access,
        "expires_at": datetime(2033, 5, 18, 4, 33, 20, tzinfo=UTC),
        "claims": {"plan": "pro"},
        "access_token_payload": content.claims(),
        "shown": f"Session(user_id='ada', handle='{content.session_handle}')",
    } == facts


def test_facts_are_copies(app: FastAPI, deployment: Deployment) -> None:
    """Whoever changes what a session said of itself changes nothing of the session: its verbs alone do."""

    @app.get("/facts")
    async def route(session: Verified) -> list[Any]:
        for facts in (session.claims, session.access_token_payload):
            facts["plan"] = "max"
        return [session.claims["plan"], session.access_token_payload["plan"]]

    assert ["pro", "pro"] == deployment.get("/facts", deployment.login().to_call()).json()


def test_merging(app: FastAPI, deployment: Deployment) -> None:
    """Merged claims are the session's at once, are in the new access token, which ends with the old, and stay."""

    @app.post("/answer")
    async def route(session: Verified) -> dict[str, Any]:
        await session.merge_into_access_token_payload({"plan": None, "role": "admin", "exp": 1, "sub": "mallory"})
        return dict(session.claims)

    held = deployment.login("header")
    response = deployment.post("/answer", held.to_call())
    before, after = access_token.parse(held.access), access_token.parse(response.headers[ACCESS_HEADER])

    assert before is not None
    assert after is not None
    assert {"role": "admin"} == response.json() == after.content.custom
    assert (before.content.expires_at, "ada") == (after.content.expires_at, after.content.user_id)
    changed = Held("header", response.headers[ACCESS_HEADER], held.refresh)
    refreshed = access_token.parse(deployment.refreshed(changed).access)
    assert refreshed is not None
    assert {"role": "admin"} == refreshed.content.custom


def test_a_payload_that_cannot_be_carried(app: FastAPI, deployment: Deployment) -> None:
    """A payload that no cookie can carry is refused, and the session stays as it was."""

    @app.post("/answer")
    async def route(session: Verified) -> bool:
        for changes in ({"n": float("nan")}, {"n": object()}, {"n": "x" * 5000}, {"n": "\ud800"}):
            with pytest.raises(PayloadError):
                await session.merge_into_access_token_payload(changes)
        return dict(session.claims) == {"plan": "pro"}

    response = deployment.post("/answer", deployment.login().to_call())

    assert (True, KEPT) == (response.json(), change(response))


def test_session_data(app: FastAPI, deployment: Deployment) -> None:
    """Data stay in the store: they are read, replaced and read again, and no token changes."""

    @app.post("/answer")
    async def route(session: Verified) -> list[Any]:
        before = dict(await session.get_session_data())
        await session.update_session_data({"cart": ["apple"]})
        return [before, dict(await session.get_session_data()), (await session.information()).user_id]

    response = deployment.post("/answer", deployment.login().to_call())

    assert [{"theme": "dark"}, {"cart": ["apple"]}, "ada"] == response.json()
    assert KEPT == change(response)


def test_changing_session_data(app: FastAPI, deployment: Deployment) -> None:
    """Of forty requests that each change the data by a function, none undoes another's work, and each is told what it made."""

    @app.post("/answer")
    async def route(session: Verified) -> list[Any]:
        data = await asyncio.gather(
            *(session.change_session_data(lambda data: data | {"n": data.get("n", 0) + 1}) for _ in range(40))
        )
        return [await session.get_session_data(), sorted(each["n"] for each in data)]

    response = deployment.post("/answer", deployment.login().to_call())

    assert [{"theme": "dark", "n": 40}, [*range(1, 41)]] == response.json()
    assert KEPT == change(response)


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("merge_into_access_token_payload", [{"plan": "max"}]),
        ("information", []),
        ("get_session_data", []),
        ("update_session_data", [{}]),
        ("change_session_data", [dict]),
    ],
)
def test_a_session_that_has_ended(verb: str, arguments: list[Any], app: FastAPI, deployment: Deployment) -> None:
    """A verb of a session that was revoked elsewhere is refused as unauthorised, and clears the client's tokens."""

    @app.post("/answer")
    async def route(session: Verified) -> None:
        await getattr(session, verb)(*arguments)

    held = deployment.login()
    deployment.ask(deployment.sessions.revoke_all, "ada")
    response = deployment.post("/answer", held.to_call())

    assert (401, UNAUTHORISED, CLEARED) == (response.status_code, response.json(), change(response))


def test_revoking_twice(app: FastAPI, deployment: Deployment) -> None:
    """To revoke what has ended already is no error, and clears the client's tokens all the same."""

    @app.post("/answer")
    async def route(session: Verified) -> None:
        await session.revoke()
        await session.revoke()

    response = deployment.post("/answer", deployment.login().to_call())

    assert (200, CLEARED, []) == (response.status_code, change(response), deployment.users())


async def _role(user_id: str, tenant_id: str, _payload: Any) -> str | None:
    return {"ada": "admin"}.get(user_id)


ROLE = PrimitiveClaim("role", _role)


def test_claims(app: FastAPI, deployment: Deployment) -> None:
    """A claim is fetched, read, set and removed, and what is set stands in the new access token."""

    @app.post("/answer")
    async def route(session: Verified) -> list[Any]:
        values = [session.get_claim_value(ROLE)]
        await session.fetch_and_set_claim(ROLE)
        values.append(session.get_claim_value(ROLE))
        await session.remove_claim(ROLE)
        values.append(session.get_claim_value(ROLE))
        await session.set_claim_value(ROLE, "guest")
        return [*values, session.get_claim_value(ROLE)]

    response = deployment.post("/answer", deployment.login("header").to_call())
    parsed = access_token.parse(response.headers[ACCESS_HEADER])

    assert [None, "admin", None, "guest"] == response.json()
    assert parsed is not None
    assert "guest" == ROLE.value(parsed.content.custom)


def access_token_of(held: Held) -> AccessToken:
    """What the access token says that a client holds."""
    parsed = access_token.parse(held.access)
    assert parsed is not None
    return parsed.content


Checked = Annotated[Session, Depends(verify_session(check_database=True))]


def test_claims_of_a_checked_session(app: FastAPI, deployment: Deployment) -> None:
    """A route that asks the store has its claims, though nobody told of their change, and so has the client from then on."""

    @app.post("/answer")
    async def route(session: Checked) -> dict[str, Any]:
        return dict(session.claims)

    held = deployment.login("header")
    deployment.get("/me", held.to_call())
    elsewhere = engine(deployment.clock, store=deployment.sessions.store)
    handle = access_token_of(held).session_handle
    deployment.ask(elsewhere.merge_into_access_token_payload, handle, {"plan": "free"})
    response = deployment.post("/answer", held.to_call())
    renewed = Held("header", response.headers[ACCESS_HEADER], held.refresh)

    assert {"plan": "free"} == response.json() == access_token_of(renewed).custom


@pytest.mark.parametrize(
    ("by_handle", "expected"), [(False, (200, {"plan": "free"})), (True, (401, TRY_REFRESH_TOKEN))]
)
def test_claims_changed_in_a_request_that_is_checked(
    by_handle: bool, expected: tuple[int, Any], app: FastAPI, deployment: Deployment
) -> None:
    """What one dependency made of the claims the next one, which asks the store, has too, or the client is to refresh."""

    async def changing(session: Verified) -> None:
        merge = (
            partial(deployment.sessions.merge_into_access_token_payload, session.handle)
            if by_handle
            else session.merge_into_access_token_payload
        )
        await merge({"plan": "free"})

    @app.post("/answer", dependencies=[Depends(changing)])
    async def route(session: Checked) -> dict[str, Any]:
        return dict(session.claims)

    response = deployment.post("/answer", deployment.login().to_call())

    assert expected == (response.status_code, response.json())


async def _merging(session: Session) -> None:
    await session.merge_into_access_token_payload({"plan": "max"})


async def _fetching_what_is_asked(session: Session) -> None:
    await session.assert_claims(ROLE.has_value("admin"))


def _in_the_background(app: FastAPI, late: Callable[[Session], Awaitable[None]]) -> None:
    @app.post("/late")
    async def route(session: Verified, tasks: BackgroundTasks) -> None:
        tasks.add_task(late, session)


def _in_a_stream(app: FastAPI, late: Callable[[Session], Awaitable[None]]) -> None:
    @app.post("/late")
    async def route(session: Verified) -> StreamingResponse:
        async def body() -> AsyncIterator[str]:
            yield "before"
            await late(session)
            yield "after"

        return StreamingResponse(body())


def _at_the_exit_of_a_dependency(app: FastAPI, late: Callable[[Session], Awaitable[None]]) -> None:
    async def resource(session: Verified) -> AsyncIterator[None]:
        yield
        await late(session)

    @app.post("/late", dependencies=[Depends(resource)])
    async def route() -> None: ...


@pytest.mark.parametrize("late", [_merging, _fetching_what_is_asked])
@pytest.mark.parametrize("where", [_in_the_background, _in_a_stream, _at_the_exit_of_a_dependency])
def test_claims_that_change_when_the_response_has_left(
    where: Callable[..., Any], late: Callable[..., Any], app: FastAPI, deployment: Deployment
) -> None:
    """What no response can tell any more the client hears of with its next request, which is told to refresh."""
    where(app, late)
    held = deployment.login()
    served = deployment.post("/late", held.to_call())
    told = deployment.get("/me", held.to_call())

    assert (200, KEPT) == (served.status_code, change(served))
    assert (401, TRY_REFRESH_TOKEN) == (told.status_code, told.json())
    assert 200 == deployment.get("/me", deployment.refreshed(held).to_call()).status_code


def test_claims_that_change_in_an_open_socket(app: FastAPI, deployment: Deployment) -> None:
    """So it is with a change that an open socket makes."""

    @app.websocket("/late")
    async def endpoint(websocket: WebSocket, session: Verified) -> None:
        await websocket.accept()
        await session.set_claim_value(ROLE, "guest")
        await websocket.send_text(str(session.get_claim_value(ROLE)))

    held = deployment.login()
    with deployment.client.websocket_connect("/late", headers=held.to_call()) as socket:
        assert "guest" == socket.receive_text()

    told = deployment.get("/me", held.to_call())

    assert (401, TRY_REFRESH_TOKEN) == (told.status_code, told.json())


def test_tokens_to_attach_oneself(app: FastAPI, deployment: Deployment) -> None:
    """All tokens of a client are there as values, with `is_new` only if they are new."""
    tokens: list[Any] = []

    @app.post("/answer")
    async def route(session: Verified) -> None:
        tokens.append(session.tokens)
        await session.merge_into_access_token_payload({"n": 1})
        tokens.append(session.tokens)

    held = deployment.login("header")
    response = deployment.post("/answer", held.to_call())

    assert (held.access, None, False) == (tokens[0].access_token, tokens[0].refresh_token, tokens[0].is_new)
    assert (response.headers[ACCESS_HEADER], True) == (tokens[1].access_token, tokens[1].is_new)
    assert response.headers[FRONT_TOKEN] == tokens[1].front_token
    assert held.access not in repr(tokens)


OFFERED = """
    access_token access_token_payload claims expires_at handle recipe_user_id tenant_id tokens user_id validators
    assert_claims fetch_and_set_claim get_claim_value merge_into_access_token_payload remove_claim set_claim_value
    change_session_data get_session_data information update_session_data
    acr actor authenticated_at bound factors is_guest
    elevate impersonate revoke stop_impersonating token_for while_alive
"""


def test_what_is_offered() -> None:
    """A session offers facts and verbs for applications, and nothing that the package alone needs: editors list every name."""
    assert set(OFFERED.split()) == {name for name in dir(Session) if not name.startswith("_")}
