"""Variables of the environment that look like settings and are none.

One that is misspelt would leave a default in force that somebody meant to change. One that resembles no setting may belong to
somebody else: Kubernetes makes variables of the name of every service, whether a program wants them or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches

_ALIKE = 0.7
"""How alike two names are (0 to 1, as difflib measures) before one is taken for the other misspelt."""


@dataclass(frozen=True, slots=True)
class Stranger:
    """A variable that begins as settings do and is none, and the setting that it may have been meant for."""

    name: str
    meant: str | None


def strangers(names: Iterable[str], *, prefix: str, settings: Iterable[str]) -> Iterator[Stranger]:
    """Return which of the variables *names* begin with *prefix* and are none of the *settings*, whatever their case."""
    if not prefix:
        return
    known = [setting.lower() for setting in settings]
    for name in sorted(names):
        rest = name.lower().removeprefix(prefix.lower())
        if rest == name.lower() or rest in known:
            continue
        meant = nearest(rest, known)
        yield Stranger(name, f"{prefix}{meant}".upper() if meant else None)


def nearest(name: str, settings: Iterable[str]) -> str | None:
    """Return which of *settings* may be meant by *name*, if one resembles it."""
    return next(iter(get_close_matches(name, settings, n=1, cutoff=_ALIKE)), None)
