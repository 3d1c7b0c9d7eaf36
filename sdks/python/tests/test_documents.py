"""The documents' code samples are valid Python for this package."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from needs import need

ROOT = Path(__file__).resolve().parents[1]
REPOSITORY = ROOT.parents[1]
DOCUMENTS = [ROOT / "README.md", REPOSITORY / "README.md", REPOSITORY / "docs" / "sdk-python.md"]

#: What the text around a block has said.
PRELUDE = """\
from typing import Any, Dict
from e2a.v1 import E2AClient

client: E2AClient
body: bytes
headers: Dict[str, str]
last_id: str
message: Any


def handle(type: str, data: Dict[str, Any]) -> None: ...
"""


def test_the_types_hold(tmp_path: Path, mypy_cache: Path) -> None:
    need("mypy")
    for path in DOCUMENTS:
        blocks = re.findall(r"```python\n(.*?)```", path.read_text("utf-8"), re.DOTALL)
        assert blocks, path
        for number, block in enumerate(blocks):
            own = PRELUDE
            for name in ("client", "message"):
                if f"{name} = " in block or f"for {name} in" in block or f" as {name}:" in block:
                    own = re.sub(rf"^{name}: .*\n", "", own, flags=re.MULTILINE)
            name = re.sub(r"\W", "_", f"{path.relative_to(REPOSITORY)}_{number}")
            (tmp_path / f"{name}.py").write_text(own + block, "utf-8")
    config = ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(mypy_cache)]
    run = [sys.executable, "-m", "mypy", *config, *map(str, sorted(tmp_path.glob("*.py")))]
    env = {"PATH": "/usr/bin:/bin", "MYPYPATH": str(ROOT / "src")}
    done = subprocess.run(run, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
