"""A DPoP proof counts for the very request that it was made for, and each row of its table refuses any other."""

from __future__ import annotations

from typing import Any

import pytest

from fastapi_session.core import base64url
from fastapi_session.core.binding.dpop import ALGORITHMS, CheckedProof, Expected, checked_proof, is_url_of, token_hash
from fastapi_session.errors import DpopError
from fastapi_session.origin import Origin
from tests.core.binding import provers
from tests.core.binding.provers import PRIVATE, jkt

SECONDS = 2_000_000_000
NOW = SECONDS * 1000 + 999
ORIGIN = Origin("https", "api.example", "")
TOKEN = "an.access.token"
CLAIMS: dict[str, Any] = {"htm": "POST", "htu": "https://api.example/pay", "iat": SECONDS, "jti": "j"}


def expected(**fields: Any) -> Expected:
    chosen = {"method": "POST", "url": "https://api.example/pay", "origin": ORIGIN, "path": "/pay", **fields}
    return Expected(**chosen)


def proof(algorithm: str = "ES256", header: dict[str, Any] | None = None, **claims: Any) -> str:
    said = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not None}
    return provers.proof(said, algorithm, **{"typ": "dpop+jwt", **(header or {})})


def checked(*texts: str, **fields: Any) -> CheckedProof:
    return checked_proof(texts, expected(**fields), now=NOW)


def refusal(*texts: str, **fields: Any) -> tuple[str, str]:
    with pytest.raises(DpopError) as refused:
        checked(*texts, **fields)
    assert not refused.value.clears_tokens
    return refused.value.error, refused.value.reason.partition(":")[0]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_proof_of_the_request(algorithm: str) -> None:
    """A proof by each algorithm says the key of its client, and until when it could come again."""
    found = checked(proof(algorithm))

    assert (jkt(algorithm), (SECONDS + 61) * 1000, None) == (found.jkt, found.until, found.nonce)


def test_what_is_published_is_allowed() -> None:
    """Symmetric algorithms, and none at all, are not among those that are published."""
    assert ("ES256", "EdDSA", "Ed25519", "PS256", "RS256") == ALGORITHMS


@pytest.mark.parametrize(
    ("reason", "texts"),
    [
        pytest.param("header", [], id="none"),
        pytest.param("header", [proof(), proof()], id="two"),
        pytest.param("proof", [""], id="empty"),
        pytest.param("proof", [f"{proof()}, {proof()}"], id="two in one header"),
        pytest.param("proof", [proof(header={"typ": "JWT"})], id="typ JWT"),
        pytest.param("proof", [proof(header={"typ": "dbsc+jwt"})], id="typ of DBSC"),
        pytest.param("proof", [proof(header={"alg": "none"})], id="alg none"),
        pytest.param("proof", [proof(header={"alg": "HS256"})], id="alg HS256"),
        pytest.param("proof", [proof(header={"jwk": {"kty": "oct", "k": "AAAA"}})], id="a symmetric jwk"),
        pytest.param("htm", [proof(htm=None)], id="no htm"),
        pytest.param("htm", [proof(htm="GET")], id="another htm"),
        pytest.param("htm", [proof(htm="post")], id="htm in other letters: methods have a case"),
        pytest.param("htm", [proof(htm=["POST"])], id="htm, a list"),
        pytest.param("htu", [proof(htu=None)], id="no htu"),
        pytest.param("htu", [proof(htu="https://thief.example/pay")], id="another host"),
        pytest.param("htu", [proof(htu="https://api.example/refund")], id="another path"),
        pytest.param("htu", [proof(htu=["https://api.example/pay"])], id="htu, a list"),
        pytest.param("iat", [proof(iat=None)], id="no iat"),
        pytest.param("iat", [proof(iat=SECONDS - 61)], id="old"),
        pytest.param("iat", [proof(iat=SECONDS + 61)], id="ahead"),
        pytest.param("iat", [proof(iat=str(SECONDS))], id="iat, a text"),
        pytest.param("iat", [proof(iat=True)], id="iat, true"),
        pytest.param("jti", [proof(jti=None)], id="no jti"),
        pytest.param("jti", [proof(jti="")], id="an empty jti"),
        pytest.param("jti", [proof(jti=1)], id="jti, a number"),
    ],
)
def test_what_is_refused(reason: str, texts: list[str]) -> None:
    """Each row refuses what it is about, and the reason is the row's."""
    assert ("invalid_dpop_proof", reason) == refusal(*texts)


@pytest.mark.parametrize("iat", [SECONDS - 60, SECONDS + 60, SECONDS + 0.5])
def test_the_minute_around_now(iat: float) -> None:
    """The clock of a client may be a minute off, and it may say parts of a second."""
    assert (int(iat) + 61) * 1000 == checked(proof(iat=iat)).until


def test_a_proof_beside_an_access_token() -> None:
    """It has to be of that token; where there is none to be proved, what it says of one does not matter."""
    of_token = proof(ath=token_hash(TOKEN))

    assert checked(of_token, access_token=TOKEN).jkt == checked(of_token).jkt
    assert ("invalid_dpop_proof", "ath") == refusal(proof(), access_token=TOKEN)
    assert ("invalid_dpop_proof", "ath") == refusal(of_token, access_token=f"{TOKEN}2")


def test_the_hash_of_the_standard_s_example() -> None:
    """RFC 9449, section 7.1 has a token and its hash."""
    assert "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo" == token_hash("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU")


def test_a_nonce_where_one_is_asked_for() -> None:
    """A proof without a nonce of now is refused with an error of its own, and after all else was checked."""
    nonces = {"now", "next"}

    assert "now" == checked(proof(nonce="now"), nonces=nonces).nonce
    assert ("use_dpop_nonce", "nonce") == refusal(proof(), nonces=nonces)
    assert ("use_dpop_nonce", "nonce") == refusal(proof(nonce="old"), nonces=nonces)
    assert ("use_dpop_nonce", "nonce") == refusal(proof(nonce=["now"]), nonces=nonces)
    assert ("invalid_dpop_proof", "htu") == refusal(proof(htu="https://thief.example/pay"), nonces=nonces)


def test_a_proof_is_known_again_by_its_key_and_identifier() -> None:
    """The same identifier again is the same proof, whatever else it says; that of another client is another one."""
    digests = [checked(text).digest for text in (proof(), proof(iat=SECONDS + 1), proof("EdDSA"), proof(jti="k"))]

    assert {32} == {len(digest) for digest in digests}
    assert digests[0] == digests[1]
    assert 3 == len({*digests})


@pytest.mark.parametrize(
    ("htu", "path"),
    [
        ("https://api.example/pay", "/pay"),
        ("HTTPS://API.Example:443/pay?q=1#f", "/pay"),
        ("wss://api.example/pay", "/pay"),
        ("https://api.example", "/"),
        ("https://api.example/", "/"),
        ("https://api.example?a", "/"),
        ("https://api.example/a%20b/%C3%A9%2Fc", "/a b/\u00e9/c"),
        ("https://api.example/%7Euser", "/~user"),
        ("https://api.example/a?b/../c", "/a"),
        ("https://api.example/a%3Fb%23c", "/a?b#c"),
        ("https://api.example/a%2541", "/a%41"),
    ],
)
def test_spellings_of_one_url(htu: str, path: str) -> None:
    """What RFC 3986 takes for equal, and the application cannot tell apart, is the same URL; the query does not count."""
    assert is_url_of(htu, origin=ORIGIN, path=path)


@pytest.mark.parametrize(
    "htu",
    [
        "http://api.example/pay",
        "ws://api.example/pay",
        "https://api.example:8443/pay",
        "https://api.example.thief.example/pay",
        "https://api.example@thief.example/pay",
        "https://user@api.example/pay",
        "https://api.example/PAY",
        "https://api.example/pay/",
        "https://api.example//pay",
        "https://api.example/x/../pay",
        "//api.example/pay",
        "/pay",
        "api.example/pay",
        "https:/api.example/pay",
        " https://api.example/pay",
        "https://api.example /pay",
        "https://api.example/pay\n",
        "",
        None,
        {"https://api.example/pay": 1},
    ],
)
def test_other_urls(htu: Any) -> None:
    """Another scheme, host, port or path is another URL, and so is what is none."""
    assert not is_url_of(htu, origin=ORIGIN, path="/pay")


@pytest.mark.parametrize(
    ("htu", "path"),
    [
        ("https://api.example/a?b", "/a?b"),
        ("https://api.example/a#b", "/a#b"),
        ("https://api.example/a%41", "/a%41"),
    ],
)
def test_a_path_that_reads_like_a_url(htu: str, path: str) -> None:
    """What is a query, a fragment or an encoding in a URL is none in a path that is decoded: the two are not one."""
    assert ("invalid_dpop_proof", "htu") == refusal(proof(htu=htu), url=f"{ORIGIN}{path}", path=path)
    assert not is_url_of(htu, origin=ORIGIN, path=path)


def test_http_where_the_api_is_there() -> None:
    """A URL of http is one of ours only if the API is served so."""
    local = Origin("http", "localhost", ":8000")

    assert is_url_of("http://localhost:8000/pay", origin=local, path="/pay")
    assert is_url_of("ws://LOCALHOST:8000/pay", origin=local, path="/pay")
    assert not is_url_of("https://localhost:8000/pay", origin=local, path="/pay")


def test_nothing_of_a_proof_is_printed() -> None:
    """What is printed of a proof and of what is expected has neither token nor nonce nor identifier."""
    found, wanted = checked(proof(nonce="n-o-n-c-e")), expected(access_token=TOKEN, nonces={"n-o-n-c-e"})

    assert f"CheckedProof(jkt='{jkt()}', until={found.until})" == repr(found)
    assert f"Expected(method='POST', url='https://api.example/pay', origin={ORIGIN!r}, path='/pay')" == repr(wanted)
    assert base64url.encode(found.digest) not in repr(found)


def test_the_key_is_the_client_s_own() -> None:
    """A proof that is signed by another key than the one that it brings is none."""
    assert ("invalid_dpop_proof", "proof") == refusal(proof(header={"jwk": provers.public_jwk(PRIVATE["EdDSA"])}))
