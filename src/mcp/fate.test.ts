import { expect, test } from "bun:test";
import { fateOf } from "./fate.ts";

test("a model hears why a mail failed, from the other server or, where none spoke, from this one", () => {
  const recipients = [
    { address: "ann@client.example", status: "bounced", smtp_reply: "550 5.1.1 No such user", error: null },
    { address: "bob@client.example", status: "failed", smtp_reply: null, error: "The upstream cannot be reached." },
    { address: "cat@client.example", status: "sent", smtp_reply: null, error: null },
  ];
  const fate = fateOf({ conversation_id: "conv_1", status: "failed", recipients });
  expect(fate.untrusted.replies).toEqual([
    "ann@client.example: 550 5.1.1 No such user",
    "bob@client.example: The upstream cannot be reached.",
  ]);
});
