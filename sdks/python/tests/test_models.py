"""Models accept what a newer server sends, and know everything that this one sends."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Dict, Set

import pytest

from e2a.v1 import AsyncMessage, Message, models
from e2a.v1._decode import NO_TIME, Model, parse_time

OPENAPI = Path(__file__).resolve().parents[3] / "docs" / "openapi.json"
SCHEMAS: Dict[str, Any] = json.loads(OPENAPI.read_text("utf-8"))["components"]["schemas"]

#: Schemas whose class has another name, or that no call of this package returns.
OTHER_NAMES = {
    "MessageDetail": "Message",
    "MessageSummary": "MessageSummaryData",
    "InboxMessage": "MessageSummaryData",
}
OTHER_NAMES |= {"Attachment": "AttachmentData", "Session": "BrowserSession", "DeliveryDetail": "Delivery"}
NOT_RETURNED = {"SignedInBrowser", "Problem"}


def members(schema: Dict[str, Any]) -> Set[str]:
    """The members of a schema, including those of its variants."""
    if "$ref" in schema:
        return members(SCHEMAS[schema["$ref"].rpartition("/")[2]])
    variants = [members(one) for one in schema.get("anyOf", [])]
    return set(schema.get("properties", {})).union(*variants)


@pytest.mark.parametrize("name", sorted(SCHEMAS.keys() - NOT_RETURNED))
def test_every_member_of_the_api_has_a_field(name: str) -> None:
    model = "Event" if name.endswith("Event") else OTHER_NAMES.get(name, name)
    known = {f.name.rstrip("_") for f in fields(Message if model == "Message" else getattr(models, model))}
    assert members(SCHEMAS[name]) - known == set()


def test_unknown_members_and_words_are_kept() -> None:
    agent = models.Agent.from_wire({"email": "a@b.example", "agent_mode": "satellite", "orbit": {"height": 400}})
    assert (agent.email, agent.agent_mode, agent.extra) == ("a@b.example", "satellite", {"orbit": {"height": 400}})
    assert agent.raw["orbit"] == {"height": 400}


@pytest.mark.parametrize("kind", [Message, AsyncMessage])
def test_strange_values_leave_the_default(kind: Any) -> None:
    message = kind.from_wire(
        {"text": 5, "to": "a@b.example", "created_at": "yesterday", "attachments": [{"size": True}], "labels": [1]}
    )
    assert (message.text, message.to, message.created_at, message.labels) == ("", [], NO_TIME, [])
    assert message.attachments[0].size == 0
    assert message.raw["text"] == 5
    assert kind.from_wire(None) == kind()


@pytest.mark.parametrize(
    ("text", "microsecond", "offset"),
    [
        ("2026-05-15T12:00:00Z", 0, 0),
        ("2026-05-15T12:00:00.5Z", 500_000, 0),
        ("2026-05-15T12:00:00.123456789z", 123_456, 0),
        ("2026-05-15T12:00:00.123+02:00", 123_000, 2),
    ],
)
def test_times(text: str, microsecond: int, offset: int) -> None:
    zone = timezone(timedelta(hours=offset))
    assert parse_time(text) == datetime(2026, 5, 15, 12, 0, 0, microsecond, tzinfo=zone)


@pytest.mark.parametrize("text", ["2026-05-15T12:00:00", "", "2026", "2026-05-15T25:00:00Z"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError):
        parse_time(text)


def test_models_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        models.Agent().name = "another"  # type: ignore[misc]
    assert issubclass(Message, Model)
