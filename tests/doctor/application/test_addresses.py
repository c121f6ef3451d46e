"""The addresses of the API and of its pages."""

from __future__ import annotations

from typing import Any

import pytest

from tests.doctor.deployments import API, Found, settings_found
from tests.engines import SECRET

LOCAL = "http://localhost:8000"


def addresses(api: str | None, website: str | None, **options: Any) -> Found:
    return settings_found(api_domain=api, website_domain=website, **options)


@pytest.mark.parametrize("website", [API, "https://www.example.com", "https://example.org"])
def test_addresses_that_are_right(website: str) -> None:
    """Pages of the API itself, of its site, and of another one: all else follows from them."""
    assert [] == [each for each in addresses(API, website) if each[0] != "FS024"]


def test_an_origin_that_is_assumed() -> None:
    """Who has not said what the API's origin is learns which one is assumed, FS011."""
    assert [("FS011", f"{LOCAL} is assumed")] == addresses(None, None)
    assert [] == addresses(LOCAL, LOCAL)


@pytest.mark.parametrize("store", ["sqlite:///sessions.db", "memory:"])
def test_a_first_application(store: str) -> None:
    """Where nothing is set that a deployment needs, somebody tries it out on this machine: that is a remark, FS016."""
    assert [("FS016", f"{LOCAL} is assumed")] == [
        each for each in addresses(None, None, secret=None, store=store) if each[0] != "FS085"
    ]


@pytest.mark.parametrize(
    "options",
    [
        {"secret": SECRET},
        {"website_domain": "http://shop.test"},
        {"store": "postgresql+asyncpg://app@localhost/app", "secret": SECRET},
    ],
    ids=str,
)
def test_an_origin_that_was_forgotten(options: dict[str, Any]) -> None:
    """Where anything says that it is more than a first try, an origin that is assumed is a warning, FS011."""
    found = settings_found(**{"api_domain": None, "website_domain": None, "secret": None, **options})

    assert "FS011" in [id_ for id_, _ in found]


@pytest.mark.parametrize("public", ["http://api.example.com", "http://example.org:8080", "http://8.8.8.8"])
def test_http_on_the_internet(public: str) -> None:
    """An API by http, under a name or an address of the internet, is FS012."""
    assert [("FS012", public)] == addresses(public, public)


@pytest.mark.parametrize(
    "private",
    ["http://backend:8000", "http://10.0.0.7", "http://[fd00::7]:8000", "http://nas.local", "http://shop.test", LOCAL],
)
def test_http_in_a_network_of_its_own(private: str) -> None:
    """A name that nobody on the internet has, a private address, and this machine, may be served by http."""
    assert [] == addresses(private, private)


@pytest.mark.parametrize("same_site", ["lax", "strict"])
def test_cookies_that_stay_behind(same_site: str) -> None:
    """Where the pages of another site may use headers instead, it is only said that they will have no cookies, FS013."""
    seen = f"{same_site!r}, pages of https://example.org, and an API at {API}"

    assert [("FS013", seen)] == addresses(API, "https://example.org", cookie_same_site=same_site)
    assert ["FS024"] == [id_ for id_, _ in addresses(API, "https://example.org", cookie_same_site="none")]
    assert [] == addresses(API, "https://example.org", cookie_same_site=same_site, token_transfer_method="header")
    assert [] == addresses(API, "https://www.example.com", cookie_same_site=same_site)


@pytest.mark.parametrize(
    ("api", "website"),
    [("http://127.0.0.1:8000", "http://localhost:3000"), ("http://api.localhost:8000", "http://localhost:8000")],
)
def test_two_names_of_this_machine(api: str, website: str) -> None:
    """Two names of this machine are two sites, FS014, where tokens may travel by cookie."""
    assert [("FS014", f"{website} and {api}")] == addresses(api, website)
    assert [] == addresses(api, website, token_transfer_method="header")
    assert [] == addresses(LOCAL, "http://localhost:3000")


@pytest.mark.parametrize(
    ("api", "website"), [("http://backend:8000", "http://localhost:3000"), (LOCAL, "http://shop.test")]
)
def test_another_machine(api: str, website: str) -> None:
    """Of another machine it is another site, which is said as of any."""
    assert ["FS013"] == [id_ for id_, _ in addresses(api, website, cookie_same_site="lax")]


def test_two_schemes_of_this_machine() -> None:
    """Pages of this machine by https are of another site too, whose cookies browsers keep."""
    assert [] == addresses(LOCAL, "https://localhost:3000")


def test_pages_by_https_of_an_api_by_http() -> None:
    """A page by https may not ask an API by http, FS015, unless that is this machine; and nothing is said twice."""
    page, api, header = "https://app.shop.test", "http://api.shop.test", {"token_transfer_method": "header"}

    assert [("FS015", f"website_domain is {page}, api_domain {api}")] == addresses(api, page, **header)
    assert [] == addresses(LOCAL, page, **header)
    assert [("FS012", "http://api.example.com")] == addresses("http://api.example.com", "https://example.com", **header)
