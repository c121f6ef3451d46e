"""A small OpenID provider that lets one user in: what OpenID Connect asks of a code flow and a logout."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import FastAPI, Form, HTTPException, Request
from fastapi.responses import RedirectResponse
from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT_ID, CLIENT_SECRET = "my-application", secrets.token_urlsafe()
USER = {"sub": "4711", "email": "ada@example.com", "sid": "at the provider"}


@dataclass
class Provider:
    """What it has told its clients. It asks its user nothing, but may refuse."""

    issuer: str
    refuses: bool = False
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "1"}))
    asked: dict[str, dict[str, str]] = field(default_factory=dict)

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }

    def authorize(self, request: Request) -> RedirectResponse:
        asked = dict(request.query_params)
        if self.refuses:
            answer = "error=access_denied&error_description=not+today"
        else:
            code = secrets.token_urlsafe()
            self.asked[code] = asked
            answer = f"code={code}"
        return RedirectResponse(f"{asked['redirect_uri']}?{answer}&state={asked['state']}")

    def token(self, request: Request, code: Annotated[str, Form()], code_verifier: Annotated[str, Form()]) -> Any:
        asked = self.asked.pop(code)
        credentials = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        digest = base64.urlsafe_b64encode(hashlib.sha256(code_verifier.encode()).digest()).rstrip(b"=").decode()
        if request.headers.get("authorization") != f"Basic {credentials}" or digest != asked["code_challenge"]:
            raise HTTPException(400, "invalid_client")
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 60, "nonce": asked["nonce"], **USER}
        id_token = jwt.encode({"alg": "RS256", "kid": "1"}, claims, self.key)
        return {"access_token": "for the provider", "token_type": "Bearer", "expires_in": 60, "id_token": id_token}

    def logout_token(self, **said: str) -> str:
        """Return the token by which it ends the session of what is *said*, `sid` or `sub` (Back-Channel Logout 1.0, section 2.4)."""
        now = int(time.time())
        events: dict[str, Any] = {"http://schemas.openid.net/event/backchannel-logout": {}}
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 60, "jti": secrets.token_hex(), **said}
        header = {"alg": "RS256", "kid": "1", "typ": "logout+jwt"}
        return jwt.encode(header, {**claims, "events": events}, self.key)

    def app(self) -> FastAPI:
        app = FastAPI()
        app.get("/.well-known/openid-configuration")(self.metadata)
        app.get("/authorize")(self.authorize)
        app.post("/token")(self.token)
        app.get("/jwks")(lambda: {"keys": [self.key.as_dict(private=False)]})
        return app
