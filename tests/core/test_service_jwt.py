"""A JWT for a service is read as it was written, and nothing else is taken for one."""

from __future__ import annotations

from typing import Any

import pytest

from fastapi_session.core import access_token, jws, service_jwt
from fastapi_session.core.service_jwt import LONGEST, TYPE
from tests.core.keys import key

KID = f"d-{'0' * 32}"
KEY = key(KID)
HEADER = {"alg": "ES256", "kid": KID, "typ": TYPE}


def signed(claims: dict[str, Any] | None = None, **header: Any) -> str:
    said = {name: value for name, value in {**HEADER, **header}.items() if value is not None}
    return jws.signed(jws.segment(said), {"sub": "ada"} if claims is None else claims, KEY)


def test_what_is_minted_is_read() -> None:
    """It has its claims and its moments, and the key that signed it verifies it; it is no access token."""
    text = service_jwt.mint({"sub": "ada"}, KEY, typ=TYPE, now=5_000, validity=60_000)
    parsed = service_jwt.parse(text)

    assert parsed is not None
    assert {"sub": "ada", "iat": 5, "exp": 65} == parsed.claims
    assert parsed.is_signed_by(KEY)
    assert access_token.parse(text) is None
    assert "ada" not in repr(parsed)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b",
        "a.b.c.d",
        "\u00e4.\u00e4.\u00e4",
        signed(typ="JWT"),
        signed(typ=None),
        signed(typ=["service+jwt"]),
        signed(version="5"),
        signed(crit=["b64"]),
        signed(alg=None),
        signed(alg=7),
        signed(kid=None),
        signed(kid=7),
        signed(kid="d-0"),
        signed(kid="d-1765440000000"),
        signed({"sub": "x" * LONGEST}),
        signed() + "=",
        signed().rpartition(".")[0] + ".",
    ],
    ids=(  # The signatures are others in each process.
        "empty two four no-ascii typ no-typ typ-list version crit no-alg alg-number no-kid kid-number kid-malformed kid-foreign long "
        "padded unsigned"
    ).split(),
)
def test_what_is_refused(text: str) -> None:
    """Another type, another header, a key of another system, and whatever is no JWT at all."""
    assert service_jwt.parse(text) is None
