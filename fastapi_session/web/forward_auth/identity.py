"""What a service behind a proxy is told of whose request it is.

| header | value |
|---|---|
| `X-Auth-User` | the user |
| `X-Auth-Tenant` | the tenant |
| `X-Auth-Session` | the session, by its handle |
| `X-Auth-Actor` | who acts as the user, by impersonation |
| `X-Auth-Acr` | the assurance level that the session has reached |

Each is always sent, empty if there is nothing to say: a proxy that copies what it is sent replaces so whatever the client has written
there itself (GHSA-7r4p-vjf4-gxv4). A value is percent-encoded, but for visible ASCII without `%`.

A proxy replaces a header of just this name. WSGI, CGI and PHP read `X_Auth_User` as the same one (GHSA-vjrc-mh2v-45x6), so a request that
brings such a name does not pass.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from fastapi_session.web.session import Session

_PLAIN = string.punctuation.replace("%", "")
_SEPARATOR = re.compile("[^a-z0-9]")


def identity_headers(session: Session[Any, Any] | None) -> dict[str, str]:
    """Return the headers that say whose request it is, as the table has them; all are empty without a *session*."""
    actor = session.actor if session is not None else None
    told = {
        "X-Auth-User": session and session.user_id,
        "X-Auth-Tenant": session and session.tenant_id,
        "X-Auth-Session": session and session.handle,
        "X-Auth-Actor": actor and actor.user_id,
        "X-Auth-Acr": session and session.acr,
    }
    return {name: quote(value or "", safe=_PLAIN) for name, value in told.items()}


_NAMES = frozenset(name.lower() for name in identity_headers(None))


def imitates_identity(names: Iterable[str]) -> bool:
    """Say whether one of the header *names*, in lower case, is another one that some services take for a header of the table."""
    return any(name not in _NAMES and _SEPARATOR.sub("-", name) in _NAMES for name in names)
