"""The public name of a session, its handle: its id, 32 hexadecimal characters, and its tenant unless that is the public one.

A session that began in another system may be named as there, where the id is a UUID with dashes (RFC 9562, section 4):
wherever a handle is read, both name the same session.
"""

from __future__ import annotations

import re

PUBLIC_TENANT = "public"

_UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def session_handle(session_id: str, tenant_id: str) -> str:
    """Return the public name of the session *session_id* of *tenant_id*."""
    return session_id if tenant_id == PUBLIC_TENANT else f"{session_id}_{tenant_id}"


def split_handle(handle: str) -> tuple[str, str]:
    """Return the session id, without dashes, and the tenant that *handle* names."""
    session_id, _, tenant_id = handle.partition("_")
    if "-" in session_id and _UUID.fullmatch(session_id):
        session_id = session_id.replace("-", "")
    return session_id, tenant_id or PUBLIC_TENANT


def own_handle(handle: str) -> str:
    """Return *handle* as it is written here: without dashes in the id, and without the public tenant."""
    return session_handle(*split_handle(handle))
