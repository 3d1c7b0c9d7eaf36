from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Iterator, List

import pytest
from needs import missing
from server import Server

from e2a.v1 import AsyncE2AClient, E2AClient

#: An empty database on a real Postgres server; `npm test` gives one.
POSTGRES = os.environ.get("E2A_SDK_TEST_POSTGRES")


@pytest.fixture(scope="session", autouse=True)
def own_environment() -> Iterator[None]:
    """Keeps the user's own settings away from the tests."""
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("E2A_")}
    yield
    os.environ.update(kept)


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """One server per database, for all tests."""
    if request.param == "postgres" and not POSTGRES:
        why = "no Postgres: `npm test` brings one, or set E2A_SDK_TEST_POSTGRES to the URL of an empty database"
        missing(why)
    running = Server(POSTGRES if request.param == "postgres" else None)
    yield running
    running.close()


@pytest.fixture(scope="session")
def key(server: Server) -> str:
    """The account that tests share; each test uses its own agents."""
    return server.bootstrap(f"shared-{uuid.uuid4().hex[:12]}@example.net")


@pytest.fixture(scope="session")
def secret(server: Server, key: str) -> str:
    """A signing secret of that account."""
    with E2AClient(key, base_url=server.url) as client:
        return client.secrets.create("tests").secret


@pytest.fixture
def own_key(server: Server) -> str:
    """The API key of an account that no other test uses."""
    return server.bootstrap(f"{uuid.uuid4().hex[:12]}@example.net")


@pytest.fixture
def client(server: Server, key: str) -> Iterator[E2AClient]:
    with E2AClient(key, base_url=server.url) as client:
        yield client


@pytest.fixture
def async_client(server: Server, key: str) -> AsyncE2AClient:
    """An async client. The test closes it, in the event loop that it runs in."""
    return AsyncE2AClient(key, base_url=server.url)


@pytest.fixture
def agent(client: E2AClient) -> str:
    return client.agents.create(slug=f"bot-{uuid.uuid4().hex[:12]}").email


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def mypy_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mypy cache for this run alone; later runs do not depend on it."""
    return tmp_path_factory.mktemp("mypy")


def mail(subject: str, text: str = "Hello") -> List[str]:
    return ["From: Ann <ann@client.example>", f"Subject: {subject}", "", text]
