"""The options in the query of a URL, and how each is read: one that the driver does not know is an error at once.

| driver | options |
|---|---|
| asyncpg | its own, the TLS options of libpq, and two settings of the server |
| psycopg | those of libpq, as the one that is installed knows them, and how soon a statement is prepared |
| asyncmy | its own |

Any other driver is given its options as SQLAlchemy reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from urllib.parse import urlencode

from sqlalchemy import URL, make_url

from fastapi_session.errors import ConfigurationError

Read = Callable[[str], object]
"""Returns what a driver is given for the text of an option. Raises ValueError."""
Options = Mapping[str, Read]

UNNAMED: Mapping[str, Mapping[str, object]] = {
    "asyncpg": {"statement_cache_size": 0},
    "psycopg": {"prepare_threshold": None},
}
"""What a driver is given, if the URL does not say otherwise, so that it prepares nothing under a name (see `prepared`)."""


def number(value: str) -> int:
    """Return *value*, a number that is not negative."""
    if not value.isdecimal():
        raise ValueError("give a whole number")
    return int(value)


def number_or_none(value: str) -> int | None:
    """Return *value*, a number that is not negative, or `None` for `none`."""
    return None if value.lower() == "none" else number(value)


def seconds(value: str) -> float:
    """Return *value*, a number of seconds."""
    duration = float(value)
    if not 0 < duration < float("inf"):
        raise ValueError("give a number of seconds")
    return duration


def flag(value: str) -> bool:
    """Return *value*, `true` or `false`."""
    if value.lower() not in {"true", "false"}:
        raise ValueError("give true or false")
    return value.lower() == "true"


def checked(read: Read) -> Read:
    """Return what leaves a value, which *read* understands, as the text that SQLAlchemy or the driver reads by itself."""

    def text(value: str) -> str:
        read(value)
        return value

    return text


def one_of(*values: str) -> Read:
    """Return what reads one of *values*."""

    def read(value: str) -> str:
        if value not in values:
            raise ValueError(f"give {', '.join(values)}")
        return value

    return read


# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
_SSLMODE = one_of("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_PLACE: Options = {"host": str, "port": str, "user": str, "password": str, "passfile": str}

# Those of libpq that asyncpg takes from a DSN alone: https://magicstack.github.io/asyncpg/current/api/index.html#connection
_IN_DSN: Options = {
    "sslmode": _SSLMODE,
    "sslcert": str,
    "sslkey": str,
    "sslrootcert": str,
    "sslcrl": str,
    "sslpassword": str,
    "sslnegotiation": one_of("postgres", "direct"),
    "ssl_min_protocol_version": str,
    "ssl_max_protocol_version": str,
    # A DSN hands on to the server what asyncpg does not know.
    "application_name": str,
    "options": str,
}
_ASYNCPG: Options = {
    **_PLACE,
    **_IN_DSN,
    "ssl": _SSLMODE,
    "direct_tls": flag,
    "timeout": seconds,
    "command_timeout": seconds,
    "target_session_attrs": one_of("any", "primary", "standby", "read-write", "read-only", "prefer-standby"),
    "krbsrvname": str,
    "gsslib": one_of("gssapi", "sspi"),
    # More than none has the server keep statements under names, and SQLAlchemy so many of their descriptions.
    "statement_cache_size": number,
    "prepared_statement_cache_size": number,
}

# https://github.com/long2ice/asyncmy and SQLAlchemy's words for TLS
_ASYNCMY: Options = {
    "unix_socket": str,
    "charset": str,
    "sql_mode": str,
    "init_command": str,
    "read_default_file": str,
    "read_default_group": str,
    "program_name": str,
    "connect_timeout": checked(number),
    "read_timeout": checked(number),
    "client_flag": checked(number),
    "local_infile": checked(flag),
    "max_allowed_packet": number,
    "ssl_ca": str,
    "ssl_key": str,
    "ssl_cert": str,
    "ssl_capath": str,
    "ssl_cipher": str,
    "ssl_check_hostname": checked(flag),
}


def psycopg_options() -> Options:
    """Return the options of the psycopg, and the libpq, that are installed."""
    known = import_module("psycopg").pq.Conninfo.get_defaults()
    return {
        **{option.keyword.decode(): str for option in known},
        "connect_timeout": checked(number),
        "sslmode": _SSLMODE,
        "prepare_threshold": number_or_none,
    }


@dataclass(frozen=True, slots=True)
class Destination:
    """The database of an engine of ours: its *url*, and the *arguments* of the driver that SQLAlchemy does not read from it."""

    url: URL = field(repr=False)
    arguments: Mapping[str, object] = field(repr=False)


def destination(text: str) -> Destination:
    """Return what the URL *text* says.

    Raises ConfigurationError naming the option that is wrong, ValueError or an error of SQLAlchemy for what is no URL.
    """
    whole = Destination(make_url(text), {})
    if "@" in (whole.url.host or ""):
        raise ConfigurationError("store: an @ in the user or the password of a URL is written %40")
    driver = whole.url.get_driver_name()
    options = options_of(driver)
    if options is None:
        return whole
    given = {name: _read(name, value, options, driver=driver) for name, value in whole.url.query.items()}
    text_options = {name: value for name, value in given.items() if isinstance(value, str | tuple)}
    arguments = {name: value for name, value in given.items() if name not in text_options}
    if driver == "asyncpg":
        in_dsn = {name: text_options.pop(name) for name in _IN_DSN.keys() & text_options.keys()}
        arguments |= {"dsn": f"postgresql://?{urlencode(in_dsn)}"} if in_dsn else {}
    return Destination(whole.url.set(query=text_options), {**UNNAMED.get(driver, {}), **arguments})


def _read(name: str, value: str | Sequence[str], options: Options, *, driver: str) -> object:
    if name not in options:
        raise ConfigurationError(f"store: {driver} knows no option {name!r} in a URL, but {', '.join(sorted(options))}")
    if not isinstance(value, str):
        if name in _PLACE:
            return tuple(value)  # several hosts
        raise ConfigurationError(f"store: the option {name!r} is in the URL more than once")
    try:
        return options[name](value)
    except ValueError as error:
        raise ConfigurationError(f"store: the option {name!r} of {driver} cannot be {value!r}: {error}") from error


def options_of(driver: str) -> Options | None:
    """Return the options of *driver*, `None` for one of which we do not know."""
    if driver == "psycopg":
        return psycopg_options()
    return {"asyncpg": _ASYNCPG, "asyncmy": _ASYNCMY}.get(driver)
