import { expect } from "bun:test";
import { ApiClient } from "./client.ts";

/** A running development server. Its `http.max_body_size` must be 64 KiB; no test reaches its other limits. */
export interface ApiUnderTest {
  readonly url: string;
  /** An account key. */
  readonly key: string;
  readonly sharedDomain: string;
  /** A key of another, new account. */
  newAccount(): Promise<string>;
  /** Delivers a message as another mail server would. */
  deliver(mail: { to: string; message: string; from?: string }): Promise<void>;
  close(): Promise<void>;
}

/** The server under test, with common operations of the cases. */
export class ApiWorld {
  server!: ApiUnderTest;
  /** A client with the account's key. */
  api!: ApiClient;
  /** How many things have been made; part of their names. */
  made = 0;

  enter(server: ApiUnderTest): void {
    this.server = server;
    this.api = new ApiClient(server.url, server.key);
  }

  async leave(): Promise<void> {
    await this.server?.close();
  }

  /** A new local agent of this account, or of `by`'s; returns its address. */
  async newAgent(by = this.api): Promise<string> {
    const slug = `bot-${process.pid}-${this.made++}`;
    const { status, body } = await by.post("/api/v1/agents", { slug, agent_mode: "local" });
    expect(status).toBe(201);
    return body.email;
  }

  /** Resolves in the next millisecond, so that a list sorted by time separates earlier from later entries. */
  async nextMillisecond(): Promise<void> {
    for (const now = Date.now(); Date.now() === now; ) await new Promise(setImmediate);
  }

  /** A key for this agent only. */
  async agentKey(agent: string): Promise<string> {
    const { body } = await this.api.post("/api/v1/keys", { name: "one agent", scope: "agent", agent });
    return body.key;
  }

  /** Delivers a small message. */
  send(to: string, subject: string, more: { from?: string; text?: string; headers?: string[] } = {}): Promise<void> {
    const from = more.from ?? "alice@sender.example";
    const head = [
      `From: ${from.split("@")[0]} <${from}>`,
      `To: <${to}>`,
      `Subject: ${subject}`,
      `Message-ID: <${crypto.randomUUID()}@sender.example>`,
      ...(more.headers ?? []),
    ];
    return this.server.deliver({ to, from, message: `${head.join("\r\n")}\r\n\r\n${more.text ?? "Hello"}\r\n` });
  }

  inbox(agent: string, query = "") {
    return this.api.get(`/api/v1/agents/${encodeURIComponent(agent)}/messages${query}`);
  }

  async subjects(agent: string, query: string): Promise<string[]> {
    return (await this.inbox(agent, query)).body.messages.map((message: { subject: string }) => message.subject);
  }
}
