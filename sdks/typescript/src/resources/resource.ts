import { E2AError } from "../errors.ts";
import type { CallOptions, Http, QueryValues } from "../http.ts";
import { List } from "../list.ts";

/** What all resources share: the way to the server, and the agent that is meant when none is named. */
export interface Context {
  readonly http: Http;
  readonly agentEmail: string | undefined;
}

/** A call that is about one agent. */
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

  /** The path of an agent, the client's own unless another is named. */
  protected agentPath(agent: string | undefined): string {
    const email = agent ?? this.context.agentEmail;
    if (!email)
      throw new E2AError("Which agent? Pass `agent`, or give the client `agentEmail` (or set E2A_AGENT_EMAIL).");
    return path`/api/v1/agents/${email}`;
  }

  /** A list whose pages are at `url`. A query's `signal` and the like are how it is read, the rest what is asked for. */
  protected pages<Page, Key extends keyof Page>(
    url: string,
    key: Key,
    asked: CallOptions & object = {},
  ): List<Page, Page[Key] extends readonly (infer Item)[] ? Item : never> {
    const { options, query } = split(asked);
    return new List(async (token) => {
      // Where a list begins is in the token, so that `after` goes with the first page only.
      const at = token ?? query.token;
      const values = at === undefined ? query : { ...query, after: undefined, token: at };
      const page = await this.http.json<Page & { next_token?: string }>(url, { query: values }, options);
      return { page, items: page[key] as never, next: page.next_token };
    });
  }
}

/** Takes apart what is asked of the server, and how the call is made. */
export function split(given: CallOptions & object): { options: CallOptions; query: QueryValues } {
  const { signal, timeoutMs, retries, headers, onResponse, ...query } = given;
  return { options: { signal, timeoutMs, retries, headers, onResponse }, query };
}

/**
 * A path whose values are escaped. Throws E2AError for a value with which it would be the path of something else: none,
 * and one or two dots, which URL parsers resolve whether they are escaped or not (URL Standard 4.4).
 */
export function path(parts: TemplateStringsArray, ...values: (string | number)[]): string {
  const wrong = values.find((value) => /^\.{0,2}$/.test(String(value)));
  if (wrong !== undefined)
    throw new E2AError(`"${wrong}" is no id and no address. Give the one that the server gave you.`);
  return String.raw({ raw: parts }, ...values.map((value) => encodeURIComponent(value)));
}
