"""A real browser for every test of this folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.browser.setup import Missing, headless_chromium
from tests.browser.waiting import PATIENCE

# How long a page takes says how busy the machine is: five seconds, as Playwright has it, are too few for that.
expect.set_options(timeout=PATIENCE * 1000)

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP *.test 127.0.0.1",  # Names that are not this machine's own, as far as a browser knows.
)

REFUSALS = ("Failed to load resource", "WebSocket connection to")
"""How Chromium begins to tell of a request that was refused or broke off."""


@pytest.fixture(scope="module")
def executable() -> Path:
    """Which browser it is."""
    try:
        return headless_chromium()
    except Missing as missing:
        pytest.skip(str(missing))


# One browser a module: Playwright keeps an event loop running in this thread, which must end before others' tests begin.
@pytest.fixture(scope="module")
def browser(executable: Path) -> Iterator[Browser]:
    with launched(executable) as browser:
        yield browser


@contextmanager
def launched(executable: Path, *flags: str) -> Iterator[Browser]:
    """Run the browser, with *flags* beside those that all have."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=[*FLAGS, *flags])
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One browser's cookies and storage, whose pages must leave the console quiet."""
    complaints: list[str] = []
    with browser.new_context(reduced_motion="reduce") as context:
        context.on("console", lambda message: complaints.append(message.text) if is_a_complaint(message) else None)
        context.on("weberror", lambda failure: complaints.append(str(failure.error)))
        yield context
    assert [] == complaints


def started(
    browser: Browser, *, profile: Path, executable: Path | None = None, flags: Sequence[str] = ()
) -> BrowserContext:
    """Start a browser like *browser* with what its last run left in the folder *profile*. Closing the context ends it."""
    return browser.browser_type.launch_persistent_context(
        profile, executable_path=executable or headless_chromium(), args=[*FLAGS, *flags]
    )


def is_a_complaint(message: ConsoleMessage) -> bool:
    """Whether a developer would look at *message*. That a request was refused or broke off, Chromium tells by itself."""
    return message.type in {"error", "warning"} and not message.text.startswith(REFUSALS)


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()
