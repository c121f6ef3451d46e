"""Tokens proved once: a hit is never more trusting than a miss, and no flood fills the memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fastapi_session import MemoryStore, TryRefreshTokenError, UnauthorisedError
from fastapi_session.core import access_token
from fastapi_session.core.access_token import AccessToken, ParsedAccessToken
from fastapi_session.core.signing_keys import DueKey, SigningKey, generate_private_key, seal, unseal
from fastapi_session.engine.verified_tokens import VerifiedTokens
from fastapi_session.testing import HandClock
from tests.core.keys import HOUR, NOW, POLICY, RING, key
from tests.engine.engines import engine

KEY = key("d-key")
IMPOSTOR = unseal(
    seal(
        generate_private_key("ES256"),
        DueKey("d", 0, NOW),
        kid="d-key",
        now=NOW,
        policy=POLICY,
        ring=RING,
        nonce=bytes(12),
    ),
    RING,
)
"""Another key of the same name."""


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
    """Answer a genuine token of *user_id*, taken apart."""
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
    """The same text under the same key is proved once, and parsed once."""
    tokens, parsed = VerifiedTokens(), minted()
    contents = [tokens.verify(parsed, counting, now=NOW) for _ in range(3)]

    assert [parsed.content] * 3 == contents
    assert 1 == len(counting.asked)
    assert tokens.parse(parsed.text) is parsed


def test_a_known_token_expires() -> None:
    """A token that was proved is refused from its last millisecond on, as one that was not."""
    tokens, parsed = VerifiedTokens(), minted()
    tokens.verify(parsed, KEY, now=NOW)

    assert parsed.content == tokens.verify(parsed, KEY, now=NOW + HOUR - 1)
    with pytest.raises(TryRefreshTokenError, match="expired"):
        tokens.verify(parsed, KEY, now=NOW + HOUR)


def test_a_known_token_ends_with_its_key() -> None:
    """A token whose key verifies no more is refused, and so is one under another key of the same name."""
    tokens, parsed = VerifiedTokens(), minted()
    tokens.verify(parsed, KEY, now=NOW)

    for other in (None, IMPOSTOR):
        with pytest.raises(TryRefreshTokenError, match="signed by no key"):
            tokens.verify(parsed, other, now=NOW)


def test_another_signature_is_another_token() -> None:
    """Known is the whole text: a known payload with another signature is proved anew, and refused."""
    tokens, parsed = VerifiedTokens(), minted()
    tokens.verify(parsed, KEY, now=NOW)
    head, _, signature = parsed.text.rpartition(".")
    forged = tokens.parse(f"{head}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}")

    assert forged is not None
    with pytest.raises(TryRefreshTokenError):
        tokens.verify(forged, KEY, now=NOW)


def test_what_is_not_proved_is_not_kept() -> None:
    """Forged and expired tokens leave nothing behind, however many come."""
    tokens = VerifiedTokens()
    for number in range(50):
        with pytest.raises(TryRefreshTokenError):
            tokens.verify(minted(str(number), expires_at=NOW // 1000 - 1), KEY, now=NOW)
        with pytest.raises(TryRefreshTokenError):
            tokens.verify(minted(str(number)), IMPOSTOR, now=NOW)

    assert 0 == len(tokens)


def test_a_flood_of_genuine_tokens_is_bounded() -> None:
    """However many tokens are proved, no more than two halves are kept, and what is in use stays."""
    tokens, used = VerifiedTokens(capacity=10), minted("in use")
    for number in range(100):
        tokens.verify(used, KEY, now=NOW)
        tokens.verify(minted(str(number)), KEY, now=NOW)
        assert len(tokens) <= 20

    assert tokens.parse(used.text) is used


async def test_a_revoked_session_is_not_remembered(hand_clock: HandClock) -> None:
    """What is asked of the database is asked each time, known token or not."""
    sessions = engine(MemoryStore(clock=hand_clock), hand_clock)
    issued = await sessions.create("alice")
    for _ in range(2):
        await sessions.verify(issued.tokens.access_token, check_database=True)
    await sessions.revoke(issued.access_token.session_handle)

    with pytest.raises(UnauthorisedError):
        await sessions.verify(issued.tokens.access_token, check_database=True)


async def test_a_copy_is_handed_out(hand_clock: HandClock) -> None:
    """Who changes the claims of a session that was handed out changes nothing for the next request."""
    sessions = engine(MemoryStore(clock=hand_clock), hand_clock)
    issued = await sessions.create("alice", access_token_payload={"roles": ["user"], "deep": {"list": [{"a": 1}]}})
    first = (await sessions.verify(issued.tokens.access_token)).claims()
    first["roles"].append("admin")
    first["deep"]["list"][0]["a"] = 2
    second = (await sessions.verify(issued.tokens.access_token)).claims()

    assert (["user"], {"list": [{"a": 1}]}) == (second["roles"], second["deep"])
