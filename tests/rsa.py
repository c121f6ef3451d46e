"""What making RSA keys does to the rest of a process, by the version of cryptography."""

from __future__ import annotations

from importlib.metadata import version

import pytest
from packaging.version import Version

makes_keys_aside = pytest.mark.skipif(
    Version(version("cryptography")) < Version("47"),
    reason="this cryptography holds the interpreter while it makes an RSA key",
)
