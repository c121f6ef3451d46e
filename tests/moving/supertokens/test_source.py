"""A core as a source of sessions: what is read from its database, by a user who may only read."""

from __future__ import annotations

from base64 import b64encode
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jose import jwk
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from fastapi_session.errors import ConfigurationError, PayloadError, StoreUnavailable
from fastapi_session.foreign_sessions import ForeignSession, ForeignSessions
from fastapi_session.model import MAX_OBJECT
from fastapi_session.moving import SuperTokens, SuperTokensTables
from tests.moving.supertokens.conftest import MakeCore
from tests.moving.supertokens.core_tables import Core
from tests.moving.supertokens.minting import KEY, OTHER_KEY, MintedSession, stored_pair
from tests.stores.sql.conftest import PATIENCE
from tests.supertokens_core.tables import ADDED_BY_7_0, ADDED_BY_12_1


def core_id(number: int) -> str:
    """The id that a core gives a user."""
    return f"{number:08}-0000-4000-8000-000000000000"


CORE_ID, OTHER_ID, THIRD_ID = map(core_id, (7, 8, 9))


async def opened(core: Core, **settings: Any) -> SuperTokens:
    source = SuperTokens(core.url, timeout=PATIENCE, **settings)
    await source.open()
    return source


async def found(core: Core, minted: MintedSession) -> ForeignSession | None:
    source = await opened(core)
    try:
        return await source.session(minted.session_id, minted.tenant_id)
    finally:
        await source.close()


def test_it_is_a_source_of_sessions() -> None:
    """The class is what the engine knows of another system."""
    source: ForeignSessions = SuperTokens(refresh_token_key=KEY)

    assert ("supertokens", False) == (source.name, source.has_database)


async def test_session_is_read_as_it_is(core: Core) -> None:
    """A row is read with its hashes, moments, payload and data."""
    minted = MintedSession.begun("ada", tenant_id="shop")
    previous = MintedSession.begun()
    await core.session(minted, prev_refresh_token_hash_2=previous.h2, refresh_token_rotated_at=1_700_000_100_000)

    assert ForeignSession(
        session_id=minted.session_id,
        tenant_id="shop",
        user_id="ada",
        recipe_user_id="ada",
        access_token_payload={"role": "admin"},
        session_data={"cart": 3},
        created_at=1_700_000_000_000,
        expires_at=4_000_000_000_000,
        current=bytes.fromhex(minted.h2),
        previous=bytes.fromhex(previous.h2),
        rotated_at=1_700_000_100_000,
    ) == await found(core, minted)


async def test_key_of_the_database_opens_its_tokens(core: Core) -> None:
    """The key is read when the source is opened; before that, and by another source, no token is opened."""
    minted = MintedSession.begun()
    source = SuperTokens(core.url, timeout=PATIENCE)
    before = source.read_refresh_token(minted.token)
    await source.open()
    token = source.read_refresh_token(minted.token)
    await source.close()

    assert before is None
    assert token is not None
    assert (minted.session_id, bytes.fromhex(minted.h2)) == (token.session_id, token.secret)


async def test_session_that_is_not_there(core: Core) -> None:
    """Neither an unknown id, nor that of a session of another tenant or app, nor what is no id, finds a session."""
    minted, elsewhere = MintedSession.begun(), MintedSession.begun()
    await core.session(minted)
    await core.session(elsewhere, app_id="another")
    source = await opened(core)
    asked = [
        (minted.session_id, "shop"),
        (elsewhere.session_id, "public"),
        ("0" * 32, "public"),
        ("' OR 1=1", "public"),
        (minted.session_id, "a\x00"),
        (minted.session_id, "\ud800"),
    ]

    assert [None] * len(asked) == [await source.session(*each) for each in asked]
    await source.close()


async def test_core_before_rotation_columns(make_core: MakeCore) -> None:
    """A core whose operator has not added the columns of 12.1 has no previous tokens."""
    core = await make_core(without=ADDED_BY_12_1)
    await core.key()
    minted = MintedSession.begun()
    await core.session(minted)
    session = await found(core, minted)

    assert session is not None
    assert (None, None) == (session.previous, session.rotated_at)


USERS: tuple[tuple[str, str | None, str | None], ...] = (
    (core_id(1), None, None),
    (core_id(2), None, "ada"),
    (core_id(3), core_id(1), None),
    (core_id(4), core_id(2), "ada at work"),
    (core_id(5), core_id(2), None),
    (core_id(6), core_id(1), "bob at work"),
)
"""The core's id of each user, the user it is linked to, and what the application calls it."""


async def test_user_is_the_primary_one_by_its_external_id(core: Core) -> None:
    """The user is found in three steps, whatever the row has; an id that is longer than the core's is not cut to one."""
    for each, primary, external in USERS:
        await core.user(each, primary=primary, external=external)
    expected = {
        "anybody": "anybody",
        core_id(1): core_id(1),
        core_id(2): "ada",
        "ada": "ada",
        core_id(3): core_id(1),
        core_id(4): "ada",
        "ada at work": "ada",
        core_id(5): "ada",
        "bob at work": core_id(1),
        core_id(2) + "-and-more": core_id(2) + "-and-more",
    }
    minted = {row_id: MintedSession.begun(row_id) for row_id in expected}
    for session in minted.values():
        await core.session(session)
    source = await opened(core)
    read = {row_id: await source.session(each.session_id, "public") for row_id, each in minted.items()}
    await source.close()

    assert expected == {row_id: session.user_id for row_id, session in read.items() if session is not None}
    assert {row_id: row_id for row_id in expected} == {
        row_id: session.recipe_user_id for row_id, session in read.items() if session is not None
    }


async def test_user_id_that_is_mapped_twice(core: Core, caplog: pytest.LogCaptureFixture) -> None:
    """An id that is one user's own and another's external id is nobody's: the session cannot be taken, as is said."""
    await core.user(CORE_ID)
    await core.user(OTHER_ID, external=CORE_ID)
    minted = MintedSession.begun(CORE_ID)
    await core.session(minted)

    with pytest.raises(PayloadError) as error:
        await found(core, minted)
    source = await opened(core)
    theirs = await source.sessions_of(CORE_ID, None)
    await source.close()

    why = f"{minted.handle}: user_id is mapped twice: it is the external id of one user, and the core's id of another"
    assert why == str(error.value)
    assert [] == theirs
    assert [f"SuperTokens: the session {why.replace(': ', ' cannot be taken: ', 1)}"] == caplog.messages


async def test_all_sessions_of_a_user(core: Core) -> None:
    """By one id all sessions of the user are found, whichever of the linked users signed in; of one tenant if it is asked for."""
    await core.user(CORE_ID, external="ada")
    await core.user(OTHER_ID, primary=CORE_ID, external="ada at work")
    await core.user(THIRD_ID)
    own = [MintedSession.begun(each) for each in ("ada", CORE_ID, OTHER_ID, "ada at work")]
    shop = MintedSession.begun("ada", tenant_id="shop")
    ended, other = MintedSession.begun("ada"), MintedSession.begun(THIRD_ID)
    for each in (*own, shop, other):
        await core.session(each)
    await core.session(ended, expires_at=1_700_000_000_001)
    source = await opened(core)
    everywhere, in_shop, as_linked = [
        {each.session_id for each in await source.sessions_of(*asked)}
        for asked in [("ada", None), ("ada", "shop"), ("ada at work", None)]
    ]
    await source.close()

    assert {each.session_id for each in (*own, shop)} == everywhere
    assert {shop.session_id} == in_shop
    assert set() == as_linked


async def test_row_that_cannot_be_taken_or_in_part_alone(make_core: MakeCore, core_driver: str) -> None:
    """What is in the row decides (see `test_rows`); NULL, and a text that is larger than any of ours, come from the database."""
    core = await make_core()
    await core.key()
    large, empty = MintedSession.begun(), MintedSession.begun()
    if core_driver.startswith("mysql"):
        async with core.owner.begin() as connection:
            await connection.execute(text("ALTER TABLE session_info MODIFY session_data MEDIUMTEXT"))
    await core.session(large, session_data=f'{{"a": "{"x" * MAX_OBJECT}"}}')
    await core.session(empty, session_data=None, jwt_user_payload=None)
    source = await opened(core)
    with pytest.raises(PayloadError) as error:
        await source.session(large.session_id, "public")
    session = await source.session(empty.session_id, "public")
    await source.close()

    assert f"{large.handle}: session_data is too large: more than {MAX_OBJECT} bytes" == str(error.value)
    assert session is not None
    assert ({}, {}) == (session.access_token_payload, session.session_data)


async def test_public_keys_of_the_database(core: Core) -> None:
    """Both separators are read, keys for other algorithms are left out, and of a pair only the public half is kept."""
    first, second = stored_pair("|"), stored_pair(";")
    await core.add("session_access_token_signing_keys", {"created_at_time": 1_700_000_000_000, "value": first})
    await core.add(
        "jwt_signing_keys",
        {"key_id": "s-1", "key_string": second, "algorithm": "RS256", "created_at": 1},
        {"key_id": "s-2", "key_string": "a secret of an HMAC", "algorithm": "HS256", "created_at": 1},
        {"key_id": "s-3", "key_string": "broken|broken", "algorithm": "RS256", "created_at": 1},
        {"key_id": "s-4", "key_string": curve_pair(), "algorithm": "RS256", "created_at": 1},
    )
    source = await opened(core)
    keys = await source.public_keys()
    await source.close()

    assert ["d-1700000000000", "s-1"] == [key.kid for key in keys]
    assert [pem_of(first), pem_of(second)] == [
        jwk.construct({**key.public_jwk}, "RS256").to_pem().decode() for key in keys
    ]
    assert [{"kty", "n", "e"}] * 2 == [set(key.public_jwk) for key in keys]


async def test_public_keys_that_are_given() -> None:
    """After the import the JWK Set of the core does in the place of its database."""
    given = {"kty": "RSA", "kid": "d-1", "n": "AQAB", "e": "AQAB", "alg": "RS256", "use": "sig"}
    source = SuperTokens(refresh_token_key=KEY, public_keys={"keys": [given]})
    key = (await source.public_keys())[0]

    assert ("d-1", "RS256", {"kty": "RSA", "n": "AQAB", "e": "AQAB"}) == (key.kid, key.algorithm, key.public_jwk)


async def test_without_database_nothing_is_found() -> None:
    """After the import, without the database, tokens are opened and no session is found."""
    source = SuperTokens(refresh_token_key=SecretStr(KEY))
    minted = MintedSession.begun()
    await source.open()

    assert source.read_refresh_token(minted.token) is not None
    assert (None, ()) == (await source.session(minted.session_id, "public"), await source.sessions_of("ada", None))
    await source.close()


async def test_nothing_can_be_written(core: Core) -> None:
    """The reader may read alone, and says so to the database: a user who may write cannot either."""
    owner = create_async_engine(core.url)
    minted = MintedSession.begun()
    await core.session(minted)
    async with owner.connect() as connection:
        with pytest.raises(DBAPIError):
            await connection.execute(text("DELETE FROM session_info"))
    await owner.dispose()
    writer = SuperTokens(core.owner.url.render_as_string(hide_password=False), timeout=PATIENCE)
    await writer.open()
    with pytest.raises(StoreUnavailable):
        await writer.database._run(lambda connection: connection.execute(text("DELETE FROM session_info")))
    assert await writer.session(minted.session_id, "public") is not None
    await writer.close()


@pytest.mark.parametrize(
    ("shape", "tables"),
    [
        ({"prefix": "st"}, SuperTokensTables(prefix=" st ")),
        ({"prefix": "ST"}, SuperTokensTables(prefix="ST")),
        (
            {"prefix": "st", "names": {"session_info": "logins", "key_value": "odds"}},
            SuperTokensTables(prefix="st", session_info="logins", key_value="odds"),
        ),
    ],
    ids=["prefix", "upper case", "renamed"],
)
async def test_names_of_tables(
    make_core: MakeCore, core_driver: str, shape: dict[str, Any], tables: SuperTokensTables
) -> None:
    """A prefix gets its underscore, renamed tables take none, and PostgreSQL writes all in lower case."""
    if core_driver.startswith("postgresql"):
        shape = {**shape, "prefix": shape["prefix"].lower()}
    core = await make_core(**shape)
    await core.key()
    minted = MintedSession.begun()
    await core.session(minted)
    source = await opened(core, tables=tables)

    assert await source.session(minted.session_id, "public") is not None
    await source.close()


async def refused(core: Core, *, url: str | None = None, **settings: Any) -> str:
    """What is said when such a source is opened."""
    with pytest.raises(ConfigurationError) as error:
        await SuperTokens(url or core.url, timeout=PATIENCE, **settings).open()
    return str(error.value)


async def test_other_app(core: Core) -> None:
    """An app that is not in the database is a mistake; the error names those that are."""
    assert (
        "app_id: there is no refresh_token_key of the app 'shop', but of 'public': give one of these"
        == await refused(core, app_id="shop")
    )


async def test_no_key(make_core: MakeCore) -> None:
    """A core that has never begun a session has no key."""
    assert (await refused(await make_core())).startswith("database: key_value has no refresh_token_key")


async def test_other_key(core: Core) -> None:
    """A key beside the database that is not its own is a mistake; and is not printed."""
    message = await refused(core, refresh_token_key=OTHER_KEY)

    assert message.startswith("refresh_token_key: it is not that of the app 'public' in the database")
    assert "3c3c" not in message


async def test_other_prefix(make_core: MakeCore, core_driver: str) -> None:
    """If the tables have another prefix, the error names them."""
    core = await make_core(prefix="st")
    schema = "public" if core_driver.startswith("postgresql") else "supertokens"

    assert (await refused(core)).startswith(
        f"tables: there is no table session_info, but {schema}.st_session_info: give"
    )


async def test_other_schema(make_core: MakeCore, core_driver: str) -> None:
    """Tables in a schema are found there, and without it the error names it. MySQL has none."""
    if core_driver.startswith("mysql"):
        core = await make_core()
        assert (await refused(core, tables=SuperTokensTables(schema="auth"))).startswith(
            "tables.schema: MySQL has no schemas"
        )
        return
    core = await make_core(schema="auth")
    await core.key()
    assert (await refused(core)).startswith("tables: there is no table session_info, but auth.session_info: give")

    source = await opened(core, tables=SuperTokensTables(schema="AUTH"))
    await source.close()


async def test_other_database(make_core: MakeCore) -> None:
    """A database that is no core's, or is not there, is a mistake."""
    core = await make_core()
    async with core.owner.begin() as connection:
        await connection.run_sync(core.tables["session_info"].metadata.drop_all)
    absent = core.owner.url.set(database="absent").render_as_string(hide_password=False)

    assert (await refused(core)).startswith("database: it has no table session_info, nor one like it")
    assert (await refused(core, url=absent)).startswith("database: the server has no such database")


async def test_older_core(make_core: MakeCore) -> None:
    """Tables of a core that is too old lack columns; the error names these, and the version."""
    core = await make_core(without=ADDED_BY_7_0)

    assert (
        "database: it lacks app_id_to_user_id.primary_or_recipe_user_id:"
        " its tables are older than those of SuperTokens core 7.0; upgrade the core first" == await refused(core)
    )


async def test_user_who_may_not_read(make_core: MakeCore, core_driver: str) -> None:
    """A user who may not read a table is a mistake of the set-up, and no outage."""
    core = await make_core()
    await core.key()
    reader = "supertokens_reader" + ("" if core_driver.startswith("postgresql") else "@localhost")
    table = "jwt_signing_keys" if core_driver.startswith("postgresql") else "supertokens.*"
    async with core.owner.begin() as connection:
        await connection.execute(text(f"REVOKE SELECT ON {table} FROM {reader}"))

    assert (await refused(core)).startswith("database: ")


async def test_server_that_is_down(tmp_path: Any) -> None:
    """A server that does not respond may come: that is no mistake, and the error names the place without a password."""
    source = SuperTokens(f"postgresql+asyncpg://ada:hunter2@/supertokens?host={tmp_path}")
    with pytest.raises(StoreUnavailable) as error:
        await source.open()

    assert "hunter2" not in str(error.value) + repr(source)
    assert f"at {tmp_path}:the default port, database supertokens" in str(error.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "database: give the URL"),
        ({"database": "postgresql://host/supertokens"}, "database: give a URL with a driver"),
        ({"database": "sqlite+aiosqlite:///file"}, "database: give a URL with a driver"),
        (
            {"database": "postgresql+asyncpg://h/db?currentSchema=auth"},
            "database: it has the option currentSchema of JDBC",
        ),
        ({"database": "postgresql+asyncpg://h/db?colour=red"}, "database: asyncpg knows no option 'colour'"),
        ({"refresh_token_key": "secret"}, "refresh_token_key: give the value"),
        ({"refresh_token_key": f"{KEY}\n"}, "refresh_token_key: give the value"),
        ({"refresh_token_key": KEY, "public_keys": {}}, "public_keys: give a JWK Set"),
        ({"refresh_token_key": KEY, "public_keys": {"keys": [{"kty": "EC"}]}}, "public_keys: give RSA keys"),
        (
            {"refresh_token_key": KEY, "access_token_validity": timedelta(days=8)},
            "access_token_validity: give 0 to 604800",
        ),
        ({"refresh_token_key": KEY, "rotation_grace": timedelta(hours=1)}, "rotation_grace: give 0 to 300 seconds"),
    ],
    ids="nothing no-driver sqlite jdbc option key key-with-newline no-set no-key validity grace".split(),
)
def test_settings_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    """What cannot be is refused at construction, with the setting and the fix."""
    with pytest.raises(ConfigurationError) as error:
        SuperTokens(**settings)

    assert str(error.value).startswith(message)
    assert "secret" not in str(error.value)


def test_nothing_secret_is_printed() -> None:
    """Neither the key nor a password is in what is printed."""
    source = SuperTokens("mysql+asyncmy://ada:hunter2@host/db", refresh_token_key=KEY)

    assert "SuperTokens(mysql+asyncmy://ada:***@host/db, app_id='public')" == repr(source)
    assert "5a5a" not in repr(vars(source))


def curve_pair() -> str:
    public = generate_private_key(SECP256R1()).public_key()
    return f"{b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()}|private"


def pem_of(pair: str) -> str:
    """The public half of a stored pair, as python-jose writes it."""
    lines = pair.replace(";", "|").partition("|")[0]
    body = "\n".join(lines[start : start + 64] for start in range(0, len(lines), 64))
    return f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n"
