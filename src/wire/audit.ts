/** A decision about held mail. */
import { Type } from "@sinclair/typebox";
import { editableParts, Original } from "./outbound.ts";
import { oneOf, time } from "./words.ts";

export const AuditEntry = Type.Object(
  {
    id: Type.String(),
    at: time(),
    action: oneOf("approve", "edit_approve", "reject", "expire_approve", "expire_reject", "release", "undo"),
    by: Type.String({ description: "The address of the person who decided, or `expiry`." }),
    how: oneOf("api", "session", "cli", "link", "expiry"),
    ip: Type.Optional(Type.String({ description: "Where the decision came from." })),
    message_id: Type.String(),
    agent_id: Type.String(),
    content_hash: Type.String({
      description: "The content that was decided about; after an edit, the content that left.",
    }),
    detail: Type.Optional(
      Type.Object({
        reason: Type.Optional(Type.String({ description: "For a rejection." })),
        before: Type.Optional(Original),
        changed: Type.Optional(
          Type.Array(oneOf(...editableParts), { description: "The parts that the edit changed." }),
        ),
      }),
    ),
  },
  { $id: "AuditEntry" },
);
