"""A value that was made in a fraction of the time is like any other."""

from __future__ import annotations

from copy import copy
from dataclasses import FrozenInstanceError, asdict, fields, replace
from pickle import dumps, loads

import pytest

from fastapi_session.model import Actor, Circumstances, Lineage, SessionRecord
from fastapi_session.stores.frozen import maker
from fastapi_session.testing.records import full_session

RECORD = full_session("a", now=1)


def values(of: SessionRecord | Lineage | Circumstances) -> list[object]:
    """Return the values of all fields, in their order."""
    return [getattr(of, each.name) for each in fields(of)]


@pytest.mark.parametrize("value", [RECORD, RECORD.lineage, RECORD.circumstances])
def test_it_is_the_value(value: SessionRecord | Lineage | Circumstances) -> None:
    """It is of the same class, equal, and shown, copied and pickled alike."""
    made = maker(type(value))(*values(value))

    assert type(value) is type(made)
    assert value == made
    assert repr(value) == repr(made)
    assert asdict(value) == asdict(made)
    assert value == copy(made) == loads(dumps(made)) == replace(made)


def test_it_is_frozen() -> None:
    """No field of it can be set, and none can be added."""
    made = maker(Actor)("alice", None, None)

    with pytest.raises(FrozenInstanceError):
        made.user_id = "bob"  # type: ignore[misc]
    with pytest.raises((AttributeError, TypeError)):
        made.other = 1  # type: ignore[attr-defined]
    assert hash(Actor("alice")) == hash(made)


@pytest.mark.parametrize("given", [(), ("alice", None), ("alice", None, None, None)])
def test_it_has_all_its_fields(given: tuple[str | None, ...]) -> None:
    """A value too few or too many is refused: none has a default here."""
    with pytest.raises(TypeError):
        maker(Actor)(*given)
