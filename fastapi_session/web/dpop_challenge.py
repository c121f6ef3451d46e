"""The response to a request whose DPoP proof is refused, or missing (RFC 9449, sections 7.1 and 9).

| refused with 401 | `error` of the challenge |
|---|---|
| `DpopError` | its own |
| any other `SessionError`, of a request that brought a token by the scheme `DPoP` | `invalid_token` |
| `UnprovenKeyError`, of a token by the scheme `Bearer` | `invalid_token` |
| anything else | no challenge of DPoP |

The nonce for the next proof, if one is asked for, is recorded in the `Exchange`.
"""

from __future__ import annotations

from fastapi_session.core.binding.dpop import ALGORITHMS
from fastapi_session.errors import DpopError, SessionError, UnprovenKeyError
from fastapi_session.web.transport import CHALLENGE_HEADER, EXPOSE_HEADER, Scheme

SCHEME = "DPoP"


def dpop_headers(error: SessionError, scheme: Scheme | None) -> dict[str, str]:
    """Return the challenge for *error*, of a request whose token came by *scheme*, exposed to the scripts of other origins too."""
    if isinstance(error, DpopError):
        told = {"error": error.error, "error_description": _said(error.reason)}
    elif scheme == "dpop" or (scheme == "bearer" and isinstance(error, UnprovenKeyError)):
        told = {"error": "invalid_token"}
    else:
        return {}
    told["algs"] = " ".join(ALGORITHMS)
    parameters = ", ".join(f'{name}="{value}"' for name, value in told.items() if value)
    return {CHALLENGE_HEADER: f"{SCHEME} {parameters}", EXPOSE_HEADER: CHALLENGE_HEADER}


def _said(reason: str) -> str:
    """Return *reason* in the characters that a description may have (RFC 6750, section 3): it may name a method that came."""
    return "".join(each if " " <= each <= "~" and each not in '"\\' else "?" for each in reason)
