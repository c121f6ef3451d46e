"""How a program's calls keep its session: its tokens on each call, one refresh when they have ended, and the call again.

| the response to a call | then |
|---|---|
| anything but a refusal of ours | it is the result |
| *try refresh token*, and what is held is new since the call was made | the call again |
| *try refresh token* else | a refresh, `ROUNDS` at most: then that is the result |
| *use_dpop_nonce*, and the nonce for the next proof | the call again |
| the refresh brings new tokens | the call again |
| it brings none, with 200: cookies of an older domain were cleared | a refresh, once more |
| it is refused, or the store is down | it is the result |

Of calls that are refused together one refreshes under a lock, and the others wait for it. The lock only saves requests: clients
that refresh with the same token at once all get tokens that are good.

httpx and httpx2 call an `Auth` alike; requests and responses here are theirs.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from typing import Generic
from urllib.parse import urljoin, urlsplit

import anyio

from fastapi_session import endpoint_paths
from fastapi_session.client.dpop import DpopKey
from fastapi_session.client.held import Held, SessionTokens, after
from fastapi_session.client.messages import Cookies, Request, RequestT, Response, ResponseT
from fastapi_session.errors import TryRefreshTokenError
from fastapi_session.web.transport import (
    ANTI_CSRF_HEADER,
    AUTH_MODE_HEADER,
    AUTHORIZATION_HEADER,
    PROOF_HEADER,
    RID_HEADER,
    Method,
)

ROUNDS = 3
"""How often a call is refreshed for, before its refusal is the result."""

_ENDED = (TryRefreshTokenError.message, "use_dpop_nonce")

Keep = Callable[[SessionTokens | None], None]


class SessionFlow(Generic[RequestT, ResponseT]):
    """What the two classes `SessionAuth` share: see either of them."""

    request_class: Callable[[str, str], RequestT]
    response_class: Callable[..., ResponseT]
    cookies_class: Callable[[], Cookies[RequestT, ResponseT]]

    def __init__(
        self,
        base_url: str,
        *,
        base_path: str = "/auth",
        method: Method = "header",
        tokens: SessionTokens | None = None,
        keep: Keep | None = None,
        dpop: DpopKey | None = None,
    ) -> None:
        if dpop is not None and method == "cookie":
            raise ValueError("dpop: a key is proved for tokens in headers; leave dpop out, or method")
        if tokens is not None and method == "cookie":
            raise ValueError('tokens: in method="cookie" they are cookies; leave tokens out, or method')
        self._origin = _origin(base_url)
        self._refresh_url = urljoin(base_url, f"{base_path}{endpoint_paths.REFRESH}")
        self.method = method
        self.dpop = dpop
        self._keep = keep
        self._held = Held(tokens)
        self._cookies = self.cookies_class()
        self._lock = threading.Lock()
        self._async_lock = anyio.Lock()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._refresh_url!r}, method={self.method!r})"

    @property
    def tokens(self) -> SessionTokens | None:
        """The tokens now; `None` if nobody is signed in, or in cookies."""
        return self._held.tokens

    # The two flows differ by `await` alone. One generator for both would hold the lock of threads over an await.
    def sync_auth_flow(self, request: RequestT) -> Generator[RequestT, ResponseT, None]:
        """Yield *request*, and what else has to be sent for it: refreshes, and the request again."""
        if self._is_foreign(request):
            yield request
            return
        request.read()  # it may have to be sent again
        for refreshes in range(ROUNDS + 1):
            before = self._prepare(request, refreshes=False)
            response = yield request
            if _may_be_a_refusal(response):
                response.read()
            if not self._has_ended(response) or refreshes == ROUNDS:
                return
            with self._lock:
                if self._held is before:  # else another call has refreshed, while this one waited for the lock
                    response = yield self._refresh_request(request)
                    response.read()
                    if self._is_over(response):
                        return

    async def async_auth_flow(self, request: RequestT) -> AsyncGenerator[RequestT, ResponseT]:
        """Yield *request*, and what else has to be sent for it: refreshes, and the request again."""
        if self._is_foreign(request):
            yield request
            return
        await request.aread()  # it may have to be sent again
        for refreshes in range(ROUNDS + 1):
            before = self._prepare(request, refreshes=False)
            response = yield request
            if _may_be_a_refusal(response):
                await response.aread()
            if not self._has_ended(response) or refreshes == ROUNDS:
                return
            async with self._async_lock:
                if self._held is before:  # else another call has refreshed, while this one waited for the lock
                    response = yield self._refresh_request(request)
                    await response.aread()
                    if self._is_over(response):
                        return

    def _is_foreign(self, request: Request) -> bool:
        return _origin(str(request.url)) != self._origin

    def _prepare(self, request: RequestT, *, refreshes: bool) -> Held:
        """Put onto *request* the tokens that are held, and return those."""
        held = self._held
        request.headers[RID_HEADER] = "session"
        request.headers[AUTH_MODE_HEADER] = self.method
        if held.anti_csrf is not None:
            request.headers[ANTI_CSRF_HEADER] = held.anti_csrf
        if held.tokens is not None:
            token = held.tokens.refresh_token if refreshes else held.tokens.access_token
            request.headers[AUTHORIZATION_HEADER] = f"{'DPoP' if held.is_bound else 'Bearer'} {token}"
        # Also beside tokens that are not bound: any call may sign in anew. A refresh cannot, and would be read twice for it.
        if self.dpop is not None and (held.is_bound or held.tokens is None or not refreshes):
            of_token = None if refreshes or held.tokens is None else held.tokens.access_token
            request.headers[PROOF_HEADER] = self.dpop.proof(
                request.method, str(request.url), access_token=of_token, nonce=held.nonce
            )
        if self.method == "cookie":
            self._put_cookies(request)
        return held

    def _put_cookies(self, request: RequestT) -> None:
        """Put the newest of our cookies onto *request*, beside those of other names that its client has put there."""
        names = {cookie.name for cookie in self._cookies.jar}
        others = [each for each in request.headers.get("cookie", "").split("; ") if each.partition("=")[0] not in names]
        # A jar of Python's adds nothing to a request that has cookies already.
        request.headers.pop("cookie", None)
        self._cookies.set_cookie_header(request)
        own = request.headers.get("cookie", "")
        if cookies := "; ".join(each for each in [*others, own] if each):
            request.headers["cookie"] = cookies

    def _refresh_request(self, call: RequestT) -> RequestT:
        """Return a refresh for the client of *call*, whose session goes on to be that of the same program."""
        request = self.request_class("POST", self._refresh_url)
        if agent := call.headers.get("user-agent"):
            request.headers["user-agent"] = agent
        self._prepare(request, refreshes=True)
        return request

    def _has_ended(self, response: ResponseT) -> bool:
        """Take what *response* brings, and return whether our application asks in it for another access token, or another nonce."""
        self.take(response)
        if self._is_foreign(response.request):  # to which the call was redirected
            return False
        return _may_be_a_refusal(response) and any(each in _ENDED for each in _said(response))

    def _is_over(self, response: ResponseT) -> bool:
        """Take what *response*, that of a refresh, brings, and return whether it is a refusal."""
        self.take(response)
        return not response.is_success

    def take(self, response: ResponseT) -> None:
        """Take the tokens that *response* brings, as of every call: for one that came in another way."""
        before = self._held
        for each in [*(answer for answer in response.history if answer.has_redirect_location), response]:
            if self._is_foreign(each.request):
                continue
            if self.method == "cookie":
                self._cookies.extract_cookies(each)
            self._held = after(self._held, each.headers)
        if self._keep is not None and before.tokens != self._held.tokens:
            self._keep(self._held.tokens)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _may_be_a_refusal(response: Response) -> bool:
    return response.is_error and "json" in response.headers.get("content-type", "")


def _said(response: Response) -> Iterable[object]:
    try:
        content = response.json()
    except ValueError:
        return ()
    return [content.get(name) for name in ("message", "error")] if isinstance(content, dict) else ()
