"""The access token: what is minted is read, by us and by others, and nothing else is."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from contextlib import nullcontext
from functools import partial
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import ECKey, KeySet
from joserfc.jws import JWSRegistry

from fastapi_session.core import access_token, access_token_size, base64url
from fastapi_session.core.access_token import LONGEST, RESERVED_CLAIMS, AccessToken, ParsedAccessToken
from fastapi_session.core.access_token_size import MAX_LENGTH, RESERVE
from fastapi_session.core.authentication import Authenticated
from fastapi_session.core.key_encryption import generate_private_key
from fastapi_session.core.signatures import sign
from fastapi_session.core.signing_keys import Algorithm, SigningKey, SigningKeys
from fastapi_session.errors import PayloadError, TryRefreshTokenError
from tests.core.keys import NOW, PRIVATE, key
from tests.core.test_payload import OBJECTS
from tests.milliseconds import HOUR
from tests.wire import ACCESS_COOKIE

KEY = key("d-key")
RSA = key("d-rsa", algorithm="RS256")
REGISTRY = JWSRegistry(algorithms=["ES256", "RS256"], strict_check_header=False)
"""joserfc refuses unregistered header names such as `version` unless it is told not to."""

HASH, PARENT = "a" * 64, "b" * 64
HEADER: dict[str, Any] = {"alg": "ES256", "kid": "d-key", "typ": "JWT", "version": "5"}
PAYLOAD: dict[str, Any] = {
    "sub": "alice",
    "rsub": "alice",
    "tId": "public",
    "sessionHandle": "0" * 32,
    "refreshTokenHash1": HASH,
    "parentRefreshTokenHash1": None,
    "antiCsrfToken": None,
    "iss": "https://api.example.com/auth",
    "iat": NOW // 1000,
    "exp": (NOW + HOUR) // 1000,
}


def token(**fields: Any) -> AccessToken:
    standard: dict[str, Any] = {
        "user_id": "alice",
        "recipe_user_id": "alice",
        "tenant_id": "public",
        "session_handle": "0" * 32,
        "refresh_token_hash": HASH,
        "parent_refresh_token_hash": PARENT,
        "anti_csrf_token": None,
        "issuer": "https://api.example.com/auth",
        "issued_at": NOW // 1000,
        "expires_at": (NOW + HOUR) // 1000,
        "custom": {},
    }
    return AccessToken(**{**standard, **fields})


def minted(content: AccessToken, by: SigningKey = KEY) -> str:
    return access_token.mint(content.claims(), by)


def signed(header: Any, payload: Any, *, by: SigningKey = KEY) -> str:
    """Return the JWT that *by* signs, whatever *header* and *payload* say; bytes and text are taken as they are."""
    head, body = (
        base64url.encode(part if isinstance(part, bytes) else json.dumps(part).encode()) for part in (header, payload)
    )
    return f"{head}.{body}.{base64url.encode(sign(f'{head}.{body}'.encode(), by.private))}"


def parsed(text: str) -> ParsedAccessToken:
    """Return *text*, which has to have our structure, taken apart."""
    found = access_token.parse(text)
    assert found is not None
    return found


def read(text: str, by: SigningKey = KEY) -> AccessToken:
    """Return what *text* says, which *by* has to have signed."""
    assert parsed(text).is_signed_by(by)
    return parsed(text).content


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
CUSTOM = OBJECTS.filter(lambda value: len(json.dumps(value)) < 1500).map(
    partial(access_token.custom_claims, is_authenticated=False)
)


@pytest.mark.parametrize("by", [KEY, RSA], ids=["ES256", "RS256"])
@given(user_id=NAMES, issued_at=st.integers(0, 2**33), parent=st.none() | st.just(PARENT), custom=CUSTOM)
def test_round_trip(by: SigningKey, user_id: str, issued_at: int, parent: str | None, custom: dict[str, Any]) -> None:
    """What is minted is read back, whatever it says."""
    content = token(
        user_id=user_id,
        recipe_user_id=user_id,
        issued_at=issued_at,
        expires_at=issued_at + 1,
        parent_refresh_token_hash=parent,
        custom=custom,
    )

    assert content == read(minted(content, by), by)


@given(st.text(st.characters(codec="ascii")) | st.text(st.sampled_from("eyJhbGciOiJFUzI1NiJ9.-_A"), max_size=200))
def test_no_text_raises(text: str) -> None:
    """Any text is read or is none of ours."""
    access_token.parse(text)


@given(st.integers(0, 10_000), st.characters(codec="ascii"))
def test_every_character_counts(position: int, character: str) -> None:
    """A token with one character changed, anywhere, is refused."""
    text = minted(token())
    position %= len(text)
    changed = text[:position] + character + text[position + 1 :]
    found = access_token.parse(changed)

    assert changed == text or found is None or not found.is_signed_by(KEY)


# Others read ours


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_pyjwt_reads_our_tokens(algorithm: Algorithm) -> None:
    """PyJWT, given the JWKS, verifies a token of ours and reads what we wrote; a changed one it refuses."""
    ours = key("d-ours", algorithm=algorithm)
    jwks = jwt.PyJWKSet.from_dict(SigningKeys([ours]).jwks(now=NOW))
    text = minted(token(custom={"plan": "pro"}), ours)
    content = jwt.decode(
        text,
        jwks[jwt.get_unverified_header(text)["kid"]],
        [algorithm],
        issuer=PAYLOAD["iss"],
        options={"verify_iat": False},
    )

    assert {**PAYLOAD, "parentRefreshTokenHash1": PARENT, "plan": "pro"} == content
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(f"{text[:-8]}AAAAAAAA", jwks["d-ours"], [algorithm])


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_joserfc_reads_our_tokens(algorithm: Algorithm) -> None:
    """joserfc, given the JWKS, does the same."""
    ours = key("d-ours", algorithm=algorithm)
    jwks: Any = SigningKeys([ours]).jwks(now=NOW)
    text = minted(token(custom={"plan": "pro"}), ours)
    read_by_other = joserfc_jwt.decode(text, KeySet.import_key_set(jwks), registry=REGISTRY)

    assert {**PAYLOAD, "parentRefreshTokenHash1": PARENT, "plan": "pro"} == read_by_other.claims
    assert {"alg": algorithm, "kid": "d-ours", "typ": "JWT", "version": "5"} == read_by_other.header


def test_the_key_is_found_among_many() -> None:
    """Others choose the key by its name, as long as it verifies."""
    keys = [key(f"d-{number}", sequence=number, private=generate_private_key("ES256")) for number in range(3)]
    jwks: Any = SigningKeys(keys).jwks(now=NOW)
    for each in keys:
        joserfc_jwt.decode(minted(token(), each), KeySet.import_key_set(jwks), registry=REGISTRY)

    assert 3 == len(jwks["keys"])


# We read others'


def test_tokens_that_others_sign_with_our_key() -> None:
    """A token that another library signs in our shape, with our key, is one of ours."""
    text = jwt.encode(PAYLOAD, PRIVATE["ES256"], "ES256", headers={"kid": "d-key", "version": "5"})

    assert token(parent_refresh_token_hash=None) == read(text)


@pytest.mark.parametrize("library", ["PyJWT", "joserfc"])
def test_tokens_that_others_sign_with_their_key(library: str) -> None:
    """In our shape and under the name of our key, but signed with another one, it proves nothing."""
    theirs = generate_private_key("ES256")
    text = (
        jwt.encode(PAYLOAD, theirs, "ES256", headers={"kid": "d-key", "version": "5"})
        if library == "PyJWT"
        else joserfc_jwt.encode(HEADER, PAYLOAD, ECKey.generate_key("P-256"), registry=REGISTRY)
    )

    assert not parsed(text).is_signed_by(KEY)


def confused(header: dict[str, Any], secret: bytes) -> str:
    """Return a token signed with HMAC, *secret* being something that is public."""
    message = f"{base64url.encode(json.dumps(header).encode())}.{base64url.encode(json.dumps(PAYLOAD).encode())}"
    return f"{message}.{base64url.encode(hmac.digest(secret, message.encode(), 'sha256'))}"


PUBLIC = PRIVATE["ES256"].public_key()
PUBLIC_TEXTS = {
    "PEM": PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    "DER": PUBLIC.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    "JWK": json.dumps(KEY.record.public_jwk).encode(),
    "nothing": b"",
    "a zero": b"\x00",
}


@pytest.mark.parametrize("secret", PUBLIC_TEXTS)
@pytest.mark.parametrize("algorithm", ["HS256", "ES256"])
def test_confused_algorithms(algorithm: str, secret: str) -> None:
    """RFC 8725, 2.1: what everybody knows of a key is never taken for a secret."""
    assert not parsed(confused({**HEADER, "alg": algorithm}, PUBLIC_TEXTS[secret])).is_signed_by(KEY)


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "nOnE", "", "HS256", "ES384", "RS256", "PS256", "ES256 ", "es256"]
)
def test_the_algorithm_is_the_keys(algorithm: str) -> None:
    """RFC 8725, 3.1: a token that names another algorithm than its key's is refused, though its signature is right."""
    assert not parsed(signed({**HEADER, "alg": algorithm}, PAYLOAD)).is_signed_by(KEY)


@pytest.mark.parametrize("signature", ["", "AA", "A" * 86, "A" * 512])
def test_signatures_that_are_none(signature: str) -> None:
    """No signature, an empty one and one of zeros (CVE-2022-21449) prove nothing."""
    head, _, _ = minted(token()).rpartition(".")
    found = access_token.parse(f"{head}.{signature}")

    assert found is None or not found.is_signed_by(KEY)


@pytest.mark.parametrize(("now", "expired"), [(NOW + HOUR - 1, False), (NOW + HOUR, True), (NOW - 100 * HOUR, False)])
def test_the_end_of_a_token(now: int, expired: bool) -> None:
    """A token is believed to the last millisecond before its end."""
    with pytest.raises(TryRefreshTokenError, match="expired") if expired else nullcontext():
        access_token.ensure_alive(token(), now=now)


def test_an_unknown_key() -> None:
    """If the key that is named is not known, nobody has signed the token."""
    assert not parsed(minted(token())).is_signed_by(None)


# What has our structure


@pytest.mark.parametrize(
    "header",
    [
        {**HEADER, "version": 5},
        {**HEADER, "version": 3},
        {**HEADER, "version": "3"},
        {**HEADER, "version": "12"},
        {**HEADER, "kid": "s-" + "x" * 62},
    ],
    ids=str,
)
def test_headers_that_are_ours(header: dict[str, Any]) -> None:
    """Versions from 3 on, as number or as text, have our structure."""
    assert access_token.parse(signed(header, PAYLOAD)) is not None


@pytest.mark.parametrize(
    "header",
    [
        {name: value for name, value in HEADER.items() if name != "alg"},
        {name: value for name, value in HEADER.items() if name != "kid"},
        {name: value for name, value in HEADER.items() if name != "typ"},
        {name: value for name, value in HEADER.items() if name != "version"},
        {**HEADER, "typ": "jwt"},
        {**HEADER, "typ": "at+jwt"},
        {**HEADER, "alg": None},
        {**HEADER, "alg": ["ES256"]},
        {**HEADER, "kid": ""},
        {**HEADER, "kid": 1},
        {**HEADER, "kid": "../../etc/passwd"},
        {**HEADER, "kid": "d-key' OR '1'='1"},
        {**HEADER, "kid": "x" * 65},
        {**HEADER, "kid": "d-key\n"},
        {**HEADER, "version": "2"},
        {**HEADER, "version": 2},
        {**HEADER, "version": 5.0},
        {**HEADER, "version": True},
        {**HEADER, "version": "five"},
        {**HEADER, "version": "\u0665"},
        {**HEADER, "version": "9" * 5000},
        {**HEADER, "crit": ["exp"]},
        {**HEADER, "b64": False},
        {**HEADER, "jwk": dict(KEY.record.public_jwk)},
        {**HEADER, "jku": "https://evil.example/jwks.json"},
        {**HEADER, "x5u": "https://evil.example/cert.pem"},
        {**HEADER, "x5c": ["MIIB"]},
        {**HEADER, "zip": "DEF"},
        {**HEADER, "cty": "JWT"},
        [],
        "text",
        None,
        b"",
        b"{",
        b'{"alg":"none","alg":"ES256","kid":"d-key","typ":"JWT","version":"5"}',
        json.dumps(HEADER).encode("utf-16"),
        json.dumps(HEADER).encode("utf-8-sig"),
    ],
)
def test_headers_that_are_not_ours(header: Any) -> None:
    """RFC 8725, 3.10 and 3.11: no key comes with a token, nothing critical is skipped, no other kind of JWT is taken for ours."""
    assert access_token.parse(signed(header, PAYLOAD)) is None


@pytest.mark.parametrize("name", sorted(RESERVED_CLAIMS))
@pytest.mark.parametrize("value", [5, True, [], {}, ["alice"]], ids=str)
def test_claims_of_the_wrong_type(name: str, value: Any) -> None:
    """A standard claim of another type is none of ours, whatever its signature."""
    if name in {"iat", "exp"} and value == 5 and value is not True:
        value = "5"
    if name in {"browserSession", "is_anonymous", "deviceBound"} and value is True:
        value = False

    assert access_token.parse(signed(HEADER, {**PAYLOAD, name: value})) is None


THUMBPRINT = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


@pytest.mark.parametrize(
    ("bound", "claims"),
    [
        ({}, {}),
        ({"jkt": THUMBPRINT}, {"cnf": {"jkt": THUMBPRINT}}),
        ({"is_device_bound": True}, {"deviceBound": True}),
    ],
)
def test_a_bound_session(bound: dict[str, Any], claims: dict[str, Any]) -> None:
    """A token says by which key its session is bound: as RFC 9449, 6.1, has it, or by a claim of ours for that of a browser."""
    content = token(**bound)

    assert content == read(minted(content))
    assert claims == {name: value for name, value in content.claims().items() if name in {"cnf", "deviceBound"}}


@pytest.mark.parametrize(
    "confirmation",
    [
        None,
        THUMBPRINT,
        {"jkt": THUMBPRINT, "x5t#S256": THUMBPRINT},
        {"x5t#S256": THUMBPRINT},
        {"jkt": None},
        {"jkt": ""},
        {"jkt": THUMBPRINT[:-1]},
        {"jkt": f"{THUMBPRINT}A"},
        {"jkt": f"{THUMBPRINT[:-1]}="},
        {"jkt": [THUMBPRINT]},
        {"jkt": {"jkt": THUMBPRINT}},
    ],
    ids=str,
)
def test_confirmations_that_are_not_ours(confirmation: Any) -> None:
    """A token that names a key in any other way is none of ours: it must not pass for one that is not bound."""
    assert access_token.parse(signed(HEADER, {**PAYLOAD, "cnf": confirmation})) is None


@pytest.mark.parametrize("name", ["sub", "sessionHandle", "refreshTokenHash1", "iat", "exp"])
@pytest.mark.parametrize("how", ["missing", "null"])
def test_claims_that_are_needed(name: str, how: str) -> None:
    """What a session cannot do without has to be there."""
    payload = {**PAYLOAD, name: None}
    if how == "missing":
        del payload[name]

    assert access_token.parse(signed(HEADER, payload)) is None


@pytest.mark.parametrize("name", ["rsub", "tId", "iss"])
def test_null_is_not_missing(name: str) -> None:
    """A claim that is a text on the wire is none where it is null."""
    assert access_token.parse(signed(HEADER, {**PAYLOAD, name: None})) is None


@pytest.mark.parametrize("name", ["parentRefreshTokenHash1", "antiCsrfToken"])
def test_claims_that_may_be_null(name: str) -> None:
    """A session without a parent, or without an anti-CSRF token, says so by null."""
    assert access_token.parse(signed(HEADER, {**PAYLOAD, name: None})) is not None


def test_claims_that_may_be_missing() -> None:
    """What older versions did not write has its default."""
    payload = {name: PAYLOAD[name] for name in ("sub", "sessionHandle", "refreshTokenHash1", "iat", "exp")}

    assert token(issuer="", parent_refresh_token_hash=None) == read(signed(HEADER, payload))


def test_an_issue_id_is_read() -> None:
    """`jti` is 9 bytes in base64url: written as it is read, and no claim of a token that has none."""
    assert token(issue_id=b"the first") == read(minted(token(issue_id=b"the first"), KEY))
    assert "jti" not in token().claims()


@pytest.mark.parametrize("value", ["", "dGhlIGZpcnN", "dGhlIGZpcnN0A", "dGhlIGZpcnN=", "dGhlIGZpcn\u0661A"], ids=ascii)
def test_issue_ids_are_issue_ids(value: str) -> None:
    """An issue id is 12 base64url characters."""
    assert access_token.parse(signed(HEADER, {**PAYLOAD, "jti": value})) is None


@pytest.mark.parametrize("name", ["refreshTokenHash1", "parentRefreshTokenHash1"])
@pytest.mark.parametrize("value", ["", "zz", "a" * 63, "A" * 64, "a" * 65, "\u0661" * 64], ids=ascii)
def test_hashes_are_hashes(name: str, value: str) -> None:
    """A hash is 64 lower-case hexadecimal characters."""
    assert access_token.parse(signed(HEADER, {**PAYLOAD, name: value})) is None


@pytest.mark.parametrize(
    "payload",
    [
        json.dumps(PAYLOAD).replace('"exp": 2000003600', '"exp": 1e400').encode(),
        json.dumps(PAYLOAD).replace('"exp": 2000003600', '"exp": Infinity').encode(),
        json.dumps(PAYLOAD).replace('"exp": 2000003600', '"exp": NaN').encode(),
        json.dumps(PAYLOAD).replace('"exp": 2000003600', '"exp": -1').encode(),
        json.dumps(PAYLOAD).replace('"exp": 2000003600', '"exp": 1e15').encode(),
        json.dumps(PAYLOAD).replace('"exp": 2000003600', f'"exp": {"9" * 1000}').encode(),
        json.dumps(PAYLOAD).replace('"exp": 2000003600', '"exp": 1, "exp": 2000003600').encode(),
        json.dumps(PAYLOAD).replace('"alice"', '"\\ud800"').encode(),
        json.dumps(PAYLOAD).encode("utf-16"),
        b"[" * 1500,
        b"",
        b"null",
        b"\xff",
    ],
    ids=lambda payload: hashlib.sha256(payload).hexdigest()[:6],
)
def test_payloads_that_are_not_ours(payload: bytes) -> None:
    """What two readers could understand in two ways, or no reader can, is none of ours."""
    assert access_token.parse(signed(HEADER, payload)) is None


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda text: f" {text}", id="blank before"),
        pytest.param(lambda text: f"{text}\n", id="line end"),
        pytest.param(lambda text: f"{text}=", id="padding"),
        pytest.param(lambda text: f"{text}.", id="dot at the end"),
        pytest.param(lambda text: f"{text}.e30", id="a segment more"),
        pytest.param(lambda text: text.replace(".", "..", 1), id="an empty segment"),
        pytest.param(lambda text: text.rpartition(".")[0], id="a segment less"),
        pytest.param(lambda text: text.replace(".", ".=", 1), id="padding before"),
        pytest.param(lambda text: text.replace("-", "+").replace("_", "/") + "+", id="other alphabet"),
        pytest.param(lambda text: f"Bearer {text}", id="scheme"),
        pytest.param(
            lambda text: json.dumps(dict(zip(("protected", "payload", "signature"), text.split("."), strict=True))),
            id="JSON form",
        ),
        pytest.param(lambda text: base64.b64encode(text.encode()).decode(), id="encoded again"),
        pytest.param(lambda text: text + "A" * LONGEST, id="too long"),
    ],
)
def test_forms_that_are_not_ours(change: Any) -> None:
    """Exactly three segments without blanks, padding or decoration are read, of bounded length."""
    assert access_token.parse(change(minted(token()))) is None


# Minting


def test_protected_names_are_dropped() -> None:
    """What an application says under our names is dropped."""
    assert {"plan": "pro"} == access_token.custom_claims({**PAYLOAD, "plan": "pro"}, is_authenticated=False)


@pytest.mark.parametrize("is_authenticated", [True, False])
def test_names_of_authentication_are_the_applications_until_it_says_how(*, is_authenticated: bool) -> None:
    """An application that copies `acr` and the like from elsewhere keeps them, but cannot have a demand believe them."""
    own = {"acr": "gold", "amr": ["x"], "auth_time": 1}
    kept = access_token.custom_claims({**own, "auth_times": {"x": 1}}, is_authenticated=is_authenticated)
    assert kept == ({} if is_authenticated else own)
    read_back = read(minted(token(custom=kept)))
    assert read_back.authenticated is None
    assert kept == read_back.custom


def test_how_the_user_was_authenticated_is_read_back() -> None:
    """The token tells it in four claims, and they are no claims of the application when it is read."""
    told = Authenticated({"pwd": 1_000, "otp": 2_000}, "aal2")
    content = token(authenticated=told, custom={"plan": "pro"})
    claims = {"auth_time": 2_000, "amr": ["pwd", "otp"], "acr": "aal2", "auth_times": {"pwd": 1_000, "otp": 2_000}}
    assert claims.items() <= content.claims().items()
    assert content == read(minted(content))


@pytest.mark.parametrize(
    "forged",
    [
        {"auth_times": []},
        {"auth_times": {}},
        {"auth_times": {"pwd": "1"}},
        {"auth_times": {"pwd": True}},
        {"auth_times": {"pwd": -1}},
        {"auth_times": {"pwd": 1.5}},
        {"amr": ["pwd", "otp"]},
        {"amr": "pwd"},
        {"auth_time": 2},
        {"auth_time": None},
        {"acr": 2},
    ],
    ids=str,
)
def test_how_the_user_was_authenticated_is_read_strictly(forged: dict[str, Any]) -> None:
    """Claims of ours that contradict each other, or are of another type, are no token of ours."""
    told: dict[str, Any] = {"auth_time": 1, "amr": ["pwd"], "acr": "aal1", "auth_times": {"pwd": 1}}
    claims = token().claims()
    assert access_token.parse(access_token.mint({**claims, **told}, KEY)) is not None
    assert access_token.parse(access_token.mint({**claims, **told, **forged}, KEY)) is None


@pytest.mark.parametrize("by", [KEY, RSA], ids=["ES256", "RS256"])
def test_a_token_fits_into_a_cookie(by: SigningKey) -> None:
    """The largest content that is accepted just fits into 4,096 bytes whoever signs it, but for the reserve; more is refused."""
    size = MAX_LENGTH
    while True:
        content = token(custom={"x": "x" * size})
        try:
            access_token_size.ensure_fits(content, by)
            break
        except PayloadError as error:
            assert "session_data" in str(error)  # noqa: PT017  the loop goes on until it fits
            size -= 1
    text = minted(content, by)

    assert content == read(text, by)
    assert len(text) == access_token_size.length(content, by)
    assert 4096 - 8 <= len(ACCESS_COOKIE) + access_token_size.length(content, RSA) + RESERVE + 4 <= 4096
    with pytest.raises(PayloadError):
        access_token_size.ensure_fits(token(custom={"x": "x" * (size + 1)}), by)


def test_a_token_that_no_browser_keeps_is_read() -> None:
    """What was signed is read even if it is longer than a cookie may be, up to a length that none has."""
    content = token(custom={"x": "x" * 4_096})

    assert content == read(minted(content))
    assert access_token.parse(minted(token(custom={"x": "x" * LONGEST}), KEY)) is None


def test_tokens_are_not_printed() -> None:
    """The text form of a parsed token tells neither its text nor its signature."""
    text = minted(token(anti_csrf_token="canary"), KEY)

    assert [] == [piece for piece in [*text.split("."), "canary"] if piece in repr(access_token.parse(text))]
