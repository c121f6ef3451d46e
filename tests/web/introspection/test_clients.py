"""Who may ask: a client with its secret, and nobody else."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest

from fastapi_session import ConfigurationError, Sessions, StoreUnavailable, introspection_router
from fastapi_session.testing import HandClock
from fastapi_session.web.introspection.clients import known_clients
from tests.web.introspection.service import ID, INTROSPECTION, REVOCATION, SECRET, Service, asked, begun

SECOND = SECRET[::-1]
INVALID = (
    401,
    {"error": "invalid_client", "error_description": "send the id and the secret of a client by HTTP Basic"},
)


def basic(pair: str | bytes) -> str:
    return f"Basic {b64encode(pair.encode() if isinstance(pair, str) else pair).decode()}"


def percent(text: str) -> str:
    """Every character encoded, as a strict client may."""
    return "".join(f"%{ord(each):02X}" for each in text)


NOBODY = {
    "nothing": "",
    "a wrong secret": basic(f"{ID}:{SECOND}"),
    "a part of the secret": basic(f"{ID}:{SECRET[:-1]}"),
    "no secret": basic(f"{ID}:"),
    "no id": basic(f":{SECRET}"),
    "no colon": basic(ID + SECRET),
    "another id": basic(f"other:{SECRET}"),
    "the id in capitals": basic(f"{ID.upper()}:{SECRET}"),
    "a blank": basic(f"{ID}:{SECRET} "),
    "a line": basic(f"{ID}:{SECRET}\n"),
    "NUL": basic(f"{ID}%00:{SECRET}"),
    "no ASCII": basic(f"{ID}:\u00e4"),
    "no UTF-8": basic(f"{ID}:".encode() + b"\xff"),
    "percent of no UTF-8": basic(f"{ID}:%ff"),
    "no base64": "Basic !",
    "junk in base64": basic(f"{ID}:{SECRET}").replace("Y", "Y!", 1),
    "no padding": basic(f"{ID}:{SECRET}").rstrip("="),
    "no scheme": b64encode(f"{ID}:{SECRET}".encode()).decode(),
    "a scheme alone": "Basic",
    "another scheme": basic(f"{ID}:{SECRET}").replace("Basic", "Bearer"),
    "a long id": basic(f"{'x' * 5_000}:{SECRET}"),
}


@pytest.mark.parametrize("path", [INTROSPECTION, REVOCATION])
@pytest.mark.parametrize("header", NOBODY.values(), ids=NOBODY)
def test_who_is_nobody(header: str, path: str, service: Service) -> None:
    """Whatever is wrong, the response is the same, with the challenge, and the token is not looked at."""
    issued = begun(service)
    response = service.post(path, {"token": issued.tokens.access_token}, authorization=header)

    assert INVALID == (response.status_code, response.json())
    assert 'Basic realm="fastapi_session", charset="UTF-8"' == response.headers["www-authenticate"]
    assert service.told(issued.tokens.access_token)[1]["active"]


def test_a_session_is_no_client(service: Service) -> None:
    """Neither the tokens of a session nor its cookies ask for anything."""
    held = service.deployment.login()
    token = {"token": held.access}
    responses = [
        service.post(REVOCATION, token, authorization=f"Bearer {held.access}"),
        service.post(REVOCATION, token, authorization=f"DPoP {held.access}"),
        service.post(REVOCATION, token, authorization="", **held.to_refresh()),
        service.post(INTROSPECTION, token, authorization="", origin="http://testserver", **held.to_call()),
    ]

    assert [401] * 4 == [each.status_code for each in responses]
    assert service.told(held.access)[1]["active"]


def test_who_is_a_client(service: Service) -> None:
    """However its client writes it: bare, every character encoded, with another case of the scheme, after more blanks."""
    ways = [
        basic(f"{ID}:{SECRET}"),
        basic(f"{percent(ID)}:{percent(SECRET)}"),
        basic(f"{ID}:{SECRET}").replace("Basic", "bAsIc"),
        basic(f"{ID}:{SECRET}").replace(" ", "  "),
    ]

    assert [200] * 4 == [service.post(INTROSPECTION, {"token": "x"}, authorization=each).status_code for each in ways]


def test_two_headers(service: Service) -> None:
    """Of two credentials none counts, though one be right."""
    header = basic(f"{ID}:{SECRET}")
    response = service.deployment.client.post(
        INTROSPECTION, data={"token": "x"}, headers=[("authorization", header), ("authorization", header)]
    )

    assert INVALID == (response.status_code, response.json())


def test_a_secret_is_replaced(sessions: Sessions, clock: HandClock) -> None:
    """While a client has two, either is right."""
    with asked(sessions, clock, {ID: [SECRET, SECOND], "other": (SECRET + "2",)}) as service:
        secrets = (SECRET, SECOND, SECRET + "2")
        statuses = [Service(service.deployment, ID, each).told("x")[0] for each in secrets]

    assert [200, 200, 401] == statuses


UNSAID = ["a%0Ab:x", "a%00:x", "a:x%0A", "a:%C3%A4", f"{'a' * 256}:x", ":x", "a:"]
"""What no id or secret is (RFC 6749, appendix A), or too long for one."""


class Registry:
    """Clients as an application may have them, of each of whom it knows the secret."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.error: Exception | None = None

    def find(self, client_id: str, secret: str) -> bool:
        self.asked.append((client_id, secret))
        if self.error is not None:
            raise self.error
        return (client_id, secret) == ("https://tools.example", "a secret+%")

    async def __call__(self, client_id: str, secret: str) -> bool:
        return self.find(client_id, secret)


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture(params=["async", "plain", "a plain one around one that is async"])
def tools(
    request: pytest.FixtureRequest, registry: Registry, sessions: Sessions, clock: HandClock
) -> Iterator[Service]:
    def around(client_id: str, secret: str) -> Any:
        return registry(client_id, secret)

    ways: dict[str, Any] = {"async": registry, "plain": registry.find, "a plain one around one that is async": around}
    with asked(sessions, clock, ways[request.param]) as service:
        yield service


def test_a_function_that_knows(tools: Service, registry: Registry) -> None:
    """It is given what came, decoded, and says who may ask; it is not asked if nothing came."""
    encoded = basic("https%3A%2F%2Ftools.example:a+secret%2B%25")
    headers = [encoded, encoded.replace("Basic", "Bearer"), basic("tools:x")]
    statuses = [tools.post(INTROSPECTION, {"token": "x"}, authorization=each).status_code for each in headers]

    assert [200, 401, 401] == statuses
    assert [("https://tools.example", "a secret+%"), ("tools", "x")] == registry.asked


@pytest.mark.parametrize("pair", UNSAID, ids=lambda pair: pair[:10])
def test_what_a_function_is_not_asked(pair: str, tools: Service, registry: Registry) -> None:
    """What can be no id or secret is not given to it: it may write the id into a log, or look it up."""
    assert 401 == tools.post(INTROSPECTION, {"token": "x"}, authorization=basic(pair)).status_code
    assert [] == registry.asked


@pytest.mark.parametrize(
    ("error", "logged"),
    [(RuntimeError("no route"), "whether a client may ask"), (StoreUnavailable("down"), "a service has to ask again")],
)
def test_a_function_that_fails(
    error: Exception, logged: str, tools: Service, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    """The service comes again, and is not refused: it may be a client."""
    registry.error = error
    response = tools.post(REVOCATION, {"token": "x"}, authorization=basic(f"tools:{SECRET}"))

    assert (503, "temporarily_unavailable") == (response.status_code, response.json()["error"])
    assert logged in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize("said", [1, "yes", None, object()], ids=["one", "yes", "None", "an object"])
def test_a_function_that_says_something_else(said: Any, sessions: Sessions, clock: HandClock) -> None:
    """Only true is true."""
    with asked(sessions, clock, lambda *_: said) as service:
        assert 401 == service.told("x")[0]


WRONG: dict[str, Any] = {
    "nobody": {},
    "nothing": None,
    "a text": "reports",
    "a list": ["reports"],
    "no id": {"": SECRET},
    "an id that is no text": {7: SECRET},
    "an id with a blank": {"a b": SECRET},
    "an address": {"https://tools.example": SECRET},
    "a long id": {"x" * 256: SECRET},
    "no secret": {ID: ""},
    "no secrets": {ID: []},
    "a secret that is none": {ID: None},
    "bytes": {ID: SECRET.encode()},
    "one that is none": {ID: [SECRET, None]},
    "a short one": {ID: SECRET[:31]},
    "one that repeats": {ID: "secret-" * 6},
    "no unicode": {ID: "\ud800" * 40},
    "a plus": {ID: SECRET + "+"},
    "an umlaut": {ID: SECRET + "\u00e4"},
    "a second one that is short": {ID: [SECRET, "short"]},
    "a second client": {ID: SECRET, "other": "short"},
}


@pytest.mark.parametrize("clients", WRONG.values(), ids=WRONG)
def test_who_cannot_be(clients: Any) -> None:
    """Without clients there are no endpoints, nor with a secret that can be guessed or is encoded in two ways; none is shown."""
    with pytest.raises(ConfigurationError, match="introspection_router") as raised:
        introspection_router(clients)

    assert SECRET[:31] not in str(raised.value)


def test_no_secret_is_kept() -> None:
    """Neither a representation nor an attribute has it."""
    clients = known_clients({ID: [SECRET, SECOND]})

    assert "clients ['reports']" == repr(clients)
    assert not [each for each in (SECRET, SECOND) if each in repr(vars(clients))]
