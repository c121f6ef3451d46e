"""Redis and Valkey: whether the server keeps sessions as data, and lets us do what scripts do.

| id | looks at | level |
|---|---|---|
| FS121 | `maxmemory-policy` that evicts | error |
| FS122 | keys that were evicted | warning |
| FS123 | a server that keeps nothing on its disk | error |
| FS124 | a server that keeps snapshots, and no log (`appendonly`) | warning |
| FS125 | a replica in the place of the primary | error |
| FS126 | a server older than Redis 6.2 | error |
| FS127 | a user who may not run what scripts need | error |
| FS128 | a server that says nothing of its settings | info |
| FS129 | several shards on a server that is no cluster | info |
| FS130 | a password that goes to a public address without TLS | info |
| FS131 | replicas for which no write waits | info |

`timeout`, by which a server closes idle connections, is no fault: they are opened again.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastapi_session.doctor.finding import Check, Finding, Level
from fastapi_session.stores.facts import RedisFacts, RedisServer

OLDEST = (6, 2)

EVICTS = Check(
    "FS121",
    Level.ERROR,
    "the server evicts keys when it is full, which ends sessions and forgets which ones were revoked",
    "set maxmemory-policy noeviction, by CONFIG SET and in the configuration of the server",
)
EVICTED = Check(
    "FS122",
    Level.WARNING,
    "the server has evicted keys since it started, and sessions or revocations may be among them",
    "set maxmemory-policy noeviction as for FS121, give the server more memory, and revoke again what was revoked meanwhile",
)
NOTHING_KEPT = Check(
    "FS123",
    Level.ERROR,
    "the server keeps nothing on its disk, so a restart ends all sessions",
    "set appendonly yes and appendfsync everysec, by CONFIG SET and in the configuration of the server",
)
SNAPSHOTS = Check(
    "FS124",
    Level.WARNING,
    "the server keeps snapshots only, so a crash undoes sign-ins and sign-outs of minutes",
    "set appendonly yes and appendfsync everysec, by CONFIG SET and in the configuration of the server",
)
REPLICA = Check(
    "FS125",
    Level.ERROR,
    "the server is a replica, which refuses writes and may not have a revocation yet",
    "give the address of the primary, or a client of Sentinel that finds it",
)
TOO_OLD = Check(
    "FS126",
    Level.ERROR,
    "the server is too old for the scripts",
    "upgrade it to Redis 6.2 or newer, or to Valkey",
)
REFUSED = Check(
    "FS127",
    Level.ERROR,
    "the user of the server may not run commands that the store needs",
    "allow the user these commands: ACL SETUSER with its name, and + before each",
)
NOT_TOLD = Check(
    "FS128",
    Level.INFO,
    "the server does not say how it is set up, so its settings were not looked at",
    "allow the user INFO and CONFIG GET for the time of a check, or look at the settings at your provider's",
)
SHARDS = Check(
    "FS129",
    Level.INFO,
    "the sessions are spread over shards, and the server is no cluster: that costs transactions and gains nothing",
    "leave it as it is while sessions are kept; a new store is better off with one shard",
)
IN_THE_OPEN = Check(
    "FS130",
    Level.INFO,
    "the password and the sessions go to a public address without TLS",
    "use rediss://, unless a tunnel protects the connection",
)
NO_WRITE_WAITS = Check(
    "FS131",
    Level.INFO,
    "the server has replicas and accepts writes without them, which are lost if it was cut off and another takes over",
    "set min-replicas-to-write 1, by CONFIG SET and in the configuration of the server",
)

CHECKS = (
    EVICTS,
    EVICTED,
    NOTHING_KEPT,
    SNAPSHOTS,
    REPLICA,
    TOO_OLD,
    REFUSED,
    NOT_TOLD,
    SHARDS,
    IN_THE_OPEN,
    NO_WRITE_WAITS,
)


def redis_findings(facts: RedisFacts, *, audits: bool) -> Iterator[Finding]:
    """Yield what is wrong with the servers of *facts*; *audits* says that events are kept there."""
    for server in facts.servers:
        yield from _memory(server)
        yield from _disk(server)
        yield from _place(server)
    refused = [command for command in facts.refused or () if audits or not command.startswith("X")]
    if refused:
        yield REFUSED.found(", ".join(refused))
    if facts.shards > 1 and len(facts.servers) == 1:
        yield SHARDS.found(f"{facts.shards} shards")
    if facts.in_the_open:
        yield IN_THE_OPEN.found(", ".join(facts.in_the_open))


def _memory(server: RedisServer) -> Iterator[Finding]:
    if server.policy not in {None, "noeviction"}:
        yield EVICTS.found(f"{server.address} has maxmemory-policy {server.policy}")
    if server.evicted:
        yield EVICTED.found(f"{server.address} has evicted_keys {server.evicted}")


def _disk(server: RedisServer) -> Iterator[Finding]:
    if server.keeps_log is not False:
        return
    if server.snapshots == "":
        yield NOTHING_KEPT.found(f"{server.address} has appendonly no and no save")
    else:
        yield SNAPSHOTS.found(f"{server.address} has appendonly no and save {server.snapshots or 'unknown'}")


def _place(server: RedisServer) -> Iterator[Finding]:
    if server.role == "slave":
        yield REPLICA.found(server.address)
    if server.version is not None and server.version < OLDEST:
        yield TOO_OLD.found(f"{server.address} is {'.'.join(map(str, server.version))}")
    if server.replicas and server.replicas_to_write == 0:
        yield NO_WRITE_WAITS.found(f"{server.address} has {server.replicas} replicas and min-replicas-to-write 0")
    if None in {server.policy, server.keeps_log, server.version}:
        yield NOT_TOLD.found(server.address)
