#!/usr/bin/env bash
# fastapi-users 15.0.5: with `JWTStrategy(lifetime_seconds=None)` each sign-in of a user returns the same JWT, on every device and for
# ever: its claims are `sub` and `aud` alone, without `iat`, `jti` or `exp`. So neither the age of such a token can be known, nor can
# one sign-in be told from another. With a lifetime `exp` makes them differ.
# Valid input: one user who signs in twice, a second apart.
# Seen: "without a lifetime, a second apart, the same: True claims: ['aud', 'sub']". Exits non-zero if that changes.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check "fastapi-users==15.0.5" "pyjwt==2.15.1"
"$place/venv/bin/python" - <<'PYTHON'
import asyncio
import time
from types import SimpleNamespace

import jwt
from fastapi_users.authentication import JWTStrategy

USER = SimpleNamespace(id="d5f7a1de-5c35-4c1a-93bd-b4d9c61a3b56")
SECRET = "a-secret-of-more-than-thirty-two-bytes"


async def sign_ins(lifetime):
    strategy = JWTStrategy(SECRET, lifetime_seconds=lifetime)
    tokens = [await strategy.write_token(USER)]
    time.sleep(1.1)
    return [*tokens, await strategy.write_token(USER)]


endless = asyncio.run(sign_ins(None))
ending = asyncio.run(sign_ins(3600))
claims = jwt.decode(endless[0], options={"verify_signature": False})
print("without a lifetime, a second apart, the same:", endless[0] == endless[1], "claims:", sorted(claims))
print("with a lifetime, a second apart, the same:", ending[0] == ending[1])
assert endless[0] == endless[1] and sorted(claims) == ["aud", "sub"], "this has changed"
assert ending[0] != ending[1], "this has changed"
PYTHON
