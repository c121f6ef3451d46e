"""How a setting is read that is more than a word or a number: durations, secrets, the store's URL."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, SecretStr, SkipValidation
from pydantic_core import PydanticCustomError
from pydantic_settings import NoDecode

from fastapi_session.store_url import StoreUrl, unprinted
from fastapi_session.stores.base import Store


def _plain_seconds(value: object) -> object:
    if isinstance(value, bool):  # to pydantic, true is one second
        raise PydanticCustomError("time_delta_type", "a boolean is no duration")
    return float(value) if isinstance(value, str) and value.replace(".", "", 1).isdecimal() else value


def _list_of_secrets(value: object) -> object:
    return json.loads(value) if isinstance(value, str) and value.startswith("[") else value


def _printed(value: object) -> str:
    return value.printed if isinstance(value, StoreUrl) else str(value)


def _plain_status(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isdecimal() else value


StepUpStatus = Annotated[Literal["auto", 401, 403], BeforeValidator(_plain_status)]
"""A status, also as text, or "auto"."""

Duration = Annotated[timedelta, BeforeValidator(_plain_seconds)]
"""A `timedelta`; as text a number of seconds, or ISO 8601 (`PT1H`)."""

# NoDecode, since a secret may look like JSON and is none.
SecretSetting = Annotated[SecretStr | tuple[SecretStr, ...] | None, NoDecode, BeforeValidator(_list_of_secrets)]
"""One secret or several, newest first; as text one secret, whatever it looks like, or a JSON list."""

# Not validated: of a protocol, isinstance sees the names of all methods alone, and a stand-in in a test need not have them.
StoreSetting = Annotated[
    Store | str, SkipValidation, AfterValidator(unprinted), PlainSerializer(_printed, when_used="json")
]
"""A store, or the URL of one, whose password is neither in a printed configuration nor in one dumped as JSON."""
