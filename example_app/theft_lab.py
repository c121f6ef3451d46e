"""DEMONSTRATION OF AN ATTACK. Never copy this file into an app.

The lab steals a refresh token and replays it, so that a visitor sees what the server makes of it. Its endpoints do
what no app may do: one tells a script the refresh token that HttpOnly hides from it, the others play the thief.
The cookie is bound to the refresh path, so the lab lives below that path.

In a scene of its own the session is bound to a key of the browser. The thief has every cookie and not the key.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from fastapi_session import (
    Session,
    Sessions,
    TokenTheftError,
    UnauthorisedError,
    UnprovenKeyError,
    Verdict,
    get_sessions,
    verify_session,
)

Engine = Annotated[Sessions, Depends(get_sessions())]
Bound = Annotated[Session, Depends(verify_session(bound=True))]

EXPLANATIONS: Mapping[Verdict, str] = {
    Verdict.RECENT_PREV: "The copy is one token behind, its window has closed, and its successor is in use. Two parties hold "
    "this session, and nobody can tell which of them is you: it has been revoked.",
    Verdict.STALE_LINEAGE: "The copy is more than one token behind. No honest client keeps a token that long: the session "
    "has been revoked.",
    Verdict.LEFT_BEHIND: "The copy was in use, and was left for another answer to the same refresh. A browser does not come "
    "back to the one it left: the session has been revoked.",
    Verdict.CROSSED: "For the third refresh in a row two parties came with different answers to the one before. Tabs hardly "
    "ever do: the session has been revoked.",
    Verdict.ORPHANED_BRANCH: "The copy comes from a branch of this session that the server never took: it has been revoked.",
}


UNPROVED = (
    "The thief has every cookie and not the key, which does not leave your browser. Nothing has changed: your token is "
    "still the newest, and nobody was signed out. Whoever subscribes to events is told of a DeviceMismatch."
)


class StolenToken(BaseModel):
    """A copy of a refresh token, and for how many seconds after its use it may come again."""

    refresh_token: str
    grace_period: float


class Replay(BaseModel):
    """The token that the thief presents."""

    refresh_token: str


class Outcome(BaseModel):
    """What the server made of a replay. *fingerprint* is that of the token it handed out."""

    outcome: Literal["refreshed", "unproved", "theft", "unauthorised"]
    explanation: str
    reason: str = ""
    fingerprint: str | None = None


def theft_lab(grace_period: timedelta) -> APIRouter:
    """Build the lab for an app that accepts a used refresh token for another *grace_period*."""
    lab = APIRouter(prefix="/auth/session/refresh/theft-lab", tags=["theft lab: demonstration of an attack"])

    @lab.post("/copy", responses={401: {"description": "No refresh token came"}})
    async def copy(request: Request) -> StolenToken:
        """Hand out the refresh token of the browser that asks."""
        return StolenToken(refresh_token=refresh_token_of(request), grace_period=grace_period.total_seconds())

    @lab.post("/replay")
    async def replay(stolen: Replay, sessions: Engine) -> Outcome:
        """Present a stolen token as another client would, so that the browser's own cookies stay what they are."""
        return await present(stolen.refresh_token, sessions)

    @lab.post("/elsewhere", responses={401: {"description": "No refresh token came"}})
    async def elsewhere(request: Request, _session: Bound, sessions: Engine) -> Outcome:
        """Present the browser's newest token as a client would that has its cookies, and not the key they are bound to."""
        return await present(refresh_token_of(request), sessions)

    return lab


def refresh_token_of(request: Request) -> str:
    """Return the refresh token of the browser that makes the *request*, whatever prefix its cookie has."""
    refresh_token = next((value for name, value in request.cookies.items() if name.endswith("sRefreshToken")), None)
    if refresh_token is None:
        raise UnauthorisedError("no refresh token came")
    return refresh_token


async def present(refresh_token: str, sessions: Sessions) -> Outcome:
    """Refresh with *refresh_token*, and tell what came of it."""
    try:
        issued = await sessions.refresh(refresh_token)
    except TokenTheftError as error:
        return Outcome(outcome="theft", explanation=EXPLANATIONS[Verdict(error.reason)], reason=error.reason)
    except UnprovenKeyError:
        return Outcome(outcome="unproved", explanation=UNPROVED)
    except UnauthorisedError as error:
        return Outcome(outcome="unauthorised", explanation="There is no such session any more.", reason=error.reason)
    return Outcome(
        outcome="refreshed",
        explanation="The window is open: the thief is handed the same successor as your browser was.",
        fingerprint=issued.access_token.refresh_token_hash,
    )
