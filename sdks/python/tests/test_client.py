"""The client against the real server, and its behaviour when the connection or the server fails."""

from __future__ import annotations

import json
import socket
import uuid
from datetime import datetime, timezone
from pathlib import Path
from typing import List

import pytest
from conftest import mail
from line import BreakingLine, Script, answer
from server import Server, free_port

from e2a.v1 import (
    APIError,
    AsyncE2AClient,
    AuthenticationError,
    ConfigurationError,
    E2AClient,
    E2AConnectionError,
    E2ATimeoutError,
    File,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    RateLimitError,
    ServerError,
)

OK = answer(200, '{"status": "ok"}')


def test_settings_come_from_the_environment(
    server: Server, key: str, agent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2A_URL", f"{server.url}/")
    monkeypatch.setenv("E2A_API_KEY", key)
    monkeypatch.setenv("E2A_AGENT_EMAIL", agent)
    with E2AClient() as client:
        assert client.account.get().scope == "account"
        assert client.agents.get().email == agent
        sent = client.send("somebody@elsewhere.example", "Hello", "Hello")
        assert client.outbox.get(sent.message_id).agent_id == agent
        assert client.messages.list().to_list() == []


def test_without_an_agent_the_only_one_is_meant(server: Server, own_key: str) -> None:
    with E2AClient(own_key, base_url=server.url) as client:
        with pytest.raises(ConfigurationError, match="no agent yet.*create"):
            client.messages.list().to_list()
        one = client.agents.create(slug=f"one-{uuid.uuid4().hex[:12]}").email
        server.deliver(one, mail("For the only one"))
        assert [message.subject for message in client.messages.list()] == ["For the only one"]
    with E2AClient(own_key, base_url=server.url) as client:
        client.agents.create(slug=f"two-{uuid.uuid4().hex[:12]}")
        with pytest.raises(ConfigurationError, match="several agents.*E2A_AGENT_EMAIL"):
            client.messages.wait()


def test_a_key_of_one_agent_needs_no_agent(server: Server, client: E2AClient, agent: str) -> None:
    made = client.keys.create("bot", agent=agent)
    assert (made.scope, made.agent) == ("agent", agent)
    assert made.key not in repr(made)
    server.deliver(agent, mail("Mine"))
    with E2AClient(made.key, base_url=server.url) as bot:
        assert [message.subject for message in bot.messages.list()] == ["Mine"]
        with pytest.raises(ForbiddenError) as refused:
            bot.approvals.approve("msg_" + "0" * 32)
        assert refused.value.fix
    client.keys.delete(made.id)
    with E2AClient(made.key, base_url=server.url) as bot:
        with pytest.raises(AuthenticationError) as unknown:
            bot.agents.list().to_list()
        assert (unknown.value.status, unknown.value.code) == (401, "unauthenticated")
        assert unknown.value.request_id


def test_files_go_out_and_come_in(client: E2AClient, agent: str, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(b"a,b\r\n")
    files = [File("note.txt", b"Hello"), tmp_path / "table.csv", {"filename": "raw.bin", "data": "AAEC"}]
    sent = client.send(agent, "Files", "Here.", from_=agent, attachments=files)
    assert sent.status == "sent" and not sent.is_held
    message = client.messages.list(agent=agent).to_list()[0].get()
    found = [(file.filename, file.content_type, file.read()) for file in message.attachments]
    assert found == [
        ("note.txt", "text/plain", b"Hello"),
        ("table.csv", "text/csv", b"a,b\r\n"),
        ("raw.bin", "application/octet-stream", bytes([0, 1, 2])),
    ]
    assert message.raw_bytes == client.messages.raw(message.message_id, agent=agent)
    assert client.outbox.attachment(sent.message_id, 0) == b"Hello"


def test_files_of_held_mail_go_out_again(client: E2AClient, agent: str) -> None:
    client.agents.update(agent, hitl_enabled=True)
    to = "ann@elsewhere.example"
    held = client.send(to, "Files", "Here.", from_=agent, attachments=[File("note.txt", b"Hello")])
    files = client.outbox.get(held.message_id).attachments
    again = client.send(to, "Again", "Here.", from_=agent, attachments=files)
    assert client.outbox.attachment(again.message_id, 0) == b"Hello"
    assert not client.approvals.approve(held.message_id, attachments=files).edited


def test_messages_are_labelled_marked_and_deleted(server: Server, client: E2AClient, agent: str) -> None:
    server.deliver(agent, mail("To be kept"))
    (message,) = client.messages.list(agent=agent).to_list()
    message.add_labels("later", "work")
    message.remove_labels("work")
    message.mark_read()
    assert client.messages.list(agent=agent, label="later", status="read").to_list()[0].labels == ["later"]
    message.mark_unread()
    assert len(client.messages.wait(agent=agent, timeout=1)) == 1
    message.delete()
    assert client.messages.wait(agent=agent, timeout=1) == []
    with pytest.raises(NotFoundError):
        message.get()


def test_pages(server: Server, client: E2AClient, agent: str) -> None:
    for number in range(5):
        server.deliver(agent, mail(str(number)))
    listed = client.messages.list(agent=agent, page_size=2)
    assert [message.subject for message in listed] == ["0", "1", "2", "3", "4"]
    assert [len(page.items) for page in listed.pages()] == [2, 2, 1]
    first = listed.first_page()
    rest = client.messages.list(agent=agent, page_size=2, token=first.next_token)
    assert [message.subject for message in rest] == ["2", "3", "4"]
    events = client.events.list(agent=agent, page_size=2, after=client.events.list(agent=agent).to_list()[0].id)
    assert [event.data["subject"] for event in events] == ["1", "2", "3", "4"]


def test_times_need_a_zone(client: E2AClient, agent: str) -> None:
    since = datetime.now(timezone.utc)
    assert client.messages.list(agent=agent, since=since).to_list() == []
    with pytest.raises(ConfigurationError, match="time zone"):
        client.messages.list(agent=agent, since=datetime.now())


def test_wrong_input_names_its_fields(client: E2AClient, agent: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        client.send("nobody", "Hello", "Hello", from_=agent)
    assert [error.field for error in refused.value.errors] == ["to"] or refused.value.errors[0].field.startswith("to")
    assert refused.value.errors[0].message in str(refused.value)
    with pytest.raises(ConfigurationError, match="empty"):
        client.messages.get("", agent=agent)
    for id in ("..", "."):
        with pytest.raises(ConfigurationError, match="not an id"):
            client.messages.delete(id, agent=agent)
    assert client.agents.get(agent).email == agent


def test_any_call_can_be_made(client: E2AClient, agent: str) -> None:
    assert client.request("get", f"/agents/{agent}")["email"] == agent
    assert client.request("PATCH", f"/agents/{agent}", body={"name": "Renamed"})["name"] == "Renamed"
    assert client.ready() == {"status": "ready"}
    assert json.loads(client.account.export())


def test_a_lost_answer_does_nothing_twice(server: Server, client: E2AClient, key: str, agent: str) -> None:
    line = BreakingLine(server.url)
    with E2AClient(key, base_url=line.url) as shaky:
        line.lose = 2
        sent = shaky.send("somebody@elsewhere.example", "Once", "Once", from_=agent)
        assert sent.status == "sent"
        assert [one.id for one in client.outbox.list(agent=agent)] == [sent.message_id]

        doomed = client.agents.create(slug=f"doomed-{uuid.uuid4().hex[:12]}").email
        line.lose = 1
        shaky.agents.delete(doomed)
        with pytest.raises(NotFoundError):
            shaky.agents.delete(doomed)

        line.lose = 1
        shaky.agents.update(agent, name="After all")
        assert client.agents.get(agent).name == "After all"
    line.close()


@pytest.mark.anyio
async def test_the_same_with_asyncio(server: Server, async_client: AsyncE2AClient, key: str, agent: str) -> None:
    line = BreakingLine(server.url)
    async with async_client, AsyncE2AClient(key, base_url=line.url) as shaky:
        line.lose = 2
        sent = await shaky.send("somebody@elsewhere.example", "Once", "Once", from_=agent)
        assert [one.id async for one in async_client.outbox.list(agent=agent)] == [sent.message_id]
        listed = async_client.outbox.list(agent=agent, page_size=1)
        assert [len(page.items) async for page in listed.pages()] == [1]
    line.close()


def test_a_key_of_ones_own_names_the_request(client: E2AClient, agent: str) -> None:
    name = uuid.uuid4().hex
    first = client.send("somebody@elsewhere.example", "Once", "Once", from_=agent, idempotency_key=name)
    again = client.send("somebody@elsewhere.example", "Once", "Once", from_=agent, idempotency_key=name)
    assert again.message_id == first.message_id
    with pytest.raises(APIError) as refused:
        client.send("somebody@elsewhere.example", "Other", "Other", from_=agent, idempotency_key=name)
    assert (refused.value.status, refused.value.code) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    "trouble",
    [
        answer(503, "<h1>Down</h1>", kind="text/html"),
        answer(502, ""),
        answer(429, '{"detail": "Slower.", "code": "rate_limited"}', "retry-after: 0"),
        b"",
        b"HTTP/1.1 200",
    ],
    ids=["proxy says 503", "proxy says 502", "429", "connection closed", "half an answer"],
)
def test_what_may_pass_is_tried_again(trouble: bytes) -> None:
    with Script(trouble, OK) as script, E2AClient(base_url=script.url) as client:
        assert client.health() == {"status": "ok"}
        assert len(script.requests) == 2


def test_the_next_try_comes_when_the_server_asks_for_it_and_else_ever_later(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: List[float] = []
    monkeypatch.setattr("e2a.v1._sync.transport.time.sleep", pauses.append)
    slower = answer(429, '{"detail": "Slower.", "code": "rate_limited"}', "retry-after: 37")
    with Script(slower, OK) as script, E2AClient(base_url=script.url) as client:
        assert client.health() == {"status": "ok"}
        assert pauses == [37.0]
    pauses.clear()
    down = answer(503, "")
    with Script(down, down, down, OK) as script, E2AClient(base_url=script.url, max_retries=3) as client:
        assert client.health() == {"status": "ok"}
        assert [longest / 2 <= pause <= longest for pause, longest in zip(pauses, (0.25, 1.0, 4.0))] == [True] * 3


def test_every_try_of_a_post_has_the_same_key() -> None:
    with Script(b"", answer(200, '{"message_id": "msg_1"}')) as script, E2AClient(
        "e2a_x", base_url=script.url
    ) as client:
        assert client.send("a@b.example", "s", "b").message_id == "msg_1"
        keys = [
            line for request in script.requests for line in request.split(b"\r\n") if b"idempotency-key" in line.lower()
        ]
        assert len(keys) == 2 and keys[0] == keys[1]


@pytest.mark.parametrize(
    ("refusal", "kind", "code"),
    [
        (answer(500, '{"detail": "Broken.", "code": "internal"}'), ServerError, "internal"),
        (answer(502, '{"detail": "No.", "code": "upstream_rejected"}'), ServerError, "upstream_rejected"),
        (answer(429, '{"detail": "Slower."}', "retry-after: 3600"), RateLimitError, ""),
        (answer(429, '{"detail": "Slower."}', "retry-after: Fri, 31 Dec 2100 23:59:59 GMT"), RateLimitError, ""),
        (answer(418, '{"title": "Teapot"}'), APIError, ""),
        (answer(400, "[1]"), InvalidRequestError, ""),
    ],
)
def test_what_does_not_pass_is_said_at_once(refusal: bytes, kind: type, code: str) -> None:
    with Script(refusal, OK) as script, E2AClient("e2a_x", base_url=script.url) as client:
        with pytest.raises(kind) as refused:
            client.send("a@b.example", "s", "b")
        assert type(refused.value) is kind and refused.value.code == code
        assert len(script.requests) == 1


def test_what_is_no_e2a_server_is_said() -> None:
    with Script(answer(301, "", "location: https://elsewhere.example/")) as script:
        with E2AClient(base_url=script.url) as client, pytest.raises(
            ConfigurationError, match="redirects to https://else"
        ):
            client.health()
    with Script(answer(200, "<h1>Hello</h1>", kind="text/html")) as script:
        with E2AClient(base_url=script.url) as client, pytest.raises(E2AConnectionError, match="JSON.*E2A_URL"):
            client.health()
    with E2AClient(base_url=f"http://127.0.0.1:{free_port()}", max_retries=0) as client:
        with pytest.raises(E2AConnectionError, match="Cannot reach.*E2A_URL"):
            client.info()
    with Script(b"HTTP/1.1 200 OK\r\n") as script:
        # The server never sends the rest, and keeps the connection open.
        with E2AClient(base_url=script.url, timeout=0.2, max_retries=0) as client, pytest.raises(E2AConnectionError):
            client.health()


def test_nobody_knows_whether_it_was_sent() -> None:
    with Script(b"", answer(200, "", "x: y")) as script, E2AClient(
        "e2a_x", base_url=script.url, max_retries=0
    ) as client:
        with pytest.raises(E2AConnectionError, match="may have done it.*idempotency_key") as uncertain:
            client.send("a@b.example", "s", "b")
        key = uncertain.value.idempotency_key
        assert key and key.encode("ascii") in script.requests[0]
    with E2AClient("e2a_x", base_url=f"http://127.0.0.1:{free_port()}", max_retries=0) as client:
        with pytest.raises(E2AConnectionError, match="Is the server running") as unreached:
            client.send("a@b.example", "s", "b")
        assert unreached.value.idempotency_key is None


def test_a_server_that_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with E2AClient(base_url=url, timeout=0.2, max_retries=0) as client, pytest.raises(
            E2ATimeoutError, match="in time"
        ):
            client.health()


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://a.example", "http://", "http://a.example/?x=1"])
def test_a_wrong_url_is_said_before_anything_is_sent(url: str) -> None:
    with pytest.raises(ConfigurationError, match="E2A_URL"):
        E2AClient(base_url=url)


def test_a_missing_key_is_said_before_anything_is_sent() -> None:
    with E2AClient() as client, pytest.raises(ConfigurationError, match="E2A_API_KEY"):
        client.account.get()
