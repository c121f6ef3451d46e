"""What a user agent says of a device: the words in which its owner recognises it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from fastapi_session import Device, describe_user_agent

APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0"
WINDOWS = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36"
ANDROID = f"Mozilla/5.0 (Linux; Android 10; K) {CHROME}"
IPHONE = f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) {APPLE}"
IPAD = f"Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) {APPLE}"

# The rows of the table in `device`, each by what a real client sends.
TABLE = {
    "Chrome": (WINDOWS, "Chrome", "Windows", "desktop", "Chrome on Windows"),
    "Chrome Mobile": (f"{ANDROID} Mobile Safari/537.36", "Chrome", "Android", "mobile", "Chrome on Android"),
    "Chrome Mobile iOS": (f"{IPAD} CriOS/142.0 Mobile/15E148", "Chrome", "iPadOS", "tablet", "Chrome on iPad"),
    "Safari": (
        f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {APPLE} Version/26.0 Safari/605.1.15",
        *("Safari", "macOS", "desktop", "Safari on macOS"),
    ),
    "Mobile Safari": (
        f"{IPHONE} Version/26.0 Mobile/15E148 Safari/604.1",
        *("Safari", "iOS", "mobile", "Safari on iPhone"),
    ),
    "Firefox": (
        "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
        *("Firefox", "Linux", "desktop", "Firefox on Linux"),
    ),
    "Firefox Mobile": (
        "Mozilla/5.0 (Android 15; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0",
        *("Firefox", "Android", "mobile", "Firefox on Android"),
    ),
    "Firefox iOS": (
        f"{IPHONE} FxiOS/145.0 Mobile/15E148 Safari/605.1.15",
        *("Firefox", "iOS", "mobile", "Firefox on iPhone"),
    ),
    "Edge": (f"{WINDOWS} Edg/142.0.0.0", "Edge", "Windows", "desktop", "Edge on Windows"),
    "Edge Mobile": (f"{ANDROID} Mobile Safari/537.36 EdgA/142.0", "Edge", "Android", "mobile", "Edge on Android"),
    "Opera": (f"{WINDOWS} OPR/120.0.0.0", "Opera", "Windows", "desktop", "Opera on Windows"),
    "Opera Mobile": (f"{ANDROID} Mobile Safari/537.36 OPR/80.0.0.0", "Opera", "Android", "mobile", "Opera on Android"),
    "Opera Mini": (
        "Opera/9.80 (Android; Opera Mini/36.2/119.132; U; id) Presto/2.12.423 Version/12.16",
        *("Opera", "Android", "tablet", "Opera on Android"),
    ),
    "HeadlessChrome": (
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/142.0.0.0 Safari/537.36",
        *("Headless Chrome", "Linux", "desktop", "Headless Chrome on Linux"),
    ),
    "IE": (
        "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko",
        *("Internet Explorer", "Windows", "desktop", "Internet Explorer on Windows"),
    ),
    "any other family": (
        f"{ANDROID.replace('Chrome/', 'SamsungBrowser/28.0 Chrome/')} Mobile Safari/537.36",
        *("Samsung Internet", "Android", "mobile", "Samsung Internet on Android"),
    ),
    "WebView": (
        ANDROID.replace("10; K", "14; SM-S911B; wv").replace("Chrome/", "Version/4.0 Chrome/")
        + " Mobile Safari/537.36",
        *(None, "Android", "application", "an application on Android"),
    ),
    "WKWebView": (f"{IPHONE} Mobile/15E148", None, "iOS", "application", "an application on iPhone"),
    "okhttp": ("okhttp/4.12.0", None, None, "application", "an application"),
    "curl": ("curl/8.5.0", None, None, "application", "an application"),
    "Dart": ("Dart/3.5 (dart:io)", None, None, "application", "an application"),
    "python-httpx": ("python-httpx/0.28.1", None, None, "application", "an application"),
    "an app of iOS": ("Shop/3.1 CFNetwork/1568.200 Darwin/24.1.0", None, "iOS", "application", "an application on iOS"),
    "Spider": (
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        *(None, None, "bot", "a bot"),
    ),
    "Ubuntu": (
        "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
        *("Firefox", "Ubuntu", "desktop", "Firefox on Ubuntu"),
    ),
    "Chrome OS": (
        f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {CHROME} Safari/537.36",
        *("Chrome", "ChromeOS", "desktop", "Chrome on ChromeOS"),
    ),
    "Android, without Mobile": (f"{ANDROID} Safari/537.36", "Chrome", "Android", "tablet", "Chrome on Android"),
    "any other system": (
        "Mozilla/5.0 (SMART-TV; Linux; Tizen 6.5) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/4.0 TV Safari/537.36",
        *("Samsung Internet", "Tizen", None, "Samsung Internet on Tizen"),
    ),
    "cut after 255 characters": (
        f"{WINDOWS} {'x' * 255}"[:255],
        *("Chrome", "Windows", "desktop", "Chrome on Windows"),
    ),
    "cut within a word": (WINDOWS[:40], None, "Windows", "desktop", "a browser on Windows"),
    "letters beyond ASCII": ("Mozilla/5.0 (\xff\xfc)", None, None, None, None),
    "empty": ("", None, None, None, None),
    "none": (None, None, None, None, None),
}


@pytest.mark.parametrize(("text", "browser", "system", "kind", "said"), TABLE.values(), ids=TABLE.keys())
def test_the_table(
    text: str | None, browser: str | None, system: str | None, kind: str | None, said: str | None
) -> None:
    """Each row of the table is what its module says, and no version and no model is ever said."""
    described = describe_user_agent(text)

    assert (browser, system, kind, said) == (described.browser, described.system, described.type, described.text)
    assert not any(character.isdigit() for character in described.text or "")


def test_without_the_extra_nothing_is_known() -> None:
    """Without ua-parser every device is unknown, and nothing fails. With it, it is first imported when it is needed."""
    program = """
import sys, fastapi_session
print("ua_parser" in sys.modules)
sys.modules["ua_parser"] = None
print(fastapi_session.describe_user_agent("curl/8.5.0"))
"""
    answer = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    assert ["False", repr(Device())] == answer.stdout.splitlines()
