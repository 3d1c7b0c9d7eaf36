"""The compiled binary under test."""

from __future__ import annotations

import json
import os
import re
import smtplib
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Dict, List, Optional, Sequence

BINARY = Path(__file__).resolve().parents[3] / "dist" / "e2a"


def free_port() -> int:
    """A port that was free a moment ago, for a server that must come back on the same one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """`e2a serve` on fixed ports and its own data folder; `postgres` is the URL of an empty database."""

    def __init__(self, postgres: Optional[str] = None, env: Optional[Dict[str, str]] = None) -> None:
        if not BINARY.exists():
            raise FileNotFoundError("There is no binary at dist/; build it with: bun run build")
        self._folder = tempfile.TemporaryDirectory(prefix="e2a-sdk-")
        self.smtp_port = free_port()
        http_port = free_port()
        self.url = f"http://127.0.0.1:{http_port}"
        self._env = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": self._folder.name,
            "E2A_ENV": "development",
            "E2A_DATA_DIR": f"{self._folder.name}/data",
            "E2A_HTTP_LISTEN_ADDR": f"127.0.0.1:{http_port}",
            "E2A_SMTP_LISTEN_ADDR": f"127.0.0.1:{self.smtp_port}",
            # No name server answers there, so look-ups fail at once.
            "E2A_DNS_SERVERS": "127.0.0.1:1",
            "E2A_LIMITS_API_REQUESTS_PER_MINUTE": "100000",
            **({"E2A_DATABASE_URL": postgres} if postgres else {}),
            **(env or {}),
        }
        self._process: Optional["subprocess.Popen[str]"] = None
        self.start()

    def start(self) -> None:
        """Returns once the server is ready, which it announces in one line of JSON."""
        self._process = subprocess.Popen(
            [str(BINARY), "serve"],
            env=self._env,
            cwd=self._folder.name,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        json.loads(self._process.stdout.readline())

    def stop(self) -> None:
        self._end(self._process and self._process.terminate)

    def kill(self) -> None:
        """Kills the server, as a power cut would."""
        self._end(self._process and self._process.kill)

    def _end(self, signal: object) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert callable(signal)
        signal()
        process.wait(timeout=30)
        if process.stdout is not None:
            process.stdout.close()

    def bootstrap(self, email: str) -> str:
        """An API key of this account, which is created if needed."""
        run = [str(BINARY), "bootstrap", "--email", email]
        done = subprocess.run(run, env=self._env, cwd=self._folder.name, capture_output=True, text=True, check=True)
        found = re.search(r"e2a_[0-9a-f]{64}", done.stdout)
        assert found, done.stdout
        return found.group()

    def deliver(self, to: str, lines: Sequence[str], sender: str = "ann@client.example") -> None:
        """Delivers a mail; raises unless it is accepted."""
        recipients: List[str] = [to]
        with smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=30) as smtp:
            smtp.ehlo("client.example")
            data = ("\r\n".join(lines) + "\r\n").encode("utf-8")
            options = [] if data.isascii() else ["BODY=8BITMIME"]
            smtp.sendmail(sender, recipients, data, mail_options=options)

    def close(self) -> None:
        self.kill()
        self._folder.cleanup()
