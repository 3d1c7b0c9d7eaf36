"""The examples do what they promise, against the real server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any, Dict, Iterator, List
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from conftest import mail
from needs import need
from server import Server, free_port
from signing import delivery

from e2a.v1 import E2AClient, Outbound

ROOT = Path(__file__).resolve().parents[1]
#: Nothing takes that long unless it is broken. Seconds.
PATIENCE = 60


class Example:
    """An example, run as a separate program."""

    def __init__(self, env: Dict[str, str], *args: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", *args],
            cwd=ROOT / "examples",
            env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT / "src"), "PYTHONUNBUFFERED": "1", **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait_for(self, text: str) -> str:
        """The next line that contains this text."""
        assert self._process.stdout is not None
        lines: List[str] = []
        for line in self._process.stdout:
            if text in line:
                return line.strip()
            lines.append(line)
        raise AssertionError(f"It ended without {text!r}:\n{''.join(lines)}")

    def answer(self, *lines: str) -> str:
        """The program's whole output, given this input."""
        return self._process.communicate("".join(f"{line}\n" for line in lines), timeout=PATIENCE)[0]

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def run(server: Server) -> Iterator[Any]:
    running: List[Example] = []

    def start(key: str, *args: str, **env: str) -> Example:
        running.append(Example({"E2A_URL": server.url, "E2A_API_KEY": key, **env}, *args))
        return running[-1]

    yield start
    for example in running:
        example.end()


def answers(client: E2AClient, agent: str) -> List[Outbound]:
    return [client.outbox.get(sent.id) for sent in client.outbox.list(agent=agent)]


def test_the_echo_agent_answers_once_also_after_it_died(
    run: Any, server: Server, client: E2AClient, key: str, agent: str
) -> None:
    server.deliver(agent, mail("Hello", "How are you?"))
    server.deliver(agent, ["Auto-Submitted: auto-replied", *mail("I am away")])
    echo = run(key, "echo_agent.py", E2A_AGENT_EMAIL=agent)
    assert echo.wait_for("answered") == "answered ann@client.example: Hello"
    # It ends during a message or after it; the next run may see that message again.
    echo.end()
    server.deliver(agent, mail("Again", "Still there?"))
    assert "Again" in run(key, "echo_agent.py", E2A_AGENT_EMAIL=agent).wait_for(": Again")
    sent = answers(client, agent)
    assert sorted(one.subject for one in sent) == ["Re: Again", "Re: Hello"]
    assert "You wrote:\n\nHow are you?" in str(next(one.body_text for one in sent if one.subject == "Re: Hello"))


def test_the_support_agent_waits_for_a_person(run: Any, server: Server, client: E2AClient, own_key: str) -> None:
    slug = f"support-{uuid.uuid4().hex[:10]}"
    agent, agent_key = run(own_key, "support_agent.py", "setup", slug).answer().split()
    support = run(agent_key, "support_agent.py", "run")
    support.wait_for("listening")
    server.deliver(agent, mail("Your price", "What does it cost?"))
    assert support.wait_for(":") == "pending_approval: Your price"
    server.deliver(agent, mail("Complaint", "I am angry."))
    assert support.wait_for(":") == "left to a person: Complaint"
    server.deliver(agent, mail("Refund", "I want a refund."))
    assert support.wait_for(":") == "pending_approval: Refund"

    # Soonest expiry first: the price is rejected, the refund is approved.
    said = run(own_key, "support_agent.py", "review").answer("r", "Not in this tone.", "a")
    assert "Refunds take five days." in said and "could not prove" in said
    with E2AClient(own_key, base_url=server.url) as person:
        fates = {one.subject: one for one in answers(person, agent)}
        assert fates["Re: Refund"].status == "sent"
        assert (fates["Re: Your price"].status, fates["Re: Your price"].rejection_reason) == (
            "rejected",
            "Not in this tone.",
        )
        labelled = person.messages.list(agent=agent, label="for-a-person", status="all").to_list()
        assert [message.subject for message in labelled] == ["Complaint"]


RECEIVERS = {
    "http": ("webhook_http_server.py", "{port}"),
    "flask": ("-m", "flask", "--app", "webhook_flask", "run", "--port", "{port}"),
    "fastapi": ("-m", "uvicorn", "webhook_fastapi:app", "--port", "{port}"),
}


@pytest.mark.parametrize("name", RECEIVERS)
def test_a_receiver_takes_what_is_signed_and_answers(
    run: Any, server: Server, client: E2AClient, key: str, secret: str, name: str
) -> None:
    for module in {"http": [], "flask": ["flask"], "fastapi": ["fastapi", "uvicorn"]}[name]:
        need(module)
    port = free_port()
    receiver = run(key, *(word.format(port=port) for word in RECEIVERS[name]), E2A_WEBHOOK_SECRET=secret)
    receiver.wait_for(str(port))

    url = f"http://127.0.0.1:{port}/mail"
    agent = client.agents.create(slug=f"hook-{uuid.uuid4().hex[:12]}", webhook_url=url).email
    server.deliver(agent, mail("By webhook"))
    assert receiver.wait_for("By webhook") == "ann@client.example: By webhook"
    (delivered,) = wait_until(lambda: client.deliveries.list(agent=agent, status="succeeded").to_list())
    assert (delivered.attempts, delivered.last_status) == (1, 204)
    (sent,) = wait_until(lambda: client.outbox.list(agent=agent).to_list())
    assert sent.subject == "Re: By webhook"

    body, headers = delivery(secret)
    status, reason = post(url, body.replace(b'"Hi"', b'"Ho"'), headers)
    assert (status, reason) == (400, "signature")


def wait_until(look: Any) -> Any:
    """The result of `look`, once it finds something."""
    until = time.monotonic() + PATIENCE
    found = look()
    while not found:
        assert time.monotonic() < until
        found = look()
    return found


def post(url: str, body: bytes, headers: Dict[str, str]) -> Any:
    request = Request(url, body, {"content-type": "application/json", **headers}, method="POST")
    try:
        with urlopen(request, timeout=PATIENCE) as response:
            return response.status, response.read().decode("utf-8")
    except HTTPError as error:
        with error:
            return error.code, error.read().decode("utf-8")
