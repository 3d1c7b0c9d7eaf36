import { E2AClient } from "../../sdks/typescript/src/index.ts";
import { Api, type Who } from "./api.ts";

/** A call of the API ends by itself long before; this is for one that does not. */
const TIMEOUT_MS = 180_000;

/** The API of this server at `url`, as the caller of `request`: with its key, by `ask` instead of the network. */
export function localApi(request: Request, url: URL, ask: (request: Request) => Promise<Response>, who: Who): Api {
  const client = new E2AClient({
    baseUrl: url.origin,
    apiKey: (request.headers.get("authorization") ?? "").replace(/^Bearer +/i, "").trim(),
    headers: { accept: "application/json", "user-agent": request.headers.get("user-agent") ?? "" },
    fetch: (to, init) => ask(new Request(to, init)),
    timeoutMs: TIMEOUT_MS,
    retries: 0,
    webSocket: false,
  });
  return new Api({ client, who: async () => who, defaultAgent: null });
}
