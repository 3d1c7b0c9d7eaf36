"""A webhook receiver with FastAPI.

    E2A_WEBHOOK_SECRET=… E2A_API_KEY=e2a_… uvicorn webhook_fastapi:app --port 9000
"""

from __future__ import annotations

from typing import Set

from fastapi import BackgroundTasks, FastAPI, Request, Response

from e2a.v1 import AsyncE2AClient, AsyncMessage, UnverifiedEmailError

app = FastAPI()
client = AsyncE2AClient()
#: Deliveries may come more than once. A real receiver keeps their ids in its database.
seen: Set[str] = set()


@app.post("/mail")
async def mail(request: Request, background: BackgroundTasks) -> Response:
    try:
        event = client.parse_webhook(await request.body(), request.headers)
    except UnverifiedEmailError as error:
        return Response(error.reason, 400)
    if event.message is not None and event.id is not None and event.id not in seen:
        seen.add(event.id)
        # What takes long comes after the answer: a webhook has 30 seconds.
        background.add_task(answer, event.message)
    return Response(status_code=204)


async def answer(message: AsyncMessage) -> None:
    print(f"{message.from_}: {message.subject}", flush=True)
    if not message.is_automatic:
        await message.reply("Thank you.", idempotency_key=f"thanks-{message.message_id}")
