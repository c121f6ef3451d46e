"""Opening a refresh token of a core: what the core wrote, and nothing else."""

from __future__ import annotations

from base64 import b64encode

import pytest
from pydantic import SecretStr

from fastapi_session.foreign_sessions import ForeignToken
from fastapi_session.moving.supertokens.refresh_token import LONGEST, opened
from tests.moving.supertokens.minting import KEY, OTHER_KEY, MintedSession, sealed, sha256

HANDLE = "0a8f37c2-51de-4c0b-9a77-d2f1c0e4b5a6"
GOOD = {"sessionHandle": HANDLE, "userId": "ada"}


def open_(text: str, *, key: str = KEY) -> ForeignToken | None:
    return opened(text, key=SecretStr(key))


def test_what_the_core_wrote_is_opened() -> None:
    """The content is that of the core; the hashes are those of the text as it came."""
    parent = MintedSession.begun("ada", tenant_id="shop")
    token = parent.sealed(parentRefreshTokenHash1=parent.h1, antiCsrfToken="c3f1")

    assert ForeignToken(
        session_id=parent.session_id,
        tenant_id="shop",
        secret=bytes.fromhex(sha256(sha256(token))),
        parent=bytes.fromhex(parent.h2),
        anti_csrf_token="c3f1",
    ) == open_(token)


def test_a_first_token_has_neither_parent_nor_tenant() -> None:
    """A first token of the public tenant has neither."""
    token = open_(sealed(GOOD))

    assert token is not None
    assert ("public", None, None) == (token.tenant_id, token.parent, token.anti_csrf_token)


def test_longest_token_of_a_core_is_opened() -> None:
    """The longest user id, each character written as six, and the longest tenant, are no obstacle."""
    tenant = "t" * 64
    token = MintedSession.begun("é" * 128, tenant_id=tenant).child().token

    assert open_(token) is not None


GENUINE = sealed(GOOD, nonce="ab" * 32, iv=bytes(range(12)))
BODY = GENUINE.partition(".")[0]
PADDED = next(token for token in (sealed({**GOOD, "userId": "a" * n}) for n in range(1, 4)) if "==" in token)


FORGED = {
    "empty": "",
    "dots": "..",
    "another version": f"{GENUINE[:-2]}V1",
    "lower case": f"{GENUINE[:-2]}v2",
    "a further part": f"{GENUINE}.V2",
    "a line end": f"{GENUINE}\n",
    "a quote": f'"{GENUINE}"',
    "another nonce": f"{BODY}.{'cd' * 32}.V2",
    "a nonce in upper case": f"{BODY}.{'AB' * 32}.V2",
    "no padding": PADDED.replace("==", "", 1),
    "too much padding": GENUINE.replace(".", "==.", 1),
    "bits that no byte has": PADDED.replace(PADDED.partition("==")[0][-1] + "==", "x==", 1),
    "URL alphabet": f"{'-' + BODY[1:]}.{'ab' * 32}.V2",
    "a changed byte": f"{'B' if BODY[0] != 'B' else 'C'}{GENUINE[1:]}",
    "no room for a tag": f"{b64encode(b'x' * 12).decode()}.{'ab' * 32}.V2",
    "no room for an iv": f"{b64encode(b'x' * 3).decode()}.{'ab' * 32}.V2",
    "too long": sealed({**GOOD, "userId": "a" * LONGEST}),
    "beyond ASCII": f"é{GENUINE[1:]}",
    "a lone surrogate": f"\ud800{GENUINE[1:]}",
    "NUL": f"\0{GENUINE[1:]}",
    "digits of another script": GENUINE.replace("ab" * 32, "\u0661" * 64),
}


@pytest.mark.parametrize("name", FORGED)
def test_what_the_core_did_not_write_is_nothing(name: str) -> None:
    """Whatever its form or its bytes, a text that no core wrote is none of its tokens."""
    assert open_(FORGED[name]) is None


STRANGE: dict[str, object] = {
    "no JSON": "no JSON",
    "a list": "[1]",
    "a number": "3",
    "no nonce": f'{{"sessionHandle": "{HANDLE}", "userId": "ada"}}',
    "too deep": "[" * 1_400 + "]" * 1_400,
    "empty": {},
    "no user": {"sessionHandle": HANDLE},
    "a number as user": {**GOOD, "userId": 3},
    "no handle": {"userId": "ada"},
    "null as handle": {**GOOD, "sessionHandle": None},
    "a number as handle": {**GOOD, "sessionHandle": 3},
    "a handle without dashes": {**GOOD, "sessionHandle": HANDLE.replace("-", "")},
    "a handle in upper case": {**GOOD, "sessionHandle": HANDLE.upper()},
    "a handle with a tenant that is not named": {**GOOD, "sessionHandle": f"{HANDLE}_shop"},
    "a handle with NUL": {**GOOD, "sessionHandle": f"{HANDLE}\0"},
    "a tenant that the handle does not have": {**GOOD, "tenantId": "shop"},
    "a number as tenant": {**GOOD, "tenantId": 3},
    "a tenant that is too long": {**GOOD, "sessionHandle": f"{HANDLE}_{'t' * 300}", "tenantId": "t" * 300},
    "a parent that is no hash": {**GOOD, "parentRefreshTokenHash1": "no hash"},
    "a number as parent": {**GOOD, "parentRefreshTokenHash1": 3},
    "a number as anti-CSRF token": {**GOOD, "antiCsrfToken": 3},
    "an empty anti-CSRF token": {**GOOD, "antiCsrfToken": ""},
    "another nonce": {**GOOD, "nonce": "another"},
}


@pytest.mark.parametrize("name", STRANGE)
def test_content_that_no_core_writes_is_nothing(name: str) -> None:
    """Even sealed with the key, what a core would not write is none of its tokens."""
    assert open_(sealed(STRANGE[name])) is None


def test_another_key_opens_nothing() -> None:
    """Without the core's key a token of it is none."""
    assert open_(sealed(GOOD), key=OTHER_KEY) is None
    assert open_(sealed(GOOD, key=OTHER_KEY)) is None


def test_nothing_of_a_token_is_printed() -> None:
    """Neither hash nor anti-CSRF token is in what is printed of an opened token."""
    token = MintedSession.begun().sealed(antiCsrfToken="c3f1", parentRefreshTokenHash1="ab" * 32)
    opened_token = open_(token)

    assert opened_token is not None
    assert "c3f1" not in repr(opened_token)
    assert repr(opened_token.secret) not in repr(opened_token)
