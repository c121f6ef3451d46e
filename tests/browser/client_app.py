"""An app for the npm client: a page that carries it, unmodified, and an API with sessions for it to call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import FileResponse, Response

from fastapi_session import (
    Authentication,
    CreateSession,
    Factor,
    Lifetime,
    Session,
    SessionConfig,
    Sessions,
    create_session,
    get_all_cors_headers,
    install,
    session_router,
    verify_session,
)
from tests.browser.setup import CLIENT, npm_package

HERE = Path(__file__).parent
PACKAGES = (CLIENT, "browser-tabs-lock", "supertokens-js-override")


def api_app(config: SessionConfig, *, sessions: Sessions | None = None) -> FastAPI:
    """Build the API, callable from the pages of the configuration's website. *sessions* are those that were made from it, if any."""
    app = page_app()
    install(app, sessions or config)
    app.include_router(session_router())
    app.add_middleware(
        CORSMiddleware,
        allow_origins=[config.website_domain],
        allow_credentials=True,
        allow_methods=["GET", "POST"],
        allow_headers=["content-type", *get_all_cors_headers()],
    )

    @app.post("/login")
    async def login(
        create: Annotated[CreateSession, Depends(create_session())], remember: bool = True
    ) -> dict[str, str]:
        session = await create(
            user_id="alice",
            access_token_payload={"plan": "free"},
            lifetime=Lifetime(remember=remember),
            authentication=Authentication(("pwd",)),
        )
        return {"handle": session.handle}

    @app.get("/me")
    async def me(session: Annotated[Session, Depends(verify_session())]) -> dict[str, str]:
        return {"user_id": session.user_id}

    @app.post("/sudo")
    async def sudo(session: Annotated[Session, Depends(verify_session())]) -> dict[str, str]:
        await session.elevate("otp")
        return {"handle": session.handle}

    @app.get("/vault")
    async def vault(session: Annotated[Session, Depends(verify_session(Factor("otp")))]) -> list[str]:
        return sorted(session.factors)

    @app.post("/plan")
    async def change_plan(session: Annotated[Session, Depends(verify_session())]) -> dict[str, str]:
        await session.merge_into_access_token_payload({"plan": "pro"})
        return {"plan": "pro"}

    return app


def page_app() -> FastAPI:
    """Build an app that serves the client's page and nothing else."""
    app = FastAPI()
    script = client_script()

    @app.get("/client")
    async def page() -> FileResponse:
        return FileResponse(HERE / "client_page.html")

    @app.get("/client.js")
    async def client() -> Response:
        return Response(script, media_type="text/javascript")

    return app


def client_script() -> str:
    """Return the loader, and every file of the client's packages wrapped into a function and otherwise untouched."""
    folder = npm_package(CLIENT).parent
    files = [file for package in PACKAGES for file in sorted((folder / package).rglob("*.js"))]
    modules = "".join(
        f"{json.dumps(str(file.relative_to(folder)))}: function (module, exports, require) {{\n{file.read_text('utf-8')}\n}},\n"
        for file in files
    )
    mains = {package: main_file(folder / package) for package in PACKAGES}
    return f"const clientMains = {json.dumps(mains)};\nconst clientModules = {{\n{modules}}};\n{loader()}"


def main_file(package: Path) -> str:
    """Return the path of the file that `require` of the package's own name means."""
    main = json.loads((package / "package.json").read_text("utf-8")).get("main", "index.js")
    return f"{package.name}/{main.removeprefix('./')}"


def loader() -> str:
    """Return the code that finds and runs the wrapped files."""
    return (HERE / "client_loader.js").read_text("utf-8")
