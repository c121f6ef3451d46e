"""What a browser gets that renews the credential of its session: never anything by which it ends the binding, unless that is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from httpx2 import Response

from fastapi_session.testing import HandClock
from tests.core.binding.provers import PRIVATE, public_jwk
from tests.engines import NEW_SECRET, SECRET
from tests.moments import DAY, HOUR, MILLISECOND, MINUTE, PAST_GRACE, SECOND
from tests.web.binding.browsers import (
    BINDING_COOKIE,
    BOUND,
    IDENTIFIER,
    OTHER_KEY,
    PROOF,
    RENEWAL_PATH,
    SKIPPED,
    Browser,
    DownStore,
    bound,
    challenged,
    credential_in,
    register,
    renew,
    signed_in,
    tampered,
    twice,
)
from tests.web.conftest import Deploy
from tests.web.deployment import Deployment
from tests.web.wire import KEPT, NEW, UNAUTHORISED, Held, change, set_cookies
from tests.wire import SIGN_OUT_PATH

CREDENTIAL_LIFE = 5 * MINUTE


@pytest.fixture
def deployment(deploy: Deploy) -> Deployment:
    return deploy(**BOUND)


def is_challenged(response: Response, browser: Browser) -> bool:
    """Whether the browser gets another challenge of the same session, and nothing else."""
    given = challenged(response)
    return (
        403 == response.status_code
        and given is not None
        and given[0] not in {browser.challenge, browser.next_challenge}
        and browser.identifier == given[1]
        and [] == set_cookies(response)
    )


def is_over(response: Response, browser: Browser) -> bool:
    """Whether the browser is told that the session is over, and nothing else."""
    told = {"session_identifier": browser.identifier, "continue": False}
    return (200, told, []) == (response.status_code, response.json(), set_cookies(response))


class TestRenewal:
    def test_a_browser_renews(self, deployment: Deployment) -> None:
        """With a proof it is given a new credential, the next challenge, and the rules as at the registration."""
        browser = signed_in(deployment)
        registered = register(deployment, browser)
        browser = browser.told(registered)
        deployment.clock.advance(2 * MINUTE)
        response = renew(deployment, browser)
        after = browser.told(response)

        assert (200, registered.json(), KEPT) == (response.status_code, response.json(), change(response))
        assert [BINDING_COOKIE] == [name for name, _ in set_cookies(response)]
        assert len({browser.credential, after.credential}) == len({browser.next_challenge, after.next_challenge}) == 2
        assert "no-store" == response.headers["cache-control"]

    @pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
    def test_again_and_again(self, algorithm: str, deployment: Deployment) -> None:
        """Each renewal leads to the next, and each credential to a refresh."""
        browser = bound(deployment, algorithm=algorithm, private=PRIVATE[algorithm])
        for _ in range(3):
            deployment.clock.advance(4 * MINUTE)
            browser = browser.told(renew(deployment, browser))
            response = deployment.post("/auth/session/refresh", browser.to_refresh())
            assert NEW["cookie"] == change(response)
            browser = replace(browser, held=Held.of(response, "cookie"))

    def test_a_browser_without_a_challenge(self, deployment: Deployment) -> None:
        """A browser that comes without a proof is given a challenge, and renews with that."""
        browser = bound(deployment)
        response = renew(deployment, browser, None)

        assert is_challenged(response, browser)
        assert 200 == renew(deployment, browser.told(response)).status_code

    def test_without_an_access_token(self, deployment: Deployment) -> None:
        """A browser that has lost its access token can renew: the proof is enough."""
        browser = bound(deployment)
        response = deployment.post(RENEWAL_PATH, {IDENTIFIER: browser.identifier, PROOF: browser.renewing()})

        assert ("", 200) != (credential_in(response), response.status_code)
        assert 200 == response.status_code

    def test_the_key_may_be_sent_again(self, deployment: Deployment) -> None:
        """A proof may have the key in its header, as at the registration."""
        browser = bound(deployment)
        proof = browser.renewing(jwk=public_jwk(PRIVATE["ES256"]))

        assert 200 == renew(deployment, browser, proof).status_code

    def test_secrets_come_and_go(self, deploy: Deploy, clock: HandClock) -> None:
        """A browser renews though the secret has been replaced since it bound the session, and the earlier one is gone."""
        deployment = deploy(**BOUND)
        browser, store = bound(deployment), deployment.sessions.store
        between = deploy(**BOUND, store=store, secret=[NEW_SECRET, SECRET])
        browser = browser.told(renew(between, browser))
        browser = replace(browser, held=Held.of(between.post("/auth/session/refresh", browser.to_refresh()), "cookie"))
        clock.advance(DAY)
        after = deploy(**BOUND, store=store, secret=NEW_SECRET)
        response = renew(after, browser)

        assert is_challenged(response, browser)
        assert 200 == renew(after, browser.told(response)).status_code

    def test_another_prefix(self, deploy: Deploy) -> None:
        """After a change of the prefix a browser renews what it has by the older name, and is told the new one."""
        deployment = deploy(**BOUND)
        browser, store = bound(deployment), deployment.sessions.store
        later = deploy(**BOUND, store=store, cookie_prefix="__Host-shop-", older_cookie_prefix="")
        response = renew(later, browser)

        assert "__Secure-shop-sBinding" == response.json()["credentials"][0]["name"]
        assert ["__Secure-shop-sBinding"] == [name for name, _ in set_cookies(response)]
        assert 200 == later.post("/auth/session/refresh", browser.to_refresh()).status_code


Renew = Callable[[Deployment, Browser], Response]

CHALLENGED: dict[str, Renew] = {
    "no proof": lambda deployment, browser: renew(deployment, browser, None),
    "an empty proof": lambda deployment, browser: renew(deployment, browser, '""'),
    "no JWS": lambda deployment, browser: renew(deployment, browser, "a.b.c"),
    "two proofs in one line": lambda deployment, browser: renew(
        deployment, browser, f'"{browser.renewing()}", "{browser.renewing()}"'
    ),
    "two lines": lambda deployment, browser: twice(
        deployment, RENEWAL_PATH, PROOF, **{IDENTIFIER: browser.identifier, PROOF: browser.renewing()}
    ),
    "another key": lambda deployment, browser: renew(deployment, browser, browser.renewing(private=OTHER_KEY)),
    "another key in the header": lambda deployment, browser: renew(
        deployment, browser, browser.renewing(jwk=public_jwk(OTHER_KEY))
    ),
    "the private key": lambda deployment, browser: renew(
        deployment, browser, browser.renewing(jwk={**public_jwk(PRIVATE["ES256"]), "d": "AAAA"})
    ),
    "another algorithm": lambda deployment, browser: renew(deployment, browser, browser.renewing(alg="RS256")),
    "another type": lambda deployment, browser: renew(deployment, browser, browser.renewing(typ="JWT")),
    "another signature": lambda deployment, browser: renew(deployment, browser, tampered(browser.renewing())),
    "no challenge": lambda deployment, browser: renew(deployment, browser, browser.renewing(claims={"jti": None})),
    "a challenge made up": lambda deployment, browser: renew(deployment, browser, browser.renewing("A" * 68)),
    "the challenge of the registration": lambda deployment, browser: renew(
        deployment, browser, browser.renewing(browser.challenge)
    ),
    "the challenge of another session": lambda deployment, browser: renew(
        deployment, browser, browser.renewing(bound(deployment, "bob").next_challenge)
    ),
}


@pytest.mark.parametrize("case", CHALLENGED)
def test_what_renews_nothing(case: str, deployment: Deployment) -> None:
    """The browser is challenged once more, and the session goes on."""
    browser = bound(deployment)
    response = CHALLENGED[case](deployment, browser)

    assert is_challenged(response, browser)
    assert 200 == renew(deployment, browser.told(response)).status_code


def test_a_challenge_gets_old(deployment: Deployment) -> None:
    """The usual renewal, when an access token has ended, is one trip; after that a browser is given another challenge first."""
    browser = bound(deployment)
    deployment.clock.advance(HOUR + 5 * MINUTE - MILLISECOND)
    response = renew(deployment, browser)
    later = browser.told(response)
    deployment.clock.advance(HOUR + 5 * MINUTE)
    again = renew(deployment, later)

    assert (200, True) == (response.status_code, is_challenged(again, later))
    assert 200 == renew(deployment, later.told(again)).status_code


@pytest.mark.parametrize(("validity", "life"), [(MINUTE, 6 * MINUTE), (DAY, HOUR + 5 * MINUTE)])
def test_how_old_a_challenge_gets(validity: timedelta, life: timedelta, deploy: Deploy) -> None:
    """It lives as long as an access token and five minutes, but not so long that proofs can be made in advance."""
    deployment = deploy(**BOUND, access_token_validity=validity)
    browser = bound(deployment)
    deployment.clock.advance(life - MILLISECOND)
    in_time = renew(deployment, browser, browser.renewing())
    deployment.clock.advance(life)

    assert 200 == in_time.status_code
    assert is_challenged(renew(deployment, browser.told(in_time)), browser.told(in_time))


def test_a_challenge_is_used_once(deployment: Deployment) -> None:
    """A copy of a proof is worth nothing, and neither is another proof with the same challenge; the owner goes on."""
    browser = bound(deployment)
    copied = browser.renewing()
    first, second = renew(deployment, browser, copied), renew(deployment, browser, copied)

    assert ([200], True) == ([first.status_code], is_challenged(second, browser))
    assert is_challenged(renew(deployment, browser), browser)
    assert 200 == renew(deployment, browser.told(first)).status_code


def test_two_tabs_at_once(deployment: Deployment) -> None:
    """Whoever is told two challenges can use either: none makes the others worthless."""
    browser = bound(deployment)
    one, two = (browser.told(renew(deployment, browser, None)) for _ in range(2))

    assert [200, 200, 200] == [renew(deployment, each).status_code for each in (two, one, browser)]


class TestTheEnd:
    """What is over is over for the browser too: it is told so in the way that it understands."""

    def test_signed_out(self, deployment: Deployment) -> None:
        """A session that was signed out is over, and the response to that clears the credential."""
        browser = bound(deployment)
        response = deployment.post(SIGN_OUT_PATH, browser.held.to_call())
        cleared = dict(set_cookies(response))[BINDING_COOKIE]

        assert cleared.startswith("; Path=/auth/session/refresh; Expires=Thu, 01 Jan 1970 00:00:00 GMT")
        assert is_over(renew(deployment, browser), browser)

    def test_revoked(self, deployment: Deployment) -> None:
        """The same if it was revoked elsewhere, or has reached its deadline."""
        browser, idle = bound(deployment), bound(deployment, "bob")
        deployment.ask(deployment.sessions.revoke, browser.identifier[:32])

        assert is_over(renew(deployment, browser), browser)
        deployment.clock.advance(101 * DAY)
        given = challenged(renew(deployment, idle, None))
        assert given is not None
        assert is_over(renew(deployment, replace(idle, next_challenge=given[0])), idle)

    def test_a_later_sign_in_in_the_same_browser(self, deployment: Deployment) -> None:
        """The earlier session must not overwrite the credential of the later one: it is over even before a proof is asked for."""
        earlier = bound(deployment)
        later = bound(deployment, "bob")
        both = replace(earlier, held=later.held)

        assert is_over(renew(deployment, both, None), earlier)
        assert is_over(renew(deployment, both), earlier)

    def test_while_somebody_acts_as_another_user(self, deployment: Deployment) -> None:
        """An access token of another session is what counts, also if that one names this session as the actor's."""
        browser = bound(deployment)
        issued = deployment.ask(_impersonation, deployment.sessions, browser)
        acting = replace(browser, held=replace(browser.held, access=issued.tokens.access_token))

        assert is_over(renew(deployment, acting), browser)

    def test_bound_to_another_key(self, deployment: Deployment) -> None:
        """A session identifier that somebody made of another key opens nothing, though he can prove that key."""
        victim = bound(deployment)
        thief = bound(deployment, "mallory", private=OTHER_KEY)
        made_up = replace(thief, identifier=victim.identifier[:32] + thief.identifier[32:], held=victim.held)
        given = challenged(renew(deployment, made_up, None))
        assert given is not None

        assert is_over(renew(deployment, replace(made_up, next_challenge=given[0])), made_up)
        assert 200 == renew(deployment, victim).status_code

    def test_not_bound(self, deployment: Deployment) -> None:
        """The same for a session that is not bound at all."""
        thief, victim = bound(deployment, "mallory"), signed_in(deployment)
        handle = deployment.sessions.parse(victim.held.access)
        assert handle is not None
        made_up = replace(thief, identifier=handle.content.session_id + thief.identifier[32:], held=victim.held)
        given = challenged(renew(deployment, made_up, None))
        assert given is not None

        assert is_over(renew(deployment, replace(made_up, next_challenge=given[0])), made_up)

    @pytest.mark.parametrize("text", ["junk", "a.b.c", "0" * 32 + ".ES256.e30", "x" * 20_000])
    def test_no_identifier_of_ours(self, text: str, deployment: Deployment) -> None:
        """What this deployment cannot have given is over."""
        response = deployment.post(RENEWAL_PATH, {IDENTIFIER: f'"{text}"'})

        assert (200, {"session_identifier": text, "continue": False}) == (response.status_code, response.json())

    def test_no_browser(self, deployment: Deployment) -> None:
        """Who names no session is no browser that binds sessions."""
        two_lines = twice(deployment, RENEWAL_PATH, IDENTIFIER, **{IDENTIFIER: bound(deployment).identifier})
        empty = deployment.post(RENEWAL_PATH, {IDENTIFIER: '""'})
        responses = [deployment.post(RENEWAL_PATH), empty, two_lines]

        assert [400, 400, 400] == [response.status_code for response in responses]


def test_the_store_is_down(deploy: Deploy, clock: HandClock) -> None:
    """The browser keeps the session, and renews it with the same proof once the store is back."""
    store = DownStore(clock)
    deployment = deploy(**BOUND, store=store)
    browser = bound(deployment)
    proof = browser.renewing()
    store.down = True
    response = renew(deployment, browser, proof)

    assert (503, "1", KEPT) == (response.status_code, response.headers["retry-after"], change(response))
    store.down = False
    assert 200 == renew(deployment, browser, proof).status_code


def test_a_used_challenge_is_remembered_until_it_ends(deploy: Deploy, clock: HandClock) -> None:
    """A proof that was copied stays worthless, though access tokens live shorter now and what was remembered is cleared away."""
    deployment = deploy(**BOUND)
    browser = bound(deployment)
    later = deploy(**BOUND, access_token_validity=MINUTE, store=deployment.sessions.store)
    copied = browser.renewing()
    assert 200 == renew(later, browser, copied).status_code
    clock.advance(HOUR)
    later.ask(_forgetting, later.sessions)

    assert is_challenged(renew(later, browser, copied), browser)


class TestRefresh:
    """What a credential is worth at a refresh."""

    def test_it_proves_the_key_for_five_minutes(self, deployment: Deployment) -> None:
        """The server believes it a little longer than the browser keeps it: the request may have been on its way."""
        browser = bound(deployment)
        seen = []
        for passed in (CREDENTIAL_LIFE, 15_000 * MILLISECOND - MILLISECOND, MILLISECOND):
            deployment.clock.advance(passed)
            response = deployment.post("/auth/session/refresh", browser.to_refresh())
            seen.append(response.status_code)
            if response.status_code == 200:
                browser = replace(browser, held=Held.of(response, "cookie"))

        assert [200, 200, 401] == seen

    def test_without_it(self, deployment: Deployment) -> None:
        """A thief who has every other cookie gets no token, changes nothing and accuses nobody."""
        browser = bound(deployment)
        thief = replace(browser, credential="")
        deployment.clock.advance(PAST_GRACE)
        response = deployment.post("/auth/session/refresh", thief.to_refresh())

        assert (401, UNAUTHORISED, KEPT) == (response.status_code, response.json(), change(response))
        assert 200 == deployment.post("/auth/session/refresh", browser.to_refresh()).status_code

    @pytest.mark.parametrize("other", ["junk", "of another session", "of another key"])
    def test_another_one(self, other: str, deployment: Deployment) -> None:
        """A credential counts for its own session and its own key alone."""
        browser, bob = bound(deployment), bound(deployment, "bob", private=OTHER_KEY)
        credentials = {"junk": "junk", "of another session": bob.credential, "of another key": bob.credential[::-1]}
        thief = replace(browser, credential=credentials[other])
        deployment.clock.advance(PAST_GRACE)
        response = deployment.post("/auth/session/refresh", thief.to_refresh())

        assert (401, UNAUTHORISED, KEPT) == (response.status_code, response.json(), change(response))

    def test_beside_one_that_another_host_has_planted(self, deployment: Deployment) -> None:
        """Of two credentials the one of the session counts, wherever it stands."""
        browser, planted = bound(deployment), bound(deployment, "mallory").credential
        deployment.clock.advance(PAST_GRACE)
        refreshed = [
            deployment.post("/auth/session/refresh", replace(browser, credential=credential).to_refresh()).status_code
            for credential in (
                f"{planted}; {BINDING_COOKIE}={browser.credential}",
                f"{browser.credential}; {BINDING_COOKIE}={planted}",
                f"junk; {BINDING_COOKIE}={browser.credential}",
            )
        ]

        assert [200, 200, 200] == refreshed

    def test_it_is_no_use_for_a_token_in_a_header(self, deployment: Deployment) -> None:
        """Who sends the refresh token as a bearer token proves nothing by a cookie."""
        browser = bound(deployment)
        deployment.clock.advance(PAST_GRACE)
        headers = {
            "authorization": f"Bearer {browser.held.refresh}",
            "cookie": f"{BINDING_COOKIE}={browser.credential}",
        }

        assert 401 == deployment.post("/auth/session/refresh", headers).status_code

    def test_the_browser_could_not_renew(self, deployment: Deployment) -> None:
        """A browser that says so is asked to come again, and is not signed out; a credential is still what it needs."""
        browser = bound(deployment)
        held_back = replace(browser, credential="")
        deployment.clock.advance(PAST_GRACE)
        said = {SKIPPED: f'unreachable;session_identifier="{browser.identifier}"'}
        response = deployment.post("/auth/session/refresh", held_back.to_refresh(), said)

        assert (503, {"message": "key not proved, come again"}) == (response.status_code, response.json())
        assert ("1", KEPT) == (response.headers["retry-after"], change(response))
        assert 200 == deployment.post("/auth/session/refresh", browser.to_refresh(), said).status_code

    def test_the_browser_has_only_just_bound_it(self, deployment: Deployment) -> None:
        """A page that refreshes before its browser has heard that the session is bound comes again; half a minute later it is refused."""
        browser = bound(deployment)
        early, seen = replace(browser, credential=""), []
        for passed in (0 * SECOND, 30 * SECOND - MILLISECOND, MILLISECOND):
            deployment.clock.advance(passed)
            response = deployment.post("/auth/session/refresh", early.to_refresh())
            seen.append((response.status_code, change(response)))

        assert [(503, KEPT), (503, KEPT), (401, KEPT)] == seen
        assert 200 == deployment.post("/auth/session/refresh", browser.to_refresh()).status_code

    def test_who_is_not_bound_says_so_in_vain(self, deployment: Deployment) -> None:
        """The header changes nothing for anybody else."""
        held, said = deployment.login(), {SKIPPED: "quota_exceeded"}
        deployment.clock.advance(PAST_GRACE)

        assert 200 == deployment.refresh(held, said).status_code
        assert 401 == deployment.post("/auth/session/refresh", said).status_code


async def _forgetting(sessions: Any) -> int:
    forgotten: int = await sessions.store.delete_remembered(limit=100)
    return forgotten


async def _impersonation(sessions: Any, browser: Browser) -> Any:
    token = await sessions.verify(browser.held.access)
    return await sessions.impersonate(token, "bob", reason="asked to")
