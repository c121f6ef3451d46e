"""What Django signs, read without Django: `django.core.signing` (its documentation, "Cryptographic signing") and the hash of a user's password.

A signed object is `base64url(JSON) : seconds : signature`; with a dot before it, the JSON is compressed by zlib. The seconds are in base 62.
itsdangerous has Django's way to derive a key ("django-concat").
"""

from __future__ import annotations

import hmac
import json
import string
import zlib
from base64 import urlsafe_b64decode
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from itsdangerous import BadSignature, Signer

from fastapi_session.errors import ConfigurationError
from fastapi_session.moving.adopters.settings import texts_of

DB_SALT = "django.contrib.sessions.SessionStore"
"""Of sessions in the database; Django makes it of the name of the class."""
COOKIES_SALT = "django.contrib.sessions.backends.signed_cookies"
_AUTH_SALT = b"django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash"

_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_MAX_JSON = 1_048_576
"""Bytes of the longest session that is read."""


class DjangoSignatures:
    """Reads by *secret_keys*: `SECRET_KEY`, then `SECRET_KEY_FALLBACKS`."""

    def __init__(self, secret_keys: Sequence[str], *, salt: str) -> None:
        if not secret_keys:
            raise ConfigurationError("secret_keys: give SECRET_KEY, then SECRET_KEY_FALLBACKS")
        self._secret_keys = [key.encode() for key in texts_of("secret_keys", secret_keys)]
        # itsdangerous takes the newest last.
        self._signer = Signer(
            self._secret_keys[::-1], salt=salt, sep=":", key_derivation="django-concat", digest_method=sha256
        )

    def read(self, text: str) -> tuple[dict[str, Any], int] | None:
        """Return the object that was signed as *text*, and when (milliseconds since the epoch); `None` if none of the keys signed it."""
        try:
            encoded, _, seconds = self._signer.unsign(text).decode().rpartition(":")
            content = json.loads(_unpacked(encoded))
            return (content, _base62(seconds) * 1000) if isinstance(content, dict) else None
        except (BadSignature, ValueError, zlib.error, RecursionError):
            return None

    def is_hash_of(self, password: str, hash_in_session: object) -> bool:
        """Say whether *hash_in_session* is what Django keeps of *password*, the encoded one of `auth_user`, in a session."""
        if not isinstance(hash_in_session, str):
            return False
        return any(
            hmac.compare_digest(_auth_hash(password, key).encode(), hash_in_session.encode())
            for key in self._secret_keys
        )


def _auth_hash(password: str, key: bytes) -> str:
    return hmac.new(sha256(_AUTH_SALT + key).digest(), password.encode(), sha256).hexdigest()


def _unpacked(encoded: str) -> bytes:
    packed = encoded.removeprefix(".")
    content = urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
    if packed == encoded:
        return content
    return zlib.decompressobj().decompress(content, _MAX_JSON)  # JSON that is cut off is none


def _base62(digits: str) -> int:
    number = 0
    for digit in digits:
        number = number * len(_DIGITS) + _DIGITS.index(digit)
    return number
