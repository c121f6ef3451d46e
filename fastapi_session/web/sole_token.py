"""The access token of a usual request, which brings one and nothing that could count instead, without reading all its headers.

| the request has | the token |
|---|---|
| `Authorization: Bearer` or `DPoP` with an access token of ours, and it may travel so | that one |
| no bearer token and none of DPoP that may travel, and the name of the access cookie once, with an access token of ours | that one |
| anything else | not decided here: `token_choice` reads it all |

Whatever is decided here, `token_choice` would decide as well; only that takes several microseconds more.
"""

from __future__ import annotations

from collections.abc import Iterable

from fastapi_session.config import TokenTransferMethod
from fastapi_session.engine.tokens.verified_tokens import AnyAccessToken, VerifiedTokens
from fastapi_session.web.cookies import COOKIE_HEADER, MAX_BYTES, MAX_COOKIES
from fastapi_session.web.transport import AUTHORIZATION_HEADER, Method

_AUTHORIZATION = AUTHORIZATION_HEADER.encode()
_DPOP = b"DPoP "
_STARTS = {b"Bear": b"Bearer ", b"DPoP": _DPOP}
"""How clients write the schemes by which a token of ours may come."""
_SCHEMES = frozenset(start.lower() for start in _STARTS)
"""What begins so is decided there, or by `token_choice`."""
_BLANKS = b" \t"


def sole_token(
    headers: Iterable[tuple[bytes, bytes]], allowed: TokenTransferMethod, *, cookie_name: bytes, known: VerifiedTokens
) -> tuple[Method, str, AnyAccessToken, bool] | None:
    """Return how the access token came that counts among the raw *headers*, its text, itself, and whether it came by `DPoP`.

    `None` if the table does not decide.

    Tokens are *allowed* to travel so, the cookie of the access token is called *cookie_name*; *known* has those of before.
    Nothing raises: the text of a token is in variables of this frame.
    """
    # A loop and no dict, which keeps the last header of a name: the first Authorization counts and every Cookie, as in
    # `transport.read`. Every warm request runs this, so it is one function.
    authorization = cookies = None
    for name, value in headers:
        if name == COOKIE_HEADER:
            cookies = value if cookies is None else cookies + b"; " + value
        elif name == _AUTHORIZATION and authorization is None:
            authorization = value
    if authorization is not None and allowed != "cookie" and authorization[:4].lower() in _SCHEMES:
        start = _STARTS.get(authorization[:4])
        if start is None or not authorization.startswith(start):
            return None
        text = authorization[len(start) :].decode("latin-1")
        return None if (token := known.parse(text)) is None else ("header", text, token, start is _DPOP)
    if cookies is None or allowed == "header" or cookies.count(cookie_name) != 1:
        return None
    before, _, after = cookies.partition(cookie_name + b"=")
    if before.rstrip(_BLANKS)[-1:] not in b";" or len(cookies) > MAX_BYTES or cookies.count(b";") >= MAX_COOKIES:
        return None
    text = after.partition(b";")[0].decode("latin-1")
    return None if (token := known.parse(text)) is None else ("cookie", text, token, False)
