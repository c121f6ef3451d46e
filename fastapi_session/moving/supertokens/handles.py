"""What SuperTokens calls a session, and what it is called here.

| tenant | there | here |
|---|---|---|
| public | `0a8f37c2-…` (a UUID with dashes) | `0a8f37c2…` (its 32 digits) |
| another | `0a8f37c2-…_shop` | `0a8f37c2…`, in the tenant |
"""

from __future__ import annotations

import re
from uuid import UUID

from fastapi_session.handles import session_handle, split_handle

_SESSION_ID = re.compile(r"[0-9a-f]{32}")


def session_id_of(handle: str, tenant_id: str) -> str | None:
    """Return the id of the session that is called *handle* there, `None` if no session of *tenant_id* is called so."""
    session_id, _ = split_handle(handle)
    return session_id if handle == handle_of(session_id, tenant_id) else None


def handle_of(session_id: str, tenant_id: str) -> str | None:
    """Return what the session *session_id* of *tenant_id* is called there, `None` if it can be none of theirs."""
    return session_handle(str(UUID(session_id)), tenant_id) if _SESSION_ID.fullmatch(session_id) else None
