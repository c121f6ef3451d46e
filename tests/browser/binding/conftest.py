"""A Chromium that binds sessions to keys, and applications that it reaches over https."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from example_app.certificate import SOFTWARE_KEYS, Certificate, certificate_in
from tests.browser.binding.bound_app import BoundApp, serve_bound
from tests.browser.conftest import launched
from tests.browser.setup import Missing, chromium

FEATURES = f"--enable-features=DeviceBoundSessions:RefreshQuota/false,{SOFTWARE_KEYS}"
"""Without the quota of six signatures in nine minutes, which is for a site: to the browser all of these tests are one."""
SINCE = 145
"""The first Chromium that binds sessions."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate_in(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def executable() -> Path:
    """The whole Chromium: the headless shell binds no session."""
    try:
        return chromium()
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def flags(certificate: Certificate) -> tuple[str, ...]:
    """What it is started with so that it binds sessions here."""
    return (FEATURES, certificate.trust)


@pytest.fixture(scope="module")
def browser(executable: Path, flags: tuple[str, ...]) -> Iterator[Browser]:
    with launched(executable, *flags) as browser:
        if int(browser.version.partition(".")[0]) < SINCE:
            pytest.skip(str(Missing("bound sessions", f"Chromium {SINCE} is needed, and this is {browser.version}")))
        yield browser


@pytest.fixture
def bound_app(certificate: Certificate) -> Iterator[BoundApp]:
    """An application that binds sessions whose browsers can."""
    with serve_bound(certificate) as bound_app:
        yield bound_app


@pytest.fixture
def other_browser(browser: Browser, executable: Path, certificate: Certificate) -> Iterator[Browser]:
    """A browser that has no keys to bind to, as Chromium on most machines with Linux."""
    started = browser.browser_type.launch(executable_path=executable, args=["--no-sandbox", certificate.trust])
    yield started
    started.close()
