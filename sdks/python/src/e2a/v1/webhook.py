"""Webhook verification for receivers that need no client."""

from __future__ import annotations

from datetime import datetime
from typing import Optional, Union

from ._settings import Secrets
from ._sync.webhook import WebhookEvent
from ._sync.webhook import parse_webhook as parse
from ._verify import Body, Headers


def parse_webhook(
    body: Body,
    headers: Headers = None,
    secrets: Optional[Secrets] = None,
    *,
    allow_unsigned_fields: bool = False,
    now: Optional[Union[float, datetime]] = None,
) -> WebhookEvent:
    """Verifies a webhook request and returns its event. Raises UnverifiedEmailError if the request is not proven.

    It verifies the signature, the time (30 seconds ahead to 5 minutes old) and the hash of the mail.
    ``WebhookEvent.proven`` says what is proven. With the ``webhook-*`` headers it is ``body``: every byte. With only
    the ``X-E2A-Auth-*`` fields it is ``message``: the mail and its sender; then reading any other member raises too.

    :param body: the raw bytes of the request, not parsed by a framework
    :param headers: the request's headers, as any mapping or list of pairs
    :param secrets: one or several signing secrets, as shown or as ``whsec_…``; by default ``E2A_WEBHOOK_SECRET``
    :param allow_unsigned_fields: also return the members that nothing proves
    :param now: the current time, for tests
    """
    return parse(body, headers, secrets, allow_unsigned_fields=allow_unsigned_fields, now=now)
