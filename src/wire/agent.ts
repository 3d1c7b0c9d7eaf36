/** An agent. */
import { Type } from "@sinclair/typebox";
import { nullable, oneOf, time } from "./words.ts";

export const Agent = Type.Object(
  {
    id: Type.String({ description: "The address again." }),
    domain: Type.String(),
    email: Type.String(),
    name: Type.String(),
    webhook_url: Type.String({ description: "Empty when the agent has none." }),
    webhook_status: oneOf("enabled", "disabled"),
    webhook_failing_since: Type.Optional(
      time("The time since which every attempt has failed; absent while the endpoint is healthy."),
    ),
    webhook_disabled_reason: Type.Optional(Type.String({ description: "One sentence." })),
    agent_mode: oneOf("cloud", "local"),
    domain_verified: Type.Boolean(),
    created_at: time(),
    hitl_enabled: Type.Boolean({ description: "Whether a person approves outbound mail first." }),
    hitl_ttl_seconds: Type.Integer(),
    hitl_expiration_action: oneOf("approve", "reject"),
    hitl_notify_email: Type.Boolean(),
    hitl_rules: nullable(
      Type.Object({
        outside: Type.Optional(Type.Boolean()),
        first_time: Type.Optional(Type.Boolean()),
        max_recipients: Type.Optional(Type.Integer()),
        attachments: Type.Optional(Type.Boolean()),
        new_links: Type.Optional(Type.Boolean()),
        unverified: Type.Optional(Type.Boolean()),
        unsearched: Type.Optional(Type.Boolean()),
        patterns: Type.Optional(Type.Array(Type.String())),
      }),
      "What is held while `hitl_enabled`; null or no rule holds everything.",
    ),
    hitl_allow: Type.Array(Type.String(), { description: "Mail only to these addresses and domains is not held." }),
    hitl_reviewers: Type.Array(Type.String(), {
      description: "Told of held mail, in addition to the account's own address.",
    }),
    undo_seconds: Type.Integer({ description: "How long each message can be cancelled before it leaves." }),
    paused: Type.Boolean({ description: "Outbound mail and deliveries are frozen; inbound mail is still stored." }),
  },
  { $id: "Agent" },
);
