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
from tests.moments import HOUR, MINUTE
from tests.supertokens.rows import CALL, Role, Serve, Site, cookies_of, login, me, row
from tests.wire import ACCESS_COOKIE, ACCESS_HEADER, ANTI_CSRF, REFRESH_COOKIE, REFRESH_PATH, SIGN_OUT_PATH


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
    site = serve(api_domain="https://api.example.com", website_domain="https://other.example", api_base_path="/s")
    cookies = cookies_of(site.sign_in())

    assert "Path=/s/session/refresh" in cookies[REFRESH_COOKIE]
    assert "SameSite=None" in cookies[ACCESS_COOKIE]
    assert "Secure" in cookies[ACCESS_COOKIE]
    assert 200 == site.client.post("/s/session/refresh").status_code


@row('InputAppInfo(api_gateway_path="/gateway")')
def gateway(serve: Serve) -> None:
    site = serve(api_base_path="/gateway/auth")

    assert "Path=/gateway/auth/session/refresh" in cookies_of(site.sign_in())[REFRESH_COOKIE]


@row("InputAppInfo(origin=...)")
def website(serve: Serve) -> None:
    site = serve(api_domain="https://api.example.com", website_domain="https://www.example.com")

    assert "SameSite=Lax" in cookies_of(site.sign_in())[ACCESS_COOKIE]


@row("session.init(cookie_domain=...)")
def cookie_domain(serve: Serve) -> None:
    site = serve(api_domain="https://api.example.com", cookie_domain="example.com")

    assert "Domain=example.com" in cookies_of(site.sign_in())[ACCESS_COOKIE]


@row("session.init(older_cookie_domain=...)")
def older_cookie_domain(serve: Serve) -> None:
    site = serve(api_domain="https://api.example.com", cookie_domain="example.com", older_cookie_domain="")
    site.client.cookies.clear()
    cookie = {"cookie": "sRefreshToken=one; sRefreshToken=two; sAccessToken=three"}
    response = site.client.post(REFRESH_PATH, headers=cookie)

    assert (200, {REFRESH_COOKIE}) == (response.status_code, set(cookies_of(response)))
    assert "Domain" not in cookies_of(response)[REFRESH_COOKIE]


@row("session.init(cookie_secure=...)")
def cookie_secure(serve: Serve) -> None:
    secure, plain = serve(api_domain="http://localhost:8000", cookie_secure=True), serve()

    assert "Secure" in cookies_of(secure.sign_in())[ACCESS_COOKIE]
    assert "Secure" not in cookies_of(plain.sign_in())[ACCESS_COOKIE]


@row("session.init(cookie_same_site=...)")
def cookie_same_site(serve: Serve) -> None:
    site = serve(cookie_same_site="strict")

    assert "SameSite=Strict" in cookies_of(site.sign_in())[ACCESS_COOKIE]


@row("session.init(session_expired_status_code=...)")
def session_expired_status_code(serve: Serve) -> None:
    assert 440 == serve(session_expired_status_code=440).me()


@row("session.init(invalid_claim_status_code=...)")
def invalid_claim_status_code(serve: Serve) -> None:
    site = serve(invalid_claim_status_code=418, parts={"validators": [PayloadRule("no", lambda _: False)]})
    site.sign_in()

    assert 418 == site.me()


@row("session.init(anti_csrf=...)")
def anti_csrf(serve: Serve) -> None:
    site = serve(anti_csrf="VIA_TOKEN")
    token = site.sign_in().headers[ANTI_CSRF]
    site.app.post("/change")(me)

    assert 401 == site.client.post("/change").status_code
    assert 200 == site.client.post("/change", headers={ANTI_CSRF: token}).status_code


@row("session.init(get_token_transfer_method=...)")
def token_transfer_method(serve: Serve) -> None:
    asked: list[bool] = []

    def method(connection: HTTPConnection, for_create: bool) -> str:
        asked.append(for_create)
        return "header" if "mobile" in connection.headers["user-agent"] else "cookie"

    site = serve(token_transfer_method=method)
    mobile = site.client.post("/login", headers={"user-agent": "mobile"})

    assert ({}, True) == (cookies_of(mobile), ACCESS_HEADER in mobile.headers)
    assert ACCESS_HEADER not in site.sign_in().headers
    assert (200, [True, True, False]) == (site.me(), asked)
    assert ACCESS_HEADER in serve(token_transfer_method="header").sign_in().headers


@row("session.init(use_dynamic_access_token_signing_key=...)")
def signing_key(serve: Serve) -> None:
    def kid(site: Site) -> str:
        site.sign_in()
        return str(jwt.get_unverified_header(site.client.cookies[ACCESS_COOKIE])["kid"])

    static = serve(use_dynamic_access_token_signing_key=False)

    assert ["s-", "d-"] == [kid(static)[:2], kid(serve())[:2]]
    assert 200 == static.me()


@row("session.init(expose_access_token_to_frontend_in_cookie_based_auth=...)")
def exposing(serve: Serve) -> None:
    site = serve(expose_access_token_to_frontend_in_cookie_based_auth=True)

    assert site.sign_in().headers[ACCESS_HEADER] == site.client.cookies[ACCESS_COOKIE]


@row("access_token_validity")
def access_token_validity(serve: Serve) -> None:
    site = serve(access_token_validity=MINUTE)
    site.sign_in()
    site.clock.advance(MINUTE)

    assert {"message": "try refresh token"} == site.client.get("/me").json()


@row("refresh_token_validity")
def idle_timeout(serve: Serve) -> None:
    site = serve(idle_timeout=2 * HOUR)
    site.sign_in()
    site.clock.advance(2 * HOUR)

    assert {"message": "unauthorised"} == site.client.post(REFRESH_PATH).json()


@row("access_token_dynamic_signing_key_update_interval")
def key_interval(serve: Serve) -> None:
    site = serve(access_token_dynamic_signing_key_update_interval=HOUR)
    first = site.ask(site.sessions.jwks)["keys"]
    site.clock.advance(2 * HOUR)
    site.sign_in()
    site.ask(site.sessions._parts.background.finish)

    assert {key["kid"] for key in first} < {key["kid"] for key in site.ask(site.sessions.jwks)["keys"]}


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
    response = serve(prepare=prepare).client.options(REFRESH_PATH, headers=asked)

    assert 200 == response.status_code


@row("POST /auth/session/refresh")
def endpoints(serve: Serve) -> None:
    site = serve()
    assert REFRESH_PATH in site.app.openapi()["paths"]
    assert session_router().routes
    site.sign_in()
    site.clock.advance(HOUR)

    assert 401 == site.me()
    assert {} == site.client.post(REFRESH_PATH).json()
    assert 200 == site.me()
    assert {"status": "OK"} == site.client.post(SIGN_OUT_PATH).json()
    assert 401 == site.me()


@row("GET /auth/jwt/jwks.json")
def documents(serve: Serve) -> None:
    site = serve()
    assert session_router().routes
    site.sign_in()
    discovery = site.client.get("/auth/.well-known/openid-configuration").json()
    keys = jwt.PyJWKSet.from_dict(site.client.get(discovery["jwks_uri"]).json())
    token = site.client.cookies[ACCESS_COOKIE]
    key = keys[jwt.get_unverified_header(token)["kid"]].key
    claims = jwt.decode(token, key, ["ES256"], issuer=discovery["issuer"], options={"verify_iat": False})

    assert "ada" == claims["sub"]


@row("SessionRecipe.add_claim_from_other_recipe(claim)")
def registered_claims(serve: Serve) -> None:
    assert "claims" in inspect.signature(install).parameters
    site = serve(parts={"claims": [Role]})
    site.sign_in()
    (found,) = site.ask(lambda: site.sessions.of_user("ada"))

    assert "admin of public" == Role.value(found.access_token_payload)


@row("SessionRecipe.add_claim_validator_from_other_recipe(validator)")
def registered_validators(serve: Serve) -> None:
    assert "validators" in inspect.signature(install).parameters
    site = serve(parts={"validators": [Role.has_value("nobody")]})
    site.sign_in()

    assert ["role"] == [each["id"] for each in site.client.get("/me").json()["claimValidationErrors"]]
