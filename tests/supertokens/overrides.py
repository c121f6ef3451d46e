"""Overrides: verbs and routes of one's own."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.testclient import TestClient

from fastapi_session import (
    PayloadRule,
    RefreshSession,
    SessionConfig,
    Sessions,
    get_session_from_request,
    get_sessions,
    install,
    refresh_session,
    session_router,
)
from tests.engines import config
from tests.moments import HOUR, PAST_GRACE
from tests.supertokens.rows import CALL, Role, Serve, Verified, login, me, row, welcome
from tests.wire import REFRESH_PATH, SIGN_OUT_PATH


@row("SessionOverrideConfig(functions=...)")
def subclass(serve: Serve) -> None:
    class Shouting(Sessions):
        async def create(self, user_id: str, **options: Any) -> Any:
            return await super().create(user_id.upper(), **options)

    app = FastAPI()
    install(app, Shouting(config()))
    app.post("/login")(login)
    app.get("/me")(me)
    with TestClient(app, headers=CALL) as client:
        client.post("/login")
        assert "ADA" == client.get("/me").json()


@row("SessionOverrideConfig(config=...)")
def another_config(serve: Serve) -> None:
    other = config().model_copy(update={"session_expired_status_code": 440})
    assert isinstance(other, SessionConfig)
    app = FastAPI()
    install(app, other)
    app.get("/me")(me)
    assert 440 == TestClient(app).get("/me").status_code


@row("RecipeInterface.create_new_session", "create")
@row("RecipeInterface.get_session", "verify")
@row("RecipeInterface.refresh_session", "refresh")
@row("RecipeInterface.validate_claims", "check_claims")
@row("RecipeInterface.revoke_session", "revoke")
@row("RecipeInterface.revoke_all_sessions_for_user", "revoke_all")
@row("RecipeInterface.revoke_multiple_sessions", "revoke_several")
@row("RecipeInterface.get_all_session_handles_for_user", "of_user")
@row("RecipeInterface.get_session_information", "information")
@row("RecipeInterface.update_session_data_in_database", "update_session_data")
@row("RecipeInterface.merge_into_access_token_payload", "merge_into_access_token_payload")
@row("RecipeInterface.regenerate_access_token", "merge_and_reissue")
@row("RecipeInterface.fetch_and_set_claim", "fetch_and_set_claim")
@row("RecipeInterface.set_claim_value", "set_claim_value")
@row("RecipeInterface.get_claim_value", "claim_value")
@row("RecipeInterface.remove_claim", "remove_claim")
@row("JWTRecipe", "create_jwt", "jwks", "discovery")
def override(serve: Serve, *verbs: str) -> None:
    called: list[str] = []

    def overridden(verb: str) -> Any:
        own = getattr(Sessions, verb)

        def call(self: Sessions, *args: Any, **options: Any) -> Any:
            called.append(verb)
            return own(self, *args, **options)

        return call

    engine: Any = type("OwnSessions", (Sessions,), {verb: overridden(verb) for verb in verbs})
    site = serve(engine=engine)
    site.app.post("/all")(_all_verbs)
    site.sign_in()
    site.client.get("/auth/jwt/jwks.json")
    site.client.get("/auth/.well-known/openid-configuration")
    site.clock.advance(PAST_GRACE)
    site.client.post(REFRESH_PATH)
    assert 200 == site.client.post("/all").status_code
    site.client.post(SIGN_OUT_PATH)

    assert set(verbs) == set(called)


async def _all_verbs(session: Verified, sessions: Annotated[Sessions, Depends(get_sessions())]) -> None:
    """Use what a login, a refresh and a sign-out do not."""
    await session.assert_claims(PayloadRule("plan", lambda payload: "plan" in payload))
    await session.merge_into_access_token_payload({"n": 1})
    await session.information()
    await session.update_session_data({"n": 1})
    await sessions.fetch_and_set_claim(session.handle, Role)
    await sessions.set_claim_value(session.handle, Role, "guest")
    await sessions.claim_value(session.handle, Role)
    await sessions.remove_claim(session.handle, Role)
    await sessions.of_user("ada")
    await sessions.revoke_several([])
    await sessions.revoke_all("nobody")
    await sessions.create_jwt({}, validity=HOUR)


@row("RecipeInterface.get_global_claim_validators")
def override_validators(serve: Serve) -> None:
    class Strict(Sessions):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.validators = (*self.validators, Role.has_value("guest"))

    site = serve(engine=Strict)
    site.sign_in()
    assert 403 == site.me()


@row("APIInterface.refresh_post")
@row("APIInterface.signout_post")
def own_routes(serve: Serve) -> None:
    app = FastAPI()
    install(app, config())
    app.include_router(session_router(refresh=False, sign_out=False))
    app.post("/login")(login)

    @app.post(REFRESH_PATH)
    async def refresh_route(refresh: Annotated[RefreshSession, Depends(refresh_session())]) -> str:
        return f"hello again {(await refresh()).user_id}"

    @app.post(SIGN_OUT_PATH)
    async def sign_out(session: Verified) -> str:
        await session.revoke()
        return "bye"

    with TestClient(app, headers=CALL) as client:
        client.post("/login")
        assert 200 == client.get("/auth/jwt/jwks.json").status_code
        assert "hello again ada" == client.post(REFRESH_PATH).json()
        assert ("bye", []) == (client.post(SIGN_OUT_PATH).json(), list(client.cookies))


@row("APIInterface.verify_session")
def own_dependency(serve: Serve) -> None:
    users: list[str] = []

    async def user(request: Request) -> None:
        session = await get_session_from_request(request)
        assert session is not None
        users.append(session.user_id)

    site = serve()
    site.app.get("/user", dependencies=[Depends(user)])(welcome)
    assert 401 == site.client.get("/user").status_code
    site.sign_in()
    assert (200, ["ada"]) == (site.client.get("/user").status_code, users)
