"""What a browser brings back of what it was given: good for its purpose, its session and its time, and for nothing else."""

from __future__ import annotations

import string
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastapi_session.core import base64url
from fastapi_session.core.binding import device_values
from fastapi_session.core.binding.device_values import (
    REGISTER,
    RENEW,
    Credential,
    challenge,
    credential,
    read_challenge,
    read_credential,
    read_session_identifier,
    session_identifier,
)
from fastapi_session.core.binding.proof_keys import ProofKey, proof_key
from fastapi_session.core.secret import Secrets
from tests.core.binding.provers import PRIVATE, public_jwk
from tests.engines import NEW_SECRET, SECRET, WRONG_SECRET, secrets

ALPHABET = string.ascii_letters + string.digits + "-_"
RING = secrets(SECRET)
SESSION_ID, OTHER = "0123456789abcdef" * 2, "f" * 32
END = 1_800_000_000_000
NONCE = b"nine bytes"[:9]


def key_of(algorithm: str = "ES256") -> ProofKey:
    key = proof_key(public_jwk(PRIVATE[algorithm]), algorithm, allowed=device_values.ALGORITHMS)
    assert key is not None
    return key


THUMBPRINT = key_of().thumbprint
CHALLENGES = {
    purpose: challenge(purpose, SESSION_ID, RING.newest, end=END, nonce=NONCE) for purpose in (REGISTER, RENEW)
}
CREDENTIAL = credential(SESSION_ID, THUMBPRINT, RING.newest, end=END)

Read = Callable[[str, Secrets, int], object]
READERS: dict[str, tuple[str, Read]] = {
    "register": (CHALLENGES[REGISTER], lambda text, ring, now: read_challenge(text, REGISTER, ring, now=now)),
    "renew": (CHALLENGES[RENEW], lambda text, ring, now: read_challenge(text, RENEW, ring, now=now)),
    "credential": (CREDENTIAL, lambda text, ring, now: read_credential(text, ring, now=now)),
}
SAID = {"register": SESSION_ID, "renew": SESSION_ID, "credential": Credential(SESSION_ID, THUMBPRINT)}
VALUES = pytest.mark.parametrize("value", sorted(READERS))


@VALUES
def test_what_is_written_is_read_until_its_end(value: str) -> None:
    """A value says what it was made of until the last millisecond before its end, and nothing from then on."""
    text, read = READERS[value]

    assert set() == set(text) - set(ALPHABET)
    assert [SAID[value], None, None] == [read(text, RING, now) for now in (END - 1, END, END + 1)]


@VALUES
def test_another_version_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a later version of this library writes in another layout is not misread, though the secret is the same."""
    text, read = READERS[value]
    monkeypatch.setattr(device_values, "VERSION", device_values.VERSION + 1)

    assert read(text, RING, END - 1) is None


@VALUES
def test_it_is_good_for_its_own_purpose_alone(value: str) -> None:
    """No value is read as another one: above all no challenge to renew, which anybody is given, registers a key."""
    text, _ = READERS[value]

    assert [value] == [other for other, (_, read) in READERS.items() if read(text, RING, END - 1) is not None]


@VALUES
@given(data=st.data())
def test_one_other_character_is_refused(value: str, data: st.DataObject) -> None:
    """No character can be another one, the last included."""
    text, read = READERS[value]
    position = data.draw(st.integers(0, len(text) - 1))
    changed = text[:position] + data.draw(st.sampled_from(ALPHABET)) + text[position + 1 :]

    assert (SAID[value] if changed == text else None) == read(changed, RING, END - 1)


@VALUES
@given(st.text() | st.text(ALPHABET, max_size=140) | st.just(CREDENTIAL * 1000))
def test_garbage_is_refused(value: str, text: str) -> None:
    """No text that was not written here is read, and none raises."""
    assert READERS[value][1](text, RING, END - 1) in {None, SAID[value] if text == READERS[value][0] else None}


@pytest.mark.parametrize("claim", [None, 17, ["a"], {"a": 1}, True, b"bytes"])
def test_a_claim_of_another_type_is_no_challenge(claim: object) -> None:
    """What a proof says in the place of a challenge can be anything that JSON has."""
    assert read_challenge(claim, REGISTER, RING, now=END - 1) is None


@VALUES
def test_secrets_follow_each_other(value: str) -> None:
    """What an earlier secret made is good while that is in the list, and what another deployment made never is."""
    text, read = READERS[value]
    rings = [secrets(NEW_SECRET, SECRET), secrets(NEW_SECRET), secrets(WRONG_SECRET)]

    assert [SAID[value], None, None] == [read(text, ring, END - 1) for ring in rings]


def test_no_two_challenges_are_the_same() -> None:
    """Each has random bytes, so that one that was used tells nothing of another of the same millisecond."""
    again = challenge(RENEW, SESSION_ID, RING.newest, end=END, nonce=bytes(9))

    assert again != CHALLENGES[RENEW]
    assert SESSION_ID == read_challenge(again, RENEW, RING, now=END - 1)


def test_a_credential_has_the_whole_thumbprint() -> None:
    """A credential has all 32 bytes of the thumbprint."""
    assert 32 == len(base64url.decode(THUMBPRINT) or b"")


class TestSessionIdentifiers:
    @pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
    def test_it_names_session_and_key(self, algorithm: str) -> None:
        """An identifier says its session and the public key, and is the same each time."""
        key = key_of(algorithm)
        text = session_identifier(SESSION_ID, key)
        read = read_session_identifier(text)

        assert read is not None
        assert (SESSION_ID, key) == (read.session_id, read.key)
        assert text == session_identifier(SESSION_ID, read.key)

    def test_it_fits_into_a_header(self) -> None:
        """An identifier needs no escapes in quotes, and that of the usual key has some 220 characters."""
        text = session_identifier(SESSION_ID, key_of())

        assert set() == set(text) - set(ALPHABET) - {"."}
        assert len(text) < 256

    def test_no_secret_makes_it(self) -> None:
        """It is good for as long as its session is, whichever secrets come and go: the store says which key is bound."""
        assert read_session_identifier(session_identifier(OTHER, key_of())) is not None

    @pytest.mark.parametrize(
        "change",
        [
            lambda text: "",
            lambda text: text + ".",
            lambda text: text[1:],
            lambda text: "A" + text[1:],
            lambda text: text.upper(),
            lambda text: text.replace(".ES256.", ".RS256."),
            lambda text: text.replace(".ES256.", ".none."),
            lambda text: text.replace(".ES256.", ".HS256."),
            lambda text: text[:-8],
            lambda text: text + "A" * 5_000,
            lambda text: "\x00" * 32 + text[32:],
            lambda text: "é" * 32 + text[32:],
        ],
        ids=[
            *["empty", "a dot more", "a character less", "no hexadecimal", "upper case", "RS256", "none", "HS256"],
            *["cut off", "very long", "zero bytes", "another alphabet"],
        ],
    )
    def test_another_text_is_refused(self, change: Callable[[str], str]) -> None:
        """What is no identifier is not read, and nothing raises."""
        assert read_session_identifier(change(session_identifier(SESSION_ID, key_of()))) is None

    @given(st.text())
    def test_garbage_is_refused(self, text: str) -> None:
        """The same for whatever a client makes up."""
        assert read_session_identifier(text) is None
