"""The program: which commands there are, and how it ends.

| exit code | means |
|---|---|
| 0 | all was done |
| 1 | something could not be done: it was said what, in a line on the standard error |
| 2 | the command line is wrong |
| 130 | Ctrl-C |

What has nowhere to go is 1 too: in silence if nobody reads any more, as behind `| head`, and with a line if the disk is full.
"""

from __future__ import annotations

import errno
import os
import sys
from importlib.metadata import version
from io import TextIOWrapper
from typing import Annotated

import typer

from fastapi_session.cli.commands.copy import copy
from fastapi_session.cli.commands.doctor import examine_deployment
from fastapi_session.cli.commands.events import print_events
from fastapi_session.cli.commands.explain import explain_token
from fastapi_session.cli.commands.import_supertokens import supertokens
from fastapi_session.cli.commands.keys_list import list_keys
from fastapi_session.cli.commands.keys_reencrypt import reencrypt_keys
from fastapi_session.cli.commands.keys_revoke import revoke_key
from fastapi_session.cli.commands.keys_rotate import rotate_keys
from fastapi_session.cli.commands.migrate import migrate_store
from fastapi_session.cli.commands.secret_check import check_secret
from fastapi_session.cli.commands.secret_make import make_secret
from fastapi_session.cli.commands.sessions_count import count_sessions
from fastapi_session.cli.commands.sessions_list import list_sessions
from fastapi_session.cli.commands.sessions_purge import purge
from fastapi_session.cli.commands.sessions_revoke import revoke_sessions
from fastapi_session.cli.commands.sessions_revoke_user import revoke_user
from fastapi_session.cli.commands.sessions_show import show_session
from fastapi_session.errors import ConfigurationError, PayloadError, StoreUnavailable
from fastapi_session.plain_text import printable

_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""What a system says of a file that takes no more."""

# Without its own tracebacks, which show the values of variables: what is wrong with a configuration or a store is told in a line.
program = typer.Typer(name="fastapi-session", no_args_is_help=True, pretty_exceptions_enable=False)
program.command("doctor")(examine_deployment)
program.command("explain")(explain_token)
program.command("events")(print_events)
program.command("migrate")(migrate_store)
program.command("copy")(copy)

sessions = typer.Typer(no_args_is_help=True, help="Look at sessions, and end them.")
sessions.command("list")(list_sessions)
sessions.command("show")(show_session)
sessions.command("revoke")(revoke_sessions)
sessions.command("revoke-user")(revoke_user)
sessions.command("count")(count_sessions)
sessions.command("purge")(purge)
program.add_typer(sessions, name="sessions")

keys = typer.Typer(no_args_is_help=True, help="Look at signing keys, and replace them.")
keys.command("list")(list_keys)
keys.command("rotate")(rotate_keys)
keys.command("revoke")(revoke_key)
keys.command("reencrypt")(reencrypt_keys)
program.add_typer(keys, name="keys")

secret = typer.Typer(no_args_is_help=True, help="Make a secret, and check those that are configured.")
secret.command("make")(make_secret)
secret.command("check")(check_secret)
program.add_typer(secret, name="secret")

imports = typer.Typer(no_args_is_help=True, help="Take in the sessions of another system.")
imports.command()(supertokens)
program.add_typer(imports, name="import")


def _say_version(is_asked: bool) -> None:  # noqa: FBT001 - as typer calls it
    if is_asked:
        typer.echo(version("fastapi-session-auth"))
        raise typer.Exit


@program.callback()
def _options(
    *,
    _version: Annotated[
        bool, typer.Option("--version", help="Say the version.", callback=_say_version, is_eager=True)
    ] = False,
) -> None:
    """Work on the sessions of a deployment of fastapi_session."""


def run() -> None:
    """Do as the command line says, and exit with a code of the table."""
    # Names that the encoding of the output lacks: a user's in a console of Windows.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        program()
    except (ConfigurationError, PayloadError, StoreUnavailable) as error:
        sys.exit("\n".join(map(printable, f"error: {error}".splitlines())))
    except OSError as error:  # of a pipe that is closed typer makes 1 itself
        if error.errno not in _UNWRITABLE or error.filename is not None:
            raise
        # What is left would be tried once more at the end of the process, and that fails with a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(f"error: the output cannot be written: {error.strerror}")
