"""Where a browser may be sent: the tricks by which an address leads to another host, and addresses that are none."""

from __future__ import annotations

import pytest

from fastapi_session import safe_next
from fastapi_session.local_address import LONGEST

ELSEWHERE = [
    "",
    "evil.example",
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\/evil.example",
    "\\\\evil.example",
    "/\\/evil.example",
    "https:evil.example",
    "https:/evil.example",
    "https://evil.example",
    "HTTPS://evil.example",
    "http:\\\\evil.example",
    "javascript:alert(1)",
    "data:text/html,evil",
    "@evil.example",
    "user@evil.example",
    "//user:password@evil.example",
    ":80",
    "?next=/",
    "#top",
    ".evil.example",
    "../evil.example",
    " /page",
    " //evil.example",
    "/ /evil.example",
    "/page ",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r/evil.example",
    "\t//evil.example",
    "\x00//evil.example",
    "/\x00/evil.example",
    "/page\r\nSet-Cookie: a=b",
    "/page\nLocation: //evil.example",
    "/\x7f/evil.example",
    "/\u2028/evil.example",
    "/\uff0fevil.example",
    "\uff0f\uff0fevil.example",
    "/\u3002evil.example",
    "/caf\u00e9",
    "%2f%2fevil.example",
    "%2fpage",
    "/%2fevil.example",
    "/%2Fevil.example",
    "/%2f%2fevil.example",
    "/%5cevil.example",
    "/%5Cevil.example",
    "/%09/evil.example",
    "/%0a/evil.example",
    "/%0d%0aSet-Cookie:%20a=b",
    "/%00/evil.example",
    "/%252fevil.example",
    "/%25252fevil.example",
    "/%2525252fevil.example",
    "/%255cevil.example",
    "/.//evil.example",
    "/..//evil.example",
    "/./\\evil.example",
    "/%2e/%2fevil.example",
    "/%2e%2e//evil.example",
    "/.%2f/evil.example",
    "/../evil.example",
    "/page\\..\\..",
    "/page%5c..",
    "/page?a=b\\c",
    "/page<script>",
    '/page"',
    f"/{'a' * LONGEST}",
    f"/%{'25' * 1_300}2fevil.example",
]

HERE = [
    "/",
    "/page",
    "/page/",
    "/page?next=//evil.example",
    "/page?a=b&c=%2F%2Fd#top",
    "/page?q=two%0alines",
    "/a//b",
    "/@ada",
    "/a:b",
    "/files/a%2Fb%20c",
    "/caf%C3%A9",
    "/.well-known/openid-configuration",
    "/%25",
    "/?",
    "/list?filter[name]=ada",
    f"/{'a' * (LONGEST - 1)}",
]


@pytest.mark.parametrize("address", ELSEWHERE, ids=lambda address: ascii(address)[:40])
def test_it_leads_elsewhere(address: str) -> None:
    """What any browser or proxy could take for another host is not let through."""
    assert "/home" == safe_next(address, "/home")


@pytest.mark.parametrize("address", HERE, ids=lambda address: address[:40])
def test_it_leads_here(address: str) -> None:
    """A page of this host is let through as it is, with its query."""
    assert address == safe_next(address)


def test_none_at_all() -> None:
    """Where nobody said where to go, it is the default."""
    assert ["/", "/home"] == [safe_next(None), safe_next(None, "/home")]


@pytest.mark.parametrize(
    ("address", "is_own"),
    [
        ("https://reports.example/", True),
        ("https://reports.example/may?x=1", True),
        ("/here", True),
        ("https://reports.example", False),
        ("https://reports.example.evil.example/", False),
        ("https://reports.example@evil.example/", False),
        ("https://reports.example//evil.example", False),
        ("https://reports.example/\\evil.example", False),
        ("https://reports.example/%2f%2fevil.example", False),
        ("https://reports.example:444/", False),
        ("http://reports.example/", False),
        ("//reports.example/", False),
        ("https://evil.example/https://reports.example/", False),
    ],
)
def test_own_origins(address: str, is_own: bool) -> None:
    """An address of an origin that is named is let through, by the same rules for its path, and no other is."""
    assert (address if is_own else "/") == safe_next(address, origins=["https://reports.example"])
