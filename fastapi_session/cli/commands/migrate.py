"""`fastapi-session migrate [URL]`: the store is made ready for this version, before the application starts.

| the store | then |
|---|---|
| a database | its tables are made or renewed |
| a SQLite file | it is made or renewed, as when the application opens it |
| Redis or Valkey, or in memory | nothing: it has no tables |
"""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import Annotated

import typer

from fastapi_session.cli.deployment import App
from fastapi_session.cli.opened import quiet_configuration
from fastapi_session.cli.printing import AsJson, print_json
from fastapi_session.cli.variables import resolved
from fastapi_session.clock import system_clock
from fastapi_session.errors import ConfigurationError
from fastapi_session.plain_text import printable
from fastapi_session.store_url import StoreUrl
from fastapi_session.stores.by_url import store_by_url
from fastapi_session.stores.sqlite import SqliteStore

Url = Annotated[
    str | None,
    typer.Argument(
        metavar="URL", help="The store, or env:VARIABLE that has its URL. Without it, that of the deployment."
    ),
]

_SQL = "fastapi_session.stores.sql.migrating"
_IS_SQL = ("postgresql+", "mysql+", "mariadb+")


def migrate_store(url: Url = None, *, json: AsJson = False, app: App = None) -> None:
    """Make the tables of the store, or bring them to what this version needs. It may be repeated, and while the application runs."""
    target = StoreUrl(_configured(app) if url is None else resolved(url))
    has_tables = asyncio.run(_migrate(target))
    if json:
        print_json(store=target.printed, has_tables=has_tables)
        return
    typer.echo(f"{printable(target.printed)}: {'the tables are up to date' if has_tables else 'it has no tables'}")


def _configured(app: str | None) -> str:
    store = quiet_configuration(app).store
    if not isinstance(store, str):
        raise ConfigurationError(
            f"store: the application makes its {type(store).__name__} itself; give the URL, or for an engine of your own call "
            "migrate(engine) of fastapi_session.stores.sql"
        )
    return store


async def _migrate(target: StoreUrl) -> bool:
    """Migrate the store, and say whether it has tables. Raises `ConfigurationError`, `StoreUnavailable`."""
    store = store_by_url(target, clock=system_clock)  # which says what is wrong with the URL, or not installed
    if target.startswith(_IS_SQL):
        await import_module(_SQL).migrate_or_say(target)
        return True
    if isinstance(store, SqliteStore):
        await store.open()
        await store.close()
        return True
    return False
