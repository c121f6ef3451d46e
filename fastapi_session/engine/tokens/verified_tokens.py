"""The cache of verified access tokens: a token whose signature was verified is not verified again while its key verifies.

A hit is never trusted more than a miss. It is the same token, character by character, and what can change is checked each time:
whether the keys are still the same, whether the token or its key has expired, and all that is checked after the signature. Only
verified tokens are cached, so only clients with genuine tokens can fill the memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from fastapi_session.core import access_token
from fastapi_session.core.access_token import AccessToken, ParsedAccessToken
from fastapi_session.core.signing_keys import SigningKeys, VerifyingKey
from fastapi_session.engine.bounded_cache import CAPACITY, BoundedCache, memory_size
from fastapi_session.errors import TryRefreshTokenError

_OBJECTS = 700
"""Bytes of a verified token, beside its text and its custom claims (`benchmarks.memory`)."""


@dataclass(frozen=True, slots=True)
class VerifiedAccessToken:
    """A genuine access token: *key* verified its signature, and was among *keys*. That holds until its *content* expires.

    Its text is in two pieces: *header*, which all tokens of a key share, and *rest*.
    """

    content: AccessToken
    session_id: str
    key: VerifyingKey = field(repr=False)
    keys: SigningKeys = field(repr=False)
    header: str = field(repr=False)
    rest: str = field(repr=False)

    @property
    def kid(self) -> str:
        """The name of its key."""
        return self.key.kid

    def is_verified_by(self, keys: SigningKeys, now: int) -> bool:
        """Say whether to verify the token by *keys* at *now* would succeed again, without doing it."""
        # Identity, which costs nothing: whenever a key is added or deleted, the keyring makes another object.
        return self.keys is keys and now < self.content.expires_at * 1000


AnyAccessToken = ParsedAccessToken | VerifiedAccessToken
"""A token that came with a request: taken apart now, or verified before."""


class VerifiedTokens(BoundedCache[str, VerifiedAccessToken]):
    """A cache of what this process has verified lately. Requests share its values, so nobody may change them.

    *own_issuer* is what this deployment writes into its tokens; if it is *bound* to that, no others are accepted (RFC 8725,
    section 3.8), otherwise the keys decide.
    """

    def __init__(self, own_issuer: str, *, bound: bool, capacity: int = CAPACITY) -> None:
        super().__init__(_weight, capacity=capacity)
        self._own_issuer = own_issuer
        self._bound = bound

    def parse(self, text: str) -> AnyAccessToken | None:
        """Return *text* taken apart, as `access_token.parse` does. What was verified before is a `VerifiedAccessToken`."""
        # By what follows the header: so it takes a fifth less memory. A digest would take less still, but costs each request more
        # than all else that is done here. The usual hit enters no other function of ours.
        header, _, rest = text.partition(".")
        known = self._newer.get(rest) or self.find(rest)
        if known is not None and known.header == header:
            return known
        return access_token.parse(text, issuer=self._own_issuer)

    def accepts(self, issuer: str) -> bool:
        """Say whether tokens of *issuer* are accepted."""
        return not self._bound or issuer == self._own_issuer

    def names_issuer(self, text: str) -> bool:
        """Say whether *text* has the structure of an access token of ours, and names an issuer that is accepted."""
        parsed = access_token.parse(text)
        return parsed is not None and self.accepts(parsed.content.issuer)

    def verify(self, token: AnyAccessToken, keys: SigningKeys, *, now: int) -> VerifiedAccessToken:
        """Return *token*, verified by the one of *keys* that it names, unless it already is. Raises `TryRefreshTokenError`.

        It is what `parse` returned: that is where the cache is read.
        """
        if isinstance(token, VerifiedAccessToken) and token.is_verified_by(keys, now):
            return token
        key, content = keys.verifying(token.kid, now=now), token.content
        if key is None or not _is_genuine(token, key):
            raise TryRefreshTokenError("access token: signed by no key that is known")
        access_token.ensure_alive(content, now=now)
        if not self.accepts(content.issuer):
            raise TryRefreshTokenError("access token: issued for another address", handle=content.session_handle)
        until = keys.verifies_until[key.kid]
        if until < content.expires_at * 1000:  # with its key: whatever lasts as long as the token does ends then
            content = replace(content, expires_at=int(until) // 1000)
        header, rest = _pieces(token)
        verified = VerifiedAccessToken(content, content.session_id, key, keys, header, rest)
        self.keep(rest, verified)
        return verified


def _is_genuine(token: AnyAccessToken, key: VerifyingKey) -> bool:
    """Say whether *token* is signed by *key*. What the very key has verified is not verified again."""
    if isinstance(token, ParsedAccessToken):
        return token.is_signed_by(key)
    # Two readings of the store at once may have made two objects of one key.
    known = token.key
    return known is key or (known.algorithm == key.algorithm and known.public == key.public)


def _pieces(token: AnyAccessToken) -> tuple[str, str]:
    """Return the header of *token* and the rest of its text."""
    if isinstance(token, VerifiedAccessToken):
        return token.header, token.rest
    header, _, rest = token.text.partition(".")
    shared = access_token.header_segment(token.algorithm, token.kid)
    return shared if header == shared else header, rest


def _weight(rest: str, verified: VerifiedAccessToken) -> int:
    """Return how many bytes an entry takes."""
    # What is short in a text and large in memory: objects and lists. Usual tokens have neither, and are weighed at once.
    custom, told = verified.content.custom, verified.content.authenticated
    return _OBJECTS + len(rest) + (memory_size(custom) if custom else 0) + (memory_size(told.factors) if told else 0)
