"""What is in the archives: all that an application needs, nothing that it does not, and a page that says so."""

from __future__ import annotations

import re
import sys
import tarfile
from email import message_from_bytes
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.pages import ROOT
from tests.release.conftest import Archives, run_well
from tests.release.setup import PROJECT

VERSION = PROJECT["project"]["version"]
INFORMATION = f"fastapi_session_auth-{VERSION}.dist-info"


def of_package() -> set[str]:
    """The files of the package in this checkout."""
    files = (ROOT / "fastapi_session").rglob("*")
    return {each.relative_to(ROOT).as_posix() for each in files if each.is_file() and each.parent.name != "__pycache__"}


def in_source(archive: Path) -> set[str]:
    with tarfile.open(archive) as opened:
        return {each.name.partition("/")[2] for each in opened if each.isfile()}


def test_the_wheel_has_the_package_alone(archives: Archives) -> None:
    """The wheel, built from the source archive alone, has each file of the package, and nothing else but what describes it."""
    with ZipFile(archives.wheel) as opened:
        names = {*opened.namelist()}
    described = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}

    assert of_package() | {f"{INFORMATION}/{each}" for each in described} == names
    assert {
        "fastapi_session/py.typed",
        "fastapi_session/web/script/client.js",
        "fastapi_session/web/script/client.d.ts",
        "fastapi_session/stores/sql/migrations/env.py",
        "fastapi_session/stores/sql/migrations/versions/0001_tables.py",
    } <= names


def test_the_source_archive(archives: Archives) -> None:
    """It has the package, its tests and its documentation; nothing that a run leaves behind, and nothing that is not in the checkout."""
    names = in_source(archives.source)
    folders = {name.partition("/")[0] for name in names if "/" in name}
    files = {name for name in names if "/" not in name}

    assert {"benchmarks", "docs", "example_app", "fastapi_session", "tests"} == folders
    assert {
        *(".gitignore", "CHANGELOG.md", "LICENSE", "Makefile", "PKG-INFO"),
        *("README.md", "SECURITY.md", "mkdocs.yml", "pyproject.toml"),
    } == files
    assert of_package() == {name for name in names if name.startswith("fastapi_session/")}
    assert [] == [name for name in names if re.search(r"__pycache__|\.pyc$|\.db|\.secret$|/\.", name)]
    assert [] == [name for name in names - {"PKG-INFO"} if not (ROOT / name).is_file()]


def test_the_wheel_of_the_checkout_is_the_same(archives: Archives, wheels: dict[str, str], tmp_path: Path) -> None:
    """Whoever builds the wheel from the checkout, without the source archive, gets the same bytes."""
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir")
    run_well(*pip, str(tmp_path), str(ROOT), variables=wheels)

    assert archives.wheel.read_bytes() == (tmp_path / archives.wheel.name).read_bytes()


def test_the_metadata_is_in_order(archives: Archives) -> None:
    """A registry takes both archives: nothing is missing, and their page renders."""
    if find_spec("twine") is None:
        pytest.skip("twine is not installed: it comes with the extra release")
    run_well(sys.executable, "-m", "twine", "check", "--strict", str(archives.source), str(archives.wheel))


def test_the_page_of_the_package(archives: Archives) -> None:
    """It is README.md, and no link on it leads beside the page, where the documentation is not."""
    with ZipFile(archives.wheel) as opened:
        described = message_from_bytes(opened.read(f"{INFORMATION}/METADATA"))
    page = str(described.get_payload())
    links = re.findall(r"\]\(([^)]*)\)", page)
    headings = re.findall(r"^#+ .*$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)

    assert headings == re.findall(r"^#+ .*$", page, re.MULTILINE)
    assert [] == [link for link in links if not link.startswith("https://")]
    assert "How it compares with SuperTokens" in page
    assert (VERSION, "Apache-2.0") == (described["Version"], described["License-Expression"])
