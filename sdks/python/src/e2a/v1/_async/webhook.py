from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Dict, Mapping, Optional, Union

from .._decode import Model
from .._settings import Secrets, secret_list
from .._verify import Body, Headers, Proof, verify
from ..errors import ConfigurationError, UnverifiedEmailError
from .message import AsyncMessage, bound
from .messages import AsyncMessages

#: The members that ``X-E2A-Auth-*`` alone proves.
_proven_members = ("message_id", "from", "verified", "raw_message", "auth_headers", "type")


@dataclass(frozen=True)
class AsyncWebhookEvent(Model):
    """A verified webhook event. An agent's own webhook and the account's webhooks give the same form."""

    #: ``message.received`` from an agent's own webhook; otherwise any type of event.
    type: str = ""
    #: The same in each attempt, and in the event log. None if only the mail is proven, like the next two.
    id: Optional[str] = None
    timestamp: Optional[datetime] = None
    agent_id: Optional[str] = None
    #: The event's data. From an agent's own webhook: the whole message.
    data: Dict[str, Any] = field(default_factory=dict)
    #: What is proven. ``body``: every byte of the request. ``message``: only the mail and its sender.
    proven: str = ""
    #: ``agent`` (its own webhook) or ``account``.
    source: str = ""
    #: The message from an agent's own webhook; None from the account's webhooks, whose events have no bodies.
    message: Optional[AsyncMessage] = field(default=None, repr=False)
    _messages: Any = field(default=None, repr=False, compare=False)

    async def get_message(self, *, peek: bool = False) -> AsyncMessage:
        """The event's message: the one it contains, or else fetched (which marks it read, unless ``peek``)."""
        if self.message is not None:
            return self.message
        id = self.data.get("message_id")
        if self.type != "message.received" or not isinstance(id, str):
            raise ConfigurationError(f"{self.type} tells of no received message.", fix="Look at type first.")
        if self._messages is None:
            raise ConfigurationError("This event came without a client.", fix="Use client.parse_webhook(…).")
        messages: AsyncMessages = self._messages
        return await messages.get(id, agent=self.agent_id, peek=peek)


def parse_webhook(
    body: Body,
    headers: Headers = None,
    secrets: Optional[Secrets] = None,
    *,
    allow_unsigned_fields: bool = False,
    now: Optional[Union[float, datetime]] = None,
    messages: Optional[AsyncMessages] = None,
) -> AsyncWebhookEvent:
    proof = verify(body, headers, secret_list(secrets), now)
    if proof.is_event:
        return _event(proof.body, proof, messages, None)
    wire = _unwrapped(proof)
    if proof.proven == "message" and not allow_unsigned_fields:
        # Leave out members that are not proven.
        data = _ProvenMembers({name: value for name, value in wire["data"].items() if name in _proven_members})
        wire = {"type": wire["type"], "data": data}
        return _event(wire, proof, messages, bound(_ProvenMessage, dict(data), messages, None))
    return _event(wire, proof, messages, bound(AsyncMessage, _as_message(wire), messages, wire["agent_id"]))


def _event(
    wire: Mapping[str, Any], proof: Proof, messages: Optional[AsyncMessages], message: Optional[AsyncMessage]
) -> AsyncWebhookEvent:
    said = {"proven": proof.proven, "source": "account" if proof.is_event else "agent"}
    event = AsyncWebhookEvent.from_wire({**wire, **said})
    object.__setattr__(event, "message", message)
    object.__setattr__(event, "_messages", messages)
    return event


def _unwrapped(proof: Proof) -> Dict[str, Any]:
    """Brings an agent's webhook into the form of the account's. Takes signed values from the signed fields."""
    data = dict(proof.body)
    if proof.proven == "message":
        data["auth_headers"] = proof.auth_headers()
        data["from"] = proof.auth.get("x-e2a-auth-sender", "")
        data["verified"] = proof.auth.get("x-e2a-auth-verified") == "true"
    return {
        "type": "message.received",
        "id": data.get("event_id"),
        "timestamp": data.get("received_at"),
        "agent_id": _mailbox(data.get("recipient")),
        "data": data,
    }


def _as_message(wire: Mapping[str, Any]) -> Dict[str, Any]:
    """Renames the members of a message that deliveries name differently."""
    data = wire["data"]
    return {
        "created_at": wire["timestamp"],
        "agent_id": wire["agent_id"],
        "status": "unread",
        "has_attachments": bool(data.get("attachments")),
        **data,
    }


def _mailbox(recipient: Any) -> Optional[str]:
    """``bot+tag@example.com`` → ``bot@example.com``."""
    if not isinstance(recipient, str) or "@" not in recipient:
        return None
    local, _, domain = recipient.rpartition("@")
    name = local.split("+", 1)[0] or local
    return f"{name}@{domain}".lower()


def _unsigned(name: str) -> UnverifiedEmailError:
    return UnverifiedEmailError(
        "unsigned_field",
        f'"{name}" is not proven: only the mail itself and its sender are.',
        fix="Give the webhook-* headers of the request too, read raw_bytes, or allow_unsigned_fields=True.",
    )


class _ProvenMembers(Dict[str, Any]):
    """The proven members. Access to another one raises UnverifiedEmailError; iteration yields only these."""

    def __missing__(self, name: str) -> Any:
        raise _unsigned(name)

    def get(self, name: str, default: Any = None) -> Any:
        return self[name]


class _ProvenMessage(AsyncMessage):
    """A message of which only the mail itself and its sender are proven."""

    def __getattribute__(self, name: str) -> Any:
        if name in _unproven_fields:
            raise _unsigned(name)
        return super().__getattribute__(name)

    def __repr__(self) -> str:
        return f"<message {self.message_id} from {self.from_}, of which nothing else is proven>"


_unproven_fields = frozenset(
    f.name
    for f in fields(AsyncMessage)
    if f.name != "raw" and not f.name.startswith("_") and f.name.rstrip("_") not in _proven_members
)
