"""Another system, small: whoever has a token that is in its table is signed in there."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from starlette.requests import HTTPConnection

from fastapi_session.moving import Adoption, OldCookie, Presented
from fastapi_session.moving.adopters.credentials import presented_by, presented_text
from fastapi_session.testing import HandClock
from tests.milliseconds import DAY

OLD = OldCookie("old", domain="example.com")


@dataclass
class Logins:
    """An adopter of these logins; *cookie* is `None` for bearer tokens. *error* is raised by its database."""

    clock: HandClock
    users: dict[str, str] = field(default_factory=lambda: {"of-ada": "ada", "of-bob": "bob"})
    cookie: OldCookie | None = OLD
    name: str = "legacy"
    error: Exception | None = None
    asked: int = 0
    retired: list[str] = field(default_factory=list)
    said: dict[str, Any] = field(default_factory=dict)

    def presented(self, connection: HTTPConnection) -> Presented | None:
        self.asked += 1
        text = presented_text(connection, self.cookie)
        return None if text is None else presented_by(self.cookie, key=text)

    async def adopt(self, presented: Presented) -> Adoption | None:
        if self.error is not None:
            raise self.error
        user_id = self.users.get(presented.key)
        if user_id is None:
            return None
        return replace(Adoption(user_id, self.clock() + 14 * DAY), **self.said)

    async def take_away(self, token: str) -> None:
        """What an adopter that retires logins does with one."""
        del self.users[token]
        self.retired.append(token)
