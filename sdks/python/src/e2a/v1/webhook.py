"""Webhooks, for a receiver that needs no client."""

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
    """What a webhook was told. Raises UnverifiedEmailError, before anything of it can be read, unless it is proven.

    Signature, time (30 seconds ahead to 5 minutes old) and the hash of the mail are verified. ``WebhookEvent.proven``
    says what was: ``body``, that is every byte, when the ``webhook-*`` headers are there. With the ``X-E2A-Auth-*``
    fields alone it is ``message``: the mail and its sender; reading any other member then raises too.

    :param body: the bytes of the request as they came, not what a framework made of them
    :param headers: of the request, as any mapping or list of pairs
    :param secrets: one or several signing secrets, as shown or as ``whsec_…``; by default ``E2A_WEBHOOK_SECRET``
    :param allow_unsigned_fields: also hand out the members that nothing proves
    :param now: the time, for tests
    """
    return parse(body, headers, secrets, allow_unsigned_fields=allow_unsigned_fields, now=now)
