"""`python -m fastapi_session`, and `fastapi-session`: the command line, if the packages that it needs are installed."""

from __future__ import annotations

import sys
from importlib import import_module

_NEEDED = {"rich", "typer"}
_INTERRUPTED = 130
"""What a shell says of a program that Ctrl-C has ended: 128 and the number of the signal."""


def main() -> None:
    """Do as the command line says. Without the extra `cli`, say how it is installed; the exit code is 1 then, and 130 after Ctrl-C."""
    try:
        program = import_module("fastapi_session.cli.program")
    except ModuleNotFoundError as error:
        if error.name not in _NEEDED:
            raise
        sys.exit(f"fastapi-session needs {error.name}, which comes with pip install 'fastapi-session-auth[cli]'")
    except KeyboardInterrupt:  # while all is imported, which may take a second; later it is typer's
        sys.exit(_INTERRUPTED)
    program.run()


if __name__ == "__main__":
    main()
