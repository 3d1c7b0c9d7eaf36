"""Properties of messages that derive from their members; the members themselves are generated."""

from __future__ import annotations

import base64
from typing import Optional


class Automation:
    """For messages whose members tell whether a program sent them."""

    auto_submitted: Optional[str]
    list_id: Optional[str]
    precedence: Optional[str]

    @property
    def is_automatic(self) -> bool:
        """Whether a program or a mailing list sent it. Do not reply automatically: two programs may never stop."""
        return (self.auto_submitted or self.list_id or self.precedence) is not None


class RawMail:
    """For messages that contain the mail itself."""

    raw_message: str

    @property
    def raw_bytes(self) -> bytes:
        """The bytes of the mail as stored (``message/rfc822``)."""
        return base64.b64decode(self.raw_message)
