"""Who may sign in, and as what: two demo users, their passwords kept as any app keeps them, hashed with Argon2id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from fastapi.concurrency import run_in_threadpool

from fastapi_session import PrimitiveArrayClaim

PASSWORDS = PasswordHasher()

RoleName = Literal["user", "admin"]


@dataclass
class User:
    """A row of the user table."""

    password_hash: str
    roles: tuple[RoleName, ...] = ("user",)


USERS: Mapping[str, User] = {
    "alice": User("$argon2id$v=19$m=65536,t=3,p=4$/sL+KaNmI2JR6KR1FOvUbA$dnYkXs5nRsgKN3hlFcpo/Uv+siB5p5rTXN6oRLckIx8"),
    "bob": User("$argon2id$v=19$m=65536,t=3,p=4$GKJ3alQZhsAXm3AR+WW5eQ$lD4ryZCxuuxYiZO0HHCoYTNj0bxUPraqO/7LJIng7pE"),
}

NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$kOrLaAyzIz0fH+AK4AY2JQ$65uH/tybgN/+J+J6FAUpoRRMLfuBg2JShwxgQrRLzYo"
"""The hash of a password nobody has, so that an unknown name takes as long to refuse as a wrong password."""


async def password_is_right(user_name: str, password: str) -> bool:
    """Say whether *user_name* exists and has this *password*. Hashing is slow by design, so a thread does it."""
    password_hash = USERS[user_name].password_hash if user_name in USERS else NOBODY
    try:
        await run_in_threadpool(PASSWORDS.verify, password_hash, password)
    except VerifyMismatchError:
        return False
    return user_name in USERS


async def roles_of(user_name: str, _tenant_id: str, _payload: object) -> list[str]:
    """Look up the roles of *user_name*, as an app would in its database. A guest is not there, and has none."""
    return [*USERS[user_name].roles] if user_name in USERS else []


ROLES = PrimitiveArrayClaim[str]("roles", roles_of, default_max_age=timedelta(seconds=10))
"""Roles travel in the access token. Older than this they are looked up again, so that a change reaches every device."""
