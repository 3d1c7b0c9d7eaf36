from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence

from .._exchange import Call
from .._wire import Addresses, Attachable, Time, files, present, segment, several, time_text
from ..models import Approved, AuditEntry, Outbound, Rejected
from .paging import AsyncPager
from .transport import AsyncTransport


class AsyncOutbox:
    """Sent mail, with its delivery status."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        status: Optional[str] = None,
        type: Optional[str] = None,
        agent: Optional[str] = None,
        conversation_id: Optional[str] = None,
        since: Optional[Time] = None,
        until: Optional[Time] = None,
        data: Optional[bool] = None,
        page_size: Optional[int] = None,
        token: Optional[str] = None,
    ) -> AsyncPager[Outbound]:
        """Sent mail of all agents that the key may use, newest first; with ``status="pending_approval"`` the soonest
        expiry first.

        :param data: False leaves out the bytes of the attachments of messages that wait for approval
        """
        query = {
            "status": status,
            "type": type,
            "agent": agent,
            "conversation_id": conversation_id,
            "since": time_text(since),
            "until": time_text(until),
            "data": data,
            "page_size": page_size,
            "token": token,
        }
        return AsyncPager(self._transport, "/messages", "messages", lambda item, _: Outbound.from_wire(item), query)

    async def get(self, id: str, *, data: Optional[bool] = None) -> Outbound:
        """A sent message, with its status for each recipient.

        :param data: False leaves out the bytes of its attachments, which come while it waits for approval
        """
        return Outbound.from_wire(await self._transport.json(Call("GET", _path(id), query={"data": data})))

    async def cancel(self, id: str) -> Outbound:
        """Cancels a message for the recipients to whom it has not left yet. ConflictError if it is too late."""
        return Outbound.from_wire(await self._transport.json(Call("POST", f"{_path(id)}/cancel")))

    async def release(self, id: str) -> Outbound:
        """Releases a message that the loop breaker holds."""
        return Outbound.from_wire(await self._transport.json(Call("POST", f"{_path(id)}/release")))

    async def raw(self, id: str) -> bytes:
        """The bytes of the mail as it left, or will leave (``message/rfc822``)."""
        return await self._transport.bytes(Call("GET", f"{_path(id)}/raw"))

    async def attachment(self, id: str, index: int) -> bytes:
        """The bytes of an attachment."""
        return await self._transport.bytes(Call("GET", f"{_path(id)}/attachments/{index}"))


class AsyncApprovals:
    """Messages that wait for approval. Decisions require a key of scope ``account``."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        agent: Optional[str] = None,
        data: Optional[bool] = None,
        page_size: Optional[int] = None,
        token: Optional[str] = None,
    ) -> AsyncPager[Outbound]:
        """Messages that wait for a decision, soonest expiry first.

        :param data: False leaves out the bytes of their attachments
        """
        query = {"status": "pending_approval", "agent": agent, "data": data, "page_size": page_size, "token": token}
        return AsyncPager(self._transport, "/messages", "messages", lambda item, _: Outbound.from_wire(item), query)

    async def approve(
        self,
        id: str,
        *,
        subject: Optional[str] = None,
        body_text: Optional[str] = None,
        body_html: Optional[str] = None,
        to: Optional[Addresses] = None,
        cc: Optional[Addresses] = None,
        bcc: Optional[Addresses] = None,
        attachments: Optional[Sequence[Attachable]] = None,
        content_hash: Optional[str] = None,
        idempotency_key: Optional[str] = None,
    ) -> Approved:
        """Approves a held message, with or without changes. ConflictError if it was already decided.

        :param content_hash: ``Outbound.content_hash`` of the content that was reviewed; fails if it has changed since
        """
        body: Mapping[str, Any] = {
            "subject": subject,
            "body_text": body_text,
            "body_html": body_html,
            "to": several(to),
            "cc": several(cc),
            "bcc": several(bcc),
            "attachments": files(attachments),
            "content_hash": content_hash,
        }
        call = Call("POST", f"{_path(id)}/approve", body=present(body), idempotency_key=idempotency_key)
        return Approved.from_wire(await self._transport.json(call))

    async def reject(
        self,
        id: str,
        *,
        reason: Optional[str] = None,
        content_hash: Optional[str] = None,
        idempotency_key: Optional[str] = None,
    ) -> Rejected:
        """Rejects a held message, which then never leaves. The agent can read the reason."""
        body = present({"reason": reason, "content_hash": content_hash})
        call = Call("POST", f"{_path(id)}/reject", body=body, idempotency_key=idempotency_key)
        return Rejected.from_wire(await self._transport.json(call))

    async def undo(self, id: str, *, idempotency_key: Optional[str] = None) -> Outbound:
        """Undoes an approval: the message waits again. ConflictError once delivery to a recipient has begun."""
        call = Call("POST", f"{_path(id)}/undo", idempotency_key=idempotency_key)
        return Outbound.from_wire(await self._transport.json(call))


class AsyncAudit:
    """Decisions about held messages."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    def list(self, *, page_size: Optional[int] = None, token: Optional[str] = None) -> AsyncPager[AuditEntry]:
        """Decisions, newest first."""
        query = {"page_size": page_size, "token": token}
        return AsyncPager(self._transport, "/audit", "entries", lambda item, _: AuditEntry.from_wire(item), query)


def _path(id: str) -> str:
    return f"/messages/{segment(id)}"
