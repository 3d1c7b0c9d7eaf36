/** An address to which the account sends nothing. */
import { Type } from "@sinclair/typebox";
import { oneOf, time } from "./words.ts";

export const Suppression = Type.Object(
  {
    address: Type.String(),
    reason: oneOf("bounce", "complaint", "manual"),
    detail: Type.String({ description: "The reply or report that led to it, or a person's note." }),
    message_id: Type.Optional(
      Type.String({ description: "The outbound message that bounced or was complained about." }),
    ),
    created_at: time(),
  },
  { $id: "Suppression" },
);
