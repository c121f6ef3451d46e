"""How the files of tests are shared out among workers that run side by side."""

from __future__ import annotations

import os

LONGEST = (
    "tests/browser/test_example_app.py",
    "tests/stores/sql/test_contract.py",
    "tests/reliability/test_revocation.py",
    "tests/reliability/test_skew.py",
    "tests/stores/sql/test_migration.py",
    "tests/reliability/test_kill.py",
    "tests/browser/test_client_script.py",
    "tests/browser/binding/test_device_binding.py",
    "tests/core/test_rotation_machine.py",
    "tests/moving/copying/test_switch.py",
    "tests/moving/supertokens/test_source.py",
    "tests/browser/test_supertokens_website.py",
    "tests/browser/binding/test_supertokens_website.py",
    "tests/reliability/test_race.py",
    "tests/reliability/test_replay.py",
    "tests/web/test_hostile.py",
    "tests/test_docs.py",
)
"""The files that take longest, the longest first: begun late, one of them would keep the others waiting for its end."""

MOST_WORKERS = 4


def workers() -> int:
    """How many workers there are: one more than processors, since each waits for servers and browsers much of the time."""
    return min((os.cpu_count() or 1) + 1, MOST_WORKERS)


def turn(file: str) -> int:
    """Return when the turn of *file* comes: a number for each that takes long, and the same for all others."""
    return LONGEST.index(file) if file in LONGEST else len(LONGEST)
