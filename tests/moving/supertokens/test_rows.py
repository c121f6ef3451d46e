"""A row of a core as a session: what fits, what fits in part, and what does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fastapi_session.moving.supertokens.rows import ReadRow, Remark, SessionRow, read

HANDLE = "0a8f37c2-51de-4c0b-9a77-d2f1c0e4b5a6"
ROW = SessionRow(
    tenant_id="public",
    handle=HANDLE,
    user_id="ada",
    current="ab" * 32,
    created_at=1_700_000_000_000,
    expires_at=1_800_000_000_000,
    payload="{}",
    payload_size=2,
    data="{}",
    data_size=2,
)


def row(**columns: Any) -> ReadRow:
    return read(replace(ROW, **columns), user_id="ada")


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"payload": "no JSON"}, "jwt_user_payload is no JSON"),
        ({"payload": "[]"}, "jwt_user_payload is no JSON object"),
        ({"payload": '{"a": NaN}'}, "jwt_user_payload: the value at ['a'] is float"),
        ({"payload": '{"a": "\\ud800"}'}, "jwt_user_payload: the value at ['a'] is text that UTF-8 cannot encode"),
        ({"data": '{"a":' * 90 + "1" + "}" * 90}, "session_data: nested deeper than 64"),
        ({"data": "[" * 90_000}, "session_data is no JSON"),
        ({"data": None, "data_size": 2_000_000}, "session_data is too large"),
        ({"current": "secret"}, "refresh_token_hash_2 is no SHA-256"),
        ({"current": "AB" * 32}, "refresh_token_hash_2 is no SHA-256"),
        ({"expires_at": 2**62}, "created_at_time or expires_at is no moment"),
        ({"created_at": -1}, "created_at_time or expires_at is no moment"),
        ({"user_id": ""}, "user_id is no id"),
        ({"tenant_id": "a b"}, "tenant_id: give letters"),
        ({"handle": "secret"}, "session_handle is no UUID"),
        ({"handle": HANDLE.replace("-", "")}, "session_handle is no UUID"),
        ({"handle": f"{HANDLE}_shop"}, "session_handle is no UUID"),
        ({"tenant_id": "shop"}, "session_handle is no UUID"),
    ],
    ids=range(17),
)
def test_row_that_does_not_fit(columns: dict[str, Any], reason: str) -> None:
    """A row that cannot be taken says which it is and why, without a value of it."""
    found = row(**columns)

    assert found.session is None
    assert [False] == [remark.taken for remark in found.remarks]
    assert found.remarks[0].reason.startswith(reason)
    assert "secret" not in found.remarks[0].reason


def test_user_who_is_not_certain() -> None:
    """Without a user there is no session."""
    found = read(ROW, user_id=None)

    assert found.session is None
    assert found.remarks[0].reason.startswith("user_id is mapped twice")


@pytest.mark.parametrize(
    ("columns", "payload", "reason"),
    [
        ({"data": None, "data_size": None}, {}, "session_data is NULL, and was taken as empty"),
        ({"payload": None, "payload_size": None}, {}, "jwt_user_payload is NULL, and was taken as empty"),
        (
            {"payload": '{"sub": "eve", "iat": 1, "role": "user"}'},
            {"role": "user"},
            "jwt_user_payload has names of the tokens' own, which were left out: iat, sub",
        ),
        (
            {"payload": '{"iss": "https://example.com/auth", "exp": 1}'},
            {},
            "jwt_user_payload has names of the tokens' own, which were left out: exp",
        ),
        ({"previous": "secret"}, {}, "prev_refresh_token_hash_2 is no SHA-256, and was left out"),
    ],
    ids=["no data", "no payload", "names of the tokens' own", "one of them the issuer", "no hash"],
)
def test_row_that_fits_in_part(columns: dict[str, Any], payload: dict[str, Any], reason: str) -> None:
    """What the core itself could not read is taken, as far as it is a session, and a remark says what was not."""
    found = row(**columns)

    assert found.session is not None
    assert payload == found.session.access_token_payload
    assert [Remark(HANDLE, "public", reason, taken=True)] == found.remarks
    assert found.session.previous is None


def test_the_issuer_is_left_out_without_a_remark() -> None:
    """Every SDK puts `iss` into the payload: a remark for each session would hide those that matter."""
    found = row(payload='{"iss": "https://example.com/auth", "role": "user"}')

    assert found.session is not None
    assert {"role": "user"} == found.session.access_token_payload
    assert [] == [*found.remarks]
