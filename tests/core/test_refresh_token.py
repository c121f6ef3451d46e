"""Refresh tokens: one text for one content, one successor for one token, nothing read that was not written here."""

from __future__ import annotations

import base64
import hmac
import string
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastapi_session.core import refresh_token
from fastapi_session.core.refresh_token import RefreshToken
from fastapi_session.core.secret import Secret, Secrets
from tests.core.lineages import RING, token_at

ALPHABET = string.ascii_letters + string.digits + "-_"

tokens = st.builds(
    RefreshToken,
    kid=st.just(RING.newest.kid),
    session_id=st.binary(min_size=16, max_size=16).map(bytes.hex),
    generation=st.integers(0, 2**32 - 1),
    secret=st.binary(min_size=32, max_size=32),
    parent=st.binary(min_size=32, max_size=32),
    issue_id=st.binary(min_size=9, max_size=9),
)


@given(tokens)
def test_what_is_minted_is_read(token: RefreshToken) -> None:
    """A token of 148 base64url characters says all there is to say, and is read back as it was."""
    text = refresh_token.mint(token, RING.newest)

    assert (148, set()) == (len(text), set(text) - set(ALPHABET))
    assert token == refresh_token.read(text, RING)


@given(tokens, st.integers(0, 147), st.sampled_from(ALPHABET))
def test_one_other_character_is_refused(token: RefreshToken, position: int, character: str) -> None:
    """No character can be another one, the last included, whose trailing bits most decoders skip."""
    text = refresh_token.mint(token, RING.newest)
    changed = text[:position] + character + text[position + 1 :]

    assert (token if changed == text else None) == refresh_token.read(changed, RING)


@given(st.text() | st.text(ALPHABET, min_size=142, max_size=154) | st.text(min_size=148, max_size=148))
def test_garbage_is_refused(text: str) -> None:
    """No text that was not minted here is read, and none raises."""
    assert refresh_token.read(text, RING) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + "=",
        lambda text: text[:-1],
        lambda text: text + "A",
        lambda text: " " + text[1:],
        lambda text: text[:50] + "\n" + text[51:],
        lambda text: base64.b64encode(base64.urlsafe_b64decode(text)).decode(),
    ],
    ids=["padded", "shorter", "longer", "with a space", "with a line break", "in the other alphabet"],
)
def test_another_spelling_is_refused(change: object) -> None:
    """The same bytes spelled otherwise are not the token."""
    assert callable(change)
    text = refresh_token.mint(replace(token_at(3), secret=b"\xff" * 32), RING.newest)

    assert refresh_token.read(change(text), RING) is None


def test_another_version_is_refused() -> None:
    """A token of a version that is not known is refused, though its MAC is right."""
    body = base64.urlsafe_b64decode(refresh_token.mint(token_at(0), RING.newest))[:-16]
    other = bytes([1]) + body[1:]
    mac = refresh_token._hmac(RING.newest.mac, other)[:16]

    assert refresh_token.read(base64.urlsafe_b64encode(other + mac).decode(), RING) is None


def test_another_deployment_is_refused() -> None:
    """A token of another secret is refused, whatever kid it carries."""
    other = Secret.from_material(b"the secret of another deployment, 32 bytes")
    forged = replace(other, kid=RING.newest.kid)

    assert refresh_token.read(refresh_token.mint(token_at(0), forged), RING) is None
    assert refresh_token.read(refresh_token.mint(replace(token_at(0), kid=other.kid), other), RING) is None


@given(tokens.filter(lambda token: token.generation < 2**32 - 1))
def test_one_successor(token: RefreshToken) -> None:
    """The successor follows from the token and the secret alone, a generation on, and carries its parent's fingerprint.

    Whatever issue id the token came with, and whichever the successor is handed out as.
    """
    once = refresh_token.successor(token, RING.newest, issue_id=b"one------")
    again = refresh_token.successor(replace(token, issue_id=b"another--"), RING.newest, issue_id=b"other----")

    assert once == replace(again, issue_id=b"one------")
    assert (token.session_id, token.generation + 1, token.fingerprint) == (
        once.session_id,
        once.generation,
        once.parent,
    )
    assert token.secret != once.secret


def test_a_store_cannot_make_a_token() -> None:
    """What a store keeps is neither the secret nor the fingerprint that access tokens carry, and differs by pepper."""
    token = token_at(1)
    other = Secret.from_material(b"the secret of another deployment, 32 bytes")
    kept = refresh_token.stored_hash(token.fingerprint, RING.newest)

    assert 4 == len({token.secret, token.fingerprint, kept, refresh_token.stored_hash(token.fingerprint, other)})


def test_anti_csrf_tokens() -> None:
    """The anti-CSRF token is that of its refresh token: the same each time, another at every rotation."""
    assert refresh_token.anti_csrf_token(token_at(1), RING.newest) == refresh_token.anti_csrf_token(
        token_at(1), RING.newest
    )
    assert refresh_token.anti_csrf_token(token_at(1), RING.newest) != refresh_token.anti_csrf_token(
        token_at(2), RING.newest
    )


@pytest.mark.parametrize(("generation", "accepted"), [(0, [0]), (1, [1, 0]), (2, [2, 1, 0]), (9, [9, 8, 7])])
def test_accepted_anti_csrf_tokens(generation: int, accepted: list[int]) -> None:
    """A refresh may bring the anti-CSRF token of its generation, of one of the two before, or the former one, and no other."""
    of = [refresh_token.anti_csrf_token(token_at(each), RING.newest) for each in range(12)]
    *recent, former = refresh_token.accepted_anti_csrf_tokens(token_at(generation), RING)

    assert [of[each] for each in accepted] == recent
    assert former not in of


def test_the_former_anti_csrf_token() -> None:
    """A client that got its tokens before these were derived from the generation refreshes with what it has."""
    token = token_at(3)
    key = RING.newest.derive
    mac = hmac.digest(key, b"fastapi_session/anti-csrf" + token.fingerprint, "sha256")
    former = base64.urlsafe_b64encode(mac[:24]).decode()

    assert former in refresh_token.accepted_anti_csrf_tokens(token, RING)
    assert former not in refresh_token.accepted_anti_csrf_tokens(token_at(4), RING)


def test_accepted_anti_csrf_tokens_of_two_secrets() -> None:
    """The token before may have been made by an earlier secret: its anti-CSRF token is accepted all the same."""
    earlier = Secret.from_material(b"the secret that was used before, 32 bytes")
    before = replace(token_at(1), kid=earlier.kid)

    assert refresh_token.anti_csrf_token(before, earlier) in refresh_token.accepted_anti_csrf_tokens(
        token_at(2), Secrets([RING.newest, earlier])
    )


def test_sessions_have_anti_csrf_tokens_of_their_own() -> None:
    """No session accepts the anti-CSRF token of another one."""
    mine, other = token_at(1), replace(token_at(1), session_id="f" * 32)

    assert refresh_token.anti_csrf_token(other, RING.newest) not in refresh_token.accepted_anti_csrf_tokens(mine, RING)


def test_nothing_secret_is_shown() -> None:
    """What a log or a traceback shows of a token has none of its secrets."""
    token = token_at(1)

    assert "secret" not in repr(token)
    assert token.parent.hex() not in repr(token)


def test_both_secrets_of_a_ring_read() -> None:
    """After a new secret was put before the old one, tokens of both are read."""
    old, new = RING.newest, Secret.from_material(b"a newer secret of at least 32 bytes, first")
    secrets = Secrets([new, old])
    made_by_new = replace(token_at(2), kid=new.kid)

    assert token_at(2) == refresh_token.read(refresh_token.mint(token_at(2), old), secrets)
    assert made_by_new == refresh_token.read(refresh_token.mint(made_by_new, new), secrets)
