"""A segment of a JWS is read if every reader understands it in the same way, and else not at all."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fastapi_session.core import base64url, jws
from tests.core.keys import key


@pytest.mark.parametrize("value", [{}, {"a": None, "b": [1, 1.5, True, {"c": "\u00e4\U0001f600"}]}, {"\x00": "\x7f"}])
def test_what_is_written_is_read(value: dict[str, Any]) -> None:
    """A JSON object is read as it was written."""
    assert value == jws.read_segment(jws.segment(value))


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("base64url", "e30="),
        ("base64url", " e30"),
        ("base64url", "e31"),
        ("base64url", "eyI/Ijoi/iJ9"),
        ("encoding", base64url.encode("{}".encode("utf-16"))),
        ("encoding", base64url.encode(b'{"a":"\\ud800"}')),
        ("a name twice", base64url.encode(b'{"a":1,"a":1}')),
        ("a name twice, inside", base64url.encode(b'{"a":[{"b":1,"b":2}]}')),
        ("NaN", base64url.encode(b'{"a":NaN}')),
        ("infinity", base64url.encode(b'{"a":-Infinity}')),
        ("out of range", base64url.encode(b'{"a":1e400}')),
        ("too deep", base64url.encode(b'{"a":' + b"[" * 6_000)),
        ("no object", base64url.encode(b"[]")),
        ("no object", base64url.encode(b"null")),
    ],
)
def test_what_is_refused(part: str, text: str) -> None:
    """What one reader could understand in another way, or not at all, is refused."""
    assert jws.read_segment(text) is None


@pytest.mark.parametrize("changed", ["text", "algorithm", "signature"])
def test_only_what_was_signed_is_signed(changed: str) -> None:
    """A signature is that of the header and payload as they were written, under the algorithm of the key."""
    by = key("d-x")
    text = jws.signed(jws.segment({"alg": "ES256"}), {"a": 1}, by)
    head, _, signature = text.rpartition(".")
    genuine = jws.Jws(text, by.kid, "ES256", base64url.decode(signature) or b"")
    forged = {
        "text": jws.Jws(f"{head}A.{signature}", by.kid, "ES256", genuine.signature),
        "algorithm": jws.Jws(text, by.kid, "RS256", genuine.signature),
        "signature": jws.Jws(text, by.kid, "ES256", genuine.signature[::-1]),
    }

    assert genuine.is_signed_by(by)
    assert not genuine.is_signed_by(key("d-x", algorithm="RS256"))
    assert not forged[changed].is_signed_by(by)
    assert json.loads(base64url.decode(head.partition(".")[2]) or b"") == {"a": 1}
