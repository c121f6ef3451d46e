"""Origins are read strictly, and two of them are one site where a browser says so."""

from __future__ import annotations

import pytest
from publicsuffixlist import PublicSuffixList

from fastapi_session import origin
from fastapi_session.origin import Origin, is_public_suffix, registrable_domain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://api.example.com", "https://api.example.com"),
        ("https://api.example.com/", "https://api.example.com"),
        (" HTTPS://API.Example.com:443 ", "https://api.example.com"),
        ("http://localhost:80", "http://localhost"),
        ("http://localhost:443", "http://localhost:443"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ],
)
def test_an_origin_has_one_form(text: str, expected: str) -> None:
    """Case, the scheme's own port and a slash at the end make no difference."""
    assert expected == str(Origin.parse(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost",
        "//localhost",
        "null",
        "ftp://example.com",
        "http\u017f://example.com",
        "http://\u212aelvin.com",
        "https://",
        "https://example.com/path",
        "https://example.com?query",
        "https://example.com#fragment",
        "https://user:password@example.com",
        "https://exam ple.com",
        "https://example.com\nhttps://example.org",
        "https://example.com:",
        "https://example.com:0",
        "https://example.com:65536",
        "https://example.com:999999",
        "https://b\u00fccher.example",
    ],
)
def test_what_is_no_origin_is_refused(text: str) -> None:
    """Anything but scheme, host and port names no origin, and no text raises."""
    assert Origin.parse(text) is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("http://localhost:8000", "http://localhost:3000", True),
        ("http://localhost", "https://localhost", False),
        ("http://localhost", "http://127.0.0.1", False),
        ("http://10.0.0.1", "http://10.0.0.1:81", True),
        ("http://10.0.0.1", "http://10.1.0.1", False),
        ("http://[::1]", "http://[::2]", False),
        ("https://example.com", "https://www.example.com", True),
        ("https://a.example.com", "https://b.c.example.com", True),
        ("https://example.com", "https://example.org", False),
        ("https://example.com", "https://badexample.com", False),
        ("https://a.co.uk", "https://b.co.uk", False),
        ("https://a.shop.co.uk", "https://shop.co.uk", True),
        ("https://a.github.io", "https://b.github.io", False),
        ("https://github.io", "https://a.github.io", False),
        ("https://a.b.github.io", "https://b.github.io", True),
    ],
)
def test_sites(one: str, other: str, same: bool) -> None:
    """Two origins are one site where scheme and registrable domain agree; an IP address is a site of its own."""
    left, right = Origin.parse(one), Origin.parse(other)
    assert left is not None
    assert right is not None

    assert [same, same] == [left.same_site(right), right.same_site(left)]


@pytest.mark.parametrize(
    ("text", "loopback", "address"),
    [
        ("http://localhost:8000", True, False),
        ("http://api.localhost", True, False),
        ("http://127.0.0.1", True, True),
        ("http://[::1]", True, True),
        ("http://127.8.9.10", True, True),
        ("http://192.168.1.5", False, True),
        ("http://[fd00::1]", False, True),
        ("http://notlocalhost", False, False),
        ("http://localhost.example.com", False, False),
        ("http://1.2.3.4.5", False, False),
    ],
)
def test_loopback_origins(text: str, loopback: bool, address: bool) -> None:
    """Localhost, what is below it, and loopback addresses are this machine; another address and a name that looks so are not."""
    origin = Origin.parse(text)
    assert origin is not None

    assert (loopback, address) == (origin.is_loopback, origin.is_address)


@pytest.mark.parametrize(
    ("domain", "expected"),
    [("com", True), ("co.uk", True), ("github.io", True), ("example.com", False), ("example.co.uk", False)],
)
def test_public_suffixes(domain: str, expected: bool) -> None:
    """Names under which anybody can register are public suffixes, private ones included."""
    assert expected == is_public_suffix(domain)


def test_the_list_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many hosts are asked about, the list of all registries' names is read once, and not before."""
    read: list[PublicSuffixList] = []

    def noting() -> PublicSuffixList:
        read.append(PublicSuffixList())
        return read[-1]

    monkeypatch.setattr(origin, "PublicSuffixList", noting)
    origin._public_suffixes.cache_clear()
    assert registrable_domain("10.0.0.1") is None
    assert registrable_domain("localhost") is None
    assert [] == read
    for host in ("www.example.com", "api.example.com", "example.org"):
        assert registrable_domain(host) is not None
        assert not is_public_suffix(host)

    assert 1 == len(read)
