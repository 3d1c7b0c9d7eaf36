"""Generates src/e2a/v1/_sync from src/e2a/v1/_async, which is the source to edit.

    python3 scripts/make_sync.py            writes
    python3 scripts/make_sync.py --check    fails if a file differs from what it would write

Listening works differently in the two clients, so _sync/listening.py is written by hand.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "e2a" / "v1"
BY_HAND = ("listening.py", "__init__.py")
HEADER = "# Written by scripts/make_sync.py from {}: change that.\n"

WORDS = [
    (r"\basync (def|for|with) ", r"\1 "),
    (r"\bawait ", ""),
    (r"\bAsyncGenerator\[(\w+), None\]", r"Generator[\1, None, None]"),
    (r"\bAsync(?=[A-Z])", ""),
    (r"__aenter__", "__enter__"),
    (r"__aexit__", "__exit__"),
    (r"__aiter__", "__iter__"),
    (r"\baclose\b", "close"),
    (r"^import asyncio$", "import time"),
    (r"\basyncio\.sleep\b", "time.sleep"),
]


def synchronous(source: str) -> str:
    """The synchronous version of asynchronous source code."""
    for pattern, word in WORDS:
        source = re.sub(pattern, word, source, flags=re.MULTILINE)
    return source


def main() -> int:
    check = "--check" in sys.argv[1:]
    stale = []
    for source in sorted((PACKAGE / "_async").glob("*.py")):
        if source.name in BY_HAND:
            continue
        target = PACKAGE / "_sync" / source.name
        text = HEADER.format(f"_async/{source.name}") + synchronous(source.read_text("utf-8"))
        if target.exists() and target.read_text("utf-8") == text:
            continue
        stale.append(target.name)
        if not check:
            target.write_text(text, "utf-8")
    if check and stale:
        print(f"_sync is older than _async ({', '.join(stale)}): run python3 scripts/make_sync.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
