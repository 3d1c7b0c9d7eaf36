"""Verifies webhook requests. Returns no part of a request before it is proven.

sdks/contract/README.md has the rules, and vectors.json beside it the test cases.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

from ._decode import parse_time
from .errors import ConfigurationError, UnverifiedEmailError

#: Accepted ages in seconds, both ends included: the first is how far in the future, the second how far in the past.
AHEAD_MAX = 30
AGE_MAX = 300

Body = Union[bytes, bytearray, memoryview, str]
#: A mapping, a web framework's headers object, or pairs. Bytes are read as Latin-1.
Headers = Any

SIGNATURE = "x-e2a-auth-signature"
#: In the order of signing; the body hash comes last.
SIGNED = ("verified", "sender", "entity-type", "domain-check", "delegation", "timestamp", "message-id", "body-hash")
NEEDED = ("timestamp", "message-id", "body-hash")


@dataclass(frozen=True)
class Proof:
    """A verified request."""

    #: What is proven. ``body``: every byte. ``message``: only the mail and its ``X-E2A-Auth-*`` fields.
    proven: str
    body: Mapping[str, Any]
    #: The proven ``X-E2A-Auth-*`` fields, by lower-case name; empty for an event that is not about a message.
    auth: Mapping[str, str]
    #: Whether it is an account's webhook, whose event is in ``data``; otherwise it is an agent's.
    is_event: bool

    def auth_headers(self) -> Dict[str, str]:
        """The proven fields under the names that the server uses, without any fields that others added."""
        names = [f"x-e2a-auth-{name}" for name in SIGNED] + [SIGNATURE, f"{SIGNATURE}-previous"]
        return {name.title(): self.auth[name] for name in names if name in self.auth}


def verify(body: Body, headers: Headers, secrets: Sequence[str], now: Optional[Union[float, datetime]] = None) -> Proof:
    """Verifies a request. Raises UnverifiedEmailError, or ConfigurationError without a usable secret."""
    if not secrets:
        raise ConfigurationError(
            "There is no webhook secret to verify with.",
            fix="Give secrets, or E2A_WEBHOOK_SECRET; client.secrets.create() shows a new one, once.",
        )
    keys = [_key(secret) for secret in secrets]
    at = now.timestamp() if isinstance(now, datetime) else time.time() if now is None else now
    content = _bytes(body) if isinstance(body, str) else bytes(body)
    fields = _fields(headers)

    signature = fields.get("webhook-signature")
    if signature:
        _verify_body(content, signature, fields, keys, at)
    parsed = _json(content)
    auth = _auth_of(fields, parsed)
    if not signature:
        if not auth.get(SIGNATURE):
            raise _missing("no signature")
        _need(auth)
    if parsed is None:
        raise UnverifiedEmailError("malformed", "The body is not a JSON object.")

    is_event = bool(signature) and isinstance(parsed.get("data"), dict)
    if auth.get(SIGNATURE):
        _verify_message(auth, parsed, parsed["data"] if is_event else parsed, keys, at, bool(signature))
    else:
        auth = {}
    return Proof("body" if signature else "message", parsed, auth, is_event)


def mail_bytes(raw_message: Any) -> Optional[bytes]:
    """The bytes in ``raw_message``; None if it is not base64."""
    try:
        return base64.b64decode(raw_message, validate=True) if isinstance(raw_message, str) else None
    except (binascii.Error, ValueError):
        return None


def _verify_body(content: bytes, signature: str, fields: Mapping[str, str], keys: List[bytes], now: float) -> None:
    """Checks the Standard Webhooks 1.0 signature, which covers every byte of the body."""
    id, timestamp = fields.get("webhook-id"), fields.get("webhook-timestamp")
    if not id or not timestamp:
        raise _missing(f"no {'webhook-timestamp' if id else 'webhook-id'}")
    signed = _bytes(f"{id}.{timestamp}.") + content
    made = [base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()) for key in keys]
    given = [part[3:] for part in signature.split(" ") if part.startswith("v1,")]
    _compare(given, made)
    _in_time(float(timestamp) if timestamp.isascii() and timestamp.isdigit() else 0.0, now)


def _verify_message(
    auth: Mapping[str, str],
    body: Mapping[str, Any],
    about: Mapping[str, Any],
    keys: List[bytes],
    now: float,
    is_body_proven: bool,
) -> None:
    """Checks the ``X-E2A-Auth-*`` signature, which covers the mail and the results of its authentication."""
    _need(auth)
    values = [auth.get(f"x-e2a-auth-{name}", "") for name in SIGNED]
    signed = _bytes("\n".join(values))
    made = [hmac.new(key, signed, hashlib.sha256).hexdigest().encode("ascii") for key in keys]
    _compare([auth[SIGNATURE], *auth.get(f"{SIGNATURE}-previous", "").split(" ")], made)
    try:
        _in_time(parse_time(auth["x-e2a-auth-timestamp"]).timestamp(), now)
    except ValueError:
        raise UnverifiedEmailError("stale", "The signed time is none.") from None

    raw = body.get("raw_message")
    mail = mail_bytes(raw)
    if mail is not None:
        is_signed = hashlib.sha256(mail).hexdigest() == auth["x-e2a-auth-body-hash"]
    else:
        is_signed = raw is None and is_body_proven
    if not is_signed:
        raise UnverifiedEmailError("body", "The mail is not the one that was signed.")
    if about.get("message_id") != auth["x-e2a-auth-message-id"]:
        raise UnverifiedEmailError("body", "The message_id is not the one that was signed.")
    if "verified" in about and about["verified"] is not (auth.get("x-e2a-auth-verified") == "true"):
        raise UnverifiedEmailError("body", "What the body says of its sender is not what was signed.")


def _compare(given: Iterable[str], made: Sequence[bytes]) -> None:
    # Compare all of them, so that the time does not reveal which one matches.
    fits = [hmac.compare_digest(_bytes(one), other) for one in given for other in made]
    if not any(fits):
        raise UnverifiedEmailError(
            "signature",
            "None of the secrets made this signature.",
            fix="Use the bytes of the body as they came, and the newest signing secret of the account.",
        )


def _in_time(signed_at: float, now: float) -> None:
    age = now - signed_at
    if age > AGE_MAX:
        raise UnverifiedEmailError("stale", f"It was signed {age:.0f} s ago, more than {AGE_MAX} s.")
    if age < -AHEAD_MAX:
        raise UnverifiedEmailError(
            "future",
            f"It was signed {-age:.0f} s from now, more than {AHEAD_MAX} s.",
            fix="Check this machine's clock.",
        )


def _need(auth: Mapping[str, str]) -> None:
    for name in NEEDED:
        if not auth.get(f"x-e2a-auth-{name}"):
            raise _missing(f"no X-E2A-Auth-{name.title()}")


def _missing(what: str) -> UnverifiedEmailError:
    return UnverifiedEmailError(
        "missing", f"There is {what}.", fix="Give the headers of the request along with its body."
    )


def _fields(headers: Headers) -> Dict[str, str]:
    pairs: Iterable[Tuple[Any, Any]] = (
        () if headers is None else headers.items() if hasattr(headers, "items") else headers
    )
    return {_text(name).lower(): _text(value) for name, value in pairs}


def _bytes(text: str) -> bytes:
    # JSON can contain lone surrogates; encode them instead of raising, since they match no signature.
    return text.encode("utf-8", "surrogatepass")


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _auth_of(fields: Mapping[str, str], body: Optional[Mapping[str, Any]]) -> Dict[str, str]:
    """The signed fields, all from one source: the headers, or else the body's ``auth_headers``."""
    if fields.get(SIGNATURE):
        found: Mapping[str, Any] = fields
    else:
        inside = body.get("auth_headers") if body is not None else None
        found = inside if isinstance(inside, dict) else {}
    lower = {name.lower(): value for name, value in found.items()}
    return {name: value for name, value in lower.items() if name.startswith("x-e2a-auth-") and isinstance(value, str)}


def _json(content: bytes) -> Optional[Mapping[str, Any]]:
    try:
        value = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _key(secret: str) -> bytes:
    """The key of a secret: its 64 characters as shown, or in Standard Webhooks form, ``whsec_`` and their base64."""
    if not secret.startswith("whsec_"):
        key = secret.encode("utf-8")
    else:
        try:
            key = base64.b64decode(secret[len("whsec_") :], validate=True)
        except (binascii.Error, ValueError):
            raise ConfigurationError("A webhook secret begins with whsec_ but the rest is not base64.") from None
    # With an empty key anyone could make a valid signature.
    if not key.strip():
        raise ConfigurationError(
            "A webhook secret is empty.",
            fix="Give the 64 characters that were shown when it was created; is the variable that holds them set?",
        )
    return key
