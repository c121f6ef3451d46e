"""Which services may ask: those that bring their id and secret by HTTP Basic (RFC 6749, section 2.3.1).

| the request has | it comes from |
|---|---|
| one `Authorization: Basic` of an id and its secret, each percent-encoded | that client |
| a wrong one, another scheme such as `Bearer`, two of them, none; an id or a secret in the form alone | nobody |

Nobody is told what was wrong. Of configured secrets only digests are kept. They are random text of so many characters that a digest
without salt is enough, and of those characters alone that every client encodes alike: few do it as the standard says.
"""

from __future__ import annotations

import binascii
import hmac
import logging
import re
from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from inspect import isawaitable, iscoroutinefunction
from typing import Protocol, TypeAlias
from urllib.parse import unquote_plus

from pydantic import SecretStr
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from fastapi_session.errors import ConfigurationError, StoreUnavailable
from fastapi_session.model import MAX_NAME
from fastapi_session.secret_strength import MAKE_A_SECRET, MINIMUM_SECRET_BYTES, weakness

CheckClient = Callable[[str, str], bool | Awaitable[bool]]
"""A function of the application, async or not, that says whether an id and a secret are those of a client."""

Clients: TypeAlias = Mapping[str, str | Sequence[str]] | CheckClient
"""The secret of each client by its id, or several while one is being replaced; or a function that knows them."""

_ENCODED_ALIKE = re.compile(r"[A-Za-z0-9._~-]+")
_PRINTED = re.compile(r"[\x20-\x7e]+")  # RFC 6749, appendices A.1 and A.2
_NOBODY = (bytes(32),)
"""In the place of the digests of a client that is not known: nothing has this one."""

logger = logging.getLogger("fastapi_session")


class ClientsUnavailable(Exception):
    """The application's function failed: the client may be known."""


class KnownClients(Protocol):
    """Who may ask."""

    async def has(self, client_id: str, secret: SecretStr) -> bool:
        """Say whether these are the id and the secret of a client. Raises `ClientsUnavailable`, `StoreUnavailable`."""


def known_clients(clients: Clients) -> KnownClients:
    """Return the *clients* that an application names. Raises `ConfigurationError`, which shows no secret."""
    given: object = clients
    if isinstance(given, Mapping):
        return _Configured(given)
    if callable(given):
        return _Checked(given)
    raise ConfigurationError(f"introspection_router: give clients as {{id: secret}}, or a function; {MAKE_A_SECRET}")


async def client_of(request: Request, clients: KnownClients) -> str | None:
    """Return the id of the client that sends *request*, `None` if it is nobody of *clients*. Raises as `KnownClients.has`."""
    brought = _brought(request.headers.getlist("authorization"))
    if brought is None:
        return None
    client_id, secret = brought
    return client_id if await clients.has(client_id, secret) else None


class _Configured:
    """Those of a mapping."""

    def __init__(self, clients: Mapping[object, object]) -> None:
        if not clients:
            raise ConfigurationError(
                f"introspection_router: name at least one client: {{'reports': its secret}}; {MAKE_A_SECRET}"
            )
        self._digests = {_checked_id(each): tuple(_digests(each, given)) for each, given in clients.items()}

    def __repr__(self) -> str:
        return f"clients {sorted(self._digests)}"

    async def has(self, client_id: str, secret: SecretStr) -> bool:
        digest = _digest(secret.get_secret_value())
        matches = [hmac.compare_digest(digest, each) for each in self._digests.get(client_id, _NOBODY)]
        return any(matches)  # once all of them were compared


class _Checked:
    """Those that a function of the application knows."""

    def __init__(self, check: Callable[..., object]) -> None:
        self._check = check
        self._waits = iscoroutinefunction(check) or iscoroutinefunction(type(check).__call__)

    async def has(self, client_id: str, secret: SecretStr) -> bool:
        try:
            if self._waits:
                said = self._check(client_id, secret.get_secret_value())
            else:  # it may compute a password hash
                said = await run_in_threadpool(self._check, client_id, secret.get_secret_value())
            # Not whatever is true: a coroutine that nobody awaited would let everybody in.
            return (await said if isawaitable(said) else said) is True
        except StoreUnavailable:
            raise
        except Exception:  # whatever the application's function raises: its errors are its own
            logger.exception("whether a client may ask could not be found out")
            raise ClientsUnavailable from None


def _checked_id(client_id: object) -> str:
    if not isinstance(client_id, str) or not _ENCODED_ALIKE.fullmatch(client_id) or len(client_id) > MAX_NAME:
        raise ConfigurationError(
            f"introspection_router: the id of a client is 1 to {MAX_NAME} of letters, digits and -._~; what it is as an audience, "
            "audiences says"
        )
    return client_id


def _digests(client_id: object, given: object) -> Iterable[bytes]:
    secrets = [given] if isinstance(given, str) else given
    if not isinstance(secrets, Sequence) or isinstance(secrets, bytes) or not secrets:
        raise ConfigurationError(f"introspection_router: give client {client_id!r} a secret, or a list of secrets")
    return [_digest(_checked_secret(client_id, each)) for each in secrets]


def _checked_secret(client_id: object, secret: object) -> str:
    encoded = secret.encode("utf-8", "replace") if isinstance(secret, str) else b""
    if not isinstance(secret, str) or len(encoded) < MINIMUM_SECRET_BYTES or weakness(encoded):
        raise ConfigurationError(
            f"introspection_router: the secret of client {client_id!r} is easy to guess; give at least {MINIMUM_SECRET_BYTES} random "
            f"characters; {MAKE_A_SECRET}"
        )
    if not _ENCODED_ALIKE.fullmatch(secret):
        raise ConfigurationError(
            f"introspection_router: the secret of client {client_id!r} has others than letters, digits and -._~, which not every client "
            f"encodes alike; {MAKE_A_SECRET}"
        )
    return secret


def _digest(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "replace")).digest()


def _brought(headers: Sequence[str]) -> tuple[str, SecretStr] | None:
    """Return the id and the secret of the one header that came, `None` if it has none."""
    scheme, _, encoded = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    if scheme.lower() != "basic":
        return None
    try:
        pair = b64decode(encoded.strip(" "), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return None
    client_id, colon, secret = pair.partition(":")
    client_id, secret = unquote_plus(client_id), unquote_plus(secret)
    is_pair = colon and _PRINTED.fullmatch(client_id) and _PRINTED.fullmatch(secret) and len(client_id) <= MAX_NAME
    return (client_id, SecretStr(secret)) if is_pair else None
