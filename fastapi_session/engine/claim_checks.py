"""Fetching the claims of a session, so that validators can check them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any

from fastapi_session.clock import Clock
from fastapi_session.core.claims.claim import Claim
from fastapi_session.core.claims.validators import ClaimValidator, claims_to_fetch
from fastapi_session.core.payload import json_object, merged
from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.errors import ClaimFailure, ConfigurationError
from fastapi_session.model import Json

FirstPayload = Callable[[Json | None, str, str], Awaitable[Json]]
"""Returns the payload of a new session with its claims: of what is put into it, the user and the tenant."""


@dataclass(frozen=True, slots=True)
class CheckedClaims:
    """Every failure, and the session with its new access token if something was fetched."""

    failures: tuple[ClaimFailure, ...]
    issued: IssuedSession | None


NOTHING_TO_SAY = CheckedClaims((), None)
"""The usual case: no validator failed, and nothing was fetched. Made once."""


@dataclass(frozen=True, slots=True)
class FetchedClaims:
    """What was fetched for validators: *entries* of a payload, and the moment at which fetching them *began* (milliseconds)."""

    entries: Json
    began: int


class ClaimChecks:
    """Fetches claims. *clock* says when."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    async def first_payload(
        self, claims: Iterable[Claim[Any]], given: Json | None, user_id: str, tenant_id: str
    ) -> Json:
        """Return the *given* payload of a new session with *claims* of *user_id* fetched. Raises `PayloadError`."""
        payload = json_object(given, "access_token_payload")
        fetched = await self.fetch(claims, user_id, tenant_id, payload)
        return json_object(merged(payload, fetched), "access_token_payload") if fetched else payload

    async def fetch_due(
        self, validators: Sequence[ClaimValidator], user_id: str, tenant_id: str, payload: Json
    ) -> FetchedClaims:
        """Fetch each claim once that *validators* need and *payload* lacks or has had for too long. No I/O if there is none.

        Call the validators with the moment when it *began*: then what was fetched is young enough, however long that took.
        """
        began = self._clock()
        due = claims_to_fetch(validators, payload, now=began)
        return FetchedClaims(await self.fetch(due, user_id, tenant_id, payload) if due else {}, began)

    async def fetch(self, claims: Iterable[Claim[Any]], user_id: str, tenant_id: str, payload: Json) -> Json:
        """Return the entries of *claims* for a payload, once they are fetched. A claim without a value has no entry."""
        fetched: dict[str, Any] = {}
        for claim in claims:
            # Together with those fetched before: one claim may be computed from another.
            fetching = claim.fetch(user_id, tenant_id, {**payload, **fetched})
            if not isawaitable(fetching):  # a lambda, say, of which nobody can tell before it is called
                raise ConfigurationError(
                    f"fetch of the claim {claim.key!r}: it returns a value; give an async function"
                )
            value = await fetching
            if value is not None:
                fetched.update(claim.entry(value, now=self._clock()))
        return fetched
