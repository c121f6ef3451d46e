"""Variables of the environment that look like settings and are none.

One that is misspelt would leave a default in force that somebody meant to change. One that resembles no setting may belong to
somebody else: Kubernetes makes variables of the name of every service, whether a program wants them or not.
A slip in how one begins makes it somebody else's too: it is named where its setting is missed. No value is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches

_ALIKE = 0.7
"""How alike two names are (0 to 1, as difflib measures) before one is taken for the other misspelt."""
_BEGIN_ALIKE = 0.88
"""How alike two beginnings are before one is a slip: `FASTAPI_SSO_` is none, with 0.86."""
_SLIP = 3
"""How many letters may be too many or missing."""


@dataclass(frozen=True, slots=True)
class Stranger:
    """A variable that begins as settings do, or nearly so, and is none, and the setting that it may have been meant for."""

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


def slips(names: Iterable[str], *, prefix: str, settings: Iterable[str]) -> Iterator[Stranger]:
    """Return which of the variables *names* are *settings* but for a slip in *prefix*, with which they do not begin."""
    known, begins = [*settings], prefix.lower()
    for name in sorted(names):
        meant = None if name.lower().startswith(begins) else _meant(name.lower(), begins, known)
        if meant is not None:
            yield Stranger(name, f"{prefix}{meant}".upper())


def _meant(name: str, prefix: str, settings: Iterable[str]) -> str | None:
    """Return the setting that *name* is about, if it begins nearly as *prefix*."""
    beginnings = {name[:length] for length in range(len(prefix) - _SLIP, len(prefix) + _SLIP + 1)}
    alike = get_close_matches(prefix, sorted(beginnings), n=1, cutoff=_BEGIN_ALIKE)
    return nearest(name.removeprefix(alike[0]), settings) if alike else None
