"""A client that proves its key by DPoP, header by header: its proofs are made by hand, so that each can be a wrong one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from httpx2 import Response

from fastapi_session.core.binding.dpop import token_hash
from tests.core.binding import provers
from tests.engines import ORIGIN
from tests.web.deployment import Deployment
from tests.web.wire import Held
from tests.wire import REFRESH_PATH

TYPE = "dpop+jwt"


@dataclass
class Prover:
    """A client of *deployment* with a key of its own, that of *algorithm*; *private* is another one."""

    deployment: Deployment
    algorithm: str = "ES256"
    private: provers.Private | None = None
    origin: str = ORIGIN
    nonce: str | None = None
    numbers: Any = field(default_factory=count)

    def proof(self, method: str, path: str, *, token: str | None = None, **claims: Any) -> str:
        """Return a proof for a request; *claims* are said in the place of the right ones, those that are `None` are left out."""
        said = {
            "htm": method,
            "htu": f"{self.origin}{path}",
            "iat": self.deployment.clock() // 1000,
            "jti": f"{id(self)}-{next(self.numbers)}",
            "ath": None if token is None else token_hash(token),
            "nonce": self.nonce,
            **claims,
        }
        kept = {name: value for name, value in said.items() if value is not None}
        return provers.proof(kept, self.algorithm, private=self.private, typ=TYPE)

    def request(
        self, method: str, path: str, token: str | None, *headers: Mapping[str, str], **claims: Any
    ) -> Response:
        """Send a request with *token*, by the scheme DPoP, and the proof for it."""
        brought = {} if token is None else {"authorization": f"DPoP {token}"}
        bare, ath = path.partition("?")[0], claims.pop("ath_of", token)
        brought["dpop"] = self.proof(method, bare, token=ath, **claims)
        return self.deployment.request(method, path, brought, *headers)

    def get(self, path: str, held: Held, *headers: Mapping[str, str], **claims: Any) -> Response:
        return self.request("GET", path, held.access, *headers, **claims)

    def post(self, path: str, held: Held, *headers: Mapping[str, str], **claims: Any) -> Response:
        return self.request("POST", path, held.access, *headers, **claims)

    def log_in(self, *headers: Mapping[str, str], user_id: str = "ada", **claims: Any) -> Response:
        """Sign in with a proof, and with nothing that says how tokens are to travel."""
        return self.request("POST", f"/login?user_id={user_id}", None, *headers, **claims)

    def login(self, user_id: str = "ada") -> Held:
        """Sign in, and return the tokens that came."""
        return Held.of(self.log_in(user_id=user_id), "header")

    def refresh(self, held: Held, *headers: Mapping[str, str], **claims: Any) -> Response:
        return self.request("POST", REFRESH_PATH, held.refresh, *headers, ath_of=None, **claims)
