"""Queries and subscriptions of the page's application."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from tests.wire import ACCESS_COOKIE, ACCESS_HEADER, AUTH_MODE, SIGN_OUT_PATH

pytest.importorskip("strawberry")

SUBPROTOCOL = "graphql-transport-ws"
NEWS = {"type": "subscribe", "id": "1", "payload": {"query": "subscription { news }"}}


def ask(client: TestClient, query: str) -> Any:
    return client.post("/graphql", json={"query": query}).json()


def test_queries_know_the_session(client: TestClient) -> None:
    """A field for users is theirs alone, the others are for everybody, and the token of a session that has ended is 401."""
    refused = ask(client, "{ me }")
    assert ["this field is for users who have signed in"] == [error["message"] for error in refused["errors"]]
    assert {"greeting": "Hello"} == ask(client, "{ greeting }")["data"]
    client.post("/login")
    assert {"me": "ada"} == ask(client, "{ me }")["data"]
    token = client.cookies[ACCESS_COOKIE]
    client.post(SIGN_OUT_PATH)
    client.cookies[ACCESS_COOKIE] = token
    assert 401 == client.post("/graphql", json={"query": "{ greeting }"}).status_code


@pytest.mark.parametrize("method", ["cookie", "header"])
def test_a_subscription_ends_with_its_session(method: str, page: ModuleType, client: TestClient) -> None:
    """A token in a cookie or in `connection_init` opens a subscription, which is closed when the user signs out."""
    token = client.post("/login", headers={AUTH_MODE: method}).headers.get(ACCESS_HEADER)
    bearer = {"authorization": f"Bearer {token}"} if token else {}
    with client.websocket_connect("/graphql", subprotocols=[SUBPROTOCOL]) as socket:
        socket.send_json({"type": "connection_init", "payload": {"accessToken": token} if token else {}})
        assert "connection_ack" == socket.receive_json()["type"]
        socket.send_json(NEWS)
        assert {"news": "for ada"} == socket.receive_json()["payload"]["data"]
        assert "complete" == socket.receive_json()["type"]
        assert 200 == client.post(SIGN_OUT_PATH, headers=bearer).status_code
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()

    assert (3000, "unauthorised") == (closed.value.code, closed.value.reason)


def test_an_ended_session_opens_no_subscription(client: TestClient) -> None:
    """What `connection_init` brings is verified before it is acknowledged."""
    token = client.post("/login", headers={AUTH_MODE: "header"}).headers[ACCESS_HEADER]
    client.post(SIGN_OUT_PATH, headers={"authorization": f"Bearer {token}"})
    with client.websocket_connect("/graphql", subprotocols=[SUBPROTOCOL]) as socket:
        socket.send_json({"type": "connection_init", "payload": {"accessToken": token}})
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()

    assert (3000, "unauthorised") == (closed.value.code, closed.value.reason)
