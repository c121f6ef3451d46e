"""The reason for ending a session, as a caller gives it: checked before anything is written."""

from __future__ import annotations

from dataclasses import replace

from fastapi_session.core.payload import ensure_text, ensure_type, is_name
from fastapi_session.errors import PayloadError
from fastapi_session.model import MAX_REASON, Actor, Circumstances, Ending, EndReason, SessionRecord


def ending(reason: EndReason | str, *, by: Actor | None, circumstances: Circumstances) -> Ending:
    """Return these as one value.

    Raises `PayloadError` for a *reason* that is no text of 1 to 64 characters, `ConfigurationError` if *by* is no `Actor`.
    """
    ensure_text(reason, "reason")
    if len(reason) > MAX_REASON or not is_name(reason):
        raise PayloadError(f"reason: give a text of 1 to {MAX_REASON} characters")
    if by is not None:
        ensure_type(by, "by", Actor, example='Actor("ada")')
    return Ending(reason, by=by, circumstances=circumstances)


def attributed(ending: Ending, record: SessionRecord) -> Ending:
    """Return *ending* with who did it, where that follows: whoever signs out is the user, or who acts as the user."""
    if ending.by is not None or ending.reason != "signed_out":
        return ending
    if record.actor is not None:
        return replace(ending, by=Actor(record.actor, record.actor_session))
    return replace(ending, by=Actor(record.user_id, record.handle))
