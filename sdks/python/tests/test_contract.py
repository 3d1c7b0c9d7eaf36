"""What every SDK must do: sdks/contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Type, Union

import pytest
from matching import mismatch
from player import AsyncSide, Player, SyncSide
from server import Server

from e2a.v1 import UnverifiedEmailError, parse_webhook
from e2a.v1._decode import parse_time

CONTRACT = Path(__file__).resolve().parents[2] / "contract"
CASES = json.loads((CONTRACT / "cases.json").read_text("utf-8"))["cases"]
VECTORS = json.loads((CONTRACT / "vectors.json").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
@pytest.mark.parametrize("side", [SyncSide, AsyncSide], ids=["sync", "async"])
def test_case(
    server: Server, key: str, secret: str, side: Type[Union[SyncSide, AsyncSide]], case: Dict[str, Any]
) -> None:
    player = Player(server, side(), key, secret)
    try:
        for number, step in enumerate(case["steps"], 1):
            try:
                player.play(step)
            except AssertionError as error:
                pytest.fail(f"step {number}, {json.dumps(step)}: {error}", pytrace=False)
    finally:
        player.close()


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=[vector["name"] for vector in VECTORS["vectors"]])
def test_vector(vector: Dict[str, Any]) -> None:
    secrets = [VECTORS["secrets"][name] for name in vector["secrets"]]
    now = parse_time(vector.get("now", VECTORS["now"]))
    body = vector["body"].encode("utf-8")
    if not vector["valid"]:
        with pytest.raises(UnverifiedEmailError) as refused:
            parse_webhook(body, vector["headers"], secrets, now=now)
        assert refused.value.reason == vector["reason"]
        return
    event = parse_webhook(body, vector["headers"], secrets, now=now)
    assert event.proven == vector["proven"]
    shown = {"id": None, "timestamp": None, "agent_id": None, **event.raw, "source": event.source}
    assert mismatch(vector["expect"], shown) is None, mismatch(vector["expect"], shown)
    for member in vector.get("unreadable", []):
        with pytest.raises(UnverifiedEmailError) as refused:
            event.data[member]
        assert refused.value.reason == "unsigned_field"
        with pytest.raises(UnverifiedEmailError):
            getattr(event.message, member)
