"""From the kind that a sign-in chose to the deadlines of its session, in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from fastapi_session.config import SessionConfig
from fastapi_session.config.lifetimes import Lifetime, SessionKind
from fastapi_session.engine.from_config import access_token_validities, milliseconds
from fastapi_session.errors import ConfigurationError

_UNTIL_THE_BROWSER_ENDS = SessionKind.browser_session()


@dataclass(frozen=True, slots=True)
class Terms:
    """How long a session lives, in milliseconds; without an *absolute_timeout* as long as it is refreshed.

    *keeps_idle_timeout* says whether the session keeps its idle timeout, whatever is configured later.
    """

    kind: str
    persistent: bool
    idle_timeout: int
    keeps_idle_timeout: bool
    absolute_timeout: int | None


class Lifetimes:
    """Knows the kinds of a configuration."""

    def __init__(self, config: SessionConfig) -> None:
        kinds = config.all_kinds
        self._grace = milliseconds(config.refresh_token_rotation_grace_period)
        self._validity = access_token_validities(config)
        self._terms = {
            (name, remember): _terms(name, kind, config, remember=remember)
            for name, kind in kinds.items()
            for remember in (True, False)
        }

    def terms(self, lifetime: Lifetime) -> Terms:
        """Return what *lifetime* means. Raises `ConfigurationError` if no such kind is configured, or no refresh could come in time."""
        terms = self._terms.get((lifetime.kind, lifetime.remember))
        if terms is None:
            known = ", ".join(sorted({name for name, _ in self._terms}))
            raise ConfigurationError(
                f'lifetime: no kind "{lifetime.kind}" is configured, give one of {known}, or add it to kinds'
            )
        if lifetime.idle is not None or lifetime.absolute is not None:
            terms = _shortened(terms, lifetime)
        if terms.idle_timeout - self._grace <= self._validity[terms.kind]:
            raise ConfigurationError(
                f"lifetime: a session of the kind {terms.kind} that ends after {terms.idle_timeout // 1000} seconds without a "
                "refresh needs a shorter access_token_validity, else no refresh keeps it alive"
            )
        return terms


def _terms(name: str, kind: SessionKind, config: SessionConfig, *, remember: bool) -> Terms:
    idle, absolute = kind.idle_timeout, kind.absolute_timeout or config.absolute_timeout
    if kind.persistent and not remember:
        idle = _least(idle or config.idle_timeout, _UNTIL_THE_BROWSER_ENDS.idle_timeout)
        absolute = _least(absolute, _UNTIL_THE_BROWSER_ENDS.absolute_timeout)
    return Terms(
        kind=name,
        persistent=kind.persistent and remember,
        idle_timeout=milliseconds(idle or config.idle_timeout),
        keeps_idle_timeout=idle is not None,
        absolute_timeout=None if absolute is None else milliseconds(absolute),
    )


def _shortened(terms: Terms, lifetime: Lifetime) -> Terms:
    if any(given is not None and given <= timedelta(0) for given in (lifetime.idle, lifetime.absolute)):
        raise ConfigurationError("lifetime: give idle and absolute as positive durations, or leave them out")
    if lifetime.idle is not None:
        idle = min(terms.idle_timeout, milliseconds(lifetime.idle))
        terms = replace(terms, idle_timeout=idle, keeps_idle_timeout=True)
    if lifetime.absolute is not None:
        absolute = milliseconds(lifetime.absolute)
        terms = replace(terms, absolute_timeout=min(terms.absolute_timeout or absolute, absolute))
    return terms


def _least(*durations: timedelta | None) -> timedelta | None:
    return min((each for each in durations if each is not None), default=None)
