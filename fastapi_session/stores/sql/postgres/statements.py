"""The statements as text for PostgreSQL: for one session, and for a batch whose parameters are arrays.

Both are made of the same expressions, those of `stores.sql.statements`, so no condition is written twice. In a batch each
parameter becomes a column of the arrays, and a row that another transaction has locked is skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    Executable,
    FromClause,
    String,
    Text,
    Update,
    bindparam,
    column,
    func,
    insert,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, asyncpg
from sqlalchemy.dialects.postgresql import insert as insert_unless
from sqlalchemy.sql import visitors
from sqlalchemy.types import TypeEngine

from fastapi_session.stores.rows import SESSION_COLUMNS
from fastapi_session.stores.sql.dialects import ExactText, Moment
from fastapi_session.stores.sql.statements import SESSION_ROW, Parameters, TimedStatements
from fastapi_session.stores.sql.tables import SESSION

_DIALECT = asyncpg.dialect()  # type: ignore[no-untyped-call]
"""It writes parameters as the server does, $1, and says the type of each."""

LARGEST = 16_384
"""Bytes of payload and data together, up to which a session is read in a batch: nobody waits for what is another's."""

_IS_SMALL = func.octet_length(SESSION.c.access_token_payload) + func.octet_length(SESSION.c.session_data) <= LARGEST

ORDINAL = "ordinal"
"""The last column of a batch's result: the place of the call in the batch, from 1 on."""


@dataclass(frozen=True, slots=True)
class Statement:
    """The *text* of a statement, the *names* of its parameters in their order, and those whose values are *fixed*.

    The server reports its *tag* and the number of rows.
    """

    text: str
    tag: str
    names: Sequence[str]
    fixed: Mapping[str, object]

    @classmethod
    def of(cls, statement: Executable) -> Statement:
        """Return the text of *statement*."""
        compiled: Any = statement.compile(dialect=_DIALECT)  # type: ignore[attr-defined]  # an Executable of ours is a ClauseElement
        tag = "INSERT 0" if compiled.isinsert else "UPDATE" if compiled.isupdate else "SELECT"
        return cls(compiled.string, tag, compiled.positiontup, compiled.params)

    def given(self, parameters: Parameters) -> list[object]:
        """Return the values of the parameters, in their order."""
        values = {**self.fixed, **parameters}
        return [values[name] for name in self.names]

    def given_many(self, many: Sequence[Parameters], common: Parameters) -> list[object]:
        """Return the same for *many*: an array of what each gives; what is *common* to all is no array."""
        values = {**self.fixed, **{name: [each[name] for each in many] for name in many[0]}, **common}
        return [values[name] for name in self.names]


@dataclass(frozen=True, slots=True)
class Statements:
    """The statements for one session, and for a batch."""

    rotate: Statement
    rotate_many: Statement
    insert: Statement
    insert_many: Statement
    get: Statement
    get_many: Statement


@cache
def compiled(*, now_given: bool) -> Statements:
    """Return the statements of a store; with *now_given* the time is a parameter."""
    timed = TimedStatements(now_given=now_given)
    inserted = {name: bindparam(name, type_=SESSION.c[name].type) for name in SESSION_COLUMNS}
    return Statements(
        rotate=Statement.of(timed.rotate_returning),
        rotate_many=Statement.of(_rotate_many(timed.rotate)),
        insert=Statement.of(insert(SESSION).values(inserted).returning(SESSION.c.session_id)),
        insert_many=Statement.of(_insert_many()),
        get=Statement.of(timed.get),
        get_many=Statement.of(_get_many()),
    )


def _asked(types: Mapping[str, TypeEngine[Any]]) -> FromClause:
    """Return arrays of these names and *types* as a table, with the place of each row."""
    arrays = [bindparam(name, type_=ARRAY(_unbounded(each))) for name, each in types.items()]
    columns = [column(name, _unbounded(each)) for name, each in types.items()]
    asked = func.unnest(*arrays).table_valued(*columns, with_ordinality=ORDINAL, name="asked")
    return asked.render_derived()


def _unbounded(each: TypeEngine[Any]) -> TypeEngine[Any]:
    """Return *each* as a type to which nothing is cut off."""
    return Text() if isinstance(each, ExactText | String) else each


def _rotate_many(rotate: Update) -> Executable:
    given = {name: each.type for name, each in _parameters_of(rotate) if name != "now"}
    asked = _asked(given)
    locked = (
        select(*asked.c)
        .join_from(asked, SESSION, SESSION.c.session_id == asked.c.given_session_id)
        .where(_IS_SMALL)
        .with_for_update(key_share=True, skip_locked=True, of=SESSION)
        .cte("locked")
    )

    def column_for(element: Any, **_: object) -> Any:
        return locked.c.get(element.key) if isinstance(element, BindParameter) else None

    many: Any = visitors.replacement_traverse(rotate, {}, column_for)
    rotate_many: Update = many
    return rotate_many.returning(*SESSION_ROW, locked.c[ORDINAL])


def _parameters_of(statement: Update) -> Iterable[tuple[str, BindParameter[Any]]]:
    """Yield the parameters of *statement*, but those that have a value."""
    binds: Mapping[str, BindParameter[Any]] = statement.compile(dialect=_DIALECT).binds
    return ((name, each) for name, each in binds.items() if each.required)


def _insert_many() -> Executable:
    asked = _asked({name: SESSION.c[name].type for name in SESSION_COLUMNS})
    chosen = select(*(asked.c[name] for name in SESSION_COLUMNS)).order_by(asked.c[ORDINAL])
    statement = insert_unless(SESSION).from_select([*SESSION_COLUMNS], chosen, include_defaults=False)
    return statement.on_conflict_do_nothing().returning(SESSION.c.session_id)


def _get_many() -> Executable:
    asked = _asked({"given_session_id": SESSION.c.session_id.type})
    found = asked.join(SESSION, SESSION.c.session_id == asked.c.given_session_id)
    return select(Moment(), *SESSION_ROW, asked.c[ORDINAL]).select_from(found).where(_IS_SMALL)
