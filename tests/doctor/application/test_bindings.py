"""Sessions that are not bound to a key, or end, though it may not be meant."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from fastapi_session import get_all_cors_headers
from tests.doctor.deployments import Found, configured, found_in, healthy, settings_found

LOCAL = "http://localhost:8000"


def test_a_binding_by_http() -> None:
    """Browsers bind nothing by http, FS031."""
    seen = [("FS031", f"device_binding is 'optional', and api_domain {LOCAL}")]

    assert seen == settings_found(device_binding="optional", api_domain=LOCAL, website_domain=LOCAL)
    assert [] == settings_found(device_binding="optional")
    assert [] == settings_found(api_domain=LOCAL, website_domain=LOCAL)


@pytest.mark.parametrize(("method", "named"), [("any", "'any'"), (lambda *_: "any", "a function")])
def test_headers_that_nothing_binds(method: Any, named: str) -> None:
    """Where every session has to be bound, those in headers need DPoP, FS032."""
    options = {"device_binding": "required", "token_transfer_method": method}

    assert [("FS032", f"device_binding is 'required', and token_transfer_method {named}")] == settings_found(**options)
    assert [] == settings_found(**options, dpop="optional")
    assert [] == settings_found(**{**options, "token_transfer_method": "cookie"})


def test_partitioned_cookies() -> None:
    """Browsers bind no partitioned cookies, FS033."""
    options = {"cookie_partitioned": True, "cookie_same_site": "none"}
    seen = [("FS033", "device_binding is 'optional', and cookie_partitioned True")]

    assert seen == settings_found(**options, device_binding="optional")
    assert [] == settings_found(**options)


def test_a_proof_that_nobody_gives() -> None:
    """Where no token travels in a header, no client has to prove a key, FS034."""
    seen = [("FS034", "dpop is 'optional', and token_transfer_method 'cookie'")]

    assert seen == settings_found(dpop="optional", token_transfer_method="cookie")
    assert [] == settings_found(dpop="optional", token_transfer_method="any")


def test_cookies_beside_dpop() -> None:
    """DPoP binds no session whose tokens travel in cookies, FS035."""
    assert [("FS035", "token_transfer_method is 'any', and device_binding 'off'")] == settings_found(dpop="required")
    assert [] == settings_found(dpop="required", device_binding="required")
    assert [] == settings_found(dpop="required", token_transfer_method="header")


def test_tokens_that_outlive_what_is_guarded() -> None:
    """If the browser guards the access token, one that lives for longer than ten minutes is FS036."""
    options = {"device_binding": "optional", "device_binding_scope": "all"}

    assert [("FS036", "device_binding_scope is 'all', and access_token_validity 1 hour")] == settings_found(**options)
    assert [] == settings_found(**options, access_token_validity=timedelta(minutes=10))


def test_pages_that_prove_nothing() -> None:
    """A page of another site that may refresh, and is not that of the configuration, proves no key there, FS037."""
    options = {"device_binding": "optional", "website_domain": "https://page.example"}
    origins = ["https://page.example", "https://shop.example.com", "https://other.example"]

    assert [("FS037", "CORSMiddleware lets in https://other.example")] == _with_cors(origins, **options)
    assert [] == _with_cors(origins[:2], **options)
    assert [] == _with_cors(origins, **{**options, "device_binding": "off"})


def _with_cors(origins: list[str], **options: Any) -> Found:
    app: FastAPI = healthy(**options)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_credentials=True,
        allow_headers=get_all_cors_headers(),
        allow_methods=["GET", "POST"],
    )
    # The pages of another site, whose cookies some browsers keep nowhere, are meant here.
    return [each for each in found_in(configured(**options), app) if each[0] != "FS024"]
