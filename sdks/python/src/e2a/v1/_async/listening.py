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

#: How many frames are buffered while a message is processed. The server repeats the others when these are done.
AHEAD_MAX = 10_000
#: Seconds. After a connection of this length, the next pause is short again.
GOOD_AFTER = 10
#: The server's close code for "a newer consumer took over".
REPLACED = 4000
#: The status for "this path needs a WebSocket": key and agent are valid.
UPGRADE_REQUIRED = 426


async def listen(
    transport: AsyncTransport, messages: AsyncMessages, agent: Optional[str]
) -> AsyncGenerator[AsyncMessage, None]:
    """Yields unread messages, then new ones, by WebSocket. Acknowledges each when the next is requested."""
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
    """One WebSocket. Reads frames at once, however long a message takes to process: the server does not wait."""

    def __init__(self, socket: Any, broken: Tuple[Type[BaseException], ...]) -> None:
        self._socket = socket
        self._broken = broken
        self._frames: Deque[str] = deque()
        self._news = asyncio.Event()
        self._has_ended = False
        #: More frames came than the buffer holds; a new connection repeats them.
        self.had_surplus = False
        #: The close code of the server; None if there was none, or the connection broke.
        self.code: Optional[int] = None
        self.reason = "the server went away"
        self._clock = asyncio.get_running_loop().time
        self._opened_at = self._clock()
        self._reader = asyncio.ensure_future(self._read())

    async def message_ids(self) -> AsyncIterator[str]:
        """Yields ids in order until the connection ends. The next connection repeats ids not requested by then."""
        while not self._has_ended:
            if self._frames:
                yield self._frames.popleft()
                continue
            if self.had_surplus:
                return
            self._news.clear()
            await self._news.wait()

    async def acknowledge(self, id: str) -> None:
        """Marks a message read. If the connection is gone, the message comes again and is then acknowledged again."""
        with suppress(*self._broken):
            await self._socket.send(json.dumps({"ack": id}))

    @property
    def was_good(self) -> bool:
        """Whether it lasted long enough for the next pause to be short again."""
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
                # Once a frame is dropped, drop all later ones too, to preserve the order.
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
    """Fetches a message; None if it has been deleted."""
    try:
        return await messages.get(id, agent=agent, peek=True)
    except NotFoundError:
        return None


async def _why_refused(transport: AsyncTransport, agent: str, was_there: bool) -> E2AError:
    """Asks by plain HTTP why a handshake failed. Raises if a retry is pointless or the server has never answered."""
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
    # If the key was revoked or the agent deleted, the next handshake reports it.
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
