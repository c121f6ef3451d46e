"""The oldest versions that are allowed are those that were run: `make lowest` installs the list, and the list is that of the bounds."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

from packaging.requirements import Requirement
from packaging.version import Version

from tests.pages import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def wanted(extra: str) -> Iterator[Requirement]:
    """What *extra* asks for, and the extras that it names."""
    for text in PROJECT["optional-dependencies"][extra]:
        found = Requirement(text)
        if found.name == PROJECT["name"]:
            for each in sorted(found.extras):
                yield from wanted(each)
        else:
            yield found


def test_each_bound_is_in_the_list() -> None:
    """Whoever lowers a bound, or adds a dependency, runs the suite at it: the list has exactly that version."""
    lines = (ROOT / "tests/lowest.txt").read_text("utf-8")
    listed = {name: Version(version) for name, version in re.findall(r"^([\w.-]+)==(\S+)", lines, re.MULTILINE)}
    bounds = {
        each.name: Version(bound.version)
        for each in (*map(Requirement, PROJECT["dependencies"]), *wanted("test"))
        for bound in each.specifier
        if bound.operator == ">="
    }

    assert 25 < len(bounds)
    assert bounds == {name: listed.get(name) for name in bounds}
