"""The signing keys: what each does now. The next one is made ahead of time here, and one that may have leaked is deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette_admin import ActionSelection, action, flash, row_action
from starlette_admin.exceptions import ActionFailed

from fastapi_session.admin.key_changes import delete_key, make_next_key
from fastapi_session.admin.pages.read_only import ReadOnly, by, columns, sessions_of
from fastapi_session.engine.keys.known_keys import KeyInformation
from fastapi_session.plain_text import when


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A signing key as a row."""

    kid: str
    family: str
    algorithm: str
    state: str
    signs: str
    signs_from: str
    verifies_until: str | None
    secret: str

    @classmethod
    def of(cls, found: KeyInformation) -> KeyRow:
        """Return *found* as a row."""
        return cls(
            kid=found.kid,
            family=found.family,
            algorithm=found.algorithm,
            state=found.state,
            signs="yes" if found.signs else "no",
            signs_from=when(found.signs_from),
            verifies_until=None if found.verifies_until is None else when(found.verifies_until),
            secret=found.secret,
        )


class KeysView(ReadOnly[KeyRow]):
    """The signing keys."""

    key = "signing-key"
    menu_label = "Signing keys"
    display_name = "Signing key"
    icon = "fa fa-key"
    pk_attr = "kid"
    fields = columns(
        "kid", "family", "algorithm", "state", "signs", "signs_from", "verifies_until", "secret", kid="Key"
    )
    searchable_fields = ()
    fields_default_sort = (("signs_from", True),)
    actions = ("rotate",)
    row_actions = ("revoke",)

    def can_view_detail(self, request: Request) -> bool:
        """Show all of a key in the list."""
        return False

    async def rows(self, request: Request, user_id: str | None) -> Sequence[KeyRow]:
        """Return all keys: none is a user's."""
        return [KeyRow.of(key) for key in await sessions_of(request).administration.keys()]

    @action(
        name="rotate",
        text="Make the next key",
        confirmation="Shall the next key be made now? It signs ten minutes later, and nobody notices.",
        submit_btn_text="Make it",
        icon_class="fa fa-rotate",
        allow_empty_selection=True,
        dedicated_button=True,
    )
    async def rotate(self, request: Request, selection: ActionSelection) -> None:
        """Make the next key before its time."""
        key = await make_next_key(sessions_of(request), by=by(request))
        if key is None:
            raise ActionFailed("One key signs for ever here; to replace it, delete it.")
        text = "The next key is made" if key.made else "There is one already"
        flash(request, f"{text}; it signs from {when(key.signs_from)}.", "success")

    @row_action(
        name="revoke",
        text="Delete the key",
        confirmation="Has this key leaked? What it signed is refused from then on, and clients refresh once.",
        submit_btn_text="Delete it",
        icon_class="fa fa-trash",
    )
    async def revoke(self, request: Request, pk: Any) -> None:
        """Delete a key."""
        if not await delete_key(sessions_of(request), str(pk), by=by(request)):
            raise ActionFailed("There is no such key any more.")
        flash(request, "The key is deleted.", "success")
