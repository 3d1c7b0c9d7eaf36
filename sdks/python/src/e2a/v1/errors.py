"""The exceptions of this package, all subclasses of :class:`E2AError`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List, Mapping, Optional, Type


class E2AError(Exception):
    """The base class of all errors. ``str(error)`` says what went wrong and, if known, what to do."""

    def __init__(self, message: str, *, fix: Optional[str] = None) -> None:
        super().__init__(message if not fix else f"{message} {fix}")
        self.message = message
        #: What to do next, in one sentence.
        self.fix = fix


class ConfigurationError(E2AError):
    """A setting of the client is missing or wrong: a key, an address, a package."""


class E2AConnectionError(E2AError):
    """No e2a server answered: it cannot be reached, the connection broke, or something else answered.

    A request that changes something may or may not have run. Repeat it with this ``idempotency_key``, and it runs only
    once; or check before you repeat it.
    """

    #: The key of the POST; None for a request that is safe to repeat without one.
    idempotency_key: Optional[str] = None


class E2ATimeoutError(E2AConnectionError):
    """The server did not answer in time."""


class ListenerReplacedError(E2AError):
    """A newer listener took over the agent. An agent has one WebSocket; reconnecting would disconnect the other."""


class UnverifiedEmailError(E2AError):
    """A delivery that could not be verified, as a whole or for the member that was read.

    ``reason`` is one of

    - ``missing``: the signature, or a value that it covers, is missing
    - ``signature``: the signature was made with none of the secrets
    - ``stale``, ``future``: it is too old, or from a clock that is ahead
    - ``malformed``: the body is not a JSON object
    - ``body``: the mail, or a statement about it, is not the signed one
    - ``unsigned_field``: the mail is proven, but the member that was read is not (see ``allow_unsigned_fields``)
    """

    def __init__(self, reason: str, message: str, *, fix: Optional[str] = None) -> None:
        super().__init__(message, fix=fix)
        self.reason = reason


@dataclass(frozen=True)
class FieldError:
    """One wrong field of a request: its dotted path and a sentence."""

    field: str
    message: str


class APIError(E2AError):
    """The server refused the request. Decide by ``code``, which is stable; show users ``message`` and ``fix``."""

    def __init__(self, status: int, problem: Mapping[str, Any], *, retry_after: Optional[float] = None) -> None:
        detail = _text(problem, "detail") or _text(problem, "title") or f"The server answered {status}."
        #: Every wrong field, if the input is at fault.
        self.errors: List[FieldError] = _field_errors(problem.get("errors"))
        wrong = "; ".join(f"{error.field}: {error.message}" for error in self.errors)
        super().__init__(f"{detail} ({wrong})" if wrong else detail, fix=_text(problem, "fix"))
        self.message = detail
        self.status = status
        self.code: str = _text(problem, "code") or ""
        self.title: str = _text(problem, "title") or ""
        #: Identifies the request in the server's log.
        self.request_id: Optional[str] = _text(problem, "request_id")
        #: Seconds to wait before a retry.
        self.retry_after = retry_after
        #: The whole problem document (RFC 9457).
        self.raw: Mapping[str, Any] = problem


class InvalidRequestError(APIError):
    """400: the request is malformed or invalid; ``errors`` names the fields."""


class AuthenticationError(APIError):
    """401: there is no key, or it is not (or no longer) valid."""


class ForbiddenError(APIError):
    """403: the key is valid, but not allowed to do that."""


class NotFoundError(APIError):
    """404: the resource does not exist, or this key has no access to it."""


class ConflictError(APIError):
    """409: the name is taken, or another request was faster."""


class UnprocessableError(APIError):
    """422: the request is valid, but not in this state: a suppressed recipient, a used idempotency key."""


class RateLimitError(APIError):
    """429: too many requests; ``retry_after`` says how long to wait."""


class ServerError(APIError):
    """5xx. ``upstream_rejected`` (502) is final: the upstream mail server refused the message."""


def _text(problem: Mapping[str, Any], name: str) -> Optional[str]:
    value = problem.get(name)
    return value if isinstance(value, str) and value else None


def _field_errors(errors: Any) -> List[FieldError]:
    if not isinstance(errors, list):
        return []
    named = [error for error in errors if isinstance(error, dict)]
    return [FieldError(str(error.get("field", "")), str(error.get("message", ""))) for error in named]


_by_status: Mapping[int, Type[APIError]] = {
    400: InvalidRequestError,
    401: AuthenticationError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableError,
    429: RateLimitError,
}


def api_error(status: int, problem: Mapping[str, Any], retry_after: Optional[float]) -> APIError:
    """The error for an answer that is not 2xx."""
    kind = _by_status.get(status, ServerError if status >= 500 else APIError)
    return kind(status, problem, retry_after=retry_after)
