"""Sentry, set up as docs/deployment.md says, sends nothing that opens a session."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from fastapi_session.testing import HandClock
from tests.pages import examples_of
from tests.web import test_frames
from tests.web.frames import Told, report
from tests.web.test_frames import Reported, everything, mishap, proof, reporting
from tests.web.wire import Held


def scrubber_of_the_page() -> Any:
    """The scrubber that a reader of the page makes."""
    [example] = [each for each in examples_of("docs/deployment.md", "python") if "EventScrubber" in each]
    names: dict[str, Any] = {}
    exec(example, names)
    return names["scrubber"]


RECIPES: dict[str, dict[str, Any]] = {
    "no variables": {"include_local_variables": False},
    "variables, but for the request": {"event_scrubber": scrubber_of_the_page()},
}


class Sent(Transport):
    """Keeps what would be sent."""

    def __init__(self, options: dict[str, Any] | None = None) -> None:
        super().__init__(options)
        self.events: list[Any] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.events.append(envelope.get_event())


def crash(reported: Reported, held: Held) -> None:
    reported.post("/_crash", held.to_call(), proof(held))


def broken_store(reported: Reported, held: Held) -> None:
    for verb in ("rotate", "get", "insert"):
        setattr(reported.sessions.store, verb, mishap)
    everything(reported, held)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("story", [crash, broken_store, everything])
@pytest.mark.parametrize("method", ["cookie", "header"])
def test_what_sentry_sends(
    method: str,
    story: Callable[[Reported, Held], None],
    recipe: str,
    clock: HandClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No token, no piece of one and no secret is in any event."""
    sent = Sent()
    options = {"default_integrations": False, "auto_enabling_integrations": False, **RECIPES[recipe]}
    client = sentry_sdk.Client(dsn="http://key@127.0.0.1/1", transport=sent, **options)

    def send(error: BaseException) -> list[Told]:
        with sentry_sdk.new_scope() as scope:
            scope.set_client(client)
            scope.capture_exception(error)
        return report(error)

    monkeypatch.setattr(test_frames, "report", send)
    with reporting(clock, anti_csrf="VIA_TOKEN") as reported:
        story(reported, reported.login(method))

    texts = [json.dumps(event) for event in sent.events]
    assert any("fastapi_session/web/" in text for text in texts)
    assert [] == [text for text in texts if Told("an event", text).tells(reported.secrets)]
