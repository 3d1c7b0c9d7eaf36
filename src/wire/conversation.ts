/** A conversation: messages that reply to one another. */
import { Type } from "@sinclair/typebox";
import { oneOf, time } from "./words.ts";

/** The members that identify a conversation, in the list and in its details. */
export const conversationIdentity = {
  conversation_id: Type.String(),
  subject: Type.String({ description: "The subject of its first message." }),
};

export const Conversation = Type.Object(
  {
    ...conversationIdentity,
    participants: Type.Array(Type.String(), {
      description: "Its senders and recipients, except the agent; at most 50.",
    }),
    message_count: Type.Integer({ description: "In both directions." }),
    unread_count: Type.Integer(),
    last_message_at: time(),
    last_message: Type.Object({
      message_id: Type.String(),
      direction: oneOf("inbound", "outbound"),
      from: Type.String(),
      verified: Type.Boolean({ description: "Whether the From domain itself is proven." }),
      snippet: Type.String(),
    }),
  },
  { $id: "Conversation" },
);
