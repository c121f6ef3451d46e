"""Refresh tokens and signing keys of a core, made as it makes them."""

from __future__ import annotations

import hashlib
import json
import secrets
from base64 import b64encode
from dataclasses import dataclass, replace
from typing import Any, Self
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

KEY = f"1000:{'5a' * 64}:{'c3' * 64}"
OTHER_KEY = f"1000:{'5a' * 64}:{'3c' * 64}"


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def sealed(content: Any, *, key: str = KEY, nonce: str | None = None, iv: bytes | None = None) -> str:
    """A refresh token with this *content*, be it as strange as it may."""
    iv = iv or secrets.token_bytes(12)
    nonce = nonce or sha256(secrets.token_hex())
    if isinstance(content, dict):
        content = {"nonce": nonce, **content}
    aes = AESGCM(hashlib.pbkdf2_hmac("sha512", key.encode(), iv, 100, 32))
    text = content if isinstance(content, str) else json.dumps(content)
    return f"{b64encode(iv + aes.encrypt(iv, text.encode(), None)).decode()}.{nonce}.V2"


def stored_pair(separator: str) -> str:
    """A key of access tokens, as its row has it."""
    key = generate_private_key(65537, 2048)
    private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return separator.join(b64encode(each).decode() for each in (public, private))


@dataclass(frozen=True, slots=True)
class MintedSession:
    """A session of a core, and the refresh token that its client has."""

    handle: str
    tenant_id: str
    user_id: str
    token: str

    @classmethod
    def begun(cls, user_id: str = "ada", *, tenant_id: str = "public", **content: Any) -> Self:
        handle = str(uuid4()) if tenant_id == "public" else f"{uuid4()}_{tenant_id}"
        begun = cls(handle, tenant_id, user_id, "")
        return replace(begun, token=begun.sealed(**content))

    def sealed(self, *, key: str = KEY, **content: Any) -> str:
        tenant = {} if self.tenant_id == "public" else {"tenantId": self.tenant_id}
        return sealed({"sessionHandle": self.handle, "userId": self.user_id, **tenant, **content}, key=key)

    def child(self) -> Self:
        """The session once its client has refreshed."""
        return replace(self, token=self.sealed(parentRefreshTokenHash1=self.h1))

    @property
    def session_id(self) -> str:
        return self.handle.partition("_")[0].replace("-", "")

    @property
    def h1(self) -> str:
        return sha256(self.token)

    @property
    def h2(self) -> str:
        return sha256(self.h1)
