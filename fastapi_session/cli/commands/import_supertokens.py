"""`fastapi-session import supertokens [DATABASE]`: all sessions of a SuperTokens core go on here."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fastapi_session.cli.deployment import App, sessions_of
from fastapi_session.cli.printing import AsJson, print_json
from fastapi_session.cli.variables import resolved
from fastapi_session.errors import ConfigurationError
from fastapi_session.moving.supertokens import SuperTokens, SuperTokensTables
from fastapi_session.moving.supertokens.importing import Became, ImportProgress, ImportReport, import_sessions
from fastapi_session.plain_text import printable
from fastapi_session.sessions import Sessions
from fastapi_session.store_url import StoreUrl

Database = Annotated[
    str | None,
    typer.Argument(
        metavar="DATABASE",
        help="The URL of the core's database, or env:VARIABLE that has it. Without it, that of the application's moving_from.",
    ),
]
Write = Annotated[bool, typer.Option("--write", help="Do it. Without this, all is read and nothing written.")]
Schema = Annotated[str | None, typer.Option(help="The core's postgresql_table_schema.")]
Prefix = Annotated[str, typer.Option(help="The core's table_names_prefix.")]
AppId = Annotated[str, typer.Option("--app-id", help="The app of the core, of which it may have several.")]

_WORDS: dict[Became, str] = {
    "read": "can be taken in",
    "kept": "taken in",
    "renewed": "renewed",
    "there": "there already",
    "ended": "ended here before",
    "dropped": "ended there, so here too",
    "expired": "expired",
    "unfit": "not taken in",
}


def supertokens(
    database: Database = None,
    *,
    app: App = None,
    schema: Schema = None,
    prefix: Prefix = "",
    app_id: AppId = "public",
    write: Write = False,
    json: AsJson = False,
) -> None:
    """Take in all sessions of a SuperTokens core, so that nobody is signed out by the change. Only with --write is anything written.

    Nothing is changed in its database. It may be repeated while the core still runs: what has not moved yet is brought up to date.
    Exit code 1 says that some sessions could not be taken in; each is named on the standard error.
    """
    sessions = _sessions(database, app=app, tables=SuperTokensTables(schema, prefix), app_id=app_id)
    report = asyncio.run(_import(sessions, write=write))
    (_print if json else _tell)(report, _place(sessions))
    raise typer.Exit(1 if report.count("unfit") else 0)


def _sessions(database: str | None, *, app: str | None, tables: SuperTokensTables, app_id: str) -> Sessions:
    """Return the deployment's sessions, which go on from the core. Opening them keeps no key of the core, as the application does."""
    found = sessions_of(app)
    source = found.moving_from
    if database is not None:
        source = SuperTokens(_url(database), tables=tables, app_id=app_id)
    if not isinstance(source, SuperTokens):
        raise ConfigurationError(
            "DATABASE: give the URL of the core's database, or --app with moving_from=SuperTokens(...)"
        )
    if database is None and (tables != SuperTokensTables() or app_id != "public"):
        raise ConfigurationError(
            "--schema, --prefix, --app-id: they belong to DATABASE: give it, or say them in moving_from=SuperTokens(...)"
        )
    return Sessions(found.config, subscribers=found.subscribers, moving_from=source.for_import())


def _url(database: str) -> str:
    try:
        return resolved(database)
    except ConfigurationError as error:
        raise ConfigurationError(f"DATABASE: {error}") from error


async def _import(sessions: Sessions, *, write: bool) -> ImportReport:
    # On the standard error, so that the report alone can be kept.
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("sessions", total=None)
        taken = _WORDS["kept" if write else "read"]

        def tell(progress: ImportProgress) -> None:
            for remark in progress.remarks:
                became = taken if remark.taken else "not taken in"
                said = printable(f"{became}: {remark.handle}: {remark.reason}")
                console.print(said, markup=False, highlight=False, soft_wrap=True)
            bar.update(task, completed=progress.done, total=progress.total)

        try:
            await sessions.open()
            return await import_sessions(sessions, dry_run=not write, progress=tell)
        finally:
            await sessions.close()


def _place(sessions: Sessions) -> str:
    """Name the store in which the sessions go on, without a password."""
    store = sessions.config.store
    return StoreUrl(store).printed if isinstance(store, str) else f"the {type(store).__name__} of the application"


def _print(report: ImportReport, place: str) -> None:
    tenants = {tenant_id: {name: became[name] for name in _WORDS} for tenant_id, became in report.tenants.items()}
    print_json(written=report.written, store=place, tenants=tenants, remarks=dict(report.remarks.most_common()))


def _tell(report: ImportReport, place: str) -> None:
    for tenant_id, became in report.tenants.items():
        said = [f"{became[name]:,} {words}" for name, words in _WORDS.items() if became[name]]
        typer.echo(f"tenant {printable(tenant_id)}: {', '.join(said)}")
    for reason, number in report.remarks.most_common():
        typer.echo(f"{number:,} times: {printable(reason)}")
    if not report.tenants:
        typer.echo("the core has no session that has not expired")
    typer.echo(f"written to {place}" if report.written else f"nothing was written to {place}: repeat this with --write")
