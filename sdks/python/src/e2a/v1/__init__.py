"""The client for version 1 of the API: :class:`E2AClient`, and :class:`AsyncE2AClient` for asyncio.

    from e2a.v1 import E2AClient

    client = E2AClient()  # E2A_URL, E2A_API_KEY
    for message in client.listen():
        message.reply(f"You wrote: {message.reply_text}")
"""

from ._async.client import AsyncE2AClient
from ._async.message import AsyncAttachment, AsyncMessage, AsyncMessageSummary
from ._async.paging import AsyncPage, AsyncPager
from ._async.webhook import AsyncWebhookEvent
from ._sync.client import E2AClient
from ._sync.message import Attachment, Message, MessageSummary
from ._sync.paging import Page, Pager
from ._sync.webhook import WebhookEvent
from ._wire import File
from .errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    ConflictError,
    E2AConnectionError,
    E2AError,
    E2ATimeoutError,
    FieldError,
    ForbiddenError,
    InvalidRequestError,
    ListenerReplacedError,
    NotFoundError,
    RateLimitError,
    ServerError,
    UnprocessableError,
    UnverifiedEmailError,
)
from .models import (
    Agent,
    ApiKey,
    Approved,
    AttachedMessage,
    AuditEntry,
    Authentication,
    BrowserSession,
    Calendar,
    Caller,
    Conversation,
    Delivery,
    Domain,
    Event,
    Forecast,
    Info,
    NewApiKey,
    NewSigningSecret,
    Outbound,
    Overview,
    Recipient,
    Rejected,
    Sent,
    SigningSecret,
    Suppression,
    Webhook,
)
from .webhook import parse_webhook

__all__ = [
    "APIError",
    "Agent",
    "ApiKey",
    "Approved",
    "AsyncAttachment",
    "AsyncE2AClient",
    "AsyncMessage",
    "AsyncMessageSummary",
    "AsyncPage",
    "AsyncPager",
    "AsyncWebhookEvent",
    "AttachedMessage",
    "Attachment",
    "AuditEntry",
    "Authentication",
    "AuthenticationError",
    "BrowserSession",
    "Calendar",
    "Caller",
    "ConfigurationError",
    "ConflictError",
    "Conversation",
    "Delivery",
    "Domain",
    "E2AClient",
    "E2AConnectionError",
    "E2AError",
    "E2ATimeoutError",
    "Event",
    "FieldError",
    "File",
    "ForbiddenError",
    "Forecast",
    "Info",
    "InvalidRequestError",
    "ListenerReplacedError",
    "Message",
    "MessageSummary",
    "NewApiKey",
    "NewSigningSecret",
    "NotFoundError",
    "Outbound",
    "Overview",
    "Page",
    "Pager",
    "RateLimitError",
    "Recipient",
    "Rejected",
    "Sent",
    "ServerError",
    "SigningSecret",
    "Suppression",
    "UnprocessableError",
    "UnverifiedEmailError",
    "Webhook",
    "WebhookEvent",
    "parse_webhook",
]
