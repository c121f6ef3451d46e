"""From the configuration to what the engine works with: store, secrets, and policies in milliseconds."""

from __future__ import annotations

from datetime import timedelta

from fastapi_session.clock import Clock
from fastapi_session.config import SessionConfig
from fastapi_session.config.contradictions import misread_secrets
from fastapi_session.core.rotation import RotationPolicy
from fastapi_session.core.secret import Secret, Secrets
from fastapi_session.core.signing_keys import KeyPolicy
from fastapi_session.engine.keys import secret_file
from fastapi_session.errors import ConfigurationError
from fastapi_session.randomness import Random
from fastapi_session.secret_strength import MAKE_A_SECRET, MINIMUM_SECRET_BYTES
from fastapi_session.stores.base import Store
from fastapi_session.stores.by_url import store_by_url
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.stores.sqlite import SqliteStore

PUBLISH_LEAD = timedelta(minutes=10)
"""How long a signing key is published before it signs, so that every verifier knows it by then."""


def milliseconds(duration: timedelta) -> int:
    """Return *duration* in whole milliseconds."""
    return duration // timedelta(milliseconds=1)


def configured_store(config: SessionConfig, *, clock: Clock) -> Store:
    """Return the store that *config* names or holds. Raises `ConfigurationError` if a URL names none."""
    return store_by_url(config.store, clock=clock) if isinstance(config.store, str) else config.store


def configured_secrets(config: SessionConfig, store: Store, *, random: Random) -> Secrets:
    """Return the secrets of *config*; without any, those that the embedded stores keep for themselves.

    Raises `ConfigurationError` if a secret is too short, or none is given and *store* is shared by machines.
    """
    return Secrets([*map(Secret.from_material, config.secrets or (_own_secret(store, random),))])


def _own_secret(store: Store, random: Random) -> bytes:
    if isinstance(store, MemoryStore):
        return random(MINIMUM_SECRET_BYTES)  # its sessions end with the process anyway
    if isinstance(store, SqliteStore):
        return secret_file.read_or_create(secret_file.beside(store.path))
    raise ConfigurationError(
        f"secret: this store needs one of your own (FASTAPI_SESSION_SECRET){misread_secrets()}; {MAKE_A_SECRET}"
    )


def rotation_policy(config: SessionConfig) -> RotationPolicy:
    """Return what *config* says of refresh tokens."""
    grace = milliseconds(config.refresh_token_rotation_grace_period)
    return RotationPolicy(
        grace=grace,
        debounce=grace,  # no setting of its own: no token rotates twice in a grace period
        lost_response_recovery=config.lost_response_recovery,
        idle_timeout=milliseconds(config.idle_timeout),
        binds_within=milliseconds(config.device_binding_grace) if config.requires_binding else None,
    )


def access_token_validities(config: SessionConfig) -> dict[str, int]:
    """Return how many milliseconds the access tokens of each kind of session are believed."""
    return {
        name: milliseconds(kind.access_token_validity or config.access_token_validity)
        for name, kind in config.all_kinds.items()
    }


def key_policy(config: SessionConfig) -> KeyPolicy:
    """Return what *config* says of signing keys."""
    return KeyPolicy(
        algorithm=config.access_token_signing_algorithm,
        rotation_interval=milliseconds(config.access_token_dynamic_signing_key_update_interval),
        publish_lead=milliseconds(PUBLISH_LEAD),
        token_lifetime=max(access_token_validities(config).values()),
        static=not config.use_dynamic_access_token_signing_key,
    )
