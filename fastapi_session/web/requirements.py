"""What a route asks of the session of a request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

from fastapi_session.core.claim_validators import ClaimValidator
from fastapi_session.errors import UnauthorisedError
from fastapi_session.web.session import Session
from fastapi_session.web.session_types import Data, Payload, SessionTypes

OverrideValidators = Callable[[Sequence[ClaimValidator], Session[Any, Any]], Iterable[ClaimValidator]]
"""Answers the validators of one route, given the global ones and the session."""


@dataclass(frozen=True)
class Requirements(Generic[Payload, Data]):
    """The parameters of `verify_session`, whose words explain them."""

    validators: tuple[ClaimValidator, ...] = ()
    session_required: bool = True
    anti_csrf_check: bool | None = None
    check_database: bool = False
    override_global_claim_validators: OverrideValidators | None = None
    types: SessionTypes[Payload, Data] = field(default_factory=SessionTypes)

    def allow_none(self) -> None:
        """Raise `UnauthorisedError` where there has to be a session."""
        if self.session_required:
            raise UnauthorisedError("no access token of ours came with the request")

    def asked(self, globally: Sequence[ClaimValidator], session: Session[Any, Any]) -> Sequence[ClaimValidator]:
        """Answer the validators that *session* has to satisfy, of which *globally* hold for every route."""
        if self.override_global_claim_validators is None:
            return (*globally, *self.validators)
        return (*self.override_global_claim_validators(globally, session), *self.validators)
