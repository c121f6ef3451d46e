"""What keeps everybody else out: nothing here exists without it.

Whether a rule lets administrators alone in, nobody can tell but the application. What lets every user in, however, can be told:

| required | is it built? |
|---|---|
| nothing | no: everybody would be an administrator |
| `verify_session()`, or `verify_session` alone, without a call | no: every user would be |
| `verify_session(Fresh(minutes=5))` and other demands on how one signed in | no: every user can meet them |
| `verify_session(Roles.includes("admin"))`, or any other validator of claims, of one's own too | yes |
| any `verify_session`, and *admitted_by* | yes: the application says that this decides |
| anything else alone, such as a limiter of requests | no: it may let every user in |
| `create_session()`, `refresh_session()`, `get_sessions()`, beside whatever else | no: they ask nobody anything, and look like a guard |

A validator of claims that every user meets, such as that an e-mail address is verified, is believed.

| *admitted_by* | |
|---|---|
| a function, or an object that can be called, async or not | decides at each request, as the next table says |
| a class | is refused: FastAPI makes an object of it for everybody, and that one is true |
| `verify_session(...)` and what else this library provides | is refused: it knows of no administrators |

| a request for which *admitted_by* | |
|---|---|
| raises | gets what it raises |
| returns `False`, or anything else that is false but `None` | gets a 403: it was written as a question |
| returns an error or a response, which it meant to raise | gets a 403 |
| returns what has to be awaited, such as a coroutine of a plain function | gets what becomes of that |
| returns anything else, `None` or the user, maybe | is let in |
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import isawaitable, isclass
from typing import Any

from fastapi import HTTPException, Response
from fastapi.params import Depends

from fastapi_session.core.claims.validators import ClaimValidator, SessionRule
from fastapi_session.errors import ConfigurationError
from fastapi_session.model import Actor
from fastapi_session.web.dependencies import (
    CreateSessionProvider,
    RefreshSessionProvider,
    SessionsProvider,
    verify_session,
)
from fastapi_session.web.session import Session
from fastapi_session.web.verifying import SessionProvider

Requirement = SessionProvider[Any, Any] | Callable[..., Any] | Depends
"""What a route would depend on."""

Decision = Callable[..., Any] | Depends
"""A dependency of the application's own that decides, as the second and the third table say."""

_LET_EVERYBODY_IN = (CreateSessionProvider, RefreshSessionProvider, SessionsProvider)
"""Dependencies of this library, which refuse nobody."""

_FIX = 'as in verify_session(Roles.includes("admin"))'


def no_rules(_globally: Sequence[ClaimValidator], _session: Session[Any, Any]) -> Sequence[ClaimValidator]:
    """Return no validators: which ones hold is said by what the application requires."""
    return ()


def asked_session(*, anti_csrf_check: bool | None = None) -> SessionProvider[Any, Any]:
    """Return what provides the session of an administrator: the store is asked, so that one that was ended can do nothing here."""
    return verify_session(
        check_database=True, anti_csrf_check=anti_csrf_check, override_global_claim_validators=no_rules
    )


def ensure_required(what: str, require: object, *, admitted_by: object = None) -> list[Depends]:
    """Return *require* and *admitted_by* as dependencies. Raises `ConfigurationError`, with the fix, as the tables say."""
    if not isinstance(require, list | tuple):
        raise ConfigurationError(f"{what}: give require as a list, {_FIX.replace('as in ', 'as in [')}]")
    if not require:
        raise ConfigurationError(
            f"{what}: without a guard everybody would be an administrator; give require=[...], {_FIX}"
        )
    given = [_dependency(each) for each in require]
    if not all(map(callable, given)):
        raise ConfigurationError(f"{what}: require is a list of dependencies, {_FIX}")
    if any(isinstance(each, _LET_EVERYBODY_IN) for each in given):
        raise ConfigurationError(
            f"{what}: create_session(), refresh_session() and get_sessions() refuse nobody; leave them out of require"
        )
    if admitted_by is None:
        ensure_decides(what, *given)
    own = [] if admitted_by is None else [_admission(_deciding(what, admitted_by))]
    return [each if isinstance(each, Depends) else Depends(each) for each in (*require, *own)]


def _dependency(given: object) -> object:
    return given.dependency if isinstance(given, Depends) else given


def _deciding(what: str, admitted_by: object) -> Depends:
    """Return *admitted_by* as a dependency. Raises `ConfigurationError` for what certainly decides nothing."""
    decides = _dependency(admitted_by)
    if not callable(decides) or isinstance(decides, (SessionProvider, *_LET_EVERYBODY_IN)):
        raise ConfigurationError(
            f"{what}: give admitted_by as a dependency of your own, which raises for whoever is no administrator"
        )
    if isclass(decides):
        raise ConfigurationError(
            f"{what}: admitted_by is a class, of which FastAPI would make an object for everybody; give a function, or an "
            f"object: {decides.__name__}()"
        )
    return admitted_by if isinstance(admitted_by, Depends) else Depends(decides)


def _admission(deciding: Depends) -> Callable[..., object]:
    """Return the dependency that lets in whom *deciding* does, as the third table says."""

    async def admitted(said: object = deciding) -> None:
        said = await said if isawaitable(said) else said
        if isinstance(said, BaseException | Response) or (said is not None and not said):
            raise HTTPException(403, "no administrator")

    return admitted


def ensure_decides(what: str, *given: object) -> None:
    """Raise `ConfigurationError` unless one of *given* asks who the user is."""
    if not any(isinstance(each, SessionProvider) and asks_who(each) for each in given):
        raise ConfigurationError(
            f"{what}: what is required lets every user in who is signed in; ask for a claim, {_FIX}, "
            "or if something else decides, name it by admitted_by"
        )


def asks_who(provider: SessionProvider[Any, Any]) -> bool:
    """Say whether *provider* asks for claims, and not only for how its user has signed in."""
    return any(not isinstance(each, SessionRule) for each in provider.validators)


def administrator(session: Session[Any, Any]) -> Actor:
    """Return who acts in *session*, as events name it: its user, or whoever acts as that one."""
    return session.actor or Actor(session.user_id, session.handle)
