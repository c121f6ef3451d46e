"""The map of modules in docs/architecture.md: each folder, each module, and the first sentence of its docstring.

    python -m tests.architecture

writes it anew; `tests/test_docs.py` finds out when it is not that of today.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
HEADING = "## Where to find it\n"
NOT_SHOWN = {"migrations", "script", "templates"}
"""Folders whose files are no modules that anybody imports."""


def written() -> str:
    """The map as the page has it."""
    return PAGE.read_text("utf-8").split(HEADING)[1]


def drawn() -> str:
    """The map of the modules that are there."""
    package = ROOT / "fastapi_session"
    return "".join(f"\n### `{room.relative_to(ROOT).as_posix()}/`\n\n{table(room)}" for room in rooms(package))


def rooms(folder: Path) -> Iterator[Path]:
    """The folder and those below it, in the order of the alphabet."""
    yield folder
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name[0] not in "_." and path.name not in NOT_SHOWN:
            yield from rooms(path)


def table(room: Path) -> str:
    """A row for each module of the room."""
    modules = [path for path in sorted(room.glob("*.py")) if path.name != "__init__.py"]
    rows = "".join(f"| `{path.name}` | {first_sentence(path)} |\n" for path in modules)
    return f"{first_sentence(room / '__init__.py')}\n\n| | |\n|---|---|\n{rows}"


def first_sentence(module: Path) -> str:
    """What the module is for, as its docstring begins."""
    docstring = ast.get_docstring(ast.parse(module.read_text("utf-8"))) or ""
    return docstring.split("\n")[0].replace("|", "\\|")


if __name__ == "__main__":
    kept = PAGE.read_text("utf-8").split(HEADING)[0]
    PAGE.write_text(kept + HEADING + drawn(), "utf-8")
