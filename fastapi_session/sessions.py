"""The engine: create, verify and refresh sessions; by their handle, know, change and end them.

The one place where tokens, rules, store and clock meet. It knows no web framework: it is given tokens as text and answers
with values, so it serves an endpoint, a background job and a command line alike. Subclass it to change what a verb does.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from secrets import token_bytes
from typing import Any

from fastapi_session.by_token import SessionsByToken
from fastapi_session.by_user import SessionsByUser
from fastapi_session.clock import Clock, system_clock
from fastapi_session.config import SessionConfig
from fastapi_session.core import access_token, refresh_token
from fastapi_session.core.access_token import AccessToken, ParsedAccessToken
from fastapi_session.core.anti_csrf import NOT_ASKED, AntiCsrfProof
from fastapi_session.core.claims.claim import Claim, claims_of
from fastapi_session.core.claims.validators import ClaimValidator, validators_of
from fastapi_session.core.payload import json_object, merged, name, tenant_name
from fastapi_session.core.signing_keys import is_kid
from fastapi_session.engine.assembly import Engine, Random
from fastapi_session.engine.background import ensure_asyncio
from fastapi_session.engine.record_changes import handles_in
from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.engine.tokens.verified_tokens import VerifiedAccessToken
from fastapi_session.errors import ForgedRequestError, SessionError, TryRefreshTokenError, UnauthorisedError
from fastapi_session.events import Subscriber
from fastapi_session.model import (
    NOT_KNOWN,
    PUBLIC_TENANT,
    Circumstances,
    Json,
    SessionRecord,
    split_handle,
)
from fastapi_session.published_keys import PublishedKeys


class Sessions(SessionsByToken, SessionsByUser, PublishedKeys):
    """Sessions of one deployment: its configuration, store, secrets and clock."""

    def __init__(
        self,
        config: SessionConfig | None = None,
        *,
        claims: Sequence[Claim[Any]] = (),
        validators: Sequence[ClaimValidator] = (),
        subscribers: Sequence[Subscriber] = (),
        clock: Clock = system_clock,
        random: Random = token_bytes,
    ) -> None:
        """Take the deployment's *config*; nothing is connected before `open` or first use.

        *claims* are fetched into each new session, *validators* hold for every route, *subscribers* are told of events;
        *clock* and *random* are for tests. Raises `ConfigurationError` if store or secret cannot be had, or for what is no claim or validator.
        """
        config = config or SessionConfig()
        engine = Engine(config, clock=clock, random=random, subscribers=subscribers)
        SessionsByToken.__init__(self, engine, signs_statically=not config.use_dynamic_access_token_signing_key)
        PublishedKeys.__init__(self, config, engine)
        self.claims = claims_of(claims)
        self.validators = validators_of(validators)
        self.subscribers = tuple(subscribers)

    async def open(self) -> None:
        """Connect the store, load the signing keys and follow the revocation feed, on this event loop until `close`.

        Not needed, but here a wrong secret is found before the first user, and verifying never has to read the feed.
        Raises `ConfigurationError` if the secret is not the store's or asyncio is not running, `StoreUnavailable`.
        """
        ensure_asyncio()
        await self.store.open()
        await self._signing_key()
        await self._engine.keyring.signing_key(static=True)  # so that it is published before it signs
        await self._engine.feed.open()

    async def close(self) -> None:
        """Finish what runs in the background and let go of the store."""
        await self._engine.feed.close()
        await self._engine.background.finish()
        await self.store.close()

    @property
    def revocation_feed_age(self) -> timedelta | None:
        """How long ago the revocations of other processes were read, `None` where they never were."""
        age = self._engine.feed.age
        return None if age is None else timedelta(milliseconds=age)

    async def create(
        self,
        user_id: str,
        *,
        tenant_id: str = PUBLIC_TENANT,
        recipe_user_id: str | None = None,
        access_token_payload: Json | None = None,
        session_data: Json | None = None,
        replacing: Sequence[str] = (),
        anti_csrf: bool | None = None,
        circumstances: Circumstances = NOT_KNOWN,
    ) -> IssuedSession:
        """Begin a session of *user_id* in the place of those whose handles are *replacing*, in one transaction.

        Those end as superseded: a request of theirs that is late leaves its client the tokens of the new one.
        *access_token_payload* travels in the access token, where the user can read it; *session_data* stays in the store.
        *anti_csrf* asks for an anti-CSRF token, by default if `VIA_TOKEN` is configured. Raises `PayloadError` (nothing is written) and `StoreUnavailable`.
        """
        now, replaced = self.now(), handles_in(replacing)
        payload = json_object(access_token_payload, "access_token_payload")
        if fetched := await self._fetched(self.claims, user_id, tenant_id, payload):
            payload = json_object(merged(payload, fetched), "access_token_payload")
        token = self._engine.beginning.token()
        record = SessionRecord(
            session_id=token.session_id,
            tenant_id=tenant_name(tenant_id),
            user_id=name(user_id, "user_id"),
            recipe_user_id=name(recipe_user_id or user_id, "recipe_user_id"),
            access_token_payload=access_token.custom_claims(payload),
            session_data=json_object(session_data, "session_data"),
            version=0,
            created_at=now,
            circumstances=circumstances,
            lineage=self._engine.beginning.lineage(token, now=now),
        )
        by_token = self.config.anti_csrf == "VIA_TOKEN" if anti_csrf is None else anti_csrf
        issued = self._engine.mint.issue(record, token, key=await self._signing_key(), anti_csrf=by_token)
        await self.store.insert(record, replacing=[split_handle(handle)[0] for handle in replaced])
        self._engine.announcements.created(record, replaced=replaced)
        self._engine.housekeeping.tidy()
        return issued

    def parse(self, token: str) -> ParsedAccessToken | None:
        """Return *token* taken apart, `None` where it has not the structure of an access token. Not to be believed yet."""
        return self._engine.verified_tokens.parse(token)

    def is_refresh_token(self, text: str, *, session_id: str | None = None) -> bool:
        """Return whether this deployment wrote *text* as a refresh token, which need not be the newest of its session. No I/O.

        If a *session_id* is given, it has to be one of that session.
        """
        token = refresh_token.read(text, self._engine.secrets)
        return token is not None and session_id in (None, token.session_id)

    def may_have_written(self, text: str) -> bool:
        """Return whether *text* may be a token of this deployment: one that it can refresh, or an access token that names it.

        Not to be believed yet. No I/O.
        """
        return self.is_refresh_token(text) or self._engine.verified_tokens.names_issuer(text)

    async def verify(
        self, token: str | ParsedAccessToken, *, check_database: bool = False, proof: AntiCsrfProof = NOT_ASKED
    ) -> AccessToken:
        """Return the content of an access token that is genuine, has not expired and was not revoked.

        What other processes revoked is known within two seconds, without I/O; *check_database* asks the store, and answers
        with the claims of there. It is asked as well, once a token, where the session's claims were changed by its handle.

        Raises `UnauthorisedError` where it is none of ours or its session has ended, clearing the tokens unless another one
        took its place;
        `TryRefreshTokenError` where a refresh may help; `StoreUnavailable` with *check_database*, or where the revocation
        feed is older than it may be.
        """
        engine, parsed = self._engine, self.parse(token) if isinstance(token, str) else token
        del token  # error reporters send the local variables of this frame
        now, feed, keyring = engine.clock(), engine.feed, engine.keyring
        if not feed.trusted_from <= now < feed.trusted_until:
            check_database |= await self._catches_up_by_store(parsed)  # first of all, since it may tell of the key
            now = engine.clock()
        if (
            not (isinstance(parsed, VerifiedAccessToken) and parsed.stands(keyring.keys, now))
            or not keyring.read_at <= now < keyring.reload_at
        ):
            parsed = await self._prove(parsed)
        content = parsed.content
        try:
            if proof is not NOT_ASKED and not proof.holds(content.anti_csrf_token):
                raise ForgedRequestError("anti-CSRF: the request does not prove that no other site forged it")
            if (notice := feed.about(parsed.session_id)) is not None:
                await engine.token_check.heed(notice, content)
            if check_database:
                content = await engine.token_check.check_database(content)
        except SessionError as error:
            raise error.about(content.session_handle)  # noqa: B904  it is the same error
        engine.acknowledgements.used(content)
        return content

    async def refresh(
        self, token: str, *, proof: AntiCsrfProof = NOT_ASKED, circumstances: Circumstances = NOT_KNOWN
    ) -> IssuedSession:
        """Exchange the refresh token *token* for new tokens, as the table of `core.rotation` says.

        Raises `UnauthorisedError`, `TokenTheftError` (the session is then revoked already), `SessionSupersededError` and
        `StoreUnavailable`.
        """
        secrets, by_token = self._engine.secrets, proof.mode == "VIA_TOKEN"
        presented = refresh_token.read(token, secrets)
        del token  # as in `verify`
        if presented is None:
            raise UnauthorisedError("refresh token: BAD_TOKEN", clears_tokens=True)
        if not proof.holds(refresh_token.anti_csrf_token(presented, secrets[presented.kid]) if by_token else None):
            refused = UnauthorisedError("anti-CSRF: the refresh does not prove that no other site forged it")
            raise refused.about(presented.session_id)
        key = await self._signing_key()  # what can fail fails before the write
        record, answer = await self._engine.refreshing.advance(presented, by=circumstances)
        return self._engine.mint.issue(record, answer, key=key, anti_csrf=by_token)

    async def verified_handle(self, parsed: ParsedAccessToken) -> str | None:
        """Return the handle of the session that *parsed* was made for, expired or not; `None` if it proves nothing.

        If its signing key is gone, it is proved by the refresh token that it names: whoever tells that has been given the
        tokens of the session. A kid that no key of ours can have had proves nothing. Raises `StoreUnavailable`.
        """
        key = await self._engine.keyring.verifying_key(parsed.kid, through=self._engine.joined)
        content = parsed.content
        if key is not None:
            is_proven = access_token.is_signed_by(parsed, key)
        else:
            is_proven = is_kid(parsed.kid) and await self._engine.token_check.knows(content)
        return content.session_handle if is_proven else None

    async def _catches_up_by_store(self, parsed: ParsedAccessToken | None) -> bool:
        """Wait until what is known may be relied on, and say whether the store has to be asked of the session instead.

        So it is for a caller who holds a connection: to read the feed would take another one, and in his transaction it may
        say what is undone later. The feed tells of deleted keys as well, so the store is asked for that of *parsed*.
        """
        feed, joined = self._engine.feed, self._engine.joined
        if joined is None:
            await feed.catch_up()
            return False
        if parsed is not None and parsed.kid not in {record.kid for record in await joined.signing_keys()}:
            raise TryRefreshTokenError("access token: signed by no key that is there")
        return True

    async def _prove(self, parsed: ParsedAccessToken | None) -> VerifiedAccessToken:
        if parsed is None:
            raise UnauthorisedError("access token: not one of ours")
        keyring = self._engine.keyring
        await keyring.verifying_key(parsed.kid, through=self._engine.joined)  # so that it is among the keys
        return self._engine.verified_tokens.prove(parsed, keyring.keys, now=self.now())
