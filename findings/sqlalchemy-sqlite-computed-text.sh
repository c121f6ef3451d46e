#!/usr/bin/env bash
# SQLAlchemy 2.1.9 reads the text of a generated column on SQLite to the last parenthesis of its line.
#
# Valid input: a table with a stored generated column that is the last one of its line, and columns that ALTER TABLE added later.
# SQLite appends those to the text of CREATE TABLE on the same line. `get_columns()` then reports as `sqltext` of
# the generated column everything up to the last closing parenthesis: "STORED", and the columns that came after.
# With no column added, or none whose type has a length, the text is right.
#
# Seen: "a + 1", and after ADD COLUMN "a + 1) STORED, c VARCHAR(32". Exits non-zero if that changes.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'sqlalchemy==2.1.9'
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import sqlalchemy
from sqlalchemy import create_engine, inspect, text

print("SQLAlchemy", sqlalchemy.__version__)
engine = create_engine("sqlite://")
with engine.begin() as connection:
    connection.execute(text("CREATE TABLE t (\n a INTEGER, \n b INTEGER GENERATED ALWAYS AS (a + 1) STORED\n)"))
    connection.execute(text("CREATE TABLE u (\n a INTEGER, \n b INTEGER GENERATED ALWAYS AS (a + 1) STORED)"))
    connection.execute(text("ALTER TABLE u ADD COLUMN c VARCHAR(32) DEFAULT 'x' NOT NULL"))
    seen = [
        next(each for each in inspect(connection).get_columns(table) if each["name"] == "b")["computed"]["sqltext"]
        for table in ("t", "u")
    ]
print("no column added:   ", seen[0])
print("one column added:  ", seen[1])
sys.exit(0 if seen[0] == "a + 1" and seen[1] != "a + 1" else 1)
PYTHON
