"""The page that compares says of every statement where it was read, and names only what exists."""

from __future__ import annotations

import re
from inspect import signature
from types import FunctionType

import pytest

import fastapi_session
from fastapi_session import SessionConfig
from tests.pages import TEXTS

TEXT = TEXTS["docs/comparison.md"]
PAGE, _, SOURCES = TEXT.partition("## Sources\n")
LINES = re.findall(r"^\| (.+) \|$", PAGE, re.MULTILINE)
OURS = "**this library**"
PEERS = {
    "SuperTokens": "S",
    "better-auth": "B",
    "fastapi-users": "F",
    "crudauth": "C",
    "Supabase Auth": "U",
    "Ory Kratos": "K",
}
"""The other projects of the tables, each with the letter of its marks."""
MARK = re.compile(r"\[([SBFCUKA]\d+)\](?![:(])")
VERSIONS = {
    "S": ("v12.1.1", "0.31.4", "ca9b5754abec92b45a45be137245e353b9e185ca"),
    "B": ("@1.7.25", "v1.7.1"),
    "F": ("v15.0.5", "7.0.0"),
    "C": ("0.8.2",),
    "U": ("v2.196.0",),
    "K": ("v26.2.0",),
    "A": ("0.1.0", "0.2.1"),
}
"""By the letter of their marks: the versions whose files were read."""


def rows() -> list[list[str]]:
    """The rows of every table about a feature, as cells."""
    return [cells for line in LINES if (cells := line.split(" | "))[0] in {OURS, *PEERS}]


def test_each_table_has_every_project() -> None:
    """Each table tells of all seven, in one order."""
    names = [cells[0] for cells in rows()]

    assert [OURS, *PEERS] * (len(names) // 7) == names


@pytest.mark.parametrize(("peer", "letter"), [*PEERS.items()])
def test_each_statement_has_its_source(peer: str, letter: str) -> None:
    """Each cell about another project has a mark of that project, or says that nothing was found, or that nothing can be."""
    cells = [cell for row in rows() if row[0] == peer for cell in row[1:]]
    bare = [cell for cell in cells if not cell.startswith(("not found", "does not apply", "no: it is a server"))]

    assert cells
    assert [] == [cell for cell in bare if not MARK.findall(cell)]
    assert {letter} == {mark[0] for cell in cells for mark in MARK.findall(cell)}


def test_each_search_can_be_repeated() -> None:
    """Below a table in which something was not found stands what was searched for."""
    sections = [section for section in PAGE.split("\n## ")[1:] if "not found" in section]

    assert sections
    assert [] == [section for section in sections if not re.search(r"^Searched for: `", section, re.MULTILINE)]


def test_each_mark_leads_to_a_file_of_a_version() -> None:
    """Each mark of the tables is in the list of sources, and leads to a file of the version that was read; none is left over."""
    listed = re.findall(r"^- \[(\w+)\] `.+", SOURCES, re.MULTILINE)
    targets = dict(re.findall(r"^\[(\w+)\]: (https://\S+)$", SOURCES, re.MULTILINE))

    assert "] [" not in PAGE, "Markdown takes the second mark for the target of the first"
    assert sorted(set(MARK.findall(PAGE))) == sorted(listed) == sorted(targets)
    assert [] == [mark for mark, url in targets.items() if not any(version in url for version in VERSIONS[mark[0]])]


def known_words() -> set[str]:
    """The public names, and what they have: attributes, settings and arguments."""
    public = [getattr(fastapi_session, name) for name in fastapi_session.__all__]
    arguments = {name for each in public if isinstance(each, FunctionType) for name in signature(each).parameters}
    return {
        *fastapi_session.__all__,
        *arguments,
        *SessionConfig.model_fields,
        *(word for each in public for word in dir(each)),
    }


def test_each_name_of_ours_exists() -> None:
    """What stands as code in a cell about this library is a word of its public interface."""
    code = [name for cells in rows() if cells[0] == OURS for name in re.findall(r"`(\w+)", " ".join(cells))]

    assert code
    assert set() == set(code) - known_words()
