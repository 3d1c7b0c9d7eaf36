# Written by scripts/make_sync.py from _async/message.py: change that.
from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, List, Mapping, Optional, Sequence, Type, TypeVar

from .._wire import Addresses, Attachable
from ..errors import ConfigurationError
from ..models import AttachedMessage, AttachmentData, MessageData, MessageSummaryData, Sent

if TYPE_CHECKING:
    from .messages import Messages

B = TypeVar("B", bound="Bound")


@dataclass(frozen=True)
class Bound(MessageSummaryData):
    """The actions on a message, through the client that it came from."""

    _messages: Any = field(default=None, repr=False, compare=False)
    #: The agent whose inbox it is in; None: the client's agent.
    _agent: Optional[str] = field(default=None, repr=False, compare=False)

    def reply(
        self,
        body: str,
        *,
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
        """Replies in its conversation: to Reply-To, or else to From. See :meth:`E2AClient.send` for the rest."""
        return self._client.reply(
            self.message_id,
            body,
            agent=self._agent,
            html_body=html_body,
            reply_all=reply_all,
            quote_history=quote_history,
            cc=cc,
            bcc=bcc,
            attachments=attachments,
            headers=headers,
            conversation_id=conversation_id,
            wait=wait,
            idempotency_key=idempotency_key,
        )

    def reply_all(
        self,
        body: str,
        *,
        html_body: Optional[str] = None,
        quote_history: bool = False,
        cc: Optional[Addresses] = None,
        bcc: Optional[Addresses] = None,
        attachments: Optional[Sequence[Attachable]] = None,
        headers: Optional[Mapping[str, str]] = None,
        conversation_id: Optional[str] = None,
        wait: bool = True,
        idempotency_key: Optional[str] = None,
    ) -> Sent:
        """Like :meth:`reply`, and also to all other recipients of the message."""
        return self.reply(
            body,
            html_body=html_body,
            reply_all=True,
            quote_history=quote_history,
            cc=cc,
            bcc=bcc,
            attachments=attachments,
            headers=headers,
            conversation_id=conversation_id,
            wait=wait,
            idempotency_key=idempotency_key,
        )

    def forward(
        self,
        to: Addresses,
        body: Optional[str] = None,
        *,
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
        """Forwards it with its text and its attachments.

        ``include`` chooses the files: ``message`` (the whole message as one file), ``attachments`` or ``none``; the text
        then goes along only with ``quote_history``.
        """
        return self._client.forward(
            self.message_id,
            to,
            body,
            agent=self._agent,
            include=include,
            quote_history=quote_history,
            html_body=html_body,
            cc=cc,
            bcc=bcc,
            attachments=attachments,
            headers=headers,
            conversation_id=conversation_id,
            wait=wait,
            idempotency_key=idempotency_key,
        )

    def mark_read(self) -> None:
        """Marks it read, so that ``listen`` does not yield it again."""
        self._client.update(self.message_id, agent=self._agent, status="read")

    def mark_unread(self) -> None:
        self._client.update(self.message_id, agent=self._agent, status="unread")

    def add_labels(self, *labels: str) -> None:
        self._client.update(self.message_id, agent=self._agent, add_labels=labels)

    def remove_labels(self, *labels: str) -> None:
        self._client.update(self.message_id, agent=self._agent, remove_labels=labels)

    def delete(self) -> None:
        self._client.delete(self.message_id, agent=self._agent)

    @property
    def _client(self) -> Messages:
        if self._messages is None:
            raise ConfigurationError(
                "This message came without a client.", fix="Use client.parse_webhook(…) to act on what it returns."
            )
        messages: Messages = self._messages
        return messages


@dataclass(frozen=True)
class MessageSummary(Bound):
    """A message as in lists. ``get()`` fetches the whole."""

    def get(self, *, peek: bool = False) -> Message:
        """Fetches the whole message and marks it read, unless ``peek``."""
        return self._client.get(self.message_id, agent=self._agent, peek=peek)


@dataclass(frozen=True)
class Attachment(AttachmentData):
    """An attachment of a message. Name and type are the sender's claims."""

    _message: Any = field(default=None, repr=False, compare=False)

    def read(self) -> bytes:
        """Downloads its decoded bytes from the server."""
        if self._message is None:
            raise ConfigurationError("This attachment came without its message.")
        message: Bound = self._message
        return message._client.attachment(message.message_id, self.index, agent=message._agent)

    def read_message(self) -> AttachedMessage:
        """Reads it as a message, with its own text and files."""
        if self._message is None:
            raise ConfigurationError("This attachment came without its message.")
        message: Bound = self._message
        return message._client.attached_message(message.message_id, self.index, agent=message._agent)


@dataclass(frozen=True)
class Message(Bound, MessageData):
    """A whole message, with the actions on it."""

    attachments: List[Attachment] = field(default_factory=list)


def bound(kind: Type[B], value: Any, messages: Optional[Messages], agent: Optional[str]) -> B:
    """Makes a message of this kind from its JSON, with the context that its actions need."""
    message = kind.from_wire(value)
    # The class is frozen for other code.
    object.__setattr__(message, "_messages", messages)
    object.__setattr__(message, "_agent", agent)
    if isinstance(message, Message):
        # Bypasses the attribute access of a partly proven message, which would raise.
        for attachment in vars(message)["attachments"]:
            object.__setattr__(attachment, "_message", message)
    return message
