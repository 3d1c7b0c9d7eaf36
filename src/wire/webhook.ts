/** A webhook of the account. */
import { Type } from "@sinclair/typebox";
import { EventTypeName } from "./events.ts";
import { oneOf, time } from "./words.ts";

export const Webhook = Type.Object(
  {
    id: Type.String(),
    url: Type.String(),
    events: Type.Array(EventTypeName, { description: "The types it receives; empty means all." }),
    agents: Type.Array(Type.String(), { description: "Only events about these agents; empty means all events." }),
    description: Type.String(),
    status: oneOf("enabled", "disabled"),
    failing_since: Type.Optional(
      time("The time since which every attempt has failed; absent while the endpoint is healthy."),
    ),
    disabled_at: Type.Optional(time()),
    disabled_reason: Type.Optional(Type.String({ description: "One sentence." })),
    created_at: time(),
    updated_at: time(),
  },
  { $id: "Webhook" },
);
