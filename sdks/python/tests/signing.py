"""What the server sends in a delivery, so that tests can change it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from datetime import datetime, timezone
from typing import Any, Dict, Tuple

SECRET = "0123456789abcdef" * 4
MAIL = b"From: alice@example.com\r\nTo: bot@agents.example.com\r\nSubject: Hi\r\n\r\nHello\r\n"


def delivery(secret: str = SECRET, at: float = 0, **members: Any) -> Tuple[bytes, Dict[str, str]]:
    """Body and headers of an agent's webhook delivery, signed now."""
    at = at or time.time()
    stamp = datetime.fromtimestamp(int(at), timezone.utc).isoformat().replace("+00:00", "Z")
    body_hash = hashlib.sha256(MAIL).hexdigest()
    id = "msg_00112233445566778899aabbccddeeff"
    signed = ["true", "alice@example.com", "human", "spf=pass; dkim=none", "", stamp, id, body_hash]
    names = ["Verified", "Sender", "Entity-Type", "Domain-Check", "Delegation", "Timestamp", "Message-Id", "Body-Hash"]
    auth = {f"X-E2A-Auth-{name}": value for name, value in zip(names, signed) if value}
    auth["X-E2A-Auth-Signature"] = _hmac(secret, "\n".join(signed).encode("utf-8")).hex()
    whole = {
        "type": "message.received",
        "event_id": "evt_00112233445566778899aabbccddeeff",
        "message_id": id,
        "conversation_id": "conv_00112233445566778899aabbccddeeff",
        "from": "alice@example.com",
        "to": ["bot@agents.example.com"],
        "recipient": "Bot+news@agents.example.com",
        "subject": "Hi",
        "received_at": "2026-05-15T11:59:59.000Z",
        "verified": True,
        "auto_submitted": None,
        "list_id": None,
        "precedence": None,
        "in_reply_to": None,
        "auth_headers": auth,
        "text": "Hello\n",
        "html": None,
        "reply_text": "Hello",
        "attachments": [{"index": 0, "filename": "a.txt", "content_type": "text/plain", "size": 1}],
        "raw_message": base64.b64encode(MAIL).decode("ascii"),
        **members,
    }
    body = json.dumps(whole).encode("utf-8")
    return body, {**auth, **standard(body, secret, at)}


def standard(body: bytes, secret: str = SECRET, at: float = 0) -> Dict[str, str]:
    """The Standard Webhooks headers for a body."""
    stamp = str(int(at or time.time()))
    signature = _hmac(secret, f"evt_1.{stamp}.".encode("ascii") + body)
    return {
        "webhook-id": "evt_1",
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(signature).decode('ascii')}",
    }


def _hmac(secret: str, text: bytes) -> bytes:
    return hmac.new(secret.encode("utf-8"), text, hashlib.sha256).digest()
