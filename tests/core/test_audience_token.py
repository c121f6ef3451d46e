"""A token for one service is read back as it was written, and claims that say anything else are none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fastapi_session.core import audience_token
from fastapi_session.core.access_token import AccessToken
from fastapi_session.core.authentication import Authenticated
from fastapi_session.model import Actor

CONTENT = AccessToken(
    user_id="ada",
    recipe_user_id="ada",
    tenant_id="acme",
    session_handle="a" * 32 + "_acme",
    refresh_token_hash="0" * 64,
    parent_refresh_token_hash=None,
    anti_csrf_token=None,
    issuer="https://api.example/auth",
    issued_at=0,
    expires_at=60,
    custom={"plan": "pro"},
    authenticated=Authenticated({"pwd": 7}, "aal1"),
    actor=Actor("eve", "b" * 32),
)
SIGNED = {"iss": "https://api.example/auth", "iat": 0, "exp": 60}
"""What signing adds."""


def written(content: AccessToken = CONTENT, **changed: Any) -> dict[str, Any]:
    claims = {**audience_token.claims_for(content, "tools", scope="read"), **SIGNED, **changed}
    return {name: value for name, value in claims.items() if value is not ...}


def test_what_is_written_is_read() -> None:
    """Whose session it is, for whom and who acts, with or without the parts that not every session has."""
    token = audience_token.read(written())
    bare = audience_token.read(written(replace(CONTENT, authenticated=None, actor=None), scope=...))

    assert token is not None
    assert bare is not None
    assert ("tools", "ada", CONTENT.session_handle, "acme") == (
        token.audience,
        token.user_id,
        token.handle,
        token.tenant_id,
    )
    assert [Actor("eve", "b" * 32), None] == [token.actor, bare.actor]
    assert (60, written()) == (token.expires_at, token.claims)


@pytest.mark.parametrize(
    "changed",
    [
        *({name: ...} for name in ("iss", "aud", "sub", "sid", "tId", "iat", "exp")),
        {"aud": ["tools", "reports"]},
        {"sub": 7},
        {"exp": True},
        {"exp": 60.5},
        {"act": "eve"},
        {"act": {"sub": "eve"}},
        {"amr": "pwd"},
        {"acr": 1},
        {"auth_time": "7"},
        {"scope": ["read"]},
        {"nbf": 30},
        {"roles": ["admin"]},
    ],
    ids=str,
)
def test_what_is_none(changed: dict[str, Any]) -> None:
    """What lacks a claim, has one of another type, or says more: an application may have any JWT signed."""
    assert audience_token.read(written(**changed)) is None
