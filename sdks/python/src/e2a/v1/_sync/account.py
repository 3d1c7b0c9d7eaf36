# Written by scripts/make_sync.py from _async/account.py: change that.
from __future__ import annotations

from typing import Any, Dict, Optional

from .._exchange import Call
from .._wire import Time, present, segment, time_text
from ..models import (
    ApiKey,
    BrowserSession,
    Caller,
    NewApiKey,
    NewSigningSecret,
    Overview,
    SigningSecret,
    Suppression,
)
from .paging import Pager
from .transport import Transport


class Account:
    """The account that the key belongs to."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self) -> Caller:
        """The account, and what this key may do in it."""
        return Caller.from_wire(self._transport.json(Call("GET", "/users/me")))

    def update(self, *, paused: bool) -> Caller:
        """Pauses or resumes all outbound mail."""
        return Caller.from_wire(self._transport.json(Call("PATCH", "/users/me", body={"paused": paused})))

    def overview(self) -> Overview:
        """Key figures of the account."""
        return Overview.from_wire(self._transport.json(Call("GET", "/overview")))

    def export(self) -> bytes:
        """Everything that the account owns, as JSON, without hashes and secrets."""
        return self._transport.bytes(Call("GET", "/users/me/export"))

    def delete(self, *, confirm: str) -> Dict[str, Any]:
        """Permanently deletes the account and all that it owns. ``confirm`` must be ``"DELETE"``."""
        answer = self._transport.json(Call("DELETE", "/users/me", query={"confirm": confirm}))
        return dict(answer or {})


class Sessions:
    """The account's signed-in browsers."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, page_size: Optional[int] = None, token: Optional[str] = None) -> Pager[BrowserSession]:
        query = {"page_size": page_size, "token": token}
        return Pager(
            self._transport, "/sessions", "sessions", lambda item, _: BrowserSession.from_wire(item), query
        )

    def delete(self, id: str) -> None:
        """Signs a browser out."""
        self._transport.json(Call("DELETE", f"/sessions/{segment(id)}"))


class Keys:
    """API keys."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        name: str,
        *,
        scope: Optional[str] = None,
        agent: Optional[str] = None,
        expires_at: Optional[Time] = None,
        idempotency_key: Optional[str] = None,
    ) -> NewApiKey:
        """Makes a key. Only this answer contains ``key``.

        :param scope: ``account`` or ``agent``; by default ``agent`` if an ``agent`` is given
        :param agent: the only agent that the key may use
        """
        body = {
            "name": name,
            "scope": scope or ("agent" if agent else "account"),
            "agent": agent,
            "expires_at": time_text(expires_at),
        }
        call = Call("POST", "/keys", body=present(body), idempotency_key=idempotency_key)
        return NewApiKey.from_wire(self._transport.json(call))

    def list(self, *, page_size: Optional[int] = None, token: Optional[str] = None) -> Pager[ApiKey]:
        query = {"page_size": page_size, "token": token}
        return Pager(self._transport, "/keys", "keys", lambda item, _: ApiKey.from_wire(item), query)

    def delete(self, id: str) -> None:
        """Revokes a key immediately."""
        self._transport.json(Call("DELETE", f"/keys/{segment(id)}"))


class SigningSecrets:
    """Secrets that sign deliveries. The newest signs; the previous one also signs for another 24 hours."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, name: Optional[str] = None, *, idempotency_key: Optional[str] = None) -> NewSigningSecret:
        """Makes a secret. Only this answer contains ``secret``."""
        call = Call("POST", "/users/me/signing-secrets", body=present({"name": name}), idempotency_key=idempotency_key)
        return NewSigningSecret.from_wire(self._transport.json(call))

    def list(self, *, page_size: Optional[int] = None, token: Optional[str] = None) -> Pager[SigningSecret]:
        query = {"page_size": page_size, "token": token}
        return Pager(
            self._transport,
            "/users/me/signing-secrets",
            "secrets",
            lambda item, _: SigningSecret.from_wire(item),
            query,
        )

    def delete(self, id: str) -> None:
        """Deletes a secret, which then no longer signs. The last one cannot be deleted (ConflictError)."""
        self._transport.json(Call("DELETE", f"/users/me/signing-secrets/{segment(id)}"))


class Suppressions:
    """Addresses to which nothing is sent, because mail bounced, the recipient complained, or you added them."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self, address: str, *, detail: Optional[str] = None, idempotency_key: Optional[str] = None
    ) -> Suppression:
        body = present({"address": address, "detail": detail})
        call = Call("POST", "/suppressions", body=body, idempotency_key=idempotency_key)
        return Suppression.from_wire(self._transport.json(call))

    def list(self, *, page_size: Optional[int] = None, token: Optional[str] = None) -> Pager[Suppression]:
        query = {"page_size": page_size, "token": token}
        return Pager(
            self._transport, "/suppressions", "suppressions", lambda item, _: Suppression.from_wire(item), query
        )

    def get(self, address: str) -> Suppression:
        return Suppression.from_wire(self._transport.json(Call("GET", f"/suppressions/{segment(address)}")))

    def delete(self, address: str) -> None:
        """Removes an address from the list."""
        self._transport.json(Call("DELETE", f"/suppressions/{segment(address)}"))
