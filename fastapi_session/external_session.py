"""The session at an identity provider by which a user signed in, and the digests by which our sessions are found."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256

from fastapi_session.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class ExternalSession:
    """The session at the identity provider *issuer* that signed a user in: the claims `iss`, `sid` and `sub` of an ID token.

    *sid* is the provider's id of that session, *subject* that of the user; at least one is needed. Give both if the provider
    sends both: by *sid* it ends one session, by *subject* all of the user.

    Raises `ConfigurationError` if neither is given, or if one is no text or empty.
    """

    issuer: str
    sid: str | None = None
    subject: str | None = None

    def __post_init__(self) -> None:
        named = {"issuer": self.issuer, "sid": self.sid, "subject": self.subject}
        for name, value in named.items():
            # Not only what is None: whoever passes on a claim that is not there passes on anything.
            if not (isinstance(value, str) and value) and (value is not None or name == "issuer"):
                raise ConfigurationError(f"ExternalSession: {name} must be text, give the claim of the ID token")
        if self.sid is None and self.subject is None:
            raise ConfigurationError(
                "ExternalSession: it names no session, give sid, subject or both: the claims sid and sub of the ID token"
            )

    @property
    def session_digest(self) -> bytes:
        """What stands for *sid* in the store; without one, for a session of *subject* whose id is not known."""
        if self.sid is None:
            return _digest("some session", self.issuer, self.subject)
        return _digest("session", self.issuer, self.sid)

    @property
    def subject_digest(self) -> bytes | None:
        """What stands for *subject* in the store."""
        return None if self.subject is None else _digest("subject", self.issuer, self.subject)

    @property
    def ended_digests(self) -> list[bytes]:
        """By which digests the sessions are found that end with this one.

        | known | ours that end |
        |---|---|
        | *sid* | those that it signed in |
        | *subject* | all of the subject |
        | both | those of *sid*, and those of the subject that were created without any *sid*: they may be of this one |
        """
        if self.sid is None:
            return [_digest("subject", self.issuer, self.subject)]
        if self.subject is None:
            return [self.session_digest]
        return [self.session_digest, _digest("some session", self.issuer, self.subject)]


def _digest(*parts: str | None) -> bytes:
    """Return 32 bytes for *parts*: SHA-256 of their JSON, in which no two lists of texts are written alike."""
    return sha256(json.dumps(parts).encode("ascii")).digest()
