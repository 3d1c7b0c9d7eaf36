from __future__ import annotations

import asyncio
from typing import Any, Optional

import httpx

from .._exchange import Call, Tries, broken, json_of, refusal, request_parts
from .._settings import Settings
from ..errors import ConfigurationError, E2AError


class AsyncTransport:
    """Makes calls to one server with one key, and retries them if that is safe."""

    def __init__(self, settings: Settings, http: Optional[httpx.AsyncClient]) -> None:
        self.settings = settings
        self._http = http or httpx.AsyncClient()
        self._owns_http = http is None
        self._only_agent: Optional[str] = None

    async def aclose(self) -> None:
        if self._owns_http:
            await self._http.aclose()

    async def json(self, call: Call) -> Any:
        """The JSON of the answer; None if the answer is empty."""
        return json_of(await self.response(call), self.settings)

    async def bytes(self, call: Call) -> bytes:
        return (await self.response(call)).content

    async def response(self, call: Call) -> httpx.Response:
        """A 2xx answer. Raises an E2AError for any other outcome."""
        parts = request_parts(call, self.settings)
        tries = Tries(call, self.settings)
        while True:
            cause: Optional[httpx.TransportError] = None
            try:
                response = await self._http.request(**parts, follow_redirects=False)
                if response.is_success:
                    return response
                failure: E2AError = refusal(response, self.settings)
            except httpx.TransportError as error:
                cause = error
                failure = broken(error, self.settings)
            if tries.is_done_after_all(failure):
                return httpx.Response(204)
            pause = tries.pause(failure, cause)
            if pause is None:
                raise tries.outcome(failure, parts["headers"].get("idempotency-key")) from cause
            await asyncio.sleep(pause)

    async def agent(self, given: Optional[str]) -> str:
        """The agent of a call: the given one, else the client's, else the only one that the key may use."""
        named = given or self.settings.agent or self._only_agent
        if named:
            return named
        agents = (await self.json(Call("GET", "/agents", query={"page_size": 2})))["agents"]
        if len(agents) != 1:
            raise ConfigurationError(
                "You have no agent yet." if not agents else "You have several agents.",
                fix="Create one: client.agents.create(slug=…)."
                if not agents
                else "Give agent, or the client agent_email (E2A_AGENT_EMAIL).",
            )
        self._only_agent = str(agents[0]["email"])
        return self._only_agent
