"""A logout token is believed if it is as OpenID Connect Back-Channel Logout 1.0 says, and else each row of the tables refuses it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fastapi_session import ExternalSession
from fastapi_session.core.foreign_keys import ForeignKeys
from fastapi_session.core.logout_token import (
    EVENT,
    LEEWAY,
    LONGEST,
    MAX_AGE,
    Expected,
    Forget,
    RefusedLogoutToken,
    checked,
    parse,
)
from tests.core.provider import CLIENT, ISSUER, NOW, claims, headed, jwks, signed

EXPECTED = Expected(ISSUER, CLIENT, "either")

ODD: list[tuple[str, dict[str, Any]]] = [
    ("header", {"kid": 7}),
    ("header", {"kid": False}),
    ("header", {"kid": ["RS256"]}),
    ("header", {"crit": ["b64"], "b64": False}),
    ("algorithm", {"alg": None}),
    ("algorithm", {"alg": 7}),
    ("algorithm", {"alg": ["RS256"]}),
    ("algorithm", {"alg": "rs256"}),
    ("algorithm", {"alg": "none"}),
    ("type", {"typ": 7}),
    ("type", {"typ": ""}),
    ("type", {"typ": ["JWT"]}),
]
"""Headers that joserfc does not write."""

HEADERS: list[tuple[str, str]] = [
    ("no JWS", ""),
    ("no JWS", "a.b"),
    ("no JWS", "e30.e30.e30.e30"),
    ("no JWS", "e30.e30.\u00e4"),
    ("no JWS", "e30.W10."),
    ("no JWS", signed(claims(sid="x" * LONGEST))),
    ("no JWS", signed(b'{"iss": "a", "iss": "b"}')),
    ("no JWS", signed(b'{"iat": NaN}')),
    ("no JWS", signed(b'{"iat": 1' + b"0" * 5000 + b"}")),
    ("no JWS", signed(b'{"a":' * 3000 + b"1" + b"}" * 3000)),
    ("no JWS", signed(claims()) + "="),
    ("no JWS", signed(claims()).replace(".", "\n.")),
    *((reason, headed({"alg": "RS256", **odd})) for reason, odd in ODD),
    ("algorithm", signed(claims(), alg="HS256")),
    ("algorithm", signed(claims(), alg="PS256")),
    ("type", signed(claims(), typ="at+jwt")),
    ("type", signed(claims(), typ="dpop+jwt")),
]
BELIEVED_TYPES = ["logout+jwt", "LOGOUT+JWT", "application/logout+jwt", "JWT", ...]

WRONG: list[tuple[str, str, list[Any]]] = [
    ("issuer", "iss", [..., "", f"{ISSUER}/", [ISSUER], None]),
    ("audience", "aud", [..., "other", [], ["other"], {CLIENT: 1}, [[CLIENT]], None]),
    ("issued at", "iat", [..., str(NOW), True, None, [], 0, -NOW, 10**300, 1e308]),
    ("issued at", "iat", [NOW - MAX_AGE - 1, NOW + LEEWAY + 1]),
    ("expired", "exp", [NOW - LEEWAY, 0, "never", None, False]),
    ("event", "events", [..., {}, [EVENT], EVENT, {EVENT: None}, {EVENT: []}, {"other": {}}]),
    ("nonce", "nonce", ["n", "", None]),
    ("identifier", "jti", [..., "", 7, None, ["a"]]),
    ("session", "sid", ["", 7, None, ["laptop"]]),
    ("session", "sub", ["", 4711, None, {}]),
]
CLAIMS = [(reason, {claim: value}) for reason, claim, values in WRONG for value in values]
CLAIMS.append(("session", {"sid": ..., "sub": ...}))
BELIEVED_CLAIMS: list[dict[str, Any]] = [
    {},
    {"aud": [CLIENT]},
    {"aud": ["other", CLIENT, 7]},
    {"exp": ...},
    {"exp": NOW - LEEWAY + 1},
    {"iat": NOW - MAX_AGE},
    {"iat": NOW + LEEWAY},
    {"iat": NOW + 0.5},
    {"events": {"other": None, EVENT: {"whatever": 1}}},
    {"whatever": {"else": None}},
]

BOTH, SID, SUB = {"sid": "laptop", "sub": "4711"}, {"sid": "laptop", "sub": ...}, {"sid": ..., "sub": "4711"}
ENDS: list[tuple[Forget, dict[str, Any], ExternalSession | None]] = [
    ("either", BOTH, ExternalSession(ISSUER, sid="laptop", subject="4711")),
    ("either", SID, ExternalSession(ISSUER, sid="laptop")),
    ("either", SUB, ExternalSession(ISSUER, subject="4711")),
    ("sid", BOTH, ExternalSession(ISSUER, sid="laptop")),
    ("sid", SID, ExternalSession(ISSUER, sid="laptop")),
    ("sid", SUB, None),
    ("subject", BOTH, ExternalSession(ISSUER, subject="4711")),
    ("subject", SID, None),
    ("subject", SUB, ExternalSession(ISSUER, subject="4711")),
]


@pytest.mark.parametrize(("reason", "text"), HEADERS, ids=range(len(HEADERS)))
def test_what_is_no_logout_token(reason: str, text: str) -> None:
    """Each row of the first table refuses a token, whoever signed it."""
    with pytest.raises(RefusedLogoutToken, match=rf"^{reason}$"):
        parse(text)


@pytest.mark.parametrize("typ", BELIEVED_TYPES)
@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"])
def test_what_the_provider_signed(algorithm: str, typ: object) -> None:
    """By whichever algorithm of the list, a token is believed as it was signed, and not in another way."""
    token = parse(signed(claims(), alg=algorithm, kid=algorithm, typ=typ))
    key = ForeignKeys(jwks(algorithm)).find(algorithm, algorithm)

    assert key is not None
    assert token.is_signed_by(key)
    assert claims() == token.claims
    head, payload, signature = signed(claims(), alg=algorithm, kid=algorithm).split(".")
    other = signed(claims(sid="phone"), alg=algorithm, kid=algorithm).split(".")[1]
    for forged in (f"{head}.{other}.{signature}", f"{head}.{payload}.", f"{head}.{payload}.{signature[:40]}"):
        assert not parse(forged).is_signed_by(key)


@pytest.mark.parametrize(("reason", "said"), CLAIMS, ids=range(len(CLAIMS)))
def test_claims_that_are_refused(reason: str, said: dict[str, Any]) -> None:
    """Each row of the second table refuses what a provider signed."""
    with pytest.raises(RefusedLogoutToken, match=rf"^{reason}$"):
        checked(claims(**said), EXPECTED, now=NOW * 1000)


@pytest.mark.parametrize("said", BELIEVED_CLAIMS, ids=range(len(BELIEVED_CLAIMS)))
def test_claims_that_are_believed(said: dict[str, Any]) -> None:
    """What providers may write differently is believed, to the second of each bound."""
    assert ExternalSession(ISSUER, "laptop", "4711") == checked(claims(**said), EXPECTED, now=NOW * 1000 + 999).external


@pytest.mark.parametrize(("forget", "said", "expected"), ENDS)
def test_what_ends(forget: Forget, said: dict[str, Any], expected: ExternalSession | None) -> None:
    """What an application chose and what the token names decide, as the last table says."""
    if expected is None:
        with pytest.raises(RefusedLogoutToken, match=r"^session$"):
            checked(claims(**said), replace(EXPECTED, forget=forget), now=NOW * 1000)
    else:
        assert expected == checked(claims(**said), replace(EXPECTED, forget=forget), now=NOW * 1000).external


def test_by_what_a_token_is_known_again() -> None:
    """Its digest follows from issuer and `jti` alone, and is kept for longer than the token is believed."""
    other = Expected("https://elsewhere.example", CLIENT, "either")
    first = checked(claims(), EXPECTED, now=NOW * 1000)
    again = checked(claims(sid="phone", iat=NOW - 1), EXPECTED, now=NOW * 1000)
    digests = {
        checked(claims(jti="jti-2"), EXPECTED, now=NOW * 1000).digest,
        checked(claims(iss=other.issuer), other, now=NOW * 1000).digest,
        first.digest,
    }

    assert first.digest == again.digest
    assert 3 == len(digests)
    assert (NOW + MAX_AGE + 2 * LEEWAY) * 1000 == first.until
