"""Every check there is, in the order of the ids."""

from __future__ import annotations

from fastapi_session.doctor import examination
from fastapi_session.doctor.application import findings as application
from fastapi_session.doctor.outside import findings as outside
from fastapi_session.doctor.store import findings as store

CHECKS = tuple(
    sorted(
        (*application.CHECKS, *examination.CHECKS, *store.CHECKS, *outside.CHECKS),
        key=lambda check: check.id,
    )
)
"""All of them. `docs/doctor-checks.md` has a row for each."""
