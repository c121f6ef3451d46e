"""What an error reporter would send of an error: the local variables of every frame, as it prints them."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from starlette.requests import HTTPConnection

import fastapi_session
from fastapi_session.core import access_token, base64url

PACKAGE = Path(fastapi_session.__path__[0])
PIECE = 24
"""Characters of a secret that are too many to be shown: 18 bytes of it."""
DEPTH = 5
"""How deep reporters look into containers."""


def pieces(*secrets: str | bytes) -> set[str]:
    """Every piece of *secrets*, in all the forms in which one may be printed."""
    forms = {form for secret in secrets for form in _forms(secret)}
    return {form[start : start + PIECE] for form in forms for start in range(max(1, len(form) - PIECE + 1))}


def of_access_token(token: str) -> set[str]:
    """The pieces of an access token, and of what its payload says that opens anything. Its header is that of every token."""
    _, payload, signature = token.split(".")
    parsed = access_token.parse(token)
    assert parsed is not None
    fingerprint, parent = parsed.content.refresh_token_hash, parsed.content.parent_refresh_token_hash
    hashes = [bytes.fromhex(each) for each in (fingerprint, parent) if each is not None]
    return pieces(payload, signature, parsed.signature, *hashes)


def of_refresh_token(token: str) -> set[str]:
    """The pieces of a refresh token and of the bytes that it is, but for its session id, which is no secret."""
    data = base64url.decode(token)
    assert data is not None
    return pieces(token, data[22:54], data[54:86], data[22:])


def _forms(secret: str | bytes) -> Iterator[str]:
    if isinstance(secret, str):
        yield secret
        return
    yield repr(secret)[2:-1]
    yield secret.hex()
    yield base64.b64encode(secret).decode()
    yield base64.urlsafe_b64encode(secret).decode()


@dataclass(frozen=True)
class Told:
    """One thing that a report of an error says: *text*, at *place*."""

    place: str
    text: str = field(repr=False)

    def tells(self, secrets: AbstractSet[str]) -> bool:
        """Say whether a piece of *secrets* is in it."""
        starts = range(max(1, len(self.text) - PIECE + 1))
        return any(self.text[start : start + PIECE] in secrets for start in starts)


def report(error: BaseException) -> list[Told]:
    """What is told of *error* and of those that it came of: their texts, and the local variables of this package's frames.

    To be asked while the error is handled: frameworks take its frames away when they are done.
    """
    said = []
    for each in chain(error):
        said.append(Told(f"{type(each).__name__}: its text", f"{each!r} {each}"))
        for frame in frames(each):
            code, variables = frame.f_code, frame.f_locals.items()
            place = f"{Path(code.co_filename).relative_to(PACKAGE)}:{code.co_name}"
            said += [Told(f"{place} {name}", "\n".join(printed(value))) for name, value in variables]
    return said


def chain(error: BaseException) -> list[BaseException]:
    """*error*, and all that it came of."""
    known: dict[int, BaseException] = {}
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and id(each) not in known:
            known[id(each)] = each
            waiting += [each.__cause__, each.__context__]
            waiting += each.exceptions if isinstance(each, BaseExceptionGroup) else ()
    return list(known.values())


def frames(error: BaseException) -> Iterator[FrameType]:
    """The frames of this package that *error* went through."""
    traceback = error.__traceback__
    while traceback is not None:
        if PACKAGE in Path(traceback.tb_frame.f_code.co_filename).parents:
            yield traceback.tb_frame
        traceback = traceback.tb_next


def printed(value: Any, depth: int = DEPTH) -> Iterator[str]:
    """*value* as reporters print it: by its repr, and what is in a container one by one."""
    if is_of_the_server(value):
        return
    if depth and isinstance(value, Mapping):
        for name, each in value.items():
            yield repr(name)
            yield from printed(each, depth - 1)
    elif depth and isinstance(value, Sequence | AbstractSet) and not isinstance(value, str | bytes | bytearray):
        yield from _all(value, depth - 1)
    yield repr(value)


def _all(values: Iterable[Any], depth: int) -> Iterator[str]:
    for value in values:
        yield from printed(value, depth)


def is_of_the_server(value: Any) -> bool:
    """Say whether *value* is the request as the server has it: every frame of FastAPI, Starlette and the server has it too."""
    return isinstance(value, HTTPConnection) or (isinstance(value, dict) and {"type", "headers"} <= value.keys())
