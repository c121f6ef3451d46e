"""An Alembic project with the `env.py` of the recipe leaves our tables alone."""

from __future__ import annotations

import sys
from io import StringIO
from pathlib import Path
from types import ModuleType

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, inspect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from fastapi_session.stores.sql import METADATA, migrate
from tests.pages import EXAMPLES


class Base(DeclarativeBase):
    """The models of the reader."""


class User(Base):
    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)


def tables() -> set[str]:
    engine = create_engine("sqlite:///app.db")
    try:
        return {*inspect(engine).get_table_names()}
    finally:
        engine.dispose()


async def test_only_the_tables_of_the_reader_are_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is generated beside our tables makes the reader's and drops none, and there is nothing to do the second time."""
    models = ModuleType("models")
    vars(models).update(Base=Base)
    monkeypatch.setitem(sys.modules, "models", models)
    await migrate("sqlite+aiosqlite:///app.db")
    ours = tables()
    assert {*METADATA.tables} <= ours

    config = Config(tmp_path / "alembic.ini", stdout=StringIO())
    command.init(config, str(tmp_path / "alembic"))
    config.set_main_option("sqlalchemy.url", "sqlite:///app.db")
    (tmp_path / "alembic" / "env.py").write_text(EXAMPLES["docs/recipes/alembic.md"])
    command.revision(config, autogenerate=True)
    command.upgrade(config, "head")
    assert ours | {"user", "alembic_version"} == tables()
    command.check(config)
