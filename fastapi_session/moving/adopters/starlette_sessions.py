"""Logins that an application keeps in the session of Starlette's `SessionMiddleware`: a signed cookie with a JSON object.

| the middleware | a login that was adopted | anything else in the session |
|---|---|---|
| is taken out, or has another cookie now | its cookie is cleared | goes with it, unless *check* takes it over |
| is kept, with the same cookie | is taken out of `request.session`, which the middleware then signs anew | stays |

What names the login is the content of the cookie and the second in which it was signed. The middleware signs it anew when the session is
changed (before Starlette 1.0 with each response), so the key is not the same for ever: but a cookie that has been adopted has no login any more.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from itsdangerous import BadSignature, TimestampSigner
from starlette.requests import HTTPConnection

from fastapi_session.adoption import Adoption
from fastapi_session.clock import Clock, system_clock
from fastapi_session.moving.adopters.adopter import Check, OldCookie, Presented, awaited
from fastapi_session.moving.adopters.credentials import presented_by, presented_text
from fastapi_session.moving.adopters.settings import secret_of, texts_of

_COOKIE = OldCookie("session")
_TWO_WEEKS = timedelta(days=14)


class StarletteSessions:
    """Adopts the logins that `request.session[user_key]` has, for whom *check* lets in.

    *secret_key* and *max_age* are those of the middleware (for `max_age=None` give how long a login may be adopted after it was signed),
    *cookie* is what it is called and where it counts. *check* is given the whole session. *keys* are taken out of it with the login.
    """

    def __init__(
        self,
        secret_key: str,
        *,
        check: Check,
        user_key: str = "user_id",
        keys: Sequence[str] = (),
        cookie: OldCookie = _COOKIE,
        max_age: timedelta = _TWO_WEEKS,
        name: str = "starlette",
        clock: Clock = system_clock,
    ) -> None:
        self.name = name
        self._signer = TimestampSigner(secret_of("secret_key", secret_key))
        self._check = awaited(check)
        self._user_key = user_key
        self._keys = (user_key, *texts_of("keys", keys))
        self._cookie = cookie
        self._max_age = max_age // timedelta(milliseconds=1)
        self._clock = clock

    def presented(self, connection: HTTPConnection) -> Presented | None:
        """Return the login in the session cookie, if that is signed, not too old, and has one."""
        text = presented_text(connection, self._cookie)
        if text is None:
            return None
        try:
            signed, at = self._signer.unsign(text, return_timestamp=True)
            content = json.loads(b64decode(signed))
        except (BadSignature, ValueError):
            return None
        deadline = round(at.timestamp() * 1000) + self._max_age
        if not isinstance(content, dict) or not _is_user_id(content.get(self._user_key)) or deadline <= self._clock():
            return None
        # Without the signature: other texts of that are the same signature too.
        presented = presented_by(self._cookie, key=text.rpartition(".")[0], content=(content, deadline))
        kept = connection.scope.get("session")
        if isinstance(kept, dict) and self._user_key in kept and not self._cookie.stays:
            return replace(presented, forget=partial(self._take_out, kept))
        return presented

    async def adopt(self, presented: Presented) -> Adoption | None:
        """Return the login, if *check* lets its user in."""
        content, deadline = presented.content
        return await self._check(Adoption(str(content[self._user_key]), deadline), content)

    def _take_out(self, session: dict[str, Any]) -> None:
        for key in self._keys:
            session.pop(key, None)


def _is_user_id(value: object) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool) and value != ""
