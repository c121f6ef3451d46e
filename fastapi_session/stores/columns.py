"""Columns: what each may hold, and rows of them written and read.

What a database keeps can be damaged, or changed by another hand. So each column is looked at before anybody relies on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from enum import Enum, auto
from typing import Any

from fastapi_session.stores.json_text import dump_json, load_json

Row = Sequence[Any]
"""Values of columns, in their order. A driver may have read anything, so values are checked before a record is made of them."""


class Kind(Enum):
    """What a column holds. JSON is an object, as text; DATETIME is milliseconds that an application sees as a `datetime`."""

    TEXT = auto()
    JSON = auto()
    NUMBER = auto()
    DATETIME = auto()
    BYTES = auto()
    BOOLEAN = auto()


_TYPES: Mapping[Kind, frozenset[type]] = {
    Kind.TEXT: frozenset({str}),
    Kind.JSON: frozenset({str}),
    Kind.NUMBER: frozenset({int}),
    Kind.DATETIME: frozenset({int}),
    Kind.BYTES: frozenset({bytes}),
    Kind.BOOLEAN: frozenset({bool, int}),  # some databases have numbers only
}

YEAR_10000 = 253_402_300_800_000
"""Its first moment (milliseconds): later than any `datetime`."""
_MOST_TYPES = 1_000
"""How many combinations of types are known at once. Each column that may be empty doubles what there can be."""


@dataclass(frozen=True, slots=True)
class Column:
    """What a store has to know of a column.

    *optional*: it may be `None`. *compared*: compare-and-set compares it. *before*, of a column that was added later: the default,
    as JSON, for rows written before the column existed.
    """

    kind: Kind
    _: KW_ONLY
    optional: bool = False
    compared: bool = False
    before: str | None = None

    @property
    def types(self) -> frozenset[type]:
        """The types that a value may have, exactly: for Python, a boolean is a number too."""
        return _TYPES[self.kind] | ({type(None)} if self.optional else frozenset())


class Unreadable(ValueError):
    """A row has in *column* what is never written there. The message never shows the value."""

    def __init__(self, column: str) -> None:
        super().__init__(column)
        self.column = column


def places(kind: Kind, names: Sequence[str], columns: Mapping[str, Column]) -> Mapping[int, str]:
    """Return which of *names*, each described in *columns*, hold *kind*, by their places in a row of these names."""
    return {place: name for place, name in enumerate(names) if columns[name].kind is kind}


class Rows:
    """Writes and reads rows of the columns *names*, in this order, each described in *columns*."""

    def __init__(self, names: Sequence[str], columns: Mapping[str, Column]) -> None:
        # Looked up once: a row is read with every refresh.
        self._types = [(name, columns[name].types) for name in names]
        # A cache: most rows have the same types, and to look at each column takes as long as all else of a reading.
        self._right_types: set[tuple[type, ...]] = set()
        self._datetimes, self._json, self._booleans = (
            [*places(kind, names, columns).items()] for kind in (Kind.DATETIME, Kind.JSON, Kind.BOOLEAN)
        )

    def write(self, values: Row) -> Row:
        """Return the row of a record whose fields have *values*. Raises ValueError or TypeError for what JSON cannot encode."""
        row = [*values]
        for place, _ in self._json:
            row[place] = dump_json(row[place])
        return tuple(row)

    def read(self, row: Row) -> list[Any]:
        """Return the values of which `write` made *row*. Raises `Unreadable` for a row that it never makes."""
        # Not isinstance: True is an int, and would pass for a number.
        types = tuple(map(type, row))
        if types not in self._right_types:
            self._check(types)
        for place, column in self._datetimes:
            if not 0 <= row[place] < YEAR_10000:
                raise Unreadable(column)
        values = [*row]
        for place, column in self._json:
            try:
                values[place] = load_json(row[place])
            except (ValueError, TypeError, RecursionError):
                raise Unreadable(column) from None  # an error of the parser has the whole text
        for place, _ in self._booleans:
            values[place] = bool(row[place])
        return values

    def _check(self, types: tuple[type, ...]) -> None:
        """Raise `Unreadable` unless a row may have columns of these *types*, which is then known."""
        if len(types) != len(self._types):
            raise Unreadable("number of columns")
        for found, (column, right) in zip(types, self._types, strict=True):
            if found not in right:
                raise Unreadable(column)
        if len(self._right_types) == _MOST_TYPES:
            self._right_types.clear()
        self._right_types.add(types)
