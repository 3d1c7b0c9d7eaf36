# Written by scripts/make_sync.py from _async/paging.py: change that.
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator, Callable, Generic, List, Mapping, Optional, TypeVar

from .._exchange import Call
from .._wire import present, segment
from .transport import Transport

T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list."""

    items: List[T]
    #: Where the next page begins: give it as ``token``. None on the last page.
    next_token: Optional[str]
    #: The JSON object as it came.
    raw: Mapping[str, Any]


class Pager(Generic[T]):
    """A list of any length. Iterating goes through all of it, a page at a time, each fetched when it is needed."""

    def __init__(
        self,
        transport: Transport,
        path: str,
        name: str,
        read: Callable[[Any, str], T],
        query: Mapping[str, Any],
        agent: Optional[str] = None,
    ) -> None:
        """``path`` may have ``{agent}`` in it; ``read`` gets an item and that agent's address."""
        self._transport = transport
        self._path = path
        self._name = name
        self._read = read
        self._query = present(query)
        self._agent = agent

    def __iter__(self) -> Iterator[T]:
        for page in self.pages():
            for item in page.items:
                yield item

    def pages(self) -> Iterator[Page[T]]:
        """The same, a page at a time."""
        page = self.first_page()
        yield page
        while page.next_token is not None:
            page = self._page(page.next_token)
            yield page

    def first_page(self) -> Page[T]:
        """The first page (or the one that ``token`` names) alone."""
        return self._page(self._query.get("token"))

    def to_list(self) -> List[T]:
        """All of it."""
        return [item for item in self]

    def _page(self, token: Optional[str]) -> Page[T]:
        query = dict(self._query)
        if token is not None:
            query["token"] = token
            # The token says where to go on.
            query.pop("after", None)
        agent = self._transport.agent(self._agent) if "{agent}" in self._path else ""
        path = self._path.replace("{agent}", segment(agent) if agent else "")
        raw = self._transport.json(Call("GET", path, query=query))
        return Page([self._read(item, agent) for item in raw[self._name]], raw.get("next_token"), raw)
