"""What another service is told of a token, and what it is not."""

from __future__ import annotations

from dataclasses import replace

from fastapi_session.core import introspection
from fastapi_session.core.access_token import RESERVED_CLAIMS
from fastapi_session.core.audience_token import claims_for, read
from fastapi_session.core.authentication import Authenticated
from fastapi_session.model import Actor
from tests.core.test_audience_token import CONTENT, SIGNED

BARE = replace(CONTENT, tenant_id="public", session_handle="a" * 32, authenticated=None, actor=None)
TOLD = {
    "active": True,
    "token_type": "Bearer",
    "iss": "https://api.example/auth",
    "sub": "ada",
    "sid": "a" * 32,
    "tId": "public",
    "iat": 0,
    "exp": 60,
}


def test_a_usual_token() -> None:
    """Whose it is, of which session, and how long: nothing that finds or verifies a token, and no claim of the application."""
    assert TOLD == introspection.told_of(BARE, ())


def test_claims_that_are_asked_for() -> None:
    """They are told if the session has them, and none takes the place of a member of ours."""
    content = replace(BARE, custom={"plan": "pro", "role": "admin", "sub": "eve", "active": False})

    assert TOLD | {"plan": "pro"} == introspection.told_of(content, ["plan", "seat", "sub", "active"])


def test_what_not_every_session_has() -> None:
    """Its authentication, who acts, its key, and that it is a guest's or bound by a browser."""
    content = replace(
        BARE,
        authenticated=Authenticated({"pwd": 7, "otp": 9}, "aal2"),
        actor=Actor("eve", "b" * 32),
        is_guest=True,
        jkt="k" * 43,
        is_device_bound=True,
    )

    assert TOLD | {
        "token_type": "DPoP",
        "auth_time": 9,
        "amr": ["pwd", "otp"],
        "acr": "aal2",
        "act": {"sub": "eve", "sessionHandle": "b" * 32},
        "cnf": {"jkt": "k" * 43},
        "is_anonymous": True,
        "deviceBound": True,
    } == introspection.told_of(content, ())


def test_a_token_for_the_service() -> None:
    """All that it says, since it was made for that service."""
    claims = {**claims_for(CONTENT, "tools", scope="read"), **SIGNED}
    token = read(claims)

    assert token is not None
    assert {"active": True, "token_type": "Bearer", **claims} == introspection.told_of_audience_token(token)


def test_the_names_that_are_ours() -> None:
    """No claim of the application has the name of a member, but for those that a session without them leaves to it."""
    ours = {*TOLD, "act", "cnf", "is_anonymous", "deviceBound"}

    assert ours | RESERVED_CLAIMS == introspection.OWN_MEMBERS
