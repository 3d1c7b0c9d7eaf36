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
        """Pauses everything that leaves, or lets it leave again."""
        return Caller.from_wire(self._transport.json(Call("PATCH", "/users/me", body={"paused": paused})))

    def overview(self) -> Overview:
        """The account in figures."""
        return Overview.from_wire(self._transport.json(Call("GET", "/overview")))

    def export(self) -> bytes:
        """All that the account owns, as JSON; no hashes, no secrets."""
        return self._transport.bytes(Call("GET", "/users/me/export"))

    def delete(self, *, confirm: str) -> Dict[str, Any]:
        """Deletes the account and all that it owns, for good. ``confirm`` must be ``"DELETE"``. Returns what went."""
        answer = self._transport.json(Call("DELETE", "/users/me", query={"confirm": confirm}))
        return dict(answer or {})


class Sessions:
    """Browsers that are signed in to the account."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> Pager[BrowserSession]:
        return Pager(self._transport, "/sessions", "sessions", lambda item, _: BrowserSession.from_wire(item), {})

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
        """Makes a key. Its ``key`` is shown only now.

        :param scope: ``account`` or ``agent``; by default ``agent`` when an ``agent`` is given
        :param agent: the one agent that the key is for
        """
        body = {
            "name": name,
            "scope": scope or ("agent" if agent else "account"),
            "agent": agent,
            "expires_at": time_text(expires_at),
        }
        call = Call("POST", "/keys", body=present(body), idempotency_key=idempotency_key)
        return NewApiKey.from_wire(self._transport.json(call))

    def list(self) -> Pager[ApiKey]:
        return Pager(self._transport, "/keys", "keys", lambda item, _: ApiKey.from_wire(item), {})

    def delete(self, id: str) -> None:
        """Revokes a key, at once."""
        self._transport.json(Call("DELETE", f"/keys/{segment(id)}"))


class SigningSecrets:
    """Signing secrets: what deliveries are signed with. The newest signs; the one before it too, for 24 hours."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, name: Optional[str] = None, *, idempotency_key: Optional[str] = None) -> NewSigningSecret:
        """Makes a secret. Its ``secret`` is shown only now."""
        call = Call("POST", "/users/me/signing-secrets", body=present({"name": name}), idempotency_key=idempotency_key)
        return NewSigningSecret.from_wire(self._transport.json(call))

    def list(self) -> Pager[SigningSecret]:
        return Pager(
            self._transport,
            "/users/me/signing-secrets",
            "secrets",
            lambda item, _: SigningSecret.from_wire(item),
            {},
        )

    def delete(self, id: str) -> None:
        """Deletes a secret, which then signs nothing more. The last one stays (ConflictError)."""
        self._transport.json(Call("DELETE", f"/users/me/signing-secrets/{segment(id)}"))


class Suppressions:
    """Addresses that nothing is sent to, because mail to them bounced or their owners complained."""

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
        """Takes an address off the list."""
        self._transport.json(Call("DELETE", f"/suppressions/{segment(address)}"))
