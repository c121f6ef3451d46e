"""Fetching claims, and asking validators of what a session claims."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi_session.clock import Clock
from fastapi_session.core.claims.claim import Claim
from fastapi_session.core.claims.validators import ClaimValidator, claims_to_fetch
from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.errors import ClaimFailure
from fastapi_session.model import Json


@dataclass(frozen=True, slots=True)
class CheckedClaims:
    """Every failure, and the session with its new access token if something was fetched."""

    failures: tuple[ClaimFailure, ...]
    issued: IssuedSession | None


NOTHING_TO_SAY = CheckedClaims((), None)
"""Of a session that claims what it has to, as nearly all do: made once."""


@dataclass(frozen=True, slots=True)
class FetchedClaims:
    """What was fetched for validators: *entries* of a payload, and the moment at which fetching them *began* (milliseconds)."""

    entries: Json
    began: int


class ClaimChecks:
    """Fetches claims as of *clock*."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    async def fetch_due(
        self, validators: Sequence[ClaimValidator], user_id: str, tenant_id: str, payload: Json
    ) -> FetchedClaims:
        """Fetch each claim once that *validators* need and *payload* lacks or has had for too long. No I/O if there is none.

        Ask the validators as of when it began: what was fetched since is young then, however long that took.
        """
        began = self._clock()
        due = claims_to_fetch(validators, payload, now=began)
        return FetchedClaims(await self.fetch(due, user_id, tenant_id, payload) if due else {}, began)

    async def fetch(self, claims: Iterable[Claim[Any]], user_id: str, tenant_id: str, payload: Json) -> Json:
        """Return what a payload has of *claims* once they are fetched; one that has no value leaves nothing."""
        fetched: dict[str, Any] = {}
        for claim in claims:
            # With those fetched before: one claim may follow from another.
            value = await claim.fetch(user_id, tenant_id, {**payload, **fetched})
            if value is not None:
                fetched.update(claim.entry(value, now=self._clock()))
        return fetched
