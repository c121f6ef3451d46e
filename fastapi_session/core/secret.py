"""From a configured secret to the keys in use: one sub-key a purpose, by HKDF-SHA256 (RFC 5869).

| sub-key | what it does |
|---|---|
| `mac` | authenticates refresh tokens, so that garbage is refused without reading the store |
| `derive` | makes a refresh token's successor, the same in every process |
| `pepper` | hashes refresh tokens for the store, so that a copy of the database is of no use |
| `encrypt` | encrypts the private signing keys in the store |
| `binding` | authenticates what a browser brings back whose session is bound to its key, so that nothing of it is kept |
| `nonce` | makes the nonces of DPoP proofs, the same in every process |
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from fastapi_session.errors import ConfigurationError
from fastapi_session.secret_strength import MAKE_A_SECRET, MINIMUM_SECRET_BYTES


@dataclass(frozen=True, slots=True)
class Secret:
    """One configured secret, as the sub-keys in use. *kid* (0 to 255) follows from the secret itself."""

    kid: int
    mac: bytes = field(repr=False)
    derive: bytes = field(repr=False)
    pepper: bytes = field(repr=False)
    encrypt: bytes = field(repr=False)
    binding: bytes = field(repr=False)
    nonce: bytes = field(repr=False)

    @classmethod
    def from_material(cls, material: bytes) -> Secret:
        """Derive the sub-keys of *material*, at least 32 bytes. Raises `ConfigurationError` if it is shorter."""
        if (length := len(material)) < MINIMUM_SECRET_BYTES:
            del material  # error reporters send the local variables of this frame
            raise ConfigurationError(
                f"secret: {length} bytes are too few, at least {MINIMUM_SECRET_BYTES} random bytes are needed; {MAKE_A_SECRET}"
            )
        # The kid is derived too: every process names the secret alike, and the name shows nothing of it.
        return cls(
            kid=_sub_key(material, "kid")[0],
            mac=_sub_key(material, "mac"),
            derive=_sub_key(material, "derive"),
            pepper=_sub_key(material, "pepper"),
            encrypt=_sub_key(material, "encrypt"),
            binding=_sub_key(material, "binding"),
            nonce=_sub_key(material, "nonce"),
        )


def _sub_key(material: bytes, purpose: str) -> bytes:
    # No salt: every process has to derive the same, and a random secret needs none (RFC 5869, section 3.1).
    return HKDF(SHA256(), length=32, salt=None, info=f"fastapi_session/v1/{purpose}".encode()).derive(material)


class Secrets:
    """The secrets of a deployment, newest first: the newest makes tokens, every one still reads them."""

    def __init__(self, secrets: Sequence[Secret]) -> None:
        """Take *secrets*, newest first. Raises `ConfigurationError` if there is none, or two share a kid."""
        self._by_kid = {secret.kid: secret for secret in secrets}
        if not secrets:
            raise ConfigurationError("secret: the list is empty, give at least one secret")
        if len(self._by_kid) < len(secrets):
            raise ConfigurationError("secret: two secrets of the list are equal or cannot be told apart, replace one")
        self.newest = secrets[0]

    def get(self, kid: int) -> Secret | None:
        """Return the secret named *kid*, or `None`."""
        return self._by_kid.get(kid)

    def is_earlier(self, kid: int) -> bool:
        """Say whether the secret named *kid* is known, and not the newest."""
        return kid in self._by_kid and kid != self.newest.kid

    def __getitem__(self, kid: int) -> Secret:
        """Return the secret of a token that these secrets have read."""
        return self._by_kid[kid]

    def __iter__(self) -> Iterator[Secret]:
        """Walk the secrets, newest first."""
        return iter(self._by_kid.values())
