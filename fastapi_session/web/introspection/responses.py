"""The responses to services, all of them JSON that no cache keeps (RFC 6749, section 5.2; RFC 7009, section 2.2.1).

| | status | `error` |
|---|---|---|
| it is nobody who may ask | 401, with the challenge | `invalid_client` |
| no form with one `token`, or a parameter that came with two values | 400 | `invalid_request` |
| credentials in the form, beside those in the header | 400 | `invalid_request` |
| a token that is not revoked by its type | 400 | `unsupported_token_type` |
| any other method than POST | 405 | `invalid_request` |
| the store, or the application's function that knows clients, cannot be asked | 503, `Retry-After` | `temporarily_unavailable` |

`error_description` is one of a few sentences: nothing of what came is repeated.
"""

from __future__ import annotations

from collections.abc import Mapping

from fastapi.responses import JSONResponse, Response

from fastapi_session.model import Json
from fastapi_session.web.transport import CHALLENGE_HEADER, RETRY_AFTER_HEADER

NOT_STORED = {"Cache-Control": "no-store"}
CHALLENGE = 'Basic realm="fastapi_session", charset="UTF-8"'


class InvalidRequest(Exception):
    """The request is not as it has to be; the text says how, and is for the client."""


def said(content: Json) -> Response:
    """Return *content*."""
    return JSONResponse(dict(content), headers=NOT_STORED)


def done() -> Response:
    """Return the response to a revocation, whether or not there was something to end."""
    return Response(headers=NOT_STORED)


def invalid_client() -> Response:
    """Return the response to nobody who may ask."""
    return _error(401, "invalid_client", "send the id and the secret of a client by HTTP Basic", challenge=CHALLENGE)


def invalid_request(error: InvalidRequest) -> Response:
    """Return the response to a request that is not as it has to be."""
    return _error(400, "invalid_request", str(error))


def unsupported_token_type() -> Response:
    """Return the response to the revocation of a token that is not revoked."""
    return _error(400, "unsupported_token_type", "a token for one service expires, and does not end the session")


def wrong_method() -> Response:
    """Return the response to any other method than POST."""
    return _error(405, "invalid_request", "send the token in a form, by POST", Allow="POST")


def come_again() -> Response:
    """Return the response while something cannot be asked: the token may be worth something, or nothing."""
    return _error(503, "temporarily_unavailable", "come again", **{RETRY_AFTER_HEADER: "1"})


def _error(status: int, error: str, description: str, challenge: str | None = None, **headers: str) -> Response:
    challenged: Mapping[str, str] = {} if challenge is None else {CHALLENGE_HEADER: challenge}
    content = {"error": error, "error_description": description}
    return JSONResponse(content, status, headers={**NOT_STORED, **challenged, **headers})
