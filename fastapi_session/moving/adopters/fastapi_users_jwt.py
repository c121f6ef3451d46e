"""Logins of fastapi-users that are JWTs (`JWTStrategy`), in a cookie or as a bearer token.

| the JWT | is adopted |
|---|---|
| of the audience, by the key and the algorithm, with an `exp` that has not passed | if *check* lets its user in |
| the same without `exp` (`lifetime_seconds=None`) | no, and a warning says so once |
| any other, such as that of a mail to reset a password | no |

A JWT of fastapi-users says of whom it is, for what audience, and until when: not when it was made, and it has no id. Without `exp` it is
the same text at each sign-in of a user, on each device: nothing tells them apart, and none could be signed out alone.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import jwt
from starlette.requests import HTTPConnection

from fastapi_session.adoption import Adoption
from fastapi_session.clock import Clock, system_clock
from fastapi_session.errors import ConfigurationError
from fastapi_session.moving.adopters.adopter import Check, OldCookie, Presented, awaited
from fastapi_session.moving.adopters.credentials import presented_by, presented_text
from fastapi_session.moving.adopters.settings import secret_of, texts_of

_COOKIE = OldCookie("fastapiusersauth")
_OPTIONS: Any = {"require": ["sub", "aud"], "verify_exp": False}  # whether it has expired, the clock given here says

ENDLESS = (
    "a JWT of fastapi-users without exp came, and is not adopted: such a JWT is the same on each device of its user. "
    "The user has to sign in once more"
)

logger = logging.getLogger("fastapi_session")


class FastAPIUsersJWT:
    """Adopts the users of JWTs of fastapi-users, whom *check* lets in.

    *key* verifies them: the secret of the strategy, or its public key. *cookie* is that of its transport; `None` for bearer tokens.
    *check* is given the claims: fastapi-users looks up the user of each request, and so has *check*, as to whether he is active.
    """

    def __init__(
        self,
        key: str,
        *,
        check: Check,
        cookie: OldCookie | None = _COOKIE,
        algorithm: str = "HS256",
        audience: Sequence[str] = ("fastapi-users:auth",),
        name: str = "fastapi-users",
        clock: Clock = system_clock,
    ) -> None:
        self.name = name
        self._key = secret_of("key", key)
        _ensure_verifies(key, algorithm=algorithm)
        self._check = awaited(check)
        self._cookie = cookie
        self._algorithm = algorithm
        self._audience = [*texts_of("audience", audience)]
        self._clock = clock
        self._has_warned = False

    def presented(self, connection: HTTPConnection) -> Presented | None:
        """Return the login of the JWT that came, if it is good."""
        text = presented_text(connection, self._cookie)
        if text is None:
            return None
        try:
            claims = jwt.decode(
                text, self._key, algorithms=[self._algorithm], audience=self._audience, options=_OPTIONS
            )
        except jwt.InvalidTokenError:
            return None
        if not self._is_alive(claims):
            return None
        # Without the signature: other texts of that are the same signature too.
        return presented_by(self._cookie, key=text.rpartition(".")[0], content=claims)

    async def adopt(self, presented: Presented) -> Adoption | None:
        """Return the login, if *check* lets its user in."""
        claims = presented.content
        return await self._check(Adoption(claims["sub"], int(claims["exp"] * 1000)), claims)

    def _is_alive(self, claims: dict[str, Any]) -> bool:
        exp = claims.get("exp")
        if exp is None and not self._has_warned:
            self._has_warned = True
            logger.warning(ENDLESS)
        return isinstance(exp, int | float) and exp * 1000 > self._clock()


def _ensure_verifies(key: str, *, algorithm: str) -> None:
    """Raise `ConfigurationError` unless JWTs of *algorithm* can be verified by *key*: else each one that came would fail in the request."""
    if algorithm == "none" or algorithm not in jwt.PyJWS().get_algorithms():
        raise ConfigurationError("algorithm: give that of the strategy, such as HS256 or RS256")
    try:
        jwt.get_algorithm_by_name(algorithm).prepare_key(key)
    except (jwt.PyJWTError, ValueError, TypeError):
        # Without its cause, whose text may have the key in it.
        raise ConfigurationError(
            f"key: it verifies no {algorithm}; give the secret of the strategy, or its public key and algorithm"
        ) from None
