"""What a deployment chooses.

Every option has a safe default; `SessionConfig()` alone is complete for a first app on localhost. What is not given is
read from the environment: `FASTAPI_SESSION_API_DOMAIN`, `FASTAPI_SESSION_SECRET` and so on. Contradictions are refused at
construction with a `ConfigurationError` that names the field and the fix, all of them at once. What may be right, but mostly is
not, the doctor says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import ModelWrapValidatorHandler, ValidationError, model_validator

from fastapi_session.config.contradictions import problems
from fastapi_session.config.environment import nearest
from fastapi_session.config.settings import Settings
from fastapi_session.config.wrong_values import wrong_values
from fastapi_session.errors import ConfigurationError


class SessionConfig(Settings):
    """The configuration of sessions, frozen. Durations are `timedelta`; in the environment seconds or ISO 8601.

    All have defaults. Of these a deployment needs some:

    - `api_domain`, `website_domain`: the origins of the API and of its pages, as browsers see them
    - `store`: a URL, `sqlite:///file`, `postgresql+asyncpg://...`, `redis://...`, or `memory:`; or a store object
    - `secret`: at least 32 random bytes, or several, the newest first
    - `access_token_validity`, `idle_timeout`, `absolute_timeout`: how long a token is good, and a session lives
    - `anti_csrf`: how a request with cookies proves that no other site forged it
    - `audit`: whether the store keeps what happens to sessions

    The page "Configuration" of the documentation has every one, and `.../config/settings.py` says of each what it is.

    Raises `ConfigurationError` if a value is none that its setting takes, if values contradict one another, or if there is
    no setting of a name.
    """

    # Around pydantic's own, whose error is of another class, and has the values in it.
    @model_validator(mode="wrap")
    @classmethod
    def _refuse_strangers_and_wrong_values(
        cls, given: Mapping[str, object], build: ModelWrapValidatorHandler[Self]
    ) -> Self:
        found = [cls._no_such_setting(name) for name in given if name not in cls.model_fields]
        if not found:
            try:
                return build(given)
            except ValidationError as refused:
                found = wrong_values(refused.errors(include_input=False, include_url=False))
        del given  # an error reporter would show the secret in it
        raise ConfigurationError("\n".join(found))

    @classmethod
    def _no_such_setting(cls, name: str) -> str:
        meant = nearest(name, cls.model_fields)
        return f"{name}: there is no such setting{f'; {meant} may be meant' if meant else ''}"

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Self:
        if found := [*problems(self)]:
            raise ConfigurationError("\n".join(found))
        return self

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return this configuration with the settings of *update* in the place of its own, derived and checked as any other.

        Nothing is copied *deep*: a store stays the same. Raises as the constructor does.
        """
        del deep
        given = {name: getattr(self, name) for name in self.model_fields_set}
        return type(self)(**{**given, **(update or {})})
