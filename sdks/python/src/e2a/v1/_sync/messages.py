# Written by scripts/make_sync.py from _async/messages.py: change that.
from __future__ import annotations

from typing import Any, List, Mapping, Optional, Sequence, Union

from .._exchange import Call
from .._wire import Addresses, Attachable, Time, agent_path, files, present, segment, time_text
from ..models import AttachedMessage, Conversation, Sent
from .message import Message, MessageSummary, bound
from .paging import Pager
from .transport import Transport

#: Seconds. The same as the server's default.
WAIT_DEFAULT = 30


class Messages:
    """Received mail. ``agent`` defaults to the client's agent."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        agent: Optional[str] = None,
        status: Optional[str] = None,
        q: Optional[str] = None,
        from_: Optional[str] = None,
        conversation_id: Optional[str] = None,
        label: Optional[str] = None,
        since: Optional[Time] = None,
        until: Optional[Time] = None,
        sort: Optional[str] = None,
        direction: Optional[str] = None,
        page_size: Optional[int] = None,
        token: Optional[str] = None,
    ) -> Pager[MessageSummary]:
        """Messages of an agent; by default unread ones, oldest first.

        :param status: ``unread`` (the default), ``read`` or ``all``
        :param q: words, each of which must begin a word of the subject, addresses, text or file names
        :param sort: ``asc`` (oldest first, the default) or ``desc``
        :param direction: ``outbound`` lists the agent's sent mail, in the same form
        """
        query = {
            "status": status,
            "q": q,
            "from": from_,
            "conversation_id": conversation_id,
            "label": label,
            "since": time_text(since),
            "until": time_text(until),
            "sort": sort,
            "direction": direction,
            "page_size": page_size,
            "token": token,
        }
        return Pager(self._transport, "/agents/{agent}/messages", "messages", self._summary, query, agent)

    def wait(self, *, agent: Optional[str] = None, timeout: int = WAIT_DEFAULT) -> List[MessageSummary]:
        """Waits for unread messages and returns them, oldest first; none after ``timeout`` seconds (1 to 60)."""
        agent = self._transport.agent(agent)
        call = Call("GET", f"{agent_path(agent)}/messages/wait", query={"timeout": timeout}, wait=timeout)
        return [self._summary(item, agent) for item in (self._transport.json(call))["messages"]]

    def get(
        self, id: str, *, agent: Optional[str] = None, peek: bool = False, raw: bool = True
    ) -> Message:
        """Fetches a message and marks it read, unless ``peek``. ``raw=False`` leaves out its bytes (25 MB or more)."""
        agent = self._transport.agent(agent)
        call = Call("GET", _path(agent, id), query={"peek": True if peek else None, "raw": None if raw is True else raw})
        return bound(Message, self._transport.json(call), self, agent)

    def update(
        self,
        id: str,
        *,
        agent: Optional[str] = None,
        status: Optional[str] = None,
        add_labels: Optional[Sequence[str]] = None,
        remove_labels: Optional[Sequence[str]] = None,
    ) -> MessageSummary:
        """Changes its status (``unread`` or ``read``) and labels."""
        agent = self._transport.agent(agent)
        body = present(
            {
                "status": status,
                "add_labels": None if add_labels is None else list(add_labels),
                "remove_labels": None if remove_labels is None else list(remove_labels),
            }
        )
        return self._summary(self._transport.json(Call("PATCH", _path(agent, id), body=body)), agent)

    def delete(self, id: str, *, agent: Optional[str] = None) -> None:
        agent = self._transport.agent(agent)
        self._transport.json(Call("DELETE", _path(agent, id)))

    def raw(self, id: str, *, agent: Optional[str] = None) -> bytes:
        """The bytes of the mail as stored (``message/rfc822``)."""
        agent = self._transport.agent(agent)
        return self._transport.bytes(Call("GET", f"{_path(agent, id)}/raw"))

    def attachment(self, id: str, index: Union[int, str], *, agent: Optional[str] = None) -> bytes:
        """The decoded bytes of an attachment. ``"2.0"`` is the first file in the attached message 2."""
        agent = self._transport.agent(agent)
        return self._transport.bytes(Call("GET", f"{_path(agent, id)}/attachments/{segment(str(index))}"))

    def attached_message(self, id: str, index: Union[int, str], *, agent: Optional[str] = None) -> AttachedMessage:
        """A message that is attached, with its own text and files."""
        agent = self._transport.agent(agent)
        path = f"{_path(agent, id)}/attachments/{segment(str(index))}/message"
        return AttachedMessage.from_wire(self._transport.json(Call("GET", path)))

    def reply(
        self,
        id: str,
        body: str,
        *,
        agent: Optional[str] = None,
        html_body: Optional[str] = None,
        reply_all: bool = False,
        quote_history: bool = False,
        cc: Optional[Addresses] = None,
        bcc: Optional[Addresses] = None,
        attachments: Optional[Sequence[Attachable]] = None,
        headers: Optional[Mapping[str, str]] = None,
        conversation_id: Optional[str] = None,
        wait: bool = True,
        idempotency_key: Optional[str] = None,
    ) -> Sent:
        """Replies to a message: to Reply-To, or else to From; with ``reply_all`` to all recipients too.

        ``quote_history`` adds the message below the text, as mail programs quote it.
        """
        agent = self._transport.agent(agent)
        content = {
            "body": body,
            "html_body": html_body,
            "reply_all": True if reply_all else None,
            "quote_history": True if quote_history else None,
            "cc": cc,
            "bcc": bcc,
            "attachments": files(attachments),
            "headers": headers,
            "conversation_id": conversation_id,
        }
        return submit(self._transport, f"{_path(agent, id)}/reply", content, wait, idempotency_key)

    def forward(
        self,
        id: str,
        to: Addresses,
        body: Optional[str] = None,
        *,
        agent: Optional[str] = None,
        include: Optional[str] = None,
        quote_history: Optional[bool] = None,
        html_body: Optional[str] = None,
        cc: Optional[Addresses] = None,
        bcc: Optional[Addresses] = None,
        attachments: Optional[Sequence[Attachable]] = None,
        headers: Optional[Mapping[str, str]] = None,
        conversation_id: Optional[str] = None,
        wait: bool = True,
        idempotency_key: Optional[str] = None,
    ) -> Sent:
        """Forwards a message with its text and its attachments.

        ``include`` chooses the files: ``message`` (the whole message as one file), ``attachments`` or ``none``; the text
        then goes along only with ``quote_history``.
        """
        agent = self._transport.agent(agent)
        content = {
            "to": to,
            "body": body,
            "include": include,
            "quote_history": quote_history,
            "html_body": html_body,
            "cc": cc,
            "bcc": bcc,
            "attachments": files(attachments),
            "headers": headers,
            "conversation_id": conversation_id,
        }
        return submit(self._transport, f"{_path(agent, id)}/forward", content, wait, idempotency_key)

    def _summary(self, item: Any, agent: str) -> MessageSummary:
        return bound(MessageSummary, item, self, agent)


class Inbox:
    """The received mail of all agents."""

    def __init__(self, transport: Transport, messages: Messages) -> None:
        self._transport = transport
        self._messages = messages

    def list(
        self,
        *,
        agent: Optional[str] = None,
        status: Optional[str] = None,
        q: Optional[str] = None,
        from_: Optional[str] = None,
        label: Optional[str] = None,
        since: Optional[Time] = None,
        until: Optional[Time] = None,
        sort: Optional[str] = None,
        page_size: Optional[int] = None,
        token: Optional[str] = None,
    ) -> Pager[MessageSummary]:
        """Like ``client.messages.list``, but for all agents that the key may use. ``agent_id`` names the agent."""
        query = {
            "agent": agent,
            "status": status,
            "q": q,
            "from": from_,
            "label": label,
            "since": time_text(since),
            "until": time_text(until),
            "sort": sort,
            "page_size": page_size,
            "token": token,
        }
        return Pager(self._transport, "/inbox", "messages", self._summary, query)

    def _summary(self, item: Any, _: str) -> MessageSummary:
        return bound(MessageSummary, item, self._messages, item.get("agent_id"))


class Conversations:
    """Conversations: messages that reply to one another."""

    def __init__(self, transport: Transport, messages: Messages) -> None:
        self._transport = transport
        self._messages = messages

    def list(
        self, *, agent: Optional[str] = None, page_size: Optional[int] = None, token: Optional[str] = None
    ) -> Pager[Conversation]:
        """An agent's conversations, latest activity first."""
        query = {"page_size": page_size, "token": token}
        return Pager(
            self._transport,
            "/agents/{agent}/conversations",
            "conversations",
            lambda item, _: Conversation.from_wire(item),
            query,
            agent,
        )

    def get(
        self, id: str, *, agent: Optional[str] = None, page_size: Optional[int] = None, token: Optional[str] = None
    ) -> Pager[MessageSummary]:
        """The messages of a conversation, in both directions, oldest first."""
        query = {"page_size": page_size, "token": token}
        path = f"/agents/{{agent}}/conversations/{segment(id)}"
        return Pager(self._transport, path, "messages", self._messages._summary, query, agent)


def submit(
    transport: Transport, path: str, content: Mapping[str, Any], wait: bool, idempotency_key: Optional[str]
) -> Sent:
    """Submits a message, once. Without ``wait`` returns as soon as it is queued."""
    headers = {} if wait else {"prefer": "respond-async"}
    call = Call("POST", path, body=present(content), headers=headers, idempotency_key=idempotency_key)
    return Sent.from_wire(transport.json(call))


def _path(agent: str, id: str) -> str:
    return f"{agent_path(agent)}/messages/{segment(id)}"
