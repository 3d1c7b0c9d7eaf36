# Written by scripts/make_sync.py from _async/events.py: change that.
from __future__ import annotations

import time
from typing import Any, Generator, Dict, Optional, Sequence, Union

from .._exchange import Call, Pauses, may_pass
from .._wire import present, segment, words
from ..errors import E2AError
from ..models import Event
from .paging import Pager
from .transport import Transport

#: Seconds. The server's limit, and less than the minute after which proxies give up.
WAIT = 50
PAGE = 100


class Events:
    """The event log: everything that happened in the last 30 days, in order."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        after: Optional[str] = None,
        types: Optional[Union[str, Sequence[str]]] = None,
        agent: Optional[str] = None,
        wait: Optional[int] = None,
        sort: Optional[str] = None,
        page_size: Optional[int] = None,
        token: Optional[str] = None,
    ) -> Pager[Event]:
        """Events, oldest first.

        :param after: the id of the last event that you have seen
        :param types: types of events, such as ``message.received``; by default all
        :param wait: seconds (up to 60) to wait for an event if there is none
        :param sort: ``asc`` (oldest first, the default) or ``desc``
        """
        query = {
            "after": after,
            "types": words(types),
            "agent": agent,
            "wait": wait,
            "sort": sort,
            "page_size": page_size,
            "token": token,
        }
        return Pager(self._transport, "/events", "events", lambda item, _: Event.from_wire(item), query)

    def get(self, id: str) -> Event:
        return Event.from_wire(self._transport.json(Call("GET", f"/events/{segment(id)}")))

    def follow(
        self,
        after: Optional[str] = None,
        *,
        types: Optional[Union[str, Sequence[str]]] = None,
        agent: Optional[str] = None,
    ) -> Generator[Event, None, None]:
        """Iterates over events as they happen, without end: after the event ``after``, or without it new events only.

        The iteration survives restarts of the server. Store the ``id`` of the last event that you have processed, and
        pass it as ``after`` next time: then you miss no event, and get none twice.
        """
        query: Dict[str, Any] = {"types": words(types), "agent": agent}
        pauses = Pauses()
        after = after or self._last(query)
        was_there = False
        while True:
            call = Call(
                "GET",
                "/events",
                query=present({**query, "after": after, "wait": WAIT, "page_size": PAGE}),
                wait=WAIT,
                max_retries=0 if was_there else None,
            )
            try:
                events = (self._transport.json(call))["events"]
            except E2AError as error:
                # Raise if the server has never answered; if it has, wait until it is back.
                if not (was_there and may_pass(error)):
                    raise
                time.sleep(pauses.next(error))
                continue
            was_there = True
            pauses.reset()
            for item in events:
                event = Event.from_wire(item)
                yield event
                after = event.id

    def schemas(self) -> Dict[str, Any]:
        """The JSON Schema of every type of event, by its name."""
        return dict((self._transport.json(Call("GET", "/events/schemas", public=True)))["schemas"])

    def schema(self, type: str) -> Dict[str, Any]:
        """The JSON Schema of one type of event."""
        return dict(self._transport.json(Call("GET", f"/events/schemas/{segment(type)}", public=True)))

    def _last(self, query: Dict[str, Any]) -> Optional[str]:
        """The id of the latest event; None if the log is empty, so that every event is new."""
        call = Call("GET", "/events", query=present({**query, "sort": "desc", "page_size": 1}))
        events = (self._transport.json(call))["events"]
        return str(events[0]["id"]) if events else None
