"""All parts of the engine, put together from a configuration."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from functools import partial

from pydantic import SecretStr

from fastapi_session.clock import Clock
from fastapi_session.config import SessionConfig
from fastapi_session.core import refresh_token
from fastapi_session.core.authentication import Authenticated
from fastapi_session.core.claims.validators import SessionFacts
from fastapi_session.core.continuing import ForeignRules
from fastapi_session.core.rotation import RotationPolicy
from fastapi_session.core.signing_keys import ROTATING, STATIC
from fastapi_session.engine.adopting import Adopting
from fastapi_session.engine.announcements import Announcements, Publisher
from fastapi_session.engine.audit_trail import event_store
from fastapi_session.engine.background import Background, SingleFlight
from fastapi_session.engine.beginnings import Beginnings
from fastapi_session.engine.binding.device_binding import DeviceBinding
from fastapi_session.engine.binding.dpop_proofs import DpopProofs
from fastapi_session.engine.claim_checks import ClaimChecks
from fastapi_session.engine.elevation import Elevation
from fastapi_session.engine.from_config import (
    configured_secrets,
    configured_store,
    key_policy,
    milliseconds,
    rotation_policy,
)
from fastapi_session.engine.guests import Guests
from fastapi_session.engine.housekeeping import Audited, Housekeeping
from fastapi_session.engine.impersonation import Impersonation
from fastapi_session.engine.keys.keyring import Keyring
from fastapi_session.engine.keys.published_keys import PublishedKeys
from fastapi_session.engine.known_devices import KnownDevices
from fastapi_session.engine.last_seen import configured_last_seen
from fastapi_session.engine.record_changes import RecordChanges, SessionLocks
from fastapi_session.engine.revocation.ended_sessions import EndedSessions
from fastapi_session.engine.revocation.feed import RevocationFeed
from fastapi_session.engine.revocation.session_listeners import SessionListeners
from fastapi_session.engine.revocation.token_check import TokenCheck
from fastapi_session.engine.session_limits import SessionLimits
from fastapi_session.engine.tokens.acknowledgements import Acknowledgements
from fastapi_session.engine.tokens.alarms import Alarms
from fastapi_session.engine.tokens.continuing import Continuing
from fastapi_session.engine.tokens.issuing import Mint
from fastapi_session.engine.tokens.new_sessions import NewSessions
from fastapi_session.engine.tokens.refreshing import Refreshing
from fastapi_session.engine.tokens.slow_verifying import SlowVerifying
from fastapi_session.engine.tokens.taking_in import TakingIn
from fastapi_session.engine.tokens.verified_tokens import VerifiedTokens
from fastapi_session.engine.user_sessions import UserSessions
from fastapi_session.errors import ConfigurationError, StoreUnavailable
from fastapi_session.events import Subscriber
from fastapi_session.foreign_sessions import ForeignSessions, ForeignToken
from fastapi_session.model import Actor, Ending
from fastapi_session.randomness import Random
from fastapi_session.stores.base import JoinedStore, MovableStore, SessionStore, Store
from fastapi_session.telemetry.counts import Counts
from fastapi_session.telemetry.metrics import Metrics

logger = logging.getLogger("fastapi_session")


class Engine:
    """The parts of one engine. They share its configuration, store, secrets, clock and background."""

    def __init__(
        self,
        config: SessionConfig,
        *,
        clock: Clock,
        random: Random,
        subscribers: Sequence[Subscriber],
        moving_from: ForeignSessions | None = None,
    ) -> None:
        """Put the parts together. Raises `ConfigurationError` if there is no store or no secret, or sessions cannot move into the store."""
        self.clock, self.random = clock, random
        self.on_end = _committed
        self.store: Store = configured_store(config, clock=clock)
        self.secrets = configured_secrets(config, self.store, random=random)
        self.background = Background()
        self.listeners = SessionListeners()
        self.new_sessions = NewSessions(config, secrets=self.secrets, random=random)
        self.session_limits = SessionLimits(config)
        self.mint = Mint(config, secrets=self.secrets, clock=clock, random=random)
        self.keyring = Keyring(
            self.store,
            secrets=self.secrets,
            policy=key_policy(config),
            clock=clock,
            random=random,
            background=self.background,
        )
        self.feed = self._feed(config)
        publish = Publisher(subscribers, background=self.background).publish if subscribers else None
        self.counts = Counts()
        self.announcements = Announcements(
            publish, feed=self.feed, clock=clock, random=random, counts=self.counts, audit=config.audit
        )
        self.metrics = self._metrics(config)
        policy = rotation_policy(config)
        self.ended_sessions = EndedSessions(self.feed, clock=clock, grace=policy.grace)
        self.alarms = Alarms(self.store, announcements=self.announcements, background=self.background)
        self.refreshing = self._refreshing(config, policy)
        self.continuing = None if moving_from is None else self._continuing(config, moving_from)
        self._opening_foreign = SingleFlight(partial(self._open_foreign, self.store), background=self.background)
        self.verified_tokens = VerifiedTokens(config.issuer, bound="api_domain" in config.model_fields_set)
        self.acknowledgements = Acknowledgements(self.store, secrets=self.secrets, background=self.background)
        self._see(config)
        self.housekeeping = self._housekeeping(config)
        self.adopting = self._adopting()
        self.claim_checks = ClaimChecks(clock=clock)
        self.no_facts = SessionFacts(acr_order=config.acr_order)
        self._config = config
        self._use(self.store, joined=None)

    async def open(self, *, observed: bool) -> None:
        """Connect all that has to be connected, and begin what runs until `close`; *observed* is for telemetry. Raises as `Sessions.open`."""
        if observed:
            self.metrics.begin()
        await self.store.open()
        try:
            await self.ensure_foreign_open()
        except StoreUnavailable as error:  # who has moved need not wait for it, and who has not is told to come again
            logger.error("sessions that have not moved yet cannot go on until this is mended: %s", error)  # noqa: TRY400 - the cause may quote a URL
        await self.keyring.signing_key()
        await self.keyring.signing_key(static=True)  # so that it is published before it signs
        await self.feed.open()

    async def close(self) -> None:
        """Finish what runs in the background, and let go of what `open` took."""
        await self.feed.close()
        if self.last_seen is not None:
            await self.last_seen.close()
        await self.background.finish()
        if self.continuing is not None:
            await self.continuing.close()
        await self.store.close()
        self.metrics.end()

    def within(self, store: JoinedStore) -> Engine:
        """Return a copy of these parts that reads and writes through *store*, and sends events once its transaction has committed."""
        engine = copy(self)
        engine.on_end = store.on_end
        engine.announcements = self.announcements.deferred(
            lambda announce: store.on_end(partial(_if_committed, announce))
        )
        engine.ended_sessions = self.ended_sessions.within(store)
        if self.continuing is not None and isinstance(store, MovableStore):
            engine.continuing = self.continuing.within(store, engine.announcements)
        engine._use(store, joined=store)  # noqa: SLF001  it is one of these
        return engine

    async def ensure_foreign_open(self) -> None:
        """Connect the system whose sessions go on here, unless that was done: its tokens can be read only then. Raises as its `open`."""
        if self.continuing is not None and not self.continuing.is_open:
            await self._opening_foreign()

    async def read_foreign_when_open(self, text: SecretStr) -> ForeignToken | None:
        """Return what `read_foreign` does. Raises as `ensure_foreign_open`, and then no frame shows *text*."""
        await self.ensure_foreign_open()
        return self.read_foreign(text.get_secret_value())

    def read_foreign(self, text: str) -> ForeignToken | None:
        """Return the content of the refresh token *text* of the system whose sessions go on here, `None` if it is none."""
        return None if self.continuing is None else self.continuing.read(text)

    def may_be_foreign(self, text: str) -> bool:
        """Say whether *text*, which could not be read, may be a refresh token of that system: with a wrong key all of them are unreadable."""
        return self.continuing is not None and len(text) != refresh_token.LENGTH

    def facts(self, authenticated: Authenticated | None, *, actor: Actor | None, is_guest: bool) -> SessionFacts:
        """Return what demands on a session are given whose user was *authenticated* so, and as whom somebody may act."""
        return SessionFacts(authenticated, self.no_facts.acr_order, actor, is_guest)

    def _use(self, store: Store, *, joined: JoinedStore | None) -> None:
        """Make the parts that read and write through *store*, which is *joined* if it does so in a transaction of the user's.

        Waiting for a second connection can deadlock a full pool: so these parts use the user's alone.
        """
        self.store = store
        self.joined = joined
        # What is still elsewhere is taken in where it is asked for.
        records = self.records = store if self.continuing is None else self.continuing.continued(store)
        self._check(records, joined=joined)
        # A transaction has locks of its own: the holder of a shared one may be waiting for a connection.
        locks = SessionLocks()
        self.record_changes = RecordChanges(
            records, joined=joined, mint=self.mint, keyring=self.keyring, locks=locks, announcements=self.announcements
        )
        self.elevation = Elevation(
            records,
            joined=joined,
            new_sessions=self.new_sessions,
            mint=self.mint,
            keyring=self.keyring,
            locks=locks,
            announcements=self.announcements,
            acr_order=self.no_facts.acr_order,
            clock=self.clock,
        )
        guests = Guests(records, record_changes=self.record_changes, announcements=self.announcements)
        self.known_devices = KnownDevices(store, joined=joined, tracking=self._tracking)
        devices = None if self._tracking == "off" else self.known_devices
        self.beginnings = Beginnings(
            records,
            guests=guests,
            announcements=self.announcements,
            devices=devices,
            elsewhere=None if self.continuing is None else self.continuing.taking_in,
        )
        self.impersonation = Impersonation(
            records,
            joined=joined,
            new_sessions=self.new_sessions,
            mint=self.mint,
            keyring=self.keyring,
            record_changes=self.record_changes,
            ended_sessions=self.ended_sessions,
            announcements=self.announcements,
            clock=self.clock,
        )
        self.user_sessions = UserSessions(records, announcements=self.announcements, clock=self.clock)
        self.published_keys = PublishedKeys(self._config, keyring=self.keyring, clock=self.clock, joined=joined)

    def _housekeeping(self, config: SessionConfig) -> Housekeeping:
        audited = self._audited(config)
        return Housekeeping(self.store, feed=self.feed, clock=self.clock, background=self.background, audited=audited)

    def _adopting(self) -> Adopting:
        return Adopting(
            self.store,
            secrets=self.secrets,
            new_sessions=self.new_sessions,
            mint=self.mint,
            keyring=self.keyring,
            announcements=self.announcements,
            background=self.background,
            housekeeping=self.housekeeping,
            random=self.random,
        )

    def _check(self, records: SessionStore, *, joined: JoinedStore | None) -> None:
        """Make the parts that say whether an access token is good."""
        self.token_check = TokenCheck(records, secrets=self.secrets, feed=self.feed, ended_sessions=self.ended_sessions)
        self.slow_verifying = SlowVerifying(
            joined=joined,
            feed=self.feed,
            keyring=self.keyring,
            verified_tokens=self.verified_tokens,
            token_check=self.token_check,
            clock=self.clock,
        )

    def _refreshing(self, config: SessionConfig, policy: RotationPolicy) -> Refreshing:
        return Refreshing(
            self.store,
            secrets=self.secrets,
            policy=policy,
            announcements=self.announcements,
            ended_sessions=self.ended_sessions,
            reuse_is_theft=config.recent_token_reuse_behaviour == "TOKEN_THEFT",
            alarms=self.alarms,
            random=self.random,
        )

    async def _open_foreign(self, store: Store) -> None:
        if self.continuing is not None:
            await self.continuing.open(store, clock=self.clock)

    def _continuing(self, config: SessionConfig, source: ForeignSessions) -> Continuing:
        store = self.store
        if not isinstance(store, MovableStore):
            raise ConfigurationError(
                "moving_from: this store takes in no sessions; give it the methods of MovableStore"
            )
        policy = replace(rotation_policy(config), debounce=0)
        return Continuing(
            store,
            taking_in=TakingIn(
                source,
                store,
                new_sessions=self.new_sessions,
                mint=self.mint,
                announcements=self.announcements,
                clock=self.clock,
            ),
            refreshing=self._refreshing(config, policy),
            rules=ForeignRules(policy, self.secrets, milliseconds(source.rotation_grace)),
            random=self.random,
        )

    def _audited(self, config: SessionConfig) -> Audited | None:
        if not config.audit:
            return None
        expired = partial(self.announcements.audit_of_end, Ending("expired"))
        return Audited(event_store(self.store), expired, kept_for=milliseconds(config.audit_retention))

    def _metrics(self, config: SessionConfig) -> Metrics:
        family = ROTATING if config.use_dynamic_access_token_signing_key else STATIC

        def key_age() -> int | None:
            now = self.clock()
            key = self.keyring.keys.signing(family, now=now, algorithm=config.access_token_signing_algorithm)
            return None if key is None else now - key.record.activates_at

        ages = {"feed": lambda: self.feed.age, "signing_key": key_age}
        return Metrics(self.counts, ages=ages, store=self.store, issuer=config.issuer)

    def _see(self, config: SessionConfig) -> None:
        """Make what sees which sessions are in use, which devices users have, and whether those prove their keys."""
        secrets, announcements, clock = self.secrets, self.announcements, self.clock
        self.device_binding = DeviceBinding(
            config, self.store, secrets=secrets, announcements=announcements, clock=clock, random=self.random
        )
        self.dpop_proofs = DpopProofs(config, self.store, secrets=secrets, clock=clock)
        self._tracking = config.devices
        self.last_seen, used = configured_last_seen(config, self.store), self.acknowledgements.used
        self.used = used if self.last_seen is None else self.last_seen.noting(used, clock=self.clock)

    def _feed(self, config: SessionConfig) -> RevocationFeed:
        max_age = config.revocation_feed_max_age
        return RevocationFeed(
            self.store,
            clock=self.clock,
            background=self.background,
            listeners=self.listeners,
            key_deleted=self.keyring.forget,
            interval=milliseconds(config.revocation_feed_interval),
            max_age=None if max_age is None else milliseconds(max_age),
            kept_for=lambda: self.keyring.token_lifetime,
        )


def _committed(callback: Callable[[bool], None]) -> None:
    """Call *callback* with true: without a transaction of the user's, what a verb has written is committed."""
    callback(True)


def _if_committed(announce: Callable[[], None], has_committed: bool) -> None:  # noqa: FBT001 - as stores call it
    if has_committed:
        announce()
