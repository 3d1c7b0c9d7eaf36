# Written by scripts/make_sync.py from _async/delivery.py: change that.
from __future__ import annotations

from typing import Optional, Sequence

from .._exchange import Call
from .._wire import Time, present, segment, time_text
from ..models import Delivery, Webhook
from .paging import Pager
from .transport import Transport


class Webhooks:
    """The account's webhooks, for events that you choose. An agent's own webhook is its ``webhook_url``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        url: str,
        *,
        events: Optional[Sequence[str]] = None,
        agents: Optional[Sequence[str]] = None,
        description: Optional[str] = None,
        idempotency_key: Optional[str] = None,
    ) -> Webhook:
        """Makes a webhook. Without ``events`` it gets all types; without ``agents``, all events of the account."""
        body = {"url": url, "events": events, "agents": agents, "description": description}
        call = Call("POST", "/webhooks", body=present(body), idempotency_key=idempotency_key)
        return Webhook.from_wire(self._transport.json(call))

    def list(self, *, page_size: Optional[int] = None, token: Optional[str] = None) -> Pager[Webhook]:
        """All webhooks, newest first."""
        query = {"page_size": page_size, "token": token}
        return Pager(self._transport, "/webhooks", "webhooks", lambda item, _: Webhook.from_wire(item), query)

    def get(self, id: str) -> Webhook:
        return Webhook.from_wire(self._transport.json(Call("GET", _path(id))))

    def update(
        self,
        id: str,
        *,
        url: Optional[str] = None,
        events: Optional[Sequence[str]] = None,
        agents: Optional[Sequence[str]] = None,
        description: Optional[str] = None,
        status: Optional[str] = None,
    ) -> Webhook:
        """Changes the given settings. ``status``: ``enabled`` or ``disabled``."""
        body = {"url": url, "events": events, "agents": agents, "description": description, "status": status}
        return Webhook.from_wire(self._transport.json(Call("PATCH", _path(id), body=present(body))))

    def delete(self, id: str) -> None:
        """Deletes a webhook with its deliveries."""
        self._transport.json(Call("DELETE", _path(id)))

    def test(self, id: str, *, idempotency_key: Optional[str] = None) -> Delivery:
        """Sends it a ``webhook.test`` event; ``client.deliveries.get`` shows the outcome."""
        call = Call("POST", f"{_path(id)}/test", idempotency_key=idempotency_key)
        return Delivery.from_wire(self._transport.json(call))


class Deliveries:
    """Deliveries to webhooks, with the answers."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        agent: Optional[str] = None,
        webhook: Optional[str] = None,
        message: Optional[str] = None,
        status: Optional[str] = None,
        page_size: Optional[int] = None,
        token: Optional[str] = None,
    ) -> Pager[Delivery]:
        """Deliveries, newest first.

        :param message: only deliveries about the received message with this id
        :param status: ``pending``, ``paused``, ``succeeded`` or ``failed``
        """
        query = {
            "agent": agent,
            "webhook": webhook,
            "message": message,
            "status": status,
            "page_size": page_size,
            "token": token,
        }
        return Pager(self._transport, "/deliveries", "deliveries", lambda item, _: Delivery.from_wire(item), query)

    def get(self, id: str) -> Delivery:
        """A delivery with all its attempts (``tries``)."""
        return Delivery.from_wire(self._transport.json(Call("GET", f"/deliveries/{segment(id)}")))

    def redeliver(self, id: str, *, idempotency_key: Optional[str] = None) -> Delivery:
        """Repeats a delivery immediately."""
        call = Call("POST", f"/deliveries/{segment(id)}/redeliver", idempotency_key=idempotency_key)
        return Delivery.from_wire(self._transport.json(call))

    def redeliver_since(
        self,
        since: Time,
        *,
        agent: Optional[str] = None,
        webhook: Optional[str] = None,
        status: Optional[str] = None,
        idempotency_key: Optional[str] = None,
    ) -> int:
        """Repeats a batch of deliveries that have failed since then. Returns how many; call it until it returns 0."""
        body = {"since": time_text(since), "agent": agent, "webhook": webhook, "status": status}
        call = Call("POST", "/deliveries/redeliver", body=present(body), idempotency_key=idempotency_key)
        return int((self._transport.json(call))["redelivered"])


def _path(id: str) -> str:
    return f"/webhooks/{segment(id)}"
