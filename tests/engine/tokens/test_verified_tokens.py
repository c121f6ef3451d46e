"""Tokens verified once: a hit is never more trusting than a miss, and no flood fills the memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fastapi_session import MemoryStore, SessionConfig, Sessions, TryRefreshTokenError, UnauthorisedError
from fastapi_session.core import access_token, jws
from fastapi_session.core.access_token import AccessToken, ParsedAccessToken
from fastapi_session.core.authentication import Authenticated
from fastapi_session.core.key_encryption import decrypt, encrypt, generate_private_key
from fastapi_session.core.signing_keys import RELOAD_MARGIN, DueKey, SigningKeys
from fastapi_session.engine.bounded_cache import MAX_BYTES, memory_size
from fastapi_session.engine.tokens.verified_tokens import AnyAccessToken, VerifiedTokens
from fastapi_session.testing import HandClock
from tests.core.keys import NOW, POLICY, RING, key
from tests.engines import SECRET, engine, refresh_token_of
from tests.milliseconds import HOUR

KEY = key("d-key")
IMPOSTOR = decrypt(
    encrypt(
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


class Counting:
    """A public key that counts how often it is asked."""

    asked = 0

    def verify(self, *arguments: Any) -> None:
        """Count, and do what any key does."""
        self.asked += 1
        KEY.public.verify(*arguments)


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
    parsed = access_token.parse(access_token.mint(replace(content, **fields).claims(), KEY))
    assert parsed is not None
    return parsed


def parsed_by(tokens: VerifiedTokens, text: str) -> AnyAccessToken:
    """Return *text* taken apart by *tokens*, which has to be possible."""
    parsed = tokens.parse(text)
    assert parsed is not None
    return parsed


def test_a_token_is_verified_once() -> None:
    """The same text under the same keys is verified once, and parsed once."""
    counting: Any = Counting()
    tokens, keys, text = VerifiedTokens("", bound=False), SigningKeys([replace(KEY, public=counting)]), minted().text
    verified = [tokens.verify(parsed_by(tokens, text), keys, now=NOW) for _ in range(3)]

    assert minted().content == verified[0].content
    assert 1 == counting.asked
    assert verified[1] is verified[2] is verified[0]


@pytest.mark.parametrize(
    ("keys", "now", "expected"),
    [
        (KEYS, NOW, True),
        (KEYS, NOW + HOUR - 1, True),
        (KEYS, NOW + HOUR, False),
        (SigningKeys([KEY]), NOW, False),
        (SigningKeys([IMPOSTOR]), NOW, False),
        (SigningKeys(), NOW, False),
    ],
    ids=["verified just now", "its last moment", "expired", "keys read anew", "another key of its name", "no key"],
)
def test_how_long_it_is_verified(keys: SigningKeys, now: int, expected: bool) -> None:
    """A token stays verified until it expires, and only by the very keys that it was verified by."""
    assert expected == VerifiedTokens("", bound=False).verify(minted(), KEYS, now=NOW).is_verified_by(keys, now)


def test_it_is_verified_no_longer_than_its_key_is_there() -> None:
    """A token that outlives its key is not believed longer than the key is."""
    key_ends = NOW + HOUR // 2
    first = key("d-key", token_lifetime=HOUR // 2 - RELOAD_MARGIN - 1)
    keys = SigningKeys([first, key("d-next", sequence=1, activates_at=NOW + 1)])
    verified = VerifiedTokens("", bound=False).verify(minted(), keys, now=NOW)

    assert (True, False) == (verified.is_verified_by(keys, key_ends - 1), verified.is_verified_by(keys, key_ends))


def test_a_known_token_expires() -> None:
    """A token that was verified is refused from its last millisecond on, as one that was not."""
    tokens = VerifiedTokens("", bound=False)
    parsed = tokens.verify(minted(), KEYS, now=NOW)

    assert parsed is tokens.verify(parsed, KEYS, now=NOW + HOUR - 1)
    with pytest.raises(TryRefreshTokenError, match="expired"):
        tokens.verify(parsed, KEYS, now=NOW + HOUR)


def test_a_known_token_ends_with_its_keys() -> None:
    """A token whose key verifies no more is refused, and so is one under another key of the same name."""
    tokens = VerifiedTokens("", bound=False)
    parsed = tokens.verify(minted(), KEYS, now=NOW)

    for others in (SigningKeys(), SigningKeys([IMPOSTOR])):
        with pytest.raises(TryRefreshTokenError, match="signed by no key"):
            tokens.verify(parsed, others, now=NOW)


def test_another_signature_is_another_token() -> None:
    """Known is the whole text: a known payload with another signature is verified anew, and refused."""
    tokens, parsed = VerifiedTokens("", bound=False), minted()
    tokens.verify(parsed, KEYS, now=NOW)
    head, _, signature = parsed.text.rpartition(".")
    forged = tokens.parse(f"{head}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}")

    assert forged is not None
    with pytest.raises(TryRefreshTokenError):
        tokens.verify(forged, KEYS, now=NOW)


def test_another_header_is_another_token() -> None:
    """The rest of a known token below another header is verified anew, and refused: the signature covers the header too."""
    tokens, parsed = VerifiedTokens("", bound=False), minted()
    verified = tokens.verify(parsed, KEYS, now=NOW)
    _, _, rest = parsed.text.partition(".")
    other = jws.segment({"alg": "ES256", "kid": "d-key", "typ": "JWT", "version": 5})
    forged = parsed_by(tokens, f"{other}.{rest}")

    with pytest.raises(TryRefreshTokenError, match="signed by no key"):
        tokens.verify(forged, KEYS, now=NOW)
    assert tokens.parse(f".{rest}") is tokens.parse(rest) is None
    assert verified is tokens.parse(parsed.text)


def test_other_keys_cost_no_signature() -> None:
    """When a key is added or deleted, what another one has verified is not verified again; what is cached is up to date."""
    counting: Any = Counting()
    first = replace(KEY, public=counting)
    tokens, parsed = VerifiedTokens("", bound=False), minted()
    known = tokens.verify(parsed, SigningKeys([first]), now=NOW)
    more = SigningKeys([first, key("d-next", sequence=1, activates_at=NOW + 1)])
    again = tokens.verify(known, more, now=NOW)

    assert 1 == counting.asked
    assert (False, True) == (known.is_verified_by(more, NOW), again.is_verified_by(more, NOW))
    assert again is tokens.parse(parsed.text)
    assert 1 == len(tokens)


def test_a_key_that_was_read_twice_is_one() -> None:
    """Two readings of the store at once make two objects of one key; a token that one verified is good for the other."""
    tokens, read_again = VerifiedTokens("", bound=False), SigningKeys([key("d-key")])
    known = tokens.verify(minted(), KEYS, now=NOW)

    assert known.content == tokens.verify(known, read_again, now=NOW).content


def test_what_is_not_verified_is_not_cached() -> None:
    """Forged and expired tokens leave nothing behind, however many come."""
    tokens = VerifiedTokens("", bound=False)
    for number in range(50):
        with pytest.raises(TryRefreshTokenError):
            tokens.verify(minted(str(number), expires_at=NOW // 1000 - 1), KEYS, now=NOW)
        with pytest.raises(TryRefreshTokenError):
            tokens.verify(minted(str(number)), SigningKeys([IMPOSTOR]), now=NOW)

    assert 0 == len(tokens)


def test_a_flood_of_genuine_tokens_is_bounded() -> None:
    """However many tokens are verified, no more than two halves are cached, and what is in use stays."""
    tokens, used = VerifiedTokens("", bound=False, capacity=10), minted("in use")
    first = tokens.verify(used, KEYS, now=NOW)
    for number in range(100):
        tokens.verify(parsed_by(tokens, used.text), KEYS, now=NOW)
        tokens.verify(minted(str(number)), KEYS, now=NOW)
        assert len(tokens) <= 20

    assert tokens.parse(used.text) is first


def test_a_flood_of_large_tokens_is_bounded() -> None:
    """Tokens whose claims take fifty times their length in memory are kept by what they take, not by their number."""
    tokens = VerifiedTokens("", bound=False)
    for number in range(500):
        tokens.verify(minted(str(number), custom={"list": [{}] * 680}), KEYS, now=NOW)
    few = len(tokens)
    takes = memory_size({"list": [{}] * 680})

    assert takes > 40_000
    assert MAX_BYTES - takes < few * takes <= 2 * MAX_BYTES


def test_a_flood_of_factors_is_bounded() -> None:
    """So are tokens that tell of many factors, of which each takes more in memory than in the text."""
    tokens, factors = VerifiedTokens("", bound=False), {f"{number}": NOW + number for number in range(200)}
    takes, verified = memory_size(factors), tokens.verify(minted(authenticated=Authenticated(factors)), KEYS, now=NOW)
    for number in range(2 * MAX_BYTES // takes + 1):
        tokens.keep(str(number), verified)

    assert takes > 20_000
    assert len(tokens) * takes <= 2 * MAX_BYTES


@pytest.mark.parametrize("issuer", ["", "https://staging.example.com/auth", "https://api.example.com/auth/"])
def test_a_token_of_another_issuer_is_refused(issuer: str) -> None:
    """A genuine token that was issued for another address is none of ours, and a refresh may bring one that is."""
    own, anybody = VerifiedTokens("https://api.example.com/auth", bound=True), VerifiedTokens("", bound=False)
    ours, theirs = minted(issuer="https://api.example.com/auth"), minted(issuer=issuer)

    assert ours.content == own.verify(ours, KEYS, now=NOW).content
    assert theirs.content == anybody.verify(theirs, KEYS, now=NOW).content
    for _ in range(2):
        with pytest.raises(TryRefreshTokenError, match="another address"):
            own.verify(theirs, KEYS, now=NOW)
    assert 1 == len(own)


async def test_a_deployment_that_moves(clock: HandClock) -> None:
    """After a change of the address sessions go on by a refresh; where no address is set, none is asked for."""
    store = MemoryStore(clock=clock)
    before = engine(clock, store=store, api_domain="http://old.example.com")
    after = engine(clock, store=store, api_domain="http://new.example.com")
    unset = Sessions(SessionConfig(store=store, secret=SECRET), clock=clock)
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
