"""The endpoint to which an identity provider sends its logout tokens (OpenID Connect Back-Channel Logout 1.0, section 2.5).

| what came | response | sessions |
|---|---|---|
| a token that `logout_token` believes | 200, also if there was no session | end, as its last table says |
| no form of at most 64 KiB with one `logout_token` | 400 `invalid_request` | stay |
| a token that `logout_token` refuses, or that no key of the provider signed | 400 `invalid_request` | stay |
| a token that did its work before | 400 `invalid_request` | stay: one that began since is another one |
| any token, while the provider's keys cannot be fetched and its key is not known | 503, `Retry-After` | stay |
| a token to be believed, while the store is down | 503, `Retry-After` | end, once it is sent again |

No response says more, since anybody may ask; the reason is in the log, at `DEBUG`. A token is remembered last, when its sessions
have ended: one whose work was interrupted can be sent again, and two that come at once do the same.

The provider has neither tokens of ours nor cookies, and no browser sends the request. So there is no anti-CSRF check, and no
cookie in the response.
"""

from __future__ import annotations

import logging
from inspect import iscoroutinefunction
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response

from fastapi_session import endpoint_paths
from fastapi_session.core import logout_token
from fastapi_session.core.logout_token import Expected, Forget, Logout, RefusedLogoutToken
from fastapi_session.engine.provider_keys import Fetch, ProviderKeys, ProviderKeysUnavailable
from fastapi_session.errors import ConfigurationError, StoreUnavailable
from fastapi_session.sessions import Sessions
from fastapi_session.web.circumstances import circumstances_of
from fastapi_session.web.dependencies import get_sessions
from fastapi_session.web.form_body import FORM, NoForm, form_fields
from fastapi_session.web.prefixes import ensure_prefix
from fastapi_session.web.transport import RETRY_AFTER_HEADER

NOT_STORED = {"Cache-Control": "no-store"}
_DOCUMENTED: dict[str, Any] = {
    "summary": "Back-channel logout",
    "responses": {
        400: {"description": "The token is not believed: `invalid_request`, and no more than that"},
        503: {"description": "The store or the provider's keys cannot be reached: come again"},
    },
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": {
                FORM: {
                    "schema": {
                        "type": "object",
                        "required": ["logout_token"],
                        "properties": {"logout_token": {"type": "string"}},
                    }
                }
            },
        }
    },
}

logger = logging.getLogger("fastapi_session")


def backchannel_logout(
    prefix: str = "/auth", *, issuer: str, audience: str, keys: Fetch, forget: Forget = "either"
) -> APIRouter:
    """Return the router of `POST {prefix}/backchannel-logout`, for the logout tokens of one identity provider.

    *issuer* is the provider's, as in `iss` of its ID tokens and in `ExternalSession`; *audience* is your client id there. *keys* is
    an async function that returns the provider's JWK Set: it is called when a key is not known, at most each 30 seconds, and else
    each ten minutes. By *forget*, "either", a token with a `sid` ends the sessions of that one, and one without all of its subject;
    "sid" and "subject" end by that alone, and refuse a token that lacks it.

    Raises `ConfigurationError` for an argument that cannot be.
    """
    _ensure_usable(issuer=issuer, audience=audience, keys=keys, forget=forget)
    receiver = _Receiver(Expected(issuer, audience, forget), ProviderKeys(keys))
    ensure_prefix(prefix, of="backchannel_logout")
    router = APIRouter(prefix=prefix, tags=["session"])
    router.post(endpoint_paths.BACKCHANNEL_LOGOUT, response_class=Response, **_DOCUMENTED)(receiver.receive)
    return router


def _ensure_usable(*, issuer: object, audience: object, keys: object, forget: object) -> None:
    for name, value in (("issuer", issuer), ("audience", audience)):
        if not isinstance(value, str) or not value:
            raise ConfigurationError(f"backchannel_logout: {name} must be text, as the provider's ID tokens have it")
    if not callable(keys) or not (iscoroutinefunction(keys) or iscoroutinefunction(type(keys).__call__)):
        raise ConfigurationError(
            "backchannel_logout: keys must be an async function that returns the provider's JWK Set"
        )
    if forget not in {"sid", "subject", "either"}:
        raise ConfigurationError('backchannel_logout: forget must be "sid", "subject" or "either"')


class _Receiver:
    """Receives the logout tokens that are as *expected*, signed by one of the provider's *keys*."""

    def __init__(self, expected: Expected, keys: ProviderKeys) -> None:
        self._expected = expected
        self._keys = keys

    async def receive(self, request: Request, sessions: Annotated[Sessions, Depends(get_sessions())]) -> Response:
        """Respond as the table says."""
        try:
            logout = await self._believed(await _form_token(request), now=sessions.now())
            if await sessions.store.is_remembered(logout.digest):
                raise RefusedLogoutToken("sent before")  # noqa: TRY301 - one more row of the table
            await sessions.revoke_external(logout.external, circumstances=circumstances_of(request))
            await sessions.store.once(logout.digest, until=logout.until)
        except (NoForm, RefusedLogoutToken) as refused:
            logger.debug("a logout token is refused: %s", refused.reason)
            return JSONResponse({"error": "invalid_request"}, 400, NOT_STORED)
        except ProviderKeysUnavailable:
            return _come_again(seconds=30)
        except StoreUnavailable as error:
            logger.warning("a logout token has to be sent again, the session store is unavailable: %s", error)
            return _come_again(seconds=1)
        return Response(headers=NOT_STORED)

    async def _believed(self, text: str, *, now: int) -> Logout:
        """Return what the token *text* says. Raises `RefusedLogoutToken`, `ProviderKeysUnavailable`."""
        token = logout_token.parse(text)
        key = await self._keys.find(token.kid, token.algorithm, now=now)
        if key is None or not token.is_signed_by(key):
            raise RefusedLogoutToken("signature")
        return logout_token.checked(token.claims, self._expected, now=now)


def _come_again(*, seconds: int) -> Response:
    headers = {**NOT_STORED, RETRY_AFTER_HEADER: str(seconds)}
    return JSONResponse({"error": "temporarily_unavailable"}, 503, headers)


async def _form_token(request: Request) -> str:
    """Return the `logout_token` of the form that came. Raises `NoForm` for any other body."""
    tokens = [value for name, value in await form_fields(request) if name == "logout_token"]
    if len(tokens) != 1:
        raise NoForm("no form")
    return tokens[0]
