"""An application or a store in which a check fails: that is found, FS005, and the others are made."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from fastapi_session.doctor import Finding
from fastapi_session.doctor.application.installed import Installed
from fastapi_session.doctor.examination import examine
from fastapi_session.doctor.unforeseen import each_found_by, each_of
from fastapi_session.errors import ConfigurationError, StoreUnavailable
from fastapi_session.stores.memory import MemoryStore
from tests.doctor.deployments import configured, found_in, healthy, listed

SECRET_TEXT = "s3cret-of-somebody"


class Odd(MemoryStore):
    """A store of somebody's own, which fails as no store should."""

    async def get(self, session_id: str) -> Any:
        """Raise what is no error of stores."""
        raise KeyError(SECRET_TEXT)


def with_a_wrong_expression(**options: Any) -> FastAPI:
    """An application whose CORSMiddleware nobody can make, and with another thing wrong."""
    app = healthy(**options)
    app.exception_handlers.clear()
    app.add_middleware(CORSMiddleware, allow_origins=[], allow_origin_regex="(")
    return app


def test_an_application_at_which_a_check_fails() -> None:
    """That it failed is found, with the kind of the error and its place, and so is what others find."""
    found = dict(found_in(configured(), with_a_wrong_expression(website_domain="https://www.example.com")))

    assert re.fullmatch(r"\w+ in cors\.py, line \d+", found["FS005"])
    assert "FS075" in found


async def test_a_store_at_which_a_check_fails() -> None:
    """A check of a store that fails is found too, without the text of the error, and the others are made."""
    examination = await examine(Installed(configured(store=Odd())))
    found = listed(examination.findings)

    assert ["FS005"] == [id_ for id_, _ in found if id_ < "FS011"]
    assert "KeyError" in dict(found)["FS005"]
    assert SECRET_TEXT not in str(examination.findings)


async def test_a_store_that_does_not_open() -> None:
    """A store whose opening fails in a way that is none of stores is found."""

    class Closed(Odd):
        async def open(self) -> None:
            raise RuntimeError(SECRET_TEXT)

    examination = await examine(Installed(configured(store=Closed())))

    assert [("FS005", True)] == [
        (id_, seen.startswith("RuntimeError")) for id_, seen in listed(examination.findings) if id_ < "FS011"
    ]


@pytest.mark.parametrize("error", [ConfigurationError("store: x"), StoreUnavailable("x")])
async def test_errors_that_say_what_is_wrong(error: Exception) -> None:
    """A refusal, and a store that is down, are no failures of a check."""

    def look() -> Iterator[Finding]:
        yield from ()
        raise error

    async def waiting() -> AsyncIterator[Finding]:
        for each in look():
            yield each

    with pytest.raises(type(error)):
        [*each_of(look)]
    with pytest.raises(type(error)):
        [each async for each in each_found_by(waiting)]
