"""What a receiver notices about a delivery, besides the contract's vectors."""

from __future__ import annotations

import base64
import json
from email.message import Message as HttpHeaders
from typing import Any, Callable

import httpx
import pytest
from server import Server
from signing import MAIL, SECRET, delivery, standard

from e2a.v1 import (
    AsyncE2AClient,
    ConfigurationError,
    E2AClient,
    UnverifiedEmailError,
    parse_webhook,
)


def test_a_delivery_has_its_message() -> None:
    body, headers = delivery()
    event = parse_webhook(body, headers, SECRET)
    assert (event.type, event.source, event.proven) == ("message.received", "agent", "body")
    assert event.id == "evt_00112233445566778899aabbccddeeff"
    assert event.agent_id == "bot@agents.example.com"
    message = event.message
    assert message is not None
    assert (message.from_, message.subject, message.text, message.html) == ("alice@example.com", "Hi", "Hello\n", None)
    assert (message.reply_text, message.verified, message.status) == ("Hello", True, "unread")
    assert message.created_at == event.timestamp
    assert message.raw_bytes == MAIL
    assert [attachment.filename for attachment in message.attachments] == ["a.txt"]


def test_what_a_message_answers_is_read_only_from_a_body_that_is_proven() -> None:
    body, headers = delivery(in_reply_to="<question@agents.example.com>")
    message = parse_webhook(body, headers, SECRET).message
    assert message is not None and message.in_reply_to == "<question@agents.example.com>"
    of_mail = {name: value for name, value in headers.items() if not name.startswith("webhook-")}
    message = parse_webhook(body, of_mail, SECRET).message
    assert message is not None
    with pytest.raises(UnverifiedEmailError):
        message.in_reply_to


def test_each_byte_of_the_body_is_guarded() -> None:
    body, headers = delivery()
    for position in range(len(body)):
        changed = body[:position] + bytes([body[position] ^ 1]) + body[position + 1 :]
        with pytest.raises(UnverifiedEmailError):
            parse_webhook(changed, headers, SECRET)


def test_each_character_of_a_header_is_guarded() -> None:
    body, headers = delivery()
    for name, value in headers.items():
        for position in range(len(value)):
            changed = value[:position] + chr(ord(value[position]) ^ 1) + value[position + 1 :]
            with pytest.raises(UnverifiedEmailError):
                parse_webhook(body, {**headers, name: changed}, SECRET)


@pytest.mark.parametrize(
    "form",
    [
        lambda headers: {name.upper(): value for name, value in headers.items()},
        lambda headers: list(headers.items()),
        # Header names as ASGI has them.
        lambda headers: [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
        lambda headers: httpx.Headers(headers),
        lambda headers: _as_http_server_has_them(headers),
    ],
    ids=["upper case", "pairs", "bytes", "httpx", "http.server"],
)
def test_headers_may_come_in_any_form(form: Callable[[Any], Any]) -> None:
    body, headers = delivery()
    assert parse_webhook(body, form(headers), SECRET).proven == "body"


def _as_http_server_has_them(headers: Any) -> HttpHeaders:
    message = HttpHeaders()
    for name, value in headers.items():
        message[name] = value
    return message


def test_the_body_may_be_text() -> None:
    body, headers = delivery(subject="Grüße")
    assert parse_webhook(body.decode("utf-8"), headers, SECRET).data["subject"] == "Grüße"


def test_what_nothing_signs_cannot_be_read() -> None:
    body, headers = delivery(text="Forged")
    only_auth = {name: value for name, value in headers.items() if not name.startswith("webhook-")}
    event = parse_webhook(body, {**only_auth, "X-E2A-Auth-Rank": "king"}, SECRET)
    message = event.message
    assert event.proven == "message" and message is not None
    assert (message.from_, message.verified, message.raw_bytes) == ("alice@example.com", True, MAIL)
    assert message.auth_headers == only_auth
    for read in (
        lambda: message.text,
        lambda: message.subject,
        lambda: message.attachments,
        lambda: message.is_automatic,
        lambda: event.data["text"],
        lambda: event.data.get("text"),
    ):
        with pytest.raises(UnverifiedEmailError) as refused:
            read()
        assert refused.value.reason == "unsigned_field"
    for shown in (repr(event), repr(message), json.dumps(event.data), json.dumps(dict(event.raw)), repr(vars(message))):
        assert "Forged" not in shown

    allowed = parse_webhook(body, only_auth, SECRET, allow_unsigned_fields=True)
    assert allowed.proven == "message" and allowed.message is not None
    assert allowed.message.text == "Forged"


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe{}", b"", b"null", b"\xef\xbb\xbf{}"])
def test_hostile_bodies_are_refused(body: bytes) -> None:
    with pytest.raises(UnverifiedEmailError) as refused:
        parse_webhook(body, {}, SECRET)
    assert refused.value.reason == "missing"
    with pytest.raises(UnverifiedEmailError) as refused:
        parse_webhook(body, standard(body), SECRET)
    assert refused.value.reason == "malformed"


def test_half_a_character_fits_no_signature() -> None:
    _, headers = delivery()
    for name in headers:
        if not name.startswith("X-E2A-"):
            continue
        half = {**headers, name: "\ud800"}
        auth = {field: value for field, value in half.items() if field.startswith("X-E2A-")}
        for body, given in ((delivery(auth_headers=auth)[0], None), (delivery()[0], half), ('{"\ud800": 1}', headers)):
            with pytest.raises(UnverifiedEmailError):
                parse_webhook(body, given, SECRET)


@pytest.mark.parametrize(
    "members",
    [{"raw_message": 5}, {"raw_message": "not base64!"}, {"message_id": None}, {"verified": "true"}, {"verified": 1}],
)
def test_strange_members_are_refused_even_when_they_are_signed(members: Any) -> None:
    body, headers = delivery(**members)
    with pytest.raises(UnverifiedEmailError) as refused:
        parse_webhook(body, headers, SECRET)
    assert refused.value.reason == "body"


def test_secrets_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    body, headers = delivery()
    with pytest.raises(ConfigurationError, match="E2A_WEBHOOK_SECRET"):
        parse_webhook(body, headers)
    monkeypatch.setenv("E2A_WEBHOOK_SECRET", f"{'f' * 64}, {SECRET}")
    assert parse_webhook(body, headers).proven == "body"
    assert E2AClient("e2a_x").parse_webhook(body, headers).proven == "body"
    whsec = "whsec_" + base64.b64encode(SECRET.encode("ascii")).decode("ascii")
    assert E2AClient("e2a_x", webhook_secret=[whsec]).parse_webhook(body, headers).proven == "body"
    with pytest.raises(ConfigurationError, match="base64"):
        parse_webhook(body, headers, "whsec_?")


@pytest.mark.parametrize("empty", ["", " ", "whsec_", ["", SECRET], [SECRET, "whsec_"]])
def test_an_empty_secret_verifies_nothing(empty: Any) -> None:
    body, _ = delivery()
    for key in ("", " "):
        with pytest.raises(ConfigurationError, match="empty"):
            parse_webhook(body, standard(body, key), empty)
    with pytest.raises(ConfigurationError, match="empty"):
        E2AClient("e2a_x", webhook_secret=empty).parse_webhook(body, standard(body, ""))


def test_without_a_client_a_message_can_be_read_but_not_answered() -> None:
    body, headers = delivery()
    event = parse_webhook(body, headers, SECRET)
    assert event.message is not None
    with pytest.raises(ConfigurationError, match="client.parse_webhook"):
        event.message.reply("Hello")


def test_an_event_of_the_account_leads_to_its_message(
    server: Server, client: E2AClient, agent: str, secret: str
) -> None:
    server.deliver(agent, ["From: ann@client.example", "Subject: By the account", "", "Hello"])
    (event,) = client.events.list(agent=agent, types=["message.received"]).to_list()
    body = json.dumps(event.raw).encode("utf-8")
    told = client.parse_webhook(body, standard(body, secret), secret)
    assert (told.source, told.message, told.agent_id) == ("account", None, agent)
    message = told.get_message(peek=True)
    assert (message.subject, message.status) == ("By the account", "unread")
    assert message.reply("Thanks").status == "sent"

    other = json.dumps({**event.raw, "type": "message.sent"}).encode("utf-8")
    with pytest.raises(ConfigurationError, match="message.sent"):
        client.parse_webhook(other, standard(other, secret), secret).get_message()


def test_a_partly_proven_message_can_be_answered(
    server: Server, client: E2AClient, agent: str, key: str, secret: str
) -> None:
    server.deliver(agent, ["From: ann@client.example", "Subject: Forwarded", "", "Hello"])
    (summary,) = client.messages.list(agent=agent).to_list()
    # The body that `e2a listen --forward` posts.
    whole = summary.get(peek=True)
    with E2AClient(key, base_url=server.url, agent_email=agent, webhook_secret=secret) as mine:
        event = mine.parse_webhook(json.dumps(whole.raw).encode("utf-8"), whole.auth_headers)
        assert event.proven == "message" and event.message is not None
        assert event.message.reply("Thanks").status == "sent"


@pytest.mark.anyio
async def test_the_same_with_asyncio(
    server: Server, client: E2AClient, async_client: AsyncE2AClient, agent: str
) -> None:
    server.deliver(agent, ["From: ann@client.example", "Subject: Async", "", "Hello"])
    (summary,) = client.messages.list(agent=agent).to_list()
    body = json.dumps({"type": "message.received", "agent_id": agent, "data": {"message_id": summary.message_id}})
    async with async_client:
        event = async_client.parse_webhook(body, standard(body.encode("utf-8")), SECRET)
        message = await event.get_message()
        assert message.subject == "Async"
        assert (await message.reply("Thanks")).status == "sent"
