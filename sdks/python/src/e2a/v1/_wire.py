"""Converts arguments to the form that the API takes."""

from __future__ import annotations

import base64
import mimetypes
import os
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence, Union
from urllib.parse import quote

from ._decode import Model
from .errors import ConfigurationError

#: RFC 3339 text, or a datetime with a time zone.
Time = Union[str, datetime]
#: One ``a@b.example`` or ``Name <a@b.example>``, or several.
Addresses = Union[str, Sequence[str]]


@dataclass(frozen=True)
class File:
    """An attachment to send."""

    filename: str
    data: bytes
    #: Default: guessed from the name.
    content_type: Optional[str] = None
    #: For an image that the HTML shows as ``cid:…``.
    content_id: Optional[str] = None

    @classmethod
    def from_path(cls, path: Union[str, "os.PathLike[str]"], *, content_type: Optional[str] = None) -> "File":
        """Reads a file, to attach it under its own name."""
        path = Path(path)
        return cls(path.name, path.read_bytes(), content_type)


#: Something to attach: a File, a path, the API's own ``{"filename", "data": base64, "content_type"?}``, or an attachment
#: of a message that waits for approval.
Attachable = Union[File, "os.PathLike[str]", Mapping[str, Any], Model]


def present(members: Mapping[str, Any]) -> Dict[str, Any]:
    """The values without those that are None."""
    return {name: value for name, value in members.items() if value is not None}


def time_text(time: Optional[Time]) -> Optional[str]:
    """Formats a time as RFC 3339 in UTC. Raises ConfigurationError for a datetime without a zone: it is ambiguous."""
    if not isinstance(time, datetime):
        return time
    if time.tzinfo is None:
        raise ConfigurationError("A datetime needs a time zone.", fix="Use datetime.now(timezone.utc) or the like.")
    return time.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def words(given: Optional[Union[str, Sequence[str]]]) -> Optional[str]:
    """A list as a query parameter: joined with commas."""
    return given if given is None or isinstance(given, str) else ",".join(given)


def several(given: Optional[Addresses]) -> Optional[Sequence[str]]:
    """One value or several, as a list."""
    return [given] if isinstance(given, str) else None if given is None else list(given)


def files(given: Optional[Sequence[Attachable]]) -> Optional[Sequence[Mapping[str, Any]]]:
    """Attachments in the API's form."""
    return None if given is None else [_file(one) for one in given]


#: What the API takes of an attachment, unlike what it says of one.
_FILE_MEMBERS = ("filename", "content_type", "data", "content_id")


def _file(given: Attachable) -> Mapping[str, Any]:
    if isinstance(given, os.PathLike):
        given = File.from_path(given)
    if isinstance(given, Model):
        return {name: given.raw[name] for name in _FILE_MEMBERS if name in given.raw}
    if not isinstance(given, File):
        return given
    kind = given.content_type or mimetypes.guess_type(given.filename)[0]
    data = base64.b64encode(given.data).decode("ascii")
    return present({"filename": given.filename, "content_type": kind, "data": data, "content_id": given.content_id})


def segment(text: str) -> str:
    """Escapes one segment of a path. Raises ConfigurationError if the path would name another resource: for an empty
    segment, and for one or two dots, which URL parsers resolve, escaped or not (URL Standard 4.4)."""
    if text in ("", ".", ".."):
        what = f'"{text}" is not an id or an address.' if text else "An id or address is empty."
        raise ConfigurationError(what, fix="Give the one that the server gave you.")
    return quote(text, safe="")


def agent_path(agent: str) -> str:
    return f"/agents/{segment(agent)}"
