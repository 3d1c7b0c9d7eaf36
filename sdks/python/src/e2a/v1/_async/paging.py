from __future__ import annotations

from dataclasses import dataclass
from typing import Any, AsyncIterator, Callable, Generic, List, Mapping, Optional, TypeVar

from .._exchange import Call
from .._wire import present, segment
from .transport import AsyncTransport

T = TypeVar("T")


@dataclass(frozen=True)
class AsyncPage(Generic[T]):
    """One page of a list."""

    items: List[T]
    #: The ``token`` of the next page. None on the last page.
    next_token: Optional[str]
    #: The JSON object as received.
    raw: Mapping[str, Any]


class AsyncPager(Generic[T]):
    """A list of any length. Iterating over it yields all items, and fetches each page when it is needed."""

    def __init__(
        self,
        transport: AsyncTransport,
        path: str,
        name: str,
        read: Callable[[Any, str], T],
        query: Mapping[str, Any],
        agent: Optional[str] = None,
    ) -> None:
        """``path`` may contain ``{agent}``; ``read`` gets an item and that agent's address."""
        self._transport = transport
        self._path = path
        self._name = name
        self._read = read
        self._query = present(query)
        self._agent = agent

    async def __aiter__(self) -> AsyncIterator[T]:
        async for page in self.pages():
            for item in page.items:
                yield item

    async def pages(self) -> AsyncIterator[AsyncPage[T]]:
        """Iterates over the pages instead of the items."""
        page = await self.first_page()
        yield page
        while page.next_token is not None:
            page = await self._page(page.next_token)
            yield page

    async def first_page(self) -> AsyncPage[T]:
        """Only the first page, or the page of ``token``."""
        return await self._page(self._query.get("token"))

    async def to_list(self) -> List[T]:
        """All items, as a list."""
        return [item async for item in self]

    async def _page(self, token: Optional[str]) -> AsyncPage[T]:
        query = dict(self._query)
        if token is not None:
            query["token"] = token
            # The token already contains the position.
            query.pop("after", None)
        agent = await self._transport.agent(self._agent) if "{agent}" in self._path else ""
        path = self._path.replace("{agent}", segment(agent) if agent else "")
        raw = await self._transport.json(Call("GET", path, query=query))
        return AsyncPage([self._read(item, agent) for item in raw[self._name]], raw.get("next_token"), raw)
