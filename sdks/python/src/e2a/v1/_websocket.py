"""The only module that imports ``websockets``, whose API changed in 13.0. Only listening needs the package."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any, Mapping, Optional, Tuple, Type

from .errors import ConfigurationError

#: Seconds.
OPEN_TIMEOUT = 15
CLOSE_TIMEOUT = 1


class WebSockets:
    """Opens WebSockets. Raises ConfigurationError if the package is not installed."""

    def __init__(self) -> None:
        try:
            exceptions = importlib.import_module("websockets.exceptions")
        except ImportError:
            raise ConfigurationError(
                "listen() needs the package websockets.", fix="Install it: pip install 'e2a[listen]'."
            ) from None
        #: The exceptions of a connection that fails or breaks.
        self.broken: Tuple[Type[BaseException], ...] = (
            exceptions.WebSocketException,
            OSError,
            EOFError,
            asyncio.TimeoutError,
        )
        try:
            connect, headers_name = importlib.import_module("websockets.asyncio.client").connect, "additional_headers"
        except ImportError:
            connect, headers_name = importlib.import_module("websockets.client").connect, "extra_headers"

        class Connect(connect):  # type: ignore[misc, valid-type]
            # Do not follow redirects: only the configured server may get the key. The first try counts.
            MAX_REDIRECTS_ALLOWED = 1

            def process_redirect(self, error: Exception) -> Exception:
                return error

        self._connect: Any = Connect
        self._headers_name = headers_name

    async def open(self, url: str, headers: Mapping[str, str]) -> Any:
        """Opens a connection that pings, and answers pings. Raises one of ``broken``."""
        options = {"open_timeout": OPEN_TIMEOUT, "close_timeout": CLOSE_TIMEOUT, "compression": None}
        return await self._connect(url, **{self._headers_name: dict(headers)}, **options)


def close_frame(error: BaseException) -> Tuple[Optional[int], str]:
    """The code and reason with which the server closed a connection; no code if the connection broke."""
    frame = getattr(error, "rcvd", None)
    return (None, str(error)) if frame is None else (int(frame.code), str(frame.reason))
