"""What a text is, by its form: that of a token or of something else which is taken for one."""

from __future__ import annotations

import binascii
from base64 import b64decode

from pydantic import SecretStr

from fastapi_session.cli.explaining.access_tokens import explain_access_token
from fastapi_session.cli.explaining.explanation import Explanation
from fastapi_session.cli.explaining.foreign_tokens import explain_foreign_token
from fastapi_session.cli.explaining.refresh_tokens import bad_token, explain_refresh_token, looks_like_one
from fastapi_session.cli.opened import Deployment
from fastapi_session.core import access_token, jws, refresh_token, service_jwt
from fastapi_session.engine.live_records import is_handle
from fastapi_session.foreign_sessions import ForeignToken

_BEARER = "bearer "
_LONGEST_FRONT_TOKEN = 8_192


async def explain(given: SecretStr, deployment: Deployment) -> Explanation:
    """Explain what was *given*: a token as it was copied, perhaps in quotes or after `Bearer`. Raises `StoreUnavailable`."""
    text = SecretStr(bare(given.get_secret_value()))
    if (token := refresh_token.read(text.get_secret_value(), deployment.engine.secrets)) is not None:
        return await explain_refresh_token(token, deployment)
    if (parsed := access_token.parse(text.get_secret_value())) is not None:
        return await explain_access_token(parsed, deployment)
    source = deployment.moving_from
    if source is not None and (foreign := await _foreign(text, deployment)) is not None:
        return await explain_foreign_token(foreign, source, deployment)
    return by_form(text)


def bare(text: str) -> str:
    """Return *text* without blanks and quotes around it, and without `Bearer` before it."""
    text = text.strip().strip("\"'")
    return text[len(_BEARER) :].strip() if text.lower().startswith(_BEARER) else text


async def _foreign(text: SecretStr, deployment: Deployment) -> ForeignToken | None:
    """Return the refresh token of the system whose sessions go on here, `None` if it is none. Nothing of that system is kept."""
    source = deployment.moving_from
    assert source is not None
    await source.open()
    value = text.get_secret_value()
    return source.read_refresh_token(value)


def by_form(text: SecretStr) -> Explanation:
    """Explain what is no token of this deployment that can be read."""
    value = text.get_secret_value()
    if looks_like_one(value):
        return bad_token()
    if value.count(".") == 2 and (header := jws.read_segment(value.partition(".")[0])) is not None:
        if header.get("typ") == service_jwt.TYPE:
            return Explanation("service JWT", "unauthorised (401): a JWT for another service opens no session")
        return Explanation("other JWT", "unauthorised (401): it has not the structure of an access token of ours")
    if is_handle(value):
        return Explanation(
            "handle", "a handle is no token: sessions show says what is known of the session", handle=value
        )
    if _is_front_token(value):
        return Explanation("front token", "none: a front token is for the page alone, and no server reads it")
    return Explanation("unknown", "unauthorised (401): it is nothing that this deployment writes")


def _is_front_token(value: str) -> bool:
    """Say whether *value* is base64 of JSON with what pages read."""
    if len(value) > _LONGEST_FRONT_TOKEN:
        return False
    try:
        said = b64decode(value, validate=True).lstrip()
    except (binascii.Error, ValueError):
        return False
    return said.startswith(b"{") and all(name in said for name in (b'"uid"', b'"ate"', b'"up"'))
