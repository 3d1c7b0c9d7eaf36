/** A small HTTP and WebSocket server that speaks the wire's shapes, for tests of the command line. */
import type { Server, ServerWebSocket } from "bun";
import { type OpenApi, unknownInRequest } from "../../../test/api/openapi-check.ts";
import type { Agent, AuditEntry, Domain, MailEdit, MessageDetail, NewMail } from "../connect/shapes.ts";
import { decide, forecast } from "./approvals.ts";
import { problem, WireOutbox } from "./outbox.ts";
import { agent, domain } from "./samples.ts";

/** What the real server takes: the command line sends nothing else. */
const described: OpenApi = await Bun.file(new URL("../../../docs/openapi.json", import.meta.url)).json();

export const apiKey = `e2a_${"ab".repeat(32)}`;
/** A key of one agent: it decides nothing. */
export const agentKey = `e2a_${"cd".repeat(32)}`;

export interface Request {
  method: string;
  path: string;
  query: Record<string, string>;
  body: unknown;
  headers: Headers;
}

/** An e2a server as far as the commands see one. Its content is public: tests fill and read it. */
export class WireServer {
  agents: Agent[] = [];
  domains: Domain[] = [];
  messages: MessageDetail[] = [];
  readonly outbox = new WireOutbox();
  /** Newest first. */
  readonly audit: AuditEntry[] = [];
  /** Everything of the account. */
  paused = false;
  /** When set, the server's answer to everything. */
  refusal: [status: number, problem: Record<string, unknown>, headers?: Record<string, string>] | null = null;
  readonly requests: Request[] = [];
  /** Acknowledged message ids. */
  readonly acks: string[] = [];
  /** Ids of messages that were marked read by PATCH. */
  readonly marked: string[] = [];
  private readonly sockets = new Set<ServerWebSocket<undefined>>();
  private readonly server: Server<undefined>;
  private waiting: { ids: string[]; count: number; resolve: () => void }[] = [];

  constructor(port = 0) {
    this.server = Bun.serve<undefined>({
      port,
      hostname: "127.0.0.1",
      fetch: (request, server) => this.answer(request, server),
      websocket: {
        open: (socket) => {
          this.sockets.add(socket);
          for (const message of this.messages)
            if (message.status === "unread") socket.send(JSON.stringify(frameOf(message)));
        },
        message: (_socket, data) => {
          this.acks.push(JSON.parse(String(data)).ack);
          this.wake();
        },
        close: (socket) => void this.sockets.delete(socket),
      },
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.server.port}`;
  }

  /** The environment of a user of this server. */
  get env(): Record<string, string> {
    return { E2A_URL: this.url, E2A_API_KEY: apiKey };
  }

  close(): Promise<void> {
    return this.server.stop(true);
  }

  /** A new message arrives. */
  deliver(message: MessageDetail): void {
    this.messages.push(message);
    for (const socket of this.sockets) socket.send(JSON.stringify(frameOf(message)));
  }

  /** Closes all WebSockets; without a code the line is cut. */
  drop(code?: number, reason?: string): void {
    for (const socket of this.sockets) code === undefined ? socket.terminate() : socket.close(code, reason);
  }

  /** Resolves once that many acknowledgements came. */
  acknowledged(count: number): Promise<void> {
    return this.reached(this.acks, count);
  }

  /** Resolves once that many messages were marked read. */
  read(count: number): Promise<void> {
    return this.reached(this.marked, count);
  }

  private reached(ids: string[], count: number): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.push({ ids, count, resolve });
      this.wake();
    });
  }

  private wake(): void {
    for (const { ids, count, resolve } of this.waiting) if (ids.length >= count) resolve();
  }

  private async answer(request: globalThis.Request, server: Server<undefined>): Promise<Response | undefined> {
    const url = new URL(request.url);
    const path = decodeURIComponent(url.pathname).replace("/api/v1", "");
    const body = request.body ? await request.json() : undefined;
    const { method, headers } = request;
    this.requests.push({ method, path, query: Object.fromEntries(url.searchParams), body, headers });
    const unknown = unknownInRequest(described, method, url, body);
    if (unknown.length > 0) return problem(400, { detail: `Nobody knows ${unknown}.`, code: "invalid_request" });
    if (this.refusal) return problem(...this.refusal);
    const key = request.headers.get("authorization")?.replace("Bearer ", "") ?? "";
    if (![apiKey, agentKey].includes(key)) {
      return problem(401, { detail: "The API key is not valid.", code: "unauthenticated" });
    }
    if (key === agentKey && /\/(approve|reject)$/.test(path)) {
      return problem(403, { detail: "An agent's key decides nothing.", code: "forbidden" });
    }
    const answer = this.route(request, path, url.searchParams, body as Record<string, string> | undefined);
    if (answer !== "upgrade") return answer;
    return server.upgrade(request) ? undefined : problem(426, { detail: "This is a WebSocket." });
  }

  private route(
    request: globalThis.Request,
    path: string,
    query: URLSearchParams,
    body: Record<string, string> = {},
  ): Response | "upgrade" {
    const [, resource, name = "", part, id, what, index] = path.split("/");
    const call = `${request.method} ${resource}`;
    if (path === "/users/me" && request.method === "PATCH") {
      this.paused = Boolean(body.paused);
      return Response.json({ id: "usr_1", email: "owner@example.com", paused: this.paused });
    }
    if (path === "/audit") {
      const start = Number(query.get("token") ?? 0);
      const end = start + Number(query.get("page_size") ?? 50);
      const next = end < this.audit.length ? { next_token: String(end) } : {};
      return Response.json({ entries: this.audit.slice(start, end), ...next });
    }
    if (path === "/users/me") return Response.json({ id: "usr_1", email: "owner@example.com" });
    if (call === "POST send") return this.outbox.post(request, path, body);
    if (resource === "messages" && (part === "approve" || part === "reject")) {
      const mail = this.outbox.mails.find(({ id }) => id === name);
      return mail ? decide(mail, part, body as MailEdit, this.audit) : problem(404, { detail: "Not found." });
    }
    if (resource === "messages") return this.outbox.answer(query, name, part);
    if (resource === "agents" && name === "") {
      if (request.method === "GET") return Response.json({ agents: this.agents });
      const made = agent(body.email ?? `${body.slug}@e2a.localhost`, body);
      this.agents.push(made);
      return Response.json(made, { status: 201 });
    }
    if (resource === "agents") {
      const known = this.agents.find((candidate) => candidate.email === name);
      if (!known) return problem(404, { detail: `There is no agent ${name}.`, code: "not_found", fix: "List yours." });
      if (part === "ws") return "upgrade";
      if (part === "check") return forecast(body as unknown as NewMail);
      if (part === "messages" && (what === "reply" || what === "forward")) {
        const original = this.messages.find((message) => message.message_id === id);
        return original ? this.outbox.post(request, path, body, original) : problem(404, { detail: "Not found." });
      }
      if (part === "messages" && request.method === "PATCH") return this.mark(id, body);
      if (part === "messages" && query.get("direction") === "outbound") return this.outbox.inConversation(query);
      if (part === "messages") return this.mail(query, id, index);
      if (["PUT", "PATCH"].includes(request.method)) Object.assign(known, body);
      if (request.method === "DELETE") return Response.json({ status: "deleted" });
      return Response.json(known);
    }
    if (call === "POST domains" && name === "") return Response.json(domain(body.domain ?? ""), { status: 201 });
    if (call === "GET domains" && name === "") return Response.json({ domains: this.domains });
    if (call === "DELETE domains") return new Response(null, { status: 204 });
    const known = this.domains.find((candidate) => candidate.domain === name);
    if (!known) return problem(404, { detail: "Not found.", code: "not_found" });
    if (request.method === "PATCH") Object.assign(known, body);
    if (part !== "verify" || known.verified) return Response.json(known);
    const checks = [
      { record: "txt", status: "mismatch", found: ["v=spf1 -all"] },
      { record: "mx", status: "missing" },
    ];
    return problem(412, {
      detail: "The TXT record was not found.",
      code: "domain_not_verified",
      fix: "Publish it.",
      checks,
    });
  }

  private mark(id: string | undefined, body: Record<string, string>): Response {
    const found = this.messages.find((message) => message.message_id === id);
    if (!found) return problem(404, { detail: `There is no message ${id}.`, code: "not_found" });
    Object.assign(found, body);
    this.marked.push(found.message_id);
    this.wake();
    return Response.json(found);
  }

  private mail(query: URLSearchParams, id: string | undefined, index: string | undefined): Response {
    if (id === undefined) {
      const start = Number(query.get("token") ?? 0);
      const status = query.get("status") ?? "unread";
      const matching = this.messages.filter((message) => status === "all" || message.status === status);
      const end = start + Number(query.get("page_size") ?? 50);
      const next = end < matching.length ? { next_token: String(end) } : {};
      return Response.json({ messages: matching.slice(start, end), ...next });
    }
    const found = this.messages.find((message) => message.message_id === id);
    if (!found) return problem(404, { detail: `There is no message ${id}.`, code: "not_found" });
    if (index !== undefined) return new Response(`content ${index}`);
    if (query.get("peek") !== "true") found.status = "read";
    return Response.json(found);
  }
}

function frameOf({ message_id, conversation_id, from, recipient, subject, created_at, verified }: MessageDetail) {
  return {
    message_id,
    conversation_id,
    from,
    recipient,
    subject,
    received_at: created_at,
    type: "message.received",
    verified,
  };
}
