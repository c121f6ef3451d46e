"""The cookie of a device: sent at a sign-in alone, known again at the next, and good for nothing else."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from fastapi import Depends
from httpx2 import Response

from fastapi_session import CreateSession, SessionCreated, SessionEvent, Sessions, create_session
from fastapi_session.testing import HandClock
from tests.engines import config
from tests.web.deployment import Deployment, application, deployed
from tests.web.wire import set_cookies
from tests.wire import AUTH_MODE, SIGN_OUT_PATH

COOKIE = "sDevice"


def served(clock: HandClock, new: list[bool | None], **options: Any) -> Any:
    """The application of every endpoint; *new* hears whether devices are."""

    async def hear(event: SessionEvent) -> None:
        if isinstance(event, SessionCreated):
            new.append(event.is_new_device)

    sessions = Sessions(config(**{"devices": "cookie", **options}), clock=clock, subscribers=[hear])
    app = application(sessions)

    @app.post("/app-login")
    async def app_login(create: Annotated[CreateSession, Depends(create_session())], device: str) -> None:
        await create("ada", device=device)

    return deployed(app, sessions, clock, sessions.config.api_domain)


def login(deployment: Deployment, *cookies: str, method: str = "cookie", path: str = "/login?user_id=ada") -> Response:
    headers = {"cookie": "; ".join(cookies)} if cookies else {}
    return deployment.post(path, {AUTH_MODE: method}, headers)


def sent(response: Response, name: str = COOKIE) -> list[str]:
    """What the response sends as the cookie of a device, attributes included."""
    return [rest for cookie, rest in set_cookies(response) if cookie == name]


def value_of(response: Response, name: str = COOKIE) -> str:
    [cookie] = sent(response, name)
    return cookie.partition(";")[0]


def test_a_browser_is_known_again(clock: HandClock) -> None:
    """The cookie of the first sign-in makes the second one by a known device; another browser is a new one."""
    new: list[bool | None] = []
    with served(clock, new) as deployment:
        first = login(deployment)
        [cookie] = sent(first)
        value = value_of(first)
        again, other = login(deployment, f"{COOKIE}={value}"), login(deployment)
        deployment.ask(deployment.sessions.of_user, "ada")

    assert cookie == f"{value}; Path=/; Expires=Thu, 22 Jun 2034 03:33:20 GMT; Max-Age=34560000; HttpOnly; SameSite=Lax"
    assert (22, value) == (len(value), value_of(again))
    assert value != value_of(other)
    assert [None, False, True] == new


@pytest.mark.parametrize("came", ["", "short", "x" * 23, "x" * 21 + "%", '"' + "x" * 22 + '"'])
def test_what_we_never_wrote_is_no_device(came: str, clock: HandClock) -> None:
    """A value of another form is replaced by one of ours."""
    with served(clock, []) as deployment:
        assert 22 == len(value_of(login(deployment, f"{COOKIE}={came}")))


def test_it_is_sent_at_a_sign_in_alone(clock: HandClock) -> None:
    """No other response sends or clears it, a sign-out neither; and in header mode there is none."""
    with served(clock, []) as deployment:
        held = deployment.login()
        others = [
            deployment.get("/me", held.to_call()),
            deployment.refresh(held),
            deployment.post(SIGN_OUT_PATH, held.to_call()),
        ]

        assert [[]] * 3 == [sent(response) for response in others]
        assert [] == sent(login(deployment, method="header"))


def test_by_default_there_is_none(clock: HandClock) -> None:
    """Without the setting, and with a guess, no cookie is sent."""
    for devices in ("off", "guess"):
        with served(clock, [], devices=devices) as deployment:
            assert [] == sent(login(deployment))


def test_an_application_says_its_own(clock: HandClock) -> None:
    """A client that keeps no cookies is known by what it says at the sign-in, and is sent no cookie."""
    new: list[bool | None] = []
    with served(clock, new) as deployment:
        for device, method in (("phone", "header"), ("phone", "header"), ("tablet", "cookie")):
            assert [] == sent(login(deployment, method=method, path=f"/app-login?device={device}"))
        deployment.ask(deployment.sessions.of_user, "ada")

    assert [None, False, True] == new


def test_its_name_has_the_prefix(clock: HandClock) -> None:
    """It is named and guarded as the other cookies are, and found under its older name after a change of prefix."""
    new: list[bool | None] = []
    options = {"api_domain": "https://api.example.com", "cookie_prefix": "__Host-", "older_cookie_prefix": "app-"}
    with served(clock, new, **options) as deployment:
        first = login(deployment)
        name = f"__Host-{COOKIE}"
        [cookie] = sent(first, name)
        older = login(deployment, f"app-{COOKIE}={value_of(first, name)}")
        deployment.ask(deployment.sessions.of_user, "ada")

    assert cookie.endswith("; HttpOnly; SameSite=Lax; Secure")
    assert "; Path=/;" in cookie
    assert value_of(first, name) == value_of(older, name)
    assert [None, False] == new
