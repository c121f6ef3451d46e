"""Without a request: the engine."""

from __future__ import annotations

from typing import Annotated, Any

import jwt
import pytest
from fastapi import Depends

from fastapi_session import (
    AntiCsrfProof,
    ClaimFailure,
    SessionInformation,
    Sessions,
    TryRefreshTokenError,
    UnauthorisedError,
    blocking,
    front_token,
    get_sessions,
)
from tests.moments import HOUR, PAST_GRACE
from tests.supertokens.rows import DATA, PAYLOAD, Paying, Role, Serve, Site, Verified, Visit, me, row
from tests.wire import ACCESS_COOKIE, ANTI_CSRF


def held(site: Site) -> tuple[str, str]:
    """The access and the refresh token of a session that began without a request, with an anti-CSRF token."""
    issued = site.ask(lambda: site.sessions.create("ada", anti_csrf=True))
    return issued.tokens.access_token, issued.tokens.refresh_token


@row("create_new_session_without_request_response(tenant_id, recipe_user_id, payload, data)")
def engine_create(serve: Serve) -> None:
    site = serve()
    issued = site.ask(
        lambda: site.sessions.create("ada", tenant_id="acme", access_token_payload=PAYLOAD, session_data=DATA)
    )
    bearer = {"authorization": f"Bearer {issued.tokens.access_token}"}

    assert "ada" == site.client.get("/me", headers=bearer).json()
    assert issued.access_token.session_handle.endswith("_acme")
    assert front_token(issued.tokens)


@row("create_new_session_without_request_response(disable_anti_csrf=False)")
def engine_create_with_anti_csrf(serve: Serve) -> None:
    site = serve(anti_csrf="VIA_TOKEN")
    tokens = site.ask(lambda: site.sessions.create("ada", anti_csrf=True)).tokens
    site.app.post("/change")(me)
    site.client.cookies.set(ACCESS_COOKIE, tokens.access_token)

    assert 401 == site.client.post("/change").status_code
    assert 200 == site.client.post("/change", headers={ANTI_CSRF: tokens.anti_csrf_token}).status_code


@row("get_session_without_request_response(access_token)")
def engine_verify(serve: Serve) -> None:
    site = serve()
    access_token, _ = held(site)
    content = site.ask(lambda: site.sessions.verify(access_token))
    checked = site.ask(lambda: site.sessions.check_claims(content, [Role.has_value("guest")]))

    assert ("ada", ["role"]) == (content.user_id, [failure.id for failure in checked.failures])


@row("get_session_without_request_response(check_database=True)")
def engine_verify_in_the_database(serve: Serve) -> None:
    site = serve()
    access_token, _ = held(site)
    site.ask(lambda: site.sessions.revoke_all("ada"))

    with pytest.raises(UnauthorisedError):
        site.ask(lambda: site.sessions.verify(access_token, check_database=True))


@row("get_session_without_request_response(anti_csrf_token=...)")
def engine_verify_anti_csrf(serve: Serve) -> None:
    site = serve(anti_csrf="VIA_TOKEN")
    access_token, _ = held(site)
    token = site.ask(lambda: site.sessions.verify(access_token)).anti_csrf_token

    assert site.ask(lambda: site.sessions.verify(access_token, proof=AntiCsrfProof("VIA_TOKEN", token)))
    with pytest.raises(TryRefreshTokenError):
        site.ask(lambda: site.sessions.verify(access_token, proof=AntiCsrfProof("VIA_TOKEN", "wrong")))


@row("refresh_session_without_request_response(refresh_token)")
def engine_refresh(serve: Serve) -> None:
    site = serve()
    _, refresh_token = held(site)
    site.clock.advance(HOUR)
    issued = site.ask(lambda: site.sessions.refresh(refresh_token))
    bearer = {"authorization": f"Bearer {issued.tokens.access_token}"}

    assert refresh_token != issued.tokens.refresh_token
    assert "ada" == site.client.get("/me", headers=bearer).json()


@row("refresh_session_without_request_response(anti_csrf_token=...)")
def engine_refresh_anti_csrf(serve: Serve) -> None:
    site = serve(anti_csrf="VIA_TOKEN")
    access_token, refresh_token = held(site)
    token = site.ask(lambda: site.sessions.verify(access_token)).anti_csrf_token

    with pytest.raises(UnauthorisedError):
        site.ask(lambda: site.sessions.refresh(refresh_token, proof=AntiCsrfProof("VIA_TOKEN", "wrong")))
    site.clock.advance(PAST_GRACE)
    issued = site.ask(lambda: site.sessions.refresh(refresh_token, proof=AntiCsrfProof("VIA_TOKEN", token)))
    assert token != issued.tokens.anti_csrf_token


@row("get_session_information(handle)")
async def information(visit: Visit) -> None:
    found = await visit.sessions.information(visit.handle)
    assert found is not None
    assert (visit.handle, None) == (found.handle, await visit.sessions.information("unknown"))


@row("SessionInformationResult")
async def information_kind(visit: Visit) -> None:
    assert isinstance(await visit.information(), SessionInformation)


@row("information.session_handle")
async def information_names(visit: Visit) -> None:
    found = await visit.information()
    assert (visit.handle, "ada", "ada", "public") == (
        found.handle,
        found.user_id,
        found.recipe_user_id,
        found.tenant_id,
    )


@row("information.session_data_in_database")
async def information_data(visit: Visit) -> None:
    assert DATA == (await visit.information()).session_data


@row("information.custom_claims_in_access_token_payload")
async def information_payload(visit: Visit) -> None:
    assert PAYLOAD == (await visit.information()).access_token_payload


@row("information.time_created")
async def information_moments(visit: Visit) -> None:
    found = await visit.information()
    assert visit.sessions.config.idle_timeout == found.expires_at - found.created_at


@row("get_all_session_handles_for_user(user_id, tenant_id=...)")
async def handles_of_a_user(visit: Visit) -> None:
    acme = (await visit.sessions.create("ada", tenant_id="acme")).access_token.session_handle
    assert [acme] == [found.handle for found in await visit.sessions.of_user("ada", tenant_id="acme")]
    assert {visit.handle, acme} == {found.handle for found in await visit.sessions.of_user("ada")}


@row("revoke_session(handle)")
async def engine_revoke(visit: Visit) -> None:
    assert [True, False] == [await visit.sessions.revoke(visit.handle), await visit.sessions.revoke(visit.handle)]


@row("revoke_multiple_sessions(handles)")
async def engine_revoke_several(visit: Visit) -> None:
    assert [visit.handle] == await visit.sessions.revoke_several(["unknown", visit.handle])


@row("revoke_all_sessions_for_user(user_id, tenant_id=...)")
async def engine_revoke_all(visit: Visit) -> None:
    assert [] == await visit.sessions.revoke_all("ada", tenant_id="acme")
    assert [visit.handle] == await visit.sessions.revoke_all("ada")


@row("update_session_data_in_database(handle, data)")
async def engine_update_data(visit: Visit) -> None:
    assert await visit.sessions.update_session_data(visit.handle, {"n": 1})
    assert {"n": 1} == (await visit.information()).session_data


@row("merge_into_access_token_payload(handle, changes)")
async def engine_merge(visit: Visit) -> None:
    assert await visit.sessions.merge_into_access_token_payload(visit.handle, {"plan": None, "n": 1})
    assert {"n": 1} == await visit.payload()


@row("fetch_and_set_claim(handle, claim)")
async def engine_fetch(visit: Visit) -> None:
    assert await visit.sessions.fetch_and_set_claim(visit.handle, Role)
    assert "admin of public" == Role.value(await visit.payload())


@row("set_claim_value(handle, claim, value)")
async def engine_set(visit: Visit) -> None:
    assert await visit.sessions.set_claim_value(visit.handle, Role, "guest")
    assert "guest" == Role.value(await visit.payload())


@row("get_claim_value(handle, claim)")
async def engine_value(visit: Visit) -> None:
    await visit.sessions.set_claim_value(visit.handle, Role, "guest")
    assert "guest" == await visit.sessions.claim_value(visit.handle, Role)
    assert await visit.sessions.claim_value("unknown", Role) is None


@row("remove_claim(handle, claim)")
async def engine_remove(visit: Visit) -> None:
    await visit.sessions.set_claim_value(visit.handle, Role, "guest")
    assert await visit.sessions.remove_claim(visit.handle, Role)
    assert PAYLOAD == await visit.payload()


@row("validate_claims_for_session_handle(handle)")
def engine_validate(serve: Serve) -> None:
    async def validate(visit: Visit) -> list[ClaimFailure] | None:
        return await visit.sessions.claim_failures(visit.handle, visit.sessions.validators)

    async def prove(visit: Visit) -> None:
        assert [] == await validate(visit)
        await visit.sessions.set_claim_value(visit.handle, Paying, value=False)
        assert ["paying"] == [failure.id for failure in await validate(visit) or []]
        assert await visit.sessions.claim_failures("unknown", []) is None

    serve(parts={"validators": [Paying.is_true()]}).visit(prove)


def proved(site: Site, token: str) -> Any:
    """The claims of *token*, by the keys that the application publishes."""
    keys = jwt.PyJWKSet.from_dict(site.client.get("/auth/jwt/jwks.json").json())
    key = keys[jwt.get_unverified_header(token)["kid"]].key
    return jwt.decode(token, key, ["ES256"], options={"verify_iat": False})


@row("create_jwt(payload, validity_seconds, use_static_signing_key)")
@row("jwt.asyncio.create_jwt(payload)")
def engine_create_jwt(serve: Serve) -> None:
    site = serve()
    for static in (True, False):
        verb = site.sessions.create_jwt
        token = site.ask(lambda: verb({"scope": "mail"}, validity=HOUR, use_static_signing_key=static))  # noqa: B023
        claims = proved(site, token)
        assert ("mail", 3600) == (claims["scope"], claims["exp"] - claims["iat"])


@row("get_jwks()")
def engine_jwks(serve: Serve) -> None:
    site = serve()
    assert site.ask(site.sessions.jwks) == site.client.get("/auth/jwt/jwks.json").json()


@row("get_open_id_discovery_configuration()")
def engine_discovery(serve: Serve) -> None:
    site = serve()
    assert site.sessions.discovery() == site.client.get("/auth/.well-known/openid-configuration").json()


@row("openid.init(issuer=...)")
def issuer(serve: Serve) -> None:
    site = serve(api_domain="https://api.example.com", api_base_path="/s")
    site.sign_in()
    token = jwt.decode(site.client.cookies[ACCESS_COOKIE], options={"verify_signature": False})

    assert "https://api.example.com/s" == token["iss"] == site.sessions.config.issuer


@row("the `syncio` module in a `def` route".split("`")[1])
def engine_blocking(serve: Serve) -> None:
    site = serve()

    @site.app.post("/sync")
    def sync(session: Verified, sessions: Annotated[Sessions, Depends(get_sessions())]) -> bool:
        return blocking(sessions.revoke(session.handle))

    site.sign_in()
    assert site.client.post("/sync").json() is True
