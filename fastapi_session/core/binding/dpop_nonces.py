"""Nonces for DPoP proofs (RFC 9449, sections 8 and 9): so that none is made in advance. They are not kept: each follows from its step of time.

| at | accepted |
|---|---|
| some moment | the nonce of its step, and those of the step before and after, under each secret of the deployment |

A nonce is no secret: every client gets it. Nobody knows it before its time, and that is all it has to be.
"""

from __future__ import annotations

import hashlib
import hmac

from fastapi_session.core import base64url
from fastapi_session.core.secret import Secret, Secrets

STEP = 120_000
"""Milliseconds. A nonce is good for two to four minutes: a client in use learns the next one in time, with some response."""

_BYTES = 16


def nonce_at(now: int, secrets: Secrets) -> str:
    """Return the nonce to give out at *now* (milliseconds)."""
    return _nonce(now // STEP, secrets.newest)


def nonces_at(now: int, secrets: Secrets) -> frozenset[str]:
    """Return the nonces that are accepted at *now* (milliseconds)."""
    step = now // STEP
    return frozenset(_nonce(each, secret) for each in (step - 1, step, step + 1) for secret in secrets)


def _nonce(step: int, secret: Secret) -> str:
    return base64url.encode(hmac.digest(secret.nonce, str(step).encode(), hashlib.sha256)[:_BYTES])
