"""The parts that both ways of listening share."""

from __future__ import annotations

import logging
from collections import OrderedDict

logger = logging.getLogger("e2a")

#: How many ids are remembered to skip duplicates: far more than a backlog, about 1 MB.
REMEMBERED_MAX = 10_000


class Remembered:
    """The ids of the last ten thousand messages that were taken."""

    def __init__(self) -> None:
        self._ids: "OrderedDict[str, None]" = OrderedDict()

    def add(self, id: str) -> None:
        self._ids[id] = None
        if len(self._ids) > REMEMBERED_MAX:
            self._ids.popitem(last=False)

    def __contains__(self, id: str) -> bool:
        return id in self._ids
