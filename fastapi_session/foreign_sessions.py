"""Sessions that another system began, and that go on here: what the engine has to know of such a system.

Their clients bring refresh tokens of that system until each has been exchanged once, and access tokens until those have expired.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from fastapi_session.model import Json


@dataclass(frozen=True, slots=True)
class ForeignToken:
    """A refresh token of the other system that was opened.

    *session_id* is that of the session here: 32 hexadecimal characters. *secret*, 32 bytes, is what the other system compares
    with its row, and *parent* the same of the token before, `None` if there was none. *anti_csrf_token* is `None` if the token
    has none to compare with.
    """

    session_id: str
    tenant_id: str
    secret: bytes = field(repr=False)
    parent: bytes | None = field(repr=False)
    anti_csrf_token: str | None = field(repr=False, default=None)


@dataclass(frozen=True, slots=True)
class ForeignSession:
    """A session as the other system has it. Moments are milliseconds since the epoch, by the clock of that system.

    *current* and *previous*, 32 bytes, are compared with `ForeignToken.secret`; *rotated_at* is since when *current* is there, `None` if
    that is not known.
    """

    session_id: str
    tenant_id: str
    user_id: str
    recipe_user_id: str
    access_token_payload: Json = field(repr=False)
    session_data: Json = field(repr=False)
    created_at: int
    expires_at: int
    current: bytes = field(repr=False)
    previous: bytes | None = field(repr=False, default=None)
    rotated_at: int | None = None


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A public key by which access tokens of the other system verify; *public_jwk* has its `kty`, not its `kid`."""

    kid: str
    algorithm: str
    public_jwk: Json


class ForeignSessions(Protocol):
    """A system whose sessions go on here.

    A method that asks its database raises `StoreUnavailable` if that is down, and nothing is ever written there.
    """

    @property
    def name(self) -> str:
        """What the system is called: the `source` of its sessions."""

    @property
    def has_database(self) -> bool:
        """Whether the sessions of the system can be read: else `session` and `sessions_of` find none, and say nothing by it."""

    @property
    def access_token_validity(self) -> timedelta:
        """How long an access token of the system is believed at most."""

    @property
    def rotation_grace(self) -> timedelta:
        """For how long the system accepts the refresh token before the current one."""

    async def open(self) -> None:
        """Connect, and read the key of the refresh tokens. Raises `ConfigurationError` if it is not such a database."""

    async def close(self) -> None:
        """Let go of what `open` took."""

    def read_refresh_token(self, text: str) -> ForeignToken | None:
        """Return the content of *text*, `None` if the system did not write it. No I/O."""

    async def public_keys(self) -> Sequence[ForeignKey]:
        """Return the keys by which its access tokens verify."""

    async def session(self, session_id: str, tenant_id: str) -> ForeignSession | None:
        """Return the session as it is there now, `None` if there is none: then it was ended there.

        Raises `PayloadError` if it is there, and cannot go on here: it says why, and nobody is to lose it for that.
        """

    async def sessions_of(self, user_id: str, tenant_id: str | None) -> Sequence[ForeignSession]:
        """Return the user's sessions as they are there now, without those that cannot go on here; of every tenant if *tenant_id* is `None`."""
