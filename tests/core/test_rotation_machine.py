"""Whatever order things happen in: no false alarm, no missed replay, one line of tokens.

Two tabs and more share one jar of cookies, requests and answers are late or lost, clients come back after days, a thief copies
tokens and replays them. The same machine fails at once without the debounce, and without the acknowledgement.

Where the session is bound to a key that the thief has not, he gets no token, nobody is accused, and the owner goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.conftest import Amount
from tests.core.session_server import POLICY, SECRETS, Server
from tests.milliseconds import DAY, GRACE

DELIVERY = GRACE // 3
"""A message arrives within a third of the grace period, or never."""


@dataclass(frozen=True)
class Message:
    """A request that carries a refresh token, or an answer that carries one (or a refusal), on its way since *sent_at*."""

    text: str | None
    sent_at: int


class OneSession(RuleBasedStateMachine):
    """One browser, its server, and a thief. *server* is the server; *jar* is the browser's refresh cookie."""

    requests: Bundle[Message] = Bundle("requests")
    answers: Bundle[Message] = Bundle("answers")

    def new_server(self) -> Server:
        """Return the server to be tried."""
        return Server()

    @initialize(has_thief=st.booleans())
    def sign_in(self, has_thief: bool) -> None:
        self.server = self.new_server()
        self.jar = self.server.sign_in()
        self.has_thief = has_thief
        self.stolen: list[str] = [self.jar]
        self.attacked = False

    @rule(target=requests)
    def a_tab_refreshes(self) -> Message:
        return Message(self.jar, self.server.now)

    @rule(target=answers, request=consumes(requests))
    def a_request_arrives(self, request: Message) -> Message:
        if request.text is None or self.is_lost(request):
            return Message(None, request.sent_at)
        return Message(self.owner_refreshes(request.text), self.server.now)

    @rule(answer=consumes(answers))
    def an_answer_arrives(self, answer: Message) -> None:
        """The browser keeps what it is given, newer or older than what it has, and uses it."""
        if answer.text is not None and not self.is_lost(answer):
            self.jar = answer.text
            self.server.use(self.jar)

    @rule()
    def a_tab_refreshes_without_trouble(self) -> None:
        answer = self.owner_refreshes(self.jar)
        if answer is not None:
            self.jar = answer
            self.server.use(self.jar)

    @rule(request=consumes(requests))
    def a_request_is_lost(self, request: Message) -> None:
        pass

    @rule(answer=consumes(answers))
    def an_answer_is_lost(self, answer: Message) -> None:
        pass

    @rule(milliseconds=st.integers(1, DELIVERY) | st.sampled_from([GRACE, GRACE + 1, 2 * GRACE]))
    def time_passes(self, milliseconds: int) -> None:
        self.server.now += milliseconds

    @rule(days=st.integers(1, 30))
    def the_client_comes_back_after_days(self, days: int) -> None:
        """Whatever was on its way is lost by then."""
        self.server.now += days * DAY

    @precondition(lambda self: self.has_thief)
    @rule()
    def the_thief_copies_the_jar(self) -> None:
        self.stolen.append(self.jar)

    @precondition(lambda self: self.has_thief)
    @rule(which=st.integers(0, 10))
    def the_thief_replays(self, which: int) -> None:
        """The thief keeps what he is given too, and may hold it back for as long as he likes."""
        answer = self.thief_refreshes(self.stolen[which % len(self.stolen)])
        if answer is not None:
            self.stolen.append(answer)

    @precondition(lambda self: self.has_thief)
    @rule(which=st.integers(0, 10))
    def the_thief_uses(self, which: int) -> None:
        """The thief asks for something with an access token that he was given or has copied."""
        self.thief_uses(self.stolen[which % len(self.stolen)])

    @rule(what=st.sampled_from(["garbage", "a newer secret", "sign-out", "nothing", "nothing", "nothing"]))
    def something_seldom_happens(self, what: str) -> None:
        if what == "garbage":
            self.somebody_sends_garbage()
        if what == "a newer secret" and len(list(self.server.secrets)) < len(SECRETS):
            self.server.put_newer_secret()
        if what == "sign-out" and self.has_thief:
            self.server.revoke()

    def somebody_sends_garbage(self) -> None:
        """A token with one other character changes nothing."""
        row = self.server.row
        for position in range(0, len(self.jar), 17):
            other = "B" if self.jar[position] == "A" else "A"
            assert self.server.refresh(self.jar[:position] + other + self.jar[position + 1 :]) is None
        assert row == self.server.row

    @invariant()
    def nobody_is_accused_without_a_reason(self) -> None:
        """I3: without an attack there is no theft."""
        assert self.attacked or not self.server.accused, "a false alarm"

    def teardown(self) -> None:
        """I7: an honest client whose session has not ended goes on with it, at once or later."""
        if hasattr(self, "server") and not self.attacked and not self.server.ended:
            assert self.owner_refreshes(self.jar) is not None, "an honest client was refused"

    def owner_refreshes(self, text: str) -> str | None:
        return self.server.refresh(text)

    def thief_refreshes(self, text: str) -> str | None:
        self.attacked = True
        return self.server.refresh(text)

    def thief_uses(self, text: str) -> None:
        self.attacked = True
        self.server.use(text)

    def is_lost(self, message: Message) -> bool:
        """Say whether *message* is later than messages are."""
        return self.server.now - message.sent_at > DELIVERY


MINE, HIS = "dbsc:the browser's", "dbsc:the thief's"


class BoundByABrowser(OneSession):
    """The session is bound to a key of the browser, which the thief has not: whatever he does is no attack."""

    key: str = MINE
    others: tuple[str | None, ...] = (None, HIS)

    def new_server(self) -> Server:
        return Server(bound_key=self.key)

    def owner_refreshes(self, text: str) -> str | None:
        return self.server.refresh(text, proved=self.key)

    def thief_refreshes(self, text: str) -> str | None:
        for proved in self.others:
            row = self.server.row
            assert self.server.refresh(text, proved=proved) is None, "the thief was answered"
            assert row == self.server.row, "the thief changed the session"
        return None

    def thief_uses(self, text: str) -> None:
        """In its cookie the access token of a browser is good without a proof."""
        self.server.use(text)


class BoundByDpop(BoundByABrowser):
    """The session is bound to a key that its client proves with each request."""

    key = "dpop:the client's"
    others = (None, "dpop:the thief's", "dbsc:the client's")

    def thief_uses(self, text: str) -> None:
        """Without the key an access token is good for nothing."""


class WithoutTheKey(BoundByABrowser):
    """The same, but the server does not ask for the key."""

    def new_server(self) -> Server:
        return Server(bound_key=self.key, asks_for_the_key=False)


class WithoutDebounce(OneSession):
    """The same, but every refresh rotates."""

    def new_server(self) -> Server:
        return Server(policy=replace(POLICY, debounce=0))


class WithoutAcknowledgement(OneSession):
    """The same, but the server never learns that a token was used."""

    def new_server(self) -> Server:
        return Server(acknowledges=False)


SETTINGS = settings(
    max_examples=1_500,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


ENOUGH = 500
"""Programs. Where the rules are broken on purpose below, the 123rd and the 178th show it."""


@pytest.mark.timeout(600)
def test_no_false_alarm_and_no_missed_replay(amount: Amount) -> None:
    """Programs of 50 steps, 1,500 in a full run: I1 to I7 hold whatever is late, lost, doubled or stolen."""
    programs = amount(ENOUGH, full=SETTINGS.max_examples)
    run_state_machine_as_test(OneSession, settings=settings(SETTINGS, max_examples=programs))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("machine", [BoundByABrowser, BoundByDpop])
def test_a_thief_without_the_key(machine: type[OneSession], amount: Amount) -> None:
    """Whatever he has copied, he gets no token and changes nothing; nobody is ever accused, and the owner goes on."""
    programs = amount(ENOUGH // 2, full=SETTINGS.max_examples)
    run_state_machine_as_test(machine, settings=settings(SETTINGS, max_examples=programs))


@pytest.mark.parametrize(
    ("machine", "message"),
    [
        pytest.param(WithoutTheKey, "the thief was answered|the thief changed the session", id="without the key"),
        pytest.param(WithoutDebounce, "a false alarm|an honest client was refused", id="without the debounce"),
        pytest.param(WithoutAcknowledgement, "a replay was answered", id="without the acknowledgement"),
    ],
)
def test_the_machine_sees_what_it_guards(machine: type[OneSession], message: str) -> None:
    """Without the debounce honest tabs are called thieves, without the acknowledgement a thief lives on: the machine says so."""
    found = settings(SETTINGS, phases=[Phase.generate], report_multiple_bugs=False)

    with pytest.raises(AssertionError, match=message):
        run_state_machine_as_test(machine, settings=found)
