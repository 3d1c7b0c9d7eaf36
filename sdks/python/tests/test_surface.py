"""The client can do everything that the API can do."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any, Dict, List, Set

import httpx

from e2a.v1 import AsyncE2AClient, E2AClient

PATHS: Dict[str, Dict[str, Any]] = json.loads(
    (Path(__file__).resolve().parents[3] / "docs" / "openapi.json").read_text("utf-8")
)["paths"]

#: No calls of a program: signing a browser in, and the description itself. And what PATCH does too.
# Files of an approval link are for the browser that opened it.
NOT_CALLS = re.compile(
    r"^get /api/v1/openapi\.json$|^\w+ /api/auth/|^put /api/v1/agents/\{email\}$|^get /api/v1/(approve|reject)/attachments/"
)


def is_call(operation: Dict[str, Any]) -> bool:
    """Pages and redirects are for browsers; sockets are for listen(), and the event log is followed by polling."""
    good = next((answer for status, answer in operation["responses"].items() if status.startswith("2")), None)
    return good is not None and "text/html" not in good.get("content", {})


RESOURCES = [name for name, value in vars(E2AClient("e2a_x")).items() if not name.startswith("_")]


def test_every_operation_of_the_api_has_a_call_with_all_it_takes() -> None:
    asked: Dict[str, Set[str]] = {}

    def handler(request: httpx.Request) -> httpx.Response:
        members = set(request.url.params.keys()) | set(json.loads(request.content or b"{}"))
        asked.setdefault(f"{request.method.lower()} {request.url.path}", set()).update(members)
        item = {"id": "x", "email": "x", "message_id": "x", "redelivered": 0, "schemas": {}}
        lists = ["agents", "messages", "conversations", "domains", "keys", "secrets", "webhooks", "deliveries"]
        lists += ["events", "suppressions", "sessions", "entries"]
        return httpx.Response(200, json={**item, **{name: [item] for name in lists}})

    with httpx.Client(transport=httpx.MockTransport(handler)) as http:
        client = E2AClient("e2a_x", agent_email="x", http_client=http)
        for call in calls(client):
            names = set(inspect.signature(call).parameters)
            for given in (names, names - {"token"}):
                # Times and numbers are passed on unchanged, except the one that is added to another.
                result = call(**{name: 1 if name == "timeout" else "x" for name in given})
                if hasattr(result, "to_list"):
                    result.first_page()
                elif inspect.isgenerator(result):
                    next(result)

    wrong = []
    for path, methods in PATHS.items():
        for method, operation in methods.items():
            one = f"{method} {path}"
            if NOT_CALLS.search(one) or not is_call(operation):
                continue
            given = set().union(*(members for what, members in asked.items() if fits(one, what)))
            if not any(fits(one, what) for what in asked):
                wrong.append(f"{one} has no call")
            elif taken(operation) - given:
                wrong.append(f"{one} is never given {sorted(taken(operation) - given)}")
    assert wrong == []


def taken(operation: Dict[str, Any]) -> Set[str]:
    """Members of its query and its body. The sender of a message to check is in its path."""
    query = {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"}
    content = operation.get("requestBody", {}).get("content", {})
    body = set().union(*(kind.get("schema", {}).get("properties", {}) for kind in content.values()))
    return query | (body - {"from"} if operation["operationId"] == "checkMessage" else body)


def calls(client: E2AClient) -> List[Any]:
    found = [client.send, client.info, client.health, client.ready]
    for resource in (getattr(client, name) for name in RESOURCES):
        found += [call for name, call in inspect.getmembers(resource, inspect.ismethod) if not name.startswith("_")]
    return found


def fits(template: str, asked: str) -> bool:
    return re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)), asked) is not None


def test_both_clients_take_the_same() -> None:
    one, other = E2AClient("e2a_x"), AsyncE2AClient("e2a_x")
    for name in ["", *RESOURCES]:
        sync, asynchronous = (getattr(client, name) if name else client for client in (one, other))
        public = {method for method in dir(sync) if not method.startswith("_")} - {"close"}
        assert public == {method for method in dir(asynchronous) if not method.startswith("_")} - {"aclose"}
        for method in public - set(RESOURCES):
            signatures = [list(inspect.signature(getattr(side, method)).parameters) for side in (sync, asynchronous)]
            assert signatures[0] == signatures[1], method
