"""The limit of sessions: which one holds for a sign-in, what it counts, and what is said of whoever had to go."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fastapi_session import Lifetime, SessionConfig, SessionKind, SessionLimit, SessionLimitReached
from fastapi_session.engine.session_limits import SessionLimits
from fastapi_session.errors import ConfigurationError, UnauthorisedError
from fastapi_session.events import SessionCreated, SessionEvent, SessionRevoked
from fastapi_session.insertion import Limit
from fastapi_session.model import Actor, Circumstances
from fastapi_session.sessions import Sessions
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.testing import HandClock
from fastapi_session.testing.records import new_session
from tests.engines import config, engine
from tests.moments import PAST_GRACE

KINDS = {"web": SessionKind(), "bank": SessionKind(limit=SessionLimit(1, when_reached="refuse"))}
CART = {"cart": ["apple"]}
EVICTING, REFUSING = SessionLimit(2), SessionLimit(2, when_reached="refuse")


async def begun(sessions: Sessions, **said: Any) -> str:
    """Return the handle of a new session of the user "ada"."""
    return (await sessions.create("ada", **said)).access_token.session_handle


async def data_of(sessions: Sessions, handle: str) -> Any:
    information = await sessions.information(handle)
    return information and information.session_data


async def living(sessions: Sessions) -> set[str]:
    return {session.handle for session in await sessions.of_user("ada")}


UNCOUNTED = frozenset({"guest", "bank"})


@pytest.mark.parametrize(
    ("kind", "configured", "said", "limit"),
    [
        ("web", EVICTING, None, Limit(2, uncounted=UNCOUNTED)),
        ("web", REFUSING, None, Limit(2, uncounted=UNCOUNTED, refuses=True)),
        ("web", SessionLimit(2, per="kind"), None, Limit(2, kind="web", uncounted=UNCOUNTED)),
        ("web", EVICTING, SessionLimit(5), Limit(5, uncounted=UNCOUNTED)),
        ("web", EVICTING, SessionLimit(None), None),
        ("web", SessionLimit(lambda *_: None), None, None),
        ("web", None, None, None),
        ("web", None, SessionLimit(5), Limit(5, uncounted=UNCOUNTED)),
        ("bank", EVICTING, None, Limit(1, kind="bank", uncounted=UNCOUNTED, refuses=True)),
        ("bank", EVICTING, SessionLimit(5), Limit(5, kind="bank", uncounted=UNCOUNTED)),
        ("guest", EVICTING, SessionLimit(5), None),
        ("no more configured", EVICTING, None, Limit(2, uncounted=UNCOUNTED)),
    ],
)
def test_which_limit_holds(
    kind: str, configured: SessionLimit | None, said: SessionLimit | None, limit: Limit | None
) -> None:
    """As the table says: what the sign-in says, else the kind's own, else the configured one; and none for guests."""
    limits = SessionLimits(config(kinds=KINDS, session_limit=configured))

    assert limit == limits.limit_for(new_session("a", now=0, kind=kind), said=said, evict=())


def test_nobody_counts_impersonations() -> None:
    """Who acts as a user is limited by nothing that the user may have."""
    limits, record = SessionLimits(config(session_limit=SessionLimit(1))), new_session("a", now=0)

    assert limits.limit_for(record, said=None, evict=()) is not None
    assert limits.limit_for(replace(record, actor="staff"), said=None, evict=()) is None


class TestSignIn:
    async def test_the_oldest_session_ends(self, clock: HandClock) -> None:
        """The session whose refresh token is the oldest ends at once, whichever began first; one that was refreshed stays."""
        sessions = engine(clock, session_limit=EVICTING)
        first, second = await sessions.create("ada"), await sessions.create("ada")
        clock.advance(PAST_GRACE)
        await sessions.refresh(first.tokens.refresh_token or "")
        third = await begun(sessions)

        assert {first.access_token.session_handle, third} == await living(sessions)
        with pytest.raises(UnauthorisedError):
            await sessions.verify(second.tokens.access_token)

    async def test_a_limit_that_refuses(self, clock: HandClock) -> None:
        """Who has as many sessions as there may be gets no other one, and is told how many those are. All of them stay."""
        sessions = engine(clock, session_limit=REFUSING)
        kept = {await begun(sessions) for _ in range(2)}
        with pytest.raises(SessionLimitReached) as refused:
            await begun(sessions)

        assert (2, False) == (refused.value.limit, refused.value.clears_tokens)
        assert kept == await living(sessions)

    async def test_a_session_that_the_user_chose_ends(self, clock: HandClock) -> None:
        """A sign-in that names a session begins in its place, though the limit refuses; what is no handle ends nothing."""
        sessions = engine(clock, session_limit=REFUSING)
        first, second = [await begun(sessions) for _ in range(2)]
        with pytest.raises(SessionLimitReached):
            await begun(sessions, evict=["no handle", "0" * 32])
        third = await begun(sessions, evict=[second])

        assert {first, third} == await living(sessions)

    async def test_nobody_is_signed_out_by_another(self, clock: HandClock) -> None:
        """To name the session of somebody else, or of another tenant, ends nothing: a handle is no secret."""
        sessions = engine(clock, session_limit=SessionLimit(1))
        of_eve = (await sessions.create("eve")).access_token.session_handle
        elsewhere = await begun(sessions, tenant_id="t1")
        await begun(sessions)
        last = await begun(sessions, evict=[of_eve, elsewhere])

        assert {last, elsewhere} == await living(sessions)
        assert 1 == len(await sessions.of_user("eve"))

    async def test_an_earlier_session_of_the_client_needs_no_room(self, clock: HandClock) -> None:
        """Who signs in again is not refused for the session that this very sign-in replaces."""
        sessions = engine(clock, session_limit=SessionLimit(1, when_reached="refuse"))
        first = await begun(sessions)

        assert {await begun(sessions, replacing=[first])} == await living(sessions)

    async def test_a_guest_who_signs_in(self, clock: HandClock) -> None:
        """The limit holds for a guest's upgrade too: one that is refused leaves him a guest, with what he had."""
        sessions = engine(clock, session_limit=SessionLimit(1, when_reached="refuse"))
        first = await begun(sessions)
        guest = await sessions.create("guest", lifetime=Lifetime("guest"), session_data=CART)
        handle = guest.access_token.session_handle
        for upgrading in (handle, "0" * 32):
            with pytest.raises(SessionLimitReached):
                await begun(sessions, upgrading=upgrading)
        assert ({first}, CART) == (await living(sessions), await data_of(sessions, handle))
        second = await begun(sessions, upgrading=handle, evict=[first])

        assert ({second}, CART) == (await living(sessions), await data_of(sessions, second))

    async def test_a_limit_that_raises(self, clock: HandClock) -> None:
        """If the function of a limit fails, so does the sign-in, and nothing is written; the same if it returns what is no limit."""

        def plan_of(user_id: str, tenant_id: str, kind: str) -> Any:
            assert ("public", "default") == (tenant_id, kind)
            return {"free": 1, "none": None, "wrong": 0}[user_id]

        sessions = engine(clock, session_limit=SessionLimit(plan_of))
        with pytest.raises(KeyError):
            await sessions.create("nobody")
        with pytest.raises(
            ConfigurationError, match=r"SessionLimit\.count: the function has to return 1 to 1000, or None"
        ):
            await sessions.create("wrong")
        for user_id in ("free", "free", "none", "none"):
            await sessions.create(user_id)

        found = [len(await sessions.of_user(user_id)) for user_id in ("nobody", "wrong", "free", "none")]
        assert [0, 0, 1, 2] == found

    async def test_kinds_with_a_limit_of_their_own(self, clock: HandClock) -> None:
        """They are counted by themselves: neither takes room from the other."""
        sessions = engine(clock, session_limit=SessionLimit(1), kinds=KINDS)
        first = await begun(sessions, lifetime=Lifetime("web"))
        bank = await begun(sessions, lifetime=Lifetime("bank"))
        assert {first, bank} == await living(sessions)
        second = await begun(sessions, lifetime=Lifetime("web"))
        with pytest.raises(SessionLimitReached):
            await begun(sessions, lifetime=Lifetime("bank"))

        assert {second, bank} == await living(sessions)

    async def test_what_is_no_limit(self, clock: HandClock) -> None:
        """A number in the place of a limit is a mistake of the application, and nothing is written."""
        sessions = engine(clock)
        with pytest.raises(ConfigurationError, match="limit: give a SessionLimit"):
            await begun(sessions, limit=3)

        assert set() == await living(sessions)


async def test_whoever_had_to_go_is_told(clock: HandClock) -> None:
    """A session that ends for a limit is an event with that reason, and by which sign-in; the new one is another."""
    told: list[SessionEvent] = []

    async def diary(event: SessionEvent) -> None:
        told.append(event)

    phone = Circumstances("192.0.2.2", "phone")
    sessions = Sessions(config(session_limit=SessionLimit(1)), clock=clock, subscribers=[diary])
    first = await begun(sessions)
    second = await begun(sessions, circumstances=phone)
    await sessions._parts.background.finish()

    [ended] = [event for event in told if isinstance(event, SessionRevoked)]
    assert (first, "limit", Actor("ada", second), phone) == (ended.handle, ended.reason, ended.by, ended.circumstances)
    created = [event for event in told if isinstance(event, SessionCreated)]
    assert [(first, ()), (second, ())] == [(event.handle, event.replaced) for event in created]


class WithoutLimits(MemoryStore):
    """A store that keeps no limits."""

    keeps_limits = False


class TestSettings:
    @pytest.mark.parametrize(
        ("text", "limit"),
        [
            ("5", SessionLimit(5)),
            (
                '{"count": 5, "when_reached": "refuse", "per": "kind"}',
                SessionLimit(5, when_reached="refuse", per="kind"),
            ),
            ("null", None),
        ],
    )
    def test_in_the_environment(self, text: str, limit: SessionLimit | None, monkeypatch: pytest.MonkeyPatch) -> None:
        """A number alone will do; all of it is JSON."""
        monkeypatch.setenv("FASTAPI_SESSION_SESSION_LIMIT", text)
        monkeypatch.setenv("FASTAPI_SESSION_KINDS", f'{{"bank": {{"limit": {text}}}}}')

        assert (limit, limit) == (SessionConfig().session_limit, SessionConfig().kinds["bank"].limit)

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"count": 0}, "count: give 1 to 1000, None for"),
            ({"count": 1001}, "count: give 1 to 1000, None for"),
            ({"count": True}, "count: give 1 to 1000, None for"),
            ({"count": "3"}, "count: give 1 to 1000, None for"),
            ({"count": 3, "when_reached": "drop"}, "when_reached: give 'evict' or 'refuse'"),
            ({"count": 3, "per": "tenant"}, "per: give 'user' or 'kind'"),
        ],
    )
    def test_a_wrong_limit(self, wrong: dict[str, Any], message: str) -> None:
        """It is refused where it is made, and in a configuration by the setting's name."""
        count = wrong.pop("count")
        with pytest.raises(ConfigurationError) as made:
            SessionLimit(count, **wrong)
        with pytest.raises(ConfigurationError) as configured:
            config(session_limit={"count": count, **wrong})
        with pytest.raises(ConfigurationError) as of_kind:
            config(kinds={"bank": {"limit": {"count": count, **wrong}}})

        assert str(made.value).startswith(f"SessionLimit.{message}")
        assert str(configured.value).startswith(f"session_limit: {message}")
        assert str(of_kind.value).startswith(f"kinds.bank.limit: {message}")

    @pytest.mark.parametrize("wrong", ["many", "{", '{"size": 3}', "[3]", {}, "{}"])
    def test_what_is_no_limit_at_all(self, wrong: object) -> None:
        """The message says how one is written."""
        with pytest.raises(
            ConfigurationError, match=r"^session_limit: give a SessionLimit|^session_limit: count: give"
        ):
            config(session_limit=wrong)

    def test_all_that_is_wrong_is_said(self) -> None:
        """Who mends one mistake does not meet the next one afterwards."""
        with pytest.raises(ConfigurationError) as refused:
            SessionLimit(0, when_reached="drop", per="tenant")  # type: ignore[arg-type]

        assert 3 == len(str(refused.value).splitlines())

    def test_a_store_that_keeps_none(self) -> None:
        """A limit that the store would not keep is refused at once, and so is that of a kind; without one, any store will do."""
        store = WithoutLimits()
        config(store=store)
        with pytest.raises(ConfigurationError, match=r"^session_limit: the store keeps no limit"):
            config(store=store, session_limit=SessionLimit(3))
        with pytest.raises(ConfigurationError, match=r"^kinds\.bank\.limit: the store keeps no limit"):
            config(store=store, kinds=KINDS)

    def test_a_printed_configuration(self) -> None:
        """As JSON it says the limit; of a function, that it is one."""
        printed = config(session_limit=SessionLimit(lambda *_: 3)).model_dump(mode="json")["session_limit"]
        assert {"count": "a function", "when_reached": "evict", "per": "user"} == printed
        assert config().model_dump(mode="json")["session_limit"] is None
