"""The doctor: what is wrong with a deployment, and what to do about it."""

from __future__ import annotations

from fastapi_session.doctor.finding import Check, Finding, Level

__all__ = ["Check", "Finding", "Level"]
