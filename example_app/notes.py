"""A note that a visitor keeps before he signs in, and has when he has."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from fastapi_session import CreateSession, Session, create_session, verify_session

notes = APIRouter(prefix="/api/note", tags=["example"])

Maybe = Annotated[Session | None, Depends(verify_session(session_required=False))]


class Note(BaseModel):
    """What the visitor wrote."""

    note: str = Field(max_length=200)


@notes.post("")
async def keep(written: Note, session: Maybe, create: Annotated[CreateSession, Depends(create_session())]) -> Note:
    """Keep the note in the session, be it that of a guest, which begins with the first note."""
    session = session or await create.guest()
    await session.change_session_data(lambda data: {**data, "note": written.note})
    return written


@notes.get("")
async def read(session: Maybe) -> Note:
    """Show the note, if there is one."""
    data = {} if session is None else await session.get_session_data()
    return Note(note=data.get("note", ""))
