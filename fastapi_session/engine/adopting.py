"""A login of another system becomes a session here: one, however often and by however many requests it is brought.

| the store has | the other system | the client gets |
|---|---|---|
| no row | knows the login, which was never taken in | the tokens of a new session |
| no row | knows the login, which was taken in before | nothing: its session has ended, and does not come back |
| no row | knows no such login | nothing |
| a row that waits: no refresh token of it was exchanged yet | is not asked | its tokens again: a response was lost, or requests came at once |
| a row that waits, and is bound to a key of its browser | is not asked | nothing: that browser has its tokens, and who brings the login again need not be it |
| a row that does not wait | is not asked | nothing: it goes on by tokens of its own |
| a row past its deadline, or by a secret that is gone | is not asked | nothing |

None of this raises an alarm: an old cookie may come from a device that has merely kept it.
The id of the session follows from the login alone, so that new secrets do not begin it again; its refresh token from a secret too.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from hashlib import sha256

from fastapi_session.adoption import Adoption, OldLogin
from fastapi_session.core import refresh_token
from fastapi_session.core.refresh_token import ISSUE_ID_BYTES, RefreshToken
from fastapi_session.core.secret import Secret, Secrets
from fastapi_session.engine.announcements import Announcements
from fastapi_session.engine.background import Background
from fastapi_session.engine.claim_checks import FirstPayload
from fastapi_session.engine.housekeeping import Housekeeping
from fastapi_session.engine.keys.keyring import Keyring
from fastapi_session.engine.tokens.issuing import IssuedSession, Mint
from fastapi_session.engine.tokens.new_sessions import NewSessions
from fastapi_session.errors import ConfigurationError
from fastapi_session.model import Circumstances, Reading, SessionRecord
from fastapi_session.randomness import Random
from fastapi_session.stores.base import MovableStore, Store
from fastapi_session.stores.taking_in import MOVING_KEPT

logger = logging.getLogger("fastapi_session")


@dataclass(frozen=True, slots=True)
class Brought:
    """How a login was brought: *by* such a request, at *now* (milliseconds). *anti_csrf* says whether its client is to have an anti-CSRF token."""

    by: Circumstances
    now: int
    anti_csrf: bool


class Adopting:
    """Adopts logins into *store*. *random* returns so many random bytes."""

    def __init__(  # noqa: PLR0913 - all but one are named, and each is a part of the engine
        self,
        store: Store,
        *,
        secrets: Secrets,
        new_sessions: NewSessions,
        mint: Mint,
        keyring: Keyring,
        announcements: Announcements,
        background: Background,
        housekeeping: Housekeeping,
        random: Random,
    ) -> None:
        self._store = store
        self._secrets = secrets
        self._new_sessions = new_sessions
        self._mint = mint
        self._keyring = keyring
        self._announcements = announcements
        self._background = background
        self._housekeeping = housekeeping
        self._random = random

    async def adopt(self, login: OldLogin, brought: Brought, *, first_payload: FirstPayload) -> IssuedSession | None:
        """Return the session of *login* with tokens for the client that brought it, `None` if the table says nothing.

        Raises what the other system raises, `PayloadError` for what no session can have, `ConfigurationError` if the store takes
        in no sessions, `StoreUnavailable`.
        """
        digest = _digest(login)
        reading = await self._store.get(_session_id(digest))
        if reading.record is None:
            adoption = await login.ask()
            issued = None if adoption is None else await self._begin(login, adoption, brought, first_payload)
            if issued is not None:
                return issued
            # Read again: another request may have been first meanwhile, and have retired the login.
            reading = await self._store.get(_session_id(digest))
        return await self._go_on(login, reading, brought)

    async def _begin(
        self, login: OldLogin, adoption: Adoption, brought: Brought, first_payload: FirstPayload
    ) -> IssuedSession | None:
        """Keep the session that begins with *login*, `None` if the store has taken it in before or a deadline has passed."""
        token = self._token(_digest(login), self._secrets.newest)
        payload = await first_payload(adoption.access_token_payload, adoption.user_id, adoption.tenant_id)
        record = self._new_sessions.adopted_record(
            token, adoption, source=login.source, payload=payload, circumstances=brought.by, now=brought.now
        )
        if record.lineage.expired(brought.now):
            return None
        key = await self._keyring.signing_key()
        # Before the write: the access token may be too long.
        issued = self._mint.issue(record, token, key=key, anti_csrf=brought.anti_csrf)
        return issued if await self._keep(record, adoption) else None

    async def _keep(self, record: SessionRecord, adoption: Adoption) -> bool:
        """Keep the session of *record* and announce it, and have its login retired. Say whether the store has kept it."""
        audit = self._announcements.audit_of_adoption(record)
        if await self._is_over(record) or ["kept"] != [*await self._movable.take_in([record], audit=audit)]:
            return False
        await self._remember(record, adoption.deadline)
        self._announcements.adopted(record, audit=audit)
        self._housekeeping.tidy()  # here, as with each new session
        if adoption.retire is not None:
            self._background.start(_retire(adoption.retire, record))
        return True

    async def _go_on(self, login: OldLogin, reading: Reading, brought: Brought) -> IssuedSession | None:
        """Return the session that has begun with *login* with its tokens, `None` unless it waits."""
        record = reading.record
        if record is None or record.lineage.expired(reading.now):
            logger.debug("no session by a login of %s: it is not known, or its session has ended", login.source)
            return None
        made_by = self._secrets.get(record.lineage.current_kid)
        token = None if made_by is None else self._token(_digest(login), made_by)
        waits = record.waits and record.bound_key is None
        if made_by is None or token is None or not waits or not _is_current(token, record, made_by):
            logger.debug("no session by a login of %s: session %s has tokens", login.source, record.handle)
            return None
        key = await self._keyring.signing_key()
        return replace(self._mint.issue(record, token, key=key, anti_csrf=brought.anti_csrf), is_repeated=True)

    def _token(self, digest: bytes, made_by: Secret) -> RefreshToken:
        # The issue id is random, as that of each token: so it shows if two clients go on by one login.
        return refresh_token.first_of_login(digest, made_by, issue_id=self._random(ISSUE_ID_BYTES))

    @property
    def _movable(self) -> MovableStore:
        if not isinstance(self._store, MovableStore):
            raise ConfigurationError("adopters: this store takes in no sessions; see MovableStore")
        return self._store

    # What `take_in` remembers it may forget when the session would have reached its absolute deadline. A login that can still come then,
    # or that the other system extends, must not begin the session anew.

    async def _is_over(self, record: SessionRecord) -> bool:
        return record.lineage.absolute_expires_at is not None and await self._store.is_remembered(_mark(record))

    async def _remember(self, record: SessionRecord, deadline: int) -> None:
        absolute = record.lineage.absolute_expires_at
        if absolute is not None:
            await self._store.once(_mark(record), until=max(absolute, deadline) + MOVING_KEPT)


def _digest(login: OldLogin) -> bytes:
    # By its length the name cannot run into the key.
    name = login.source.encode()
    return sha256(b"fastapi_session/login" + len(name).to_bytes(2, "big") + name + login.key.encode()).digest()


def _session_id(digest: bytes) -> str:
    return refresh_token.session_of_login(digest)


def _mark(record: SessionRecord) -> bytes:
    return sha256(b"fastapi_session/adopted" + bytes.fromhex(record.session_id)).digest()


def _is_current(token: RefreshToken, record: SessionRecord, made_by: Secret) -> bool:
    return refresh_token.stored_hash(token.fingerprint, made_by) == record.lineage.current


async def _retire(retire: Callable[[], Awaitable[object]], record: SessionRecord) -> None:
    try:
        await retire()
    except Exception:  # whatever it raises: the session is kept here, and its login cannot begin another one
        logger.exception("the login of session %s could not be retired at %s", record.handle, record.source)
