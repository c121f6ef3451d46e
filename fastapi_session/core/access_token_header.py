"""The header of an access token: `alg`, `typ` "JWT", `kid`, `version` "5", and nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from fastapi_session.core.segment import read_segment, segment

VERSION = "5"
OLDEST_VERSION = 3

_HEADER_NAMES = frozenset({"alg", "typ", "kid", "version"})
_KID = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class Header:
    """What the header of an access token of ours says."""

    kid: str
    algorithm: str


@lru_cache(maxsize=64)
def header_segment(algorithm: str, kid: str) -> str:
    """Return the header segment of the tokens of a key."""
    return segment({"alg": algorithm, "kid": kid, "typ": "JWT", "version": VERSION})


@lru_cache(maxsize=64)
def read_header(text: str) -> Header | None:
    """Return what a header segment says, `None` if it is not ours. All tokens of a key have the same."""
    header = read_segment(text)
    return Header(header["kid"], header["alg"]) if header is not None and _is_ours(header) else None


def _is_ours(header: dict[str, Any]) -> bool:
    return (
        header.keys() <= _HEADER_NAMES
        and header.get("typ") == "JWT"
        and isinstance(header.get("alg"), str)
        and isinstance(header.get("kid"), str)
        and _KID.fullmatch(header["kid"]) is not None
        and _is_known_version(header.get("version"))
    )


def _is_known_version(version: object) -> bool:
    if isinstance(version, str) and re.fullmatch("[0-9]{1,3}", version):
        return int(version) >= OLDEST_VERSION
    return type(version) is int and version >= OLDEST_VERSION
