"""What both ways of listening share."""

from __future__ import annotations

import logging
from collections import OrderedDict

logger = logging.getLogger("e2a")

#: Ids remembered against doubles: far more than one backlog, about a megabyte.
REMEMBERED_MAX = 10_000


class Remembered:
    """The ids of the messages that were taken, the newest ten thousand."""

    def __init__(self) -> None:
        self._ids: "OrderedDict[str, None]" = OrderedDict()

    def add(self, id: str) -> None:
        self._ids[id] = None
        if len(self._ids) > REMEMBERED_MAX:
            self._ids.popitem(last=False)

    def __contains__(self, id: str) -> bool:
        return id in self._ids
