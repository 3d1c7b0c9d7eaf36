"""A support agent that answers what it knows, and whose answers a person sees before they leave.

    E2A_API_KEY=e2a_… python3 support_agent.py setup support     once, with a key of the account; prints the agent's key
    E2A_API_KEY=e2a_… python3 support_agent.py run               with the agent's key, which cannot approve anything
    E2A_API_KEY=e2a_… python3 support_agent.py review            with a key of the account, for the person

`answer` is where a model would be asked. Whatever a mail makes it say, nothing leaves unseen.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Optional

from e2a.v1 import AsyncE2AClient, AsyncMessage, E2AClient

ANSWERS = {
    "price": "The price is 10 euros a month.",
    "refund": "Refunds take five days.",
}


def answer(message: AsyncMessage) -> Optional[str]:
    """An answer to what is new in the mail (not to what it quotes); None when a person has to write it."""
    question = f"{message.subject} {message.reply_text}".lower()
    known = [text for word, text in ANSWERS.items() if word in question]
    return " ".join(known) or None


def setup(slug: str) -> None:
    with E2AClient() as client:
        agent = client.agents.create(slug=slug, name="Support")
        client.agents.update(agent.email, hitl_enabled=True, hitl_expiration_action="reject")
        key = client.keys.create("support agent", agent=agent.email)
        print(f"{agent.email}\n{key.key}")


async def run() -> None:
    async with AsyncE2AClient() as client:
        print("listening", flush=True)
        async for message in client.listen():
            if message.is_automatic:
                continue
            text = answer(message)
            if text is None:
                await message.add_labels("for-a-person")
                print(f"left to a person: {message.subject}", flush=True)
                continue
            if not message.verified:
                text += "\n\n(We could not prove that this mail came from you, so we say nothing about your account.)"
            sent = await message.reply(text, idempotency_key=f"support-{message.message_id}")
            print(f"{sent.status}: {message.subject}", flush=True)


def review() -> None:
    with E2AClient() as client:
        for held in client.approvals.list():
            print(f"\nTo: {', '.join(held.to)}\nSubject: {held.subject}\n\n{held.body_text}\n")
            decision = input("[a]pprove, [r]eject, or leave it? ")
            if decision == "a":
                # Only what was shown: had it changed since, this would be refused.
                print(client.approvals.approve(held.id, content_hash=held.content_hash).status)
            elif decision == "r":
                print(client.approvals.reject(held.id, reason=input("Why? ")).status)


if __name__ == "__main__":
    if sys.argv[1:2] == ["setup"]:
        setup(sys.argv[2])
    elif sys.argv[1:] == ["review"]:
        review()
    else:
        asyncio.run(run())
