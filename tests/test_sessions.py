"""The verbs of the engine, on every embedded store, with a clock driven by hand."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import jwt
import pytest

from fastapi_session import PrimitiveClaim, SessionConfig
from fastapi_session.core import access_token, access_token_size
from fastapi_session.core.access_token import AccessToken, ParsedAccessToken
from fastapi_session.core.anti_csrf import AntiCsrfProof
from fastapi_session.errors import (
    ConfigurationError,
    PayloadError,
    SessionSupersededError,
    StoreUnavailable,
    TryRefreshTokenError,
    UnauthorisedError,
)
from fastapi_session.model import moment
from fastapi_session.session_information import SessionInformation
from fastapi_session.sessions import Sessions
from fastapi_session.stores.base import Store
from fastapi_session.stores.by_url import store_by_url
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.testing import HandClock
from tests.engines import (
    NEW_SECRET,
    SECRET,
    WRONG_SECRET,
    TroubledStore,
    created,
    engine,
    refresh_token_of,
    refreshed,
    stem,
)
from tests.moments import DAY, GRACE, HOUR, MILLISECOND, MINUTE, SECOND


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, clock: HandClock, tmp_path: Path) -> AsyncIterator[Store]:
    urls = {"memory": "memory:", "sqlite": f"sqlite:///{tmp_path}/sessions.db"}
    store = store_by_url(urls[request.param], clock=clock)
    yield store
    await store.close()


@pytest.fixture
def sessions(store: Store, clock: HandClock) -> Sessions:
    return engine(clock, store=store)


async def known(sessions: Sessions, handle: str) -> SessionInformation:
    information = await sessions.information(handle)
    assert information is not None
    return information


# Creating


async def test_a_session_begins(sessions: Sessions, clock: HandClock) -> None:
    """What a session was created with is what its tokens and its record say."""
    issued = await sessions.create(
        "alice",
        tenant_id="acme",
        recipe_user_id="alice-by-mail",
        access_token_payload={"plan": "pro"},
        session_data={"theme": "dark"},
    )
    content = issued.access_token
    information = await known(sessions, content.session_handle)

    assert ("alice", "alice-by-mail", "acme", {"plan": "pro"}) == (
        content.user_id,
        content.recipe_user_id,
        content.tenant_id,
        content.custom,
    )
    assert ("alice", "alice-by-mail", "acme", {"plan": "pro"}, {"theme": "dark"}) == (
        information.user_id,
        information.recipe_user_id,
        information.tenant_id,
        information.access_token_payload,
        information.session_data,
    )
    assert (moment(clock()), moment(clock()) + 100 * DAY) == (information.created_at, information.expires_at)
    assert clock() + 3_600_000 == issued.tokens.access_token_expires_at
    assert content == await sessions.verify(issued.tokens.access_token)


async def test_a_user_is_their_own_recipe_user(sessions: Sessions) -> None:
    """Where nothing else is given, `rsub` is `sub`, and the tenant is the public one."""
    content = (await sessions.create("alice")).access_token

    assert ("alice", "public") == (content.recipe_user_id, content.tenant_id)


async def test_handles_name_their_tenant(sessions: Sessions) -> None:
    """A handle is 32 hexadecimal characters, and the tenant's name where it is not the public one."""
    public, _ = await created(sessions)
    acme, _ = await created(sessions, tenant_id="acme")

    assert (32, True) == (len(public), public == f"{int(public, 16):032x}")
    assert acme.endswith("_acme")


async def test_protected_names_are_dropped(sessions: Sessions) -> None:
    """An application cannot speak for the library: our names in its payload are dropped, at sign-in and later."""
    ours = dict.fromkeys(access_token.RESERVED_CLAIMS, "forged")
    issued = await sessions.create("alice", access_token_payload={**ours, "plan": "pro"})
    handle = issued.access_token.session_handle
    await sessions.merge_into_access_token_payload(handle, {**ours, "role": "user"})

    assert "alice" == issued.access_token.user_id
    assert {"plan": "pro"} == issued.access_token.custom
    assert {"plan": "pro", "role": "user"} == (await known(sessions, handle)).access_token_payload


@pytest.mark.parametrize("user_id", [42, UUID(int=42), None])
async def test_a_user_is_a_text(user_id: Any, sessions: Sessions) -> None:
    """A user id that is no text is refused with what to write, by whatever verb: made a text in one, it would be missed in another."""
    told = f"^user_id: give a text, and no {type(user_id).__name__}: write str"
    for verb in (sessions.create, sessions.of_user, sessions.revoke_all):
        with pytest.raises(PayloadError, match=told):
            await verb(user_id)


@pytest.mark.parametrize(
    "options",
    [
        {"user_id": ""},
        {"user_id": "x" * 256},
        {"user_id": "\ud800"},
        {"user_id": "a\x00b"},
        {"recipe_user_id": "x" * 256},
        {"tenant_id": ""},
        {"tenant_id": "a/b"},
        {"access_token_payload": {"x": "x" * 4096}},
        {"access_token_payload": {"x": float("nan")}},
        {"access_token_payload": {"x": object()}},
        {"access_token_payload": {1: "x"}},
        {"access_token_payload": {"x": "\ud800"}},
        {"session_data": {"x": (1, 2)}},
        {"session_data": {"x": b"bytes"}},
    ],
)
async def test_what_cannot_be_carried_is_refused(options: dict[str, Any], sessions: Sessions) -> None:
    """What no token or row can hold is refused before anything is written, and the session of before lives on."""
    before, _ = await created(sessions)
    with pytest.raises(PayloadError):
        await sessions.create(**{"user_id": "alice", "replacing": before, **options})

    assert [before] == [found.handle for found in await sessions.of_user("alice")]


@pytest.mark.parametrize(
    ("verb", "options", "fix"),
    [
        ("create", {"user_id": "alice", "authentication": "pwd"}, r'authentication: .* Authentication\(\("pwd",\)\)'),
        ("create", {"user_id": "alice", "external": {"sid": "S1"}}, r"external: .* ExternalSession\(issuer, sid=sid\)"),
        ("elevate", {"authentication": "otp"}, r'authentication: .* Authentication\(\("otp",\)\)'),
        ("revoke_all", {"user_id": "alice", "by": "grace"}, r'by: .* Actor\("ada"\)'),
        ("revoke_external", {"external": "S1"}, r"external: .* ExternalSession\(issuer, sid=sid\)"),
    ],
    ids=str,
)
async def test_a_value_of_another_class(verb: str, options: dict[str, Any], fix: str, sessions: Sessions) -> None:
    """What only looks like the value that an argument takes is refused, with an example, and nothing changes."""
    issued = await sessions.create("alice")
    given = {"token": issued.access_token, **options} if verb == "elevate" else options
    with pytest.raises(ConfigurationError, match=fix):
        await getattr(sessions, verb)(**given)

    assert [issued.access_token.session_handle] == [found.handle for found in await sessions.of_user("alice")]


async def test_a_new_session_replaces_the_old(sessions: Sessions) -> None:
    """Signing in over a session makes a new one, and the old one is gone with the same write."""
    before, token = await created(sessions)
    after, _ = await created(sessions, replacing=before)

    assert before != after
    assert [after] == [found.handle for found in await sessions.of_user("alice")]
    with pytest.raises(SessionSupersededError):
        await sessions.refresh(token)


@pytest.mark.parametrize("handle", ["", "a", "\ud800", "\x00" * 32, "é" * 32, "0" * 31, "0" * 33, "0" * 31 + "\n"])
async def test_what_is_no_handle_is_not_replaced(handle: str, sessions: Sessions) -> None:
    """A session in the place of what no session can be called begins, and the feed hears of nothing."""
    await sessions.create("alice", replacing=[handle])

    assert 1 == len(await sessions.of_user("alice"))
    assert () == (await sessions.store.notices(after=0)).notices


async def test_concurrent_sign_ins(sessions: Sessions) -> None:
    """Fifty who sign in at once, to a deployment without keys, all get sessions of their own that one key signed."""
    issued = await asyncio.gather(*(sessions.create(f"user-{number}") for number in range(50)))
    contents = [await sessions.verify(each.tokens.access_token) for each in issued]

    assert [f"user-{number}" for number in range(50)] == [content.user_id for content in contents]
    assert 50 == len({content.session_handle for content in contents})
    assert ["d-", "s-"] == [key["kid"][:2] for key in (await sessions.jwks())["keys"]]


# Verifying


async def test_a_token_expires_to_the_millisecond(sessions: Sessions, clock: HandClock) -> None:
    """An access token is believed until the last millisecond before its end."""
    issued = await sessions.create("alice")
    clock.advance(HOUR - MILLISECOND)
    await sessions.verify(issued.tokens.access_token)
    clock.advance(MILLISECOND)

    with pytest.raises(TryRefreshTokenError, match="expired"):
        await sessions.verify(issued.tokens.access_token)


@pytest.mark.parametrize("text", ["", "a.b.c", "ey.ey.ey", "x" * 5000, "\x00", "Bearer"])
async def test_what_is_not_ours_is_unauthorised(text: str, sessions: Sessions) -> None:
    """What has not our structure is no session, and clears nothing."""
    with pytest.raises(UnauthorisedError) as refused:
        await sessions.verify(text)

    assert not refused.value.clears_tokens


async def test_a_token_of_another_deployment(sessions: Sessions, clock: HandClock) -> None:
    """A token with our structure that another deployment signed asks for a refresh."""
    issued = await engine(clock, store=TroubledStore(clock), secret=WRONG_SECRET).create("alice")
    await sessions.open()

    with pytest.raises(TryRefreshTokenError, match="signed by no key"):
        await sessions.verify(issued.tokens.access_token)


async def test_verifying_does_no_input_and_output(clock: HandClock) -> None:
    """A verification that asks for nothing more works while the store is down."""
    store = TroubledStore(clock)
    sessions = engine(clock, store=store)
    issued = await sessions.create("alice")
    store.down = True

    assert issued.access_token == await sessions.verify(issued.tokens.access_token)


@pytest.mark.parametrize("mode", ["VIA_TOKEN", "VIA_CUSTOM_HEADER"])
async def test_anti_csrf(mode: Any, sessions: Sessions) -> None:
    """A request that does not prove its origin asks for a refresh; one that does is answered."""
    issued = await sessions.create("alice", anti_csrf=True)
    token = issued.tokens.anti_csrf_token
    with pytest.raises(TryRefreshTokenError, match="anti-CSRF"):
        await sessions.verify(issued.tokens.access_token, proof=AntiCsrfProof(mode))

    proof = AntiCsrfProof(mode, token, custom_header=True)
    assert issued.access_token == await sessions.verify(issued.tokens.access_token, proof=proof)


async def test_a_session_without_an_anti_csrf_token(sessions: Sessions) -> None:
    """A token that carries no anti-CSRF token satisfies no request for one, whatever the header says."""
    issued = await sessions.create("alice")
    for text in (None, "", "null", "None"):
        with pytest.raises(TryRefreshTokenError):
            await sessions.verify(issued.tokens.access_token, proof=AntiCsrfProof("VIA_TOKEN", text))


async def test_a_check_of_the_database_sees_a_revocation(sessions: Sessions) -> None:
    """With the check, what another process revoked a moment ago is unauthorised and clears its tokens; without, it is believed."""
    issued = await sessions.create("alice")
    await sessions.verify(issued.tokens.access_token, check_database=True)
    await sessions.store.delete(issued.access_token.session_id)
    await sessions.verify(issued.tokens.access_token)
    with pytest.raises(UnauthorisedError) as refused:
        await sessions.verify(issued.tokens.access_token, check_database=True)

    assert refused.value.clears_tokens


async def test_a_check_of_the_database_sees_the_generation(sessions: Sessions, clock: HandClock) -> None:
    """The access tokens of the newest refresh token and of the one before are current, an earlier one asks for a refresh."""
    issued = [await sessions.create("alice")]
    for _ in range(2):
        clock.advance(GRACE)
        issued.append(await sessions.refresh(refresh_token_of(issued[-1])))
    for current in issued[1:]:
        await sessions.verify(current.tokens.access_token, check_database=True)

    with pytest.raises(TryRefreshTokenError, match="earlier generation"):
        await sessions.verify(issued[0].tokens.access_token, check_database=True)


async def test_a_check_of_the_database_brings_its_claims(sessions: Sessions, store: Store, clock: HandClock) -> None:
    """With the check the claims are those of the store, whoever changed them, and no feed need have told of it."""
    issued = await sessions.create("alice", access_token_payload={"role": "admin"})
    token, elsewhere = issued.tokens.access_token, engine(clock, store=store)
    await sessions.verify(token)
    await elsewhere.merge_into_access_token_payload(issued.access_token.session_handle, {"role": "guest"})

    assert {"role": "admin"} == (await sessions.verify(token)).custom
    assert {"role": "guest"} == (await sessions.verify(token, check_database=True)).custom


async def test_a_check_of_a_database_that_lags_behind(sessions: Sessions, store: Store, clock: HandClock) -> None:
    """A token newer than what the store knows is believed: a replica lags, or a write was lost."""
    first = await sessions.create("alice")
    before = (await store.get(first.access_token.session_handle)).record
    assert before is not None
    clock.advance(GRACE)
    second = await sessions.refresh(refresh_token_of(first))
    after = (await store.get(before.session_id)).record
    assert after is not None
    assert await store.replace(before.session_id, expected=after.lineage, lineage=before.lineage)

    assert second.access_token == await sessions.verify(second.tokens.access_token, check_database=True)


async def test_a_check_of_a_database_that_is_down(clock: HandClock) -> None:
    """A store that cannot be asked is neither yes nor no."""

    class Down(TroubledStore):
        async def get(self, session_id: str) -> Any:
            raise StoreUnavailable

    sessions = engine(clock, store=Down(clock))
    issued = await sessions.create("alice")

    with pytest.raises(StoreUnavailable):
        await sessions.verify(issued.tokens.access_token, check_database=True)


async def test_a_signature_proves_a_handle_after_the_end(sessions: Sessions, clock: HandClock) -> None:
    """An expired token still proves which session it was for; a forged one proves nothing."""
    issued = await sessions.create("alice")
    clock.advance(2 * HOUR)
    parsed = access_token.parse(issued.tokens.access_token)
    head, _, _ = issued.tokens.access_token.rpartition(".")
    forged = access_token.parse(f"{head}.{'A' * 86}")
    assert parsed is not None
    assert forged is not None

    assert issued.access_token.session_handle == await sessions.verified_handle(parsed)
    assert await sessions.verified_handle(forged) is None


async def test_a_token_whose_key_is_gone(sessions: Sessions) -> None:
    """It proves its session by the refresh token that it goes with; one that names another proves nothing."""
    issued = await sessions.create("alice")
    parsed = sessions.parse(issued.tokens.access_token)
    assert parsed is not None
    await sessions.revoke_signing_key(parsed.kid)
    guessed = [
        replace(parsed, content=replace(parsed.content, refresh_token_hash=text))
        for text in ("00" * 32, "no digits", "")
    ]

    assert issued.access_token.session_handle == await sessions.verified_handle(parsed)
    assert [None] * 3 == [await sessions.verified_handle(each) for each in guessed]
    assert [None] * 3 == [
        await sessions.verified_handle(replace(parsed, kid=kid)) for kid in ("d-0", "", "d-" + "g" * 32)
    ]
    await sessions.revoke(issued.access_token.session_handle)
    assert await sessions.verified_handle(parsed) is None


async def test_a_static_key_signs_where_it_is_asked_for(store: Store, clock: HandClock) -> None:
    """Without dynamic keys every token names the one static key, and tokens of either kind verify."""
    dynamic, static = engine(clock, store=store), engine(clock, store=store, use_dynamic_access_token_signing_key=False)
    rotating = await dynamic.create("alice")
    clock.advance(GRACE)
    staying = await static.refresh(refresh_token_of(rotating))
    kids = [getattr(access_token.parse(each.tokens.access_token), "kid", "") for each in (rotating, staying)]

    assert ["d-", "s-"] == [kid[:2] for kid in kids]
    assert kids == [key["kid"] for key in (await static.jwks())["keys"]]
    for each in (rotating, staying):
        for sessions in (dynamic, static):
            await sessions.verify(each.tokens.access_token)


# Knowing and ending


async def test_handles_of_the_wrong_tenant_name_nothing(sessions: Sessions) -> None:
    """Every verb that takes a handle finds nothing by one that names another tenant, and changes nothing."""
    handle, token = await created(sessions, tenant_id="acme", session_data={"theme": "dark"})
    session_id = handle.partition("_")[0]
    for wrong in (session_id, f"{session_id}_other", f"{session_id}_", "", "no such handle"):
        assert await sessions.information(wrong) is None
        assert not await sessions.revoke(wrong)
        assert not await sessions.merge_into_access_token_payload(wrong, {"a": 1})
        assert not await sessions.update_session_data(wrong, {})

    assert {"theme": "dark"} == (await known(sessions, handle)).session_data
    assert await refreshed(sessions, token)


async def test_a_session_is_revoked_once(sessions: Sessions) -> None:
    """Of twenty who revoke a session at once, one is told that it was alive."""
    handle, _ = await created(sessions)
    answers = await asyncio.gather(*(sessions.revoke(handle) for _ in range(20)))

    assert 1 == sum(answers)
    assert await sessions.information(handle) is None


async def test_all_sessions_of_a_user(sessions: Sessions, clock: HandClock) -> None:
    """A user's sessions are known oldest first, by tenant or across all of them, without the expired ones."""
    expired, _ = await created(sessions)
    clock.advance(100 * DAY)
    first, _ = await created(sessions, tenant_id="acme")
    clock.advance(SECOND)
    second, _ = await created(sessions)
    await sessions.create("bob")

    assert [first, second] == [found.handle for found in await sessions.of_user("alice")]
    assert [first] == [found.handle for found in await sessions.of_user("alice", tenant_id="acme")]
    assert [] == await sessions.of_user("alice", tenant_id="other")
    assert await sessions.information(expired) is None


async def test_revoking_all(sessions: Sessions) -> None:
    """All sessions of a user end, and nobody else's."""
    handles = {(await created(sessions))[0] for _ in range(3)}
    other = (await sessions.create("bob")).access_token.session_handle

    assert handles == set(await sessions.revoke_all("alice"))
    assert [] == await sessions.of_user("alice")
    assert await sessions.information(other) is not None


async def test_revoking_all_of_a_tenant(sessions: Sessions) -> None:
    """With a tenant named, the sessions of others stay."""
    public, _ = await created(sessions)
    acme, _ = await created(sessions, tenant_id="acme")

    assert [acme] == await sessions.revoke_all("alice", tenant_id="acme")
    assert [public] == [found.handle for found in await sessions.of_user("alice")]


async def test_revoking_all_others(sessions: Sessions) -> None:
    """The session to keep lives on, the others end."""
    kept, token = await created(sessions)
    others = {(await created(sessions))[0] for _ in range(3)}

    assert others == set(await sessions.revoke_all("alice", keep=kept))
    assert await refreshed(sessions, token)


@pytest.mark.parametrize("keep", [None, "another"])
async def test_what_had_ended_is_not_ended_again(keep: str | None, store: Store, clock: HandClock) -> None:
    """An expired session that waits for its clearing is none of those that were ended."""
    await created(engine(clock, store=store, idle_timeout=2 * HOUR))
    sessions = engine(clock, store=store)
    alive, _ = await created(sessions)
    clock.advance(2 * HOUR)

    assert [alive] == await sessions.revoke_all("alice", keep=keep)


# Changing


async def test_merging(sessions: Sessions, clock: HandClock) -> None:
    """Changes lie over the top level, None removes a claim, the rest stays; the next refresh brings it."""
    payload = {"plan": "free", "beta": True, "limits": {"a": 1, "b": 2}, "nick": None}
    issued = await sessions.create("alice", access_token_payload=payload)
    handle = issued.access_token.session_handle
    assert await sessions.merge_into_access_token_payload(handle, {"plan": "pro", "beta": None, "limits": {"a": 3}})
    merged = {"plan": "pro", "limits": {"a": 3}, "nick": None}

    assert merged == (await known(sessions, handle)).access_token_payload
    assert merged == (await sessions.refresh(refresh_token_of(issued))).access_token.custom


async def test_merging_what_does_not_fit(sessions: Sessions) -> None:
    """A change that makes the token too large, or is no JSON, is refused, and nothing is written."""
    handle, _ = await created(sessions, access_token_payload={"plan": "free"})
    too_much: list[dict[str, Any]] = [{"x": "x" * 4096}, {"x": object()}, {"x": float("inf")}, {"x": "\ud800"}]
    for changes in too_much:
        with pytest.raises(PayloadError):
            await sessions.merge_into_access_token_payload(handle, {"plan": "pro", **changes})

    assert {"plan": "free"} == (await known(sessions, handle)).access_token_payload


async def test_what_was_merged_fits_every_refresh(sessions: Sessions, clock: HandClock) -> None:
    """A payload that just fits is carried by all later tokens, with an anti-CSRF token too."""
    issued = await sessions.create("alice", anti_csrf=True)
    handle, size = issued.access_token.session_handle, 4096
    while True:
        try:
            await sessions.merge_into_access_token_payload(handle, {"x": "x" * size})
            break
        except PayloadError:
            size -= 1
    for _ in range(2):
        clock.advance(GRACE)
        proof = AntiCsrfProof("VIA_TOKEN", issued.tokens.anti_csrf_token)
        issued = await sessions.refresh(refresh_token_of(issued), proof=proof)

    assert {"x": "x" * size} == issued.access_token.custom
    assert len(issued.tokens.access_token) <= access_token_size.MAX_LENGTH


async def test_a_session_outlives_another_algorithm_and_address(store: Store, clock: HandClock) -> None:
    """With the largest payload there is a session goes on, its token still kept by browsers, and signed out by nothing."""
    before, size = engine(clock, store=store), 4096
    issued = await before.create("alice")
    while not issued.access_token.custom:
        with contextlib.suppress(PayloadError):
            issued = await before.create("alice", access_token_payload={"x": "x" * size})
        size -= 1
    size += 1
    after = engine(clock, store=store, access_token_signing_algorithm="RS256", api_base_path="/application/v1/auth")
    for _ in range(2):
        clock.advance(HOUR)
        await after._parts.keyring.signing_key()
        await after._parts.background.finish()
        issued = await after.refresh(refresh_token_of(issued))
        assert {"x": "x" * size} == (await after.verify(issued.tokens.access_token)).custom

    assert "RS256" == jwt.get_unverified_header(issued.tokens.access_token)["alg"]
    assert len(issued.tokens.access_token) <= access_token_size.MAX_LENGTH
    assert await after.merge_and_reissue(issued.access_token, {"x": "y" * size}) is not None


async def test_concurrent_merges_lose_nothing(sessions: Sessions) -> None:
    """Two hundred concurrent merges, each of a claim of its own, are all there in the end."""
    handle, _ = await created(sessions)
    done = await asyncio.gather(
        *(sessions.merge_into_access_token_payload(handle, {f"c{number}": number}) for number in range(200))
    )

    assert 200 == sum(done)
    assert {f"c{number}": number for number in range(200)} == (await known(sessions, handle)).access_token_payload


async def test_merging_and_refreshing_do_not_disturb_each_other(sessions: Sessions, clock: HandClock) -> None:
    """A payload changed while the session rotates is kept, and the rotation too."""
    handle, token = await created(sessions)
    clock.advance(GRACE)
    successors, _ = await asyncio.gather(
        asyncio.gather(*(refreshed(sessions, token) for _ in range(20))),
        asyncio.gather(
            *(sessions.merge_into_access_token_payload(handle, {f"c{number}": number}) for number in range(20))
        ),
    )

    assert 1 == len({stem(successor) for successor in successors})
    assert 20 == len((await known(sessions, handle)).access_token_payload)


async def test_a_merge_with_a_new_token(sessions: Sessions, clock: HandClock) -> None:
    """Who holds the token gets a new one at once, which ends with the old one and belongs to the same refresh token."""
    issued = await sessions.create("alice", access_token_payload={"plan": "free"})
    clock.advance(10 * MINUTE)
    again = await sessions.merge_and_reissue(issued.access_token, {"plan": "pro"})
    assert again is not None

    assert again.access_token == await sessions.verify(again.tokens.access_token, check_database=True)
    assert {"plan": "pro"} == again.access_token.custom
    assert issued.tokens.access_token_expires_at == again.tokens.access_token_expires_at
    assert issued.access_token.issued_at + 600 == again.access_token.issued_at
    assert again.tokens.refresh_token is None


async def test_a_merge_into_a_session_that_ended(sessions: Sessions) -> None:
    """There is no new token for a session that has ended."""
    issued = await sessions.create("alice")
    await sessions.revoke(issued.access_token.session_handle)

    assert await sessions.merge_and_reissue(issued.access_token, {"plan": "pro"}) is None


async def test_session_data(sessions: Sessions) -> None:
    """What the store keeps with a session is replaced as a whole, and never travels."""
    handle, token = await created(sessions, session_data={"theme": "dark", "cart": ["apple"]})
    assert await sessions.update_session_data(handle, {"theme": "light"})
    with pytest.raises(PayloadError):
        await sessions.update_session_data(handle, {"x": object()})
    issued = await sessions.refresh(token)

    assert {"theme": "light"} == (await known(sessions, handle)).session_data
    assert "light" not in json.dumps(dict(issued.tokens.claims))


async def test_data_and_payload_changed_at_once(sessions: Sessions) -> None:
    """Neither of two writers, of data and of payload, undoes the other's work."""
    handle, _ = await created(sessions)
    await asyncio.gather(
        *(sessions.merge_into_access_token_payload(handle, {f"c{number}": number}) for number in range(20)),
        *(sessions.update_session_data(handle, {"last": number}) for number in range(20)),
    )
    information = await known(sessions, handle)

    assert 20 == len(information.access_token_payload)
    assert ["last"] == [*information.session_data]


# The life of an engine


async def test_an_engine_opens_itself(store: Store, clock: HandClock) -> None:
    """An engine that nobody opened works, and so does one that was closed."""
    sessions = engine(clock, store=store)
    _, token = await created(sessions)
    await sessions.close()

    assert await refreshed(sessions, token)


async def test_two_engines_on_one_store(store: Store, clock: HandClock) -> None:
    """What one process issues another one verifies, refreshes and revokes."""
    here, there = engine(clock, store=store), engine(clock, store=store)
    issued = await here.create("alice")
    assert issued.access_token == await there.verify(issued.tokens.access_token, check_database=True)
    clock.advance(GRACE)
    token = await refreshed(there, refresh_token_of(issued))
    assert stem(token) == stem(await refreshed(here, refresh_token_of(issued)))

    assert await there.revoke(issued.access_token.session_handle)
    with pytest.raises(UnauthorisedError):
        await here.refresh(token)


async def test_closing_waits_for_the_background(clock: HandClock) -> None:
    """What runs in the background when an engine is closed is done before the store goes."""
    store = TroubledStore(clock)
    sessions = engine(clock, store=store)
    first = await sessions.create("alice")
    clock.advance(GRACE)
    issued = await sessions.refresh(refresh_token_of(first))
    await sessions.verify(issued.tokens.access_token)
    await sessions.close()
    record = (await store.get(issued.access_token.session_handle)).record

    assert record is not None
    assert record.lineage.acknowledged


async def test_tokens_live_through_a_year_of_service(store: Store, clock: HandClock) -> None:
    """Through key rotations and a change of secret, a session that is used every day never has to sign in again."""
    sessions = engine(clock, store=store)
    _, token = await created(sessions)
    for day in range(365):
        if day == 180:
            sessions = engine(clock, store=store, secret=[NEW_SECRET, SECRET])
        clock.advance(timedelta(days=1))
        issued = await sessions.refresh(token)
        token = refresh_token_of(issued)
        content: AccessToken = await sessions.verify(issued.tokens.access_token, check_database=True)
        assert "alice" == content.user_id
        await sessions._parts.background.finish()


async def test_nothing_leaks_into_logs_and_errors(
    sessions: Sessions, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever happens to a session, neither logs nor errors repeat any part of its tokens."""
    caplog.set_level(logging.DEBUG)
    issued = [await sessions.create("alice", anti_csrf=True)]
    for _ in range(3):
        clock.advance(GRACE)
        proof = AntiCsrfProof("VIA_TOKEN", issued[-1].tokens.anti_csrf_token)
        issued.append(await sessions.refresh(refresh_token_of(issued[-1]), proof=proof))
    told = []
    for each in issued:
        for token in (each.tokens.access_token + "x", each.tokens.access_token):
            with pytest.raises((TryRefreshTokenError, UnauthorisedError)) as refused:
                await sessions.verify(token, proof=AntiCsrfProof("VIA_TOKEN", "wrong"))
            told.append(repr(refused.value))
        with pytest.raises(UnauthorisedError) as gone:
            await sessions.refresh(refresh_token_of(each) + "x")
        told.append(repr(gone.value))
    secret = [
        piece
        for each in issued
        for piece in (
            refresh_token_of(each)[40:60],
            each.tokens.access_token[-40:-20],
            each.tokens.anti_csrf_token or "",
        )
    ]

    assert [] == [piece for piece in secret if piece in caplog.text or any(piece in text for text in told)]
    assert [] == [piece for piece in secret for each in issued if piece in repr(each)]


HANDLE = "0" * 32
Step = Callable[[Sessions, ParsedAccessToken], Coroutine[Any, Any, object]]
FIRST_STEPS: dict[str, Step] = {
    "open": lambda sessions, _: sessions.open(),
    "create": lambda sessions, _: sessions.create("alice"),
    "verify": lambda sessions, token: sessions.verify(token),
    "information": lambda sessions, _: sessions.information(HANDLE),
    "of_user": lambda sessions, _: sessions.of_user("alice"),
    "revoke": lambda sessions, _: sessions.revoke(HANDLE),
    "revoke_all": lambda sessions, _: sessions.revoke_all("alice"),
    "revoke_all but one": lambda sessions, _: sessions.revoke_all("alice", keep=HANDLE),
    "update_session_data": lambda sessions, _: sessions.update_session_data(HANDLE, {}),
    "merge_into_access_token_payload": lambda sessions, _: sessions.merge_into_access_token_payload(HANDLE, {}),
    "create_jwt": lambda sessions, _: sessions.create_jwt({}, validity=timedelta(hours=1)),
    "jwks": lambda sessions, _: sessions.jwks(),
}
"""What may be asked first of an engine that nobody opened."""


@pytest.mark.parametrize("step", FIRST_STEPS.values(), ids=FIRST_STEPS)
def test_another_event_loop(step: Step, tmp_path: Path, clock: HandClock) -> None:
    """Where asyncio does not run, as under trio, the first step says so, and nothing is written."""
    store = f"sqlite:///{tmp_path / 'sessions.db'}"
    token = access_token.parse(asyncio.run(engine(clock, store=TroubledStore(clock)).create("bob")).tokens.access_token)
    assert token is not None

    with pytest.raises(ConfigurationError, match="not by trio"):
        step(engine(clock, store=store_by_url(store, clock=clock)), token).send(None)
    assert [] == asyncio.run(engine(clock, store=store_by_url(store, clock=clock)).of_user("alice"))


async def fetch_role(_user_id: str, _tenant_id: str, _payload: object) -> str:
    return "editor"


Role = PrimitiveClaim("role", fetch_role)
MERGE = "merge_into_access_token_payload"
Verb = Callable[[Sessions, AccessToken], Coroutine[Any, Any, object]]
COMPOSITES: dict[str, tuple[str, Verb]] = {
    "revoke_several": ("revoke", lambda own, token: own.revoke_several([token.session_handle])),
    "update_session_data": (
        "change_session_data",
        lambda own, token: own.update_session_data(token.session_handle, {}),
    ),
    MERGE: (
        "change_access_token_payload",
        lambda own, token: own.merge_into_access_token_payload(token.session_handle, {}),
    ),
    "fetch_and_set_claim": (MERGE, lambda own, token: own.fetch_and_set_claim(token.session_handle, Role)),
    "set_claim_value": (MERGE, lambda own, token: own.set_claim_value(token.session_handle, Role, "admin")),
    "remove_claim": (MERGE, lambda own, token: own.remove_claim(token.session_handle, Role)),
    "claim_failures": (
        MERGE,
        lambda own, token: own.claim_failures(token.session_handle, [Role.has_value("editor")]),
    ),
    f"{MERGE}_of_all": (MERGE, lambda own, _: own.merge_into_access_token_payload_of_all("alice", {})),
    "fetch_and_set_claim_of_all": (
        "fetch_and_set_claim",
        lambda own, _: own.fetch_and_set_claim_of_all("alice", Role),
    ),
    "set_claim_value_of_all": (
        f"{MERGE}_of_all",
        lambda own, _: own.set_claim_value_of_all("alice", Role, "admin"),
    ),
    "merge_and_reissue": ("reissue", lambda own, token: own.merge_and_reissue(token, {"plan": "pro"})),
    "check_claims": ("merge_and_reissue", lambda own, token: own.check_claims(token, [Role.has_value("editor")])),
}
"""Verbs that consist of another one, and which one that is."""


@pytest.mark.parametrize(("part", "verb"), COMPOSITES.values(), ids=COMPOSITES)
async def test_what_a_subclass_changes_counts_everywhere(part: str, verb: Verb, clock: HandClock) -> None:
    """A verb that a subclass has changed is changed in the verbs that consist of it too."""

    def changed(*_: object, **__: object) -> object:
        raise LookupError(part)

    own_sessions: type[Sessions] = type("OwnSessions", (Sessions,), {part: changed})
    own = own_sessions(SessionConfig(store=MemoryStore(clock=clock)), clock=clock)
    token = (await own.create("alice")).access_token

    with pytest.raises(LookupError, match=part):
        await verb(own, token)
