"""A program of its own, whose redis-py is the one that arq asks for: the story of the recipe, told as JSON.

A session that lives has a report written, and one that has ended meanwhile has none.
"""

from __future__ import annotations

import json
import sys
from types import ModuleType
from typing import Any

from arq.worker import create_worker
from fastapi.testclient import TestClient

from tests.pages import run_examples


async def work(page: ModuleType) -> None:
    """Do what is in the queue."""
    worker = create_worker(page.WorkerSettings, burst=True, poll_delay=0.01, handle_signals=False)
    await worker.async_run()
    await worker.close()


def main() -> None:
    page = run_examples("docs/recipes/arq.md")
    told: dict[str, Any] = {}
    with TestClient(page.app, headers={"st-auth-mode": "cookie", "rid": "anti-csrf"}) as client:
        assert client.portal is not None
        client.post("/login")
        told["asked"] = client.post("/report").status_code
        client.portal.call(work, page)
        told["alive"] = list(page.REPORTS)
        client.post("/report")
        client.post("/auth/signout")
        client.portal.call(work, page)
        told["ended"] = list(page.REPORTS)
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
