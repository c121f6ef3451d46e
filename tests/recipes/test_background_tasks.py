"""A background task works for the session that asked, as far as the recipe says."""

from __future__ import annotations

from types import ModuleType
from typing import Annotated, Any

from fastapi import BackgroundTasks, Depends
from fastapi.testclient import TestClient

from fastapi_session import ConfigurationError, CreateSession, Session, create_session, verify_session
from tests.wire import REFRESH_PATH, SIGN_OUT_PATH


def test_the_work_is_done(page: ModuleType, client: TestClient) -> None:
    """The report is written, and the session knows; for one that ended meanwhile nothing is done."""
    client.post("/login")
    assert [202, 202] == [client.post("/report").status_code for _ in range(2)]
    assert ["a report for ada"] * 2 == page.REPORTS
    assert 2 == client.get("/reports").json()

    assert client.portal is not None
    [session] = client.portal.call(page.sessions.of_user, "ada")
    client.post(SIGN_OUT_PATH)
    client.portal.call(page.write_report, session.handle)
    assert 2 == len(page.REPORTS)


def test_what_can_be_done_there(page: ModuleType, client: TestClient) -> None:
    """Claims reach the client with its next request, an end too, and no session begins."""
    told: list[str] = []

    async def late(create: CreateSession) -> None:
        try:
            await create("bob")
        except ConfigurationError as error:
            told.append(str(error))

    @page.app.post("/late")
    async def too_late(tasks: BackgroundTasks, create: Annotated[CreateSession, Depends(create_session())]) -> None:
        tasks.add_task(late, create)

    @page.app.post("/plan")
    async def plan(tasks: BackgroundTasks, session: Annotated[Session, Depends(verify_session())]) -> None:
        tasks.add_task(session.merge_into_access_token_payload, {"plan": "pro"})

    @page.app.get("/plan")
    async def my_plan(session: Annotated[Session, Depends(verify_session())]) -> Any:
        return session.claims["plan"]

    @page.app.post("/end")
    async def end(tasks: BackgroundTasks, session: Annotated[Session, Depends(verify_session())]) -> None:
        tasks.add_task(session.revoke)

    client.post("/login")
    assert 200 == client.post("/late").status_code
    assert ["the response to this request has started"] == [each.split(" (")[0] for each in told]
    client.post("/plan")
    assert {"message": "try refresh token"} == client.get("/plan").json()
    client.post(REFRESH_PATH)
    assert "pro" == client.get("/plan").json()
    client.post("/end")
    assert {"message": "unauthorised"} == client.get("/plan").json()
