"""A SuperTokens core in memory: it begins, refreshes and ends sessions as the core does, and mints the same tokens by the same primitives.

It is asked as any system whose sessions move in (`ForeignSessions`), and opens its tokens as `SuperTokens` does.
"""

from __future__ import annotations

import hashlib
import json
import os
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from jose import jwk
from pydantic import SecretStr

from fastapi_session.clock import Clock
from fastapi_session.core import base64url
from fastapi_session.errors import PayloadError, StoreUnavailable
from fastapi_session.foreign_sessions import ForeignKey, ForeignSession, ForeignToken
from fastapi_session.handles import PUBLIC_TENANT, session_handle, split_handle
from fastapi_session.moving.supertokens.refresh_token import opened
from tests.milliseconds import DAY, HOUR

KEY = f"1000:{'5a' * 64}:{'c3' * 64}"
GRACE = 30_000
ISSUER = "http://testserver/auth"
SIGNING = generate_private_key(public_exponent=65537, key_size=2048)
KID = "d-1765440000000"


def h1(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def h2(refresh_token_hash: str) -> bytes:
    return hashlib.sha256(refresh_token_hash.encode()).digest()


@dataclass(frozen=True, slots=True)
class OldTokens:
    """What a client of the core holds."""

    refresh: str = field(repr=False)
    access: str = field(repr=False)
    anti_csrf: str | None = field(repr=False, default=None)


class OldCore:
    """The core of a deployment. It *is_down* when it is told so, and *is_exported* once nobody asks its database any more."""

    name = "supertokens"
    rotation_grace = timedelta(milliseconds=GRACE)

    def __init__(self, clock: Clock, *, key: str = KEY) -> None:
        self.clock = clock
        self.key = key
        self.issuer = ISSUER
        self.sessions: dict[str, ForeignSession] = {}
        self.unfit: set[str] = set()
        self.access_token_validity = timedelta(hours=1)
        self.is_down = self.is_exported = False
        self.asked = 0

    # As the application of before used it.

    def begin(
        self, user_id: str = "ada", *, tenant_id: str = PUBLIC_TENANT, anti_csrf: str | None = None, **fields: Any
    ) -> OldTokens:
        """Begin a session, and return what its client is sent."""
        uuid = uuid4()
        handle = session_handle(str(uuid), tenant_id)
        tokens = self.minted(handle, user_id, anti_csrf=anti_csrf)
        now = self.clock()
        session = ForeignSession(
            session_id=uuid.hex,
            tenant_id=tenant_id,
            user_id=user_id,
            recipe_user_id=user_id,
            access_token_payload={},
            session_data={},
            created_at=now,
            expires_at=now + 100 * DAY,
            current=h2(h1(tokens.refresh)),
        )
        self.sessions[uuid.hex] = replace(session, **fields)
        return tokens

    def refresh(self, tokens: OldTokens, *, writes_it_down: bool = True) -> OldTokens:
        """Return the child of *tokens*, which is written down at once, or only at its first use."""
        session = self.sessions[self._read(tokens.refresh).session_id]
        child = self.minted(handle_of(session), session.user_id, parent=tokens, anti_csrf=tokens.anti_csrf)
        if writes_it_down:
            previous, now = h2(h1(tokens.refresh)), self.clock()
            self.sessions[session.session_id] = replace(
                session,
                current=h2(h1(child.refresh)),
                previous=previous,
                rotated_at=now,
                expires_at=now + 100 * DAY,
            )
        return child

    def revoke(self, tokens: OldTokens) -> None:
        del self.sessions[self._read(tokens.refresh).session_id]

    def minted(
        self, handle: str, user_id: str, *, parent: OldTokens | None = None, anti_csrf: str | None = None
    ) -> OldTokens:
        """Return tokens, whether there is such a session or not."""
        nonce, tenant_id = hashlib.sha256(os.urandom(32)).hexdigest(), split_handle(handle)[1]
        content = {"sessionHandle": handle, "userId": user_id, "nonce": nonce}
        if parent is not None:
            content["parentRefreshTokenHash1"] = h1(parent.refresh)
        if anti_csrf is not None:
            content["antiCsrfToken"] = anti_csrf
        if tenant_id != PUBLIC_TENANT:
            content["tenantId"] = tenant_id
        refresh = self.sealed(json.dumps(content).encode(), nonce)
        return OldTokens(refresh, self.access_token(handle, user_id, refresh, parent, anti_csrf), anti_csrf)

    def sealed(self, content: bytes, nonce: str) -> str:
        iv = os.urandom(12)
        return f"{b64encode(iv + AESGCM(self._aes(iv)).encrypt(iv, content, None)).decode()}.{nonce}.V2"

    def access_token(
        self,
        handle: str,
        user_id: str,
        refresh: str,
        parent: OldTokens | None = None,
        anti_csrf: str | None = None,
        *,
        version: str = "5",
        **claims: Any,
    ) -> str:
        now = self.clock() // 1000
        payload = {
            "iat": now,
            "exp": now + HOUR // 1000,
            "sub": user_id,
            "tId": split_handle(handle)[1],
            "rsub": user_id,
            "sessionHandle": handle,
            "refreshTokenHash1": h1(refresh),
            "parentRefreshTokenHash1": None if parent is None else h1(parent.refresh),
            "antiCsrfToken": anti_csrf,
            "iss": self.issuer,
            **claims,
        }
        header = {"kid": KID, "typ": "JWT", "version": version, "alg": "RS256"}
        text = ".".join(base64url.encode(json.dumps(part).encode()) for part in (header, payload))
        return f"{text}.{base64url.encode(SIGNING.sign(text.encode(), PKCS1v15(), SHA256()))}"

    # As it is asked by who moves.

    @property
    def has_database(self) -> bool:
        return not self.is_exported

    async def open(self) -> None:
        """Nothing has to be connected."""

    async def close(self) -> None:
        """Nothing was."""

    def read_refresh_token(self, text: str) -> ForeignToken | None:
        return opened(text, key=SecretStr(self.key))

    async def public_keys(self) -> Sequence[ForeignKey]:
        public = jwk.construct(SIGNING.public_key(), "RS256").to_dict()
        return [ForeignKey(KID, "RS256", {name: public[name] for name in ("kty", "n", "e")})]

    async def session(self, session_id: str, tenant_id: str) -> ForeignSession | None:
        self._asked()
        if session_id in self.unfit:
            raise PayloadError("user_id: it is mapped twice")
        found = self.sessions.get(session_id)
        return found if found is not None and found.tenant_id == tenant_id else None

    async def sessions_of(self, user_id: str, tenant_id: str | None) -> Sequence[ForeignSession]:
        self._asked()
        return [
            each
            for each in self.sessions.values()
            if each.user_id == user_id and tenant_id in (None, each.tenant_id) and each.session_id not in self.unfit
        ]

    def _asked(self) -> None:
        self.asked += 1
        if self.is_down:
            raise StoreUnavailable("the database of the core does not answer")

    def _aes(self, iv: bytes) -> bytes:
        return hashlib.pbkdf2_hmac("sha512", self.key.encode(), iv, 100, 32)

    def _read(self, text: str) -> ForeignToken:
        token = self.read_refresh_token(text)
        assert token is not None
        return token


def handle_of(session: ForeignSession) -> str:
    """Return what the core calls the session."""
    return session_handle(str(UUID(session.session_id)), session.tenant_id)
