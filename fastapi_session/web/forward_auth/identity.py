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
"""

from __future__ import annotations

import string
from typing import Any
from urllib.parse import quote

from fastapi_session.web.session import Session

_PLAIN = string.punctuation.replace("%", "")


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
