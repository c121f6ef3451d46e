"""Tables and tokens of a SuperTokens core in every state, as the Java program beside this module wrote them down.

The program is another implementation of the core's algorithms: it says of each token what the core does with it, too.
`python -m tests.supertokens_core.golden` writes the data anew, which needs a JDK.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_private_key

from tests.supertokens_core.tables import Rows

HERE = Path(__file__).parent
DATA = HERE / "golden.json"
SOURCES = sorted((HERE / "program").glob("*.java"))
MOMENT = 1_800_000_000_000
SEED = "fastapi_session"

TIMES = frozenset(
    {
        "created_at_time",
        "created_at",
        "expires_at",
        "refresh_token_rotated_at",
        "time_joined",
        "primary_or_recipe_user_time_joined",
    }
)
"""The columns that are moments."""


@dataclass(frozen=True, slots=True)
class Client:
    """What a client presents, and what the core does with it at the moment of the data.

    *opened* is the content of the refresh token, `None` if the core cannot open it. *refresh* has the core's answer by the
    interface that backends speak, "5.4" or "5.6"; *refresh_later* the answers so many milliseconds later, if nothing happens
    meanwhile; *verify* the answer to the access token "offline" and with the "database". A state *at_the_edge* is over a
    millisecond later.
    """

    state: str
    client: str
    at_the_edge: bool
    app_id: str
    refresh_token: str
    access_token: str
    anti_csrf: Mapping[str, Any]
    opened: Mapping[str, Any] | None
    refresh: Mapping[str, Mapping[str, Any]]
    refresh_later: Mapping[str, Mapping[str, Mapping[str, Any]]]
    verify: Mapping[str, Mapping[str, Any]]

    def __str__(self) -> str:
        return f"{self.state}: {self.client}"


@dataclass(frozen=True, slots=True)
class Golden:
    """The data. Moments and durations are milliseconds, *moment* is the present of the states. *program* is a digest of its source."""

    program: str
    moment: int
    access_token_validity: int
    refresh_token_validity: int
    grace_period: int
    tables: Mapping[str, Rows]
    clients: tuple[Client, ...]

    def client(self, state: str, name: str = "the client") -> Client:
        """Return the client called *name* of a *state*."""
        return next(each for each in self.clients if (each.state, each.client) == (state, name))

    def row(self, client: Client) -> Mapping[str, Any]:
        """Return the row of the session that the *client* belongs to. Raises `StopIteration` if there is none."""
        assert client.opened is not None
        return next(
            row for row in self.tables["session_info"] if row["session_handle"] == client.opened["session_handle"]
        )

    def at(self, moment: int) -> Golden:
        """The same states, as they are at another *moment*, in whole seconds."""
        shift = (moment - self.moment) // 1000 * 1000
        keys = tuple(signing_key(row) for row in self.signing_key_rows())
        return replace(
            self,
            moment=self.moment + shift,
            tables={name: [shifted(row, shift) for row in rows] for name, rows in self.tables.items()},
            clients=tuple(
                replace(each, access_token=signed_at(each.access_token, shift, keys)) for each in self.clients
            ),
        )

    def signing_key_rows(self) -> Rows:
        return [*self.tables["session_access_token_signing_keys"], *self.tables["jwt_signing_keys"]]


@cache
def golden() -> Golden:
    """The data, as it was written down."""
    read = json.loads(DATA.read_text("utf-8"))
    return Golden(**read | {"clients": tuple(Client(**each) for each in read["clients"])})


def shifted(row: Mapping[str, Any], shift: int) -> dict[str, Any]:
    """Return the *row* so many milliseconds later."""
    return {name: value + shift if name in TIMES and value is not None else value for name, value in row.items()}


def signing_key(row: Mapping[str, Any]) -> RSAPrivateKey:
    """Return the private key of a *row* of either table."""
    private = base64.b64decode(re.split("[|;]", row.get("value") or row["key_string"])[1])
    key = load_der_private_key(private, password=None, unsafe_skip_rsa_key_validation=True)
    assert isinstance(key, RSAPrivateKey)
    return key


def signed_at(token: str, shift: int, keys: tuple[RSAPrivateKey, ...]) -> str:
    """Return the access *token* as it would be, had it been issued so many milliseconds later: signed anew by the same key."""
    header, payload, signature = token.split(".")
    key = next(each for each in keys if has_signed(each, f"{header}.{payload}", decoded(signature)))
    is_modern = not header.endswith("=") and '"kid"' in decoded(header).decode()
    later_header = re.sub(r'(?<="kid":"d-)\d+', lambda found: str(int(found[0]) + shift), decoded(header).decode())
    unit = 1000 if is_modern else 1
    names = ("iat", "exp") if is_modern else ("expiryTime", "timeCreated")
    later = decoded(payload).decode()
    for name in names:
        later = re.sub(rf'(?<="{name}":)\d+', lambda found: str(int(found[0]) + shift // unit), later, count=1)
    content = f"{encoded(later_header.encode(), modern=is_modern)}.{encoded(later.encode(), modern=is_modern)}"
    return f"{content}.{encoded(key.sign(content.encode(), PKCS1v15(), SHA256()), modern=is_modern)}"


def has_signed(key: RSAPrivateKey, content: str, signature: bytes) -> bool:
    try:
        key.public_key().verify(signature, content.encode(), PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def decoded(part: str) -> bytes:
    """Read base64 of either alphabet, padded or not."""
    return base64.b64decode(part.replace("-", "+").replace("_", "/") + "=" * (-len(part) % 4))


def encoded(content: bytes, *, modern: bool) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=") if modern else base64.b64encode(content).decode()


def has_jdk() -> bool:
    """Say whether the program can be run here."""
    return shutil.which("javac") is not None and shutil.which("java") is not None


def written_anew(moment: int = MOMENT, seed: str = SEED) -> str:
    """Compile the program, and return what it writes for a *moment*, in milliseconds, and a *seed*."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["javac", "-encoding", "utf-8", "-d", folder, *SOURCES], check=True)
        command = ["java", "-XX:+UseSerialGC", "-cp", folder, "Golden", str(moment), seed]
        written = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.decode()
    return written.replace("{", f'{{\n "program": "{program()}",', 1)


def program() -> str:
    """Return a digest of the program's source."""
    return hashlib.sha256(b"".join(source.read_bytes() for source in SOURCES)).hexdigest()


if __name__ == "__main__":
    DATA.write_text(written_anew(), "utf-8")
