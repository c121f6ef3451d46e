"""Acknowledging a refresh in the store once the client has used the access token that came with it.

Until then the previous refresh token is accepted as well, so that a lost response logs nobody out. After that, and once the
grace period is over, it is theft.

It is written in the background, once for each session and generation in a process, because verifying does no I/O.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from functools import partial

from fastapi_session.core import refresh_token
from fastapi_session.core.access_token import AccessToken
from fastapi_session.core.secret import Secrets
from fastapi_session.engine.background import Background
from fastapi_session.handles import split_handle
from fastapi_session.stores.base import SessionStore

REMEMBERED = 10_000
"""How many acknowledgements a process caches. One that was dropped costs a small write, nothing else."""


class Acknowledgements:
    """A cache of what this process has acknowledged already. *failed* counts what could not be written (a later use writes it)."""

    def __init__(self, store: SessionStore, *, secrets: Secrets, background: Background) -> None:
        self._store = store
        self._secrets = secrets
        self._background = background
        self._done: OrderedDict[str, None] = OrderedDict()
        self.failed = 0

    def used(self, token: AccessToken) -> None:
        """Begin to acknowledge the refresh that *token* came from, if it came from one and this was not done."""
        if token.parent_refresh_token_hash is None or token.refresh_token_hash in self._done:
            return
        self._done[token.refresh_token_hash] = None  # before it is written: requests of the same moment write it once
        if len(self._done) > REMEMBERED:
            self._done.popitem(last=False)
        task = self._background.start(self._acknowledge(token))
        task.add_done_callback(partial(self._note_failure, token.refresh_token_hash))

    async def _acknowledge(self, token: AccessToken) -> None:
        session_id, _ = split_handle(token.session_handle)
        fingerprint = bytes.fromhex(token.refresh_token_hash)
        for secret in self._secrets:  # the row's hash is by the secret that was the newest when it was written
            current = refresh_token.stored_hash(fingerprint, secret)
            await self._store.acknowledge(session_id, current=current, issue_id=token.issue_id)

    def _note_failure(self, refresh_token_hash: str, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is not None:
            self.failed += 1
            self._done.pop(refresh_token_hash, None)
