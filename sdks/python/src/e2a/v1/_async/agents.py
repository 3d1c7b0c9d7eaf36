from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence

from .._exchange import Call
from .._wire import Addresses, Attachable, agent_path, files, present, segment
from ..models import Agent, Deleted, Domain, Forecast, TestMail
from .paging import AsyncPager
from .transport import AsyncTransport


class AsyncAgents:
    """Agents, which receive and send mail."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def create(
        self,
        *,
        slug: Optional[str] = None,
        email: Optional[str] = None,
        name: Optional[str] = None,
        agent_mode: Optional[str] = None,
        webhook_url: Optional[str] = None,
        idempotency_key: Optional[str] = None,
    ) -> Agent:
        """Makes an agent: by ``slug`` on the server's shared domain, or by ``email`` on a verified domain of yours.

        :param agent_mode: ``cloud`` (requires ``webhook_url``) or ``local``; by default ``cloud`` if ``webhook_url`` is
            given, otherwise ``local``
        """
        body = {
            "slug": slug,
            "email": email,
            "name": name,
            "agent_mode": agent_mode or ("cloud" if webhook_url else "local"),
            "webhook_url": webhook_url,
        }
        call = Call("POST", "/agents", body=present(body), idempotency_key=idempotency_key)
        return Agent.from_wire(await self._transport.json(call))

    def list(self, *, page_size: Optional[int] = None, token: Optional[str] = None) -> AsyncPager[Agent]:
        """All agents, newest first."""
        query = {"page_size": page_size, "token": token}
        return AsyncPager(self._transport, "/agents", "agents", lambda item, _: Agent.from_wire(item), query)

    async def get(self, agent: Optional[str] = None) -> Agent:
        """The agent with this address; without one, the client's agent."""
        agent = await self._transport.agent(agent)
        return Agent.from_wire(await self._transport.json(Call("GET", agent_path(agent))))

    async def update(
        self,
        agent: Optional[str] = None,
        *,
        name: Optional[str] = None,
        agent_mode: Optional[str] = None,
        webhook_url: Optional[str] = None,
        webhook_status: Optional[str] = None,
        hitl_enabled: Optional[bool] = None,
        hitl_ttl_seconds: Optional[int] = None,
        hitl_expiration_action: Optional[str] = None,
        hitl_notify_email: Optional[bool] = None,
        hitl_rules: Optional[Mapping[str, Any]] = None,
        hitl_allow: Optional[Sequence[str]] = None,
        hitl_reviewers: Optional[Sequence[str]] = None,
        undo_seconds: Optional[int] = None,
        paused: Optional[bool] = None,
    ) -> Agent:
        """Changes the given settings, all or none of them.

        :param webhook_status: ``enabled`` enables a disabled webhook again
        :param hitl_rules: the rules that hold mail (``{"outside": True, …}``); ``{}`` holds everything
        :param paused: outbound mail waits; the agent still receives mail
        """
        agent = await self._transport.agent(agent)
        body = {
            "name": name,
            "agent_mode": agent_mode,
            "webhook_url": webhook_url,
            "webhook_status": webhook_status,
            "hitl_enabled": hitl_enabled,
            "hitl_ttl_seconds": hitl_ttl_seconds,
            "hitl_expiration_action": hitl_expiration_action,
            "hitl_notify_email": hitl_notify_email,
            "hitl_rules": hitl_rules,
            "hitl_allow": hitl_allow,
            "hitl_reviewers": hitl_reviewers,
            "undo_seconds": undo_seconds,
            "paused": paused,
        }
        return Agent.from_wire(await self._transport.json(Call("PATCH", agent_path(agent), body=present(body))))

    async def delete(self, agent: str) -> Deleted:
        """Deletes an agent with its messages and keys."""
        return Deleted.from_wire(await self._transport.json(Call("DELETE", agent_path(agent))))

    async def test(self, agent: Optional[str] = None, *, idempotency_key: Optional[str] = None) -> TestMail:
        """Sends the agent a test message, which takes the whole inbound path."""
        agent = await self._transport.agent(agent)
        call = Call("POST", f"{agent_path(agent)}/test", idempotency_key=idempotency_key)
        return TestMail.from_wire(await self._transport.json(call))

    async def check(
        self,
        to: Addresses,
        subject: str,
        body: str,
        *,
        agent: Optional[str] = None,
        html_body: Optional[str] = None,
        cc: Optional[Addresses] = None,
        bcc: Optional[Addresses] = None,
        reply_to: Optional[Addresses] = None,
        attachments: Optional[Sequence[Attachable]] = None,
        headers: Optional[Mapping[str, str]] = None,
        conversation_id: Optional[str] = None,
        reply_to_message_id: Optional[str] = None,
        references: Optional[Sequence[str]] = None,
    ) -> Forecast:
        """Predicts whether a message would be held, and how it would leave. Sends nothing."""
        agent = await self._transport.agent(agent)
        content = {
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
        call = Call("POST", f"{agent_path(agent)}/check", body=present(content))
        return Forecast.from_wire(await self._transport.json(call))


class AsyncDomains:
    """Your own domains, besides the server's shared one."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def create(self, domain: str, *, idempotency_key: Optional[str] = None) -> Domain:
        """Adds a domain. Publish the ``dns_records`` of the answer."""
        call = Call("POST", "/domains", body={"domain": domain}, idempotency_key=idempotency_key)
        return Domain.from_wire(await self._transport.json(call))

    def list(self, *, page_size: Optional[int] = None, token: Optional[str] = None) -> AsyncPager[Domain]:
        query = {"page_size": page_size, "token": token}
        return AsyncPager(self._transport, "/domains", "domains", lambda item, _: Domain.from_wire(item), query)

    async def get(self, domain: str) -> Domain:
        """A domain, with the current state of its DNS records (``checks``)."""
        return Domain.from_wire(await self._transport.json(Call("GET", _path(domain))))

    async def update(self, domain: str, *, paused: bool) -> Domain:
        """Pauses or resumes a domain's outbound mail."""
        return Domain.from_wire(await self._transport.json(Call("PATCH", _path(domain), body={"paused": paused})))

    async def verify(self, domain: str) -> Domain:
        """Looks up the proof that it is yours. If it is missing, APIError (412, ``domain_not_verified``) says so."""
        return Domain.from_wire(await self._transport.json(Call("POST", f"{_path(domain)}/verify")))

    async def delete(self, domain: str) -> None:
        """Deletes a domain, which must have no agents."""
        await self._transport.json(Call("DELETE", _path(domain)))


def _path(domain: str) -> str:
    return f"/domains/{segment(domain)}"
