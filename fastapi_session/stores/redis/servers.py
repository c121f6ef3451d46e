"""What servers say of themselves, by INFO and CONFIG, which a user of the server need not be allowed.

| a server | then |
|---|---|
| lets neither be asked, as providers of managed servers do | nothing is known, and that is no error |
| does not respond | raises what redis-py raises |
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from ipaddress import ip_address
from typing import Any

from redis.asyncio import RedisCluster
from redis.asyncio.connection import SSLConnection
from redis.exceptions import ResponseError

from fastapi_session.stores.facts import RedisServer
from fastapi_session.stores.redis.connections import DEFAULT_PORT, Client

_SETTINGS = ("maxmemory-policy", "appendonly", "save", "min-replicas-to-write")

Ask = Callable[..., Awaitable[Any]]


async def servers_of(client: Client) -> tuple[RedisServer, ...]:
    """Return what the server of *client*, or each primary of its cluster, says of itself."""
    if not isinstance(client, RedisCluster):
        return (await _server(_address(_arguments(client)), info=client.info, settings=client.config_get),)
    await client.initialize()
    asked = [(node, partial(client.info, target_nodes=node), _settings_of(client, node)) for node in _primaries(client)]
    return tuple([await _server(f"{node.host}:{node.port}", info=info, settings=get) for node, info, get in asked])


async def in_the_open(client: Client) -> tuple[str, ...]:
    """Return the public addresses to which *client* sends a password without TLS."""
    arguments = _arguments(client)
    has_password = arguments.get("password") or arguments.get("credential_provider")
    if not has_password or _has_tls(client, arguments):
        return ()
    hosts = {arguments.get("host")}
    if isinstance(client, RedisCluster):
        hosts = {node.host for node in _primaries(client)}
    found = [await _public_addresses(host) for host in sorted(filter(None, hosts))]
    return tuple(address for each in found for address in each)


async def _server(address: str, *, info: Ask, settings: Ask) -> RedisServer:
    told = await _if_allowed(info) or {}
    chosen = {name: (await _if_allowed(partial(settings, name)) or {}).get(name) for name in _SETTINGS}
    keeps_log, to_write = told.get("aof_enabled"), chosen["min-replicas-to-write"]
    return RedisServer(
        address=address,
        version=_version(told),
        role=told.get("role"),
        evicted=told.get("evicted_keys"),
        policy=chosen["maxmemory-policy"] or told.get("maxmemory_policy"),
        keeps_log=bool(keeps_log) if keeps_log is not None else _is_yes(chosen["appendonly"]),
        snapshots=chosen["save"],
        replicas=told.get("connected_slaves"),
        replicas_to_write=None if to_write is None else int(to_write),
    )


async def _if_allowed(ask: Callable[[], Awaitable[Any]]) -> Any:
    """Return what *ask* does, `None` if the server does not allow it, or does not know it."""
    try:
        return await ask()
    except ResponseError:
        return None


def _is_yes(setting: str | None) -> bool | None:
    return None if setting is None else setting == "yes"


def _version(told: Mapping[str, Any]) -> tuple[int, ...] | None:
    """Return the version of Redis whose commands the server has: Valkey says one too."""
    version = told.get("redis_version")
    return None if version is None else tuple(int(part) for part in str(version).split(".") if part.isdecimal())


def _primaries(cluster: RedisCluster) -> Sequence[Any]:
    return [*cluster.get_primaries()]


def _settings_of(cluster: RedisCluster, node: Any) -> Ask:
    async def get(name: str) -> Any:
        return await cluster.config_get(name, target_nodes=node)

    return get


def _arguments(client: Client) -> Mapping[str, Any]:
    """Return what the connections of *client* are made with."""
    kept: Mapping[str, Any] = (
        client.connection_kwargs if isinstance(client, RedisCluster) else client.connection_pool.connection_kwargs
    )
    return kept


def _has_tls(client: Client, arguments: Mapping[str, Any]) -> bool:
    kind = arguments.get("connection_class") or getattr(
        getattr(client, "connection_pool", None), "connection_class", None
    )
    return isinstance(kind, type) and issubclass(kind, SSLConnection)


def _address(arguments: Mapping[str, Any]) -> str:
    if path := arguments.get("path"):
        return str(path)
    host = arguments.get("host")
    return f"{host}:{arguments.get('port') or DEFAULT_PORT}" if host else "the server of the client"


async def _public_addresses(host: str) -> list[str]:
    """Return which addresses of *host* are those of the public network, none if it is not known."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    addresses = {str(each[4][0]).partition("%")[0] for each in found}
    return sorted(address for address in addresses if ip_address(address).is_global)
