"""listen() and events.follow() through failures of the connection, the server and the key."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from contextlib import aclosing, closing
from typing import Any, AsyncIterator, List

import pytest
from conftest import mail
from line import Script, answer
from server import Server, free_port

from e2a.v1 import (
    AsyncE2AClient,
    AuthenticationError,
    ConfigurationError,
    E2AClient,
    E2AConnectionError,
    ListenerReplacedError,
    NotFoundError,
)
from e2a.v1._async import listening
from e2a.v1._exchange import RETRY_AFTER_MAX, Pauses
from e2a.v1.errors import api_error

#: Nothing takes that long unless it is broken. Seconds.
PATIENCE = 60
MESSAGES = 20

pytestmark = pytest.mark.anyio


def outages(server: Server, agent: str, subjects: List[str]) -> threading.Thread:
    """Mail that keeps coming, while the server is now and then stopped or killed, but not after the last message."""

    def run() -> None:
        for number, subject in enumerate(subjects):
            if number % 10 == 5:
                server.kill()
                server.start()
            elif number % 10 == 9:
                server.stop()
                server.start()
            server.deliver(agent, mail(subject))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


async def test_nothing_is_lost_and_nothing_comes_twice(
    server: Server, client: E2AClient, async_client: AsyncE2AClient, agent: str
) -> None:
    subjects = [str(number) for number in range(MESSAGES)]
    came: List[str] = []
    async with async_client:
        trouble = outages(server, agent, subjects)

        async def take() -> None:
            async for message in async_client.listen(agent):
                came.append(message.subject)
                if len(came) == MESSAGES:
                    await message.mark_read()
                    return

        await asyncio.wait_for(take(), PATIENCE)
        await asyncio.to_thread(trouble.join)
    assert came == subjects
    # The server stores acknowledgements with a delay.
    until = time.monotonic() + PATIENCE
    while client.messages.list(agent=agent).to_list():
        assert time.monotonic() < until


async def test_nothing_is_lost_and_nothing_comes_twice_by_polling(
    server: Server, client: E2AClient, agent: str
) -> None:
    subjects = [str(number) for number in range(MESSAGES)]
    came: List[str] = []
    trouble = outages(server, agent, subjects)

    def take() -> None:
        for message in client.listen(agent):
            came.append(message.subject)
            if len(came) == MESSAGES:
                message.mark_read()
                return

    await asyncio.wait_for(asyncio.to_thread(take), PATIENCE)
    trouble.join()
    assert came == subjects
    assert client.messages.list(agent=agent).to_list() == []


async def test_who_leaves_the_loop_leaves_the_message_unread(server: Server, client: E2AClient, agent: str) -> None:
    server.deliver(agent, mail("One"))
    server.deliver(agent, mail("Two"))
    with closing(client.listen(agent)) as messages:
        assert next(messages).subject == "One"
        assert next(messages).subject == "Two"
    assert [message.subject for message in client.messages.list(agent=agent)] == ["Two"]


async def test_a_newer_listener_takes_over(server: Server, async_client: AsyncE2AClient, agent: str) -> None:
    server.deliver(agent, mail("First"))
    async with async_client, aclosing(async_client.listen(agent)) as older:
        assert (await next_of(older)).subject == "First"
        async with aclosing(async_client.listen(agent)) as newer:
            assert (await next_of(newer)).subject == "First"
            with pytest.raises(ListenerReplacedError, match=agent):
                await next_of(older)


async def test_a_revoked_key_ends_it(server: Server, client: E2AClient, agent: str) -> None:
    made = client.keys.create("to be revoked", agent=agent)
    server.deliver(agent, mail("First"))
    async with AsyncE2AClient(made.key, base_url=server.url) as bot, aclosing(bot.listen(agent)) as messages:
        assert (await next_of(messages)).subject == "First"
        client.keys.delete(made.id)
        with pytest.raises(AuthenticationError):
            await next_of(messages)
    with E2AClient(made.key, base_url=server.url) as bot_too, pytest.raises(AuthenticationError):
        next(iter(bot_too.listen(agent)))


async def test_a_deleted_agent_ends_it(
    server: Server, client: E2AClient, async_client: AsyncE2AClient, agent: str
) -> None:
    server.deliver(agent, mail("First"))
    async with async_client, aclosing(async_client.listen(agent)) as messages:
        assert (await next_of(messages)).subject == "First"
        client.agents.delete(agent)
        with pytest.raises(NotFoundError):
            await next_of(messages)


async def test_a_message_that_was_deleted_meanwhile_is_passed_over(
    server: Server, client: E2AClient, async_client: AsyncE2AClient, agent: str
) -> None:
    for subject in ("One", "Two", "Three"):
        server.deliver(agent, mail(subject))
    two = client.messages.list(agent=agent).to_list()[1]
    async with async_client, aclosing(async_client.listen(agent)) as messages:
        assert (await next_of(messages)).subject == "One"
        two.delete()
        assert (await next_of(messages)).subject == "Three"


async def test_more_than_is_kept_comes_with_the_next_connection(
    server: Server, async_client: AsyncE2AClient, agent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "AHEAD_MAX", 2)
    subjects = [str(number) for number in range(7)]
    for subject in subjects:
        server.deliver(agent, mail(subject))
    async with async_client, aclosing(async_client.listen(agent)) as messages:
        assert [(await next_of(messages)).subject for _ in subjects] == subjects


async def test_a_server_that_was_never_there_is_an_error() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    async with AsyncE2AClient("e2a_x", base_url=url, max_retries=0) as client:
        with pytest.raises(E2AConnectionError, match="Cannot reach"):
            await next_of(client.listen("bot@e2a.localhost"))
        with pytest.raises(E2AConnectionError, match="Cannot reach"):
            await next_of(client.events.follow("evt_" + "0" * 32))
    with E2AClient("e2a_x", base_url=url, max_retries=0) as sync, pytest.raises(
        E2AConnectionError, match="Cannot reach"
    ):
        next(iter(sync.listen("bot@e2a.localhost")))


async def test_it_comes_back_no_sooner_than_the_server_says_nor_much_later() -> None:
    busy = {"detail": "Slower.", "code": "rate_limited"}
    assert Pauses().next(api_error(429, busy, 20.0)) == 20
    assert Pauses().next(api_error(429, busy, 3600.0)) == RETRY_AFTER_MAX
    assert Pauses().next(api_error(429, busy, None)) <= Pauses.FIRST


async def test_a_redirect_gets_no_key() -> None:
    with Script(answer(426, '{"detail": "Upgrade."}')) as thief:
        away = answer(302, "", f"location: {thief.url}/api/v1/agents/x/ws")
        with Script(away, away) as script:
            async with AsyncE2AClient("e2a_x", base_url=script.url, max_retries=0) as client:
                with pytest.raises(ConfigurationError, match="redirects to"):
                    await next_of(client.listen("bot@e2a.localhost"))
        assert (len(script.requests), thief.requests) == (2, [])


async def test_without_websockets_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "websockets.exceptions", None)
    async with AsyncE2AClient("e2a_x") as client:
        with pytest.raises(ConfigurationError, match=r"pip install 'e2a\[listen\]'"):
            await next_of(client.listen("bot@e2a.localhost"))


@pytest.mark.parametrize("before", [["Before"], []], ids=["with events before", "without"])
async def test_events_are_followed_from_now_on(
    server: Server, client: E2AClient, async_client: AsyncE2AClient, agent: str, before: List[str]
) -> None:
    for subject in before:
        server.deliver(agent, mail(subject))
    async with async_client, aclosing(async_client.events.follow(agent=agent, types="message.received")) as events:
        first = asyncio.ensure_future(next_of(events))
        # It begins with the first request; later events are delivered.
        while not first.done():
            server.deliver(agent, mail("After"))
            await asyncio.wait([first], timeout=0.2)
        assert (await first).data["subject"] == "After"


async def next_of(iterator: AsyncIterator[Any]) -> Any:
    return await asyncio.wait_for(iterator.__anext__(), PATIENCE)
