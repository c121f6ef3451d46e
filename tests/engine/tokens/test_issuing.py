"""What a client is sent: lives shortened by jitter alone, never past the session's end, never too large for a cookie."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastapi_session.config import SessionConfig
from fastapi_session.core import access_token, base64url, refresh_token
from fastapi_session.core.access_token_size import MAX_LENGTH
from fastapi_session.core.key_encryption import decrypt, encrypt, generate_private_key
from fastapi_session.core.refresh_token import RefreshToken
from fastapi_session.core.signing_keys import DueKey, KeyPolicy, SigningKey
from fastapi_session.engine.tokens.issuing import IssuedSession, Mint
from fastapi_session.errors import PayloadError
from fastapi_session.model import SessionRecord
from fastapi_session.testing import HandClock
from fastapi_session.testing.records import new_session
from fastapi_session.web.transport import front_token
from tests.core.keys import key
from tests.engines import SECRET, secrets
from tests.moments import HOUR
from tests.wire import ACCESS_HEADER

RING = secrets(SECRET)
NOW = 2_000_000_000_000
HOURS = 3_600_000
FIRST = refresh_token.first("0" * 32, secret=b"s" * 32, kid=RING.newest.kid, issue_id=b"the first")
SECOND = refresh_token.successor(FIRST, RING.newest, issue_id=b"the next-")


def key_for(lifetime: int = HOURS) -> SigningKey:
    policy = KeyPolicy(algorithm="ES256", rotation_interval=168 * HOURS, publish_lead=0, token_lifetime=lifetime)
    record = encrypt(
        generate_private_key("ES256"),
        DueKey("d", 0, NOW),
        kid="d-a",
        now=NOW,
        policy=policy,
        secrets=RING,
        nonce=b"n" * 12,
    )
    return decrypt(record, RING)


KEY = key_for()


def mint(*, now: int = NOW, luck: int = 0, **options: Any) -> Mint:
    """Return a mint at *now*, whose every random number is as large as *luck* of 2**32 says."""
    config = SessionConfig(secret=SECRET, **options)
    return Mint(config, secrets=RING, clock=HandClock(now), random=lambda count: luck.to_bytes(4)[:count])


def record(*, ends: int = 24 * HOURS, **fields: Any) -> SessionRecord:
    lineage = {"idle_expires_at": NOW + ends}
    return new_session("a", now=NOW, lineage=lineage, **{"access_token_payload": {}, **fields})


def issue(made_by: Mint, of: SessionRecord, token: RefreshToken = SECOND, *, key: SigningKey = KEY) -> IssuedSession:
    return made_by.issue(of, token, key=key, anti_csrf=True)


@given(st.integers(0, 2**32 - 1), st.floats(0, 0.25), st.integers(1, 86_400), st.integers(0, 999))
def test_jitter_only_subtracts(luck: int, jitter: float, seconds: int, late: int) -> None:
    """A life is at most as long as configured and at most the jitter shorter, in whole seconds and never already over."""
    validity = timedelta(seconds=seconds)
    made = mint(now=NOW + late, luck=luck, access_token_validity=validity, access_token_validity_jitter=jitter)
    issued = issue(made, record(ends=100 * 24 * HOURS), key=key_for(seconds * 1000))
    expires_at = issued.access_token.expires_at

    assert NOW + late < expires_at * 1000 <= max(NOW + late + seconds * 1000, NOW + 1000)
    assert seconds * (1 - jitter) - 2 <= expires_at - NOW / 1000
    assert expires_at * 1000 == issued.tokens.access_token_expires_at


@pytest.mark.parametrize(("luck", "life"), [(0, 3600), (2**31, 3420), (2**32 - 1, 3240)])
@pytest.mark.parametrize("token", [FIRST, SECOND], ids=["sign-in", "refresh"])
def test_jitter_at_every_mint(luck: int, life: int, token: RefreshToken) -> None:
    """The default jitter takes up to a tenth of the hour, at sign-in and at every refresh."""
    expires_at = issue(mint(luck=luck), record(), token).access_token.expires_at

    assert life == expires_at - NOW // 1000


def test_jitter_differs_from_mint_to_mint() -> None:
    """With real randomness two tokens hardly ever end together."""
    made = Mint(SessionConfig(secret=SECRET), secrets=RING, clock=HandClock(NOW), random=os.urandom)
    lives = {issue(made, record()).access_token.expires_at for _ in range(50)}

    assert 20 < len(lives)


@pytest.mark.parametrize("ends", [1, 999, 1_000, 1_001, 3_599_999, 3_600_000])
def test_a_token_never_outlives_its_session(ends: int) -> None:
    """However near the end of the session is, to the millisecond, no access token is believed after it."""
    issued = issue(mint(access_token_validity_jitter=0), record(ends=ends))

    assert NOW + ends >= issued.tokens.access_token_expires_at
    assert (NOW + ends) // 1000 == issued.access_token.expires_at
    assert NOW + ends == issued.tokens.refresh_token_expires_at


def test_a_token_never_outlives_its_key() -> None:
    """Where the configured life was lengthened, the tokens of an older key still keep to what it was made for."""
    issued = issue(mint(access_token_validity=5 * HOUR, access_token_validity_jitter=0), record(), key=key_for(HOURS))

    assert 3600 == issued.access_token.expires_at - NOW // 1000


def test_what_a_standard_token_says() -> None:
    """The payload has exactly the ten standard names, nulls included, after a refresh its id, and then the application's own."""
    first = mint().issue(record(), FIRST, key=KEY, anti_csrf=False).tokens.claims
    later = issue(mint(), record(access_token_payload={"plan": "pro"})).tokens.claims

    assert {*access_token.STANDARD_CLAIMS} == first.keys()
    assert (None, None) == (first["parentRefreshTokenHash1"], first["antiCsrfToken"])
    assert {*access_token.STANDARD_CLAIMS, "jti", "plan"} == later.keys()
    assert base64url.encode(b"the next-") == later["jti"]
    assert (SECOND.fingerprint.hex(), FIRST.fingerprint.hex()) == (
        later["refreshTokenHash1"],
        later["parentRefreshTokenHash1"],
    )
    assert "http://localhost:8000/auth" == later["iss"]


def test_the_tokens_say_what_the_content_says() -> None:
    """The signed text, the content and the front token's claims are one."""
    issued = issue(mint(), record(access_token_payload={"plan": "pro"}))
    parsed = access_token.parse(issued.tokens.access_token)
    assert parsed is not None

    assert issued.access_token == parsed.content
    assert parsed.is_signed_by(KEY)
    assert issued.access_token.claims() == issued.tokens.claims
    assert SECOND == refresh_token.read(issued.tokens.refresh_token or "", RING)


def test_a_reissue_is_of_now_and_ends_as_before() -> None:
    """New claims come in a token that is issued now and ends with the one before, without a refresh token."""
    before = issue(mint(luck=2**31), record(access_token_payload={"plan": "free"}))
    made = mint(now=NOW + 12_999)
    after = made.reissue(before.access_token, {"plan": "pro", "exp": 2**40, "iat": 1, "sub": "root"}, key=KEY)

    assert replace(before.access_token, issued_at=NOW // 1000 + 12, custom={"plan": "pro"}) == after.access_token
    assert after.tokens.refresh_token is None


def largest_payload(token: RefreshToken, **fields: Any) -> int:
    """Return how many characters a claim of a session that stands at *token* may have."""
    low, high = 0, MAX_LENGTH
    while low < high:
        size = (low + high + 1) // 2
        try:
            issue(mint(), record(access_token_payload={"x": "x" * size}, **fields), token)
        except PayloadError:
            high = size - 1
        else:
            low = size
    return low


RSA_KEY = key("d-rsa", algorithm="RS256")


@pytest.mark.parametrize("user_id", ["a", "a" * 255, "\u5b57" * 120], ids=["short", "long", "of six characters each"])
def test_what_fits_at_sign_in_fits_at_every_refresh(user_id: str) -> None:
    """The largest payload that a sign-in accepts fits after any change of the algorithm, and of the address by a little.

    The access token is kept by a browser, and so is the front token, where the npm client puts it.
    """
    fields: dict[str, Any] = {"user_id": user_id, "recipe_user_id": user_id}
    size = largest_payload(FIRST, **fields)
    of = record(access_token_payload={"x": "x" * size}, **fields)
    issued = issue(mint(api_domain="http://localhost:8000", api_base_path="/" + "a" * 52), of, SECOND, key=RSA_KEY)
    mint().ensure_fits(of, key=KEY)

    assert len(ACCESS_HEADER) + len(issued.tokens.access_token) <= 4096
    assert len("sFrontToken") + len(front_token(issued.tokens)) <= 4096
    assert 4096 - 50 < max(
        len(ACCESS_HEADER) + len(issued.tokens.access_token), len("sFrontToken") + len(front_token(issued.tokens))
    )
    with pytest.raises(PayloadError, match="session_data"):
        mint().ensure_fits(record(access_token_payload={"x": "x" * (size + 1)}, **fields), key=KEY)


def test_a_session_that_is_too_long_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    """A session that another version or address let in is carried on, read back, and said once with the way out."""
    made, of = mint(), record(access_token_payload={"x": "x" * 3_500})
    issued = [issue(made, of, SECOND, key=by) for by in (KEY, RSA_KEY)][1]
    parsed = access_token.parse(issued.tokens.access_token)
    assert parsed is not None

    assert issued.access_token == parsed.content
    assert parsed.is_signed_by(RSA_KEY)
    [told] = caplog.messages
    assert of.handle in told
    assert "take back what made them longer" in told


@pytest.mark.parametrize(("prefix", "longest"), [("", 4080), ("abcd", 4080), ("abcde", 4079), ("x" * 32, 4052)])
def test_a_prefix_takes_of_the_room(prefix: str, longest: int, caplog: pytest.LogCaptureFixture) -> None:
    """A cookie's name takes of what browsers keep, so a prefix makes tokens too long that are not so without it."""
    base = len(issue(mint(), record(access_token_payload={"x": ""})).tokens.access_token)
    told: dict[int, bool] = {}
    for size in range((4_030 - base) * 3 // 4, (4_100 - base) * 3 // 4):
        caplog.clear()
        issued = issue(mint(cookie_prefix=prefix), record(access_token_payload={"x": "x" * size}))
        told[len(issued.tokens.access_token)] = bool(caplog.messages)

    assert {False, True} == set(told.values())
    assert {length: length > longest for length in told} == told


def test_a_session_that_is_too_long_may_get_shorter() -> None:
    """Claims that are too long may be changed, as long as the token gets no longer by it."""
    before = record(access_token_payload={"x": "x" * 3_500})
    for size in (0, 3_499, 3_500):
        mint().ensure_fits(record(access_token_payload={"y": "x" * size}), key=KEY, before=before)

    with pytest.raises(PayloadError, match="session_data"):
        mint().ensure_fits(record(access_token_payload={"x": "x" * 3_501}), key=KEY, before=before)
