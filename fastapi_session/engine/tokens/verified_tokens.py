"""Access tokens that have been proved already: the same text, signed by a key of the same set, is not proved again.

A hit is never more trusting than a miss. What can change is looked at each time: whether the keys are still those among which
its own was found, whether the token or its key has had its time, and all that comes after the signature.
Only proved tokens are kept, so nobody fills the memory who has not been given them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fastapi_session.core import access_token
from fastapi_session.core.access_token import ParsedAccessToken
from fastapi_session.core.signing_keys import SigningKeys
from fastapi_session.engine.bounded_cache import CAPACITY, BoundedCache, memory_size
from fastapi_session.errors import TryRefreshTokenError

_OBJECTS = 1_000
"""Bytes of a token that was proved, beside its text and its custom claims (`benchmarks.memory`)."""


@dataclass(frozen=True, slots=True)
class VerifiedAccessToken(ParsedAccessToken):
    """A genuine access token, and how long that need not be proved again: with *keys*, *until* a moment in milliseconds.

    *weight* is how many bytes it takes in memory, about.
    """

    session_id: str
    keys: SigningKeys = field(repr=False)
    until: float
    weight: int

    def stands(self, keys: SigningKeys, now: int) -> bool:
        """Say whether the token would be proved again at *now* by *keys*, those that are known then."""
        return self.keys is keys and now < self.until


class VerifiedTokens:
    """What one process has proved lately. It is shared between requests, so nobody changes what is in it.

    *issuer* is the one whose tokens are believed (RFC 8725, section 3.8), `None` for any: the keys decide then.
    """

    def __init__(self, issuer: str | None, *, capacity: int = CAPACITY) -> None:
        self._issuer = issuer
        self._proved = BoundedCache[str, VerifiedAccessToken](lambda _, proved: proved.weight, capacity=capacity)

    def __len__(self) -> int:
        """Return how many tokens are kept."""
        return len(self._proved)

    def parse(self, text: str) -> ParsedAccessToken | None:
        """Return *text* taken apart, as `access_token.parse` does. What was proved before is a `VerifiedAccessToken`."""
        return self._proved.find(text) or access_token.parse(text)

    def names_issuer(self, text: str) -> bool:
        """Return whether *text* has the structure of an access token of ours, and names the issuer that is believed."""
        parsed = access_token.parse(text)
        return parsed is not None and self._is_issuer(parsed.content.issuer)

    def prove(self, parsed: ParsedAccessToken, keys: SigningKeys, *, now: int) -> VerifiedAccessToken:
        """Return *parsed*, proved by the one of *keys* that it names, unless it was already. Raises `TryRefreshTokenError`."""
        known = self._proved.find(parsed.text)
        if known is not None and known.stands(keys, now):
            return known
        content = access_token.verify(parsed, keys.verifying(parsed.kid, now=now), now=now)
        if not self._is_issuer(content.issuer):
            raise TryRefreshTokenError("access token: issued for another address", handle=content.session_handle)
        proved = VerifiedAccessToken(
            text=parsed.text,
            kid=parsed.kid,
            algorithm=parsed.algorithm,
            signature=parsed.signature,
            content=content,
            session_id=content.session_id,
            keys=keys,
            until=min(content.expires_at * 1000, keys.verifies_until(parsed.kid)),
            weight=_OBJECTS + len(parsed.text) + memory_size(content.custom),
        )
        self._proved.keep(parsed.text, proved)
        return proved

    def _is_issuer(self, issuer: str) -> bool:
        return self._issuer in (None, issuer)
