# Written by scripts/make_sync.py from _async/client.py: change that.
from __future__ import annotations

from datetime import datetime
from typing import Any, Generator, Mapping, Optional, Sequence, Union

import httpx

from .._exchange import Call, Query
from .._settings import DEFAULT_MAX_RETRIES, DEFAULT_TIMEOUT, Secrets, load_settings
from .._verify import Body, Headers
from .._wire import Addresses, Attachable, files
from ..models import Info, Sent
from .account import Account, Keys, SigningSecrets, Sessions, Suppressions
from .agents import Agents, Domains
from .delivery import Deliveries, Webhooks
from .events import Events
from .listening import listen
from .message import Message
from .messages import Conversations, Inbox, Messages, submit
from .outbox import Approvals, Audit, Outbox
from .transport import Transport
from .webhook import WebhookEvent, parse_webhook


class E2AClient:
    """A client of an e2a server, with one API key.

    Arguments that are not given come from the environment: ``E2A_URL``, ``E2A_API_KEY``, ``E2A_AGENT_EMAIL`` (the
    agent for calls that name none) and ``E2A_WEBHOOK_SECRET`` (separated by commas). If no agent is set, calls use the
    only agent that the key may use.

    Calls raise :class:`~e2a.v1.E2AError`. They are retried after broken connections, 429, 502, 503 and 504
    (``max_retries`` times, with growing pauses). Each POST has an ``Idempotency-Key``, so that a retry has no second
    effect. Use the client as a context manager, or call ``close()`` at the end.
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
        http_client: Optional[httpx.Client] = None,
    ) -> None:
        """
        :param timeout: seconds that an answer may take, in addition to the time a call asks the server to wait
        :param http_client: for proxies, certificates and so on; closing this client does not close it
        """
        self._settings = load_settings(
            base_url=base_url,
            api_key=api_key,
            agent_email=agent_email,
            webhook_secret=webhook_secret,
            timeout=timeout,
            max_retries=max_retries,
        )
        self._transport = Transport(self._settings, http_client)
        self.agents = Agents(self._transport)
        self.domains = Domains(self._transport)
        self.messages = Messages(self._transport)
        self.inbox = Inbox(self._transport, self.messages)
        self.conversations = Conversations(self._transport, self.messages)
        self.outbox = Outbox(self._transport)
        self.approvals = Approvals(self._transport)
        self.audit = Audit(self._transport)
        self.webhooks = Webhooks(self._transport)
        self.deliveries = Deliveries(self._transport)
        self.events = Events(self._transport)
        self.suppressions = Suppressions(self._transport)
        self.keys = Keys(self._transport)
        self.secrets = SigningSecrets(self._transport)
        self.sessions = Sessions(self._transport)
        self.account = Account(self._transport)

    def __enter__(self) -> E2AClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the client's connections."""
        self._transport.close()

    def send(
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
        """Sends a message. Sends it only once, even if an answer is lost.

        :param from_: the agent's address; not needed if the client or the account has only one agent
        :param attachments: :class:`~e2a.v1.File` objects or paths
        :param wait: wait until it has left, at most 10 seconds; otherwise return as soon as it is safely queued
        :param idempotency_key: identifies the message across restarts of your program: the server takes it once a day
        :returns: its ``status`` is ``sent``, ``queued``, or ``pending_approval`` if a person must approve it first
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
        return submit(self._transport, "/send", content, wait, idempotency_key)

    def listen(self, agent: Optional[str] = None) -> Generator[Message, None, None]:
        """Iterates over mail without end: unread messages first, oldest first, then new ones as they arrive.

        A message is marked read when the loop asks for the next one. After ``break``, or if the program crashes, the
        current message comes again (call ``message.mark_read()`` to prevent that). The iteration survives
        restarts of the server. It raises errors that a retry cannot fix: AuthenticationError, NotFoundError,
        ListenerReplacedError.
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
    ) -> WebhookEvent:
        """Like :func:`e2a.v1.parse_webhook`, but its result can reply. ``secrets``: by default the client's."""
        return parse_webhook(
            body,
            headers,
            self._settings.secrets if secrets is None else secrets,
            allow_unsigned_fields=allow_unsigned_fields,
            now=now,
            messages=self.messages,
        )

    def info(self) -> Info:
        """Facts about the server; needs no key."""
        return Info.from_wire(self._transport.json(Call("GET", "/info", public=True)))

    def health(self) -> Mapping[str, Any]:
        """``{"status": "ok"}`` if the server answers; needs no key."""
        return dict(self._transport.json(Call("GET", "/api/health", public=True)))

    def ready(self) -> Mapping[str, Any]:
        """``{"status": "ready"}`` if the server can work. If not, ServerError (503) says why. Needs no key."""
        return dict(self._transport.json(Call("GET", "/api/ready", public=True, max_retries=0)))

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Optional[Query] = None,
        body: Optional[Mapping[str, Any]] = None,
        idempotency_key: Optional[str] = None,
    ) -> Any:
        """Makes any call of the API, such as ``("GET", "/agents")``, even one that this version lacks."""
        call = Call(method.upper(), path, query=query or {}, body=body, idempotency_key=idempotency_key)
        return self._transport.json(call)
