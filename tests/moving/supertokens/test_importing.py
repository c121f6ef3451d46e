"""Taking in all sessions of a core: repeatable while it still runs, and true about what it did."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

import pytest
from sqlalchemy import text

from fastapi_session import SessionConfig, Sessions
from fastapi_session.errors import ConfigurationError, StoreUnavailable
from fastapi_session.moving import ImportProgress, ImportReport, SuperTokens, import_sessions
from fastapi_session.moving.supertokens.importing import Became
from tests.conftest import Amount, Figures
from tests.moving.supertokens.conftest import MakeCore
from tests.moving.supertokens.core_tables import Core, session_row
from tests.moving.supertokens.minting import KEY, OTHER_KEY, MintedSession
from tests.stores.sql.conftest import PATIENCE

SECRET = "the-secret-of-the-deployment-that-moves-0001"

one_driver = pytest.mark.parametrize("core_driver", ["postgresql+asyncpg"], indirect=True)


@pytest.fixture
async def sessions(core: Core, tmp_path: Path) -> AsyncIterator[Sessions]:
    """A deployment, which goes on from the core."""
    config = SessionConfig(store=f"sqlite:///{tmp_path / 'sessions.db'}", secret=SECRET)
    engine = Sessions(config, moving_from=SuperTokens(core.url, timeout=PATIENCE))
    await engine.open()
    yield engine
    await engine.close()


async def taken_in(sessions: Sessions) -> dict[str, dict[Became, int]]:
    """What became of the sessions of each tenant."""
    report = await import_sessions(sessions, dry_run=False, batch=2)
    return {tenant_id: {**became} for tenant_id, became in report.tenants.items()}


async def test_all_sessions_are_taken_in(core: Core, sessions: Sessions) -> None:
    """A dry run only reads; then all tenants' sessions that have not expired are here, page by page, and a repetition changes nothing."""
    public = [MintedSession.begun("ada") for _ in range(3)]
    shop = [MintedSession.begun("bob", tenant_id="shop") for _ in range(2)]
    for each in (*public, *shop):
        await core.session(each)
    await core.session(MintedSession.begun("ada"), expires_at=1_700_000_000_001)
    await core.session(MintedSession.begun("ada"), app_id="another")
    seen: list[ImportProgress] = []

    dry = await import_sessions(sessions, batch=2, progress=seen.append)
    stored = [each async for page in sessions.store.every_session(batch=10) for each in page]  # type: ignore[attr-defined]
    first, second = await taken_in(sessions), await taken_in(sessions)

    assert ImportReport(written=False, tenants={"public": Counter({"read": 3}), "shop": Counter({"read": 2})}) == dry
    assert [] == stored
    assert [(2, 5), (3, 5), (5, 5)] == [(each.done, each.total) for each in seen]
    assert {"public": {"kept": 3}, "shop": {"kept": 2}} == first
    assert {"public": {"there": 3}, "shop": {"there": 2}} == second
    assert {each.session_id for each in public} == {each.handle for each in await sessions.of_user("ada")}


@one_driver
async def test_repetition_while_the_core_still_runs(core: Core, sessions: Sessions) -> None:
    """What waits is renewed, what ended there ends here, what ended here stays ended, and what has moved is not touched."""
    waits, revoked, ended_here, moved = (MintedSession.begun(name) for name in ("waits", "revoked", "ended", "moved"))
    for each in (waits, revoked, ended_here, moved):
        await core.session(each)
    await taken_in(sessions)

    child = waits.child()
    await core.change(
        waits,
        refresh_token_hash_2=child.h2,
        prev_refresh_token_hash_2=waits.h2,
        refresh_token_rotated_at=1_700_000_500_000,
    )
    await core.revoke(revoked)
    await sessions.revoke(ended_here.session_id)
    issued = await sessions.refresh(moved.token)
    await core.revoke(moved)
    became = await taken_in(sessions)
    refreshed = await sessions.refresh(child.token)

    assert {"public": {"renewed": 1, "ended": 1, "dropped": 1}} == became
    assert [True, False, False, True] == [
        await sessions.information(each.session_id) is not None for each in (waits, revoked, ended_here, moved)
    ]
    verified = await sessions.verify(issued.tokens.access_token)
    assert [waits.session_id, moved.session_id] == [refreshed.access_token.session_id, verified.session_id]


@one_driver
@pytest.mark.parametrize("dry_run", [True, False])
async def test_another_core(core: Core, sessions: Sessions, *, dry_run: bool) -> None:
    """Whoever gives another core, or another app, is told so: there each session would seem to have ended."""
    waits = MintedSession.begun("ada")
    await core.session(waits)
    await core.key(OTHER_KEY, app_id="another")
    await taken_in(sessions)
    other = Sessions(sessions.config, moving_from=SuperTokens(core.url, app_id="another", timeout=PATIENCE))
    await other.open()
    with pytest.raises(ConfigurationError, match="another app of it, were imported into this store"):
        await import_sessions(other, dry_run=dry_run)
    await other.close()

    assert ["ada"] == [each.user_id for each in await sessions.of_user("ada")]


@one_driver
async def test_another_core_at_first(core: Core, sessions: Sessions) -> None:
    """The first import ends nothing: what was looked up before may be of another core than the one that was given by mistake."""
    await core.session(MintedSession.begun("ada"))
    await core.key(OTHER_KEY, app_id="another")
    looked_up = await sessions.of_user("ada")
    other = Sessions(sessions.config, moving_from=SuperTokens(core.url, app_id="another", timeout=PATIENCE))
    await other.open()
    await import_sessions(other, dry_run=False)
    await other.close()

    assert ["ada"] == [each.user_id for each in looked_up]
    assert ["ada"] == [each.user_id for each in await sessions.of_user("ada")]


@one_driver
async def test_what_does_not_fit_is_listed(core: Core, sessions: Sessions) -> None:
    """What cannot be taken in is named with its reason, in a dry run too; all others are taken in."""
    good, broken, partly = MintedSession.begun(), MintedSession.begun(), MintedSession.begun()
    await core.session(good)
    await core.session(broken, jwt_user_payload="no JSON")
    await core.session(partly, session_data=None)
    seen: list[ImportProgress] = []

    report = await import_sessions(sessions, dry_run=False, progress=seen.append)

    assert {"public": Counter(kept=2, unfit=1)} == report.tenants
    assert {"jwt_user_payload is no JSON": 1, "session_data is NULL, and was taken as empty": 1} == report.remarks
    assert {(broken.handle, False), (partly.handle, True)} == {
        (remark.handle, remark.taken) for each in seen for remark in each.remarks
    }


async def test_without_a_core_nothing_is_imported() -> None:
    """An import needs a core and its database."""
    without = Sessions(SessionConfig(store="memory:", secret=SECRET))
    imported = Sessions(SessionConfig(store="memory:", secret=SECRET), moving_from=SuperTokens(refresh_token_key=KEY))

    for sessions in (without, imported):
        with pytest.raises(ConfigurationError, match=r"SuperTokens\(database|URL of the core's database"):
            await import_sessions(sessions)


async def test_a_core_that_is_down(tmp_path: Path) -> None:
    """It is said to be down, and nothing is written: it may come."""
    core = SuperTokens(f"postgresql+asyncpg://reader@/supertokens?host={tmp_path}", timeout=PATIENCE)
    sessions = Sessions(SessionConfig(store="memory:", secret=SECRET), moving_from=core)
    await sessions.open()
    with pytest.raises(StoreUnavailable, match="the database of SuperTokens"):
        await import_sessions(sessions, dry_run=False)
    await sessions.close()

    assert [] == [each async for page in sessions.store.every_remembered(batch=10) for each in page]  # type: ignore[attr-defined]


@one_driver
@pytest.mark.timeout(2 * 60 * 60)
async def test_rows_a_second_and_memory(
    make_core: MakeCore, postgresql_store_url: str, amount: Amount, figures: Figures
) -> None:
    """A million rows, or a few in short, from PostgreSQL to PostgreSQL: memory does not grow with them."""
    rows = amount(3_000, full=1_000_000)
    core = await make_core()
    await core.key()
    await fill(core, rows)
    config = SessionConfig(store=postgresql_store_url, secret=SECRET)
    sessions = Sessions(config, moving_from=SuperTokens(core.url, timeout=PATIENCE))
    await sessions.open()
    peaks: list[int] = []

    def measure(_progress: ImportProgress) -> None:
        peaks.append(getrusage(RUSAGE_SELF).ru_maxrss)

    began = time.monotonic()
    report = await import_sessions(sessions, dry_run=False, progress=measure)
    took = time.monotonic() - began
    await sessions.close()

    figures(rows=rows, rows_a_second=round(rows / took), memory_grown_MB=round((peaks[-1] - peaks[0]) / 1024, 1))
    assert rows == report.count("kept")
    assert peaks[-1] - peaks[0] < 50 * 1024


async def fill(core: Core, rows: int) -> None:
    """Put many sessions of as many users into the table, as one statement of PostgreSQL."""
    first: Sequence[str] = [*session_row(MintedSession.begun(), rotates=True)]
    columns = ", ".join(first)
    async with core.owner.begin() as connection:
        await connection.execute(
            text(
                f"INSERT INTO session_info (app_id, {columns}) SELECT 'public', 'public', gen_random_uuid()::text, 'user ' || number,"
                " encode(sha256(number::text::bytea), 'hex'), '{\"cart\": 3}', 4000000000000, 1700000000000, '{\"role\": \"admin\"}',"
                f" false, NULL, NULL FROM generate_series(1, {rows}) AS number"
            )
        )
