"""`python -m fastapi_session.stores.sql migrate [URL]`: make or renew the tables, before the application starts."""

from __future__ import annotations

import asyncio
import os
import sys
from argparse import ArgumentParser

from fastapi_session.errors import ConfigurationError, StoreUnavailable
from fastapi_session.plain_text import printable
from fastapi_session.store_url import StoreUrl
from fastapi_session.stores.sql.migrating import migrate_or_say


def main() -> None:
    """Do as the command line says, and say so in one line. What the database refuses is printed in one line, and the exit code is 1."""
    parser = ArgumentParser(prog="python -m fastapi_session.stores.sql")
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("migrate", help="bring the tables to what this version of fastapi_session needs")
    verb.add_argument(
        "url",
        nargs="?",
        default=os.environ.get("FASTAPI_SESSION_STORE"),
        help="as in postgresql+asyncpg://user@host/database; FASTAPI_SESSION_STORE if it is not given",
    )
    url = parser.parse_args().url
    if url is None:
        parser.error("give the URL of the database, or set FASTAPI_SESSION_STORE")
    try:
        asyncio.run(migrate_or_say(url))
    except (ConfigurationError, StoreUnavailable) as error:
        sys.exit(str(error))
    sys.stdout.write(f"{printable(StoreUrl(url).printed)}: the tables are up to date\n")


if __name__ == "__main__":
    main()
