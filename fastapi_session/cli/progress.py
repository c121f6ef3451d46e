"""How far a long work is: a bar on the standard error, so that what is printed can be kept. None if that is no terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn


@contextmanager
def progress(unit: str) -> Iterator[_Bar]:
    """Give a bar that counts *unit*, whose end is not known. It is gone when the work is done."""
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,}"), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        yield _Bar(shown, unit)


class _Bar:
    def __init__(self, shown: Progress, unit: str) -> None:
        self._shown = shown
        self._task = shown.add_task(unit, total=None)

    def count(self, number: int, *, unit: str | None = None) -> None:
        """Count *number* more, of another *unit* if one is given."""
        self._shown.update(self._task, advance=number, description=unit)
