"""Where the secret comes from, and who else has it. One that is short or easy to guess is refused before anything starts.

| id | looks at | level |
|---|---|---|
| FS081 | a secret that nobody chose: the key file beside the database | warning |
| FS082 | a secret that something else has too | error |
| FS085 | such a key file of an application that is on this machine alone, where it is right | info |

Of the environment only names are said, never what is in them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from fastapi_session.config import SessionConfig
from fastapi_session.doctor.application.installed import Installed, embedded_store, is_local
from fastapi_session.doctor.finding import Check, Finding, Level
from fastapi_session.engine.keys import secret_file
from fastapi_session.secret_strength import MAKE_A_SECRET
from fastapi_session.stores.sqlite import SqliteStore

KEY_FILE = Check(
    "FS081",
    Level.WARNING,
    "no secret is configured, so a key file beside the database has it",
    "keep a copy wherever the database goes, or give a secret (FASTAPI_SESSION_SECRET)",
)
SHARED = Check(
    "FS082",
    Level.ERROR,
    "something else has the same secret, and whoever knows it there can sign in here as anybody",
    f"give sessions one of their own; {MAKE_A_SECRET}",
)
TRIED_OUT = Check(
    "FS085",
    Level.INFO,
    "no secret is configured, so a key file beside the database has it, as is right on this machine alone",
    f"before others use the application, give a secret (FASTAPI_SESSION_SECRET); {MAKE_A_SECRET}",
)

CHECKS = (KEY_FILE, SHARED, TRIED_OUT)

_OF_OTHERS = ("DJANGO_SECRET_KEY", "DJANGO_SECRET", "FLASK_SECRET_KEY", "NEXTAUTH_SECRET", "BETTER_AUTH_SECRET")
"""Variables that say by their name that something else reads them."""
_OF_ANYBODY = (
    "SECRET_KEY",
    "APP_SECRET",
    "AUTH_SECRET",
    "JWT_SECRET",
    "JWT_SECRET_KEY",
    "SESSION_SECRET",
    "COOKIE_SECRET",
)
"""Variables that an application may read to configure sessions: they are of something else if that has a variable of its own."""


def secret_findings(installed: Installed) -> Iterator[Finding]:
    """Yield what is wrong with where the secret of *installed* comes from."""
    config = installed.config
    store = embedded_store(config)
    if not config.secrets and isinstance(store, SqliteStore):
        check = TRIED_OUT if is_local(config) else KEY_FILE
        yield check.found(str(secret_file.beside(store.path)))
    same = [name for name in _others(config) if os.environ.get(name, "").encode() in config.secrets]
    if same:
        yield SHARED.found(f"the variable {' and '.join(same)}")


def _others(config: SessionConfig) -> Iterator[str]:
    yield from _OF_OTHERS
    if f"{config.model_config['env_prefix']}SECRET" in os.environ:
        yield from _OF_ANYBODY
