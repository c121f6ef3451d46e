"""What a deployment chooses.

Every option has a safe default; `SessionConfig()` alone is complete for a first app on localhost. What is not given is
read from the environment: `FASTAPI_SESSION_API_DOMAIN`, `FASTAPI_SESSION_SECRET` and so on. Contradictions are refused at
construction with a `ConfigurationError` that names the field and the fix, all of them at once.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Self

from pydantic import model_validator

from fastapi_session.config.contradictions import doubts, problems
from fastapi_session.config.environment import nearest
from fastapi_session.config.settings import Settings
from fastapi_session.errors import ConfigurationError

logger = logging.getLogger("fastapi_session")


class SessionConfig(Settings):
    """The configuration of sessions, frozen. Durations are `timedelta`; in the environment seconds or ISO 8601.

    Raises pydantic's `ValidationError` where a value has the wrong type, and `ConfigurationError` where values
    contradict one another or lie outside of their range, or there is no setting of a name.
    """

    @model_validator(mode="before")
    @classmethod
    def _refuse_strangers(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        strangers = [name for name in given if name not in cls.model_fields]
        if strangers:
            raise ConfigurationError("\n".join(map(cls._no_such_setting, strangers)))
        return given

    @classmethod
    def _no_such_setting(cls, name: str) -> str:
        meant = nearest(name, cls.model_fields)
        return f"{name}: there is no such setting{f'; {meant} may be meant' if meant else ''}"

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Self:
        if found := [*problems(self)]:
            raise ConfigurationError("\n".join(found))
        for doubt in doubts(self):
            logger.warning(doubt)
        return self

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return this configuration with the settings of *update* in the place of its own, derived and checked as any other.

        Nothing is copied *deep*: a store stays the same. Raises as the constructor does.
        """
        del deep
        given = {name: getattr(self, name) for name in self.model_fields_set}
        return type(self)(**{**given, **(update or {})})
