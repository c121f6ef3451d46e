"""Setting up: rows of configuration and installation."""

from __future__ import annotations

import inspect

import jwt
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.testclient import TestClient
from starlette.requests import HTTPConnection

from fastapi_session import (
    PayloadRule,
    SessionConfig,
    get_all_cors_headers,
    install,
    session_router,
)
from tests.supertokens.world import (
    CALL,
    HOUR,
    MINUTE,
    Role,
    Serve,
    World,
    cookies_of,
    login,
    me,
    row,
)


@row("supertokens_python.init(...)")
def installing(serve: Serve) -> None:
    app = FastAPI()
    install(app, SessionConfig(api_domain="http://testserver", store="memory:"))
    app.post("/login")(login)
    app.get("/me")(me)
    with TestClient(app, headers=CALL) as client:
        client.post("/login")
        assert "ada" == client.get("/me").json()


@row("InputAppInfo(api_domain=..., website_domain=..., api_base_path=...)")
def addresses(serve: Serve) -> None:
    world = serve(api_domain="https://api.example.com", website_domain="https://other.example", api_base_path="/s")
    cookies = cookies_of(world.sign_in())

    assert "Path=/s/session/refresh" in cookies["sRefreshToken"]
    assert "SameSite=None" in cookies["sAccessToken"]
    assert "Secure" in cookies["sAccessToken"]
    assert 200 == world.client.post("/s/session/refresh").status_code


@row('InputAppInfo(api_gateway_path="/gateway")')
def gateway(serve: Serve) -> None:
    world = serve(api_base_path="/gateway/auth")

    assert "Path=/gateway/auth/session/refresh" in cookies_of(world.sign_in())["sRefreshToken"]


@row("InputAppInfo(origin=...)")
def website(serve: Serve) -> None:
    world = serve(api_domain="https://api.example.com", website_domain="https://www.example.com")

    assert "SameSite=Lax" in cookies_of(world.sign_in())["sAccessToken"]


@row("session.init(cookie_domain=...)")
def cookie_domain(serve: Serve) -> None:
    world = serve(api_domain="https://api.example.com", cookie_domain="example.com")

    assert "Domain=example.com" in cookies_of(world.sign_in())["sAccessToken"]


@row("session.init(older_cookie_domain=...)")
def older_cookie_domain(serve: Serve) -> None:
    world = serve(api_domain="https://api.example.com", cookie_domain="example.com", older_cookie_domain="")
    world.client.cookies.clear()
    cookie = {"cookie": "sRefreshToken=one; sRefreshToken=two; sAccessToken=three"}
    response = world.client.post("/auth/session/refresh", headers=cookie)

    assert (200, {"sRefreshToken"}) == (response.status_code, set(cookies_of(response)))
    assert "Domain" not in cookies_of(response)["sRefreshToken"]


@row("session.init(cookie_secure=...)")
def cookie_secure(serve: Serve) -> None:
    secure, plain = serve(api_domain="http://localhost:8000", cookie_secure=True), serve()

    assert "Secure" in cookies_of(secure.sign_in())["sAccessToken"]
    assert "Secure" not in cookies_of(plain.sign_in())["sAccessToken"]


@row("session.init(cookie_same_site=...)")
def cookie_same_site(serve: Serve) -> None:
    world = serve(cookie_same_site="strict")

    assert "SameSite=Strict" in cookies_of(world.sign_in())["sAccessToken"]


@row("session.init(session_expired_status_code=...)")
def session_expired_status_code(serve: Serve) -> None:
    assert 440 == serve(session_expired_status_code=440).me()


@row("session.init(invalid_claim_status_code=...)")
def invalid_claim_status_code(serve: Serve) -> None:
    world = serve(invalid_claim_status_code=418, parts={"validators": [PayloadRule("no", lambda _: False)]})
    world.sign_in()

    assert 418 == world.me()


@row("session.init(anti_csrf=...)")
def anti_csrf(serve: Serve) -> None:
    world = serve(anti_csrf="VIA_TOKEN")
    token = world.sign_in().headers["anti-csrf"]
    world.app.post("/change")(me)

    assert 401 == world.client.post("/change").status_code
    assert 200 == world.client.post("/change", headers={"anti-csrf": token}).status_code


@row("session.init(get_token_transfer_method=...)")
def token_transfer_method(serve: Serve) -> None:
    asked: list[bool] = []

    def method(connection: HTTPConnection, for_create: bool) -> str:
        asked.append(for_create)
        return "header" if "mobile" in connection.headers["user-agent"] else "cookie"

    world = serve(token_transfer_method=method)
    mobile = world.client.post("/login", headers={"user-agent": "mobile"})

    assert ({}, True) == (cookies_of(mobile), "st-access-token" in mobile.headers)
    assert "st-access-token" not in world.sign_in().headers
    assert (200, [True, True, False]) == (world.me(), asked)
    assert "st-access-token" in serve(token_transfer_method="header").sign_in().headers


@row("session.init(use_dynamic_access_token_signing_key=...)")
def signing_key(serve: Serve) -> None:
    def kid(world: World) -> str:
        world.sign_in()
        return str(jwt.get_unverified_header(world.client.cookies["sAccessToken"])["kid"])

    static = serve(use_dynamic_access_token_signing_key=False)

    assert ["s-", "d-"] == [kid(static)[:2], kid(serve())[:2]]
    assert 200 == static.me()


@row("session.init(expose_access_token_to_frontend_in_cookie_based_auth=...)")
def exposing(serve: Serve) -> None:
    world = serve(expose_access_token_to_frontend_in_cookie_based_auth=True)

    assert world.sign_in().headers["st-access-token"] == world.client.cookies["sAccessToken"]


@row("access_token_validity")
def access_token_validity(serve: Serve) -> None:
    world = serve(access_token_validity=MINUTE)
    world.sign_in()
    world.clock.advance(MINUTE)

    assert {"message": "try refresh token"} == world.client.get("/me").json()


@row("refresh_token_validity")
def idle_timeout(serve: Serve) -> None:
    world = serve(idle_timeout=2 * HOUR)
    world.sign_in()
    world.clock.advance(2 * HOUR)

    assert {"message": "unauthorised"} == world.client.post("/auth/session/refresh").json()


@row("access_token_dynamic_signing_key_update_interval")
def key_interval(serve: Serve) -> None:
    world = serve(access_token_dynamic_signing_key_update_interval=HOUR)
    first = world.ask(world.sessions.jwks)["keys"]
    world.clock.advance(2 * HOUR)
    world.sign_in()
    world.ask(world.sessions._engine.background.finish)

    assert {key["kid"] for key in first} < {key["kid"] for key in world.ask(world.sessions.jwks)["keys"]}


@row("supertokens_python.get_all_cors_headers()")
def cors_headers(serve: Serve) -> None:
    def prepare(app: FastAPI) -> None:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=["https://www.example.com"],
            allow_methods=["*"],
            allow_headers=get_all_cors_headers(),
            allow_credentials=True,
        )

    asked = {
        "origin": "https://www.example.com",
        "access-control-request-method": "POST",
        "access-control-request-headers": "rid, fdi-version, anti-csrf, authorization, st-auth-mode, content-type",
    }
    response = serve(prepare=prepare).client.options("/auth/session/refresh", headers=asked)

    assert 200 == response.status_code


@row("POST /auth/session/refresh")
def endpoints(serve: Serve) -> None:
    world = serve()
    assert "/auth/session/refresh" in world.app.openapi()["paths"]
    assert session_router().routes
    world.sign_in()
    world.clock.advance(HOUR)

    assert 401 == world.me()
    assert {} == world.client.post("/auth/session/refresh").json()
    assert 200 == world.me()
    assert {"status": "OK"} == world.client.post("/auth/signout").json()
    assert 401 == world.me()


@row("GET /auth/jwt/jwks.json")
def documents(serve: Serve) -> None:
    world = serve()
    assert session_router().routes
    world.sign_in()
    discovery = world.client.get("/auth/.well-known/openid-configuration").json()
    keys = jwt.PyJWKSet.from_dict(world.client.get(discovery["jwks_uri"]).json())
    token = world.client.cookies["sAccessToken"]
    key = keys[jwt.get_unverified_header(token)["kid"]].key
    claims = jwt.decode(token, key, ["ES256"], issuer=discovery["issuer"], options={"verify_iat": False})

    assert "ada" == claims["sub"]


@row("SessionRecipe.add_claim_from_other_recipe(claim)")
def registered_claims(serve: Serve) -> None:
    assert "claims" in inspect.signature(install).parameters
    world = serve(parts={"claims": [Role]})
    world.sign_in()
    (found,) = world.ask(lambda: world.sessions.of_user("ada"))

    assert "admin of public" == Role.value(found.access_token_payload)


@row("SessionRecipe.add_claim_validator_from_other_recipe(validator)")
def registered_validators(serve: Serve) -> None:
    assert "validators" in inspect.signature(install).parameters
    world = serve(parts={"validators": [Role.has_value("nobody")]})
    world.sign_in()

    assert ["role"] == [each["id"] for each in world.client.get("/me").json()["claimValidationErrors"]]
