"""The session: what a route holds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
from fastapi import Request

from fastapi_session import (
    InvalidClaimsError,
    Session,
    SessionTokens,
    attach_session_to_request,
    blocking,
    create_new_session_in_request,
)
from tests.supertokens.rows import (
    DATA,
    NOW,
    PAYLOAD,
    Role,
    Serve,
    Verified,
    Visit,
    cookies_of,
    row,
)
from tests.wire import ACCESS_COOKIE, ACCESS_HEADER, AUTH_MODE, FRONT_TOKEN, REFRESH_HEADER


@row("SessionContainer")
async def kind(visit: Visit) -> None:
    assert isinstance(visit.session, Session)


@row("session.get_user_id()")
async def user_id(visit: Visit) -> None:
    assert "ada" == visit.session.user_id


@row("session.get_recipe_user_id()")
async def recipe_user_id(visit: Visit) -> None:
    assert "ada" == visit.session.recipe_user_id


@row("session.get_tenant_id()")
async def tenant_id(visit: Visit) -> None:
    assert "public" == visit.session.tenant_id


@row("session.get_handle()")
async def handle(visit: Visit) -> None:
    (found,) = await visit.sessions.of_user("ada")
    assert found.handle == visit.session.handle


@row("session.get_access_token()")
async def access_token(visit: Visit) -> None:
    assert visit.request.cookies[ACCESS_COOKIE] == visit.session.access_token


@row("session.get_access_token_payload()")
async def access_token_payload(visit: Visit) -> None:
    payload = jwt.decode(visit.session.access_token, options={"verify_signature": False})

    assert (payload, PAYLOAD) == (visit.session.access_token_payload, visit.session.claims)


@row("session.get_all_session_tokens_dangerously()")
def all_tokens(serve: Serve) -> None:
    site = serve(anti_csrf="VIA_TOKEN")
    told: list[SessionTokens] = []

    @site.app.post("/begin")
    async def begin(request: Request) -> None:
        told.append((await create_new_session_in_request(request, "ada")).tokens)

    response = site.client.post("/begin", headers={AUTH_MODE: "header"})
    site.app.get("/tokens")(_tokens)
    bearer = {"authorization": f"Bearer {told[0].access_token}"}

    names = (ACCESS_HEADER, REFRESH_HEADER, FRONT_TOKEN)
    assert [response.headers[name] for name in names] == [
        told[0].access_token,
        told[0].refresh_token,
        told[0].front_token,
    ]
    assert (True, None) == (told[0].is_new, told[0].anti_csrf_token)
    assert [False, None] == site.client.get("/tokens", headers=bearer).json()


@row("session.get_time_created()")
async def created_at(visit: Visit) -> None:
    assert datetime.fromtimestamp(NOW, UTC) == (await visit.session.information()).created_at


@row("session.get_expiry()")
async def expires_at(visit: Visit) -> None:
    ends = datetime.fromtimestamp(NOW, UTC) + visit.sessions.config.idle_timeout
    assert ends == (await visit.session.information()).expires_at


@row("session.get_session_data_from_database()")
async def session_data(visit: Visit) -> None:
    assert DATA == await visit.session.get_session_data()


@row("session.update_session_data_in_database(data)")
async def updating_data(visit: Visit) -> None:
    await visit.session.update_session_data({"cart": []})
    assert {"cart": []} == (await visit.information()).session_data


@row("session.merge_into_access_token_payload(changes)")
def merging(serve: Serve) -> None:
    async def merge(visit: Visit) -> None:
        await visit.session.merge_into_access_token_payload({"plan": None, "seats": 3})
        assert {"seats": 3} == visit.session.claims == await visit.payload()

    site = serve()
    assert ACCESS_COOKIE in cookies_of(site.visit(merge))
    assert 3 == jwt.decode(site.client.cookies[ACCESS_COOKIE], options={"verify_signature": False})["seats"]


@row("session.revoke_session()")
def revoking(serve: Serve) -> None:
    async def revoke(visit: Visit) -> None:
        await visit.session.revoke()
        assert await visit.sessions.information(visit.handle) is None

    site = serve()
    site.visit(revoke)
    assert (401, []) == (site.me(), list(site.client.cookies))


@row("session.assert_claims([validator])")
async def asserting(visit: Visit) -> None:
    await visit.session.assert_claims(Role.has_value("admin of public"))
    with pytest.raises(InvalidClaimsError):
        await visit.session.assert_claims(Role.has_value("guest"))


@row("session.fetch_and_set_claim(claim)")
async def fetching(visit: Visit) -> None:
    await visit.session.fetch_and_set_claim(Role)
    assert "admin of public" == Role.value(visit.session.claims) == Role.value(await visit.payload())


@row("session.set_claim_value(claim, value)")
async def setting(visit: Visit) -> None:
    await visit.session.set_claim_value(Role, "guest")
    assert "guest" == Role.value(visit.session.claims) == Role.value(await visit.payload())


@row("session.get_claim_value(claim)")
async def getting_value(visit: Visit) -> None:
    assert visit.session.get_claim_value(Role) is None
    await visit.session.set_claim_value(Role, "guest")
    assert "guest" == visit.session.get_claim_value(Role)


@row("session.remove_claim(claim)")
async def removing(visit: Visit) -> None:
    await visit.session.set_claim_value(Role, "guest")
    await visit.session.remove_claim(Role)
    assert PAYLOAD == visit.session.claims == await visit.payload()


@row("session.attach_to_request_response(request, method)")
def attaching(serve: Serve) -> None:
    site = serve()

    @site.app.post("/attach")
    async def attach(request: Request) -> None:
        attach_session_to_request(request, await site.sessions.create("grace"), method="cookie")

    site.client.post("/attach")
    assert "grace" == site.client.get("/me").json()


@row('session["user_id"]')
async def item(visit: Visit) -> None:
    assert "ada" == visit.session.user_id


@row("session.sync_revoke_session()")
def blocking_verbs(serve: Serve) -> None:
    site = serve()

    @site.app.post("/sync")
    def sync(request: Request, session: Verified) -> list[Any]:
        blocking(session.update_session_data({"n": 1}))
        blocking(session.merge_into_access_token_payload({"seats": 3}))
        blocking(session.fetch_and_set_claim(Role))
        blocking(session.assert_claims(Role.has_value("admin of public")))
        blocking(session.set_claim_value(Role, "guest"))
        value = session.get_claim_value(Role)
        blocking(session.remove_claim(Role))
        information = blocking(session.information())
        told = [value, session.claims, blocking(session.get_session_data())]
        assert information.created_at < information.expires_at
        attach_session_to_request(request, blocking(site.sessions.create("grace")))
        blocking(session.revoke())
        return told

    site.sign_in()
    assert ["guest", {**PAYLOAD, "seats": 3}, {"n": 1}] == site.client.post("/sync").json()
    assert 401 == site.me()


async def _tokens(session: Verified) -> list[Any]:
    return [session.tokens.is_new, session.tokens.refresh_token]
