import { E2AError } from "../errors.ts";
import type { CallOptions, Http, QueryValues } from "../http.ts";
import { List } from "../list.ts";

/** The context of all resources: the connection to the server, and the default agent. */
export interface Context {
  readonly http: Http;
  readonly agentEmail: string | undefined;
}

/** Options of a call about one agent. */
export interface OfAgent extends CallOptions {
  /** The agent's address. Default: the client's `agentEmail`. */
  agent?: string | undefined;
}

export class Resource {
  protected readonly context: Context;

  constructor(context: Context) {
    this.context = context;
  }

  protected get http(): Http {
    return this.context.http;
  }

  /** The path of the named agent, or of the client's default one. */
  protected agentPath(agent: string | undefined): string {
    const email = agent ?? this.context.agentEmail;
    if (!email)
      throw new E2AError("Which agent? Pass `agent`, or give the client `agentEmail` (or set E2A_AGENT_EMAIL).");
    return path`/api/v1/agents/${email}`;
  }

  /** A list whose pages are at `url`. The call options in `asked` apply to each request; the rest is the query. */
  protected pages<Page, Key extends keyof Page>(
    url: string,
    key: Key,
    asked: CallOptions & object = {},
  ): List<Page, Page[Key] extends readonly (infer Item)[] ? Item : never> {
    const { options, query } = split(asked);
    return new List(async (token) => {
      // The token already contains the start of the list, so only the first page takes `after`.
      const at = token ?? query.token;
      const values = at === undefined ? query : { ...query, after: undefined, token: at };
      const page = await this.http.json<Page & { next_token?: string }>(url, { query: values }, options);
      return { page, items: page[key] as never, next: page.next_token };
    });
  }
}

/** Separates the call options from the query. */
export function split(given: CallOptions & object): { options: CallOptions; query: QueryValues } {
  const { signal, timeoutMs, retries, headers, onResponse, ...query } = given;
  return { options: { signal, timeoutMs, retries, headers, onResponse }, query };
}

/**
 * Makes a path, with its values escaped. Throws E2AError if the path would name another resource: for an empty value, and
 * for one or two dots, which URL parsers resolve, escaped or not (URL Standard 4.4).
 */
export function path(parts: TemplateStringsArray, ...values: (string | number)[]): string {
  const wrong = values.find((value) => /^\.{0,2}$/.test(String(value)));
  if (wrong !== undefined)
    throw new E2AError(`"${wrong}" is not an id or an address. Use the one that the server gave you.`);
  return String.raw({ raw: parts }, ...values.map((value) => encodeURIComponent(value)));
}
