"""Who is offered to bind a session, who may, and what a browser is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import Depends
from httpx2 import Response

from fastapi_session import CreateSession, Session, create_session, verify_session
from fastapi_session.testing import HandClock
from tests.core.binding.provers import PRIVATE, public_jwk
from tests.engines import engine
from tests.moments import MINUTE, PAST_GRACE, SECOND
from tests.web.binding.browsers import (
    BINDING_COOKIE,
    BOUND,
    DEVICE_PATH,
    HTTPS,
    OFFER,
    OTHER_KEY,
    PROOF,
    Browser,
    DownStore,
    bound,
    challenged,
    credential_in,
    offered,
    register,
    renew,
    signed_in,
    tampered,
    twice,
)
from tests.web.conftest import Deploy
from tests.web.deployment import Deployment, application, deployed
from tests.web.wire import KEPT, Held, change, set_cookies
from tests.wire import ACCESS_COOKIE, AUTH_MODE, SIGN_OUT_PATH

REFUSED: tuple[int, Any, list[Any], bool] = (403, {"message": "this key cannot be bound"}, [], False)
"""Status, body, cookies, and whether a challenge came."""


@pytest.fixture
def deployment(deploy: Deploy) -> Deployment:
    return deploy(**BOUND)


def outcome(response: Response) -> tuple[int, Any, list[Any], bool]:
    return response.status_code, response.json(), set_cookies(response), challenged(response) is not None


def bound_key(deployment: Deployment, handle: str) -> str | None:
    reading = deployment.ask(deployment.sessions.store.get, handle)
    key: str | None = reading.record.bound_key
    return key


def handle_of(deployment: Deployment, held: Held) -> str:
    parsed = deployment.sessions.parse(held.access)
    assert parsed is not None
    return parsed.content.session_handle


class TestOffer:
    """A session that begins in cookies over https is offered to be bound, and no other."""

    def test_a_session_that_begins(self, deployment: Deployment) -> None:
        """The sign-in says where, by which algorithms and with which challenge."""
        response = deployment.post("/login?user_id=ada", {AUTH_MODE: "cookie"})

        assert offered(response) is not None

    @pytest.mark.parametrize(
        "options",
        [
            {"device_binding": "off"},
            {"api_domain": "http://localhost:8000"},
            {"website_domain": "https://page.example", "cookie_partitioned": True},
        ],
        ids=["off", "http", "partitioned"],
    )
    def test_it_is_not_wanted_or_cannot_be(self, options: dict[str, Any], deploy: Deploy) -> None:
        """Nothing is offered if nothing is to be bound, nor by http, nor if the cookies are such as no browser guards."""
        deployment = deploy(**{**BOUND, **options})

        assert OFFER not in deployment.post("/login?user_id=ada", {AUTH_MODE: "cookie"}).headers

    def test_by_https_whatever_is_configured(self, clock: HandClock) -> None:
        """A request that came by https is offered it too, as in a trial with a certificate of one's own."""
        sessions = engine(clock, device_binding="optional", api_domain="http://localhost:8000")
        with deployed(application(sessions), sessions, clock, "https://localhost:8000") as deployment:
            assert offered(deployment.post("/login?user_id=ada", {AUTH_MODE: "cookie"})) is not None

    def test_behind_a_proxy_that_speaks_http(self, clock: HandClock) -> None:
        """Behind a proxy that ends TLS it is what browsers see that counts, and so does the path below a prefix."""
        sessions = engine(clock, **BOUND, api_base_path="/api/auth")
        with deployed(application(sessions), sessions, clock, "http://api.example.com") as deployment:
            header = deployment.post("/login?user_id=ada", {AUTH_MODE: "cookie"}).headers[OFFER]

        assert header.startswith('(ES256 RS256);path="/api/auth/session/device";challenge="')

    def test_not_in_headers(self, deployment: Deployment) -> None:
        """Tokens in headers are not guarded by a browser."""
        assert OFFER not in deployment.post("/login?user_id=ada", {AUTH_MODE: "header"}).headers

    def test_not_to_who_merely_has_cookies(self, deployment: Deployment) -> None:
        """Neither a call nor a refresh, within the grace period or after it, is offered anything: else a thief would bind his key."""
        held = deployment.login()
        responses = [deployment.get("/me", held.to_call()), deployment.refresh(held)]
        deployment.clock.advance(PAST_GRACE)
        responses += [deployment.refresh(held), deployment.post("/merge", held.to_call())]

        assert [200] * 4 == [response.status_code for response in responses]
        assert [] == [response for response in responses if OFFER in response.headers]

    def test_not_to_who_has_signed_out_in_the_same_request(self, clock: HandClock) -> None:
        """A session that ends in the request in which it began is not offered to be bound."""
        sessions = engine(clock, **BOUND)
        app = application(sessions)

        @app.post("/in-and-out")
        async def in_and_out(create: Annotated[CreateSession, Depends(create_session())]) -> None:
            await (await create("ada", method="cookie")).revoke()

        with deployed(app, sessions, clock, HTTPS) as deployment:
            assert OFFER not in deployment.post("/in-and-out").headers

    @pytest.mark.parametrize("verb", ["elevate", "impersonate", "stop"])
    def test_a_session_made_from_another(self, verb: str, clock: HandClock) -> None:
        """A session that takes the place of another is not bound, and is offered to be: the key does not go along."""
        sessions = engine(clock, **BOUND)
        app = application(sessions)

        @app.post("/change")
        async def change_session(session: Annotated[Session, Depends(verify_session())], verb: str) -> None:
            if verb == "elevate":
                await session.elevate("otp")
            elif verb == "impersonate":
                await session.impersonate("bob", reason="asked to")
            else:
                await (await session.impersonate("bob", reason="asked to")).stop_impersonating()

        with deployed(app, sessions, clock, HTTPS) as deployment:
            browser = bound(deployment)
            response = deployment.post(f"/change?verb={verb}", browser.held.to_call())
            after = Browser(Held.of(response, "cookie"), offered(response) or "")

            assert bound_key(deployment, handle_of(deployment, after.held)) is None
            assert 200 == register(deployment, after).status_code


class TestRegistration:
    def test_a_browser_binds_its_session(self, deployment: Deployment) -> None:
        """It is told the rules, given a credential for five minutes and the next challenge; the tokens stay as they are."""
        browser = signed_in(deployment)
        response = register(deployment, browser)
        name, attributes = response.json()["credentials"][0]["name"], response.json()["credentials"][0]["attributes"]
        cookie = dict(set_cookies(response))[BINDING_COOKIE]

        assert (200, KEPT) == (response.status_code, change(response))
        assert {
            "session_identifier": browser.told(response).identifier,
            "refresh_url": "/auth/session/device/renewal",
            "scope": {
                "include_site": False,
                "scope_specification": [
                    {"type": "exclude", "domain": "*", "path": "/"},
                    {"type": "include", "domain": "*", "path": "/auth/session/refresh"},
                ],
            },
            "credentials": [{"type": "cookie", "name": name, "attributes": attributes}],
            "allowed_refresh_initiators": ["api.example.com", "example.com", "*.example.com"],
        } == response.json()
        assert BINDING_COOKIE == name
        assert "Path=/auth/session/refresh; HttpOnly; SameSite=Lax; Secure" == attributes
        assert cookie.partition("; ")[2].startswith(f"{attributes}; Expires=")
        assert cookie.endswith("; Max-Age=300")
        assert "no-store" == response.headers["cache-control"]

    @pytest.mark.parametrize(
        ("options", "hosts"),
        [
            (
                {"website_domain": "https://app.example.com"},
                ["app.example.com", "api.example.com", "example.com", "*.example.com"],
            ),
            (
                {"website_domain": "https://page.example"},
                ["page.example", "api.example.com", "example.com", "*.example.com"],
            ),
            ({"api_domain": "https://localhost:8443"}, ["localhost"]),
            ({"api_domain": "https://192.0.2.1"}, ["192.0.2.1"]),
        ],
        ids=["same site", "cross-site", "localhost", "an address"],
    )
    def test_whose_pages_have_it_renewed(self, options: dict[str, Any], hosts: list[str], deploy: Deploy) -> None:
        """Requests of the website are held for a renewal, and of all hosts that may send the cookies: browsers hold no others by themselves."""
        deployment = deploy(**{**BOUND, **options})

        assert hosts == register(deployment, signed_in(deployment)).json()["allowed_refresh_initiators"]

    @pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
    def test_the_store_knows_the_key(self, algorithm: str, deployment: Deployment) -> None:
        """The session is bound to the thumbprint of the key, by either algorithm."""
        browser = bound(deployment, algorithm=algorithm, private=PRIVATE[algorithm])
        key = bound_key(deployment, handle_of(deployment, browser.held)) or ""

        assert ("dbsc:", 43) == (key[:5], len(key[5:]))

    @pytest.mark.parametrize("quoted", ['"{}"', "{}", ' "{}" ', '"{}";x=1'])
    def test_quoted_or_bare(self, quoted: str, deployment: Deployment) -> None:
        """The proof may be in quotes, as the draft says, or without them, as Chromium sends it."""
        browser = signed_in(deployment)

        assert 200 == register(deployment, browser, quoted.format(browser.proof())).status_code

    def test_claims_that_nobody_asked_for(self, deployment: Deployment) -> None:
        """A proof may say more than the challenge."""
        browser = signed_in(deployment)
        claims = {"aud": f"{HTTPS}{DEVICE_PATH}", "iat": 1_700_000_000}

        assert 200 == register(deployment, browser, browser.proof(claims=claims)).status_code

    def test_an_expired_access_token_will_do(self, deploy: Deploy) -> None:
        """A browser that was slow may come with an access token that has expired meanwhile."""
        deployment = deploy(**BOUND, access_token_validity=SECOND)
        browser = signed_in(deployment)
        deployment.clock.advance(2 * SECOND)

        assert 200 == register(deployment, browser).status_code

    def test_the_same_once_more(self, deployment: Deployment) -> None:
        """A browser that lost the response is told the same, but for the credential: the proof may be a copy of somebody else's."""
        browser = signed_in(deployment)
        first, second = register(deployment, browser), register(deployment, browser)

        assert (200, first.json()) == (second.status_code, second.json())
        assert ("", True) == (credential_in(second), credential_in(first) != "")
        assert 200 == renew(deployment, browser.told(second)).status_code

    def test_it_is_bound_once(self, deployment: Deployment) -> None:
        """Whoever comes with another key is refused, and the first one stays."""
        browser = bound(deployment)
        before = bound_key(deployment, handle_of(deployment, browser.held))
        other = Browser(browser.held, browser.challenge, OTHER_KEY)

        assert REFUSED == outcome(register(deployment, other))
        assert before == bound_key(deployment, handle_of(deployment, browser.held))

    def test_the_endpoint_is_there_whatever_is_configured(self, deploy: Deploy) -> None:
        """A session that was bound remains bound and is renewed if the setting is taken back."""
        sessions = deploy(**BOUND)
        browser, store = bound(sessions), sessions.sessions.store
        later = deploy(**{**BOUND, "device_binding": "off"}, store=store)

        assert 200 == renew(later, browser).status_code


Refuse = Callable[[Deployment, Browser], Response]
HOUR_OLD_KEY = {"jwk": {**public_jwk(PRIVATE["ES256"]), "d": "AAAA"}}

REFUSALS: dict[str, Refuse] = {
    "no proof": lambda deployment, browser: deployment.post(DEVICE_PATH, browser.held.to_call()),
    "an empty proof": lambda deployment, browser: register(deployment, browser, '""'),
    "no JWS": lambda deployment, browser: register(deployment, browser, "a.b.c"),
    "two proofs in one line": lambda deployment, browser: register(
        deployment, browser, f'"{browser.proof()}", "{browser.proof()}"'
    ),
    "two lines": lambda deployment, browser: twice(
        deployment, DEVICE_PATH, PROOF, **browser.held.to_call(), **{PROOF: browser.proof()}
    ),
    "no cookie": lambda deployment, browser: deployment.post(DEVICE_PATH, {PROOF: browser.proof()}),
    "a bearer token": lambda deployment, browser: deployment.post(
        DEVICE_PATH, {PROOF: browser.proof(), "authorization": f"Bearer {browser.held.access}"}
    ),
    "the cookie of another session": lambda deployment, browser: register(
        deployment, Browser(deployment.login(user_id="bob"), browser.challenge)
    ),
    "a forged cookie": lambda deployment, browser: deployment.post(
        DEVICE_PATH, {PROOF: browser.proof(), "cookie": f"{ACCESS_COOKIE}={browser.held.access[:-8]}AAAAAAAA"}
    ),
    "no challenge": lambda deployment, browser: register(deployment, browser, browser.proof(claims={"jti": None})),
    "a challenge that is a number": lambda deployment, browser: register(
        deployment, browser, browser.proof(claims={"jti": 5})
    ),
    "a challenge made up": lambda deployment, browser: register(
        deployment, browser, browser.proof("A" * len(browser.challenge))
    ),
    "another signature": lambda deployment, browser: register(deployment, browser, tampered(browser.proof())),
    "no key": lambda deployment, browser: register(deployment, browser, browser.proof(jwk=None)),
    "the private key": lambda deployment, browser: register(
        deployment, browser, browser.proof(jwk={**public_jwk(PRIVATE["ES256"]), "d": "AAAA"})
    ),
    "the key of somebody else": lambda deployment, browser: register(
        deployment, browser, browser.proof(jwk=public_jwk(OTHER_KEY))
    ),
    "another type": lambda deployment, browser: register(deployment, browser, browser.proof(typ="dpop+jwt")),
    "an algorithm that was not offered": lambda deployment, browser: register(
        deployment, Browser(browser.held, browser.challenge, PRIVATE["PS256"], "PS256")
    ),
    "Ed25519": lambda deployment, browser: register(
        deployment, Browser(browser.held, browser.challenge, PRIVATE["EdDSA"], "EdDSA")
    ),
    "no algorithm": lambda deployment, browser: register(deployment, browser, browser.proof(alg="none")),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_binds_nothing(case: str, deployment: Deployment) -> None:
    """The browser gets a 403 that changes nothing: tokens are kept, the session stays unbound, and can be bound."""
    browser = signed_in(deployment)

    assert REFUSED == outcome(REFUSALS[case](deployment, browser))
    assert bound_key(deployment, handle_of(deployment, browser.held)) is None
    assert 200 == register(deployment, browser).status_code


def test_a_challenge_gets_old(deployment: Deployment) -> None:
    """The offer is good for five minutes."""
    browser = signed_in(deployment)
    deployment.clock.advance(5 * MINUTE)

    assert REFUSED == outcome(register(deployment, browser))


def test_a_challenge_to_renew_binds_nothing(deployment: Deployment) -> None:
    """A challenge that anybody is given who asks for one registers no key: else a thief would ask, and bind his own."""
    victim = signed_in(deployment)
    asking = bound(deployment, "bob")
    made_up = asking.identifier.replace(handle_of(deployment, asking.held), handle_of(deployment, victim.held))
    given = challenged(renew(deployment, Browser(victim.held, "", identifier=made_up), None))
    assert given is not None

    assert REFUSED == outcome(register(deployment, victim, victim.proof(given[0])))


def test_a_session_that_is_over(deployment: Deployment) -> None:
    """A session that was signed out meanwhile is not bound."""
    browser = signed_in(deployment)
    deployment.post(SIGN_OUT_PATH, browser.held.to_call())

    assert REFUSED == outcome(register(deployment, browser))


def test_the_store_is_down(deploy: Deploy, clock: HandClock) -> None:
    """The browser is told to come again, and tokens are kept."""
    store = DownStore(clock)
    deployment = deploy(**BOUND, store=store)
    browser = signed_in(deployment)
    store.down = True
    response = register(deployment, browser)

    assert (503, "1", KEPT) == (response.status_code, response.headers["retry-after"], change(response))
    store.down = False
    assert 200 == register(deployment, browser).status_code
