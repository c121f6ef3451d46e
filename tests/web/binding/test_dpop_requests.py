"""Sessions that are bound by DPoP, over HTTP: who proves the key is served, and whoever copied something of it is not."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import Depends, FastAPI, Request
from fastapi.testclient import TestClient
from httpx2 import Response
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.testclient import WebSocketDenialResponse

from fastapi_session import (
    ConfigurationError,
    Fresh,
    UnauthorisedError,
    attach_session_to_request,
    get_session_from_request,
    install,
    refresh_session_in_request,
    verify_session,
)
from fastapi_session.core.binding.dpop import ALGORITHMS
from fastapi_session.testing import HandClock
from fastapi_session.web.binding.dpop_requests import path_of
from tests.core.binding.provers import jkt
from tests.engines import engine
from tests.moments import HOUR, MINUTE, PAST_GRACE, SECOND
from tests.web.conftest import Deploy
from tests.web.deployment import Deployment, Verified, application, deployed, echo
from tests.web.proving import Prover
from tests.web.wire import KEPT, NEW, TRY_REFRESH_TOKEN, UNAUTHORISED, Held, change, exposed
from tests.wire import AUTH_MODE

ADA = {"user_id": "ada"}
ALGS = 'algs="ES256 EdDSA Ed25519 PS256 RS256"'


@pytest.fixture
def bound(deploy: Deploy) -> Deployment:
    """An application in which a client may bind its session."""
    return deploy(dpop="optional")


def thief(deployment: Deployment) -> Prover:
    """A client with a key of its own."""
    return Prover(deployment, private=ec.generate_private_key(ec.SECP256R1()))


def refused(response: Response, error: str, reason: str | None = None) -> None:
    """Assert that a response refuses a proof, for *reason*, and leaves the client its tokens."""
    said = "" if reason is None else f'error_description="{reason}", '

    assert (401, f'DPoP error="{error}", {said}{ALGS}') == (response.status_code, response.headers["www-authenticate"])
    assert KEPT == change(response)
    assert "WWW-Authenticate" in exposed(response)


class TestServed:
    """Who proves the key."""

    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_a_session_from_its_beginning_to_its_end(self, algorithm: str, bound: Deployment) -> None:
        """A proof at the sign-in binds the session; each request proves the key, so does the refresh, and so does the sign-out."""
        client = Prover(bound, algorithm)
        response = client.log_in()
        held = Held.of(response, "header")

        assert NEW["header"] == change(response)
        assert {"jkt": jkt(algorithm)} == bound.sessions.parse(held.access).content.claims()["cnf"]  # type: ignore[union-attr]
        assert ADA == client.get("/me", held).json()
        assert ADA == client.post("/me", held).json()
        bound.clock.advance(PAST_GRACE)
        refreshed = client.refresh(held)
        assert (200, NEW["header"]) == (refreshed.status_code, change(refreshed))
        after = Held.of(refreshed, "header")
        assert ADA == client.get("/checked", after).json()
        assert 200 == client.post("/auth/signout", after).status_code
        assert [] == bound.users()

    @pytest.mark.parametrize("scheme", ["dpop", "DPOP", "DPoP "])
    def test_the_scheme_is_a_name_in_any_case(self, scheme: str, bound: Deployment) -> None:
        """`DPoP` is said in any case, with one space or more (RFC 9110, section 11.1)."""
        client = Prover(bound)
        held = client.login()
        proof = client.proof("GET", "/me", token=held.access)

        assert ADA == bound.get("/me", {"authorization": f"{scheme} {held.access}", "dpop": proof}).json()

    def test_a_query_does_not_count(self, bound: Deployment) -> None:
        """A proof is of a URL without its query, whether or not it says one."""
        client = Prover(bound)
        held = client.login()

        assert ADA == client.get("/me?a=1", held).json()
        assert ADA == client.get("/me?a=1", held, htu="http://testserver/me?b=2").json()

    def test_two_dependencies_ask(self, bound: Deployment) -> None:
        """Whatever asks for the session in one request, its proof is used once."""
        client = Prover(bound)
        held = client.login()

        assert 200 == client.get("/asked-twice", held).status_code

    def test_a_bearer_beside_a_cookie_of_another(self, bound: Deployment) -> None:
        """A token by the scheme DPoP counts before a cookie, as a bearer token does."""
        client = Prover(bound)
        held, cookie = client.login("bob"), bound.login("cookie", "ada")

        assert {"user_id": "bob"} == client.get("/me", held, cookie.to_call()).json()

    def test_a_lost_response(self, bound: Deployment) -> None:
        """Who proves the key may come back with the token of before, however late: the successor comes, and nobody is accused."""
        client = Prover(bound)
        held = client.login()
        bound.clock.advance(PAST_GRACE)
        first = Held.of(client.refresh(held), "header")
        assert ADA == client.get("/me", first).json()
        bound.clock.advance(HOUR)

        assert NEW["header"] == change(client.refresh(held))
        assert ["ada"] == bound.users()

    def test_a_refresh_token_by_either_scheme(self, bound: Deployment) -> None:
        """A refresh may say Bearer: what counts is the proof."""
        client = Prover(bound)
        held = client.login()
        bound.clock.advance(PAST_GRACE)
        proof = client.proof("POST", "/auth/session/refresh")

        assert NEW["header"] == change(bound.refresh(held, {"dpop": proof}))

    def test_a_client_that_wishes_cookies(self, bound: Deployment) -> None:
        """A proof binds nothing in cookies: the client that asks for them has a session as any other."""
        response = Prover(bound).log_in({AUTH_MODE: "cookie"})

        assert NEW["cookie"] == change(response)
        assert ADA == bound.get("/me", Held.of(response, "cookie").to_call()).json()


class TestThief:
    """Who copied all but the key."""

    def test_a_bearer(self, bound: Deployment) -> None:
        """A bound token is refused as a bearer token, with or without a proof beside it, and the owner goes on."""
        client = Prover(bound)
        held = client.login()
        proof = client.proof("GET", "/me", token=held.access)

        refused(bound.get("/me", held.to_call()), "invalid_token")
        refused(bound.get("/me", held.to_call(), {"dpop": proof}), "invalid_token")
        assert ADA == client.get("/me", held).json()

    def test_a_cookie(self, bound: Deployment) -> None:
        """A bound token is refused in a cookie, with or without a proof beside it."""
        client = Prover(bound)
        held = client.login()
        cookie = {"cookie": f"sAccessToken={held.access}"}
        response = bound.get("/me", cookie, {"dpop": client.proof("GET", "/me", token=held.access)})

        assert (401, UNAUTHORISED, KEPT) == (response.status_code, response.json(), change(response))
        assert UNAUTHORISED == bound.get("/me", cookie).json()
        assert UNAUTHORISED == bound.get("/optional", cookie).json()

    def test_another_key(self, bound: Deployment) -> None:
        """A proof by another key is worth nothing, neither to call nor to refresh."""
        client = Prover(bound)
        held = client.login()
        bound.clock.advance(PAST_GRACE)

        refused(thief(bound).get("/me", held), "invalid_token")
        refused(thief(bound).refresh(held), "invalid_token")
        assert NEW["header"] == change(client.refresh(held))

    def test_a_copied_proof(self, bound: Deployment) -> None:
        """A proof that was used is worth nothing a second time, neither with its token nor with another of the same session."""
        client = Prover(bound)
        held = client.login()
        copied = {"authorization": f"DPoP {held.access}", "dpop": client.proof("GET", "/me", token=held.access)}

        assert ADA == bound.get("/me", copied).json()
        refused(bound.get("/me", copied), "invalid_dpop_proof", "replay")
        refused(bound.get("/optional", copied), "invalid_dpop_proof", HTU.format("/optional"))

    def test_a_refresh_without_a_proof(self, bound: Deployment) -> None:
        """A copied refresh token without a proof changes nothing and accuses nobody, however often it is tried."""
        client = Prover(bound)
        held = client.login()
        bound.clock.advance(PAST_GRACE)

        for _ in range(3):
            refused(bound.refresh(held), "invalid_token")
        assert NEW["header"] == change(client.refresh(held))

    def test_a_copied_refresh(self, bound: Deployment) -> None:
        """A whole refresh that is sent again is refused, and the session goes on."""
        client = Prover(bound)
        held = client.login()
        bound.clock.advance(PAST_GRACE)
        copied = {"dpop": client.proof("POST", "/auth/session/refresh")}

        after = Held.of(bound.refresh(held, copied), "header")
        refused(bound.refresh(held, copied), "invalid_dpop_proof", "replay")
        assert ADA == client.get("/me", after).json()

    def test_a_refresh_token_in_a_cookie(self, bound: Deployment) -> None:
        """A copied refresh token in a cookie brings no tokens, whatever proof is beside it."""
        client = Prover(bound)
        held = client.login()
        bound.clock.advance(PAST_GRACE)
        cookies = {"cookie": f"sRefreshToken={held.refresh}"}
        for proof in ({}, {"dpop": client.proof("POST", "/auth/session/refresh")}):
            response = bound.post("/auth/session/refresh", cookies, proof)
            assert (401, UNAUTHORISED) == (response.status_code, response.json())
        assert NEW["header"] == change(client.refresh(held))

    def test_the_owner_s_session_stays_at_another_s_login(self, bound: Deployment) -> None:
        """Who signs in with a copied token beside, and without its key, does not end the session of that."""
        client = Prover(bound)
        held = client.login()
        bound.post("/login?user_id=eve", held.to_call(), {AUTH_MODE: "header"})
        thief(bound).request("POST", "/login?user_id=eve", held.access)

        assert ADA == client.get("/me", held).json()
        client.request("POST", "/login?user_id=ada", held.access)
        assert 401 == client.get("/checked", held).status_code


HTU = "htu: not http://testserver{0}"
IAT = "iat: more than 60 seconds from the clock of this server"
ATH = "ath: not the hash of the access token that came"
UNREADABLE = "proof: not a dpop+jwt that the key in its jwk has signed, or by another algorithm"


class TestRefused:
    """A proof that is not of this request."""

    @pytest.mark.parametrize(
        ("reason", "claims"),
        [
            ("htm: not GET", {"htm": "POST"}),
            (HTU.format("/me"), {"htu": "https://testserver/me"}),
            (HTU.format("/me"), {"htu": "http://other.example/me"}),
            (IAT, {"iat": 1}),
            ("jti", {"jti": None}),
            (ATH, {"ath": None}),
            (ATH, {"ath": "another"}),
        ],
    )
    def test_a_wrong_claim(self, reason: str, claims: dict[str, Any], bound: Deployment) -> None:
        """The challenge names the row that refused it, and the body the error."""
        client = Prover(bound)
        response = client.get("/me", client.login(), **claims)

        refused(response, "invalid_dpop_proof", reason)
        assert {"message": "dpop proof refused", "error": "invalid_dpop_proof"} == response.json()

    def test_no_proof(self, bound: Deployment) -> None:
        """A token by the scheme DPoP needs a proof."""
        held = Prover(bound).login()

        refused(
            bound.get("/me", {"authorization": f"DPoP {held.access}"}),
            "invalid_dpop_proof",
            "header: one DPoP is needed, and 0 came",
        )

    def test_two_headers(self, bound: Deployment) -> None:
        """Two proofs are none."""
        client = Prover(bound)
        held = client.login()
        headers = [("authorization", f"DPoP {held.access}")]
        headers += [("dpop", client.proof("GET", "/me", token=held.access)) for _ in range(2)]

        refused(
            bound.client.get("/me", headers=headers), "invalid_dpop_proof", "header: one DPoP is needed, and 2 came"
        )

    def test_a_proof_is_good_for_a_minute(self, bound: Deployment) -> None:
        """Late is late, even with the key."""
        client = Prover(bound)
        held = client.login()
        made = {"authorization": f"DPoP {held.access}", "dpop": client.proof("GET", "/me", token=held.access)}
        bound.clock.advance(MINUTE + SECOND)

        refused(bound.get("/me", made), "invalid_dpop_proof", IAT)

    def test_a_token_that_is_not_bound(self, bound: Deployment) -> None:
        """By the scheme DPoP a token is refused that is bound to no key, whatever is proved; as a bearer token it is good."""
        held = bound.login("header")

        refused(Prover(bound).get("/me", held), "invalid_token", "the token is bound to no key")
        assert ADA == bound.get("/me", held.to_call()).json()

    def test_a_proof_beside_a_bearer_token_does_not_matter(self, bound: Deployment) -> None:
        """A client may prove a key with all of its requests, for a session that is not bound."""
        held = bound.login("header")

        assert ADA == bound.get("/me", held.to_call(), {"dpop": "nonsense"}).json()

    def test_an_expired_token(self, bound: Deployment) -> None:
        """A client that proves its key is told to refresh, and in words of DPoP as well."""
        client = Prover(bound)
        held = client.login()
        bound.clock.advance(HOUR)
        response = client.get("/me", held)

        refused(response, "invalid_token")
        assert TRY_REFRESH_TOKEN == response.json()

    def test_a_token_of_somebody_else_s(self, bound: Deployment) -> None:
        """What is no token of ours is no session, also by the scheme DPoP."""
        response = Prover(bound).request("GET", "/me", "eyJhbGciOiJIUzI1NiJ9.e30.c2ln")

        refused(response, "invalid_token")
        assert UNAUTHORISED == response.json()

    def test_where_only_cookies_travel(self, deploy: Deploy) -> None:
        """Where tokens travel in cookies alone, the scheme DPoP brings none."""
        deployment = deploy(
            token_transfer_method=lambda _, for_create: "header" if for_create else "cookie", dpop="optional"
        )
        client = Prover(deployment)

        assert UNAUTHORISED == client.get("/me", client.login()).json()

    def test_a_bad_proof_at_the_refresh_of_any_session(self, bound: Deployment) -> None:
        """A proof that came has to hold, also where none is needed."""
        held = bound.login("header")
        bound.clock.advance(PAST_GRACE)

        refused(bound.refresh(held, {"dpop": "nonsense"}), "invalid_dpop_proof", UNREADABLE)
        bare = {"authorization": f"DPoP {held.refresh}"}
        refused(
            bound.post("/auth/session/refresh", bare), "invalid_dpop_proof", "header: one DPoP is needed, and 0 came"
        )
        assert NEW["header"] == change(Prover(bound).refresh(held))


class TestSetting:
    """`dpop`: whether new sessions are bound."""

    def test_off(self, deploy: Deploy) -> None:
        """Then a proof at the sign-in binds nothing, and is not even looked at."""
        deployment = deploy()
        response = Prover(deployment).log_in({AUTH_MODE: "header"}, htm="GET")

        assert ADA == deployment.get("/me", Held.of(response, "header").to_call()).json()

    def test_optional_without_a_proof(self, bound: Deployment) -> None:
        """Then a client without a key has a session as before."""
        held = bound.login("header")

        assert ADA == bound.get("/me", held.to_call()).json()

    def test_optional_with_a_bad_proof(self, bound: Deployment) -> None:
        """A client that wants its session to be bound is not left with one that is not."""
        refused(Prover(bound).log_in(htm="GET"), "invalid_dpop_proof", "htm: not POST")
        assert [] == bound.users()

    def test_required(self, deploy: Deploy) -> None:
        """Then no session begins in headers without a proof; in cookies it does."""
        deployment = deploy(dpop="required")

        refused(
            deployment.post("/login?user_id=ada", {AUTH_MODE: "header"}),
            "invalid_dpop_proof",
            "header: one DPoP is needed, and 0 came",
        )
        assert [] == deployment.users()
        client = Prover(deployment)
        assert ADA == client.get("/me", client.login()).json()
        assert NEW["cookie"] == change(deployment.post("/login?user_id=ada", {AUTH_MODE: "cookie"}))

    @pytest.mark.parametrize(("setting", "method"), [("off", "cookie"), ("optional", "header")])
    def test_a_page_that_proves_a_key(self, setting: str, method: str, deploy: Deploy) -> None:
        """A page that says nothing else wants its tokens in headers if it brings a proof; in cookies that would bind nothing."""
        response = Prover(deploy(dpop=setting)).log_in({"sec-fetch-site": "same-origin"})

        assert NEW[method] == change(response)

    def test_the_proof_of_a_sign_in_is_used(self, bound: Deployment) -> None:
        """A copied sign-in does not begin a session again."""
        proof = {"dpop": Prover(bound).proof("POST", "/login")}

        assert 200 == bound.post("/login?user_id=ada", proof).status_code
        refused(bound.post("/login?user_id=ada", proof), "invalid_dpop_proof", "replay")


class TestNonces:
    """`dpop_nonces`: a proof has to have a nonce of the server."""

    def test_a_client_learns_the_nonce(self, deploy: Deploy) -> None:
        """Without one it is refused and told one, which is good for sign-in, calls and refresh alike."""
        deployment = deploy(dpop="optional", dpop_nonces=True)
        client = Prover(deployment)
        response = client.log_in()
        refused(response, "use_dpop_nonce", "nonce")
        assert "DPoP-Nonce" in exposed(response)
        assert "no-store" == response.headers["cache-control"]
        client.nonce = response.headers["dpop-nonce"]

        held = client.login()
        assert ADA == client.get("/me", held).json()
        deployment.clock.advance(PAST_GRACE)
        assert 200 == client.refresh(held).status_code
        client.nonce = None
        refused(client.get("/me", held), "use_dpop_nonce", "nonce")

    def test_a_new_nonce_comes_in_time(self, deploy: Deploy) -> None:
        """While the nonce before is still good, each response has the new one; no other response has any."""
        deployment = deploy(dpop="optional", dpop_nonces=True)
        client = Prover(deployment)
        client.nonce = client.log_in().headers["dpop-nonce"]
        held = client.login()
        assert "dpop-nonce" not in client.get("/me", held).headers
        deployment.clock.advance(2 * MINUTE)
        response = client.get("/me", held)

        assert (ADA, True) == (response.json(), response.headers["dpop-nonce"] != client.nonce)
        client.nonce = response.headers["dpop-nonce"]
        assert "dpop-nonce" not in client.get("/me", held).headers

    def test_an_old_nonce(self, deploy: Deploy) -> None:
        """A nonce of four minutes ago is refused, and the new one comes with the refusal."""
        deployment = deploy(dpop="optional", dpop_nonces=True)
        client = Prover(deployment)
        client.nonce = client.log_in().headers["dpop-nonce"]
        held = client.login()
        deployment.clock.advance(4 * MINUTE)
        response = client.get("/me", held)

        refused(response, "use_dpop_nonce", "nonce")
        client.nonce = response.headers["dpop-nonce"]
        assert ADA == client.get("/me", held).json()


def test_the_store_remembers_where_it_is_asked(bound: Deployment) -> None:
    """Another process, which has not seen a proof, refuses it if the route asks the store; elsewhere it counts once a process."""
    client = Prover(bound)
    held = client.login()
    copied = {"authorization": f"DPoP {held.access}", "dpop": client.proof("GET", "/checked", token=held.access)}

    assert ADA == bound.get("/checked", copied).json()
    bound.sessions.dpop_proofs._replays._by_end.clear()  # as if it were another process
    refused(bound.get("/checked", copied), "invalid_dpop_proof", "replay")


class TestAddresses:
    """The URL of a request is as its client sees it."""

    @pytest.mark.parametrize(
        ("root_path", "sent", "seen"),
        [
            ("", "/me", "/me"),
            ("/api", "/me", "/api/me"),  # the proxy has stripped the prefix
            ("/api", "/api/me", "/api/me"),  # the server has put it back
        ],
    )
    def test_behind_a_proxy(self, root_path: str, sent: str, seen: str, clock: HandClock) -> None:
        """Scheme and host are those of `api_domain`, whatever came to this machine, and the prefix is the server's `root_path`."""
        sessions = engine(clock, api_domain="https://api.example", dpop="optional")
        app = application(sessions)
        with (
            deployed(app, sessions, clock, "http://10.0.0.7:8000") as deployment,
            TestClient(app, base_url="http://10.0.0.7:8000", root_path=root_path) as client,
        ):
            prover = Prover(deployment, origin="https://api.example")
            held = prover.login()
            ways = {"seen": (seen, {}), "by http": (seen, {"htu": f"http://api.example{seen}"})}
            ways["as it came"] = (seen, {"htu": f"http://10.0.0.7:8000{sent}"})
            statuses = {}
            for way, (path, claims) in ways.items():
                proof = prover.proof("GET", path, token=held.access, **claims)
                headers = {"authorization": f"DPoP {held.access}", "dpop": proof, "x-forwarded-proto": "http"}
                statuses[way] = client.get(sent, headers=headers).status_code

        assert {"seen": 200, "by http": 401, "as it came": 401} == statuses

    @pytest.mark.parametrize(
        ("root_path", "path", "seen"),
        [
            ("", "/", "/"),
            ("/api", "/", "/api/"),
            ("/api", "/api", "/api"),
            ("/ap", "/api", "/ap/api"),
            ("/a", "/b", "/a/b"),
        ],
    )
    def test_the_prefix_that_the_server_knows(self, root_path: str, path: str, seen: str) -> None:
        """A prefix is put in front of a path that does not begin with it."""
        assert seen == path_of({"root_path": root_path, "path": path})

    @pytest.mark.parametrize("path", ["/a%20b", "/%C3%A9", "/a%2Fb"])
    def test_an_encoded_path(self, path: str, clock: HandClock) -> None:
        """A path is the same however it is encoded."""
        sessions = engine(clock, dpop="optional")
        app = application(sessions)
        app.get("/{rest:path}")(endpoint)
        with deployed(app, sessions, clock) as deployment:
            client = Prover(deployment)
            held = client.login()

            assert ADA == client.get(path, held).json()
            refused(
                client.get(path, held, htu="http://testserver/other"),
                "invalid_dpop_proof",
                HTU.format(path.replace("%2F", "/")),
            )

    @pytest.mark.parametrize("has_its_own", [False, True])
    def test_a_mounted_application(self, has_its_own: bool, clock: HandClock) -> None:
        """In a mounted application the URL is still the whole one, and a middleware outside of it may have asked before."""
        sessions = engine(clock, dpop="optional")
        app, inner = application(sessions), FastAPI()
        if has_its_own:
            install(inner, sessions)
        inner.get("/me")(endpoint)
        app.mount("/inner", inner)

        async def outside(request: Request, call_next: Any) -> Any:
            await get_session_from_request(request, session_required=False)
            return await call_next(request)

        app.user_middleware.append(Middleware(BaseHTTPMiddleware, dispatch=outside))
        with deployed(app, sessions, clock) as deployment:
            client = Prover(deployment)
            held = client.login()

            assert ADA == client.get("/inner/me", held).json()
            assert 401 == client.get("/inner/me", held, htu="http://testserver/me").status_code


async def endpoint(session: Verified) -> dict[str, str]:
    return {"user_id": session.user_id}


class TestSockets:
    """A socket is opened by a GET that proves the key."""

    @pytest.fixture
    def served(self, clock: HandClock) -> Iterator[Deployment]:
        sessions = engine(clock, dpop="optional")
        app = application(sessions)
        app.websocket("/socket")(echo)
        with deployed(app, sessions, clock) as deployment:
            yield deployment

    @pytest.mark.parametrize("scheme", ["ws", "http"])
    @pytest.mark.parametrize("by", ["headers", "subprotocols"])
    def test_a_proof_in_the_handshake(self, scheme: str, by: str, served: Deployment) -> None:
        """A proof comes in a header, or from a page, which can set none, as a subprotocol; its URL may say `ws` or `http`."""
        client = Prover(served)
        held = client.login()
        proof = client.proof("GET", "/socket", token=held.access, htu=f"{scheme}://testserver/socket")
        ways: dict[str, Any] = {
            "headers": {"headers": {"authorization": f"DPoP {held.access}", "dpop": proof}},
            "subprotocols": {"subprotocols": ["session", f"session.dpop.{held.access}", f"session.proof.{proof}"]},
        }
        with served.client.websocket_connect("/socket", **ways[by]) as socket:
            assert "ada" == socket.receive_text()
        with pytest.raises(WebSocketDenialResponse) as refusal, served.client.websocket_connect("/socket", **ways[by]):
            pass
        assert (401, 'error_description="replay"') == (
            refusal.value.status_code,
            refusal.value.headers["www-authenticate"].split(", ")[1],
        )

    @pytest.mark.parametrize("offer", ["session.bearer.{token}", "session.dpop.{token}"])
    def test_without_a_proof(self, offer: str, served: Deployment) -> None:
        """A bound token alone opens no socket."""
        offers = ["session", offer.format(token=Prover(served).login().access)]
        with (
            pytest.raises(WebSocketDenialResponse) as refusal,
            served.client.websocket_connect("/socket", subprotocols=offers),
        ):
            pass

        assert (401, KEPT) == (refusal.value.status_code, change(refusal.value))


def test_what_was_checked_without_the_token(bound: Deployment) -> None:
    """A proof that was checked for a refresh, which failed, is checked again for the access token: it has to be of that."""

    @bound.app.get("/either")
    async def either(request: Request) -> dict[str, str]:
        with suppress(UnauthorisedError):
            await refresh_session_in_request(request)
        return {"user_id": (await get_session_from_request(request)).user_id}

    client = Prover(bound)
    held = client.login()

    response = client.get("/either", held, ath=None)
    assert (401, True) == (response.status_code, 'error_description="ath' in response.headers["www-authenticate"])
    assert ADA == client.get("/either", held).json()


def test_step_up_in_words_of_dpop(bound: Deployment) -> None:
    """A client that proves its key is asked for a step-up by a challenge of its scheme (RFC 9470, section 3)."""
    client = Prover(bound)
    bound.app.get("/fresh", dependencies=[Depends(verify_session(Fresh(minutes=1)))])(lambda: None)
    response = client.get("/fresh", client.login())

    assert 401 == response.status_code
    assert response.headers["www-authenticate"].startswith('DPoP error="insufficient_user_authentication"')


def test_a_bound_session_is_not_attached_in_cookies(bound: Deployment) -> None:
    """Its tokens would be of no use there."""

    @bound.app.post("/attach")
    async def attach(request: Request) -> None:
        attach_session_to_request(
            request, await bound.sessions.create("ada", bound_key=f"dpop:{jkt()}"), method="cookie"
        )

    with pytest.raises(ConfigurationError, match='method="header"'):
        TestClient(bound.app, base_url="http://testserver").post("/attach")


def test_nothing_of_a_proof_is_logged(bound: Deployment, caplog: pytest.LogCaptureFixture) -> None:
    """No line of the log has a token, a proof or a part of one, whatever is refused."""
    client = Prover(bound)
    held = client.login()
    proofs = [client.proof("GET", "/me", token=held.access, htm=method) for method in ("GET", "GET", "POST")]
    with caplog.at_level(logging.DEBUG):
        for proof in [*proofs, proofs[0]]:
            bound.get("/me", {"authorization": f"DPoP {held.access}", "dpop": proof})

    assert "dpop proof refused: htm" in caplog.text
    assert not [part for secret in [*proofs, held.access] for part in secret.split(".")[1:] if part in caplog.text]
