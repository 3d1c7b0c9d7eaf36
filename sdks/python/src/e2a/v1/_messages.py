"""Received messages as dataclasses. Generated from docs/openapi.json and src/wire by scripts/api-types.ts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Dict, List, Optional

from ._behaviour import Automation, RawMail
from ._decode import NO_TIME, Model


@dataclass(frozen=True)
class AttachmentData(Model):
    """What is known of an attachment without its bytes. Name and type are the sender's claims."""

    index: int = 0
    filename: str = ""
    content_type: str = ""
    #: Decoded, in bytes.
    size: int = 0
    content_id: Optional[str] = None


@dataclass(frozen=True)
class SpfResult(Model):
    """What SPF found (RFC 7208)."""

    result: str = ""
    domain: str = ""


@dataclass(frozen=True)
class DkimResult(Model):
    """What became of one DKIM signature (RFC 6376)."""

    result: str = ""
    domain: str = ""
    selector: str = ""
    algorithm: str = ""
    aligned: bool = False


@dataclass(frozen=True)
class DmarcResult(Model):
    """What DMARC found (RFC 7489)."""

    result: str = ""
    #: ``none``, ``quarantine`` or ``reject``.
    policy: Optional[str] = None
    aligned_by: List[str] = field(default_factory=list)


@dataclass(frozen=True)
class ArcResult(Model):
    """What ARC found (RFC 8617)."""

    result: str = ""


@dataclass(frozen=True)
class Authentication(Model):
    """What passed and what failed. ``verified`` of the message is the verdict."""

    spf: SpfResult = field(default_factory=SpfResult)
    dkim: List[DkimResult] = field(default_factory=list)
    dmarc: DmarcResult = field(default_factory=DmarcResult)
    arc: ArcResult = field(default_factory=ArcResult)
    #: If the proof rests on DKIM alone: fields of the message that no proving signature covers, such as ``Reply-To``.
    #: Any server that relayed the message could have written them. Empty if SPF also aligns, and if nothing is
    #: proven.
    unsigned: List[str] = field(default_factory=list)


@dataclass(frozen=True)
class Calendar(Model):
    """The event that a message invites to, changes, answers or cancels (RFC 5545)."""

    #: What the sender wants: ``REQUEST`` invites or changes, ``CANCEL`` cancels, ``REPLY`` answers (RFC 5546); null
    #: if it does not say.
    method: Optional[str] = None
    #: The same in every message about this event.
    uid: str = ""
    #: RFC 3339 with the offset of its time zone, ``2026-06-15T10:00:00+02:00``; only a day for an event that takes
    #: all day, ``2026-06-15``; without an offset if its time zone is unknown. Null if it cannot be read.
    start: Optional[str] = None
    #: Like ``start``. Exclusive: an event of one whole day ends on the next day.
    end: Optional[str] = None
    summary: str = ""
    location: str = ""
    #: A bare address. Nothing proves it: see ``from`` and ``verified``.
    organizer: Optional[str] = None
    organizer_name: str = ""
    #: How many are invited.
    attendees: int = 0
    #: Whether it is a series; ``start`` and ``end`` are those of its first event.
    recurring: bool = False


@dataclass(frozen=True)
class Defect(Model):
    """Something that was repaired, guessed or left out when a message was read."""

    #: Stable, such as ``charset_wrong``; docs/delivery.md lists them.
    code: str = ""
    #: One sentence for people.
    detail: str = ""


@dataclass(frozen=True)
class HeaderField(Model):
    """A header field, decoded."""

    name: str = ""
    value: str = ""


@dataclass(frozen=True)
class AttachedMessage(Model):
    """A message that is attached to another. Nothing in it is proven."""

    #: The bare address of the From field; empty when it has none. Nothing proves it.
    from_: str = ""
    from_name: str = ""
    to: List[str] = field(default_factory=list)
    cc: List[str] = field(default_factory=list)
    reply_to: List[str] = field(default_factory=list)
    subject: str = ""
    #: What its Date field says; null if that cannot be read.
    date: Optional[datetime] = None
    email_message_id: Optional[str] = None
    text: str = ""
    html: Optional[str] = None
    #: The new part of the text, without quotes. What is forwarded stays.
    reply_text: str = ""
    attachments: List[AttachmentData] = field(default_factory=list)
    calendar: Optional[Calendar] = None
    headers: List[HeaderField] = field(default_factory=list, repr=False)
    defects: List[Defect] = field(default_factory=list)


@dataclass(frozen=True)
class MessageSummaryData(Model, Automation):
    """A message as lists show it. Lists over several agents and deliveries also name the agent."""

    message_id: str = ""
    #: The bare address of the From field; empty when it has none.
    from_: str = ""
    from_name: str = ""
    to: List[str] = field(default_factory=list)
    cc: List[str] = field(default_factory=list)
    reply_to: List[str] = field(default_factory=list)
    #: The address that the envelope named; of an outbound message, the first.
    recipient: str = ""
    subject: str = ""
    conversation_id: str = ""
    status: str = ""
    #: When it was received or submitted.
    created_at: datetime = NO_TIME
    #: ``inbound`` or ``outbound``.
    direction: str = "inbound"
    #: Whether the From domain itself is proven.
    verified: bool = False
    verified_domain: Optional[str] = None
    snippet: str = ""
    has_attachments: bool = False
    labels: List[str] = field(default_factory=list)
    #: Set if no person wrote it, such as ``auto-replied`` (RFC 3834); do not answer such mail automatically.
    auto_submitted: Optional[str] = None
    #: The mailing list that it came through (RFC 2919); null for outbound messages.
    list_id: Optional[str] = None
    #: Such as ``bulk``, ``list`` or ``junk``: do not answer such mail automatically. Null for outbound messages.
    precedence: Optional[str] = None
    #: The Message-ID, with its angle brackets, that it says it answers: the first in its In-Reply-To field (RFC
    #: 5322). Null for outbound messages.
    in_reply_to: Optional[str] = None
    #: The mailbox that received it.
    agent_id: Optional[str] = None
    authentication: Optional[Authentication] = None


@dataclass(frozen=True)
class MessageData(MessageSummaryData, RawMail):
    """A whole message. In a delivery, ``event_id`` is the event that told of it."""

    #: X-E2A-Auth-*, signed for this answer with the newest signing secret.
    auth_headers: Dict[str, str] = field(default_factory=dict, repr=False)
    #: The stored message: the body hash is over its bytes.
    raw_message: str = field(default="", repr=False)
    envelope_from: str = ""
    email_message_id: Optional[str] = None
    text: str = ""
    html: Optional[str] = None
    #: The new part of the text, without quotes. What is forwarded stays.
    reply_text: str = ""
    calendar: Optional[Calendar] = None
    authentication: Authentication = field(default_factory=Authentication)
    headers: List[HeaderField] = field(default_factory=list, repr=False)
    defects: List[Defect] = field(default_factory=list)
    #: The same in the event log.
    event_id: Optional[str] = None
