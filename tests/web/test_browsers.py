"""Which requests a browser made for a page of ours, and which a page of ours sent, by what browsers of today and before say."""

from __future__ import annotations

import pytest
from starlette.requests import HTTPConnection

from fastapi_session import SessionConfig
from fastapi_session.web.browsers import is_of_own_page, made_for_own_page
from tests.engines import SECRET

CONFIG = SessionConfig(
    store="memory:", secret=SECRET, api_domain="https://api.example.com", website_domain="https://www.example.org"
)


def connection(method: str, **headers: str) -> HTTPConnection:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return HTTPConnection({"type": "http", "method": method, "headers": raw})


@pytest.mark.parametrize(
    ("method", "headers", "expected"),
    [
        # fetch and forms of pages, where the browser trusts the address: https, and localhost
        ("POST", {"sec_fetch_site": "same-origin", "sec_fetch_mode": "cors"}, True),
        ("POST", {"sec_fetch_site": "same-origin", "sec_fetch_mode": "navigate", "origin": "null"}, True),
        ("POST", {"sec_fetch_site": "same-site", "origin": "https://admin.example.com"}, True),
        ("POST", {"sec_fetch_site": "none"}, True),
        ("POST", {"sec_fetch_site": "cross-site", "origin": "https://www.example.org"}, True),
        ("POST", {"sec_fetch_site": "cross-site", "origin": "https://api.example.com"}, True),
        # another site: its links and callbacks lead here, its forms and scripts begin nothing
        ("GET", {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}, True),
        ("GET", {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors"}, False),
        ("GET", {"sec_fetch_site": "cross-site", "accept": "text/html"}, False),
        ("HEAD", {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}, False),
        ("POST", {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}, False),
        ("POST", {"sec_fetch_site": "cross-site", "origin": "https://evil.example"}, False),
        ("POST", {"sec_fetch_site": "cross-site", "origin": "null", "host": "null"}, False),
        ("POST", {"sec_fetch_site": "cross-site", "origin": "http://10.0.0.7", "host": "10.0.0.7"}, False),
        # plain http in a local network, and browsers from before Fetch Metadata
        ("POST", {"origin": "https://www.example.org"}, True),
        ("POST", {"origin": "http://10.0.0.7:8000", "host": "10.0.0.7:8000"}, True),
        ("POST", {"origin": "http://10.0.0.7:3000", "host": "10.0.0.7:8000"}, True),
        ("POST", {"origin": "http://[::1]:3000", "host": "[::1]"}, True),
        ("POST", {"origin": "http://10.0.0.8:8000", "host": "10.0.0.7:8000"}, False),
        ("POST", {"origin": "http://10.0.0.7"}, False),
        ("POST", {"origin": "null", "host": "10.0.0.7"}, False),
        ("POST", {"origin": "", "host": ""}, False),
        ("GET", {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}, True),
        ("POST", {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}, False),
        # no browsers
        ("POST", {}, False),
        ("GET", {"accept": "*/*"}, False),
        ("POST", {"sec_fetch_mode": "cors", "accept": "*/*"}, False),  # Node
    ],
)
def test_a_browser_on_a_page_of_ours(method: str, headers: dict[str, str], expected: bool) -> None:
    """A browser is told by what it says by itself, and a page of another site by where it is."""
    assert expected == made_for_own_page(connection(method, **headers), CONFIG)


API, WEBSITE, SIBLING, EVIL = (
    f"https://{name}" for name in ("api.example.com", "www.example.org", "x.example.com", "evil")
)

OWN = [
    ("same-origin", None, True),
    ("same-origin", "null", True),
    ("none", None, True),
    ("same-site", WEBSITE, True),
    ("same-site", SIBLING, False),
    ("same-site", "null", False),
    ("same-site", None, False),
    ("cross-site", WEBSITE, True),
    ("cross-site", EVIL, False),
    ("cross-site", None, False),
    ("odd", None, False),
    (None, API, True),
    (None, WEBSITE, True),
    (None, "http://app.internal:8000", True),
    (None, "http://app.internal:8001", False),
    (None, SIBLING, False),
    (None, EVIL, False),
    (None, "null", False),
    (None, None, False),
]


@pytest.mark.parametrize(("site", "origin", "expected"), OWN)
def test_own_pages(site: str | None, origin: str | None, expected: bool) -> None:
    """Each row of the table: what no browser says is of our own is not."""
    sent = {"host": "app.internal:8000", "sec_fetch_site": site, "origin": origin}
    headers = {name: value for name, value in sent.items() if value}

    assert expected == is_of_own_page(connection("POST", **headers), CONFIG)
