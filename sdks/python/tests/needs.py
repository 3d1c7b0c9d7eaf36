"""What some tests need beside httpx, websockets and pytest."""

from __future__ import annotations

import importlib.util
import os

import pytest


def need(module: str) -> None:
    """Skips a test on a machine without this module; in CI, which installs all, that is a failure."""
    if importlib.util.find_spec(module) is not None:
        return
    why = f"there is no Python module {module} here (on Debian: apt-get install python3-{module})"
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)
