"""The key that a session is bound to, as one text: the standard by which it is proved, and its thumbprint.

| the text | the key is of | and is proved |
|---|---|---|
| `dbsc:` and the thumbprint | a browser, which no script can read (Device Bound Session Credentials) | for a credential cookie, which each refresh brings |
| `dpop:` and the thumbprint | a client of its own (RFC 9449) | with each request |

The thumbprint is that of RFC 7638, by SHA-256 and in base64url: 43 characters. The standard is part of the text, so that what proves
a key by the one never counts for a session that is bound by the other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from fastapi_session.errors import ConfigurationError

_DEVICE = "dbsc:"
_DPOP = "dpop:"
_KEY = re.compile(r"(dbsc|dpop):[A-Za-z0-9_-]{43}")


class Standing(StrEnum):
    """How a refresh stands to the key of its session: the last column of the table of `standing`."""

    UNBOUND = "UNBOUND"
    OVERDUE = "OVERDUE"
    UNPROVED = "UNPROVED"
    CREDITED = "CREDITED"
    PROVED = "PROVED"


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


def checked_key(bound_key: object) -> str:
    """Return *bound_key*. Raises `ConfigurationError` if it is not written as above: no client could ever prove it."""
    if not isinstance(bound_key, str) or not _KEY.fullmatch(bound_key):
        raise ConfigurationError(
            "bound_key: give what dpop_key() or device_key() return for a thumbprint of 43 characters"
        )
    return bound_key


def has_dpop_key(possession: Possession | None, jkt: str) -> bool:
    """Say whether *possession* proves the DPoP key with the thumbprint *jkt*."""
    return possession is not None and possession.bound_key == dpop_key(jkt)


def proved_key(possession: Possession | None, session_id: str) -> str | None:
    """Return the key that *possession* proves for the session *session_id*, `None` if it proves none for that."""
    if possession is None or possession.session_id not in {None, session_id}:
        return None
    return possession.bound_key


def standing(bound_key: str | None, proved: str | None, *, is_overdue: bool) -> Standing:
    """Return how a refresh that *proved* a key stands to the session that is bound to *bound_key*.

    | the session | and the refresh | |
    |---|---|---|
    | is not bound, and need not be yet | whatever it proved | UNBOUND |
    | is not bound, and has to be by now, since it *is_overdue* | whatever it proved | OVERDUE |
    | is bound | proved no key, or another | UNPROVED |
    | is bound to a key of a browser | brought a credential for it, which may be a copy that is a few minutes old | CREDITED |
    | is bound to a key of DPoP | proved it for this very request | PROVED |
    """
    if bound_key is None:
        return Standing.OVERDUE if is_overdue else Standing.UNBOUND
    if bound_key != proved:
        return Standing.UNPROVED
    return Standing.CREDITED if is_device_key(bound_key) else Standing.PROVED


def carried_key(bound_key: str | None) -> str | None:
    """Return the key to which a session is bound from its beginning that takes the place of one bound to *bound_key*.

    A client proves its DPoP key for whatever session it has. A browser makes a key for each session, and is asked to do so again.
    """
    return None if is_device_key(bound_key) else bound_key
