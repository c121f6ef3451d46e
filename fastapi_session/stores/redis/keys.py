"""Which key holds what: the names of the keys, and which of them share a slot of a cluster.

| key | type | what it holds |
|---|---|---|
| `{prefix:n}:session:<session id>` | hash | one session, a field a column |
| `{prefix:n}:by_user` | sorted set | the name of every session of the shard, in the order of their users |
| `{prefix:n}:by_deadline` | sorted set | the same names, by the moment at which the session ends |
| `{prefix:n}:by_external` | sorted set | of each session that an identity provider signed in, name and digest, in both orders |
| `{prefix:n}:events` | stream | the events of the sessions of the shard, if they are audited |
| `{prefix:n}:events_by_user` | sorted set | the place of each of these events, in the order of their users |
| `{prefix:n}:notices` | sorted set | what is to be heard of the sessions of the shard, by the moment it happened |
| `{prefix:n}:devices:<user><tenant>` | sorted set | the devices by which a user signs in, by when each was last seen |
| `{prefix:n}:once:<digest>` | hash | the ticket of the request that remembered the digest, and until when |
| `{prefix}:signing_keys` | hash | a signing key's row, by its family and sequence |
| `{prefix}:signing_key_places` | hash | that family and sequence, by kid |
| `{prefix}:notices` | sorted set | what is to be heard of the signing keys, by the moment it happened |

The id of a session alone says its shard, since nothing else is known when a refresh token comes. All keys of a shard
have one hash tag: whatever happens to one session is one script, its indexes included.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from zlib import crc32

from fastapi_session.errors import ConfigurationError
from fastapi_session.stores.taking_in import marked_session


@dataclass(frozen=True, slots=True)
class Shard:
    """The keys under one hash *tag*."""

    tag: str

    @property
    def feed(self) -> str:
        """The key of what is to be heard of the sessions of the shard."""
        return f"{self.tag}:notices"

    @property
    def events(self) -> Sequence[str]:
        """The keys of the events of the sessions of the shard, and of their index."""
        return [f"{self.tag}:events", f"{self.tag}:events_by_user"]

    def pattern(self, what: str) -> str:
        """Return what matches the keys of the shard that hold *what*, such as "devices"."""
        return re.sub(r"([\\\\*?\[\]])", r"\\\1", self.tag) + f":{what}:*"

    def keys(self, *session_ids: str) -> Sequence[str]:
        """Return the keys of a script about the sessions *session_ids*: the indexes, the feed, then one key a session."""
        return [
            f"{self.tag}:by_user",
            f"{self.tag}:by_deadline",
            f"{self.tag}:by_external",
            self.feed,
            *(f"{self.tag}:session:{each}" for each in session_ids),
        ]


class Keyspace:
    """All keys that begin with *prefix*, spread over so many *shards*. Raises ConfigurationError if that cannot be."""

    def __init__(self, prefix: str, *, shards: int) -> None:
        if not prefix or {"{", "}"} & set(prefix):
            raise ConfigurationError("RedisStore: prefix must not be empty, nor have braces, which mean a hash tag")
        if shards < 1:
            raise ConfigurationError("RedisStore: shards must be at least 1")
        self.shards = [Shard(f"{{{prefix}:{number}}}") for number in range(shards)]
        tag = f"{{{prefix}}}"
        self.signing_keys = [f"{tag}:signing_keys", f"{tag}:signing_key_places", f"{tag}:notices"]
        self.feeds = [*(shard.feed for shard in self.shards), self.signing_keys[-1]]

    def shard_of(self, session_id: str) -> Shard:
        """Return the shard that keeps the session *session_id*."""
        return self.shards[crc32(session_id.encode()) % len(self.shards)]

    def devices(self, user_id: str, tenant_id: str) -> str:
        """The key of the devices by which the user signs in."""
        name = f"{json.dumps(user_id)}{json.dumps(tenant_id)}"
        return f"{self.shard_of(name).tag}:devices:{name}"

    def once(self, digest: bytes) -> str:
        """Return the key of what must not happen twice, by its *digest*: if that is of a session, in the shard of the session."""
        text = digest.hex()
        return f"{self.shard_of(marked_session(digest) or text).tag}:once:{text}"


ALL_NAMES = "-", "+"
"""The bounds, for ZRANGEBYLEX, of the names of all sessions of a shard."""


def names_of_user(user_id: str, tenant_id: str | None) -> tuple[str, str]:
    """Return the bounds, for ZRANGEBYLEX, of the names of the user's sessions; of every tenant if none is given.

    A name is user, tenant and session id, each as JSON: a quote ends each, so that no user begins like another.
    """
    begins = json.dumps(user_id) + ("" if tenant_id is None else json.dumps(tenant_id))
    return f"[{begins}", f"({begins}~"


def session_ids_of(names: Iterable[str]) -> list[str]:
    """Return the session ids at the end of *names*."""
    # A name ends with the JSON of 32 hexadecimal digits.
    return [name[-33:-1] for name in names]


def user_of_devices(key: str) -> tuple[str, str]:
    """Return the user, and the tenant, of whom *key* holds the devices: the other way round than `Keyspace.devices`."""
    name = key.partition(":devices:")[2]
    user_id, end = json.JSONDecoder().raw_decode(name)
    return user_id, json.loads(name[end:])


def digest_of_once(key: str) -> bytes:
    """Return the digest that *key* remembers: the other way round than `Keyspace.once`."""
    return bytes.fromhex(key.rpartition(":")[2])
