"""All checks: their ids, the page that explains them, and that each has a test that finds it."""

from __future__ import annotations

import re
from pathlib import Path

from fastapi_session.doctor.catalogue import CHECKS
from fastapi_session.doctor.finding import Level

PAGE = Path(__file__).parents[2] / "docs" / "doctor-checks.md"
ROW = re.compile(r"^\| `(FS\d{3})` \| (\w+) \| (.+) \| (.+) \|$", re.MULTILINE)


def test_each_id_is_of_one_check() -> None:
    """No two checks have the same id, and each id has three digits."""
    ids = [check.id for check in CHECKS]

    assert sorted({*ids}) == ids
    assert [] == [each for each in ids if not re.fullmatch(r"FS\d{3}", each)]


def test_a_check_is_said_in_two_sentences() -> None:
    """What is wrong and what to do are each one line, without a full stop, as both stand in a longer one."""
    said = [text for check in CHECKS for text in (check.says, check.fix)]

    assert [] == [text for text in said if not text.strip() or text.endswith(".") or not text.isprintable()]


def test_the_page_has_each_check() -> None:
    """The page has a row for each check, in the order of the ids, in the words that are printed."""
    rows = ROW.findall(PAGE.read_text("utf-8").replace("\\|", "|"))
    said = [(id_, level, says.replace("`", ""), fix.replace("`", "")) for id_, level, says, fix in rows]

    assert [(check.id, check.level.value, check.says, check.fix) for check in CHECKS] == said


def test_each_check_is_tried() -> None:
    """Each id stands in a test beside this one, or of the command, in a deployment that is broken so that it is found."""
    here = Path(__file__).parent
    files = [*here.rglob("test_*.py"), here.with_name("cli") / "test_doctor.py"]
    tests = "".join(path.read_text("utf-8") for path in files)

    assert [] == [check.id for check in CHECKS if check.id not in tests]


def test_levels_are_ordered() -> None:
    """An error reaches each level, a warning all but that of errors, a remark its own alone."""
    assert [(level, least) for level in Level for least in Level if level.reaches(least)] == [
        (Level.ERROR, Level.ERROR),
        (Level.ERROR, Level.WARNING),
        (Level.ERROR, Level.INFO),
        (Level.WARNING, Level.WARNING),
        (Level.WARNING, Level.INFO),
        (Level.INFO, Level.INFO),
    ]
