"""The records of the contract say something in every field, be it one of the next version."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from ipaddress import ip_address

import pytest

from fastapi_session.model import Circumstances, Lineage, SessionRecord
from fastapi_session.stores.rows import CIRCUMSTANCES_COLUMNS, COMPARED_COLUMNS, LINEAGE_COLUMNS
from fastapi_session.testing.records import changed, full_session, moved, new_session, unmoved

RECORD = full_session("a", now=2_000_000_000_000)


def default(field: Field[object]) -> object:
    return field.default if field.default_factory is MISSING else field.default_factory()


@pytest.mark.parametrize("part", [RECORD, RECORD.circumstances, RECORD.lineage], ids=lambda part: type(part).__name__)
def test_no_field_of_a_full_record_has_its_default(part: SessionRecord | Circumstances | Lineage) -> None:
    """A field that a store forgets would be read as its default, as nothing, or as what a first session has."""
    assert [] == [each.name for each in fields(part) if getattr(part, each.name) in (None, default(each), {}, b"", "")]


def differing(before: Circumstances | Lineage, after: Circumstances | Lineage) -> set[str]:
    return {each.name for each in fields(before) if getattr(before, each.name) != getattr(after, each.name)}


@pytest.mark.parametrize("record", [RECORD, new_session("a", now=0)], ids=["full", "new"])
def test_changed_fields_are_others(record: SessionRecord) -> None:
    """Whatever a field has, `None` too, it has another value afterwards; all others stay."""
    lineage, circumstances = record.lineage, record.circumstances

    assert set(LINEAGE_COLUMNS) == differing(lineage, changed(lineage, LINEAGE_COLUMNS))
    assert set(CIRCUMSTANCES_COLUMNS) == differing(circumstances, changed(circumstances, CIRCUMSTANCES_COLUMNS))
    assert [{name} for name in COMPARED_COLUMNS] == [differing(lineage, each) for each in moved(lineage)]
    assert {*LINEAGE_COLUMNS} - {*COMPARED_COLUMNS} == differing(lineage, unmoved(lineage))


def test_values_have_the_form_of_their_column() -> None:
    """A store of one's own may have a type for addresses, and one for bytes of which there are exactly 32."""
    records = [RECORD.circumstances, changed(RECORD.circumstances, ["ip_address"]), Circumstances("192.0.2.7")]
    addresses = [each.ip_address for each in [*records, changed(records[-1], ["ip_address"])]]
    lineages = [RECORD.lineage, unmoved(RECORD.lineage), unmoved(new_session("a", now=0).lineage)]

    assert addresses == [str(ip_address(each or "")) for each in addresses]
    assert [(32, 32)] * 3 == [(len(each.previous or b""), len(each.current)) for each in lineages]
