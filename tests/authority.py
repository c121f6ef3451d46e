"""Certificates for servers of tests, from an authority that nobody knows but by its file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

SIGNS = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)
"""What the key of an authority is for: certificates."""


class Authority:
    """Someone whom nobody knows but from a file, and who certifies servers. All files lie in *directory*."""

    def __init__(self, directory: Path) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._directory = directory
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority")])
        self.file = directory / "ca.pem"
        is_one = [x509.BasicConstraints(ca=True, path_length=0), SIGNS]
        certificate = self._certify(self._name, self._key, is_one, since=timedelta(days=365), lives=timedelta(days=365))
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def certify(self, host: str, *, days: float = 1 / 24, since: float = 1 / 24) -> tuple[Path, Path]:
        """The files with the certificate of a server at *host*, an address or a name, and with its key.

        It is valid for *days* more, *since* so many days.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "server")])
        alternative = x509.SubjectAlternativeName([_named(host)])
        certificate = self._certify(name, key, [alternative], since=timedelta(days=since), lives=timedelta(days=days))
        files = self._directory / f"{host}-{days}.pem", self._directory / f"{host}-{days}.key"
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return files

    def _certify(
        self,
        name: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        critical: Sequence[x509.ExtensionType],
        *,
        since: timedelta,
        lives: timedelta,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - since)
            .not_valid_after(now + lives)
            # Without these, Python 3.13 trusts no certificate (RFC 5280, sections 4.2.1.1 and 4.2.1.2).
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        for extension in critical:
            builder = builder.add_extension(extension, critical=True)
        return builder.sign(self._key, hashes.SHA256())


def _named(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
