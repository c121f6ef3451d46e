"""supertokens-python: `verify_session()` of an access token that its core signed."""

# No `from __future__ import annotations`: some annotations name dependencies that a function has just made.

from typing import Annotated

from fastapi import Depends, FastAPI
from supertokens_python import InputAppInfo, SupertokensConfig, init
from supertokens_python.framework.fastapi import get_middleware
from supertokens_python.recipe import session
from supertokens_python.recipe.session import SessionContainer
from supertokens_python.recipe.session.asyncio import create_new_session_without_request_response
from supertokens_python.recipe.session.framework.fastapi import verify_session
from supertokens_python.types import RecipeUserId

from benchmarks.applications import Answer, application, by_header

ORIGIN = "http://localhost"


def supertokens(core: str, *, middleware: bool) -> FastAPI:
    """Return an application whose sessions the server at *core* keeps, with *middleware* as the documentation asks for."""
    init(
        app_info=InputAppInfo(app_name="benchmark", api_domain=ORIGIN, website_domain=ORIGIN),
        supertokens_config=SupertokensConfig(connection_uri=core),
        framework="fastapi",
        mode="asgi",
        recipe_list=[session.init()],
        telemetry=False,
    )
    verify = verify_session()

    async def endpoint(verified: Annotated[SessionContainer, Depends(verify)]) -> Answer:
        return {"user_id": verified.get_user_id()}

    app = application(endpoint, login=login)
    if middleware:
        app.add_middleware(get_middleware())
    return app


async def login() -> Answer:
    """Have the core create a session."""
    begun = await create_new_session_without_request_response("public", RecipeUserId("alice"))
    return by_header(begun.get_access_token())
