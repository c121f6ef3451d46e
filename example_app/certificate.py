"""A certificate for trials on this machine, and the flags of a Chromium that trusts it: sessions are bound over https only.

With `--ignore-certificate-errors` instead, Chromium takes every connection for one with an error, and binds no session on it.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

SOFTWARE_KEYS = "EnableBoundSessionCredentialsSoftwareKeysForManualTesting"
"""The feature of Chromium that binds sessions where there is no hardware to keep a key, as on most machines with Linux."""

DAY = timedelta(days=1)
NAMES = (x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1")))


@dataclass(frozen=True)
class Certificate:
    """Where a server finds its certificate and the key, and by what a browser knows them: the SHA-256 of the public key."""

    certificate: Path
    key: Path
    pin: str

    @property
    def trust(self) -> str:
        """The flag of a Chromium that is to trust it."""
        return f"--ignore-certificate-errors-spki-list={self.pin}"


def certificate_in(folder: Path) -> Certificate:
    """Make a certificate for a few days, and keep it in *folder*."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
        .add_extension(x509.SubjectAlternativeName(NAMES), critical=False)
        .sign(key, SHA256())
    )
    made = Certificate(folder / "certificate.pem", folder / "key.pem", pin_of(key.public_key()))
    made.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    made.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return made


def pin_of(key: ec.EllipticCurvePublicKey) -> str:
    """Return the pin of the public *key*, as browsers are told it."""
    digest = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    return base64.b64encode(digest).decode()
