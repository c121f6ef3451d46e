"""What an application may put into a session: a JSON object, and exactly what is read back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from math import isfinite

from fastapi_session.errors import ConfigurationError, PayloadError
from fastapi_session.json_types import JsonObject, JsonValue
from fastapi_session.model import MAX_NAME, MAX_OBJECT, Json

MAX_DEPTH = 64
"""Objects and lists in one another. Some parsers, here or elsewhere, refuse deeper ones."""
_JSON = json.JSONEncoder(allow_nan=False, ensure_ascii=False)  # once: json.dumps would make one each time
_ORDERED_JSON = json.JSONEncoder(sort_keys=True)
LONGEST_LABEL = 64
"""Characters of what a user calls a session."""
# Controls, line separators, and what changes the direction of the text after it, in a list that of other sessions (UAX #9, 2.1 to 2.4).
_UNPRINTED = r"\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
# Of these emoji and some scripts need a few, but not alone.
_INVISIBLE = r"\s\u00ad\u200b-\u200f\u2060-\u2064\ufeff"
LABEL = rf"^[^{_UNPRINTED}]*[^{_INVISIBLE}{_UNPRINTED}][^{_UNPRINTED}]*$"
"""What a label looks like, as a regular expression of Python, Rust and JSON Schema: one line, of which something is seen."""
_LABEL = re.compile(LABEL)
_TENANT = re.compile(r"[A-Za-z0-9._-]{1,64}")


def json_object(value: Json | None, what: str) -> JsonObject:
    """Return a copy of *value* as it will be read back; `None` is the empty object.

    Raises `PayloadError` naming *what* if JSON cannot say it: other types, keys that are no strings, NaN,
    text that UTF-8 cannot encode; and if it is larger than `MAX_OBJECT`.
    """
    if value is None or value == {}:
        return {}
    try:
        # Written and read back, not checked type by type: so nobody is surprised by what a store makes of it.
        text = _JSON.encode(dict(value))
        size = len(text.encode())
        copy: JsonObject = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise PayloadError(f"{what}: {_unsaid(value)}, give an object of strings, numbers, lists and such") from error
    if size > MAX_OBJECT:
        raise PayloadError(f"{what}: {size} bytes as JSON, give at most {MAX_OBJECT} and keep the rest elsewhere")
    if not _is_flatter_than(MAX_DEPTH, copy):
        raise PayloadError(f"{what}: nested deeper than {MAX_DEPTH}, give something flatter")
    if copy != value:  # a tuple that became a list, a key 1 that became "1"
        raise PayloadError(f"{what}: {_unsaid(value)}, which JSON reads back differently; give plain JSON")
    return copy


def _unsaid(value: object) -> str:
    """Return where *value* has what JSON cannot say, and of which type that is: never the value, which may be secret."""
    return next(_all_unsaid(value, place="", levels=MAX_DEPTH), f"it is {type(value).__name__}")


def _all_unsaid(value: object, *, place: str, levels: int) -> Iterator[str]:
    if levels < 0:
        yield f"it is nested deeper than {MAX_DEPTH}"
        return
    if (kind := _unsaid_kind(value)) is not None:
        yield f"the value{_at(place)} is {kind}"
    for key, inner in _inside(value):
        if not isinstance(value, list) and (kind := _unsaid_key(key)) is not None:
            yield f"a key{_at(place)} is {kind}"
        yield from _all_unsaid(inner, place=f"{place}[{key!a}]", levels=levels - 1)


def _at(place: str) -> str:
    return f" at {place}" if place else ""


def _inside(value: object) -> Iterable[tuple[object, object]]:
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()


def _unsaid_key(key: object) -> str | None:
    return _unsaid_kind(key) if isinstance(key, str) else type(key).__name__


def _unsaid_kind(value: object) -> str | None:
    """Return the type of *value*, if JSON does not say it in UTF-8."""
    if isinstance(value, str):
        return None if _is_unicode(value) else "text that UTF-8 cannot encode"
    is_said = value is None or isinstance(value, int | dict | list) or (isinstance(value, float) and isfinite(value))
    return None if is_said else type(value).__name__


def _is_flatter_than(levels: int, value: JsonValue) -> bool:
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_flatter_than(levels - 1, each) for each in inner)


def is_same(one: Json, other: Json) -> bool:
    """Say whether two JSON objects are the same, whatever the order of their keys. true is not 1, and 1.0 is not 1."""
    if one is other or not (one or other):  # mostly: with each request whose session is read from the store
        return True
    # `==` alone has True equal to 1, text alone depends on the order of keys; the cheap one comes first.
    return one == other and _ORDERED_JSON.encode(one) == _ORDERED_JSON.encode(other)


def copied(payload: Json) -> JsonObject:
    """Return a copy of *payload* that shares nothing with it that could be changed."""
    return {key: _copied(value) for key, value in payload.items()}


def _copied(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return copied(value)
    return [_copied(item) for item in value] if isinstance(value, list) else value


def merged(payload: Json, changes: Json) -> JsonObject:
    """Return *payload* with *changes* merged into its top level; a value of `None` removes its key."""
    removed = {key for key, value in changes.items() if value is None}
    return {key: value for key, value in {**payload, **changes}.items() if key not in removed}


def is_name(value: str) -> bool:
    """Say whether *value* can be the name of a user or a tenant. If not, it has no sessions, and no store need be read."""
    # PostgreSQL keeps no NUL in text.
    return 0 < len(value) <= MAX_NAME and "\x00" not in value and _is_unicode(value)


def checked_name(value: str, what: str) -> str:
    """Return *value*, a text of 1 to 255 characters that UTF-8 can encode. Raises `PayloadError` naming *what*."""
    ensure_text(value, what)
    if not is_name(value):
        raise PayloadError(f"{what}: give a text of 1 to {MAX_NAME} characters")
    return value


def ensure_type(value: object, what: str, kind: type, *, example: str) -> None:
    """Raise `ConfigurationError`, naming *what* and with an *example* of it, if *value* is no *kind*."""
    # Although the types say it: without a type checker, a plain text or dict fails far from where it was written.
    if not isinstance(value, kind):
        raise ConfigurationError(f"{what}: give a value of the class {kind.__name__}, as in {example}")


def ensure_text(value: object, what: str) -> None:
    """Raise `PayloadError` naming *what* if *value* is no text.

    It is not made one here: whoever looks for the sessions of 42, or compares 42 with a `user_id`, would find none.
    """
    if not isinstance(value, str):
        raise PayloadError(
            f"{what}: give a text, and no {type(value).__name__}: write str(...) there, and wherever you look for it"
        )


def checked_tenant(value: str) -> str:
    """Return *value*, a tenant: letters, digits, dot, dash and underscore. Raises `PayloadError`."""
    if not _TENANT.fullmatch(checked_name(value, "tenant_id")):
        raise PayloadError("tenant_id: give letters, digits, dot, dash and underscore, at most 64")
    return value


def checked_label(value: str | None) -> str | None:
    """Return *value*, what a user calls a session: 1 to 64 characters in one line, some of which are seen. Raises `PayloadError`."""
    if value is None:
        return None
    ensure_text(value, "label")
    if len(value) > LONGEST_LABEL or not _LABEL.fullmatch(value) or not _is_unicode(value):
        raise PayloadError(f"label: give 1 to {LONGEST_LABEL} characters, no control characters, and something to see")
    return value


def _is_unicode(value: str) -> bool:
    # A lone surrogate is text to Python, and nothing to UTF-8.
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
