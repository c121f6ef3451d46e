"""What an access token alone says of its session."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic

from fastapi_session.core.access_token import AccessToken
from fastapi_session.model import Actor, Tokens, moment
from fastapi_session.web.session_tokens import SessionTokens
from fastapi_session.web.session_types import Data, Payload, SessionTypes
from fastapi_session.web.transport import front_token


class VerifiedSession(Generic[Payload, Data]):
    """The facts of a session, from an access token that was verified. `Session` has the verbs."""

    __slots__ = ("_content", "_text", "_tokens", "_types")

    # Set by `Session`: a constructor here would be one more function call for each request.
    _content: AccessToken
    _text: str
    _types: SessionTypes[Payload, Data]
    _tokens: Tokens | None

    @property
    def user_id(self) -> str:
        """Whose session it is."""
        return self._content.user_id

    @property
    def recipe_user_id(self) -> str:
        """By which of the user's sign-in methods it began; the user id unless `create` was given another."""
        return self._content.recipe_user_id

    @property
    def tenant_id(self) -> str:
        """The tenant it belongs to, `public` unless `create` was given another."""
        return self._content.tenant_id

    @property
    def handle(self) -> str:
        """Its public name. It is no secret: it can be shown, logged and used to revoke."""
        return self._content.session_handle

    @property
    def is_guest(self) -> bool:
        """Whether it is the session of a guest, who has not signed in."""
        return self._content.is_guest

    @property
    def bound(self) -> bool:
        """Whether it is bound to a key of its client, so far as its access token says: one from before the binding does not."""
        return self._content.is_bound

    @property
    def actor(self) -> Actor | None:
        """Who acts as its user by impersonation, `None` if nobody does. The reason is in `information()`."""
        return self._content.actor

    @property
    def access_token(self) -> str:
        """The access token as text. Whoever has it is the user until it expires: never log it."""
        return self._text

    @property
    def access_token_payload(self) -> dict[str, Any]:
        """A copy of the whole payload of the access token, standard and custom claims."""
        return self._content.claims()

    @property
    def claims(self) -> Payload:
        """The application's own claims in the access token. Raises `InvalidClaimsError` if they do not fit the model."""
        return self._types.read_payload(self._content.custom)

    @property
    def authenticated_at(self) -> datetime | None:
        """When the user was authenticated last, by whichever factor (UTC); `None` if the application did not say."""
        known = self._content.authenticated
        return None if known is None else moment(known.auth_time * 1000)

    @property
    def factors(self) -> dict[str, datetime]:
        """When the user was authenticated last by each factor (UTC): names of RFC 8176, empty if the application said none."""
        known = self._content.authenticated
        return {} if known is None else {name: moment(at * 1000) for name, at in known.factors.items()}

    @property
    def acr(self) -> str | None:
        """The assurance level that the session has reached, `None` if the application gave none."""
        known = self._content.authenticated
        return None if known is None else known.acr

    @property
    def expires_at(self) -> datetime:
        """When the access token ends (UTC). The session itself goes on with the next refresh."""
        return moment(self._content.expires_at * 1000)

    @property
    def tokens(self) -> SessionTokens:
        """All tokens, for a caller that attaches them itself; the response of this request has them in any case."""
        tokens = self._tokens or Tokens(
            access_token=self._text,
            access_token_expires_at=self._content.expires_at * 1000,
            claims=self._content.claims(),
            anti_csrf_token=self._content.anti_csrf_token,
        )
        return SessionTokens(
            access_token=tokens.access_token,
            refresh_token=tokens.refresh_token,
            front_token=front_token(tokens),
            anti_csrf_token=tokens.anti_csrf_token,
            is_new=self._tokens is not None,
        )
