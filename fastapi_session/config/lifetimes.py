"""How long sessions live: the kinds that a deployment configures, and what a sign-in chooses of them.

Of a sign-in with `Lifetime(kind, remember=...)`:

| the kind is | remember | cookies | deadlines |
|---|---|---|---|
| persistent | true | outlive the browser | as the kind says |
| persistent | false | end with the browser | as the kind says, but at most those of `SessionKind.browser_session()` |
| not persistent | whatever | end with the browser | as the kind says |

A browser that opens its last tabs again brings back cookies that should have ended with it. So only the deadlines, which the
store keeps, end such a session for certain.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ModelWrapValidatorHandler,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_settings import NoDecode

from fastapi_session.config.frozen_mapping import FrozenMapping
from fastapi_session.config.session_limit import LimitSetting
from fastapi_session.config.values import Duration
from fastapi_session.config.wrong_values import wrong_values
from fastapi_session.errors import ConfigurationError
from fastapi_session.model import DEFAULT_KIND


class SessionKind(BaseModel):
    """How long the sessions of a kind live. What is `None` is as the settings of the same name say.

    Unless it is *persistent*, the cookies of such sessions end with the browser, whatever a sign-in says.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    idle_timeout: Duration | None = None
    """How long a session lives without a refresh."""
    absolute_timeout: Duration | None = None
    """How long a session lives at all."""
    access_token_validity: Duration | None = None
    """How long an access token is believed."""
    persistent: bool = True
    """Whether the cookies may outlive the browser."""
    limit: LimitSetting = None
    """How many sessions of the kind a user may have at once. They do not count for `session_limit` then."""

    @model_validator(mode="wrap")
    @classmethod
    def _refuse_wrong_values(cls, given: object, build: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        named = "SessionKind" if info.context is None else info.context
        if not isinstance(given, (Mapping, SessionKind)):
            raise ConfigurationError(
                f'{named}: give a SessionKind, in the environment as JSON: {{"idle_timeout": 900}}'
            )
        try:
            return build(given)
        except ValidationError as refused:
            found = wrong_values(refused.errors(include_input=False, include_url=False))
        raise ConfigurationError("\n".join(f"{named}.{each}" for each in found))

    @classmethod
    def aal1(cls) -> Self:
        """Return the limits of assurance level 1 (NIST SP 800-63B-4, section 2.1.3): 30 days in all."""
        return cls(absolute_timeout=timedelta(days=30))

    @classmethod
    def aal2(cls) -> Self:
        """Return the limits of assurance level 2 (NIST SP 800-63B-4, section 2.2.3): 24 hours in all, one hour idle."""
        return cls(
            idle_timeout=timedelta(hours=1),
            absolute_timeout=timedelta(hours=24),
            access_token_validity=timedelta(minutes=15),
        )

    @classmethod
    def aal3(cls) -> Self:
        """Return the limits of assurance level 3 (NIST SP 800-63B-4, section 2.3.3): 12 hours in all, 15 minutes idle.

        Its cookies end with the browser.
        """
        return cls(
            idle_timeout=timedelta(minutes=15),
            absolute_timeout=timedelta(hours=12),
            access_token_validity=timedelta(minutes=5),
            persistent=False,
        )

    @classmethod
    def browser_session(cls) -> Self:
        """Return what ends with the browser: after 12 hours without a refresh and 24 hours in all, at the latest."""
        return cls(idle_timeout=timedelta(hours=12), absolute_timeout=timedelta(hours=24), persistent=False)

    @classmethod
    def mobile(cls) -> Self:
        """Return what an app on a phone needs that is opened now and then: 180 days without a refresh."""
        return cls(idle_timeout=timedelta(days=180))

    @classmethod
    def machine(cls) -> Self:
        """Return what a program needs that signs in by itself: 90 days in all."""
        return cls(absolute_timeout=timedelta(days=90), access_token_validity=timedelta(hours=1))


def setting_of(kind: object) -> str:
    """Return how an error names the setting of *kind*: in one line, whatever it is called."""
    text = str(kind)
    return f"kinds.{text if text.isprintable() else ascii(text)}"


def _kinds_by_name(given: object) -> object:
    """Return the value *given* to the setting `kinds` with a `SessionKind` for each name. Text is JSON.

    Raises `ConfigurationError` that names each wrong kind with its field, all of them at once.
    """
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError:
            raise ConfigurationError('kinds: give JSON: {"bank": {"idle_timeout": 900}}') from None
    if not isinstance(given, Mapping):
        return given  # pydantic says so
    kinds, found = {}, []
    for name, kind in given.items():
        try:
            kinds[name] = SessionKind.model_validate(kind, context=setting_of(name))
        except ConfigurationError as refused:
            found.append(str(refused))
    if found:
        raise ConfigurationError("\n".join(found))
    return kinds


# NoDecode, since for text that is no JSON pydantic-settings has an error of a class of its own.
Kinds = Annotated[
    Mapping[str, SessionKind],
    NoDecode,
    BeforeValidator(_kinds_by_name),
    AfterValidator(FrozenMapping),
    PlainSerializer(dict, return_type=dict[str, SessionKind]),  # pydantic knows no other mapping
]
"""Kinds of sessions by name, immutable; as text, JSON."""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """What a sign-in says of how long its session lives.

    *kind* is one of `SessionConfig.kinds`, by default what the settings themselves say. *remember* is what the user ticked:
    false lets the cookies end with the browser. *idle* and *absolute* shorten the kind's timeouts; they never lengthen them.
    """

    kind: str = DEFAULT_KIND
    remember: bool = True
    idle: timedelta | None = None
    absolute: timedelta | None = None


AS_CONFIGURED = Lifetime()
"""Of a sign-in that says nothing."""
