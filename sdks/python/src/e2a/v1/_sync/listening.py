from __future__ import annotations

import time
from typing import Any, Generator, List, Optional

from .._exchange import Call, Pauses, may_pass
from .._listen import Remembered, logger
from .._wire import agent_path
from ..errors import E2AError, NotFoundError
from .message import Message
from .messages import Messages
from .transport import Transport

#: Seconds. Less than the minute after which proxies commonly abort a silent request.
WAIT = 50


def listen(transport: Transport, messages: Messages, agent: Optional[str]) -> Generator[Message, None, None]:
    """Yields unread messages, then new ones, by long polling. Marks each read when the next is requested."""
    agent = transport.agent(agent)
    taken = Remembered()
    pauses = Pauses()
    was_there = False
    while True:
        try:
            ids = _wait(transport, agent, was_there)
            was_there = True
            pauses.reset()
            for id in ids:
                if id not in taken:
                    message = _get(messages, agent, id)
                    if message is None:
                        continue
                    yield message
                    taken.add(id)
                _acknowledge(messages, agent, id)
        except E2AError as error:
            # Raise if the server has never answered; if it has, wait until it is back.
            if not (was_there and may_pass(error)):
                raise
            pause = pauses.next(error)
            logger.warning("listening for %s: %s Trying again in %.1f s.", agent, error.message, pause)
            time.sleep(pause)


def _wait(transport: Transport, agent: str, was_there: bool) -> List[str]:
    call = Call(
        "GET",
        f"{agent_path(agent)}/messages/wait",
        query={"timeout": WAIT},
        wait=WAIT,
        max_retries=0 if was_there else None,
    )
    found: List[Any] = transport.json(call)["messages"]
    return [str(item["message_id"]) for item in found]


def _get(messages: Messages, agent: str, id: str) -> Optional[Message]:
    """Fetches a message; None if it has been deleted."""
    try:
        return messages.get(id, agent=agent, peek=True)
    except NotFoundError:
        return None


def _acknowledge(messages: Messages, agent: str, id: str) -> None:
    try:
        messages.update(id, agent=agent, status="read")
    except NotFoundError:
        pass
