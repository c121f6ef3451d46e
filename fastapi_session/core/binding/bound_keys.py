"""The key that a session is bound to, as one text: the standard by which it is proved, and its thumbprint.

| the text | the key is of | and is proved |
|---|---|---|
| `dbsc:` and the thumbprint | a browser, which no script can read (Device Bound Session Credentials) | for a credential cookie, which each refresh brings |
| `dpop:` and the thumbprint | a client of its own (RFC 9449) | with each request |

The thumbprint is that of RFC 7638, by SHA-256 and in base64url: 43 characters. The standard is part of the text, so that what proves
a key by the one never counts for a session that is bound by the other.
"""

from __future__ import annotations

from dataclasses import dataclass

_DEVICE = "dbsc:"
_DPOP = "dpop:"


@dataclass(frozen=True, slots=True)
class Possession:
    """What a request has proved: its client has the key *bound_key*.

    It counts for the session *session_id* alone, as the credential of a browser names one, or for any if that is `None`.
    """

    bound_key: str
    session_id: str | None = None


def device_key(thumbprint: str) -> str:
    """Return the text of the key with this *thumbprint* that a browser proves."""
    return _DEVICE + thumbprint


def dpop_key(thumbprint: str) -> str:
    """Return the text of the key with this *thumbprint* that a client proves with each request."""
    return _DPOP + thumbprint


def is_device_key(bound_key: str | None) -> bool:
    """Say whether *bound_key* is a key that a browser proves."""
    return bound_key is not None and bound_key.startswith(_DEVICE)


def jkt_of(bound_key: str | None) -> str | None:
    """Return the thumbprint that a DPoP proof has to be of (RFC 9449, section 6.1), `None` if *bound_key* is proved otherwise."""
    return bound_key.removeprefix(_DPOP) if bound_key is not None and bound_key.startswith(_DPOP) else None


def proved_key(possession: Possession | None, session_id: str) -> str | None:
    """Return the key that *possession* proves for the session *session_id*, `None` if it proves none for that."""
    if possession is None or possession.session_id not in {None, session_id}:
        return None
    return possession.bound_key
