"""What becomes of what is written in a transaction of the user's, once that is certain.

SQLAlchemy's event of a commit comes before the driver sends COMMIT, and a COMMIT may fail. Only its return is certain, so
the driver's method is wrapped for this one call. What a savepoint undoes is undone whatever its transaction does later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlalchemy import Connection, event

Callback = Callable[[bool], None]
"""Called with whether what was written has been committed (true) or undone (false)."""


class Fate:
    """Watches the transactions of one connection, one after the other, and calls back. It does not keep the connection alive."""

    def __init__(self, connection: Connection) -> None:
        self._waiting: list[tuple[frozenset[str], Callback]] = []
        event.listen(connection, "commit", self._committing)
        event.listen(connection, "rollback", self._rolled_back)
        event.listen(connection, "rollback_savepoint", self._savepoint_rolled_back)

    def on_end(self, connection: Connection, callback: Callback) -> None:
        """Call *callback* when what was just written on *connection* has been committed or undone. Never, if it is abandoned."""
        self._waiting.append((_savepoints(connection), callback))

    def _committing(self, connection: Connection) -> None:
        callbacks, self._waiting = [callback for _, callback in self._waiting], []
        borrowed = connection.connection  # the pool's proxy: it lives as long as this loan of the connection

        def commit() -> None:
            del vars(borrowed)["commit"]
            try:
                borrowed.commit()
            except BaseException:
                _call(callbacks, has_committed=False)
                raise
            _call(callbacks, has_committed=True)

        vars(borrowed)["commit"] = commit

    def _rolled_back(self, _connection: Connection) -> None:
        callbacks, self._waiting = [callback for _, callback in self._waiting], []
        _call(callbacks, has_committed=False)

    def _savepoint_rolled_back(self, _connection: Connection, name: str, _context: None) -> None:
        callbacks = [callback for savepoints, callback in self._waiting if name in savepoints]
        self._waiting = [each for each in self._waiting if name not in each[0]]
        _call(callbacks, has_committed=False)


def _savepoints(connection: Connection) -> frozenset[str]:
    """Return the names of the savepoints that *connection* is inside of."""
    names, nested = [], connection.get_nested_transaction()
    while nested is not None:
        names.append(nested._savepoint)  # noqa: SLF001 - its rollback comes under this name
        nested = nested._previous_nested  # noqa: SLF001 - SQLAlchemy shows the innermost one alone
    return frozenset(names)


def _call(callbacks: Iterable[Callback], *, has_committed: bool) -> None:
    for callback in callbacks:
        callback(has_committed)
