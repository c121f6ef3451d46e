"""The nouns all rooms share: frozen values, no behaviour beyond what follows from their own fields.

Moments inside these values are whole milliseconds since the epoch, as in a row or a token;
what an application reads (`Session`, `SessionInformation`) has aware UTC datetimes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from fastapi_session.handles import session_handle, split_handle

DEFAULT_KIND = "default"
"""The kind of a session of which nothing else was said."""

GUEST_KIND = "guest"
"""The kind of a guest's session: of a visitor who has not signed in. Whoever has one is a guest."""

IMPERSONATION_KIND = "impersonation"
"""The kind of a session in which a user acts as another one."""

Json = Mapping[str, Any]
"""A JSON object: string keys, values that JSON can say. Shared between tasks, so never changed in place."""


def moment(milliseconds: int) -> datetime:
    """Return *milliseconds* since the epoch as an aware UTC datetime."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


CROSSED_EXCHANGES = 3
"""How many exchanges `Lineage.crossed` remembers."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """The state of a session's line of refresh tokens, and until when the session may go on.

    *current* and *previous* are peppered hashes of the newest refresh token and of the one before
    (`None` before the first rotation). *current_kid* names the secret that made the newest.
    *window_at* is when the newest was handed out, *acknowledged* whether it has been used since.

    A refresh token has an issue id of its own each time it is sent, and all of a generation can be exchanged. *exchanged* is the
    id of the token that was exchanged for the newest; *used* that of the token which was first known to be in use, of the newest
    generation if it is acknowledged and of an earlier one if not, and *used_at* since when (`None` and 0: not known).
    *crossed* says of the last three exchanges whether somebody presented another id than the one exchanged: a bit each,
    the newest is bit 0.

    *idle_timeout* (milliseconds) is the session's own, by which each rotation moves its idle deadline; `None` is the
    configured one, as it is then.
    """

    generation: int
    current: bytes = field(repr=False)
    previous: bytes | None = field(repr=False)
    current_kid: int
    window_at: int
    acknowledged: bool
    idle_expires_at: int
    absolute_expires_at: int | None
    exchanged: bytes | None = field(default=None, repr=False)
    used: bytes | None = field(default=None, repr=False)
    used_at: int = 0
    crossed: int = 0
    idle_timeout: int | None = None

    @classmethod
    def first(
        cls,
        current: bytes,
        *,
        kid: int,
        used: bytes,
        now: int,
        idle_timeout: int,
        absolute_timeout: int | None,
        keeps_idle_timeout: bool = False,
    ) -> Lineage:
        """Return the lineage of a session that begins at *now* with a refresh token of the issue id *used*; times in milliseconds."""
        absolute_expires_at = None if absolute_timeout is None else now + absolute_timeout
        return cls(
            generation=0,
            current=current,
            previous=None,
            current_kid=kid,
            window_at=now,
            acknowledged=True,
            idle_expires_at=min(now + idle_timeout, absolute_expires_at or now + idle_timeout),
            absolute_expires_at=absolute_expires_at,
            used=used,
            used_at=now,
            idle_timeout=idle_timeout if keeps_idle_timeout else None,
        )

    def expired(self, now: int) -> bool:
        """Say whether the idle or the absolute deadline has passed at *now* (milliseconds)."""
        return self.idle_expires_at <= now or (self.absolute_expires_at is not None and self.absolute_expires_at <= now)

    def crossed_before(self, exchanges: int = 1) -> int:
        """Return what *crossed* becomes with so many further *exchanges* that nobody has crossed yet."""
        return (self.crossed << exchanges) % (1 << CROSSED_EXCHANGES)

    def idle_deadline(self, now: int, *, configured: int) -> int:
        """Return the idle deadline of a session that is handed on at *now*, by its own idle timeout or the *configured* one.

        It is never later than the absolute deadline. All in milliseconds.
        """
        wished = now + (configured if self.idle_timeout is None else self.idle_timeout)
        return wished if self.absolute_expires_at is None else min(wished, self.absolute_expires_at)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known of who made a request, `None` if nothing. It identifies nobody: an address is shared, and a client says what it likes."""

    ip_address: str | None = None
    user_agent: str | None = None


NOT_KNOWN = Circumstances()
"""Of a request that did not come over HTTP."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did something to a session, or acts in it: *user_id*, in the session *handle* if it is known.

    *reason* is what the actor gave for acting as another user, if it is known.
    """

    user_id: str
    handle: str | None = None
    reason: str | None = None

    @property
    def session_id(self) -> str:
        """The id of that session, empty if it is not known."""
        return split_handle(self.handle or "")[0]


EndReason = Literal[
    "signed_out",
    "by_handle",
    "others",
    "all",
    "limit",
    "superseded",
    "password_changed",
    "impersonation_ended",
    "backchannel",
    "token_revoked",
    "regressed",
    "expired",
    "ended_elsewhere",
]
"""Why a session ended; see `events.SessionRevoked`. An application may give a text of its own instead."""

MAX_REASON = 64
"""Characters of the reason that an application gives."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a session is ended, *by* whom, and in which request. *reason* is an `EndReason`, or a text of the application's."""

    reason: EndReason | str
    by: Actor | None = None
    circumstances: Circumstances = NOT_KNOWN


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """What a store keeps of one session.

    *session_id* is the key: 32 hexadecimal characters. *circumstances* are those of the request that was given the newest refresh token.
    *version* counts the changes of *access_token_payload* and *session_data* and lets them be replaced by compare-and-set. *kind* is the
    name under which a deployment configured how long the session lives. Unless it is *persistent*, it ends for its user with the browser.

    *factors* has, by the name of each method (RFC 8176), when the user was last authenticated by it (milliseconds); *acr* is the
    assurance level reached. *first_ip_address* and *first_user_agent* are those of the sign-in, *label* is what the user calls
    the session. *actor* is the user who acts as this one by impersonation, *actor_session* the handle of the actor's own session, and
    *impersonation_reason* what he gave as a reason. *external_session* and *external_subject* are digests, 32 bytes, of the
    session and the user at the identity provider that signed the user in. *last_seen_at* is when it was last used, if noted, else 0.
    *source* is the name of the system in which the session began, such as "supertokens", `None` if it began here. *bound_key* names
    the key whose possession each refresh has to prove, as `core.binding.bound_keys` writes it, `None` while the session is not bound.
    """

    session_id: str
    tenant_id: str
    user_id: str
    recipe_user_id: str
    access_token_payload: Json = field(repr=False)
    session_data: Json = field(repr=False)
    version: int
    created_at: int
    circumstances: Circumstances
    lineage: Lineage
    kind: str = DEFAULT_KIND
    persistent: bool = True
    factors: Json = field(default_factory=dict)
    acr: str | None = None
    first_ip_address: str | None = None
    first_user_agent: str | None = None
    label: str | None = None
    actor: str | None = None
    actor_session: str | None = None
    impersonation_reason: str | None = None
    external_session: bytes | None = None
    external_subject: bytes | None = None
    last_seen_at: int = 0
    source: str | None = None
    bound_key: str | None = None

    @property
    def waits(self) -> bool:
        """Whether it began in another system, and no refresh token of it has been exchanged here yet."""
        return self.source is not None and self.lineage.exchanged is None

    @property
    def handle(self) -> str:
        """The session's public name: its id, and its tenant unless that is the public one."""
        return session_handle(self.session_id, self.tenant_id)

    @property
    def acted_by(self) -> Actor | None:
        """Who acts as its user by impersonation, if anybody does."""
        return None if self.actor is None else Actor(self.actor, self.actor_session, self.impersonation_reason)


def external_digests(record: SessionRecord) -> tuple[bytes | None, bytes | None]:
    """Return by which digests of an identity provider the session can be found."""
    return record.external_session, record.external_subject


@dataclass(frozen=True, slots=True)
class Rotation:
    """Row D4 of the rotation table as one conditional write: all of it is known before the store is called.

    *presented* is the peppered hash of the token that came and *issue_id* its issue id, *successor* the hash of the token
    that follows.
    *debounce* and *idle_timeout* are milliseconds, measured by the store's clock; the session's own idle timeout counts
    instead, if it has one. *circumstances* are the request's. *proved* names the key whose possession the request proved, `None` if it
    proved none: it has to be the session's `bound_key`.
    """

    session_id: str
    generation: int
    presented: bytes = field(repr=False)
    issue_id: bytes = field(repr=False)
    successor: bytes = field(repr=False)
    successor_kid: int
    debounce: int
    idle_timeout: int
    circumstances: Circumstances = NOT_KNOWN
    proved: str | None = None


@dataclass(frozen=True, slots=True)
class Predecessor:
    """The session that a new one goes on from, as it was read: its id, and the *version* of what is taken over."""

    session_id: str
    version: int


@dataclass(frozen=True, slots=True)
class Reading:
    """A record as it stood at *now*, both read at once; *now* is the store's clock, in milliseconds."""

    record: SessionRecord | None
    now: int


MAX_NAME = 255
"""Characters of the id of a user or a tenant: every store takes as many, of whatever script."""

MAX_OBJECT = 1_048_576
"""Bytes of a payload or of session data, as JSON in UTF-8: every store takes as many, be it a database that bounds a statement."""

DEVICE_KEPT = 400 * 24 * 60 * 60 * 1000
"""Milliseconds for which a device is known after its last sign-in: browsers keep no cookie for longer."""

LATEST = 2**62
"""A moment (milliseconds) after every other."""

NoticeKind = Literal["session_revoked", "session_superseded", "session_stale", "key_deleted"]


@dataclass(frozen=True, slots=True)
class Notice:
    """What every process has to know.

    A session was revoked, another took its place, its claims were changed by its handle; a key was deleted.
    *subject* is the session's id or the key's kid; *at* is the store's clock when it happened, in milliseconds.
    """

    subject: str
    kind: NoticeKind
    at: int


@dataclass(frozen=True, slots=True)
class FeedReading:
    """Notices as a store had them, oldest first; *now* is the store's clock just before, in milliseconds."""

    notices: tuple[Notice, ...]
    now: int


@dataclass(frozen=True, slots=True)
class SigningKeyRecord:
    """What a store keeps of one signing key.

    *family* is `"d"` for keys that rotate and `"s"` for the one that does not; *sequence* counts within it,
    and the pair is unique, so that any number of workers create exactly one next key between them.
    *private_key* is encrypted under the secret *secret_kid*. *token_lifetime* (milliseconds) is the longest
    access-token lifetime in force while the key signs.
    """

    kid: str
    family: str
    sequence: int
    algorithm: str
    public_jwk: Json
    private_key: bytes = field(repr=False)
    secret_kid: int
    created_at: int
    activates_at: int
    token_lifetime: int


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a client is sent.

    *refresh_token* is `None` if only the access token is new. Moments are milliseconds;
    *claims* is the access token's whole payload, which the front token repeats. As cookies, they outlive the browser only if
    they are *persistent*.
    """

    access_token: str = field(repr=False)
    access_token_expires_at: int
    claims: Json = field(repr=False)
    anti_csrf_token: str | None = field(repr=False)
    refresh_token: str | None = field(repr=False, default=None)
    refresh_token_expires_at: int = 0
    persistent: bool = True
