"""The URL of a store: whoever prints it prints no password, and error reporters print whatever is in a variable."""

from __future__ import annotations

import re
from typing import Any

# Up to the last @: a password may have one that should have been escaped.
_USERS_PASSWORD = re.compile(r"(?<=://)([^:@?#]*):.*@", re.DOTALL)
_PASSWORD_OPTION = re.compile(r"([?&][^=&#]*(?:pass|pwd|secret|token|key)[^=&#]*=)[^&]*", re.IGNORECASE)


class StoreUrl(str):
    """The URL of a store. As text it is itself, and in every printed form without its password."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(self.printed)

    @property
    def printed(self) -> str:
        """The URL with `***` in place of each password."""
        return _PASSWORD_OPTION.sub(r"\1***", _USERS_PASSWORD.sub(r"\1:***@", self))


def unprinted(place: Any) -> Any:
    """Return *place* as a `StoreUrl` if it is text, else as it is: a store, an engine, a client."""
    return StoreUrl(place) if isinstance(place, str) else place
