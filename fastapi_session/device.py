"""What a user agent says of a device, in words that its owner recognises: "Firefox on Linux".

The package ua-parser, which comes with the extra `devices`, parses the text; without it nothing is known. This table says
how its result is named here:

| ua-parser says | here | |
|---|---|---|
| Chrome, Chrome Mobile, Chrome Mobile iOS | Chrome | a browser |
| Safari, Mobile Safari | Safari | a browser |
| Firefox, Firefox Mobile, Firefox iOS | Firefox | a browser |
| Edge, Edge Mobile | Edge | a browser |
| Opera, Opera Mobile, Opera Mini | Opera | a browser |
| HeadlessChrome | Headless Chrome | a browser |
| IE, IE Mobile | Internet Explorer | a browser |
| any other family | the same | a browser |
| Chrome Mobile WebView, Mobile Safari UI/WKWebView | nothing | an application that shows pages |
| any family, of a text that does not begin as those of browsers do: okhttp, curl, Dart, python-httpx | nothing | an application |
| device Spider | nothing | a bot |
| system Mac OS X | macOS | a desktop |
| system Windows, Linux, Ubuntu, Fedora, Debian, OpenBSD, FreeBSD | the same | a desktop |
| system Chrome OS | ChromeOS | a desktop |
| system iOS, device iPhone | iOS | mobile, "on iPhone" |
| system iOS, device iPad | iPadOS | a tablet, "on iPad" |
| system Android, with "Mobile" in the text | Android | mobile |
| system Android, without | Android | a tablet |
| any other system | the same | not known |

Versions of a system are never said: browsers freeze them, so that Windows 11 says 10. Neither are models: Android says "K".
Nobody has to say the truth in a user agent, so it proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from typing import Any, Literal

DeviceType = Literal["desktop", "mobile", "tablet", "application", "bot"]

CACHED = 4_096
"""How many parsed user agents are cached: parsing one takes a millisecond or two."""


@dataclass(frozen=True, slots=True)
class Device:
    """What a user agent says of a device; each is `None` if that is not known.

    *browser* is its name, *system* that of the operating system, both without a version. *type* is one of "desktop", "mobile",
    "tablet", "application" (no browser) and "bot". *text* says it in English: "Safari on iPhone".
    """

    browser: str | None = None
    system: str | None = None
    type: DeviceType | None = None
    text: str | None = None


UNKNOWN_DEVICE = Device()
"""Without a user agent, without the extra `devices`, and of a user agent that says nothing."""

_BROWSERS: Mapping[str, str] = {
    "Chrome Mobile": "Chrome",
    "Chrome Mobile iOS": "Chrome",
    "Mobile Safari": "Safari",
    "Firefox Mobile": "Firefox",
    "Firefox iOS": "Firefox",
    "Edge Mobile": "Edge",
    "Opera Mobile": "Opera",
    "Opera Mini": "Opera",
    "HeadlessChrome": "Headless Chrome",
    "IE": "Internet Explorer",
    "IE Mobile": "Internet Explorer",
}
_SHOWS_PAGES = {"Chrome Mobile WebView", "Mobile Safari UI/WKWebView"}
_SYSTEMS: Mapping[str, str] = {"Mac OS X": "macOS", "Chrome OS": "ChromeOS"}
_DESKTOPS = {"Windows", "macOS", "ChromeOS", "Linux", "Ubuntu", "Fedora", "Debian", "OpenBSD", "FreeBSD"}
_APPLES: Mapping[str, DeviceType] = {"iOS": "mobile", "iPadOS": "tablet"}
_BROWSERS_BEGIN = ("Mozilla/", "Opera/")


@lru_cache(maxsize=CACHED)
def describe_user_agent(text: str | None) -> Device:
    """Return what the `User-Agent` header *text* says of a device: `describe_user_agent(text).text` is "Firefox on Linux".

    Versions and models are left out, and nobody has to say the truth there. The result is cached. The first call of a process
    reads the rules, which takes some tenths of a second. Without the extra `devices` nothing is known of any.
    """
    parse = _parser()
    if parse is None or not text:
        return UNKNOWN_DEVICE
    found = parse(text)
    family, system, model = (part and part.family for part in (found.user_agent, found.os, found.device))
    if model == "Spider":
        return Device(type="bot", text="a bot")
    system, place = _place(system, model)
    if family in _SHOWS_PAGES or not text.startswith(_BROWSERS_BEGIN):
        return Device(None, system, "application", _on("an application", place))
    browser = _BROWSERS.get(family, family)
    if browser is None and system is None:
        return UNKNOWN_DEVICE
    return Device(browser, system, _type(system, text), _on(browser or "a browser", place))


def can_describe() -> bool:
    """Say whether the extra `devices` is installed."""
    return _parser() is not None


@cache
def _parser() -> Callable[[str], Any] | None:
    """Return the parser of user agents, `None` if it is not installed."""
    try:
        # Not at the top: it is not installed everywhere, and takes a tenth of a second that only a list of devices is worth.
        parse: Callable[[str], Any] = import_module("ua_parser").parse
    except ModuleNotFoundError:
        return None
    return parse


def _place(system: str | None, model: str | None) -> tuple[str | None, str | None]:
    """Return the name of the *system*, and how a text calls where a browser runs."""
    if system == "iOS" and model in {"iPhone", "iPad"}:
        return ("iPadOS" if model == "iPad" else "iOS"), model
    name = None if system is None else _SYSTEMS.get(system, system)
    return name, name


def _type(system: str | None, text: str) -> DeviceType | None:
    if system in _DESKTOPS:
        return "desktop"
    if system == "Android":
        return "mobile" if "Mobile" in text else "tablet"
    return _APPLES.get(system or "")


def _on(what: str, place: str | None) -> str:
    return what if place is None else f"{what} on {place}"
