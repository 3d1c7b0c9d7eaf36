"""The API's answers as dataclasses. :class:`~e2a.v1._decode.Model` says how they handle unknown members.

Times are aware datetimes in UTC. ``from`` is a keyword in Python, so the field is ``from_``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Dict, List, Optional

from ._decode import NO_TIME, Model
from ._messages import ArcResult as ArcResult
from ._messages import AttachedMessage as AttachedMessage
from ._messages import AttachmentData as AttachmentData
from ._messages import Authentication as Authentication
from ._messages import Calendar as Calendar
from ._messages import Defect as Defect
from ._messages import DkimResult as DkimResult
from ._messages import DmarcResult as DmarcResult
from ._messages import HeaderField as HeaderField
from ._messages import MessageData as MessageData
from ._messages import MessageSummaryData as MessageSummaryData
from ._messages import SpfResult as SpfResult


@dataclass(frozen=True)
class Info(Model):
    """Facts about the server."""

    shared_domain: str = ""
    slug_registration_enabled: bool = False
    #: The server captures outside mail instead of sending it: a development server.
    captures_mail: bool = False
    public_url: Optional[str] = None
    version: str = ""


@dataclass(frozen=True)
class User(Model):
    """The account that owns a key."""

    id: str = ""
    email: str = ""
    name: str = ""
    created_at: datetime = NO_TIME
    #: The account's outbound mail waits.
    paused: bool = False


@dataclass(frozen=True)
class Caller(User):
    """The account, and what the calling key may do in it."""

    #: ``account`` or ``agent``.
    scope: str = ""
    #: The only agent that the key may use; None: all agents of the account.
    agent: Optional[str] = None


@dataclass(frozen=True)
class BrowserSession(Model):
    """A signed-in browser."""

    id: str = ""
    current: bool = False
    created_at: datetime = NO_TIME
    expires_at: datetime = NO_TIME
    last_used_at: Optional[datetime] = None
    user_agent: Optional[str] = None
    ip: Optional[str] = None


@dataclass(frozen=True)
class ApiKey(Model):
    """An API key, without the key itself."""

    id: str = ""
    name: str = ""
    #: ``account`` or ``agent``.
    scope: str = ""
    agent: Optional[str] = None
    key_prefix: str = ""
    created_at: datetime = NO_TIME
    expires_at: Optional[datetime] = None
    last_used_at: Optional[datetime] = None


@dataclass(frozen=True)
class NewApiKey(ApiKey):
    """A new key. Only this answer contains the key itself."""

    key: str = field(default="", repr=False)


@dataclass(frozen=True)
class SigningSecret(Model):
    """A signing secret, without the secret itself."""

    id: str = ""
    name: str = ""
    secret_prefix: str = ""
    created_at: datetime = NO_TIME
    last_signed_at: Optional[datetime] = None


@dataclass(frozen=True)
class NewSigningSecret(SigningSecret):
    """A new signing secret. Only this answer contains the secret itself."""

    secret: str = field(default="", repr=False)


@dataclass(frozen=True)
class Agent(Model):
    """An agent; its ``id`` is its address."""

    id: str = ""
    domain: str = ""
    email: str = ""
    name: str = ""
    webhook_url: str = ""
    #: ``enabled`` or ``disabled``.
    webhook_status: str = ""
    webhook_failing_since: Optional[datetime] = None
    webhook_disabled_reason: Optional[str] = None
    #: ``cloud`` (webhook) or ``local`` (WebSocket or polling).
    agent_mode: str = ""
    domain_verified: bool = False
    created_at: datetime = NO_TIME
    #: A person approves outbound mail.
    hitl_enabled: bool = False
    hitl_ttl_seconds: int = 0
    #: What happens if nobody decides in time: ``approve`` or ``reject``.
    hitl_expiration_action: str = ""
    hitl_notify_email: bool = False
    hitl_rules: Dict[str, Any] = field(default_factory=dict)
    hitl_allow: List[str] = field(default_factory=list)
    hitl_reviewers: List[str] = field(default_factory=list)
    undo_seconds: int = 0
    paused: bool = False


@dataclass(frozen=True)
class Deleted(Model):
    """Confirms that an agent was deleted."""

    status: str = ""


@dataclass(frozen=True)
class TestMail(Model):
    """A test message from the server to an agent."""

    status: str = ""
    message_id: str = ""


@dataclass(frozen=True)
class DnsRecord(Model):
    """A record to publish."""

    #: ``@`` for the domain itself, otherwise as ``name``.
    host: str = ""
    value: str = ""
    priority: Optional[int] = None
    #: The whole name of the record.
    name: str = ""


@dataclass(frozen=True)
class DnsRecords(Model):
    """The DNS records of a domain, by purpose."""

    mx: DnsRecord = field(default_factory=DnsRecord)
    txt: Optional[DnsRecord] = None
    spf: Optional[DnsRecord] = None
    dmarc: Optional[DnsRecord] = None
    dkim: Optional[DnsRecord] = None
    dkim_ed25519: Optional[DnsRecord] = None


@dataclass(frozen=True)
class DnsCheck(Model):
    """The state of a record in DNS."""

    record: str = ""
    #: ``ok``, ``missing`` or ``mismatch``.
    status: str = ""
    found: List[str] = field(default_factory=list)
    error: Optional[str] = None
    #: What to do about it.
    advice: Optional[str] = None
    #: The value to publish in place of all that was found.
    merged: Optional[str] = None
    #: A domain to use for agents, if this one receives its mail elsewhere.
    suggested_domain: Optional[str] = None
    #: DNS look-ups of the SPF record; 11 stands for more than 10.
    lookups: Optional[int] = None


@dataclass(frozen=True)
class Domain(Model):
    """One of your domains."""

    domain: str = ""
    verified: bool = False
    verification_token: str = ""
    dns_records: DnsRecords = field(default_factory=DnsRecords)
    created_at: datetime = NO_TIME
    verified_at: Optional[datetime] = None
    degraded_at: Optional[datetime] = None
    paused: bool = False
    checks: List[DnsCheck] = field(default_factory=list)


@dataclass(frozen=True)
class Recipient(Model):
    """The status of a message for one recipient."""

    address: str = ""
    status: str = ""
    #: ``relay``, ``smtp`` or ``capture``.
    method: Optional[str] = None
    smtp_reply: Optional[str] = None
    error: Optional[str] = None
    attempts: int = 0
    at: datetime = NO_TIME
    next_attempt_at: Optional[datetime] = None


@dataclass(frozen=True)
class HoldReason(Model):
    """Why a message waits for approval."""

    rule: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Sent(Model):
    """The outcome of a submitted message."""

    message_id: str = ""
    #: ``sent``, ``queued`` or ``pending_approval``, or the decision of a person meanwhile.
    status: str = ""
    method: Optional[str] = None
    email_message_id: str = ""
    conversation_id: str = ""
    approval_expires_at: Optional[datetime] = None
    hold: Optional[HoldReason] = None
    recipients: List[Recipient] = field(default_factory=list)
    #: For a reply that left out unproven addresses: which ones, and how to write to them anyway.
    fix: Optional[str] = None

    @property
    def is_held(self) -> bool:
        """Whether it waits for approval."""
        return self.status == "pending_approval"


@dataclass(frozen=True)
class ForecastRecipient(Model):
    address: str = ""
    method: str = ""
    #: The agent has never written to it before.
    first_time: bool = False


@dataclass(frozen=True)
class Forecast(Model):
    """What would happen to a message."""

    #: ``send`` or ``hold``.
    decision: str = ""
    hold: Optional[HoldReason] = None
    recipients: List[ForecastRecipient] = field(default_factory=list)


@dataclass(frozen=True)
class Link(Model):
    """A link in a held message, with the host to which it leads."""

    text: str = ""
    host: str = ""
    url: str = ""


@dataclass(frozen=True)
class UnsearchedPart(Model):
    """A part of a held message that the gate could not search, and why."""

    name: str = ""
    why: str = ""


@dataclass(frozen=True)
class Original(Model):
    """What the agent wrote, before a reviewer changed it."""

    subject: str = ""
    to: List[str] = field(default_factory=list)
    cc: List[str] = field(default_factory=list)
    bcc: List[str] = field(default_factory=list)
    body_text: str = ""
    body_html: Optional[str] = None
    attachments: List[AttachmentData] = field(default_factory=list)


@dataclass(frozen=True)
class OutboundAttachment(AttachmentData):
    """An attachment of a sent message. ``approvals.approve`` takes it back as it is, while it has its bytes."""

    #: The bytes as base64, while the message waits for approval.
    data: Optional[str] = field(default=None, repr=False)


@dataclass(frozen=True)
class Outbound(Model):
    """A message that an agent sent, or wants to send."""

    id: str = ""
    agent_id: str = ""
    direction: str = "outbound"
    subject: str = ""
    #: ``send``, ``reply``, ``forward``, ``test`` or ``notice``.
    type: str = ""
    conversation_id: str = ""
    from_: str = ""
    to: List[str] = field(default_factory=list)
    cc: List[str] = field(default_factory=list)
    bcc: List[str] = field(default_factory=list)
    reply_to: List[str] = field(default_factory=list)
    status: str = ""
    approval_expires_at: Optional[datetime] = None
    created_at: datetime = NO_TIME
    email_message_id: str = ""
    body_text: Optional[str] = None
    body_html: Optional[str] = None
    attachments: List[OutboundAttachment] = field(default_factory=list)
    provider_message_id: Optional[str] = None
    method: Optional[str] = None
    hold: Optional[HoldReason] = None
    #: Identifies the content that a reviewer sees. A decision that names it fails if the content has changed.
    content_hash: Optional[str] = None
    first_time: List[str] = field(default_factory=list)
    links: List[Link] = field(default_factory=list)
    #: The other header fields that leave: recipients' names, ids of the thread, the agent's own fields.
    headers: List[HeaderField] = field(default_factory=list)
    #: While it waits for approval: parts that the server cannot search as text.
    unsearched: List[UnsearchedPart] = field(default_factory=list)
    #: While it waits for approval: how its HTML differs from its text, and what it hides. Sentences.
    review_notes: List[str] = field(default_factory=list)
    edited: bool = False
    #: The parts that differ from what the agent wrote.
    edited_parts: List[str] = field(default_factory=list)
    original: Optional[Original] = None
    reviewed_at: Optional[datetime] = None
    reviewed_by: Optional[str] = None
    rejection_reason: Optional[str] = None
    recipients: List[Recipient] = field(default_factory=list)
    attempts: int = 0


@dataclass(frozen=True)
class Approved(Sent):
    """A held message that was approved."""

    edited: bool = False
    #: The parts that differ from what the agent wrote.
    edited_parts: List[str] = field(default_factory=list)
    provider_message_id: Optional[str] = None
    content_hash: str = ""


@dataclass(frozen=True)
class Rejected(Model):
    """A held message that was rejected."""

    message_id: str = ""
    status: str = ""
    rejection_reason: str = ""


@dataclass(frozen=True)
class AuditDetail(Model):
    reason: Optional[str] = None
    before: Optional[Original] = None
    #: The parts that an edit changed.
    changed: List[str] = field(default_factory=list)


@dataclass(frozen=True)
class AuditEntry(Model):
    """A decision about a held message."""

    id: str = ""
    at: datetime = NO_TIME
    action: str = ""
    by: str = ""
    how: str = ""
    ip: Optional[str] = None
    message_id: str = ""
    agent_id: str = ""
    content_hash: str = ""
    detail: Optional[AuditDetail] = None


@dataclass(frozen=True)
class LastMessage(Model):
    message_id: str = ""
    direction: str = ""
    from_: str = ""
    verified: bool = False
    snippet: str = ""


@dataclass(frozen=True)
class Conversation(Model):
    """A conversation: messages that reply to one another."""

    conversation_id: str = ""
    subject: str = ""
    participants: List[str] = field(default_factory=list)
    message_count: int = 0
    unread_count: int = 0
    last_message_at: datetime = NO_TIME
    last_message: LastMessage = field(default_factory=LastMessage)


@dataclass(frozen=True)
class Suppression(Model):
    """An address to which nothing is sent."""

    address: str = ""
    #: ``bounce``, ``complaint`` or ``manual``.
    reason: str = ""
    detail: str = ""
    message_id: Optional[str] = None
    created_at: datetime = NO_TIME


@dataclass(frozen=True)
class Webhook(Model):
    """A webhook of the account."""

    id: str = ""
    url: str = ""
    #: Types of events; empty: all.
    events: List[str] = field(default_factory=list)
    #: Addresses; empty: all agents of the account.
    agents: List[str] = field(default_factory=list)
    description: str = ""
    #: ``enabled`` or ``disabled``.
    status: str = ""
    failing_since: Optional[datetime] = None
    disabled_at: Optional[datetime] = None
    disabled_reason: Optional[str] = None
    created_at: datetime = NO_TIME
    updated_at: datetime = NO_TIME


@dataclass(frozen=True)
class DeliveryTry(Model):
    """One attempt: a status if the endpoint answered, an error if it did not."""

    attempt: int = 0
    started_at: datetime = NO_TIME
    duration_ms: int = 0
    status: Optional[int] = None
    error: Optional[str] = None
    #: The beginning of the answer.
    answer: Optional[str] = None


@dataclass(frozen=True)
class Delivery(Model):
    """The delivery of an event to an endpoint. ``tries`` is present if a single delivery was requested."""

    id: str = ""
    event_id: str = ""
    event_type: str = ""
    message_id: Optional[str] = None
    agent_id: Optional[str] = None
    webhook_id: Optional[str] = None
    endpoint_id: str = ""
    url: Optional[str] = None
    #: ``pending``, ``paused``, ``succeeded`` or ``failed``.
    status: str = ""
    attempts: int = 0
    next_attempt_at: Optional[datetime] = None
    last_status: Optional[int] = None
    last_error: Optional[str] = None
    created_at: datetime = NO_TIME
    finished_at: Optional[datetime] = None
    tries: List[DeliveryTry] = field(default_factory=list)


@dataclass(frozen=True)
class Event(Model):
    """An event. ``data`` depends on ``type``; ``client.events.schema(type)`` describes it."""

    id: str = ""
    type: str = ""
    timestamp: datetime = NO_TIME
    agent_id: Optional[str] = None
    data: Dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class AgentFigures(Model):
    total: int = 0
    paused: int = 0


@dataclass(frozen=True)
class FailingEndpoint(Model):
    endpoint_id: str = ""
    url: str = ""
    failing_since: datetime = NO_TIME
    #: Deliveries that wait for the endpoint.
    waiting: int = 0


@dataclass(frozen=True)
class DeliveryFigures(Model):
    pending: int = 0
    failing_endpoints: List[FailingEndpoint] = field(default_factory=list)


@dataclass(frozen=True)
class DomainFigures(Model):
    total: int = 0
    verified: int = 0


@dataclass(frozen=True)
class DayVolume(Model):
    #: ``2026-05-15``, a day in UTC.
    day: str = ""
    received: int = 0
    sent: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Overview(Model):
    """Key figures of the account."""

    agents: AgentFigures = field(default_factory=AgentFigures)
    unread: int = 0
    pending_approval: int = 0
    deliveries: DeliveryFigures = field(default_factory=DeliveryFigures)
    domains: DomainFigures = field(default_factory=DomainFigures)
    #: The last 30 days, oldest first.
    volume: List[DayVolume] = field(default_factory=list)
