"""How the contract compares: see sdks/contract/README.md, "Matching" and "Variables"."""

from __future__ import annotations

import re
from typing import Any, List, Mapping, Optional


def mismatch(expected: Any, actual: Any, path: str = "") -> Optional[str]:
    """Where and how they differ; None if `actual` matches."""
    if isinstance(expected, dict):
        if any(name.startswith("$") for name in expected):
            return next(filter(None, (_operator(name, value, actual, path) for name, value in expected.items())), None)
        if not isinstance(actual, dict):
            return f"{path or 'it'} is {actual!r}, no object"
        for name, value in expected.items():
            if name not in actual:
                if value == {"$absent": True}:
                    continue
                return f"{path}.{name} is not there"
            wrong = mismatch(value, actual[name], f"{path}.{name}")
            if wrong:
                return wrong
        return None
    if isinstance(expected, list):
        if not isinstance(actual, list) or len(actual) != len(expected):
            return f"{path or 'it'} is {actual!r}, not {len(expected)} items"
        pairs = enumerate(zip(expected, actual))
        return next(filter(None, (mismatch(one, other, f"{path}.{i}") for i, (one, other) in pairs)), None)
    same = expected == actual and isinstance(expected, bool) == isinstance(actual, bool)
    return None if same else f"{path or 'it'} is {actual!r}, not {expected!r}"


_types = {"string": str, "number": (int, float), "boolean": bool, "null": type(None), "array": list, "object": dict}


def _operator(name: str, value: Any, actual: Any, path: str) -> Optional[str]:
    if name == "$type":
        holds = isinstance(actual, _types[value]) and (value != "number" or not isinstance(actual, bool))
    elif name == "$matches":
        holds = isinstance(actual, str) and re.search(value, actual) is not None
    elif name == "$length":
        holds = isinstance(actual, (str, list)) and len(actual) == value
    elif name == "$contains":
        if isinstance(actual, str):
            holds = value in actual
        else:
            holds = isinstance(actual, list) and all(
                any(mismatch(one, item) is None for item in actual) for one in value
            )
    elif name == "$absent":
        holds = (actual is None) is value
    elif name == "$not":
        holds = mismatch(value, actual) is not None
    else:
        raise ValueError(f"The contract has an operator that this runner does not know: {name}")
    return None if holds else f"{path or 'it'} is {actual!r}, which {name} {value!r} does not match"


def filled(value: Any, variables: Mapping[str, Any]) -> Any:
    """The value with variables replaced by their values."""
    if isinstance(value, dict):
        return {name: filled(member, variables) for name, member in value.items()}
    if isinstance(value, list):
        return [filled(item, variables) for item in value]
    if not isinstance(value, str):
        return value
    if value[:1] == "$" and value[1:] in variables:
        return variables[value[1:]]
    return re.sub(r"\$\{(\w+)\}", lambda name: str(variables[name.group(1)]), value)


def at(value: Any, path: str) -> Any:
    """The member at a path such as `messages.0.id`; the empty path is the whole value."""
    parts: List[str] = path.split(".") if path else []
    for part in parts:
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value
