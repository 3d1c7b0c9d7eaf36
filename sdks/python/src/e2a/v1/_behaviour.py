"""What messages can tell beyond their members; the members themselves are generated."""

from __future__ import annotations

import base64
from typing import Optional


class Automation:
    """Of a message that says whether a person wrote it."""

    auto_submitted: Optional[str]
    list_id: Optional[str]
    precedence: Optional[str]

    @property
    def is_automatic(self) -> bool:
        """Whether a program or a mailing list sent it: answering it without a person may never end."""
        return (self.auto_submitted or self.list_id or self.precedence) is not None


class RawMail:
    """Of a message that has the mail itself."""

    raw_message: str

    @property
    def raw_bytes(self) -> bytes:
        """The mail as it is stored (``message/rfc822``)."""
        return base64.b64decode(self.raw_message)
