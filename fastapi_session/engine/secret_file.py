"""The secret of an application that configured none: a file beside its database, readable by its owner alone."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from fastapi_session.errors import ConfigurationError

_BYTES = 48


def read_or_create(path: Path) -> bytes:
    """Answer the secret in the file *path*, made with mode 0600 where there is none.

    Several processes that start at once agree on one. Raises `ConfigurationError` where it can be neither read nor made.
    """
    try:
        return _read(path) or _create(path)
    except OSError as error:
        raise ConfigurationError(
            f"secret: {path} can be neither read nor made ({error.strerror}); "
            "make its folder writable, or give a secret (FASTAPI_SESSION_SECRET)"
        ) from error


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


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
    return path.read_bytes()
