"""The settings of a client, from its arguments or the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Mapping, Optional, Sequence, Tuple, Union
from urllib.parse import urlsplit

from .errors import ConfigurationError

DEFAULT_URL = "http://127.0.0.1:8080"
#: Seconds. Longer than any answer of the API takes, shorter than a user's patience.
DEFAULT_TIMEOUT = 30.0
DEFAULT_MAX_RETRIES = 4

Secrets = Union[str, Sequence[str]]


@dataclass(frozen=True)
class Settings:
    #: Without a trailing slash.
    url: str
    api_key: Optional[str]
    #: The agent for calls that name none.
    agent: Optional[str]
    secrets: Tuple[str, ...]
    timeout: float
    max_retries: int


def load_settings(
    *,
    base_url: Optional[str],
    api_key: Optional[str],
    agent_email: Optional[str],
    webhook_secret: Optional[Secrets],
    timeout: float,
    max_retries: int,
    env: Mapping[str, str] = os.environ,
) -> Settings:
    """Loads settings: arguments, then ``E2A_*``, then defaults. Raises ConfigurationError for a bad URL."""
    base = (base_url or env.get("E2A_URL") or DEFAULT_URL).rstrip("/")
    parts = urlsplit(base)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ConfigurationError(
            f'"{base}" is not the address of a server.', fix=f"Give base_url or E2A_URL as in {DEFAULT_URL}."
        )
    return Settings(
        url=base,
        api_key=api_key or env.get("E2A_API_KEY") or None,
        agent=agent_email or env.get("E2A_AGENT_EMAIL") or None,
        secrets=secret_list(webhook_secret, env),
        timeout=timeout,
        max_retries=max_retries,
    )


def secret_list(given: Optional[Secrets], env: Mapping[str, str] = os.environ) -> Tuple[str, ...]:
    """The given secret or secrets; for None those of ``E2A_WEBHOOK_SECRET``, separated by commas or spaces."""
    if given is None:
        given = env.get("E2A_WEBHOOK_SECRET", "").replace(",", " ").split()
    return (given,) if isinstance(given, str) else tuple(given)
