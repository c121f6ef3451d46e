"""The DPoP proof that came with a request (RFC 9449), and what it counts for.

| the request | its proof |
|---|---|
| brings an access token by the scheme `DPoP` | is of that token; a token that is bound to no key is refused |
| brings an access token by the scheme `Bearer`, or in a cookie | is not looked at: if the token is bound to a key, `Sessions.verify` refuses it |
| brings a refresh token by the scheme `DPoP` | has to be there and to hold; whose key is needed, `Sessions.refresh` says |
| brings a refresh token by the scheme `Bearer` | need not be there, but if it is, it is as that |
| begins a session whose tokens travel in headers | binds it, if `dpop` is not off; it may be missing if that is `optional` |
| begins a session whose tokens travel in cookies | is not looked at |

A proof is checked once for all that a request does, and counts as used once its session is known: so only clients of the
deployment can fill the memory of those that were used.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from starlette.requests import HTTPConnection
from starlette.types import Scope

from fastapi_session.core.access_token import AccessToken
from fastapi_session.core.binding.bound_keys import Possession, dpop_key
from fastapi_session.core.binding.dpop import CheckedProof
from fastapi_session.engine.binding.dpop_proofs import DpopProofs
from fastapi_session.engine.tokens.verified_tokens import AnyAccessToken
from fastapi_session.errors import DpopError
from fastapi_session.web.exchange import Exchange
from fastapi_session.web.transport import Method

_KEY = "fastapi_session.dpop_proof"
"""Where the proof of a request is in its scope: that of a mounted application, which has an exchange of its own, is the same."""

ORIGIN_KEY = "fastapi_session.dpop_origin"
"""Where in a scope the origin is of a request that went to another host than that of the API, as a proxy has described it."""


@dataclass(slots=True)
class _Known:
    """A proof that *by* has checked, *with_token* together with the access token that came. It was used here, or everywhere."""

    by: DpopProofs = field(repr=False)
    proof: CheckedProof
    with_token: bool
    possession: Possession  # for whatever session
    is_used: bool = False
    is_used_everywhere: bool = False

    def use(self) -> None:
        """Count it as used in this process. Raises as `DpopProofs.use`."""
        if not self.is_used:
            self.by.use(self.proof)
            self.is_used = True

    async def use_everywhere(self) -> None:
        """Count it as used in all processes. Raises as `DpopProofs.use_everywhere`."""
        if not self.is_used_everywhere:
            await self.by.use_everywhere(self.proof)
            self.is_used_everywhere = True


async def verified_by_proof(
    connection: HTTPConnection, exchange: Exchange, presented: AnyAccessToken, *, check_database: bool
) -> AccessToken:
    """Return the content of the access token *presented*, whose key the request proves. Raises `DpopError`, and as `Sessions.verify`."""
    known = _known(connection, exchange, with_token=True)
    content = await exchange.sessions.verify(presented, check_database=check_database, possession=known.possession)
    if content.jkt is None:
        raise DpopError("invalid_token", "the token is bound to no key", handle=content.session_handle)
    known.use()
    if check_database:
        await known.use_everywhere()
    return content


def possession_to_refresh(connection: HTTPConnection, exchange: Exchange, text: str) -> Possession | None:
    """Return what the request proves that brings the refresh token *text* in a header, `None` if nothing. Raises `DpopError`."""
    credentials = exchange.credentials(connection)
    if not credentials.proofs and credentials.scheme != "dpop":
        return None
    known = _known(connection, exchange, with_token=False)
    if exchange.sessions.is_refresh_token(text):
        known.use()
    return known.possession


def key_of_new_session(connection: HTTPConnection, exchange: Exchange, *, method: Method) -> str | None:
    """Return the key to which a session is to be bound that begins with the request, `None` for none. Raises `DpopError`."""
    setting = exchange.sessions.config.dpop
    if method == "cookie" or setting == "off":
        return None
    if setting == "optional" and not exchange.credentials(connection).proofs:
        return None
    known = _known(connection, exchange, with_token=False)
    known.use()
    return known.possession.bound_key


def _known(connection: HTTPConnection, exchange: Exchange, *, with_token: bool) -> _Known:
    """Return the proof of the request, checked now if it has not been yet. Raises `DpopError`, and then a nonce is sent if one is asked for."""
    scope, proofs = connection.scope, exchange.sessions.dpop_proofs
    found: _Known | None = scope.get(_KEY)
    if found is not None and found.by is proofs and (found.with_token or not with_token):
        return found
    try:
        proof = proofs.check(
            exchange.proofs(connection),
            method=scope.get("method", "GET"),  # a socket has none in its scope, and is opened by a GET
            path=path_of(scope),
            origin=scope.get(ORIGIN_KEY),
            access_token=exchange.access_token if with_token else None,
        )
    except DpopError:
        exchange.send_nonce(proofs.new_nonce(None))
        raise
    if proofs.asks_for_nonces:
        exchange.send_nonce(proofs.new_nonce(proof))
    is_used = found is not None and found.by is proofs and found.is_used
    known = scope[_KEY] = _Known(proofs, proof, with_token, _possession(proof.jkt), is_used)
    return known


@lru_cache(maxsize=2_048)  # a client has the same key each time
def _possession(jkt: str) -> Possession:
    return Possession(dpop_key(jkt))


def path_of(scope: Scope) -> str:
    """Return the path of a request as its client sees it, decoded: with the prefix that a proxy has stripped and the server knows of."""
    # Some servers put the prefix back in front of the path, and some do not.
    root, path = scope.get("root_path", ""), scope["path"]
    return path if not root or path == root or path.startswith(f"{root}/") else f"{root}{path}"
