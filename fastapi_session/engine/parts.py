"""What the verbs of `Sessions` work with, put together from a configuration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from functools import partial

from fastapi_session.clock import Clock
from fastapi_session.config import SessionConfig
from fastapi_session.engine.acknowledgements import Acknowledgements
from fastapi_session.engine.alarms import Alarms
from fastapi_session.engine.announcements import Announcements
from fastapi_session.engine.background import Background
from fastapi_session.engine.beginning import Beginning
from fastapi_session.engine.deployment import configured_store, key_policy, milliseconds, rotation_policy, secret_ring
from fastapi_session.engine.feed import RevocationFeed
from fastapi_session.engine.housekeeping import Housekeeping
from fastapi_session.engine.keyring import Keyring
from fastapi_session.engine.listeners import Listeners
from fastapi_session.engine.minting import Mint
from fastapi_session.engine.publisher import Publisher
from fastapi_session.engine.refreshing import Refreshing
from fastapi_session.engine.standing import Standing
from fastapi_session.engine.succession import Succession
from fastapi_session.engine.turns import Turns
from fastapi_session.engine.verified_tokens import VerifiedTokens
from fastapi_session.events import Subscriber
from fastapi_session.stores.base import JoinedStore, Store

Random = Callable[[int], bytes]
"""Answers so many random bytes."""


class Parts:
    """The parts of one engine. They share its configuration, store, secrets, clock and background."""

    def __init__(
        self, config: SessionConfig, *, clock: Clock, random: Random, subscribers: Sequence[Subscriber]
    ) -> None:
        """Put the parts together. Raises `ConfigurationError` where store or secret cannot be had."""
        self.clock = clock
        self.random = random
        self.on_end = _committed
        self.store: Store = configured_store(config, clock=clock)
        self.joined: JoinedStore | None = None  # who holds a connection already waits for no other
        self.ring = secret_ring(config, self.store, random=random)
        self.background = Background()
        self.listeners = Listeners()
        self.turns = Turns()
        self.beginning = Beginning(config, ring=self.ring, random=random)
        self.mint = Mint(config, ring=self.ring, clock=clock, random=random)
        self.keyring = Keyring(
            self.store,
            ring=self.ring,
            policy=key_policy(config),
            clock=clock,
            random=random,
            background=self.background,
        )
        self.feed = self._feed(config)
        self.publisher = Publisher(subscribers, background=self.background)
        self.announcements = Announcements(self.publisher.tell if subscribers else None, feed=self.feed, clock=clock)
        policy = rotation_policy(config)
        self.succession = Succession(self.feed, clock=clock, grace=policy.grace)
        self.refreshing = Refreshing(
            self.store,
            ring=self.ring,
            policy=policy,
            announcements=self.announcements,
            succession=self.succession,
            reuse_is_theft=config.recent_token_reuse_behaviour == "TOKEN_THEFT",
            alarms=Alarms(self.store, announcements=self.announcements, background=self.background),
            random=random,
        )
        self.verified_tokens = VerifiedTokens(config.issuer if "api_domain" in config.model_fields_set else None)
        self.standing = Standing(self.store, ring=self.ring, feed=self.feed, succession=self.succession)
        self.acknowledgements = Acknowledgements(self.store, ring=self.ring, background=self.background)
        self.housekeeping = Housekeeping(self.store, feed=self.feed, clock=clock, background=self.background)

    def within(self, store: JoinedStore) -> Parts:
        """Return these parts, but that they read and write through *store*, and tell of it once its transaction has committed."""
        parts = copy(self)
        parts.store, parts.joined, parts.on_end = store, store, store.on_end
        parts.turns = Turns()  # those of others may wait for a connection
        parts.succession = self.succession.within(store)
        parts.standing = Standing(store, ring=self.ring, feed=self.feed, succession=parts.succession)
        parts.announcements = self.announcements.told(lambda tell: store.on_end(partial(_if_committed, tell)))
        return parts

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


def _committed(tell: Callable[[bool], None]) -> None:
    """Tell that what was written has been committed: no transaction outlives a verb, but for the user's."""
    tell(True)


def _if_committed(tell: Callable[[], None], has_committed: bool) -> None:  # noqa: FBT001 - as stores call it
    if has_committed:
        tell()
