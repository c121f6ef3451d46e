"""The application whose sessions are bound, a store that can be down, and what a browser tells of its keys."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from secrets import token_urlsafe
from typing import Any

from playwright.sync_api import BrowserContext, CDPSession, Page
from starlette.types import ASGIApp

from example_app.certificate import Certificate
from fastapi_session import SessionConfig, StoreUnavailable
from fastapi_session.clock import system_clock
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.testing import HandClock
from tests.browser.script_app import ScriptApp
from tests.browser.server import Server, serve
from tests.browser.waiting import until
from tests.moments import HOUR
from tests.wire import BINDING_COOKIE, DEVICE_PATH, DEVICE_RENEWAL_PATH, REFRESH_PATH

REGISTERED = f"POST {DEVICE_PATH} 200"
RENEWED = f"POST {DEVICE_RENEWAL_PATH} 200"
CHALLENGED = f"POST {DEVICE_RENEWAL_PATH} 403"
REFRESHED = f"POST {REFRESH_PATH} 200"
ABOUT_KEYS = (DEVICE_PATH, REFRESH_PATH)


class FailingStore(MemoryStore):
    """Keeps sessions, and is *down* when a test says so."""

    down = False
    cannot_bind = False

    async def get(self, *args: Any, **kwargs: Any) -> Any:
        self._turn()
        return await super().get(*args, **kwargs)

    async def rotate(self, *args: Any, **kwargs: Any) -> Any:
        self._turn()
        return await super().rotate(*args, **kwargs)

    async def bind(self, *args: Any, **kwargs: Any) -> bool:
        self._turn(self.cannot_bind)
        return await super().bind(*args, **kwargs)

    def _turn(self, fails: bool = False) -> None:
        if self.down or fails:
            raise StoreUnavailable("the store is down")


@dataclass
class BoundApp:
    """The application, its clock and its store, and what it has answered so far."""

    app: ScriptApp
    store: FailingStore
    server: Server

    @property
    def answers(self) -> list[str]:
        """What concerned keys and refreshes, in turn."""
        return [line for line in self.server.answers if line.split()[1].startswith(ABOUT_KEYS)]

    @property
    def events(self) -> list[str]:
        """What happened to sessions, by name."""
        return self.app.happened

    def forget(self) -> None:
        """Forget what was answered so far."""
        self.server.answers.clear()


@contextmanager
def serve_bound(certificate: Certificate, *, clock: HandClock | None = None, **settings: Any) -> Iterator[BoundApp]:
    """Serve the application over https, with further *settings*."""
    clock = clock or HandClock(system_clock())
    store = FailingStore(clock=clock)
    apps: list[ScriptApp] = []

    def build(origin: str) -> ASGIApp:
        chosen: dict[str, Any] = {"device_binding": "optional", "access_token_validity": HOUR, **settings}
        config = SessionConfig(
            api_domain=origin, website_domain=origin, store=store, secret=token_urlsafe(48), **chosen
        )
        apps.append(ScriptApp(config, clock=clock))
        return apps[0].app

    with serve(build, certificate=certificate) as server:
        yield BoundApp(apps[0], store, server)


@dataclass
class Profile:
    """One profile of a browser, with a page of the application, and what became of its keys."""

    page: Page
    bound_app: BoundApp
    cdp: CDPSession
    told: list[str] = field(default_factory=list)

    @property
    def context(self) -> BrowserContext:
        return self.page.context

    def visit(self) -> Page:
        """Open the page, once more in another tab if there is one already."""
        return opened(self.context.new_page(), self.bound_app)

    def ask(self, method: str, path: str) -> Any:
        """Call by the client of the page, which refreshes when it has to."""
        return self.page.evaluate("([method, path]) => call(method, path)", [method, path])

    def refresh(self) -> Any:
        """Refresh behind the client's back, and return the status."""
        return self.page.evaluate(f"fetch('{REFRESH_PATH}', {{ method: 'POST' }}).then((response) => response.status)")

    def sign_in(self) -> None:
        """Sign in, and wait until the browser has bound the session."""
        registered = self.told.count("registered")
        assert [200, "ada"] == self.ask("POST", "/login")
        self.wait_until(lambda: self.told.count("registered") > registered)

    def expire(self) -> None:
        """Let an hour pass: the access token ends, and so does the credential, which the browser then drops."""
        self.bound_app.app.clock.advance(HOUR)
        self.drop(BINDING_COOKIE)

    def drop(self, cookie: str) -> None:
        """Drop the cookie, as a browser does whose time has come."""
        self.cdp.send("Network.deleteCookies", {"name": cookie, "url": self.bound_app.server.origin + REFRESH_PATH})

    def steal_from(self, owner: Profile) -> None:
        """Have the cookies of *owner*, all of them and no others."""
        self.context.clear_cookies()
        cookies: Any = owner.context.cookies()  # which is typed otherwise than what is added
        self.context.add_cookies(cookies)

    def wait_until(self, condition: Any) -> None:
        """Wait, while the browser is heard."""

        def holds() -> bool:
            self.page.wait_for_timeout(10)
            return bool(condition())

        until(holds)


def opened(page: Page, bound_app: BoundApp) -> Page:
    page.goto(f"{bound_app.server.origin}/?mode=cookie")
    page.wait_for_function("globalThis.call !== undefined")
    return page


def profile_of(context: BrowserContext, bound_app: BoundApp) -> Profile:
    """Open the application in the browser profile *context*, and listen to what becomes of its keys."""
    page = context.new_page()
    cdp = context.new_cdp_session(page)
    profile = Profile(page, bound_app, cdp)
    cdp.on("Network.deviceBoundSessionEventOccurred", lambda event: profile.told.extend(told_by(event)))
    cdp.send("Network.enable")
    cdp.send("Network.enableDeviceBoundSessions", {"enable": True})
    opened(page, bound_app)
    return profile


def told_by(event: dict[str, Any]) -> list[str]:
    """What a browser tells of a key, in a word or two: nothing of challenges."""
    match event:
        case {"creationEventDetails": {"fetchResult": "Success"}}:
            return ["registered"]
        case {"creationEventDetails": {"fetchResult": result}}:
            return [f"not registered: {result}"]
        case {"refreshEventDetails": {"refreshResult": "Refreshed"}}:
            return ["renewed"]
        case {"refreshEventDetails": {"refreshResult": result}}:
            return [f"not renewed: {result}"]
        case {"terminationEventDetails": {"deletionReason": reason}}:
            return [f"ended: {reason}"]
    return []
