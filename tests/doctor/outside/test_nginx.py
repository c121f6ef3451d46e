"""Deployments behind Debian's nginx, each broken in one way: the check for it finds it, and no other check finds anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from tests.doctor.outside.deployments import WHOLE, Broken, Edge, behind_nginx

REFRESH = "/auth/session/refresh"
JWKS = "/auth/jwt/jwks.json"
DISCOVERY = "/auth/.well-known/openid-configuration"

SEEN_WITHOUT_SESSION: Mapping[str, Broken] = {
    "nothing there": Broken(("FS201",), server="return 444;"),
    "pages for keys": Broken(
        ("FS202",), locations=f"location = {JWKS} {{ default_type text/html; return 200 '<html>'; }}"
    ),
    "another issuer": Broken(
        ("FS203",),
        locations=f"location = {DISCOVERY} {{ default_type application/json; "
        """return 200 '{"issuer": "https://other.example.com/auth"}'; }""",
    ),
    "keys kept for a day": Broken(
        ("FS204",),
        locations=f'location = {JWKS} {{ PASS proxy_hide_header Cache-Control; add_header Cache-Control "max-age=86400"; '
        'add_header Strict-Transport-Security "max-age=1"; }',
    ),
    "a sign-in page in front": Broken(
        ("FS205",), locations=f"location = {REFRESH} {{ return 302 https://login.example.com/in?next=x; }}"
    ),
    "a sign-in page in front of all": Broken(
        ("FS202", "FS202", "FS205", "FS205"),
        server="return 302 https://login.example.com/in?next=$request_uri;",
    ),
    "a firewall": Broken(("FS205", "FS205"), location="limit_except GET OPTIONS { deny all; }"),
    "no word to caches": Broken(("FS206", "FS206"), location="proxy_hide_header Cache-Control;"),
    "a cache that says so": Broken(("FS206", "FS214"), location='add_header Age "20" always;'),
    "a cache of all": Broken(
        ("FS206", "FS214"),
        location="proxy_cache pages; proxy_cache_methods GET POST; proxy_cache_valid any 1m; "
        "proxy_ignore_headers Cache-Control Set-Cookie Vary; add_header X-Cache-Status $upstream_cache_status always;",
    ),
    "an application that does not run": Broken(
        ("FS226",), locations="location /auth { proxy_pass http://127.0.0.1:1; }"
    ),
    "maintenance": Broken(("FS226",), server="return 503;"),
    "a limit for all": Broken(("FS227",), server="limit_req zone=all burst=9 nodelay;"),
    "a limit that says 503": Broken(("FS227",), server="limit_req zone=all burst=9 nodelay; limit_req_status 503;"),
    "a password in front": Broken(("FS202", "FS202", "FS205"), server="auth_basic x; auth_basic_user_file /dev/null;"),
    "errors of its own": Broken(
        ("FS205",),
        server="proxy_intercept_errors on; error_page 401 403 404 /own; "
        "location = /own { default_type text/html; return 401 '<h1>Sorry'; }",
    ),
    "a redirect to www": Broken(
        ("FS202", "FS202", "FS205", "FS205"), server="return 301 https://www.$host$request_uri;"
    ),
    "copied CORS": Broken(
        ("FS214", "FS218", "FS218", "FS219"),
        location="if ($request_method = OPTIONS) { add_header Access-Control-Allow-Origin '*'; "
        "add_header Access-Control-Allow-Headers 'Content-Type,Range'; return 204; } "
        "add_header Access-Control-Allow-Origin '*' always;",
    ),
    "a rate limiter": Broken(
        ("FS207",), locations=f"location = {REFRESH} {{ PASS limit_req zone=refreshes burst=20 nodelay; }}"
    ),
    "a header is hidden": Broken(("FS208", "FS208"), location="proxy_hide_header front-token;"),
    "no authorization": Broken(("FS209", "FS223"), headers={"Authorization": '""'}),
    "no cookies": Broken(("FS209",), headers={"Cookie": '""'}),
    "short headers": Broken(("FS210", "FS210"), server="large_client_header_buffers 4 2k;"),
    "http too": Broken(("FS211",), plain="PASS"),
    "a redirect to the root": Broken(("FS212",), plain="return 308 https://$host/;"),
    "a redirect by 301": Broken(("FS213",), plain="return 301 https://$host$request_uri;"),
    "no HSTS": Broken(("FS214",), hsts=""),
    "a scheme that is not told": Broken(("FS215",), headers={"X-Forwarded-Proto": None}),
    "a host that is not told": Broken(("FS215",), headers={"Host": "internal"}),
    "a certificate of last year": Broken(("FS216",), days=7),
    "no preflights": Broken(("FS218",), location="if ($request_method = OPTIONS) { return 405; }"),
    "nothing exposed": Broken(("FS219", "FS223"), location="proxy_hide_header Access-Control-Expose-Headers;"),
    "twice the origin": Broken(
        ("FS214", "FS218", "FS219"),
        location="add_header Access-Control-Allow-Origin https://www.example.com always;",
    ),
    "every origin": Broken(
        ("FS214", "FS220", "FS220", "FS220"),
        location="proxy_hide_header Access-Control-Allow-Origin; proxy_hide_header Access-Control-Allow-Credentials; "
        "add_header Access-Control-Allow-Origin $http_origin always; "
        "add_header Access-Control-Allow-Credentials true always;",
    ),
    "no devices": Broken(("FS221", "FS221"), locations="location /auth/session/device { return 403; }"),
    "no session identifier": Broken(("FS221",), headers={"Sec-Secure-Session-Id": '""'}),
    "few devices": Broken(
        ("FS222",), locations="location /auth/session/device { PASS limit_req zone=devices burst=4 nodelay; }"
    ),
    "no challenge": Broken(("FS223",), location="proxy_hide_header WWW-Authenticate;"),
    "no proofs": Broken(("FS224",), headers={"DPoP": '""'}),
}
"""What is seen without a session. By `add_header` a location has none of the server's, so those have no HSTS."""

SEEN_BY_A_SESSION: Mapping[str, Broken] = {
    "cookies for all of the host": Broken(("FS232", "FS238"), location="proxy_cookie_path /auth/session/refresh /;"),
    "cookies by http": Broken(
        ("FS232", "FS232", "FS232", "FS232", "FS233", "FS233", "FS238", "FS238"),
        location="proxy_cookie_flags ~ samesite=none nosecure;",
    ),
    "proxy_pass alone": Broken(
        ("FS215", "FS235", "FS235", "FS236"),
        headers={"Host": None, "X-Forwarded-For": None, "X-Forwarded-Proto": None},
        buffers="",
    ),
    "an address that is not told": Broken(("FS234", "FS234"), headers={"X-Forwarded-For": '""'}),
    "an address that clients tell": Broken(("FS235", "FS235"), headers={"X-Forwarded-For": None}),
    "a small buffer": Broken(("FS236",), buffers=""),
    "other keys": Broken(
        ("FS237", "FS237"),
        locations=f"location = {JWKS} {{ default_type application/json; return 200 '{{\"keys\": []}}'; }}",
    ),
    "a refresh that says what came": Broken(
        ("FS231", "FS231"),
        locations=f"location = {REFRESH} {{ PASS if ($http_x_forwarded_for) {{ "
        """return 500 '{"message": "$http_authorization $http_cookie"}'; } default_type application/json; }""",
    ),
    "no further challenge": Broken(("FS238",), location="proxy_hide_header Secure-Session-Challenge;"),
    "no proof of a device": Broken(("FS238",), headers={"Secure-Session-Response": '""'}),
}
ALL = {"whole": WHOLE, **SEEN_WITHOUT_SESSION, **SEEN_BY_A_SESSION}


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with behind_nginx(ALL, tmp_path_factory.mktemp("outside")) as edge:
        yield edge


@pytest.mark.parametrize("name", SEEN_WITHOUT_SESSION)
async def test_what_is_broken(name: str, edge: Edge) -> None:
    """What is broken is found, and nothing else."""
    found = [finding.check.id for finding in await edge.findings(name)]

    assert [*ALL[name].finds] == sorted(found)


@pytest.mark.parametrize("name", SEEN_BY_A_SESSION)
async def test_what_a_session_shows(name: str, edge: Edge) -> None:
    """What only a session shows is found by the probe, and nothing else; no token is in what is said of it."""
    transport = edge.transport(name)
    found = await edge.findings(name, probe=True, transport=transport)

    assert [*ALL[name].finds] == sorted(finding.check.id for finding in found)
    assert transport.secrets
    assert [] == [text for text in transport.secrets if text[:40] in str([*map(str, found)])]


async def test_a_whole_deployment(edge: Edge) -> None:
    """A deployment that is whole shows nothing at all, by no more than 60 requests."""
    transport = edge.transport("whole")

    assert [] == await edge.findings("whole", probe=True, transport=transport)
    assert 40 < transport.sent <= 60
