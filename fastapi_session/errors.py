"""Every error, one tree: a class per outcome that a caller treats differently.

```
SessionError                          what a response says about a session
├── UnauthorisedError                 401, there is no session
│   └── UnprovenKeyError              401, there is one, bound to a key whose possession the request does not prove
├── TryRefreshTokenError              401, there may be one: refresh
│   └── ForgedRequestError            401, there is one, and another site may have sent the request
├── TokenTheftError                   401, a used refresh token came back; the session is already revoked
├── DpopError                         401, a DPoP proof is refused, or one is asked for
├── SessionSupersededError            503, a sign-in has just put another session in its place: come again
├── RenewalSkippedError               503, a browser could not prove its key just now: come again
├── SessionLimitReached               409, the user has as many sessions as the limit allows
├── InvalidClaimsError                403, the session does not satisfy the claims of the route
│   └── StepUpRequired                401 or 403, it would if its user were authenticated again, or better
├── SessionNotBoundError              403, the session is not bound to a key, and the route asks for one that is
├── ImpersonationError                409, nobody can act as another user from this session, or stop doing so
└── ClearDuplicateSessionCookiesError 200, cookies of an older domain were cleared: refresh again
ConfigurationError                    the application is set up wrongly; names the setting and the fix
└── DuplicateSessionCookiesError      500, two session cookies came and no setting says which one is old
PayloadError                          the application put something into a session that cannot be carried
StoreUnavailable                      503, the store is down or too slow; a retry is harmless, nobody is logged out
```

No message carries a token or a part of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self


class SessionError(Exception):
    """What a response says about a session.

    `code` is stable and meant for programs, `message` is what the client reads (docs: the wire),
    `reason` is for logs. `clears_tokens` says whether the response removes the client's tokens. `handle` is the session
    that it is about, `None` if none was verified: what a forged token says of itself is not passed on.
    """

    code: ClassVar[str]
    message: ClassVar[str]

    def __init__(self, reason: str = "", *, clears_tokens: bool = False, handle: str | None = None) -> None:
        super().__init__(reason or self.message)
        self.reason = reason
        self.clears_tokens = clears_tokens
        self.handle = handle

    def about(self, handle: str) -> Self:
        """Return the error itself, about the session *handle* unless it names one already."""
        # Changed, not made anew: the traceback and the class of a subclass stay.
        self.handle = self.handle or handle
        return self


class UnauthorisedError(SessionError):
    """There is no session. Tokens are kept unless `clears_tokens` is true."""

    code = "UNAUTHORISED"
    message = "unauthorised"


class UnprovenKeyError(UnauthorisedError):
    """The session is bound to a key, and the request does not prove that its client has it. Tokens are kept.

    Nothing has changed and nobody is accused: a thief who tries does not sign the owner out.
    """

    code = "KEY_NOT_PROVED"


class TryRefreshTokenError(SessionError):
    """The access token is not accepted, but a refresh may bring one that is. Tokens are kept."""

    code = "TRY_REFRESH_TOKEN"
    message = "try refresh token"


class ForgedRequestError(TryRefreshTokenError):
    """The access token is good, but the request does not prove that no other site forged it.

    A refresh brings the client the anti-CSRF token. It is of no use to a navigation, which cannot send that.
    """


DpopErrorCode = Literal["invalid_dpop_proof", "use_dpop_nonce", "invalid_token"]
"""What a client is told of its proof: the error codes of RFC 9449, sections 7.1 and 12.2."""


class DpopError(SessionError):
    """The request does not prove its client's key as DPoP asks for. Tokens are kept, nothing has changed.

    `error` is what a client that knows DPoP goes by: with "use_dpop_nonce" it comes again with the nonce of the response.
    """

    code = "DPOP"
    message = "dpop proof refused"

    def __init__(self, error: DpopErrorCode, reason: str = "", *, handle: str | None = None) -> None:
        super().__init__(reason, handle=handle)
        self.error: DpopErrorCode = error


class SessionSupersededError(SessionError):
    """A refresh came for a session whose place another one has just taken. Tokens are kept: they may be those of that one.

    A client that comes again, a second later, comes with what it has by then.
    """

    code = "SESSION_SUPERSEDED"
    message = "session superseded, come again"


class RenewalSkippedError(SessionError):
    """A refresh came of a session that is bound to a key of its browser, which says that it could not prove that key just now.

    Nothing has changed, and tokens are kept: a client that comes again may be able to.
    """

    code = "RENEWAL_SKIPPED"
    message = "key not proved, come again"


class TokenTheftError(SessionError):
    """A refresh token came back that only a copy can explain.

    The engine has already revoked the session when this is raised. `user_id` and `handle` say whose
    session it was, `reason` which row of the rotation table decided (see `Verdict`).
    """

    code = "TOKEN_THEFT_DETECTED"
    message = "token theft detected"

    handle: str

    def __init__(self, reason: str, *, user_id: str, handle: str) -> None:
        super().__init__(reason, clears_tokens=True, handle=handle)
        self.user_id = user_id


class SessionLimitReached(SessionError):
    """A user has as many sessions as *limit* allows, which refuses another one. Nothing was written, tokens are kept.

    `create(..., evict=[handle])` begins it in the place of one that the user chose.
    """

    code = "SESSION_LIMIT_REACHED"
    message = "session limit reached"

    def __init__(self, limit: int) -> None:
        super().__init__(f"limit of sessions: {limit}")
        self.limit = limit


@dataclass(frozen=True, slots=True)
class ClaimFailure:
    """One claim that was not satisfied: the validator's *id*, and its JSON *reason* if it gives one."""

    id: str
    reason: Any = None  # for `object` would make every application cast what its own rule gave


@dataclass(frozen=True, slots=True)
class AuthenticationFailure(ClaimFailure):
    """A demand on the user's authentication that was not met, and what would meet it (RFC 9470, section 3).

    That is one of the levels *acr_values*, if there are any, and a factor that was checked at most *max_age* seconds ago.
    """

    acr_values: tuple[str, ...] = ()
    max_age: int | None = None


class InvalidClaimsError(SessionError):
    """The session is real, but does not satisfy the claims of the route. Tokens are kept.

    `failures` has every claim that was not satisfied, and not only the first, as the response lists them.
    """

    code = "INVALID_CLAIMS"
    message = "invalid claim"

    def __init__(self, failures: Sequence[ClaimFailure]) -> None:
        super().__init__(", ".join(failure.id for failure in failures))
        self.failures = tuple(failures)


class SessionNotBoundError(SessionError):
    """The session is real, but not bound to a key, and the route asks for one that is. Tokens are kept."""

    code = "SESSION_NOT_BOUND"
    message = "session not bound"


class ImpersonationError(SessionError):
    """An impersonation cannot begin or end in this session, or what was asked for is not done in one. Tokens are kept.

    `reason` says which.
    """

    code = "IMPERSONATION"
    message = "not possible in this session"


class StepUpRequired(InvalidClaimsError):
    """The session would satisfy the route if its user were authenticated again, or better. Tokens are kept.

    `acr_values` are the levels of which one is demanded, none if no level is; `max_age` is how many seconds ago the
    authentication may have been at most, `None` if its age is not the matter (RFC 9470, section 3).
    """

    code = "STEP_UP_REQUIRED"

    def __init__(self, failures: Sequence[AuthenticationFailure]) -> None:
        super().__init__(failures)
        self.acr_values = _common([failure.acr_values for failure in failures if failure.acr_values])
        ages = [failure.max_age for failure in failures if failure.max_age is not None]
        self.max_age = min(ages, default=None)


def _common(wanted: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the levels that meet all demands, each of which names those that meet it."""
    if not wanted:
        return ()
    # Demands that exclude each other are the application's mistake: then the first says what it wants.
    return tuple(level for level in wanted[0] if all(level in each for each in wanted)) or wanted[0]


def claims_refusal(failures: Sequence[ClaimFailure], *, is_impersonated: bool = False) -> InvalidClaimsError:
    """Return the error for *failures*: that a step-up is required only if it would be enough.

    In a session that *is_impersonated* none is possible: who acts there would be asked for the user's own password.
    """
    demands = [failure for failure in failures if isinstance(failure, AuthenticationFailure)]
    would_do = len(demands) == len(failures) and not is_impersonated
    return StepUpRequired(demands) if would_do else InvalidClaimsError(failures)


class ClearDuplicateSessionCookiesError(SessionError):
    """A refresh brought two session cookies of one name: that of the older domain is being cleared."""

    code = "CLEAR_DUPLICATE_SESSION_COOKIES"
    message = "cookies of an older domain were cleared, refresh again"


class ConfigurationError(Exception):
    """The application is set up wrongly. The message names the setting and the fix."""

    code: ClassVar[str] = "CONFIGURATION"


class DuplicateSessionCookiesError(ConfigurationError):
    """A refresh brought two session cookies of one name and `older_cookie_domain` is not set."""

    code = "DUPLICATE_SESSION_COOKIES"


class PayloadError(ValueError):
    """Claims or session data that cannot be carried: not JSON, or too large. Nothing was written."""

    code: ClassVar[str] = "PAYLOAD"


class StoreUnavailable(Exception):
    """The store is down or too slow, or the row that is needed cannot be read.

    Whether the last write happened is unknown; a retry is harmless.
    """

    code: ClassVar[str] = "STORE_UNAVAILABLE"
