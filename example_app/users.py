"""Who may sign in: two demo users, their passwords kept as any app keeps them, hashed with Argon2id."""

from __future__ import annotations

from collections.abc import Mapping

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from fastapi.concurrency import run_in_threadpool

PASSWORDS = PasswordHasher()

USERS: Mapping[str, str] = {
    "alice": "$argon2id$v=19$m=65536,t=3,p=4$/sL+KaNmI2JR6KR1FOvUbA$dnYkXs5nRsgKN3hlFcpo/Uv+siB5p5rTXN6oRLckIx8",
    "bob": "$argon2id$v=19$m=65536,t=3,p=4$GKJ3alQZhsAXm3AR+WW5eQ$lD4ryZCxuuxYiZO0HHCoYTNj0bxUPraqO/7LJIng7pE",
}

NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$kOrLaAyzIz0fH+AK4AY2JQ$65uH/tybgN/+J+J6FAUpoRRMLfuBg2JShwxgQrRLzYo"
"""The hash of a password nobody has, so that an unknown name takes as long to refuse as a wrong password."""


async def password_is_right(user_name: str, password: str) -> bool:
    """Say whether *user_name* exists and has this *password*. Hashing is slow by design, so a thread does it."""
    try:
        await run_in_threadpool(PASSWORDS.verify, USERS.get(user_name, NOBODY), password)
    except VerifyMismatchError:
        return False
    return user_name in USERS
