"""What the tables of a core are called, as its configuration says it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SuperTokensTables:
    """What the tables of a core are called; each as `config.yaml` has it, where PostgreSQL is `postgresql_` and MySQL `mysql_`.

    *schema* is `postgresql_table_schema`, or the `currentSchema` of its connection URI; MySQL has none. *prefix* is `…_table_names_prefix`,
    to which the core adds an underscore. *session_info* and *key_value* are `…_session_info_table_name` and `…_key_value_table_name`,
    which take no prefix.
    """

    schema: str | None = None
    prefix: str = ""
    session_info: str | None = None
    key_value: str | None = None

    def named(self, table: str) -> str:
        """Return what *table* is called there."""
        return f"{self.prefix.strip()}_{table}" if self.prefix.strip() else table
