"""A webhook receiver with Flask.

    E2A_WEBHOOK_SECRET=… E2A_API_KEY=e2a_… flask --app webhook_flask run --port 9000
"""

from __future__ import annotations

from typing import Set, Tuple

from flask import Flask, request

from e2a.v1 import E2AClient, UnverifiedEmailError

app = Flask(__name__)
client = E2AClient()
#: Deliveries may come more than once. A real receiver keeps their ids in its database.
seen: Set[str] = set()


@app.post("/mail")
def mail() -> Tuple[str, int]:
    try:
        # The bytes as they came: request.json would be something else.
        event = client.parse_webhook(request.get_data(), request.headers)
    except UnverifiedEmailError as error:
        return error.reason, 400
    if event.message is not None and event.id is not None and event.id not in seen:
        print(f"{event.message.from_}: {event.message.subject}", flush=True)
        if not event.message.is_automatic:
            event.message.reply("Thank you.", idempotency_key=f"thanks-{event.message.message_id}")
        seen.add(event.id)
    return "", 204
