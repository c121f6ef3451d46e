"""The cache of verified access tokens: a text whose signature was verified is not verified again with the same keys.

A hit is never trusted more than a miss. What can change is checked each time: whether the keys are still the same, whether
the token or its key has expired, and all that is checked after the signature. Only verified tokens are cached, so only
clients with genuine tokens can fill the memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from fastapi_session.core import access_token
from fastapi_session.core.access_token import ParsedAccessToken
from fastapi_session.core.signing_keys import SigningKeys
from fastapi_session.engine.bounded_cache import CAPACITY, BoundedCache, memory_size
from fastapi_session.errors import TryRefreshTokenError

_OBJECTS = 1_000
"""Bytes of a verified token, beside its text and its custom claims (`benchmarks.memory`)."""


@dataclass(frozen=True, slots=True)
class VerifiedAccessToken(ParsedAccessToken):
    """A genuine access token: verified by *keys*, which holds *until* a moment in milliseconds.

    *weight* is how many bytes it takes in memory, about.
    """

    session_id: str
    keys: SigningKeys = field(repr=False)
    until: float
    weight: int

    def is_verified_by(self, keys: SigningKeys, now: int) -> bool:
        """Say whether to verify the token by *keys* at *now* would succeed again, without doing it."""
        # Identity, which costs nothing: whenever a key is added or deleted, the keyring makes another object.
        return self.keys is keys and now < self.until


class VerifiedTokens:
    """A cache of what this process has verified lately. Requests share its values, so nobody may change them.

    *issuer* is the one whose tokens are accepted (RFC 8725, section 3.8), `None` for any: the keys decide then.
    """

    def __init__(self, issuer: str | None, *, capacity: int = CAPACITY) -> None:
        self._issuer = issuer
        self._cache = BoundedCache[str, VerifiedAccessToken](lambda _, verified: verified.weight, capacity=capacity)

    def __len__(self) -> int:
        """Return how many tokens are cached."""
        return len(self._cache)

    def parse(self, text: str) -> ParsedAccessToken | None:
        """Return *text* taken apart, as `access_token.parse` does. What was verified before is a `VerifiedAccessToken`."""
        return self._cache.find(text) or access_token.parse(text)

    def names_issuer(self, text: str) -> bool:
        """Say whether *text* has the structure of an access token of ours, and names the issuer that is accepted."""
        parsed = access_token.parse(text)
        return parsed is not None and self._issuer in (None, parsed.content.issuer)

    def verify(self, parsed: ParsedAccessToken, keys: SigningKeys, *, now: int) -> VerifiedAccessToken:
        """Return *parsed*, verified by the one of *keys* that it names, unless it already is. Raises `TryRefreshTokenError`.

        *parsed* is what `parse` returned: that is where the cache is read.
        """
        if isinstance(parsed, VerifiedAccessToken) and parsed.is_verified_by(keys, now):
            return parsed
        content = parsed.content
        if not parsed.is_signed_by(keys.verifying(parsed.kid, now=now)):
            raise TryRefreshTokenError("access token: signed by no key that is known")
        access_token.ensure_alive(content, now=now)
        if self._issuer not in (None, content.issuer):
            raise TryRefreshTokenError("access token: issued for another address", handle=content.session_handle)
        until = min(content.expires_at * 1000, keys.verifies_until[parsed.kid])
        if until < content.expires_at * 1000:  # with its key: whatever lasts as long as the token does ends then
            content = replace(content, expires_at=int(until) // 1000)
        verified = VerifiedAccessToken(
            text=parsed.text,
            kid=parsed.kid,
            algorithm=parsed.algorithm,
            signature=parsed.signature,
            content=content,
            session_id=content.session_id,
            keys=keys,
            until=until,
            weight=_OBJECTS + len(parsed.text) + memory_size(content.custom),
        )
        self._cache.keep(parsed.text, verified)
        return verified
