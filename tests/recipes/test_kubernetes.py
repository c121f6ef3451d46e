"""What can be tried without a cluster: the objects fit together, the tables are made, the probes find what they ask for."""

from __future__ import annotations

import asyncio
import sys
from secrets import token_urlsafe
from typing import Any

import pytest
import yaml
from fastapi.testclient import TestClient
from sqlalchemy import inspect
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from fastapi_session import ConfigurationError, SessionConfig
from fastapi_session.stores.sql.tables import METADATA
from tests.pages import examples_of, run_examples

PAGE = "docs/recipes/kubernetes.md"
SECRET, DEPLOYMENT, SERVICE = yaml.safe_load_all(examples_of(PAGE, "yaml")[0])
POD = DEPLOYMENT["spec"]["template"]
(APP,), (MIGRATE,) = POD["spec"]["containers"], POD["spec"]["initContainers"]


def environment(container: dict[str, Any]) -> dict[str, str]:
    """The variables of the *container*, those from the secret looked up there."""
    return {
        each["name"]: each["value"] if "value" in each else of_secret(each["valueFrom"]["secretKeyRef"])
        for each in container["env"]
    }


def of_secret(reference: dict[str, str]) -> str:
    assert reference["name"] == SECRET["metadata"]["name"]
    return str({**SECRET["stringData"], "secret": token_urlsafe(48)}[reference["key"]])


def test_the_printed_secret_is_refused() -> None:
    """Who copies the page and makes no secret of their own learns it at the start."""
    with pytest.raises(ConfigurationError, match=r"^secret: "):
        SessionConfig(secret=SECRET["stringData"]["secret"])


def test_the_objects_fit_together() -> None:
    """Deployment, pods and service mean the same, and all replicas have one image."""
    labels = POD["metadata"]["labels"]

    assert [labels, labels] == [DEPLOYMENT["spec"]["selector"]["matchLabels"], SERVICE["spec"]["selector"]]
    assert [APP["ports"][0]["name"]] == [port["targetPort"] for port in SERVICE["spec"]["ports"]]
    assert APP["image"] == MIGRATE["image"]


@pytest.mark.parametrize("container", [APP, MIGRATE], ids=["app", "migrate"])
def test_the_settings_are_settings(container: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each variable is understood, and the store is a database that several replicas can share."""
    for name, value in environment(container).items():
        monkeypatch.setenv(name, value)
    config = SessionConfig()

    assert ("https://example.com", "postgresql+asyncpg") == (config.api_domain, str(config.store).split(":")[0])


def test_the_probes_find_what_they_ask_for() -> None:
    """The application of the image answers each probe, at the port that it has, and without a store."""
    probes = [APP[name]["httpGet"] for name in ("startupProbe", "readinessProbe", "livenessProbe")]
    client = TestClient(run_examples("docs/recipes/docker.md").app)

    assert [200, 200, 200] == [client.get(probe["path"]).status_code for probe in probes]
    assert {APP["ports"][0]["name"]} == {probe["port"] for probe in probes}
    assert f"EXPOSE {APP['ports'][0]['containerPort']}\n" in examples_of("docs/recipes/docker.md", "dockerfile")[0]


async def test_the_tables_are_made(postgresql_store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the init container runs makes every table there is."""
    python, *arguments = MIGRATE["command"]
    assert "python" == python
    for name, value in environment(MIGRATE).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("FASTAPI_SESSION_STORE", postgresql_store_url)
    engine = create_async_engine(postgresql_store_url, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(METADATA.drop_all)
    migrating = await asyncio.create_subprocess_exec(sys.executable, *arguments)
    assert 0 == await migrating.wait()
    async with engine.connect() as connection:
        made = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    await engine.dispose()

    assert {*METADATA.tables} <= {*made}
