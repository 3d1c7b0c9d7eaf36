"""What some tests need besides httpx, websockets and pytest."""

from __future__ import annotations

import importlib.util
import os

import pytest


def need(module: str) -> None:
    """Skips a test if this module is missing; in CI, which installs everything, that is a failure."""
    if importlib.util.find_spec(module) is None:
        missing(f"there is no Python module {module} here (on Debian: apt-get install python3-{module})")


def missing(why: str) -> None:
    """Skips a test that this machine cannot run; in CI that is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)
