"""The benchmarks still run: each can be imported, and what compares builds and stores measures every row. No figure is judged."""

from __future__ import annotations

import gc
from importlib import import_module
from pathlib import Path

import pytest

from benchmarks import create_and_refresh, in_process
from benchmarks.against import process
from benchmarks.against.__main__ import print_row
from benchmarks.against.builds import PACKAGE, ROOT, measuring, taken_out
from benchmarks.against.workloads import WORKLOADS
from benchmarks.databases import MEMORY, SQLITE, chosen, in_files
from benchmarks.stores import contestants
from benchmarks.stores.__main__ import Asked, measure_rates, measure_waits
from benchmarks.stores.arenas import in_memory
from benchmarks.stores.contestants import Sessions

HERE = ROOT / "benchmarks"
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted(HERE.rglob("*.py"))
    if HERE / "peers" not in path.parents  # needs packages that are installed for benchmarks alone
]
in_a_checkout = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="earlier builds are in git alone")


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each measurement do next to nothing."""
    monkeypatch.setattr(contestants, "SECONDS", 0.001)
    monkeypatch.setattr(create_and_refresh, "OPERATIONS", 32)
    monkeypatch.setattr(in_process, "CALLS", 2)
    monkeypatch.setattr(gc, "collect", lambda: 0)


def test_every_script_can_be_imported() -> None:
    """What the benchmarks import of the package is still there."""
    assert MODULES == [import_module(name).__name__ for name in MODULES]


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("workload", ["store", "issuing", "verifying"])
async def test_a_workload_measures_all_of_its_rows(workload: str) -> None:
    """Each row of what two builds are compared by has figures above zero."""
    with in_files() as new_database:
        async with WORKLOADS[workload].open(await new_database("one")) as measures:
            figures = {row: await measure() for row, measure in measures.items()}

    assert dict.fromkeys(figures, True) == {
        row: bool(of_row) and min(of_row.values()) > 0 for row, of_row in figures.items()
    }
    assert len(figures) >= 4


@in_a_checkout
def test_an_earlier_build_is_taken_out_of_git() -> None:
    """Its package is in a folder that is not left behind."""
    with taken_out("HEAD") as folder:
        assert [PACKAGE] == [each.name for each in folder.iterdir()]
        assert (folder / PACKAGE / "__init__.py").exists()

    assert not folder.exists()


async def test_a_build_measures_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A process imports the package from the build's own folder, and measures it when it is asked."""
    (tmp_path / PACKAGE).symlink_to(ROOT / PACKAGE)  # compiled already, unlike one that is taken out of git
    async with measuring(tmp_path, "verifying", "memory:") as build:
        row = build.rows[0]
        figure = await build.measure(row)

    print_row(row, {"before": [{"CPU us": 2.0}], "now": [figure]})
    assert f"{figure['CPU us']:10.1f} {figure['CPU us'] / 2:7.2f}" in capsys.readouterr().out


async def test_a_build_cannot_be_taken_for_another(tmp_path: Path) -> None:
    """A process measures nothing if the package that it has imported is not that of its folder."""
    with pytest.raises(RuntimeError, match="was imported"):
        await process.main(str(tmp_path), "verifying", "memory:")


@in_a_checkout
def test_a_commit_that_is_not_there() -> None:
    """It is named, in one line."""
    with pytest.raises(SystemExit, match=r"^no-such-commit: git has no such build here: "), taken_out("no-such-commit"):
        pass


def test_stores_are_chosen_by_a_part_of_their_names() -> None:
    """Case does not matter, and without a word all are chosen."""
    assert [SQLITE] == chosen(["sqlite"])
    assert {MEMORY, SQLITE} <= set(chosen([]))


@pytest.mark.usefixtures("short")
async def test_a_store_is_compared_with_its_driver(capsys: pytest.CaptureFixture[str]) -> None:
    """Each verb has a table with the store in it, and so has each way of waiting."""
    asked, sessions = Asked(stores=[], tasks=[1, 2], rounds=1), Sessions()
    async with in_memory() as compared:
        await measure_rates(MEMORY, compared, sessions, by=asked)
        await measure_waits(MEMORY, compared, sessions, by=asked)

    lines = capsys.readouterr().out.splitlines()
    rates = [f"memory: {verb}, {tasks} at once, a second" for verb in ("create", "refresh", "get") for tasks in (1, 2)]
    waits = [
        f"memory: {verb}, {who}, milliseconds" for verb in ("refresh", "get") for who in ("alone", "beside 32 others")
    ]
    assert [*rates, *waits] == [line[:54].strip() for line in lines if line.startswith("memory")]
    assert 10 == len([line for line in lines if line.startswith("the store")])
