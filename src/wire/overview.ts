/** The account in figures. */
import { Type } from "@sinclair/typebox";
import { time } from "./words.ts";

export const Overview = Type.Object(
  {
    agents: Type.Object({ total: Type.Integer(), paused: Type.Integer() }),
    unread: Type.Integer({ description: "Messages in all mailboxes together." }),
    pending_approval: Type.Integer(),
    deliveries: Type.Object({
      pending: Type.Integer({ description: "Those that will be tried or retried." }),
      failing_endpoints: Type.Array(
        Type.Object({
          endpoint_id: Type.String({ description: "The agent's address, or the account webhook's id." }),
          url: Type.String(),
          failing_since: time(),
          waiting: Type.Integer({ description: "Deliveries that wait for it." }),
        }),
      ),
    }),
    domains: Type.Object({ total: Type.Integer(), verified: Type.Integer() }),
    volume: Type.Array(
      Type.Object({
        day: Type.String({ format: "date", description: "In UTC." }),
        received: Type.Integer(),
        sent: Type.Integer(),
        failed: Type.Integer({ description: "Failed or bounced for every recipient." }),
      }),
      {
        description: "The last 30 days, today included, oldest first; by the time a message was received or submitted.",
      },
    ),
  },
  { $id: "Overview" },
);
