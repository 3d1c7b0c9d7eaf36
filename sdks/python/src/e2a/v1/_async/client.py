from __future__ import annotations

from datetime import datetime
from typing import Any, AsyncGenerator, Mapping, Optional, Sequence, Union

import httpx

from .._exchange import Call, Query
from .._settings import DEFAULT_MAX_RETRIES, DEFAULT_TIMEOUT, Secrets, load_settings
from .._verify import Body, Headers
from .._wire import Addresses, Attachable, files
from ..models import Info, Sent
from .account import AsyncAccount, AsyncKeys, AsyncSigningSecrets, AsyncSessions, AsyncSuppressions
from .agents import AsyncAgents, AsyncDomains
from .delivery import AsyncDeliveries, AsyncWebhooks
from .events import AsyncEvents
from .listening import listen
from .message import AsyncMessage
from .messages import AsyncConversations, AsyncInbox, AsyncMessages, submit
from .outbox import AsyncApprovals, AsyncAudit, AsyncOutbox
from .transport import AsyncTransport
from .webhook import AsyncWebhookEvent, parse_webhook


class AsyncE2AClient:
    """An e2a server, asked with one API key.

    What is not given comes from the environment: ``E2A_URL``, ``E2A_API_KEY``, ``E2A_AGENT_EMAIL`` (the agent that
    calls are about when they name none) and ``E2A_WEBHOOK_SECRET`` (several are separated by commas). Without any
    agent the only one that the key may use is meant.

    Every call raises an :class:`~e2a.v1.E2AError`. Calls are tried again after broken connections, 429, 502, 503
    and 504 (``max_retries`` times, with growing pauses); each POST carries an ``Idempotency-Key``, so that nothing
    happens twice. Use it as a context manager, or call ``aclose()`` at the end.
    """

    def __init__(
        self,
        api_key: Optional[str] = None,
        *,
        base_url: Optional[str] = None,
        agent_email: Optional[str] = None,
        webhook_secret: Optional[Secrets] = None,
        timeout: float = DEFAULT_TIMEOUT,
        max_retries: int = DEFAULT_MAX_RETRIES,
        http_client: Optional[httpx.AsyncClient] = None,
    ) -> None:
        """
        :param timeout: seconds that an answer may take, beside what a call asks the server to wait
        :param http_client: for proxies, certificates and the like; it stays open when this client is closed
        """
        self._settings = load_settings(
            base_url=base_url,
            api_key=api_key,
            agent_email=agent_email,
            webhook_secret=webhook_secret,
            timeout=timeout,
            max_retries=max_retries,
        )
        self._transport = AsyncTransport(self._settings, http_client)
        self.agents = AsyncAgents(self._transport)
        self.domains = AsyncDomains(self._transport)
        self.messages = AsyncMessages(self._transport)
        self.inbox = AsyncInbox(self._transport, self.messages)
        self.conversations = AsyncConversations(self._transport, self.messages)
        self.outbox = AsyncOutbox(self._transport)
        self.approvals = AsyncApprovals(self._transport)
        self.audit = AsyncAudit(self._transport)
        self.webhooks = AsyncWebhooks(self._transport)
        self.deliveries = AsyncDeliveries(self._transport)
        self.events = AsyncEvents(self._transport)
        self.suppressions = AsyncSuppressions(self._transport)
        self.keys = AsyncKeys(self._transport)
        self.secrets = AsyncSigningSecrets(self._transport)
        self.sessions = AsyncSessions(self._transport)
        self.account = AsyncAccount(self._transport)

    async def __aenter__(self) -> AsyncE2AClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes its connections."""
        await self._transport.aclose()

    async def send(
        self,
        to: Addresses,
        subject: str,
        body: str,
        *,
        from_: Optional[str] = None,
        html_body: Optional[str] = None,
        cc: Optional[Addresses] = None,
        bcc: Optional[Addresses] = None,
        reply_to: Optional[Addresses] = None,
        attachments: Optional[Sequence[Attachable]] = None,
        headers: Optional[Mapping[str, str]] = None,
        conversation_id: Optional[str] = None,
        reply_to_message_id: Optional[str] = None,
        references: Optional[Sequence[str]] = None,
        wait: bool = True,
        idempotency_key: Optional[str] = None,
    ) -> Sent:
        """Sends a message, once, also when an answer is lost on the way.

        :param from_: the agent's address; not needed when the client or the account has one agent
        :param attachments: :class:`~e2a.v1.File` objects or paths
        :param wait: until it has left, 10 seconds at most; else it is only queued (and safe) when this returns
        :param idempotency_key: names the message across restarts of your program: the server takes it once a day
        :returns: its ``status`` is ``sent``, ``queued``, or ``pending_approval`` when a person must look at it first
        """
        content = {
            "from": from_ or self._settings.agent,
            "to": to,
            "subject": subject,
            "body": body,
            "html_body": html_body,
            "cc": cc,
            "bcc": bcc,
            "reply_to": reply_to,
            "attachments": files(attachments),
            "headers": headers,
            "conversation_id": conversation_id,
            "reply_to_message_id": reply_to_message_id,
            "references": references,
        }
        return await submit(self._transport, "/send", content, wait, idempotency_key)

    def listen(self, agent: Optional[str] = None) -> AsyncGenerator[AsyncMessage, None]:
        """Mail as it arrives, without end: what is unread first, the oldest first, then what is new.

        A message counts as taken when the loop asks for the next one; only then it becomes read. After ``break``, or
        when the program dies, the one in hand comes again (``await message.mark_read()`` takes it by hand). It goes
        on through restarts of the server. It raises where trying again cannot help: AuthenticationError,
        NotFoundError, ListenerReplacedError.
        """
        return listen(self._transport, self.messages, agent)

    def parse_webhook(
        self,
        body: Body,
        headers: Headers = None,
        secrets: Optional[Secrets] = None,
        *,
        allow_unsigned_fields: bool = False,
        now: Optional[Union[float, datetime]] = None,
    ) -> AsyncWebhookEvent:
        """As :func:`e2a.v1.parse_webhook`; what it returns can be answered. ``secrets``: by default the client's."""
        return parse_webhook(
            body,
            headers,
            self._settings.secrets if secrets is None else secrets,
            allow_unsigned_fields=allow_unsigned_fields,
            now=now,
            messages=self.messages,
        )

    async def info(self) -> Info:
        """What the server offers; needs no key."""
        return Info.from_wire(await self._transport.json(Call("GET", "/info", public=True)))

    async def health(self) -> Mapping[str, Any]:
        """``{"status": "ok"}`` when the server answers; needs no key."""
        return dict(await self._transport.json(Call("GET", "/api/health", public=True)))

    async def ready(self) -> Mapping[str, Any]:
        """``{"status": "ready"}`` when it can do its work. ServerError (503) says what is wrong; needs no key."""
        return dict(await self._transport.json(Call("GET", "/api/ready", public=True, max_retries=0)))

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Optional[Query] = None,
        body: Optional[Mapping[str, Any]] = None,
        idempotency_key: Optional[str] = None,
    ) -> Any:
        """Any call of the API, such as ``("GET", "/agents")``, for what this version of the package does not know."""
        call = Call(method.upper(), path, query=query or {}, body=body, idempotency_key=idempotency_key)
        return await self._transport.json(call)
