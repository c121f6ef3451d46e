"""The paths of the endpoints, below `api_base_path`: typed once for whoever serves, calls, publishes or redirects to them."""

from __future__ import annotations

REFRESH = "/session/refresh"
SIGN_OUT = "/signout"
BACKCHANNEL_LOGOUT = "/backchannel-logout"
INTROSPECTION = "/introspect"
REVOCATION = "/revoke"
DEVICE = "/session/device"
DEVICE_RENEWAL = f"{DEVICE}/renewal"
JWKS = "/jwt/jwks.json"
DISCOVERY = "/.well-known/openid-configuration"

# Below the path of the refresh, since browsers send the refresh cookie nowhere else.
DEVICE_REFRESH = f"{REFRESH}/device"
REFRESH_PAGE = f"{REFRESH}/page"
SIGN_OUT_PAGE = f"{SIGN_OUT}/page"
