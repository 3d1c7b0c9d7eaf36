"""The published wheel installs and works, has types, and contains nothing stale."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import List

import pytest
from needs import missing, need
from server import Server

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "examples").glob("*.py"), *(ROOT / "scripts").glob("*.py")])


def python(*args: str, cwd: Path = ROOT, **env: str) -> str:
    """The output of this Python command. Fails if the command fails."""
    return run([sys.executable, *args], cwd, **env)


def run(command: List[str], cwd: Path, **env: str) -> str:
    settings = {"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1", **env}
    done = subprocess.run(command, cwd=cwd, env=settings, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    # A copy, so that the build leaves nothing behind in the source.
    shutil.copytree(ROOT, folder / "source", ignore=shutil.ignore_patterns("__pycache__", "dist", ".*"))
    python("-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=folder / "source")
    (built,) = folder.glob("e2a-*-py3-none-any.whl")
    return built


def test_the_wheel_has_the_package_and_its_types(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(next(name for name in names if name.endswith("METADATA"))).decode("utf-8")
    expected = {
        str(path.relative_to(ROOT / "src")) for path in (ROOT / "src").rglob("*") if path.suffix in (".py", ".typed")
    }
    assert {name for name in names if "dist-info" not in name} == expected
    for line in ("Name: e2a", "Requires-Python: >=3.9", "Requires-Dist: httpx>=0.23.3", "Provides-Extra: listen"):
        assert line in metadata.splitlines()


def test_the_first_example_runs_as_written_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    if "-" in sys.version or not Path("/usr/bin/python3").exists():
        missing("this is not the Python of the system, whose packages stand in for a package index")
    need("ensurepip")
    # Debian's httpx comes from the system's packages; e2a comes from the wheel alone.
    python("-m", "venv", "--system-site-packages", str(tmp_path / "venv"))
    inside = str(tmp_path / "venv" / "bin" / "python")
    run([inside, "-m", "pip", "install", "--no-index", "--quiet", str(wheel)], tmp_path, HOME=str(tmp_path))
    example = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert example
    (tmp_path / "first.py").write_text(example.group(1), "utf-8")
    server = Server()
    try:
        key = server.bootstrap("you@example.com")
        said = run([inside, "-W", "error", "first.py"], tmp_path, E2A_URL=server.url, E2A_API_KEY=key)
    finally:
        server.close()
    assert said.splitlines()[0] == "my-bot@e2a.localhost sent"
    assert "proven" in said
    where = run([inside, "-c", "import e2a; print(e2a.__file__)"], tmp_path)
    assert where.startswith(str(tmp_path))


def test_it_compiles_without_a_warning(tmp_path: Path) -> None:
    for folder in ("src", "examples", "scripts", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    python("-W", "error", "-m", "compileall", "-q", str(tmp_path), PYTHONDONTWRITEBYTECODE="")


@pytest.mark.parametrize("path", SOURCES, ids=[str(path.relative_to(ROOT)) for path in SOURCES])
def test_the_oldest_python_can_read_it(path: Path) -> None:
    ast.parse(path.read_text("utf-8"), feature_version=(3, 9))


def test_the_client_that_waits_is_made_from_the_other() -> None:
    python("scripts/make_sync.py", "--check")


def test_the_types_hold(mypy_cache: Path) -> None:
    need("mypy")
    python("-m", "mypy", "--cache-dir", str(mypy_cache))
