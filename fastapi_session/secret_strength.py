"""Secrets that are long enough and yet known to everybody."""

from __future__ import annotations

MINIMUM_SECRET_BYTES = 32

_COMMAND = "python -c 'import secrets; print(secrets.token_urlsafe(48))'"
MAKE_A_SECRET = f"make one with: {_COMMAND}"
"""The fix of every error about a secret."""

_FEW = 6
"""Random text of 32 characters has more different ones, digits alone included."""

_PRINTED = frozenset(
    {
        b"replace me by 48 random bytes from the command below",
        b"at least 32 characters that nobody can guess",
        b"make-one-as-the-page-on-signing-keys-says",
        _COMMAND.encode(),
    }
)
"""What pages of the documentation print, or have printed, in the place of a secret."""


def weakness(secret: bytes) -> str | None:
    """Return what makes *secret* easy to guess, `None` if nothing is seen, or if it is too short to be accepted at all."""
    if len(secret) < MINIMUM_SECRET_BYTES:
        return None
    if secret.strip() in _PRINTED:
        return "it is what the documentation prints"
    if len(set(secret)) < _FEW or _repeats(secret):
        return "it repeats a few characters"
    return None


def _repeats(secret: bytes) -> bool:
    """Say whether *secret* is a shorter text, over and over."""
    return any(secret[period:] == secret[:-period] for period in range(1, len(secret) // 2 + 1))
