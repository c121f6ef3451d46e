"""The events of all shards in one order, and places in it: how far each shard has been read."""

from __future__ import annotations

import heapq
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi_session.audit import Audit, EventQuery, InsertionAudit
from fastapi_session.stores.json_text import dump_json
from fastapi_session.stores.redis.fields import field

_ID = re.compile(r"[0-9]{1,16}-[0-9]{1,16}|", re.ASCII)
"""The place of an event in the stream of its shard; nothing, before the first."""


@dataclass(frozen=True, slots=True)
class Told:
    """An event as a shard has it: its place there, and its row."""

    id: str
    row: Sequence[Any]

    @property
    def at(self) -> int:
        """When it was written; 0 for a row that is damaged."""
        at = self.row[1] if len(self.row) > 1 else 0
        return at if isinstance(at, int) else 0


Audits = Mapping[str, Audit]
"""The events that a script writes, by what happens to a session: none, if nothing is audited."""


def audits_of(audit: Audit | InsertionAudit | None) -> Audits:
    """Return what a script is to write of *audit*."""
    if audit is None:
        return {}
    if isinstance(audit, Audit):
        return {"changed": audit}
    return {"began": audit.began, "superseded": audit.superseded, "evicted": audit.evicted}


def audit_text(audits: Audits) -> str:
    """Return *audits* as a script reads them."""
    told = {what: [field(audit.name), dump_json(audit.body)] for what, audit in audits.items()}
    [change] = {audit.change for audit in audits.values()}
    return json.dumps({"change": change, **told})


def ids_of(place: str | None, *, shards: int) -> list[str]:
    """Return how far each of so many *shards* has been read. Raises ValueError if *place* does not say that."""
    if place is None:
        return [""] * shards
    ids = place.split(",")
    if len(ids) != shards or not any(ids) or not all(map(_ID.fullmatch, ids)):
        raise ValueError("a place says how far each shard has been read")
    return ids


def merged(readings: Sequence[Sequence[Told]], query: EventQuery, ids: Sequence[str]) -> tuple[list[Told], str | None]:
    """Return the first events of all shards that *query* asks for, and how far each has been read then; *ids* say how far before."""
    by_shard = ([(told.at, shard, told) for told in reading] for shard, reading in enumerate(readings))
    # By the moment alone, in which a merge keeps the order of each shard whatever its clock did.
    every = heapq.merge(*by_shard, key=lambda each: each[0], reverse=query.newest_first)
    taken = [each for _, each in zip(range(query.limit), every, strict=False)]
    ended = [*ids]
    for _, shard, told in taken:
        ended[shard] = told.id
    return [told for *_, told in taken], ",".join(ended) if any(ended) else None
