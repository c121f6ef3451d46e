"""Variables of the environment that do not count."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic_settings import SettingsConfigDict

from fastapi_session import SessionConfig
from tests.doctor.deployments import HEALTHY, found_in, settings_found
from tests.engines import NEW_SECRET

PASSWORD = "a-password-that-nobody-may-read"


@pytest.mark.parametrize("name", ["SERVICE_HOST", "PORT_80_TCP_ADDR", "TEST_POSTGRES_URL"])
def test_a_strange_variable(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that resembles no setting may be somebody else's, as those of Kubernetes: it is ignored, FS083."""
    monkeypatch.setenv(f"FASTAPI_SESSION_{name}", PASSWORD)

    assert [("FS083", f"FASTAPI_SESSION_{name}")] == settings_found()


@pytest.mark.parametrize("name", ["fastapi_session_login_url", "FASTAPI_SESSIONS_IDLE", "IDLE_TIMOUT", "FASTAPI"])
def test_other_variables_are_left_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting in small letters, as pydantic reads it, and variables that do not begin as settings do, are no business of ours."""
    monkeypatch.setenv(name, "/login")

    assert [] == settings_found()


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("FASTAPI_SESION_SECRET", "SECRET"),
        ("FASTAPISESSION_API_DOMAIN", "API_DOMAIN"),
        ("FASTAPI_SESSIONS_STORE", "STORE"),
        ("FAST_API_SESSION_IDLE_TIMEOUT", "IDLE_TIMEOUT"),
        ("fastapi-session-secret", "SECRET"),
        ("FASTAPI_SESSIONSECRET", "SECRET"),
        ("FSATAPI_SESSION_SECERT", "SECRET"),
    ],
)
def test_a_prefix_with_a_slip(name: str, meant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is a setting but for a slip in its prefix is ignored too, FS083, and what it may have been meant for is said."""
    monkeypatch.setenv(name, PASSWORD)

    assert [("FS083", f"{name}, where FASTAPI_SESSION_{meant} may be meant")] == settings_found()


@pytest.mark.parametrize(
    "name",
    [
        "SESSION_SECRET",
        "FASTAPI_SECRET",
        "FASTAPI_USERS_SECRET",
        "FASTAPI_SSO_SECRET",
        "FASTAPI_AUTH_SESSION_SECRET",
        "FASTAPI_SESSIONS_CACHE",
        "STARLETTE_SESSION_SECRET",
        "FASTAPI_SESSION",
    ],
)
def test_variables_of_others(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of other packages are none with a slip, and neither are variables that resemble no setting."""
    monkeypatch.setenv(name, PASSWORD)

    assert [] == settings_found()


def test_a_variable_that_the_code_overrides(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the application sets itself does not come from the environment, FS084; only names are said."""
    monkeypatch.setenv("FASTAPI_SESSION_IDLE_TIMEOUT", "P10D")
    monkeypatch.setenv("FASTAPI_SESSION_SECRET", NEW_SECRET)

    assert [("FS084", "FASTAPI_SESSION_IDLE_TIMEOUT"), ("FS084", "FASTAPI_SESSION_SECRET")] == settings_found(
        idle_timeout=timedelta(days=9)
    )


def test_a_variable_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is read, or that says what the code says, is in order."""
    monkeypatch.setenv("FASTAPI_SESSION_IDLE_TIMEOUT", "P10D")

    assert [] == settings_found()
    assert [] == settings_found(idle_timeout=timedelta(days=10))


def test_the_variables_of_an_applications_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of an application's own class, under its own prefix, are spelt by its own fields."""

    class Own(SessionConfig):
        model_config = SettingsConfigDict(env_prefix="SHOP_")
        currency: str = "EUR"

    monkeypatch.setenv("SHOP_CURRENCY", "JPY")
    monkeypatch.setenv("FASTAPI_SESSION_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("SHOPS_IDLE_TIMEOUT", "P10D")  # of another deployment, maybe
    assert [] == found_in(Own(**HEALTHY))
    monkeypatch.setenv("SHOP_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("SHOP_IDLE_TIMEOUT", "P10D")

    seen = [("FS083", "SHOP_SERVICE_HOST"), ("FS084", "SHOP_IDLE_TIMEOUT")]
    assert seen == found_in(Own(**HEALTHY, idle_timeout=timedelta(days=9)))
