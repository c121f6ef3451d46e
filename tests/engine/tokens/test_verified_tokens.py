"""Tokens proved once: a hit is never more trusting than a miss, and no flood fills the memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fastapi_session import MemoryStore, TryRefreshTokenError, UnauthorisedError
from fastapi_session.core import access_token
from fastapi_session.core.access_token import AccessToken, ParsedAccessToken
from fastapi_session.core.signing_keys import (
    RELOAD_MARGIN,
    DueKey,
    SigningKey,
    SigningKeys,
    generate_private_key,
    seal,
    unseal,
)
from fastapi_session.engine.bounded_cache import MAX_BYTES
from fastapi_session.engine.tokens.verified_tokens import VerifiedTokens
from fastapi_session.testing import HandClock
from tests.core.keys import NOW, POLICY, RING, key
from tests.engines import engine, refresh_token_of
from tests.milliseconds import HOUR

KEY = key("d-key")
IMPOSTOR = unseal(
    seal(
        generate_private_key("ES256"),
        DueKey("d", 0, NOW),
        kid="d-key",
        now=NOW,
        policy=POLICY,
        secrets=RING,
        nonce=bytes(12),
    ),
    RING,
)
"""Another key of the same name."""
KEYS = SigningKeys([KEY])


class CountingKey(SigningKey):
    """A signing key that counts how often it is asked."""

    __slots__ = ()
    asked: list[bytes] = []  # noqa: RUF012  shared on purpose: the key itself is frozen

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Count, and answer as any key does."""
        self.asked.append(message)
        return super().verifies(message, signature)


@pytest.fixture
def counting() -> CountingKey:
    CountingKey.asked.clear()
    return CountingKey(KEY.record, KEY.private, KEY.public)


def minted(user_id: str = "alice", **fields: Any) -> ParsedAccessToken:
    """Return a genuine token of *user_id*, taken apart."""
    content = AccessToken(
        user_id=user_id,
        recipe_user_id=user_id,
        tenant_id="public",
        session_handle="0" * 32,
        refresh_token_hash="a" * 64,
        parent_refresh_token_hash=None,
        anti_csrf_token=None,
        issuer="https://api.example.com/auth",
        issued_at=NOW // 1000,
        expires_at=(NOW + HOUR) // 1000,
        custom={},
    )
    parsed = access_token.parse(access_token.mint(replace(content, **fields), KEY))
    assert parsed is not None
    return parsed


def test_a_token_is_proved_once(counting: CountingKey) -> None:
    """The same text under the same keys is proved once, and parsed once."""
    tokens, keys, parsed = VerifiedTokens(None), SigningKeys([counting]), minted()
    proved = [tokens.prove(parsed, keys, now=NOW) for _ in range(3)]

    assert [parsed.content] * 3 == [each.content for each in proved]
    assert 1 == len(counting.asked)
    assert tokens.parse(parsed.text) is proved[0]


@pytest.mark.parametrize(
    ("keys", "now", "stands"),
    [
        (KEYS, NOW, True),
        (KEYS, NOW + HOUR - 1, True),
        (KEYS, NOW + HOUR, False),
        (SigningKeys([KEY]), NOW, False),
        (SigningKeys([IMPOSTOR]), NOW, False),
        (SigningKeys(), NOW, False),
    ],
    ids=["proved just now", "its last moment", "expired", "keys read anew", "another key of its name", "no key"],
)
def test_a_proof_stands(keys: SigningKeys, now: int, stands: bool) -> None:
    """A proof stands until the token expires, and only for the very keys that it was made with."""
    assert stands == VerifiedTokens(None).prove(minted(), KEYS, now=NOW).stands(keys, now)


def test_a_proof_ends_with_its_key() -> None:
    """A token that outlives its key is not believed longer than the key is."""
    key_ends = NOW + HOUR // 2
    first = key("d-key", token_lifetime=HOUR // 2 - RELOAD_MARGIN - 1)
    keys = SigningKeys([first, key("d-next", sequence=1, activates_at=NOW + 1)])
    proved = VerifiedTokens(None).prove(minted(), keys, now=NOW)

    assert (True, False) == (proved.stands(keys, key_ends - 1), proved.stands(keys, key_ends))


def test_a_known_token_expires() -> None:
    """A token that was proved is refused from its last millisecond on, as one that was not."""
    tokens, parsed = VerifiedTokens(None), minted()
    tokens.prove(parsed, KEYS, now=NOW)

    assert parsed.content == tokens.prove(parsed, KEYS, now=NOW + HOUR - 1).content
    with pytest.raises(TryRefreshTokenError, match="expired"):
        tokens.prove(parsed, KEYS, now=NOW + HOUR)


def test_a_known_token_ends_with_its_keys() -> None:
    """A token whose key verifies no more is refused, and so is one under another key of the same name."""
    tokens, parsed = VerifiedTokens(None), minted()
    tokens.prove(parsed, KEYS, now=NOW)

    for others in (SigningKeys(), SigningKeys([IMPOSTOR])):
        with pytest.raises(TryRefreshTokenError, match="signed by no key"):
            tokens.prove(parsed, others, now=NOW)


def test_another_signature_is_another_token() -> None:
    """Known is the whole text: a known payload with another signature is proved anew, and refused."""
    tokens, parsed = VerifiedTokens(None), minted()
    tokens.prove(parsed, KEYS, now=NOW)
    head, _, signature = parsed.text.rpartition(".")
    forged = tokens.parse(f"{head}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}")

    assert forged is not None
    with pytest.raises(TryRefreshTokenError):
        tokens.prove(forged, KEYS, now=NOW)


def test_what_is_not_proved_is_not_kept() -> None:
    """Forged and expired tokens leave nothing behind, however many come."""
    tokens = VerifiedTokens(None)
    for number in range(50):
        with pytest.raises(TryRefreshTokenError):
            tokens.prove(minted(str(number), expires_at=NOW // 1000 - 1), KEYS, now=NOW)
        with pytest.raises(TryRefreshTokenError):
            tokens.prove(minted(str(number)), SigningKeys([IMPOSTOR]), now=NOW)

    assert 0 == len(tokens)


def test_a_flood_of_genuine_tokens_is_bounded() -> None:
    """However many tokens are proved, no more than two halves are kept, and what is in use stays."""
    tokens, used = VerifiedTokens(None, capacity=10), minted("in use")
    first = tokens.prove(used, KEYS, now=NOW)
    for number in range(100):
        tokens.prove(used, KEYS, now=NOW)
        tokens.prove(minted(str(number)), KEYS, now=NOW)
        assert len(tokens) <= 20

    assert tokens.parse(used.text) is first


def test_a_flood_of_large_tokens_is_bounded() -> None:
    """Tokens whose claims take fifty times their length in memory are kept by what they take, not by their number."""
    tokens = VerifiedTokens(None)
    for number in range(500):
        tokens.prove(minted(str(number), custom={"list": [{}] * 680}), KEYS, now=NOW)
    few = len(tokens)
    weight = tokens.prove(minted("0", custom={"list": [{}] * 680}), KEYS, now=NOW).weight

    assert weight > 40_000
    assert MAX_BYTES - weight < few * weight <= 2 * MAX_BYTES


@pytest.mark.parametrize("issuer", ["", "https://staging.example.com/auth", "https://api.example.com/auth/"])
def test_a_token_of_another_issuer_is_refused(issuer: str) -> None:
    """A genuine token that was issued for another address is none of ours, and a refresh may bring one that is."""
    own, anybody = VerifiedTokens("https://api.example.com/auth"), VerifiedTokens(None)
    ours, theirs = minted(issuer="https://api.example.com/auth"), minted(issuer=issuer)

    assert ours.content == own.prove(ours, KEYS, now=NOW).content
    assert theirs.content == anybody.prove(theirs, KEYS, now=NOW).content
    for _ in range(2):
        with pytest.raises(TryRefreshTokenError, match="another address"):
            own.prove(theirs, KEYS, now=NOW)
    assert 1 == len(own)


async def test_a_deployment_that_moves(clock: HandClock) -> None:
    """After a change of the address sessions go on by a refresh; where no address is set, none is asked for."""
    store = MemoryStore(clock=clock)
    before = engine(clock, store=store, api_domain="http://old.example.com")
    after = engine(clock, store=store, api_domain="http://new.example.com")
    unset = engine(clock, store=store, api_domain=None)
    issued = await before.create("alice")
    with pytest.raises(TryRefreshTokenError, match="another address"):
        await after.verify(issued.tokens.access_token)
    refreshed = await after.refresh(refresh_token_of(issued))

    assert refreshed.access_token == await after.verify(refreshed.tokens.access_token)
    assert refreshed.access_token == await unset.verify(refreshed.tokens.access_token)


async def test_a_revoked_session_is_not_remembered(clock: HandClock) -> None:
    """What is asked of the database is asked each time, known token or not."""
    sessions = engine(clock, store=MemoryStore(clock=clock))
    issued = await sessions.create("alice")
    for _ in range(2):
        await sessions.verify(issued.tokens.access_token, check_database=True)
    await sessions.revoke(issued.access_token.session_handle)

    with pytest.raises(UnauthorisedError):
        await sessions.verify(issued.tokens.access_token, check_database=True)


async def test_a_copy_is_handed_out(clock: HandClock) -> None:
    """Who changes the claims of a session that was handed out changes nothing for the next request."""
    sessions = engine(clock, store=MemoryStore(clock=clock))
    issued = await sessions.create("alice", access_token_payload={"roles": ["user"], "deep": {"list": [{"a": 1}]}})
    first = (await sessions.verify(issued.tokens.access_token)).claims()
    first["roles"].append("admin")
    first["deep"]["list"][0]["a"] = 2
    second = (await sessions.verify(issued.tokens.access_token)).claims()

    assert (["user"], {"list": [{"a": 1}]}) == (second["roles"], second["deep"])
