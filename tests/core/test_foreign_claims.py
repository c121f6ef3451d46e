"""The claims of an access token of another system: what is believed of each version, and what belongs to the application."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from fastapi_session.core import access_token
from fastapi_session.core.access_token import RESERVED_CLAIMS, AccessToken
from fastapi_session.core.foreign_claims import as_ours
from fastapi_session.core.refresh_token import fingerprint_of
from fastapi_session.core.signing_keys import is_foreign_kid
from tests.core.keys import key
from tests.core.test_access_token import HASH, HEADER, PARENT, PAYLOAD, signed

KID = "d-1765440000000"
RSA = key(KID, algorithm="RS256")
HANDLE = "01234567-89ab-4def-8123-456789abcdef"
OURS = HANDLE.replace("-", "")
THEIRS = {
    **PAYLOAD,
    "sessionHandle": f"{HANDLE}_acme",
    "rsub": "recipe",
    "tId": "acme",
    "parentRefreshTokenHash1": PARENT,
}


def fingerprint(refresh_token_hash: str) -> str:
    return fingerprint_of(hashlib.sha256(refresh_token_hash.encode()).digest()).hex()


def read(version: Any, **claims: Any) -> AccessToken | None:
    header = {**HEADER, "alg": "RS256", "kid": KID, "version": version}
    parsed = access_token.parse(signed(header, {**THEIRS, **claims}, by=RSA))
    return None if parsed is None else parsed.content


@pytest.mark.parametrize(
    ("version", "handle", "tenant", "recipe_user"),
    [
        ("3", HANDLE, "public", "alice"),
        ("3", f"{HANDLE}_acme", "acme", "alice"),
        ("4", f"{HANDLE}_acme", "acme", "alice"),
        ("5", f"{HANDLE}_acme", "acme", "recipe"),
        pytest.param(5, f"{HANDLE}_acme", "acme", "recipe", id="5 as a number"),
    ],
)
def test_versions(version: Any, handle: str, tenant: str, recipe_user: str) -> None:
    """Of an old version no claim is believed that it did not have yet: then that name is the application's."""
    content = read(version, sessionHandle=handle)
    assert content is not None

    assert ("alice", tenant, recipe_user, OURS) == (
        content.user_id,
        content.tenant_id,
        content.recipe_user_id,
        content.session_id,
    )
    assert (fingerprint(HASH), fingerprint(PARENT)) == (content.refresh_token_hash, content.parent_refresh_token_hash)
    assert {} == content.custom


@pytest.mark.parametrize("version", ["3", "4", "5"])
@pytest.mark.parametrize("name", sorted(RESERVED_CLAIMS - set(PAYLOAD)))
@pytest.mark.parametrize("value", [True, "AAAAAAAAAAAA", {"sub": "root", "sessionHandle": "0" * 32}, 7])
def test_names_of_ours_are_not_theirs(version: str, name: str, value: Any) -> None:
    """Nobody becomes a guest, or an actor, by a claim that the application once gave that name; and none is refused for it."""
    with_it, without = read(version, **{name: value}), read(version)

    assert without is not None
    assert without == with_it


@pytest.mark.parametrize(("version", "name"), [("3", "tId"), ("3", "rsub"), ("4", "rsub")])
def test_a_claim_of_the_application_may_have_any_type(version: str, name: str) -> None:
    """What was no claim of theirs yet refuses no token, whatever it is."""
    assert read(version) == read(version, **{name: ["of", "the", "application"]})


@pytest.mark.parametrize("claims", [{"sessionHandle": 7}, {"refreshTokenHash1": "short"}, {"tId": 7}, {"sub": None}])
def test_what_is_none_of_theirs(claims: dict[str, Any]) -> None:
    """A token without the claims of its version is refused, as any other."""
    assert read("5", **claims) is None


def test_only_keys_of_theirs() -> None:
    """A token by a key that is called as ours are is ours, and all its claims count."""
    assert [False, True, True] == [is_foreign_kid(kid) for kid in (f"d-{'0' * 32}", KID, f"s-{HANDLE}")]
    assert [False] * 5 == [is_foreign_kid(kid) for kid in ("d-key", f"s-{OURS}", "d-", "d-" + "1" * 32, KID + "\n")]
    assert {"refreshTokenHash1": "short"} == as_ours({"refreshTokenHash1": "short"}, version=5, reserved=frozenset())
