"""Everything that the API can do, the client can do."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any, Dict, List, Set, Tuple

import httpx

from e2a.v1 import AsyncE2AClient, E2AClient

PATHS: Dict[str, Dict[str, Any]] = json.loads(
    (Path(__file__).resolve().parents[3] / "docs" / "openapi.json").read_text("utf-8")
)["paths"]

#: For browsers and people, and the WebSocket that listen() opens (the event log is followed by long polling).
NOT_HERE = re.compile(r"^/api/auth/|^/api/docs$|^/api/v1/(approve|reject|openapi\.json|events/ws|agents/\{email\}/ws)$")
#: PATCH does the same.
NOT_HERE_EITHER = {("put", "/api/v1/agents/{email}")}

RESOURCES = [name for name, value in vars(E2AClient("e2a_x")).items() if not name.startswith("_")]


def test_every_operation_of_the_api_has_a_call() -> None:
    asked: Set[Tuple[str, str]] = set()

    def handler(request: httpx.Request) -> httpx.Response:
        asked.add((request.method.lower(), request.url.path))
        item = {"id": "x", "email": "x", "message_id": "x", "redelivered": 0, "schemas": {}}
        lists = ["agents", "messages", "conversations", "domains", "keys", "secrets", "webhooks", "deliveries"]
        lists += ["events", "suppressions", "sessions", "entries"]
        return httpx.Response(200, json={**item, **{name: [item] for name in lists}})

    with httpx.Client(transport=httpx.MockTransport(handler)) as http:
        client = E2AClient("e2a_x", agent_email="x", http_client=http)
        for call in calls(client):
            result = call(**{name: "x" for name in required(call)})
            if hasattr(result, "to_list"):
                result.first_page()
            elif inspect.isgenerator(result):
                next(result)

    wanted = {(method, path) for path, methods in PATHS.items() for method in methods if not NOT_HERE.search(path)}
    missing = {
        (method, path)
        for method, path in wanted - NOT_HERE_EITHER
        if not any(fits(path, one) for one in asked if one[0] == method)
    }
    assert missing == set()


def calls(client: E2AClient) -> List[Any]:
    found = [client.send, client.info, client.health, client.ready]
    for resource in (getattr(client, name) for name in RESOURCES):
        found += [call for name, call in inspect.getmembers(resource, inspect.ismethod) if not name.startswith("_")]
    return found


def required(call: Any) -> List[str]:
    parameters = inspect.signature(call).parameters.values()
    return [one.name for one in parameters if one.default is inspect.Parameter.empty]


def fits(template: str, asked: Tuple[str, str]) -> bool:
    return re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)), asked[1]) is not None


def test_both_clients_take_the_same() -> None:
    one, other = E2AClient("e2a_x"), AsyncE2AClient("e2a_x")
    for name in ["", *RESOURCES]:
        sync, asynchronous = (getattr(client, name) if name else client for client in (one, other))
        public = {method for method in dir(sync) if not method.startswith("_")} - {"close"}
        assert public == {method for method in dir(asynchronous) if not method.startswith("_")} - {"aclose"}
        for method in public - set(RESOURCES):
            signatures = [list(inspect.signature(getattr(side, method)).parameters) for side in (sync, asynchronous)]
            assert signatures[0] == signatures[1], method
