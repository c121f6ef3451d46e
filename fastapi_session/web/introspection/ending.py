"""What becomes of a session one of whose tokens a client revokes: it ends.

| the token | its session |
|---|---|
| an access token, expired or not, with or without a proof of its key | ends |
| a refresh token of any generation, or of a system whose sessions go on here | ends |
| of `session.token_for(audience)` | stays: who was told whose request it is may not sign that user out |
| whatever else, or of a session that has ended | there is none |

No token is revoked alone: the refresh token would bring the next access token, and that the next request. RFC 7009, section 2.1, asks
for the one when the other is revoked.

An old refresh token ends its session too: at the refresh endpoint it would do so by rows D5 to D13 of the rotation table, with an alarm
of theft. Here there is none, since nobody has tried to use it; and a client that was told 200 can rely on it that nobody goes on with
the session, whoever has the newer token. The key of a bound session need not be proved either: there it keeps thieves from ending a
session by trying, and here who asks has a secret of its own.
"""

from __future__ import annotations

from pydantic import SecretStr

from fastapi_session.core import service_jwt
from fastapi_session.model import Actor, Circumstances, EndReason
from fastapi_session.sessions import Sessions

REASON: EndReason = "token_revoked"


class UnsupportedTokenType(Exception):
    """The token is of a type that is not revoked (RFC 7009, section 2.2.1)."""


async def end(text: SecretStr, client_id: str, *, sessions: Sessions, circumstances: Circumstances) -> bool:
    """End the session of the token *text* as the table says, and say whether it was alive.

    Raises `UnsupportedTokenType` and `StoreUnavailable`.
    """
    if service_jwt.parse(text.get_secret_value()) is not None:
        raise UnsupportedTokenType
    handle = await _handle(text, sessions)
    if handle is None:
        return False
    return await sessions.revoke(handle, reason=REASON, by=Actor(client_id), circumstances=circumstances)


async def _handle(text: SecretStr, sessions: Sessions) -> str | None:
    """Return the handle of the session of a genuine token, `None` if it is none."""
    parsed = sessions.parse(text.get_secret_value())
    if parsed is None:
        return await sessions.known_tokens.handle_of_refresh_token(text)
    return await sessions.verified_handle(parsed) if sessions.verified_tokens.accepts(parsed.content.issuer) else None
