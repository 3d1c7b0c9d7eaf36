"""What some tests need beside httpx, websockets and pytest."""

from __future__ import annotations

import importlib.util
import os

import pytest


def need(module: str) -> None:
    """Skips a test on a machine without this module; in CI, which installs all, that is a failure."""
    if importlib.util.find_spec(module) is None:
        missing(f"there is no Python module {module} here (on Debian: apt-get install python3-{module})")


def missing(why: str) -> None:
    """Skips a test that this machine has not all for; in CI that is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)
