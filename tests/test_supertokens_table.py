"""Every row of the tables on "Coming from SuperTokens" works: the new call does over HTTP what the row promises."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType

import pytest

import fastapi_session
from fastapi_session import (
    BooleanClaim,
    Claim,
    ClaimFailure,
    ClaimValidator,
    PrimitiveArrayClaim,
    PrimitiveClaim,
    Session,
    SessionConfig,
    SessionInformation,
    Sessions,
    SessionTokens,
)
from fastapi_session.testing import HandClock
from tests.supertokens import (
    claims,
    errors,
    in_a_request,
    new_words,
    overrides,
    setting_up,
    the_session,
    without_a_request,
)
from tests.supertokens.rows import (
    PROOFS,
    Serve,
)

PAGE = Path(__file__).parents[1] / "docs" / "coming-from-supertokens.md"
LINE = re.compile(r"^\| (.+?) \| (.+) \|$", re.MULTILINE)
CODE = re.compile(r"`([^`]+)`")
NAME = re.compile(r"\b[A-Z]\w+|(?<=\.)\w+|\w+(?=[(=])|^\w+$")
"""A class, an attribute, what is called or passed by name; what stands in a call besides is the reader's own."""


SECTIONS: dict[str, ModuleType] = {
    "Setting up": setting_up,
    "In a request": in_a_request,
    "The session": the_session,
    "Without a request": without_a_request,
    "Claims": claims,
    "Errors": errors,
    "Overrides": overrides,
    "What SuperTokens has no word for": new_words,
}
SET_UP = {"SessionConfig", "install"}
"""What every test does before it begins."""


def rows_of(section: str) -> dict[str, str]:
    """The rows of one table: what was called before, and what is now."""
    _, _, text = PAGE.read_text("utf-8").partition(f"## {section}\n")
    cells = [cell for cell in LINE.findall(text.partition("\n## ")[0]) if cell[0] not in {"before", "---"}]
    named = {CODE.findall(old)[0]: new for old, new in cells}
    assert len(cells) == len(named), "two rows begin with the same call"
    return named


ROWS = {old: new for section in SECTIONS for old, new in rows_of(section).items()}


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as stack:
        yield Serve(stack, HandClock())


def public_words() -> set[str]:
    """The words that name something of ours."""
    kinds = (Session, Sessions, SessionInformation, SessionTokens, SessionConfig, Claim, ClaimValidator, ClaimFailure)
    members = {name for kind in kinds for base in kind.__mro__ for name in vars(base)}
    fields = {name for kind in kinds for base in kind.__mro__ for name in vars(base).get("__annotations__", {})}
    validators = {name for kind in (PrimitiveClaim, BooleanClaim, PrimitiveArrayClaim) for name in vars(kind)}
    return {*fastapi_session.__all__, *members, *fields, *validators}


def test_every_table_is_proved() -> None:
    """Every table of the page but the last promises something, and has its file of tests."""
    headings = re.findall(r"^## (.+)$", PAGE.read_text("utf-8"), re.MULTILINE)

    assert [*SECTIONS, "No longer needed"] == headings


@pytest.mark.parametrize("section", SECTIONS)
def test_every_row_is_proved(section: str) -> None:
    """Every row has a test, and every test its row."""
    proofs = {old for old, (prove, _) in PROOFS.items() if prove.__module__ == SECTIONS[section].__name__}

    assert rows_of(section).keys() == proofs


@pytest.mark.parametrize("old", PROOFS)
def test_the_test_uses_what_the_row_names(old: str) -> None:
    """What a row says to use is what its test uses, and is a name of ours."""
    prove, arguments = PROOFS[old]
    named = {name for code in CODE.findall(ROWS[old]) for name in NAME.findall(code)} & public_words()
    used = set(re.findall(r"\w+", inspect.getsource(prove))) | set(arguments)

    assert named
    assert set() == named - used - SET_UP


@pytest.mark.parametrize("old", PROOFS)
def test_row(old: str, serve: Serve) -> None:
    """The new call does over HTTP what the row promises."""
    prove, arguments = PROOFS[old]
    if inspect.iscoroutinefunction(prove):
        serve().visit(prove, *arguments)
    else:
        prove(serve, *arguments)
