"""A warning for names in a payload that are the token's own, and so are dropped: once for each, since they come with every sign-in."""

from __future__ import annotations

import logging

from fastapi_session.model import Json

logger = logging.getLogger("fastapi_session")


class DroppedNames:
    """Knows which names it has told of."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def note(self, given: Json, kept: Json) -> None:
        """Note that of the payload *given* this was *kept*."""
        if len(given) == len(kept):
            return
        for name in sorted(given.keys() - kept.keys() - self._told):
            self._told.add(name)
            logger.warning(
                "access_token_payload: %r is a name of the access token's own, so what the application gives under it is dropped; "
                "give it another name",
                name,
            )
