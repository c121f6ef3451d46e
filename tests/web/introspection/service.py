"""A service that asks about tokens, and the application that it asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from httpx2 import Response

from fastapi_session import Sessions, introspection_router
from fastapi_session.engine.tokens.issuing import IssuedSession
from fastapi_session.testing import HandClock
from fastapi_session.web.form_body import FORM
from tests.web.deployment import Deployment, application, deployed

ID = "reports"
SECRET = "tZ0q5Yv-3nJ8_xW.1kLm~Rb7Ha2sDf4GpQeC9uViOo6w"
INTROSPECTION, REVOCATION = "/auth/introspect", "/auth/revoke"
INACTIVE = (200, {"active": False})
DONE = (200, b"")


@dataclass(frozen=True)
class Service:
    """The client *client_id* of *deployment*."""

    deployment: Deployment
    client_id: str = ID
    secret: str = SECRET

    def post(self, path: str, body: Mapping[str, str] | str, **headers: str) -> Response:
        """Send a form with this service's secret, or with what *headers* say; and see to what is true of every response."""
        content = {"content": body} if isinstance(body, str) else {"data": body}
        type_of = {"content-type": FORM} if isinstance(body, str) else {}
        given: dict[str, Any] = {"auth": (self.client_id, self.secret)} if "authorization" not in headers else {}
        sent = {**type_of, **{name.replace("_", "-"): value for name, value in headers.items()}}
        response = self.deployment.client.post(path, headers=sent, **content, **given)
        assert "no-store" == response.headers["cache-control"]
        assert "set-cookie" not in response.headers
        assert ("retry-after" in response.headers) == (response.status_code == 503)
        assert ("www-authenticate" in response.headers) == (response.status_code == 401)
        return response

    def told(self, token: str, **fields: str) -> tuple[int, Any]:
        """The status and the body of what is told of *token*."""
        response = self.post(INTROSPECTION, {"token": token, **fields})
        return response.status_code, response.json()

    def revoke(self, token: str, **fields: str) -> tuple[int, bytes]:
        """The status and the body of the response to the revocation of *token*."""
        response = self.post(REVOCATION, {"token": token, **fields})
        return response.status_code, response.content


@contextmanager
def asked(sessions: Sessions, clock: HandClock, clients: Any = None, **options: Any) -> Iterator[Service]:
    """Serve the application of every endpoint, with those for services."""
    app = application(sessions)
    app.include_router(introspection_router({ID: SECRET} if clients is None else clients, **options))
    with deployed(app, sessions, clock, sessions.config.api_domain) as deployment:
        yield Service(deployment)


def begun(service: Service, user_id: str = "ada", **options: Any) -> IssuedSession:
    """Begin a session by the verb, as any endpoint may."""
    issued: IssuedSession = service.deployment.ask(partial(service.deployment.sessions.create, user_id, **options))
    return issued
