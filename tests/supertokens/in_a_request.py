"""In a request: providers and their counterparts without `Depends`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request

from fastapi_session import (
    ClaimValidator,
    CreateSession,
    RefreshSession,
    create_new_session_in_request,
    create_session,
    get_session_from_request,
    refresh_session,
    refresh_session_in_request,
    verify_session,
)
from tests.supertokens.world import (
    DATA,
    GRACE,
    PAYLOAD,
    Paying,
    Role,
    Serve,
    Visit,
    row,
    welcome,
)


@row("Depends(verify_session())")
def verifying(serve: Serve) -> None:
    world = serve()

    assert 401 == world.me()
    world.sign_in()
    assert 200 == world.me()


@row("verify_session(session_required=False)")
def optional(serve: Serve) -> None:
    world = serve()
    provider = verify_session(session_required=False)
    world.app.get("/home", dependencies=[Depends(provider)])(welcome)

    assert 200 == world.client.get("/home").status_code


@row("verify_session(anti_csrf_check=...)")
def checking_anti_csrf(serve: Serve) -> None:
    world = serve(anti_csrf="VIA_TOKEN")
    world.app.get("/checked", dependencies=[Depends(verify_session(anti_csrf_check=True))])(welcome)
    world.app.post("/unchecked", dependencies=[Depends(verify_session(anti_csrf_check=False))])(welcome)
    world.sign_in()

    assert [401, 200] == [world.client.get("/checked").status_code, world.client.post("/unchecked").status_code]


@row("verify_session(check_database=True)")
def checking_the_database(serve: Serve) -> None:
    world = serve()
    world.app.get("/checked", dependencies=[Depends(verify_session(check_database=True))])(welcome)
    world.sign_in()
    before = world.client.get("/checked").status_code
    world.ask(lambda: world.sessions.store.delete_sessions_of("ada", limit=100))  # as another process does

    assert [200, 401] == [before, world.client.get("/checked").status_code]


@row("verify_session(override_global_claim_validators=...)")
def overriding_validators(serve: Serve) -> None:
    def none(validators: Any, session: Any) -> list[ClaimValidator]:
        assert ([Paying.is_false()], "ada") == (list(validators), session.user_id)
        return []

    world = serve(parts={"validators": [Paying.is_false()]})
    world.app.get("/all", dependencies=[Depends(verify_session(override_global_claim_validators=none))])(welcome)
    world.app.get("/admins", dependencies=[Depends(verify_session(Role.has_value("guest")))])(welcome)
    world.sign_in()
    failures = world.client.get("/admins").json()["claimValidationErrors"]

    assert [200, 403] == [world.client.get("/all").status_code, world.me()]
    assert ["paying", "role"] == [failure["id"] for failure in failures]


@row("create_new_session(request, tenant_id, recipe_user_id, payload, data)")
def creating(serve: Serve) -> None:
    world = serve()

    @world.app.post("/begin")
    async def begin(create: Annotated[CreateSession, Depends(create_session())]) -> None:
        await create("ada", tenant_id="acme", recipe_user_id="ada-1", access_token_payload=PAYLOAD, session_data=DATA)

    world.client.post("/begin")
    (found,) = world.ask(lambda: world.sessions.of_user("ada"))

    assert ("acme", "ada-1", PAYLOAD, DATA) == (
        found.tenant_id,
        found.recipe_user_id,
        found.access_token_payload,
        found.session_data,
    )
    assert 200 == world.me()


@row("create_new_session(request, ...)")
def creating_in_a_request(serve: Serve) -> None:
    world = serve()

    @world.app.post("/begin")
    async def begin(request: Request) -> str:
        return (await create_new_session_in_request(request, "grace", tenant_id="acme")).tenant_id

    assert "acme" == world.client.post("/begin").json()
    assert "grace" == world.client.get("/me").json()


@row("get_session(request, ...)")
async def getting(visit: Visit) -> None:
    session = await get_session_from_request(visit.request, check_database=True)

    assert session is not None
    assert visit.handle == session.handle


@row("refresh_session(request)")
def refreshing(serve: Serve) -> None:
    world = serve()

    @world.app.post("/auth/session/refresh/one")
    async def one(request: Request) -> str:
        return (await refresh_session_in_request(request)).user_id

    @world.app.post("/auth/session/refresh/two")
    async def two(refresh: Annotated[RefreshSession, Depends(refresh_session())]) -> str:
        return (await refresh()).user_id

    for path in ("one", "two"):
        world.sign_in()
        before = world.client.cookies["sAccessToken"]
        world.clock.advance(GRACE)
        assert "ada" == world.client.post(f"/auth/session/refresh/{path}").json()
        assert before != world.client.cookies["sAccessToken"]
