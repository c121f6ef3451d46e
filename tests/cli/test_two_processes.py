"""A command ends a session of an application that runs in another process: what each of the two knows of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.deployments import SECRET

ROOT = Path(__file__).parents[2]

APPLICATION = f"""
import asyncio, json, os
from fastapi import FastAPI
from fastapi_session import SessionConfig, UnauthorisedError, install

async def note(event):
    with open("subscriber.txt", "a") as file:
        print(os.getpid(), event.to_json()["event"], getattr(event, "reason", None), file=file)

app = FastAPI()
sessions = install(app, SessionConfig(store="sqlite:///sessions.db", secret={SECRET!r}, audit=True), subscribers=[note])

async def main():
    await sessions.open()
    issued = await sessions.create("alice")
    handle = issued.access_token.session_handle
    with sessions.ending(handle) as ended:
        print(handle, flush=True)
        await ended
    try:
        await sessions.verify(issued.tokens.access_token)
    except UnauthorisedError:
        page = await sessions.events(newest_first=True)
        print(json.dumps({{"pid": os.getpid(), "last": page.events[0].to_json()}}))
    await sessions.close()

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "main.py").write_text(APPLICATION, "utf-8")
    return tmp_path


def test_the_running_process_is_told(folder: Path) -> None:
    """A running process hears of it by the feed and refuses the token; both see the event; with `--app` its subscriber is called.

    The subscriber runs where the session was ended: in the process of the command, once.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "main.py"], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    ) as running:
        try:
            assert running.stdout is not None
            handle = running.stdout.readline().strip()
            command = [
                sys.executable,
                "-m",
                "fastapi_session",
                "sessions",
                "revoke",
                handle,
                "--yes",
                "--app",
                "main:app",
            ]
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
            assert (0, f"ended: {handle}\n", "") == (done.returncode, done.stdout, done.stderr)
            told = json.loads(running.communicate(timeout=60)[0])
        finally:
            running.kill()

    last = told["last"]
    assert ("SessionRevoked", handle, "by_handle") == (last["event"], last["handle"], last["reason"])
    assert last["circumstances"]["user_agent"].endswith("(command line)")
    noted = [line.split() for line in (folder / "subscriber.txt").read_text("utf-8").splitlines()]
    assert [[str(told["pid"]), "SessionCreated", "None"]] == noted[:1]
    assert [["SessionRevoked", "by_handle"]] == [words[1:] for words in noted[1:]]
    assert str(told["pid"]) != noted[1][0]
