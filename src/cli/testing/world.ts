/** The server as a user of the command line meets it, for tests: the real one, with an account, and a proxy before it. */
import { deliver } from "../../../test/smtp/smtp-client.ts";
import { type ApiProxy, startApiProxy } from "../../../test/support/api-proxy.ts";
import { type ApiAnswer, startTestApp, type TestApp, type TestAppOptions } from "../../../test/support/app.ts";

/** The agent that there is. */
export const bot = "bot@e2a.localhost";

export interface World extends AsyncDisposable {
  readonly app: TestApp;
  /** What the command line asks passes here. */
  readonly proxy: ApiProxy;
  /** The environment of the account's owner. */
  readonly env: Record<string, string>;
  /** Asks the server itself, as the owner, for what must succeed; the path is below /api/v1. */
  api(method: string, path: string, body?: unknown): Promise<ApiAnswer["body"]>;
  /** From now on this is what the server says to a GET of this path. */
  shows(path: string, answer: unknown): void;
  /** From now on this is what the server says to everything; null: what it says by itself. */
  refuses(refusal: [status: number, problem: Record<string, unknown>, headers?: Record<string, string>] | null): void;
  /** Somebody outside sends a mail; its id in the agent's mailbox. */
  mail(subject: string, fields?: string): Promise<string>;
}

/** With one agent, `bot`, unless `agents` names others by their slugs. */
export async function startWorld({
  agents = ["bot"],
  ...options
}: TestAppOptions & { agents?: string[] } = {}): Promise<World> {
  const app = await startTestApp({ ...options, set: { "limits.api_requests_per_minute": 100_000, ...options.set } });
  const proxy = startApiProxy(app.app.httpUrl);
  const shown = new Map<string, unknown>();
  proxy.instead = ({ method, path }) => (method === "GET" && shown.has(path) ? Response.json(shown.get(path)) : null);
  const usual = proxy.instead;

  async function api(method: string, path: string, body?: unknown): Promise<ApiAnswer["body"]> {
    const answer = await app.api(method, `/api/v1${path}`, body);
    if (answer.status >= 400) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  for (const slug of agents) await api("POST", "/agents", { slug, agent_mode: "local" });
  return {
    ...{ app, proxy, api },
    env: { E2A_URL: proxy.url, E2A_API_KEY: app.key },
    shows: (path, answer) => void shown.set(path, answer),
    refuses(refusal) {
      if (refusal === null) {
        proxy.instead = usual;
        return;
      }
      const [status, problem, headers] = refusal;
      const document = { type: "about:blank", title: "Refused", status, request_id: "req_1", ...problem };
      proxy.instead = () =>
        Response.json(document, { status, headers: { ...headers, "content-type": "application/problem+json" } });
    },
    async mail(subject, fields = "From: alice@example.com\r\n") {
      const message = `${fields}Subject: ${subject}\r\n\r\n${subject}\r\n`;
      const { code, lines } = await deliver(app.app.smtp.port, { from: "alice@example.com", to: bot, message });
      if (code !== 250) throw new Error(lines.join("\n"));
      const { messages } = await api("GET", `/agents/${bot}/messages?status=all&sort=desc&page_size=1`);
      return messages[0].message_id;
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await app[Symbol.asyncDispose]();
    },
  };
}
