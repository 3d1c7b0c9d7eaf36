"""An agent that answers each mail with what it said.

    E2A_API_KEY=e2a_… E2A_AGENT_EMAIL=my-bot@e2a.localhost python3 echo_agent.py

It needs no public address, and goes on where it was after a restart: what it did not deal with is still unread.
"""

from e2a.v1 import E2AClient


def main() -> None:
    with E2AClient() as client:
        print("listening", flush=True)
        for message in client.listen():
            if message.is_automatic:
                # Two programs that answer each other never stop.
                continue
            # The key makes sure that one message gets one answer, even when this program dies right here.
            message.reply(f"You wrote:\n\n{message.reply_text}", idempotency_key=f"echo-{message.message_id}")
            print(f"answered {message.from_}: {message.subject}", flush=True)


if __name__ == "__main__":
    main()
