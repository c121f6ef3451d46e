"""What a new session begins with: its id, its first refresh token, and the record for the store. Nothing is written here."""

from __future__ import annotations

from dataclasses import replace

from fastapi_session.adoption import Adoption
from fastapi_session.config import SessionConfig
from fastapi_session.config.lifetimes import AS_CONFIGURED, Lifetime
from fastapi_session.core import access_token, refresh_token
from fastapi_session.core.authentication import Authentication, ensure_no_level
from fastapi_session.core.binding.bound_keys import carried_key, checked_key
from fastapi_session.core.continuing import Timeouts, first_lineage
from fastapi_session.core.payload import checked_label, checked_name, checked_tenant, ensure_type, json_object
from fastapi_session.core.refresh_token import ISSUE_ID_BYTES, RefreshToken
from fastapi_session.core.secret import Secrets
from fastapi_session.engine.dropped_names import DroppedNames
from fastapi_session.engine.tokens.lifetimes import Lifetimes, Terms
from fastapi_session.external_session import ExternalSession
from fastapi_session.foreign_sessions import ForeignSession
from fastapi_session.model import NOT_KNOWN, Circumstances, Json, Lineage, SessionRecord
from fastapi_session.randomness import Random


class NewSessions:
    """Makes what a new session begins with. *random* returns so many random bytes."""

    def __init__(self, config: SessionConfig, *, secrets: Secrets, random: Random) -> None:
        self._lifetimes = Lifetimes(config)
        self._acr_order = config.acr_order
        self._secrets = secrets
        self._random = random
        self._dropped = DroppedNames()

    def refresh_token(self) -> RefreshToken:
        """Return the first refresh token of a new session, whose id is random."""
        session_id, secret, issue_id = self._random(16).hex(), self._random(32), self._random(ISSUE_ID_BYTES)
        return refresh_token.first(session_id, secret=secret, kid=self._secrets.newest.kid, issue_id=issue_id)

    def record(  # noqa: PLR0913 - all but two are named, and a session has that many sides
        self,
        token: RefreshToken,
        *,
        user_id: str,
        recipe_user_id: str | None,
        tenant_id: str,
        payload: Json,
        session_data: Json,
        circumstances: Circumstances,
        lifetime: Lifetime,
        authentication: Authentication | None,
        label: str | None,
        external: ExternalSession | None,
        now: int,
        bound_key: str | None = None,
    ) -> SessionRecord:
        """Return the record of the session of its first *token*, which begins at *now* (milliseconds).

        *payload* and *session_data* have been checked. Raises `PayloadError` for a name that no user, tenant or session can have, and
        `ConfigurationError` for a *lifetime*, *authentication*, *external* or *bound_key* that cannot be.
        """
        if authentication is not None:
            ensure_type(authentication, "authentication", Authentication, example='Authentication(("pwd",))')
            ensure_no_level(authentication.methods, self._acr_order)
        if external is not None:
            ensure_type(external, "external", ExternalSession, example="ExternalSession(issuer, sid=sid)")
        terms = self._lifetimes.terms(lifetime)
        custom = access_token.custom_claims(payload, is_authenticated=authentication is not None)
        self._dropped.note(payload, custom)
        return SessionRecord(
            session_id=token.session_id,
            tenant_id=checked_tenant(tenant_id),
            user_id=checked_name(user_id, "user_id"),
            recipe_user_id=checked_name(recipe_user_id or user_id, "recipe_user_id"),
            access_token_payload=custom,
            session_data=session_data,
            version=0,
            created_at=now,
            circumstances=circumstances,
            lineage=self._first_lineage(token, terms, now=now),
            kind=terms.kind,
            persistent=terms.persistent,
            factors={} if authentication is None else authentication.factors(now),
            acr=None if authentication is None else authentication.acr,
            first_ip_address=circumstances.ip_address,
            first_user_agent=circumstances.user_agent,
            label=checked_label(label),
            external_session=None if external is None else external.session_digest,
            external_subject=None if external is None else external.subject_digest,
            bound_key=None if bound_key is None else checked_key(bound_key),
        )

    def adopted_record(
        self,
        token: RefreshToken,
        adoption: Adoption,
        *,
        source: str,
        payload: Json,
        circumstances: Circumstances,
        now: int,
    ) -> SessionRecord:
        """Return the record of the session of its first *token*, which begins with a login of *source* at *now* (milliseconds).

        *payload* has been checked. Until its first refresh it ends with that login, and an absolute timeout counts from when
        the user signed in there. Raises as `record`.
        """
        record = self.record(
            token,
            user_id=adoption.user_id,
            recipe_user_id=adoption.recipe_user_id,
            tenant_id=adoption.tenant_id,
            payload=payload,
            session_data=json_object(adoption.session_data, "session_data"),
            circumstances=circumstances,
            lifetime=adoption.lifetime,
            authentication=None,  # when and how is not known: what demands that asks for it anew
            label=None,
            external=None,
            now=now,
        )
        row, began = record.lineage, min(now, now if adoption.created_at is None else adoption.created_at)
        absolute = None if row.absolute_expires_at is None else row.absolute_expires_at - now + began
        idle = min(row.idle_expires_at, adoption.deadline, row.idle_expires_at if absolute is None else absolute)
        lineage = replace(row, idle_expires_at=idle, absolute_expires_at=absolute)
        return replace(record, created_at=began, source=source, lineage=lineage)

    def continued_record(self, session: ForeignSession, *, source: str, now: int) -> SessionRecord:
        """Return the record of a *session* of the system *source*, which is taken in at *now* (milliseconds).

        Raises `PayloadError` if it has what no session here can have.
        """
        terms = self._lifetimes.terms(AS_CONFIGURED)
        timeouts = Timeouts(terms.idle_timeout if terms.keeps_idle_timeout else None, terms.absolute_timeout)
        payload = json_object(session.access_token_payload, "access_token_payload")
        return SessionRecord(
            session_id=session.session_id,
            tenant_id=checked_tenant(session.tenant_id),
            user_id=checked_name(session.user_id, "user_id"),
            recipe_user_id=checked_name(session.recipe_user_id, "recipe_user_id"),
            access_token_payload=access_token.custom_claims(payload, is_authenticated=False),
            session_data=json_object(session.session_data, "session_data"),
            version=0,
            created_at=session.created_at,
            circumstances=NOT_KNOWN,
            lineage=first_lineage(session, timeouts, made_by=self._secrets.newest, now=now),
            kind=terms.kind,
            persistent=terms.persistent,
            source=source,
        )

    def copied_record(self, token: RefreshToken, record: SessionRecord, *, now: int, restarts: bool) -> SessionRecord:
        """Return all of *record* under the id of its first *token*: a session that takes its place at *now* (milliseconds).

        If it *restarts*, it begins now and lives as long as its kind says, but no longer than it was given at sign-in. Else it
        keeps when it began and both deadlines.
        """
        lineage = self._first_lineage(token, self._lifetimes.again(record), now=now)
        if not restarts:
            row = record.lineage
            lineage = replace(
                lineage,
                idle_timeout=row.idle_timeout,
                idle_expires_at=row.idle_expires_at,
                absolute_expires_at=row.absolute_expires_at,
            )
        # Not made anew from a list of fields: what a session has besides goes with it.
        return replace(
            record,
            session_id=token.session_id,
            version=0,
            created_at=now if restarts else record.created_at,
            lineage=lineage,
            bound_key=carried_key(record.bound_key),
            source=None,  # it begins here, whatever its predecessor did: with a source it would wait for its client
        )

    def _first_lineage(self, token: RefreshToken, terms: Terms, *, now: int) -> Lineage:
        return Lineage.first(
            refresh_token.stored_hash(token.fingerprint, self._secrets.newest),
            kid=token.kid,
            used=token.issue_id,
            now=now,
            idle_timeout=terms.idle_timeout,
            absolute_timeout=terms.absolute_timeout,
            keeps_idle_timeout=terms.keeps_idle_timeout,
        )
