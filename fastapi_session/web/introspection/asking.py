"""What a client is told of a token that it asks about.

| the token | is active |
|---|---|
| an access token | if a route with `check_database=True` would accept it now |
| one that is bound to a key of DPoP | the same: whether its sender has the key, only the service that was sent the proof can know |
| of `session.token_for(audience)` | until it expires or its session has ended, for the client whose audience it names |
| of a session, or a key, of another system that goes on here | as one of ours |
| a refresh token, any other JWT, an access token of another deployment, whatever else | never |

So the store is read for each genuine token: what another process has ended a moment ago is not active. A session that another one took
the place of has ended too. That a token was used at another service is a use of its session, as a request of its own.

Claims of the application are told as the session has them now, be the token older.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import SecretStr

from fastapi_session.core import introspection, service_jwt
from fastapi_session.core.audience_token import AudienceToken
from fastapi_session.core.binding.bound_keys import Possession, dpop_key
from fastapi_session.core.introspection import INACTIVE
from fastapi_session.core.service_jwt import ParsedServiceJwt
from fastapi_session.engine.tokens.verified_tokens import AnyAccessToken
from fastapi_session.errors import ConfigurationError, SessionError
from fastapi_session.model import Actor, Json
from fastapi_session.session_information import SessionInformation
from fastapi_session.sessions import Sessions

Names = Sequence[str]

logger = logging.getLogger("fastapi_session")


class Disclosure:
    """Which *claims* of the application, and tokens for which *audiences*, are for which client."""

    def __init__(self, claims: Names | Mapping[str, Names], audiences: Mapping[str, str | Names]) -> None:
        by_client = claims if isinstance(claims, Mapping) else {}
        self._claims_of_all = () if isinstance(claims, Mapping) else _names(claims, "claims")
        self._claims = {client_id: _names(each, "claims") for client_id, each in by_client.items()}
        self._audiences = {client_id: _names(each, "audiences") for client_id, each in audiences.items()}
        self._clients = frozenset({*self._claims, *self._audiences})
        own = {name for names in (self._claims_of_all, *self._claims.values()) for name in names}
        if taken := sorted(own & introspection.OWN_MEMBERS):
            raise ConfigurationError(
                f"introspection_router: claims are those of your payload; {', '.join(taken)} is told anyway, or to nobody"
            )

    def ensure_clients(self, known: Collection[object]) -> None:
        """Raise `ConfigurationError` if something is for a client that is none of *known*: it would be told to nobody."""
        if unknown := sorted(self._clients.difference(known)):
            raise ConfigurationError(
                f"introspection_router: claims and audiences are by the id of a client; {', '.join(unknown)} is none of them"
            )

    def claims_for(self, client_id: str) -> Names:
        """Return the names of the claims that the client is told."""
        return self._claims.get(client_id, self._claims_of_all)

    def is_for(self, client_id: str, audience: str) -> bool:
        """Say whether a token for *audience* is for the client: by default its audience is its id."""
        return audience in self._audiences.get(client_id, (client_id,))


def _names(given: object, what: str) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else given
    if not isinstance(names, Sequence) or not all(isinstance(each, str) and each for each in names):
        raise ConfigurationError(f"introspection_router: give {what} as a list of names")
    return tuple(names)


async def told(text: SecretStr, client_id: str, *, disclosure: Disclosure, sessions: Sessions) -> Json:
    """Return the response to the client that asks about the token *text*, as the table says. Raises `StoreUnavailable`."""
    if (jwt := service_jwt.parse(text.get_secret_value())) is not None:
        return await _told_of_audience_token(jwt, client_id, disclosure=disclosure, sessions=sessions)
    token = sessions.verified_tokens.parse(text.get_secret_value())
    if token is None:
        return INACTIVE
    try:
        content = await sessions.verify(token, check_database=True, possession=_as_if_proved(token))
    except SessionError as error:
        # To the log alone: the client could try tokens and learn what became of each.
        logger.debug("session %s: a token is not active for client %r: %s", error.handle, client_id, error)
        return INACTIVE
    return introspection.told_of(content, disclosure.claims_for(client_id))


def _as_if_proved(token: AnyAccessToken) -> Possession | None:
    jkt = token.content.jkt
    return None if jkt is None else Possession(dpop_key(jkt))


async def _told_of_audience_token(
    jwt: ParsedServiceJwt, client_id: str, *, disclosure: Disclosure, sessions: Sessions
) -> dict[str, Any] | Json:
    token = await sessions.known_tokens.audience_token(jwt)
    if token is None or not disclosure.is_for(client_id, token.audience):
        return INACTIVE
    session = await sessions.information(token.handle)
    if session is None or not _is_about(token, session):
        return INACTIVE
    return introspection.told_of_audience_token(token)


def _is_about(token: AudienceToken, session: SessionInformation) -> bool:
    """Say whether *token* says of *session* what is so: an application can have a JWT signed that says anything."""
    actor = None if session.actor is None else Actor(session.actor.user_id, session.actor.handle)
    return (token.user_id, token.tenant_id, token.actor) == (session.user_id, session.tenant_id, actor)
