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
from tests.moments import PAST_GRACE
from tests.supertokens.rows import DATA, PAYLOAD, Paying, Role, Serve, Visit, row, welcome
from tests.wire import ACCESS_COOKIE


@row("Depends(verify_session())")
def verifying(serve: Serve) -> None:
    site = serve()

    assert 401 == site.me()
    site.sign_in()
    assert 200 == site.me()


@row("verify_session(session_required=False)")
def optional(serve: Serve) -> None:
    site = serve()
    provider = verify_session(session_required=False)
    site.app.get("/home", dependencies=[Depends(provider)])(welcome)

    assert 200 == site.client.get("/home").status_code


@row("verify_session(anti_csrf_check=...)")
def checking_anti_csrf(serve: Serve) -> None:
    site = serve(anti_csrf="VIA_TOKEN")
    site.app.get("/checked", dependencies=[Depends(verify_session(anti_csrf_check=True))])(welcome)
    site.app.post("/unchecked", dependencies=[Depends(verify_session(anti_csrf_check=False))])(welcome)
    site.sign_in()

    assert [401, 200] == [site.client.get("/checked").status_code, site.client.post("/unchecked").status_code]


@row("verify_session(check_database=True)")
def checking_the_database(serve: Serve) -> None:
    site = serve()
    site.app.get("/checked", dependencies=[Depends(verify_session(check_database=True))])(welcome)
    site.sign_in()
    before = site.client.get("/checked").status_code
    site.ask(lambda: site.sessions.store.delete_sessions_of("ada", limit=100))  # as another process does

    assert [200, 401] == [before, site.client.get("/checked").status_code]


@row("verify_session(override_global_claim_validators=...)")
def overriding_validators(serve: Serve) -> None:
    def none(validators: Any, session: Any) -> list[ClaimValidator]:
        assert ([Paying.is_false()], "ada") == (list(validators), session.user_id)
        return []

    site = serve(parts={"validators": [Paying.is_false()]})
    site.app.get("/all", dependencies=[Depends(verify_session(override_global_claim_validators=none))])(welcome)
    site.app.get("/admins", dependencies=[Depends(verify_session(Role.has_value("guest")))])(welcome)
    site.sign_in()
    failures = site.client.get("/admins").json()["claimValidationErrors"]

    assert [200, 403] == [site.client.get("/all").status_code, site.me()]
    assert ["paying", "role"] == [failure["id"] for failure in failures]


@row("create_new_session(request, tenant_id, recipe_user_id, payload, data)")
def creating(serve: Serve) -> None:
    site = serve()

    @site.app.post("/begin")
    async def begin(create: Annotated[CreateSession, Depends(create_session())]) -> None:
        await create("ada", tenant_id="acme", recipe_user_id="ada-1", access_token_payload=PAYLOAD, session_data=DATA)

    site.client.post("/begin")
    (found,) = site.ask(lambda: site.sessions.of_user("ada"))

    assert ("acme", "ada-1", PAYLOAD, DATA) == (
        found.tenant_id,
        found.recipe_user_id,
        found.access_token_payload,
        found.session_data,
    )
    assert 200 == site.me()


@row("create_new_session(request, ...)")
def creating_in_a_request(serve: Serve) -> None:
    site = serve()

    @site.app.post("/begin")
    async def begin(request: Request) -> str:
        return (await create_new_session_in_request(request, "grace", tenant_id="acme")).tenant_id

    assert "acme" == site.client.post("/begin").json()
    assert "grace" == site.client.get("/me").json()


@row("get_session(request, ...)")
async def getting(visit: Visit) -> None:
    session = await get_session_from_request(visit.request, check_database=True)

    assert session is not None
    assert visit.handle == session.handle


@row("refresh_session(request)")
def refreshing(serve: Serve) -> None:
    site = serve()

    @site.app.post("/auth/session/refresh/one")
    async def one(request: Request) -> str:
        return (await refresh_session_in_request(request)).user_id

    @site.app.post("/auth/session/refresh/two")
    async def two(refresh: Annotated[RefreshSession, Depends(refresh_session())]) -> str:
        return (await refresh()).user_id

    for path in ("one", "two"):
        site.sign_in()
        before = site.client.cookies[ACCESS_COOKIE]
        site.clock.advance(PAST_GRACE)
        assert "ada" == site.client.post(f"/auth/session/refresh/{path}").json()
        assert before != site.client.cookies[ACCESS_COOKIE]
