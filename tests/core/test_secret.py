"""From a secret to its sub-keys, and a ring of several."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from fastapi_session.core.secret import Secret, Secrets
from fastapi_session.errors import ConfigurationError

MATERIAL = b"a secret of the deployment, 32 by"
SUB_KEYS = ("mac", "derive", "pepper", "encrypt", "binding", "nonce")


def hkdf(material: bytes, info: bytes) -> bytes:
    """HKDF-SHA256 of 32 bytes without salt, as RFC 5869 writes it."""
    extracted = hmac.digest(bytes(32), material, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


@pytest.mark.parametrize("purpose", SUB_KEYS)
def test_each_purpose_has_a_key_of_its_own(purpose: str) -> None:
    """Sub-keys are those of RFC 5869 under a name that tells library, version and purpose."""
    secret = Secret.from_material(MATERIAL)

    assert hkdf(MATERIAL, f"fastapi_session/v1/{purpose}".encode()) == getattr(secret, purpose)


def test_no_sub_key_tells_another() -> None:
    """All sub-keys of two secrets differ, and none is the secret itself."""
    secrets = [Secret.from_material(MATERIAL), Secret.from_material(MATERIAL + b"2")]
    keys = {getattr(secret, purpose) for secret in secrets for purpose in SUB_KEYS}

    assert 2 * len(SUB_KEYS) == len(keys)
    assert {32} == {len(key) for key in keys}
    assert MATERIAL not in keys


def test_the_kid_follows_from_the_secret() -> None:
    """Every process that has the secret gives it the same name of one byte, whatever its place in the list."""
    kids = {Secret.from_material(MATERIAL).kid for _ in range(3)}
    many = [Secret.from_material(hashlib.sha256(bytes([number])).digest()).kid for number in range(256)]

    assert 1 == len(kids)
    assert 0 <= min(many) <= max(many) <= 255
    assert 100 < len(set(many))


@pytest.mark.parametrize("length", [0, 1, 31])
def test_a_short_secret_is_refused(length: int) -> None:
    """Less than 32 bytes are refused with the fix; 32 are enough."""
    with pytest.raises(ConfigurationError, match=f"secret: {length} bytes are too few.*token_urlsafe"):
        Secret.from_material(b"x" * length)
    Secret.from_material(b"x" * 32)


def test_a_secret_is_not_printed() -> None:
    """The text form shows the kid alone."""
    secret = Secret.from_material(MATERIAL)

    assert f"Secret(kid={secret.kid})" == repr(secret)


def test_a_ring() -> None:
    """The newest makes tokens, all are found by their kid, and an unknown kid is none."""
    old, new = Secret.from_material(MATERIAL), Secret.from_material(MATERIAL + b"2")
    secrets = Secrets([new, old])
    unknown = next(kid for kid in range(256) if kid not in {old.kid, new.kid})

    assert (new, [new, old]) == (secrets.newest, [*secrets])
    assert (old, new, None) == (secrets.get(old.kid), secrets.get(new.kid), secrets.get(unknown))


@pytest.mark.parametrize(("count", "message"), [(0, "empty"), (2, "equal")])
def test_a_ring_that_is_none(count: int, message: str) -> None:
    """An empty list, and one that has a secret twice, are mistakes of the configuration."""
    with pytest.raises(ConfigurationError, match=f"secret: .*{message}"):
        Secrets([Secret.from_material(MATERIAL)] * count)


def test_an_earlier_secret() -> None:
    """Every secret of the ring but the newest is an earlier one; what is not in it, nobody knows."""
    newest, earlier, stranger = (Secret.from_material(MATERIAL + number) for number in (b"1", b"2", b"3"))
    secrets = Secrets([newest, earlier])

    assert [False, True, False] == [secrets.is_earlier(secret.kid) for secret in (newest, earlier, stranger)]
