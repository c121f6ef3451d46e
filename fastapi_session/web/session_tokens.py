"""The tokens of a session as values, for an application that attaches them itself."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SessionTokens:
    """All tokens of a client, for a caller that attaches them itself. *is_new* says that they are not those that the client sent.

    *refresh_token* is `None` unless the session was created or refreshed in this request.
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    front_token: str = field(repr=False)
    anti_csrf_token: str | None = field(repr=False)
    is_new: bool
