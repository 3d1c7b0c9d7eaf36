"""A webhook receiver with nothing but Python itself.

    E2A_WEBHOOK_SECRET=… E2A_API_KEY=e2a_… python3 webhook_http_server.py 9000
"""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Set

from e2a.v1 import E2AClient, UnverifiedEmailError

client = E2AClient()
#: Deliveries may come more than once. A real receiver keeps their ids in its database.
seen: Set[str] = set()


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        try:
            event = client.parse_webhook(body, self.headers)
        except UnverifiedEmailError as error:
            self.answer(400, error.reason)
            return
        if event.message is not None and event.id is not None and event.id not in seen:
            print(f"{event.message.from_}: {event.message.subject}", flush=True)
            if not event.message.is_automatic:
                event.message.reply("Thank you.", idempotency_key=f"thanks-{event.message.message_id}")
            seen.add(event.id)
        self.answer(204)

    def answer(self, status: int, why: str = "") -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(why)))
        self.end_headers()
        self.wfile.write(why.encode("utf-8"))


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9000
    print(f"receiving on port {port}", flush=True)
    ThreadingHTTPServer(("127.0.0.1", port), Receiver).serve_forever()
