"""What a browser that binds sessions does in ten minutes, by the real clock: `python -m tests.browser.binding.slow_clock`.

Too slow for every run of the tests. Each scene has a profile of its own, and all run at once:

| scene | what is looked for |
|---|---|
| quota | a browser makes six signatures for a site in nine minutes; what becomes of a refresh that would need the seventh, and when it goes on |
| working | a page that refreshes every ten seconds: when the key is proved, and whether any refresh is refused |
| sleeping | a page that does nothing until the credential has ended by itself, and then refreshes |
| sign-ins | eight sign-ins in a row: which of them are bound, and how those fare that are not |
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser

from example_app.certificate import SOFTWARE_KEYS, Certificate, certificate_in
from fastapi_session.clock import system_clock
from fastapi_session.testing import HandClock
from tests.browser.binding.bound_app import Profile, profile_of, serve_bound
from tests.browser.conftest import launched
from tests.browser.setup import chromium
from tests.wire import BINDING_COOKIE

LENGTH = 660
"""How many seconds it takes: the nine minutes of the quota, and two more."""
TURN = 10

Scene = Iterator[None]


def told(scene: str, began: float, text: str) -> None:
    """Say what was seen in the *scene*, which *began* then."""
    sys.stdout.write(f"{time.monotonic() - began:4.0f} s  {scene:9} {text}\n")
    sys.stdout.flush()


def quota(profile: Profile, say: Callable[[str], None]) -> Scene:
    """Drop the credential before each refresh: nine times at once, and then each turn."""
    profile.sign_in()
    seen = 0
    for turn in range(LENGTH // TURN + 8):
        profile.drop(BINDING_COOKIE)
        status = profile.refresh()
        if status != seen:
            say(
                f"refresh {turn + 1} by a credential that was dropped: {status} after {profile.told.count('renewed')} renewals"
            )
        seen = status
        if turn >= 8:
            yield
    say(f"in the end {profile.told.count('renewed')} renewals")


def working(profile: Profile, say: Callable[[str], None]) -> Scene:
    """Refresh each turn."""
    profile.sign_in()
    for _ in range(LENGTH // TURN):
        before = profile.told.count("renewed")
        if (status := profile.refresh()) != 200:
            say(f"refused: {status}")
        yield
        if profile.told.count("renewed") > before:
            say("the key was proved")


def sleeping(profile: Profile, say: Callable[[str], None]) -> Scene:
    """Refresh once after six minutes, and once more at the end."""
    profile.sign_in()
    for turn in range(LENGTH // TURN):
        if turn in (36, 64):
            profile.bound_app.forget()
            say(f"refresh: {profile.refresh()}, by {profile.bound_app.answers}")
        yield


def sign_ins(profile: Profile, say: Callable[[str], None]) -> Scene:
    """Sign in eight times, and refresh each turn."""
    for _ in range(8):
        told_before = len(profile.told)
        profile.ask("POST", "/login")
        profile.wait_until(lambda before=told_before: len(profile.told) > before)
    say(f"eight sign-ins: {profile.told}")
    seen = 0
    for _ in range(LENGTH // TURN):
        profile.drop(BINDING_COOKIE)
        if (status := profile.refresh()) != seen:
            say(f"refresh: {status}")
        seen = status
        yield


SCENES = (quota, working, sleeping, sign_ins)


class MachinesClock(HandClock):
    """The clock of the machine, which nobody drives."""

    def __call__(self) -> int:
        return system_clock()


def run(browser: Browser, certificate: Certificate) -> None:
    """Let all scenes take turns."""
    began = time.monotonic()
    with ExitStack() as stack:
        profiles: list[Profile] = []
        scenes: list[Scene] = []
        for scene in SCENES:
            bound_app = stack.enter_context(serve_bound(certificate, clock=MachinesClock()))
            profiles.append(profile_of(stack.enter_context(browser.new_context()), bound_app))
            scenes.append(scene(profiles[-1], partial(told, scene.__name__.replace("_", "-"), began)))
        for turn in range(1, LENGTH // TURN + 2):
            for each in scenes:
                next(each, None)
            profiles[0].page.wait_for_timeout(max(0, began + turn * TURN - time.monotonic()) * 1000)


def main() -> None:
    with TemporaryDirectory() as folder:
        certificate = certificate_in(Path(folder))
        flags = (f"--enable-features=DeviceBoundSessions,{SOFTWARE_KEYS}", certificate.trust)
        with launched(chromium(), *flags) as browser:
            run(browser, certificate)


if __name__ == "__main__":
    main()
