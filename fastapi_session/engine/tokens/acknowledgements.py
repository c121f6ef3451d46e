"""Telling the store that a client has used what a refresh gave it.

Until then the refresh token of before is answered as well, so that a lost answer logs nobody out; from then on it is theft.
It is told in the background, once for each session and generation in a process, because verifying does no I/O.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from functools import partial

from fastapi_session.core import refresh_token
from fastapi_session.core.access_token import AccessToken
from fastapi_session.core.secret import Secrets
from fastapi_session.engine.background import Background
from fastapi_session.model import split_handle
from fastapi_session.stores.base import SessionStore

REMEMBERED = 10_000
"""How many acknowledgements a process remembers. One forgotten costs a small write, nothing else."""


class Acknowledgements:
    """What this process has told the store already. *failed* counts what could not be told (a later use tells it)."""

    def __init__(self, store: SessionStore, *, secrets: Secrets, background: Background) -> None:
        self._store = store
        self._secrets = secrets
        self._background = background
        self._told: OrderedDict[str, None] = OrderedDict()
        self.failed = 0

    def used(self, token: AccessToken) -> None:
        """Take note that *token* was used. Only one that a refresh gave out has anything to acknowledge."""
        if token.parent_refresh_token_hash is None or token.refresh_token_hash in self._told:
            return
        self._told[token.refresh_token_hash] = None
        if len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        task = self._background.start(self._tell(token))
        task.add_done_callback(partial(self._note_failure, token.refresh_token_hash))

    async def _tell(self, token: AccessToken) -> None:
        session_id, _ = split_handle(token.session_handle)
        fingerprint = bytes.fromhex(token.refresh_token_hash)
        for secret in self._secrets:
            current = refresh_token.stored_hash(fingerprint, secret)
            await self._store.acknowledge(session_id, current=current, issue_id=token.issue_id)

    def _note_failure(self, refresh_token_hash: str, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is not None:
            self.failed += 1
            self._told.pop(refresh_token_hash, None)
