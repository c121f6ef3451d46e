"""From the kind that a sign-in chose to the deadlines of its session, in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from fastapi_session.config import SessionConfig
from fastapi_session.config.lifetimes import Lifetime, SessionKind
from fastapi_session.engine.from_config import access_token_validities, milliseconds
from fastapi_session.errors import ConfigurationError
from fastapi_session.model import DEFAULT_KIND, SessionRecord

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
        """Return what *lifetime* means. Raises `ConfigurationError` if it is none, its kind is not configured, or it is too short."""
        _ensure_well_formed(lifetime)
        # A list, since not everything that may be given as a kind can be looked up by its hash.
        if lifetime.kind not in [*self._validity]:
            known = ", ".join(sorted(self._validity))
            raise ConfigurationError(
                f"lifetime: no kind {lifetime.kind!r} is configured, give one of {known}, or add it to kinds"
            )
        terms = _shortened(self._terms[lifetime.kind, lifetime.remember], lifetime)
        # Only of what this sign-in says: who is not remembered has shorter access tokens if need be.
        if lifetime.idle is not None and terms.idle_timeout - self._grace <= self._validity[terms.kind]:
            raise ConfigurationError(
                f"lifetime: a session of the kind {terms.kind} that ends after {terms.idle_timeout // 1000} seconds without a "
                "refresh needs a shorter access_token_validity, else no refresh keeps it alive"
            )
        return terms

    def again(self, record: SessionRecord) -> Terms:
        """Return what counts if the session of *record* begins anew: its kind as it is configured now, and never more than it had.

        A kind that is configured no more has no say.
        """
        row = record.lineage
        absolute = None if row.absolute_expires_at is None else row.absolute_expires_at - record.created_at
        had = Terms(
            kind=record.kind,
            persistent=record.persistent,
            idle_timeout=self._terms[DEFAULT_KIND, True].idle_timeout if row.idle_timeout is None else row.idle_timeout,
            keeps_idle_timeout=row.idle_timeout is not None,
            absolute_timeout=absolute,
        )
        configured = self._terms.get((record.kind, record.persistent))
        return had if configured is None else _shorter(had, configured)


def _ensure_well_formed(lifetime: Lifetime) -> None:
    """Raise `ConfigurationError` unless *lifetime* is one, of values that its fields take."""
    # Checked here although the types say it: what a form sends is often passed on as it came, and "no" would be true.
    if not isinstance(lifetime, Lifetime):
        raise ConfigurationError('lifetime: give a Lifetime, as in Lifetime("web", remember=False)')
    if not isinstance(lifetime.remember, bool):
        raise ConfigurationError("lifetime: give remember as True or False")
    for given in (lifetime.idle, lifetime.absolute):
        if given is not None and not isinstance(given, timedelta):
            raise ConfigurationError("lifetime: give idle and absolute as timedelta, or leave them out")
        # A session of less may begin with an access token that has expired: those count in whole seconds.
        if given is not None and given < timedelta(seconds=1):
            raise ConfigurationError("lifetime: give idle and absolute at least one second, or leave them out")


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
    if lifetime.idle is not None:
        idle = min(terms.idle_timeout, milliseconds(lifetime.idle))
        terms = replace(terms, idle_timeout=idle, keeps_idle_timeout=True)
    if lifetime.absolute is not None:
        absolute = milliseconds(lifetime.absolute)
        terms = replace(terms, absolute_timeout=min(terms.absolute_timeout or absolute, absolute))
    return terms


def _shorter(one: Terms, other: Terms) -> Terms:
    """Return *one* with no timeout longer than that of *other*."""
    absolute = [each for each in (one.absolute_timeout, other.absolute_timeout) if each is not None]
    return replace(
        one,
        idle_timeout=min(one.idle_timeout, other.idle_timeout),
        keeps_idle_timeout=one.keeps_idle_timeout or other.keeps_idle_timeout,
        absolute_timeout=min(absolute, default=None),
    )


def _least(*durations: timedelta | None) -> timedelta | None:
    return min((each for each in durations if each is not None), default=None)
