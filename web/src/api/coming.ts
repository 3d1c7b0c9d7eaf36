/**
 * Routes that are agreed but not in docs/openapi.json yet, typed by hand. When one lands there, `bun run check` says so
 * (the types collide or the route is known twice); delete it here and use the generated type.
 */
import type { MessageSummary } from "./client.ts";

/** A moment as the API writes it: RFC 3339, UTC. */
type Time = string;

export interface Overview {
  agents: { total: number; paused: number };
  unread: number;
  pending_approval: number;
  deliveries: {
    pending: number;
    failing_endpoints: { endpoint_id: string; url: string; failing_since: Time; waiting: number }[];
  };
  domains: { total: number; verified: number };
  /** The last 30 days, UTC, oldest first. */
  volume: { day: string; received: number; sent: number; failed: number }[];
}

/** A received message in the list of all agents' mail. */
export type InboxMessage = MessageSummary & { agent_id: string };

export interface InboxQuery {
  status?: "unread" | "read" | "all";
  q?: string;
  agent?: string;
  from?: string;
  label?: string;
  since?: Time;
  until?: Time;
  sort?: "asc" | "desc";
  page_size?: number;
  token?: string;
}

interface Get<Query, Answer> {
  parameters: { query?: Query };
  get: {
    parameters: { query?: Query };
    responses: { 200: { content: { "application/json": Answer } } };
  };
}

export interface ComingPaths {
  "/api/v1/overview": Get<never, Overview>;
  "/api/v1/inbox": Get<InboxQuery, { messages: InboxMessage[]; next_token?: string }>;
}
