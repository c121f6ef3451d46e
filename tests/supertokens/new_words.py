"""What SuperTokens has no word for: what one wrote by hand."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import Depends

from fastapi_session import (
    Actor,
    CreateSession,
    ExternalSession,
    Fresh,
    Lifetime,
    NotImpersonated,
    SessionEvent,
    SessionKind,
    SessionLimit,
    SessionRevoked,
    backchannel_logout,
    create_session,
    devices_router,
    verify_session,
)
from tests.core import provider
from tests.moments import MINUTE
from tests.supertokens.rows import DATA, Serve, Verified, cookies_of, row, welcome
from tests.wire import ACCESS_COOKIE, REFRESH_COOKIE

Creating = Annotated[CreateSession, Depends(create_session())]


@row("create_new_session(...)")
def lifetime(serve: Serve) -> None:
    async def sign_in(create: Creating, remember: bool) -> None:
        await create("ada", lifetime=Lifetime(kind="web", remember=remember))

    site = serve(kinds={"web": SessionKind.aal1()})
    site.app.post("/sign-in")(sign_in)
    remembered, not_remembered = (
        cookies_of(site.client.post("/sign-in", params={"remember": remember})) for remember in (True, False)
    )
    for name in (ACCESS_COOKIE, REFRESH_COOKIE):
        assert [True, False] == ["Expires=" in cookies[name] for cookies in (remembered, not_remembered)]


@row("SessionClaimValidator")
def step_up(serve: Serve) -> None:
    async def elevate(session: Verified) -> None:
        await session.elevate("otp")

    site = serve()
    site.app.post("/elevate")(elevate)
    site.app.get("/vault", dependencies=[Depends(verify_session(Fresh(minutes=5)))])(welcome)
    site.sign_in()
    assert "insufficient_user_authentication" in site.client.get("/vault").headers["WWW-Authenticate"]
    assert 200 == site.client.post("/elevate").status_code
    assert 200 == site.client.get("/vault").status_code
    site.clock.advance(6 * MINUTE)
    assert 403 == site.client.get("/vault").status_code


@row("create_jwt(payload, ten_years)")
def guests(serve: Serve) -> None:
    async def sign_in(session: Verified, create: Creating) -> None:
        await create("ada", upgrading=session)

    async def come(create: Creating) -> None:
        await create.guest(session_data=DATA)

    site = serve()
    site.app.post("/come")(come)
    site.app.post("/sign-in")(sign_in)
    site.client.post("/come")
    assert site.client.get("/me").json().startswith("guest_")
    assert 200 == site.client.post("/sign-in").status_code
    mine = site.ask(lambda: site.sessions.of_user("ada"))
    assert ("ada", [DATA]) == (site.client.get("/me").json(), [each.session_data for each in mine])


@row("isImpersonation")
def impersonation(serve: Serve) -> None:
    async def view_as(session: Verified) -> None:
        await session.impersonate("bob", reason="ticket 4711")

    async def stop(session: Verified) -> None:
        await session.stop_impersonating()

    site = serve()
    site.app.post("/view-as")(view_as)
    site.app.post("/stop")(stop)
    site.app.post("/password", dependencies=[Depends(verify_session(NotImpersonated()))])(welcome)
    site.sign_in()
    site.client.post("/view-as")
    assert ("bob", 403) == (site.client.get("/me").json(), site.client.post("/password").status_code)
    site.client.post("/stop")
    assert ("ada", 200) == (site.client.get("/me").json(), site.client.post("/password").status_code)


@row("get_all_session_handles_for_user(user_id)")
def devices(serve: Serve) -> None:
    site = serve(prepare=lambda app: app.include_router(devices_router()))
    site.sign_in()
    other = site.ask(lambda: site.sessions.create("ada", label="tablet")).access_token.session_handle
    mine = site.client.get("/auth/sessions").json()["sessions"][0]["handle"]
    site.ask(lambda: site.sessions.set_label(mine, "laptop"))
    listed = site.client.get("/auth/sessions").json()["sessions"]

    assert [(mine, "laptop"), (other, "tablet")] == [(each["handle"], each["label"]) for each in listed]
    assert 204 == site.client.delete(f"/auth/sessions/{other}").status_code
    assert 1 == len(site.client.get("/auth/sessions").json()["sessions"])


@row("revoke_session(...)")
def reasons(serve: Serve) -> None:
    events: list[SessionEvent] = []

    async def subscriber(event: SessionEvent) -> None:
        events.append(event)

    site = serve(parts={"subscribers": [subscriber]})
    handle = site.ask(lambda: site.sessions.create("ada")).access_token.session_handle
    site.ask(lambda: site.sessions.revoke(handle, reason="fraud", by=Actor("grace")))
    site.ask(site.sessions._parts.background.finish)
    ended = [event for event in events if isinstance(event, SessionRevoked)]

    assert [("fraud", Actor("grace"))] == [(event.reason, event.by) for event in ended]


@row("RecipeInterface")
def audit(serve: Serve) -> None:
    site = serve(audit=True)
    handle = site.ask(lambda: site.sessions.create("ada")).access_token.session_handle
    site.ask(lambda: site.sessions.create("bob"))
    site.ask(lambda: site.sessions.revoke(handle))
    kept = site.ask(lambda: site.sessions.events(user_id="ada")).events

    assert [("SessionCreated", handle), ("SessionRevoked", handle)] == [(event.name, event.handle) for event in kept]


@row("len(get_all_session_handles_for_user(user_id))")
def limit(serve: Serve) -> None:
    site = serve(session_limit=SessionLimit(2))
    handles = [site.ask(lambda: site.sessions.create("ada")).access_token.session_handle for _ in range(4)]
    kept = site.ask(lambda: site.sessions.of_user("ada"))

    assert 2 == len(kept)
    assert handles[-1] in {each.handle for each in kept}


@row("sid")
def external(serve: Serve) -> None:
    async def keys() -> dict[str, Any]:
        return provider.jwks()

    said = backchannel_logout(issuer=provider.ISSUER, audience=provider.CLIENT, keys=keys)
    site = serve(prepare=lambda app: app.include_router(said))
    laptop, phone = (ExternalSession(provider.ISSUER, sid=sid, subject="4711") for sid in ("laptop", "phone"))
    for each in (laptop, phone):
        site.ask(partial(site.sessions.create, "ada", external=each))
    logout = {"logout_token": provider.signed(provider.claims(sid="laptop"))}

    assert 200 == site.client.post("/auth/backchannel-logout", data=logout).status_code
    assert [] == site.ask(lambda: site.sessions.revoke_external(laptop))
    assert 1 == len(site.ask(lambda: site.sessions.revoke_external(phone)))
