"""Where cookies go."""

from __future__ import annotations

from tests.doctor.deployments import settings_found


def test_a_wide_domain() -> None:
    """A `cookie_domain` of more hosts than the API's is FS021; that of the host itself is not."""
    seen = [("FS021", ".example.com, for an API at api.example.com")]

    assert seen == settings_found(cookie_domain=".example.com")
    assert [] == settings_found(cookie_domain="api.example.com")
    assert [] == settings_found(cookie_domain=".example.com", token_transfer_method="header")


def test_pages_of_another_site() -> None:
    """Cookies for pages of another site are FS023 where tokens travel in nothing else, FS024 where they may; partitioned ones are neither."""
    options = {"website_domain": "https://example.org"}
    seen = "pages of https://example.org, and an API at https://api.example.com"

    assert [("FS023", seen)] == settings_found(**options, token_transfer_method="cookie")
    assert [("FS024", seen)] == settings_found(**options)
    assert [] == settings_found(**options, token_transfer_method="header")
    assert [] == settings_found(**options, cookie_partitioned=True)
    assert [] == settings_found(website_domain="https://www.example.com", cookie_same_site="none")


def test_cookies_by_http_too() -> None:
    """An API by https whose cookies go by http too is FS022."""
    seen = [("FS022", "cookie_secure is False, and api_domain https://api.example.com")]

    assert seen == settings_found(cookie_secure=False)
    assert [] == settings_found(cookie_secure=True)
    assert [] == settings_found(api_domain="http://localhost:8000", website_domain="http://localhost:8000")
    assert [] == settings_found(cookie_secure=False, token_transfer_method="header")
