"""The Pydantic models of an application's claims and session data: validated when written and when read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, cast

from pydantic import BaseModel, ValidationError
from typing_extensions import TypeVar

from fastapi_session.core.guests import Merge, merged_data
from fastapi_session.core.payload import copied
from fastapi_session.errors import ClaimFailure, InvalidClaimsError, PayloadError
from fastapi_session.model import Json

Payload = TypeVar("Payload", default=dict[str, Any], covariant=True)
"""The application's claims in the access token: a Pydantic model, or plain JSON."""
Data = TypeVar("Data", default=dict[str, Any], covariant=True)
"""What the store keeps with the session: a Pydantic model, or plain JSON."""

PAYLOAD_CLAIM = "access_token_payload"
"""The id of the failure that a client gets if its claims do not fit the model."""


@dataclass(frozen=True)
class SessionTypes(Generic[Payload, Data]):
    """The models of one session; `None` is plain JSON."""

    payload: type[Payload] | None = None
    data: type[Data] | None = None

    def read_payload(self, claims: Json) -> Payload:
        """Return the custom *claims* of an access token. Raises `InvalidClaimsError` if they do not fit the model."""
        try:
            return cast("Payload", _read(self.payload, claims))
        except ValidationError as error:
            raise InvalidClaimsError([ClaimFailure(PAYLOAD_CLAIM, _reason(error))]) from None

    def read_data(self, data: Json) -> Data:
        """Return the session's *data*. Raises `PayloadError` if they do not fit the model."""
        try:
            return cast("Data", _read(self.data, data))
        except ValidationError as error:
            raise PayloadError(f"session_data: {_reason(error)}") from None

    def write_payload(self, value: object) -> Json | None:
        """Return *value*, a model or plain JSON, as claims. Raises `PayloadError` if it does not fit the model."""
        return _written(self.payload, value, PAYLOAD_CLAIM)

    def write_data(self, value: object) -> Json | None:
        """Return *value*, a model or plain JSON, as session data. Raises `PayloadError` if it does not fit the model."""
        return _written(self.data, value, "session_data")

    def merging(self, merge: Merge) -> Merge:
        """Return *merge* so that what it makes of a guest's data and the new ones fits the model. It raises `PayloadError` if not."""
        return lambda guest, new: self._made(merged_data(merge, guest, new), by="merge")

    def change_data(self, data: Json, change: Callable[[Data], object]) -> Json:
        """Return what *change* returns for *data*. Raises `PayloadError` if either does not fit the model, or it returned `None`."""
        return self._made(change(self.read_data(data)), by="the change")

    def _made(self, value: object, *, by: str) -> Json:
        written = None if value is None else self.write_data(value)
        if written is None:  # most likely it changed its copy in place; nobody means to delete everything by that
            raise PayloadError(f"session_data: {by} returned nothing, return the data as they are to be")
        return written


def _read(model: type[object] | None, value: Json) -> object:
    if model is None:
        return copied(value)
    return _model(model).model_validate(dict(value))


def plain(value: object) -> Json | None:
    """Return *value*, a model or plain JSON, as plain JSON. Nothing is validated."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    return cast("Json | None", value)


def _written(model: type[object] | None, value: object, what: str) -> Json | None:
    value = plain(value)
    if model is None:
        return value
    given = {} if value is None else value
    try:
        checked = _model(model).model_validate(given).model_dump(mode="json", by_alias=True)
    except ValidationError as error:
        raise PayloadError(f"{what}: {_reason(error)}") from None
    return {**given, **checked}  # what the model does not name is kept, as in plain JSON


def _model(model: type[object]) -> type[BaseModel]:
    if not issubclass(model, BaseModel):
        raise TypeError(f"{model.__name__} is no Pydantic model")
    return model


def _reason(error: ValidationError) -> dict[str, object]:
    """Return which fields are wrong and how, but not their values."""
    # The types of Pydantic's errors, not their messages, which may quote a value.
    problems = {".".join(map(str, problem["loc"])): problem["type"] for problem in error.errors(include_input=False)}
    return {"message": "wrong shape", "fields": problems}
