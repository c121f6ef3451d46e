"""Access tokens that have been proved already: the same text, signed by the same key, is not proved again.

A hit is never more trusting than a miss. What can change is looked at each time: whether the key still verifies (the keyring
answers the same key, or another, or none), whether the token has expired, and all that comes after the signature.
Only proved tokens are kept, so nobody fills the memory who has not been given them; and no more than a bound, oldest first out.
"""

from __future__ import annotations

from fastapi_session.core import access_token
from fastapi_session.core.access_token import AccessToken, ParsedAccessToken
from fastapi_session.core.signing_keys import SigningKey

CAPACITY = 4_096
"""Tokens in each of two halves. A token that is seen again moves to the newer one; the older one is dropped as a whole."""

Entry = tuple[ParsedAccessToken, SigningKey]


class VerifiedTokens:
    """What one process has proved lately. It is shared between requests, so nobody changes what is in it."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._newer: dict[str, Entry] = {}
        self._older: dict[str, Entry] = {}

    def __len__(self) -> int:
        """Answer how many tokens are kept."""
        return len(self._newer) + len(self._older)

    def parse(self, text: str) -> ParsedAccessToken | None:
        """Answer *text* taken apart, as `access_token.parse` does. It is not to be believed before `verify`."""
        entry = self._find(text)
        return access_token.parse(text) if entry is None else entry[0]

    def verify(self, parsed: ParsedAccessToken, key: SigningKey | None, *, now: int) -> AccessToken:
        """Answer the content of *parsed*, as `access_token.verify` does. Raises `TryRefreshTokenError`."""
        entry = self._find(parsed.text)
        if entry is None or entry[1] is not key:
            content = access_token.verify(parsed, key, now=now)
            if key is not None:
                self._keep(parsed.text, (parsed, key))
            return content
        access_token.ensure_alive(parsed.content, now=now)
        return parsed.content

    def _find(self, text: str) -> Entry | None:
        entry = self._newer.get(text)
        if entry is None and (entry := self._older.get(text)) is not None:
            self._keep(text, entry)
        return entry

    def _keep(self, text: str, entry: Entry) -> None:
        if len(self._newer) >= self._capacity:
            self._older, self._newer = self._newer, {}
        self._newer[text] = entry
