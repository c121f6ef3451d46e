"""The secret of an application that configured none: a file beside its database, readable by its owner alone.

Whoever can read it can sign in as anybody, and whoever can write it can choose it. So the file is used only if

| who | may |
|---|---|
| its owner, who is the user of this process or root | anything |
| its group | read: so Kubernetes and systemd hand files to a process that is not root |
| others | nothing |

On Windows a file has no such mode, and its folder decides.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

from fastapi_session.errors import ConfigurationError

_BYTES = 48
_TOO_OPEN = stat.S_IWGRP | stat.S_IRWXO
_ROOT = 0


def beside(database: Path | str) -> Path:
    """Return where the key file of the SQLite file *database* is."""
    return Path(f"{database}.secret")


def read_or_create(path: Path) -> bytes:
    """Return the secret in the file *path*, made with mode 0600 if there is none.

    Several processes that start at once agree on one. Raises `ConfigurationError` if it can be neither read nor made, or if
    others may have read or written it.
    """
    try:
        return _read(path) or _create(path)
    except OSError as error:
        raise ConfigurationError(
            f"secret: {path} can be neither read nor made ({error.strerror}); "
            "make its folder writable, or give a secret (FASTAPI_SESSION_SECRET)"
        ) from error


def read(path: Path) -> bytes | None:
    """Return the secret in the file *path*, `None` if there is none. Raises `ConfigurationError` as `read_or_create` does."""
    try:
        return _read(path)
    except OSError as error:
        raise ConfigurationError(f"secret: {path} cannot be read ({error.strerror})") from error


def _read(path: Path) -> bytes | None:
    try:
        return _private_content(path)
    except FileNotFoundError:
        return None


def _private_content(path: Path) -> bytes:
    with path.open("rb") as file:
        # Of the open file, not by its name: another file may have that name by now.
        _ensure_private(os.fstat(file.fileno()), path)
        return file.read()


def _ensure_private(status: os.stat_result, path: Path) -> None:
    """Raise `ConfigurationError` if anybody but this process, root and a group that was let in may know the secret."""
    if os.name != "posix":
        return
    user, mode = os.geteuid(), stat.S_IMODE(status.st_mode)
    if status.st_uid not in {user, _ROOT}:
        raise ConfigurationError(
            f"secret: {path} (mode {mode:04o}) belongs to user {status.st_uid}, and this process is user {user}: "
            "chown it if that is you as well, or give a secret of your own (FASTAPI_SESSION_SECRET)"
        )
    if mode & _TOO_OPEN:
        raise ConfigurationError(
            f"secret: {path} has mode {mode:04o}, so others can read or change it: chmod 600 it, and if somebody else "
            "may have done so, replace the secret (FASTAPI_SESSION_SECRET)"
        )


def _create(path: Path) -> bytes:
    """Write aside and link into place: whoever sees the file sees all of it, and the first one to link wins."""
    aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_urlsafe(_BYTES).encode())
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(aside, path)
    finally:
        aside.unlink()
    return _private_content(path)  # of whoever was the first: that need not be a process of ours
