"""One request without the network: what to send, what an answer means, whether to retry."""

from __future__ import annotations

import json
import platform
import random
import uuid
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Dict, Mapping, Optional
from datetime import datetime, timezone

import httpx

from .. import __version__
from ._settings import Settings
from ._wire import present
from .errors import APIError, ConfigurationError, E2AConnectionError, E2AError, E2ATimeoutError, api_error

USER_AGENT = f"e2a-python/{__version__} python/{platform.python_version()}"
#: Seconds before the second, third … try; together more than the 10 s within which the server answers a send.
RETRY_WAITS = (0.25, 1.0, 4.0, 7.0)
#: Seconds. If the server asks for a longer wait, the call fails instead.
RETRY_AFTER_MAX = 60.0
#: Seconds. How much longer than the requested wait an answer may take.
CONNECT_TIMEOUT = 10.0
#: Temporary failures of a proxy, or of a server that is stopping.
PASSING = (502, 503, 504)

Query = Mapping[str, Any]


@dataclass(frozen=True)
class Call:
    """A request. ``path`` is relative to ``/api/v1``, unless it begins with ``/api/``."""

    method: str
    path: str
    query: Query = field(default_factory=dict)
    body: Optional[Mapping[str, Any]] = None
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Identifies a POST across tries, so that the server runs it only once (in 24 hours). Default: a new key.
    idempotency_key: Optional[str] = None
    #: Seconds that the server may wait before it answers, in addition to the timeout.
    wait: float = 0.0
    #: Whether the call needs no key.
    public: bool = False
    #: None: the client's setting.
    max_retries: Optional[int] = None


def request_parts(call: Call, settings: Settings) -> Dict[str, Any]:
    """The arguments of an httpx client's ``request``. Raises ConfigurationError without a key."""
    headers = {"accept": "application/json", "user-agent": USER_AGENT}
    if not call.public:
        headers.update(authorization(settings))
    if call.method == "POST":
        headers["idempotency-key"] = call.idempotency_key or str(uuid.uuid4())
    content = None
    if call.body is not None:
        headers["content-type"] = "application/json"
        content = json.dumps(call.body, ensure_ascii=False).encode("utf-8")
    path = call.path if call.path.startswith("/api/") else f"/api/v1{call.path}"
    return {
        "method": call.method,
        "url": f"{settings.url}{path}",
        "params": {name: query_text(value) for name, value in present(call.query).items()},
        "headers": {**headers, **call.headers},
        "content": content,
        "timeout": httpx.Timeout(settings.timeout + call.wait, connect=min(CONNECT_TIMEOUT, settings.timeout)),
    }


def authorization(settings: Settings) -> Dict[str, str]:
    if settings.api_key is None:
        raise ConfigurationError(
            f"There is no API key for {settings.url}.",
            fix="Give api_key or E2A_API_KEY; `e2a bootstrap` makes the first key of a new server.",
        )
    return {"authorization": f"Bearer {settings.api_key}"}


def query_text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def refusal(response: httpx.Response, settings: Settings) -> E2AError:
    """The error for an answer that is not 2xx; its body has been read."""
    status = response.status_code
    location = response.headers.get("location")
    if response.is_redirect and location:
        return ConfigurationError(
            f"{settings.url} redirects to {location}.", fix="Give base_url or E2A_URL the final address."
        )
    problem = _object(response.content)
    if problem is None or not ("detail" in problem or "title" in problem):
        # The answer is a proxy's, or this is not an e2a server. The status still counts.
        problem = {"detail": f"{settings.url} answered {status} without a reason."}
    return api_error(status, problem, _retry_after(response.headers.get("retry-after")))


def json_of(response: httpx.Response, settings: Settings) -> Any:
    """The JSON of a 2xx answer; None if it has no body."""
    if not response.content:
        return None
    try:
        return json.loads(response.content)
    except ValueError as cause:
        raise E2AConnectionError(
            f"{settings.url} did not answer in JSON.",
            fix="Check that base_url or E2A_URL is the address of an e2a server.",
        ) from cause


def broken(cause: httpx.TransportError, settings: Settings) -> E2AConnectionError:
    """The error for a request that got no complete answer."""
    if isinstance(cause, httpx.TimeoutException):
        return E2ATimeoutError(f"{settings.url} did not answer in time.", fix="Try again, or give a longer timeout.")
    reason = str(cause) or type(cause).__name__
    return E2AConnectionError(
        f"Cannot reach {settings.url} ({reason}).", fix="Is the server running, and is base_url or E2A_URL its address?"
    )


class Tries:
    """The tries of one call. Retries only calls that are safe to repeat, by nature or by their Idempotency-Key."""

    def __init__(self, call: Call, settings: Settings) -> None:
        self._call = call
        self._left = settings.max_retries if call.max_retries is None else call.max_retries
        self._made = 0
        #: An earlier try may have reached the server, but its answer was lost: the server may have run it.
        self.lost_an_answer = False

    def pause(self, failure: E2AError, cause: Optional[BaseException]) -> Optional[float]:
        """Seconds until the next try; None if ``failure`` is final."""
        after = self._after(failure)
        if isinstance(failure, E2AConnectionError) and not isinstance(
            cause, (httpx.ConnectError, httpx.ConnectTimeout)
        ):
            self.lost_an_answer = True
        if after is None or self._left <= 0:
            return None
        self._left -= 1
        ceiling = RETRY_WAITS[min(self._made, len(RETRY_WAITS) - 1)]
        self._made += 1
        # Randomize, so that clients that failed together do not retry together.
        return max(after, ceiling * (0.5 + random.random() / 2))

    def _after(self, failure: E2AError) -> Optional[float]:
        """The minimum wait; None if a retry is pointless or unsafe."""
        if isinstance(failure, E2AConnectionError):
            return 0.0
        if not isinstance(failure, APIError):
            return None
        if failure.status == 429:
            after = failure.retry_after or 0.0
            return after if after <= RETRY_AFTER_MAX else None
        if failure.status in PASSING and failure.code in ("", "unavailable"):
            return min(failure.retry_after or 0.0, RETRY_AFTER_MAX)
        # The key is known only here, so the request that is still running is an earlier try whose answer was lost.
        if failure.status == 409 and self._call.method == "POST" and self.lost_an_answer:
            return 0.0
        return None

    def outcome(self, failure: E2AError, key: Optional[str]) -> E2AError:
        """The failure to raise. After a lost answer it says that the server may have run the request of ``key``."""
        if key is None or not self.lost_an_answer or not isinstance(failure, E2AConnectionError):
            return failure
        uncertain = type(failure)(
            failure.message,
            fix="The server may have done it: look before you do it again, or give the same idempotency_key.",
        )
        uncertain.idempotency_key = key
        return uncertain

    def is_done_after_all(self, failure: E2AError) -> bool:
        """Whether "not found" means that an earlier DELETE, whose answer was lost, has succeeded."""
        return self._call.method == "DELETE" and self.lost_an_answer and getattr(failure, "status", None) == 404


def _object(content: bytes) -> Optional[Mapping[str, Any]]:
    try:
        value = json.loads(content)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _retry_after(header: Optional[str]) -> Optional[float]:
    """Parses Retry-After, in seconds or as a date (RFC 9110 10.2.3), into seconds."""
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(timezone.utc)).total_seconds())
    except (TypeError, ValueError):
        return None


#: Statuses that refuse the request for good, so that a retry is pointless.
_hopeless = (400, 401, 403, 404, 405, 413, 415, 422)


def may_pass(error: E2AError) -> bool:
    """Whether an endless operation should retry after this error."""
    if isinstance(error, APIError):
        return error.status not in _hopeless
    return isinstance(error, E2AConnectionError)


class Pauses:
    """The pauses between retries of an endless operation: they double up to 30 seconds, and half of each is random."""

    FIRST = 0.5
    MAX = 30.0

    def __init__(self) -> None:
        self._failures = 0

    def next(self, error: Optional[E2AError] = None) -> float:
        """Seconds until the next try."""
        ceiling: float = min(self.MAX, self.FIRST * 2 ** min(self._failures, 16))
        self._failures += 1
        asked = min(getattr(error, "retry_after", None) or 0.0, RETRY_AFTER_MAX)
        return max(asked, ceiling * (0.5 + random.random() / 2))

    def reset(self) -> None:
        """Records a success: the next pause is short again."""
        self._failures = 0
