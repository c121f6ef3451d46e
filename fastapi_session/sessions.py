"""The engine: create, verify, refresh, revoke and change sessions.

The one place where tokens, rules, store and clock meet. It knows no web framework: it is given tokens as text and answers
with values, so it serves an endpoint, a background job and a command line alike. Subclass it to change what a verb does.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fastapi_session.clock import Clock, system_clock
from fastapi_session.config import SessionConfig
from fastapi_session.core import access_token, refresh_token
from fastapi_session.core.access_token import AccessToken, ParsedAccessToken
from fastapi_session.core.anti_csrf import NOT_ASKED, AntiCsrfProof
from fastapi_session.core.payload import json_object, merged, name, tenant_name
from fastapi_session.core.refresh_token import RefreshToken
from fastapi_session.core.rotation import stands
from fastapi_session.core.signing_keys import SigningKey
from fastapi_session.engine.acknowledgements import Acknowledgements
from fastapi_session.engine.background import Background
from fastapi_session.engine.deployment import configured_store, key_policy, milliseconds, rotation_policy, secret_ring
from fastapi_session.engine.housekeeping import Housekeeping
from fastapi_session.engine.keyring import Keyring
from fastapi_session.engine.minting import IssuedSession, Mint
from fastapi_session.engine.records import change_record, live_record
from fastapi_session.engine.refreshing import Refreshing
from fastapi_session.errors import TryRefreshTokenError, UnauthorisedError
from fastapi_session.model import (
    PUBLIC_TENANT,
    Json,
    Lineage,
    SessionInformation,
    SessionRecord,
    split_handle,
)


class Sessions:
    """Sessions of one deployment: its configuration, store, secrets and clock."""

    def __init__(
        self,
        config: SessionConfig | None = None,
        *,
        clock: Clock = system_clock,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """Take the deployment's *config*; *clock* and *random* are for tests.

        Raises `ConfigurationError` where store or secret cannot be had. Nothing is connected before `open` or first use.
        """
        self.config = config or SessionConfig()
        self.store = configured_store(self.config, clock=clock)
        self._clock = clock
        self._random = random
        self._ring = secret_ring(self.config, self.store, random=random)
        self._background = Background()
        self._keyring = Keyring(
            self.store,
            ring=self._ring,
            policy=key_policy(self.config),
            clock=clock,
            random=random,
            background=self._background,
        )
        self._mint = Mint(self.config, ring=self._ring, clock=clock, random=random)
        self._refreshing = Refreshing(
            self.store,
            ring=self._ring,
            policy=rotation_policy(self.config),
            reuse_is_theft=self.config.recent_token_reuse_behaviour == "TOKEN_THEFT",
        )
        self._acknowledgements = Acknowledgements(self.store, ring=self._ring, background=self._background)
        self._housekeeping = Housekeeping(self.store, clock=clock, background=self._background)

    async def open(self) -> None:
        """Connect the store and load the signing keys. Not needed, but here a wrong secret is found before the first user.

        Raises `ConfigurationError` where the secret is not the store's, `StoreUnavailable`.
        """
        await self.store.open()
        await self._signing_key()

    async def close(self) -> None:
        """Finish what runs in the background and let go of the store."""
        await self._background.finish()
        await self.store.close()

    def now(self) -> int:
        """Answer what time it is for these sessions, in milliseconds since the epoch."""
        return self._clock()

    async def create(
        self,
        user_id: str,
        *,
        tenant_id: str = PUBLIC_TENANT,
        recipe_user_id: str | None = None,
        access_token_payload: Json | None = None,
        session_data: Json | None = None,
        replacing: str | None = None,
        anti_csrf: bool = False,
    ) -> IssuedSession:
        """Begin a session of *user_id*, and end the one whose handle is *replacing* in the same transaction.

        *access_token_payload* travels in the access token, where the user can read it; *session_data* stays in the store.
        *anti_csrf* asks for an anti-CSRF token. Raises `PayloadError` (nothing is written) and `StoreUnavailable`.
        """
        now = self._clock()
        session_id = self._random(16).hex()
        token = refresh_token.first(session_id, secret=self._random(32), kid=self._ring.newest.kid)
        record = SessionRecord(
            session_id=session_id,
            tenant_id=tenant_name(tenant_id),
            user_id=name(user_id, "user_id"),
            recipe_user_id=name(recipe_user_id or user_id, "recipe_user_id"),
            access_token_payload=access_token.custom_claims(json_object(access_token_payload, "access_token_payload")),
            session_data=json_object(session_data, "session_data"),
            version=0,
            use_static_key=not self.config.use_dynamic_access_token_signing_key,
            created_at=now,
            lineage=self._first_lineage(token, now),
        )
        issued = self._mint.issue(record, token, key=await self._signing_key(), anti_csrf=anti_csrf)
        await self.store.insert(record, replacing=split_handle(replacing)[0] if replacing else None)
        self._housekeeping.tidy()
        return issued

    async def verify(
        self, token: str | ParsedAccessToken, *, check_database: bool = False, proof: AntiCsrfProof = NOT_ASKED
    ) -> AccessToken:
        """Answer the content of an access token that is genuine and has not expired. No I/O unless *check_database*.

        Raises `UnauthorisedError` where it is none of ours or (with *check_database*) its session has ended, clearing
        the tokens; `TryRefreshTokenError` where a refresh may help; with *check_database* `StoreUnavailable`.
        """
        parsed = access_token.parse(token) if isinstance(token, str) else token
        if parsed is None:
            raise UnauthorisedError("access token: not one of ours")
        content = access_token.verify(parsed, await self._keyring.verifying_key(parsed.kid), now=self._clock())
        if not proof.holds(content.anti_csrf_token):
            raise TryRefreshTokenError("anti-CSRF: the request does not prove that no other site forged it")
        if check_database:
            await self._check_database(content)
        self._acknowledgements.used(content)
        return content

    async def refresh(self, token: str, *, proof: AntiCsrfProof = NOT_ASKED) -> IssuedSession:
        """Exchange the refresh token *token* for new tokens, as the table of `core.rotation` says.

        Raises `UnauthorisedError`, `TokenTheftError` (the session is then revoked already) and `StoreUnavailable`.
        """
        presented = refresh_token.read(token, self._ring)
        if presented is None:
            raise UnauthorisedError("refresh token: BAD_TOKEN", clears_tokens=True)
        by_token = proof.mode == "VIA_TOKEN"
        if not proof.holds(refresh_token.anti_csrf_token(presented, self._ring[presented.kid])):
            raise UnauthorisedError(
                "anti-CSRF: the refresh does not prove that no other site forged it", clears_tokens=by_token
            )
        key = await self._signing_key()  # what can fail fails before the write
        record, answer = await self._refreshing.advance(presented)
        return self._mint.issue(record, answer, key=key, anti_csrf=by_token)

    async def revoke(self, handle: str) -> bool:
        """End the session named *handle*, and say whether it was alive. After this no refresh of it succeeds."""
        record = await live_record(self.store, handle)
        return record is not None and await self.store.delete(record.session_id)

    async def revoke_all(self, user_id: str, *, tenant_id: str | None = None, keep: str | None = None) -> list[str]:
        """End the sessions of *user_id* (of every tenant where none is given) but the one whose handle is *keep*.

        Answers the handles that were ended.
        """
        if keep is None:
            return [record.handle for record in await self.store.delete_all_of(user_id, tenant_id=tenant_id)]
        others = [found for found in await self.of_user(user_id, tenant_id=tenant_id) if found.handle != keep]
        return [other.handle for other in others if await self.revoke(other.handle)]

    async def information(self, handle: str) -> SessionInformation | None:
        """Answer what is known of the session named *handle*, `None` where there is none."""
        record = await live_record(self.store, handle)
        return None if record is None else SessionInformation.of(record)

    async def of_user(self, user_id: str, *, tenant_id: str | None = None) -> list[SessionInformation]:
        """Answer the sessions of *user_id*, oldest first; of every tenant where none is given."""
        return [SessionInformation.of(record) for record in await self.store.sessions_of(user_id, tenant_id=tenant_id)]

    async def merge_into_access_token_payload(self, handle: str, changes: Json) -> bool:
        """Lay *changes* over the session's custom claims; `None` removes one. Says whether the session is there.

        The client learns of it with its next refresh. Raises `PayloadError` (nothing is written), `StoreUnavailable`.
        """
        return await self._merge(handle, changes) is not None

    async def merge_and_reissue(self, token: AccessToken, changes: Json) -> IssuedSession | None:
        """Do the same for the session of the verified *token*, and answer its new access token, which expires with the old.

        `None` where the session has ended.
        """
        record = await self._merge(token.session_handle, changes)
        if record is None:
            return None
        return self._mint.reissue(token, record.access_token_payload, key=await self._signing_key())

    async def update_session_data(self, handle: str, session_data: Json) -> bool:
        """Replace what the store keeps with the session. Says whether the session is there."""
        checked = json_object(session_data, "session_data")
        changed = await change_record(self.store, handle, change=lambda record: replace(record, session_data=checked))
        return changed is not None

    async def handle_proven_by(self, parsed: ParsedAccessToken) -> str | None:
        """Answer the handle of the session that *parsed* was signed for, expired or not; `None` where it proves nothing."""
        genuine = access_token.is_signed_by(parsed, await self._keyring.verifying_key(parsed.kid))
        return parsed.content.session_handle if genuine else None

    async def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """Answer the public keys that verify access tokens, as a JWK Set (RFC 7517)."""
        return await self._keyring.jwks()

    def _first_lineage(self, token: RefreshToken, now: int) -> Lineage:
        absolute = self.config.absolute_timeout
        return Lineage.first(
            refresh_token.stored_hash(token.fingerprint, self._ring.newest),
            kid=token.kid,
            now=now,
            idle_timeout=milliseconds(self.config.idle_timeout),
            absolute_timeout=None if absolute is None else milliseconds(absolute),
        )

    async def _signing_key(self) -> SigningKey:
        return await self._keyring.signing_key(static=not self.config.use_dynamic_access_token_signing_key)

    async def _check_database(self, token: AccessToken) -> None:
        record = await live_record(self.store, token.session_handle)
        if record is None:
            raise UnauthorisedError("session: it has ended", clears_tokens=True)
        own, parent = bytes.fromhex(token.refresh_token_hash), bytes.fromhex(token.parent_refresh_token_hash or "")
        if not stands(own, parent or None, record.lineage, ring=self._ring):
            raise TryRefreshTokenError("access token: of an earlier generation")

    async def _merge(self, handle: str, changes: Json) -> SessionRecord | None:
        plain = access_token.custom_claims(changes)
        key = await self._signing_key()

        def merge(record: SessionRecord) -> SessionRecord:
            payload = json_object(merged(record.access_token_payload, plain), "access_token_payload")
            changed = replace(record, access_token_payload=payload)
            self._mint.ensure_fits(changed, key=key)
            return changed

        return await change_record(self.store, handle, change=merge)
