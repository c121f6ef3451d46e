"""What an endpoint holds: the facts of a session, and verbs that hand on to the engine and to the response."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from fastapi_session.core.access_token import AccessToken
from fastapi_session.errors import UnauthorisedError
from fastapi_session.model import Json, SessionInformation, moment
from fastapi_session.web.exchange import Exchange
from fastapi_session.web.transport import Method


class Session:
    """One request's session. Facts are those of its access token; a verb that changes them sends the new token by itself."""

    __slots__ = ("_access_token", "_content", "_exchange", "_method")

    def __init__(self, content: AccessToken, access_token: str, *, exchange: Exchange, method: Method) -> None:
        self._content = content
        self._access_token = access_token
        self._exchange = exchange
        self._method: Method = method

    def __repr__(self) -> str:
        return f"Session(user_id={self.user_id!r}, handle={self.handle!r})"

    @property
    def user_id(self) -> str:
        """Whose session it is."""
        return self._content.user_id

    @property
    def recipe_user_id(self) -> str:
        """By which of the user's sign-in methods it began; the user id unless `create` was told another."""
        return self._content.recipe_user_id

    @property
    def tenant_id(self) -> str:
        """The tenant it belongs to, `public` unless `create` was told another."""
        return self._content.tenant_id

    @property
    def handle(self) -> str:
        """Its public name. It is no secret: it can be shown, logged and used to revoke."""
        return self._content.session_handle

    @property
    def access_token(self) -> str:
        """The access token as text. Whoever has it is the user until it expires: never log it."""
        return self._access_token

    @property
    def access_token_payload(self) -> Mapping[str, Any]:
        """The whole payload of the access token, standard and custom claims."""
        return MappingProxyType(self._content.claims())

    @property
    def claims(self) -> Mapping[str, Any]:
        """The application's own claims in the access token."""
        return MappingProxyType(dict(self._content.custom))

    @property
    def expires_at(self) -> datetime:
        """When the access token ends (UTC). The session itself goes on with the next refresh."""
        return moment(self._content.expires_at * 1000)

    async def revoke(self) -> None:
        """End the session and clear the client's tokens. Raises `StoreUnavailable`, and then it has not ended."""
        await self._exchange.sessions.revoke(self.handle)
        self._exchange.clear()

    async def merge_into_access_token_payload(self, changes: Json) -> None:
        """Lay *changes* over the custom claims (`None` removes one) and send the new access token with the response.

        Raises `PayloadError` where JSON or a cookie cannot carry them, `UnauthorisedError` where the session has ended,
        `StoreUnavailable`.
        """
        issued = await self._exchange.sessions.merge_and_reissue(self._content, changes)
        if issued is None:
            raise self._ended()
        self._content, self._access_token = issued.access_token, issued.tokens.access_token
        self._exchange.send(issued.tokens, self._method)

    async def information(self) -> SessionInformation:
        """Answer what the store knows of the session. Raises `UnauthorisedError` where it has ended, `StoreUnavailable`."""
        information = await self._exchange.sessions.information(self.handle)
        if information is None:
            raise self._ended()
        return information

    async def get_session_data(self) -> Json:
        """Answer what the store keeps with the session. Raises as `information` does."""
        return (await self.information()).session_data

    async def update_session_data(self, session_data: Json) -> None:
        """Replace what the store keeps with the session. Raises as `information` does, and `PayloadError`."""
        if not await self._exchange.sessions.update_session_data(self.handle, session_data):
            raise self._ended()

    def _ended(self) -> Exception:
        return self._exchange.refuse(UnauthorisedError("session: it has ended", clears_tokens=True))
