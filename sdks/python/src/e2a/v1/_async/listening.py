from __future__ import annotations

import asyncio
import json
from collections import deque
from contextlib import suppress
from typing import Any, AsyncGenerator, AsyncIterator, Deque, Optional, Tuple, Type

from .._exchange import Call, Pauses, authorization, may_pass
from .._listen import Remembered, logger
from .._websocket import WebSockets, close_frame
from .._wire import agent_path
from ..errors import (
    APIError,
    ConfigurationError,
    E2AConnectionError,
    E2AError,
    ListenerReplacedError,
    NotFoundError,
)
from .message import AsyncMessage
from .messages import AsyncMessages
from .transport import AsyncTransport

#: Frames kept while a message is in hand; the server shows the others again once these are done.
AHEAD_MAX = 10_000
#: A connection that lived this long was a good one. Seconds.
GOOD_AFTER = 10
#: The server's word for "a newer consumer took over".
REPLACED = 4000
#: "Upgrade first": key and agent are fine.
UPGRADE_REQUIRED = 426


async def listen(
    transport: AsyncTransport, messages: AsyncMessages, agent: Optional[str]
) -> AsyncGenerator[AsyncMessage, None]:
    """Unread messages, then new ones, without end, by WebSocket. Each is acknowledged when the next is asked for."""
    agent = await transport.agent(agent)
    websockets = WebSockets()
    url = f"ws{transport.settings.url[len('http') :]}/api/v1{agent_path(agent)}/ws"
    headers = authorization(transport.settings)
    taken = Remembered()
    pauses = Pauses()
    was_there = False
    tries_left = transport.settings.max_retries
    while True:
        try:
            socket = await websockets.open(url, headers)
        except websockets.broken as cause:
            failure = await _why_refused(transport, agent, was_there)
            if not was_there:
                tries_left -= 1
                if tries_left < 0:
                    raise E2AConnectionError(
                        f"{transport.settings.url} refuses the WebSocket ({cause}).",
                        fix="Does a proxy before it pass WebSockets on? client.messages.wait() works without.",
                    ) from cause
            await _pause(agent, failure, pauses)
            continue
        was_there = True
        connection = _Connection(socket, websockets.broken)
        try:
            async for id in connection.message_ids():
                if id not in taken:
                    message = await _get(messages, agent, id)
                    if message is None:
                        continue
                    yield message
                    taken.add(id)
                await connection.acknowledge(id)
                pauses.reset()
            failure = _why_closed(connection, agent)
        except E2AError as error:
            if not may_pass(error):
                raise
            failure = error
        finally:
            await connection.close()
        if connection.was_good:
            pauses.reset()
        if not connection.had_surplus:
            await _pause(agent, failure, pauses)


class _Connection:
    """One WebSocket. What comes is taken off it at once, however long a message is in hand: the server waits for nobody."""

    def __init__(self, socket: Any, broken: Tuple[Type[BaseException], ...]) -> None:
        self._socket = socket
        self._broken = broken
        self._frames: Deque[str] = deque()
        self._news = asyncio.Event()
        self._has_ended = False
        #: More came than is kept; a new connection shows it again.
        self.had_surplus = False
        #: What the server closed it with; None when it went away politely, or the line broke.
        self.code: Optional[int] = None
        self.reason = "the server went away"
        self._clock = asyncio.get_running_loop().time
        self._opened_at = self._clock()
        self._reader = asyncio.ensure_future(self._read())

    async def message_ids(self) -> AsyncIterator[str]:
        """In order, until the connection ends. What was not asked for by then comes again with the next one."""
        while not self._has_ended:
            if self._frames:
                yield self._frames.popleft()
                continue
            if self.had_surplus:
                return
            self._news.clear()
            await self._news.wait()

    async def acknowledge(self, id: str) -> None:
        """Marks a message read. When the connection is gone it comes again, and is then acknowledged again."""
        with suppress(*self._broken):
            await self._socket.send(json.dumps({"ack": id}))

    @property
    def was_good(self) -> bool:
        """Whether it lived long enough to forget what was before it."""
        return self._clock() - self._opened_at >= GOOD_AFTER

    async def close(self) -> None:
        self._reader.cancel()
        await asyncio.wait([self._reader])
        with suppress(*self._broken):
            await self._socket.close()

    async def _read(self) -> None:
        try:
            async for text in self._socket:
                id = _message_id(text)
                if id is None:
                    continue
                # After the first that is not kept none is, or their order would be lost.
                self.had_surplus = self.had_surplus or len(self._frames) >= AHEAD_MAX
                if not self.had_surplus:
                    self._frames.append(id)
                self._news.set()
        except self._broken as error:
            self.code, self.reason = close_frame(error)
        finally:
            self._has_ended = True
            self._news.set()


async def _get(messages: AsyncMessages, agent: str, id: str) -> Optional[AsyncMessage]:
    """None when somebody deleted it."""
    try:
        return await messages.get(id, agent=agent, peek=True)
    except NotFoundError:
        return None


async def _why_refused(transport: AsyncTransport, agent: str, was_there: bool) -> E2AError:
    """Asks the same path as plain HTTP. Raises what trying again cannot help; a server that never answered, too."""
    call = Call("GET", f"{agent_path(agent)}/ws", max_retries=0 if was_there else None)
    try:
        await transport.json(call)
    except APIError as error:
        if error.status != UPGRADE_REQUIRED and not (was_there and may_pass(error)):
            raise
        return error
    except E2AConnectionError as error:
        if not was_there:
            raise
        return error
    return E2AConnectionError("The connection was refused.")


def _why_closed(connection: _Connection, agent: str) -> E2AError:
    if connection.code == REPLACED:
        raise ListenerReplacedError(
            f"Another listener took over {agent}; only one can listen at a time.",
            fix="Stop the other one, or listen for another agent.",
        )
    # Whether a key was revoked or an agent deleted, the next handshake tells.
    return E2AConnectionError(f"The connection ended ({connection.reason}).")


async def _pause(agent: str, failure: E2AError, pauses: Pauses) -> None:
    pause = pauses.next(failure)
    logger.warning("listening for %s: %s Connecting again in %.1f s.", agent, failure.message, pause)
    await asyncio.sleep(pause)


def _message_id(text: Any) -> Optional[str]:
    try:
        id = json.loads(text)["message_id"]
    except (ValueError, TypeError, KeyError):
        return None
    return id if isinstance(id, str) else None
