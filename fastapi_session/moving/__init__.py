"""Moving in with nobody logged out: sessions of a SuperTokens core go on here, and logins of other systems are adopted."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fastapi_session.adoption import Adoption
from fastapi_session.moving.adopters.adopter import Adopter, Check, OldCookie, Presented
from fastapi_session.moving.supertokens import (
    ImportProgress,
    ImportReport,
    Remark,
    SuperTokens,
    SuperTokensTables,
    import_sessions,
)

if TYPE_CHECKING:
    from fastapi_session.moving.adopters.django_sessions import DjangoSessions, DjangoSignedCookies, DjangoTables
    from fastapi_session.moving.adopters.fastapi_users_database import FastAPIUsersDatabase
    from fastapi_session.moving.adopters.fastapi_users_jwt import FastAPIUsersJWT
    from fastapi_session.moving.adopters.fastapi_users_redis import FastAPIUsersRedis
    from fastapi_session.moving.adopters.starlette_sessions import StarletteSessions

# Imported when it is asked for, since its packages need not be installed: the module of each name, and the extras that bring them.
_EXTRAS = {
    "DjangoSessions": ("adopters.django_sessions", "adopters,sql"),
    "DjangoSignedCookies": ("adopters.django_sessions", "adopters,sql"),
    "DjangoTables": ("adopters.django_sessions", "adopters,sql"),
    "FastAPIUsersDatabase": ("adopters.fastapi_users_database", "sql"),
    "FastAPIUsersJWT": ("adopters.fastapi_users_jwt", "adopters"),
    "FastAPIUsersRedis": ("adopters.fastapi_users_redis", "redis"),
    "StarletteSessions": ("adopters.starlette_sessions", "adopters"),
}

__all__ = [
    "Adopter",
    "Adoption",
    "Check",
    "DjangoSessions",
    "DjangoSignedCookies",
    "DjangoTables",
    "FastAPIUsersDatabase",
    "FastAPIUsersJWT",
    "FastAPIUsersRedis",
    "ImportProgress",
    "ImportReport",
    "OldCookie",
    "Presented",
    "Remark",
    "StarletteSessions",
    "SuperTokens",
    "SuperTokensTables",
    "import_sessions",
]


def __getattr__(name: str) -> Any:
    if name not in _EXTRAS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, extras = _EXTRAS[name]
    try:
        return getattr(import_module(f"{__name__}.{module}"), name)
    except ModuleNotFoundError as error:
        raise ImportError(f"{name} needs {error.name}: pip install 'fastapi-session-auth[{extras}]'") from error
