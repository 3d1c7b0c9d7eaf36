import { Api, type Who } from "./api.ts";
import { failureOf, ToolFailure } from "./failure.ts";

export interface RemoteOptions {
  /** Base URL without trailing slash. */
  url: string;
  key: string;
  /** The usual agent, by its address or its local part. */
  agent: string | null;
  userAgent: string;
  timeoutMs: number;
}

/** The API of a server that is reached by network. */
export function remoteApi({ url, key, agent, userAgent, timeoutMs }: RemoteOptions): Api {
  let known: Promise<Who> | undefined;

  async function ask(path: string, init: RequestInit): Promise<Response> {
    const { signal } = init;
    const headers = new Headers(init.headers);
    headers.set("authorization", `Bearer ${key}`);
    headers.set("user-agent", userAgent);
    try {
      return await fetch(url + path, {
        ...init,
        headers,
        // The key stays with the server it was given for.
        redirect: "manual",
        signal: AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal ? [signal] : [])]),
      });
    } catch (cause) {
      if (signal?.aborted) throw cause;
      const { code, name } = cause as { code?: string; name?: string };
      const why = name === "TimeoutError" ? "it did not answer in time" : (code ?? "no connection");
      throw new ToolFailure(`Cannot reach the e2a server at ${url} (${why}).`, {
        code: "unreachable",
        fix: "Tell the user: is the server running, and is E2A_URL right? After that, call the tool again; nothing is done twice.",
      });
    }
  }

  async function askWho(): Promise<Who> {
    const response = await ask("/api/v1/users/me", { headers: { accept: "application/json" } });
    if (!response.ok) throw failureOf(response.status, await response.text());
    return (await response.json()) as Who;
  }

  function who(): Promise<Who> {
    known ??= askWho().catch((error) => {
      known = undefined;
      throw error;
    });
    return known;
  }

  return new Api({ ask, who, defaultAgent: agent });
}
