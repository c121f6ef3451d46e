"""A view of the pages: a list that is read for each request, searched by user, and never written by a form.

starlette-admin pages by numbers, and wants to know how many there are. A store can say neither cheaply, so a list ends after `LONGEST_LIST`
rows: of a user nobody has as many, and without a user a list is for a look around.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette_admin import BaseModelView, StringField
from starlette_admin.exceptions import ActionFailed
from starlette_admin.filters import FilterGroup

from fastapi_session.admin.guarding import administrator
from fastapi_session.admin.pages.session_auth import admitted, is_admitted
from fastapi_session.model import Actor
from fastapi_session.plain_text import printable
from fastapi_session.session_information import SessionInformation
from fastapi_session.sessions import Sessions
from fastapi_session.stores.base import PagedStore
from fastapi_session.web.exchange import exchange_of

LONGEST_LIST = 1_000
MOST_PAGES = 20
"""How many pages are read for a list, however few sessions they have."""
LIST = "list"
"""The name of the route of a list."""
NOTHING = "\N{EN DASH}"
VIEW = "view"
"""The name of the link to the page of a row."""

_LABELS = {"user_id": "User", "tenant_id": "Tenant"}
"""The labels of columns, where they are not their names."""

Found = TypeVar("Found")
Row = TypeVar("Row")


class Text(StringField):
    """A column of text that others may have written: in one line, without control characters. The template escapes HTML."""

    async def serialize_value(self, request: Request, value: Any) -> str:
        """Return *value* as text."""
        return printable(str(value))

    async def serialize_none_value(self, request: Request) -> str:
        """Return what stands where nothing is known."""
        return NOTHING


def columns(*names: str, in_list: bool = True, **labels: str) -> tuple[Text, ...]:
    """Return the columns of these *names*, with *labels* of their own; those that are not *in_list* stand on the page of one row."""
    shown = {**_LABELS, **labels}
    return tuple(Text(name, label=shown.get(name), exclude_from_list=not in_list) for name in names)


async def as_rows(shape: Callable[[Found], Row], found: Iterable[Found]) -> list[Row]:
    """Return *found*, each in its *shape*. On a thread: what a hundred user agents say takes a tenth of a second if none is known yet."""
    return await asyncio.to_thread(lambda: [*map(shape, found)])


class ReadOnly(BaseModelView, Generic[Row]):
    """A view of rows that `rows` returns, for whom a `SessionAuth` has let in."""

    actions: Sequence[str] | None = ()
    page_size = 25
    page_size_options = (25, 100)
    search_highlight = False

    @abstractmethod
    async def rows(self, request: Request, user_id: str | None) -> Sequence[Row]:
        """Return at most `LONGEST_LIST` rows, of a user if one is given, in their usual order."""

    def is_accessible(self, request: Request) -> bool:
        """Say whether the request may see it: another guard of the same pages knows nothing of sessions."""
        return is_admitted(request)

    def can_create(self, request: Request) -> bool:
        """Let nobody make one."""
        return False

    def can_edit(self, request: Request) -> bool:
        """Let nobody write one."""
        return False

    def can_delete(self, request: Request) -> bool:
        """Let nobody delete a row: what ends is an action of its own."""
        return False

    def can_export(self, request: Request) -> bool:
        """Let nobody take them away."""
        return False

    def can_import(self, request: Request) -> bool:
        """Let nobody bring some."""
        return False

    async def create(self, request: Request, data: dict[str, Any]) -> Any:
        """Never called, since nobody may."""
        raise NotImplementedError

    async def edit(self, request: Request, pk: Any, data: dict[str, Any]) -> Any:
        """Never called, since nobody may."""
        raise NotImplementedError

    async def delete(self, request: Request, pks: list[Any]) -> int | None:
        """Never called, since nobody may."""
        raise NotImplementedError

    async def handle_row_action(self, request: Request, pk: Any, name: str) -> Response | None:
        """Do what is asked of the row *pk*. To view it is a link, and no request to change anything."""
        if name == VIEW:
            raise ActionFailed("Invalid row action")
        return await super().handle_row_action(request, pk, name)

    async def find_all(  # type: ignore[override]  # it is called by names
        self,
        request: Request,
        *,
        skip: int = 0,
        limit: int = 100,
        q: str | None = None,
        sorts: Sequence[tuple[str, str]] | None = None,
        filters: FilterGroup | None = None,
    ) -> Sequence[Row]:
        """Return the rows of one page, of the user *q*, sorted as asked for."""
        found = [*await self._found(request, q)]
        for name, direction in reversed(sorts or ()):
            found.sort(key=partial(_place, name), reverse=direction == "desc")
        return found[skip:] if limit < 0 else found[skip : skip + limit]

    async def count(self, request: Request, q: str | None = None, filters: FilterGroup | None = None) -> int:
        """Return how many rows there are, of the user *q*."""
        return len(await self._found(request, q))

    async def find_by_pks(self, request: Request, pks: list[Any]) -> Sequence[Row]:
        """Return the rows of these keys that are there."""
        found = [await self.find_by_pk(request, pk) for pk in pks]
        return [each for each in found if each is not None]

    async def find_by_pk(self, request: Request, pk: Any) -> Row | None:
        """Return the row of this key, which is a text."""
        assert self.pk_attr is not None
        rows = await self._found(request, None)
        return next((row for row in rows if getattr(row, self.pk_attr) == pk), None)

    async def _found(self, request: Request, q: str | None) -> Sequence[Row]:
        """Return the rows of the user *q*. They are read once a request, though they are asked for twice."""
        kept: dict[object, Sequence[Row]] = request.scope.setdefault("fastapi_session.rows", {})
        asked = (self.key, q)
        if asked not in kept:
            kept[asked] = await self.rows(request, q)
        return kept[asked]


def _place(name: str, row: object) -> tuple[bool, Any]:
    """Return by what *row* is sorted in the column *name*: what is not known comes before all that is."""
    value = getattr(row, name)
    return (value is not None, value)


def sessions_of(request: Request) -> Sessions:
    """Return the engine of the application that serves *request*."""
    return exchange_of(request).sessions


def by(request: Request) -> Actor:
    """Return the administrator who asks, as events name one."""
    return administrator(admitted(request))


async def known_sessions(sessions: Sessions, user_id: str | None) -> Sequence[SessionInformation]:
    """Return sessions, of the user if one is given, in every tenant; those seen last first, as many as a list may have."""
    if user_id is not None:
        found = await sessions.of_user(user_id)
    elif isinstance(sessions.store, PagedStore):
        found = await _first(sessions)
    else:
        found = []
    return sorted(found, key=lambda each: each.last_seen_at, reverse=True)[:LONGEST_LIST]


async def _first(sessions: Sessions) -> list[SessionInformation]:
    """Return sessions of anybody, as many as a list may have. A page may be empty before the last, as one of expired sessions is."""
    found: dict[str, SessionInformation] = {}  # by handle: a store may show a session more than once
    after = None
    for _ in range(MOST_PAGES):
        page = await sessions.administration.page(after=after, limit=LONGEST_LIST)
        found |= {each.handle: each for each in page.sessions}
        after = page.after
        if after is None or len(found) >= LONGEST_LIST:
            break
    return [*found.values()]


def to_list(request: Request, key: str) -> Response:
    """Return what sends the browser to the list of a view."""
    return RedirectResponse(request.url_for(f"{request.app.state.ROUTE_NAME}:{LIST}", key=key), status_code=303)
