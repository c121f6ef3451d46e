"""Sessions by their user: all of them listed, changed and ended, whichever store keeps them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from fastapi_session import PrimitiveArrayClaim, PrimitiveClaim, SessionConfig, SessionError, Sessions, StoreUnavailable
from fastapi_session.audit import Audit
from fastapi_session.engine.user_sessions import PIECE
from fastapi_session.model import Json, SessionRecord
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.testing import HandClock
from tests.moments import MINUTE

UNKNOWN = "0" * 32


class Interrupted(MemoryStore):
    """Notes how many sessions it is asked to delete at most, and fails once, after as many answers as it is told."""

    def __init__(self, *, clock: HandClock) -> None:
        super().__init__(clock=clock)
        self.limits: list[int] = []
        self.fails_after = -1

    async def delete_sessions_of(
        self,
        user_id: str,
        *,
        tenant_id: str | None = None,
        keep: str | None = None,
        limit: int,
        audit: Audit | None = None,
    ) -> Sequence[SessionRecord]:
        self.limits.append(limit)
        self.fails_after -= 1
        if self.fails_after == -1:
            raise StoreUnavailable("the store is down")
        return await super().delete_sessions_of(user_id, tenant_id=tenant_id, keep=keep, limit=limit, audit=audit)


class Users:
    """The roles that an application has given."""

    def __init__(self) -> None:
        self.roles: dict[str, list[str]] = {}

    async def fetch_roles(self, user_id: str, tenant_id: str, payload: Json) -> list[str]:
        return [f"{role} of {tenant_id}" for role in self.roles.get(user_id, [])]


async def outcome(sessions: Sessions, token: str) -> str:
    """Return what becomes of an access token."""
    try:
        await sessions.verify(token)
    except SessionError as error:
        return error.code
    return "BELIEVED"


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(params=["memory", "sqlite"])
async def sessions(request: pytest.FixtureRequest, clock: HandClock, tmp_path: Path) -> AsyncIterator[Sessions]:
    urls = {"memory": "memory:", "sqlite": f"sqlite:///{tmp_path}/sessions.db"}
    sessions = Sessions(SessionConfig(store=urls[request.param]), clock=clock)
    await sessions.open()
    yield sessions
    await sessions.close()


@pytest.fixture
def users() -> Users:
    return Users()


@pytest.fixture
def roles(users: Users) -> PrimitiveArrayClaim[str]:
    return PrimitiveArrayClaim("roles", users.fetch_roles)


async def begun(sessions: Sessions, user_id: str = "ada", **options: Any) -> str:
    """The handle of a new session."""
    return (await sessions.create(user_id, **options)).access_token.session_handle


async def payloads(sessions: Sessions, user_id: str) -> list[Json]:
    """The claims of a user's sessions, oldest first."""
    return [found.access_token_payload for found in await sessions.of_user(user_id)]


class TestListing:
    """What is known of all sessions of a user."""

    async def test_sessions_of_a_user(self, sessions: Sessions, clock: HandClock) -> None:
        """The sessions of a user are listed oldest first, and those of nobody else."""
        handles = []
        for tenant_id in ("public", "acme", "public"):
            handles.append(await begun(sessions, tenant_id=tenant_id))
            clock.advance(MINUTE)
        await begun(sessions, "grace")

        assert handles == [found.handle for found in await sessions.of_user("ada")]
        assert [] == await sessions.of_user("nobody")

    async def test_a_tenant_of_a_user(self, sessions: Sessions) -> None:
        """Asked for one tenant, no session of another is told."""
        acme, public = await begun(sessions, tenant_id="acme"), await begun(sessions)

        assert [acme] == [found.handle for found in await sessions.of_user("ada", tenant_id="acme")]
        assert [public] == [found.handle for found in await sessions.of_user("ada", tenant_id="public")]
        assert [] == await sessions.of_user("ada", tenant_id="other")


class TestEnding:
    """Revoking all of a user."""

    async def test_all_of_a_user(self, sessions: Sessions) -> None:
        """All of a user end, in every tenant, and nobody else's."""
        mine = {await begun(sessions), await begun(sessions, tenant_id="acme")}
        other = await begun(sessions, "grace")

        assert mine == set(await sessions.revoke_all("ada"))
        assert ([], [other]) == (
            await sessions.of_user("ada"),
            [found.handle for found in await sessions.of_user("grace")],
        )
        assert [] == await sessions.revoke_all("nobody")

    async def test_all_of_a_tenant(self, sessions: Sessions) -> None:
        """Asked for one tenant, the user's sessions in the others go on."""
        acme, public = await begun(sessions, tenant_id="acme"), await begun(sessions)

        assert [acme] == await sessions.revoke_all("ada", tenant_id="acme")
        assert [public] == [found.handle for found in await sessions.of_user("ada")]

    async def test_all_but_one(self, sessions: Sessions) -> None:
        """All but the session that is kept end, in one tenant or in all."""
        kept, public, acme = await begun(sessions), await begun(sessions), await begun(sessions, tenant_id="acme")

        assert [public] == await sessions.revoke_all("ada", tenant_id="public", keep=kept)
        assert [acme] == await sessions.revoke_all("ada", keep=kept)
        assert [kept] == [found.handle for found in await sessions.of_user("ada")]

    async def test_all_of_a_user_in_pieces(self, clock: HandClock) -> None:
        """However many sessions a user has, the store is never asked to end more than a piece, and each is ended once."""
        store = Interrupted(clock=clock)
        sessions = Sessions(SessionConfig(store=store), clock=clock)
        handles = {await begun(sessions) for _ in range(2 * PIECE + 1)}
        ended = await sessions.revoke_all("ada")

        assert (len(handles), handles) == (len(ended), set(ended))
        assert [PIECE, PIECE, PIECE] == store.limits

    async def test_all_of_a_user_interrupted(self, clock: HandClock) -> None:
        """If the store fails in the middle, what has ended is known here at once, and to ask again ends the rest."""
        store = Interrupted(clock=clock)
        sessions = Sessions(SessionConfig(store=store), clock=clock)
        await sessions.open()  # from here on the feed is read in the background, and not by who verifies
        tokens = [(await sessions.create("ada")).tokens.access_token for _ in range(PIECE + 1)]
        store.fails_after = 1
        with pytest.raises(StoreUnavailable):
            await sessions.revoke_all("ada")

        assert PIECE == [await outcome(sessions, token) for token in tokens].count("UNAUTHORISED")
        assert 1 == len(await sessions.revoke_all("ada"))
        assert ["UNAUTHORISED"] * len(tokens) == [await outcome(sessions, token) for token in tokens]
        await sessions.close()


class TestChanging:
    """Claims of all sessions of a user, changed by one verb."""

    async def test_merging(self, sessions: Sessions) -> None:
        """Changes are laid over the claims of each session, `None` removes one, and nobody else's change."""
        handles = [
            await begun(sessions, access_token_payload={"plan": "free", "beta": True}),
            await begun(sessions, tenant_id="acme", access_token_payload={"seat": 7}),
        ]
        await begun(sessions, "grace", access_token_payload={"plan": "free"})
        changed = await sessions.merge_into_access_token_payload_of_all("ada", {"plan": "pro", "beta": None})

        assert set(handles) == set(changed)
        assert [{"plan": "pro"}, {"seat": 7, "plan": "pro"}] == sorted(await payloads(sessions, "ada"), key=len)
        assert [{"plan": "free"}] == await payloads(sessions, "grace")

    async def test_clients_hear_of_it(self, sessions: Sessions) -> None:
        """Every client of the user is told to refresh, and comes back with the new claims."""
        issued = [await sessions.create("ada") for _ in range(3)]
        await sessions.merge_into_access_token_payload_of_all("ada", {"plan": "pro"})

        tokens = [each.tokens for each in issued]
        assert ["TRY_REFRESH_TOKEN"] * 3 == [await outcome(sessions, each.access_token) for each in tokens]
        refreshed = [await sessions.refresh(each.refresh_token or "") for each in tokens]
        assert [{"plan": "pro"}] * 3 == [each.access_token.custom for each in refreshed]

    async def test_a_tenant(self, sessions: Sessions) -> None:
        """Asked for one tenant, the user's sessions in the others stay as they are."""
        acme, _ = await begun(sessions, tenant_id="acme"), await begun(sessions)

        assert [acme] == await sessions.merge_into_access_token_payload_of_all("ada", {"seat": 7}, tenant_id="acme")
        assert [{"seat": 7}, {}] == sorted(await payloads(sessions, "ada"), key=len, reverse=True)

    async def test_fetching(self, sessions: Sessions, users: Users, roles: PrimitiveArrayClaim[str]) -> None:
        """A claim is fetched for each session, as the tenant of it has it."""
        acme, public = await begun(sessions, tenant_id="acme"), await begun(sessions)
        users.roles["ada"] = ["admin"]

        assert {acme, public} == set(await sessions.fetch_and_set_claim_of_all("ada", roles))
        assert ["admin of acme"] == await sessions.claim_value(acme, roles)
        assert ["admin of public"] == await sessions.claim_value(public, roles)
        assert [acme] == await sessions.fetch_and_set_claim_of_all("ada", roles, tenant_id="acme")

    async def test_setting(self, sessions: Sessions, roles: PrimitiveArrayClaim[str]) -> None:
        """A value that is known is set in each session, without asking for it."""
        acme, public = await begun(sessions, tenant_id="acme"), await begun(sessions)

        assert [public] == await sessions.set_claim_value_of_all("ada", roles, ["editor"], tenant_id="public")
        assert {acme, public} == set(await sessions.set_claim_value_of_all("ada", roles, ["admin"]))
        assert ["admin"] == await sessions.claim_value(acme, roles)
        assert ["admin"] == await sessions.claim_value(public, roles)

    async def test_one_that_ends_meanwhile(self, sessions: Sessions) -> None:
        """A session that is revoked while others are changed is left out."""
        handles = [await begun(sessions) for _ in range(3)]

        async def fetch_and_sign_out(user_id: str, tenant_id: str, payload: Json) -> str:
            await sessions.revoke(handles[2])
            return "editor"

        role = PrimitiveClaim("role", fetch_and_sign_out)
        changed = await sessions.fetch_and_set_claim_of_all("ada", role)

        assert set(handles[:2]) == set(changed)


@pytest.mark.parametrize("name", ["", "\x00", "\ud800", "ü" * 1000])
async def test_a_user_that_cannot_be(name: str, sessions: Sessions, roles: PrimitiveArrayClaim[str]) -> None:
    """What can be no user and no tenant has no sessions, and is no error either."""
    await begun(sessions)

    assert [[], []] == [await sessions.of_user(name), await sessions.of_user("ada", tenant_id=name)]
    assert [[], []] == [await sessions.revoke_all(name), await sessions.revoke_all("ada", tenant_id=name)]
    assert [] == await sessions.revoke_all(name, keep=UNKNOWN)
    assert [] == await sessions.merge_into_access_token_payload_of_all(name, {"plan": "pro"})
    assert [] == await sessions.set_claim_value_of_all("ada", roles, ["admin"], tenant_id=name)
    assert [{}] == await payloads(sessions, "ada")
