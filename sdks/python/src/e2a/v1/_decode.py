"""Reads the API's JSON into dataclasses, by their annotations."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime, timezone
from typing import Any, Callable, Dict, Mapping, Tuple, Type, TypeVar, Union, get_args, get_origin, get_type_hints

M = TypeVar("M", bound="Model")

#: The default for a missing time: 1970.
NO_TIME = datetime.fromtimestamp(0, timezone.utc)


@dataclass(frozen=True)
class Model:
    """Data from the server. Newer servers may send more members: those without a field are in ``extra``.

    If a member is missing, or has another type than its field, the field keeps its default; ``raw`` has the data as
    received. Words such as ``status`` are plain ``str``, so that new ones are not an error.
    """

    #: The JSON object as received.
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def extra(self) -> Dict[str, Any]:
        """The members for which this version of the package has no field."""
        known = _readers(type(self))
        return {name: value for name, value in self.raw.items() if name not in known}

    @classmethod
    def from_wire(cls: Type[M], value: Any) -> M:
        """Reads a JSON object; anything else gives the defaults."""
        if not isinstance(value, dict):
            return cls()
        given: Dict[str, Any] = {"raw": value}
        for wire_name, (name, read) in _readers(cls).items():
            if wire_name in value:
                try:
                    given[name] = read(value[wire_name])
                except (TypeError, ValueError):
                    pass
        return cls(**given)


def parse_time(text: str) -> datetime:
    """Parses an RFC 3339 time into an aware datetime. Raises ValueError, also for a time without a zone."""
    # Before Python 3.11, fromisoformat accepts neither Z nor fractions of lengths other than 3 and 6.
    head, dot, tail = text.partition(".")
    digits = len(tail) - len(tail.lstrip("0123456789"))
    if dot:
        text = f"{head}.{tail[:digits][:6]:0<6}{tail[digits:]}"
    if text[-1:] in ("Z", "z"):
        text = f"{text[:-1]}+00:00"
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("a time without a zone")
    return time


Reader = Callable[[Any], Any]

_known: Dict[type, Mapping[str, Tuple[str, Reader]]] = {}


def _readers(cls: type) -> Mapping[str, Tuple[str, Reader]]:
    """Maps each member's name in the API to its field and reader. The field ``from_`` is ``from`` in the API."""
    if cls not in _known:
        hints = get_type_hints(cls)
        names = [f.name for f in fields(cls) if f.name != "raw" and not f.name.startswith("_")]
        _known[cls] = {name.rstrip("_"): (name, _reader(hints[name])) for name in names}
    return _known[cls]


def _reader(hint: Any) -> Reader:
    origin, args = get_origin(hint), get_args(hint)
    if origin is Union:
        inner = _reader(next(arg for arg in args if arg is not type(None)))
        return lambda value: None if value is None else inner(value)
    if origin is list:
        item = _reader(args[0])
        return lambda value: [item(one) for one in _of(list, value)]
    if origin is dict:
        return lambda value: _of(dict, value)
    if hint is datetime:
        return lambda value: parse_time(_of(str, value))
    if isinstance(hint, type) and issubclass(hint, Model):
        model = hint
        return lambda value: model.from_wire(_of(dict, value))
    if hint in (str, int, bool):
        return lambda value: _of(hint, value)
    return lambda value: value


def _of(kind: type, value: Any) -> Any:
    # In Python bool is a subclass of int; in JSON true is not a number.
    if isinstance(value, kind) and (kind is not int or not isinstance(value, bool)):
        return value
    raise TypeError(f"{value!r} is no {kind.__name__}")
