"""A form is read whole or not at all, and what is none says why, and nothing of what came."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import Request

from fastapi_session.web.form_body import FORM, LARGEST_BODY, MOST_FIELDS, NoForm, form_fields


def request(*chunks: bytes, media_type: str = FORM, hangs_up: bool = False) -> Request:
    """A request whose body comes in *chunks*."""
    coming: list[dict[str, Any]] = [{"type": "http.request", "body": each, "more_body": True} for each in chunks]
    coming.append(
        {"type": "http.disconnect"} if hangs_up else {"type": "http.request", "body": b"", "more_body": False}
    )

    async def receive() -> dict[str, Any]:
        return coming.pop(0)

    return Request({"type": "http", "headers": [(b"content-type", media_type.encode())]}, receive)


async def test_what_is_a_form() -> None:
    """Names and values in their order, decoded, without those that are empty, however they come and are announced."""
    form = request(b"a=1&b", b"=%C3%A4+x&c=", b"&a=2", media_type=f"{FORM.upper()} ; charset=utf-8")

    assert [("a", "1"), ("b", "\u00e4 x"), ("a", "2")] == await form_fields(form)
    assert [] == await form_fields(request())


async def test_the_largest_one() -> None:
    """It is read to its last byte, and not one more."""
    field = b"a=" + b"x" * (LARGEST_BODY - 2)

    assert 1 == len(await form_fields(request(field)))
    with pytest.raises(NoForm, match="too large"):
        await form_fields(request(field, b"x"))


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        (request(b"a=1", media_type="application/json"), "no form"),
        (request(b"a=1", media_type=""), "no form"),
        (request(b"secret"), "no form"),
        (request(b"secret=\xff"), "no form"),
        (request(b"&".join([b"secret=1"] * (MOST_FIELDS + 1))), "no form"),
        (request(b"secret=", hangs_up=True), "not all of it came"),
    ],
)
async def test_what_is_none(form: Request, reason: str) -> None:
    """Another type, no pairs, no ASCII, too many fields, and one that breaks off."""
    with pytest.raises(NoForm) as raised:
        await form_fields(form)

    assert (reason, reason) == (raised.value.reason, str(raised.value))
