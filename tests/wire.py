"""The names of the wire, typed by hand: a test that took them from the package could not notice that one has changed.

docs/wire.md has the same. Where a test writes whole headers as bytes, they are typed there once more.
"""

from __future__ import annotations

ACCESS_COOKIE = "sAccessToken"
REFRESH_COOKIE = "sRefreshToken"
BINDING_COOKIE = "sBinding"
LEGACY_COOKIE = "sIdRefreshToken"
"""Of older versions: it is only ever cleared."""

ACCESS_HEADER = "st-access-token"
REFRESH_HEADER = "st-refresh-token"
FRONT_TOKEN = "front-token"
ANTI_CSRF = "anti-csrf"
AUTH_MODE = "st-auth-mode"

REFRESH_PATH = "/auth/session/refresh"
DEVICE_PATH = "/auth/session/device"
DEVICE_RENEWAL_PATH = "/auth/session/device/renewal"
DEVICE_REFRESH_PATH = "/auth/session/refresh/device"
SIGN_OUT_PATH = "/auth/signout"
