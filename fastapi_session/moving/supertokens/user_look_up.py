"""Asking the tables of a core about users: whose a session is, as the table of `users` says, and by which ids a user signs in."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, false, select

from fastapi_session.moving.supertokens.tables import CORE_ID, Tables
from fastapi_session.moving.supertokens.users import Users


def users_of(connection: Connection, tables: Tables, app_id: str, row_ids: Collection[str]) -> Users:
    """Return whose sessions those are whose rows have *row_ids*: three statements, however many there are."""
    if not row_ids:
        return Users({}, {}, {})
    mapping, users = tables.mapping, tables.users
    core_ids = _pairs(
        connection,
        select(mapping.c.external_user_id, mapping.c.supertokens_user_id).where(
            mapping.c.app_id == app_id, mapping.c.external_user_id.in_(row_ids)
        ),
    )
    primaries = _pairs(
        connection,
        select(users.c.user_id, users.c.primary_or_recipe_user_id).where(
            users.c.app_id == app_id, _is_one(users.c.user_id, ({*row_ids, *core_ids.values()}))
        ),
    )
    externals = _pairs(
        connection,
        select(mapping.c.supertokens_user_id, mapping.c.external_user_id).where(
            mapping.c.app_id == app_id, _is_one(mapping.c.supertokens_user_id, (primaries.values()))
        ),
    )
    return Users(core_ids, primaries, externals)


def candidates_for(connection: Connection, tables: Tables, app_id: str, user_id: str) -> Collection[str]:
    """Return the ids that a row of a session of *user_id* can have; whether one is has to be seen by `users_of`."""
    mapping, users = tables.mapping, tables.users
    primary = connection.scalar(
        select(mapping.c.supertokens_user_id).where(mapping.c.app_id == app_id, mapping.c.external_user_id == user_id)
    )
    linked = connection.scalars(
        select(users.c.user_id).where(
            users.c.app_id == app_id,
            _is_one(users.c.primary_or_recipe_user_id, ({user_id, primary or user_id})),
        )
    ).all()
    externals = connection.scalars(
        select(mapping.c.external_user_id).where(
            mapping.c.app_id == app_id, _is_one(mapping.c.supertokens_user_id, (linked))
        )
    ).all()
    return {user_id, *linked, *externals}


def _pairs(connection: Connection, statement: Select[Any]) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute(statement)}


def _is_one(column: Column[str], ids: Collection[str]) -> ColumnElement[bool]:
    """Return whether *column* is one of *ids*, of which only those count that the core can have given.

    PostgreSQL would cut a longer one, and find another user's; an `IN` of none is no SQL for a type that is cast.
    """
    possible = [each for each in ids if len(each) <= CORE_ID]
    return column.in_(possible) if possible else false()
