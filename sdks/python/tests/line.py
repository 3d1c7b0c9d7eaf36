"""A connection to the server that breaks on demand, and a server with scripted answers."""

from __future__ import annotations

import socket
import threading
from typing import Any, List
from urllib.parse import urlsplit


class BreakingLine:
    """Forwards connections to a server. The next `lose` answers are dropped, and their connections cut."""

    def __init__(self, url: str) -> None:
        target = urlsplit(url)
        self._target = (str(target.hostname), int(target.port or 80))
        self._door = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        self.lose = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._door.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._door.accept()
            except OSError:
                return
            far = socket.create_connection(self._target)
            threading.Thread(target=self._pass_on, args=(near, far, False), daemon=True).start()
            threading.Thread(target=self._pass_on, args=(far, near, True), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        try:
            while True:
                piece = source.recv(65_536)
                if is_answer and piece and self.lose > 0:
                    self.lose -= 1
                    break
                if not piece:
                    break
                target.sendall(piece)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()


class Script:
    """Answers one request after another with these bytes, each on its own connection, then stops."""

    def __init__(self, *answers: bytes) -> None:
        self._door = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        self.requests: List[bytes] = []
        self._answers = list(answers)
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> Script:
        return self

    def __exit__(self, *_: Any) -> None:
        self._door.close()

    def _serve(self) -> None:
        for answer in self._answers:
            try:
                peer, _ = self._door.accept()
            except OSError:
                return
            with peer:
                self.requests.append(peer.recv(65_536))
                peer.sendall(answer)


def answer(status: int, body: str = "", *headers: str, kind: str = "application/json") -> bytes:
    """An HTTP answer after which the connection ends."""
    head = [f"HTTP/1.1 {status} Whatever", f"content-type: {kind}", f"content-length: {len(body.encode())}"]
    return "\r\n".join([*head, "connection: close", *headers, "", body]).encode("utf-8")
